package column

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// TestColumns appends, undoes and finishes at random, and compares with a plain list of datums.
func TestColumns(t *testing.T) {
	const seed = 5
	row := sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}, sql.Field{Name: "b", Type: sql.ArrayOf(sql.TypeText)})
	for typ, values := range map[*sql.Type][]sql.Datum{
		{Kind: sql.Bool}:                    {nil, true, false},
		{Kind: sql.Int2}:                    {nil, int64(1), int64(-32768)},
		{Kind: sql.OID}:                     {nil, int64(4294967295)},
		{Kind: sql.Text}:                    {nil, "", "a", "longer than eight"},
		{Kind: sql.Bytea}:                   {nil, []byte{}, []byte{0}},
		{Kind: sql.Numeric}:                 {nil, number(t, "1.50"), number(t, "NaN")},
		{Kind: sql.Numeric, Precision: 10}:  {nil, number(t, "-7"), number(t, "9999999999")},
		{Kind: sql.Numeric, Precision: 30}:  {nil, number(t, "-123456789012345678901234567890")},
		{Kind: sql.Numeric, Precision: 50}:  {nil, number(t, "-1234567890123456789012345678901234567890")},
		{Kind: sql.Interval}:                {nil, sql.IntervalValue{Micros: 1, Days: -2, Months: 3}},
		{Kind: sql.UUID}:                    {nil, sql.UUIDValue{1, 15: 2}},
		{Kind: sql.Timestamptz}:             {nil, sql.TimestampInfinity, sql.TimestampValue(-5)},
		ptr(sql.ArrayOf(sql.TypeInt8)):      {nil, []sql.Datum{}, []sql.Datum{int64(1), nil}},
		ptr(row):                            {nil, sql.RowValue{int64(1), nil}, sql.RowValue{nil, []sql.Datum{"x", nil}}},
		ptr(sql.MapOf(sql.TypeText, row)):   {nil, sql.MapValue{}, sql.MapValue{{Key: "k", Value: sql.RowValue{int64(1), nil}}, {Key: "l"}}},
		ptr(sql.ArrayOf(sql.ArrayOf(row))):  {nil, []sql.Datum{[]sql.Datum{sql.RowValue{int64(1), nil}}, nil, []sql.Datum{}}},
		ptr(sql.ArrayOf(sql.TypeTimestamp)): {nil, []sql.Datum{sql.TimestampValue(7)}},
	} {
		r := rand.New(rand.NewPCG(seed, uint64(typ.Kind)))
		c := New(*typ)
		var want []sql.Datum
		for step := range 3000 {
			switch r.IntN(20) {
			case 0:
				n := r.IntN(len(want) + 1)
				c.Truncate(n)
				want = want[:n]
			case 1:
				if step%7 == 0 {
					check(t, c, *typ, want)
					want = nil
				}
			default:
				v := values[r.IntN(len(values))]
				if len(want)%300 < 100 { // a run without NULLs, past a word of validity
					v = values[1+r.IntN(len(values)-1)]
				}
				if err := c.Append(v); err != nil {
					t.Fatal(err)
				}
				want = append(want, v)
			}
			if c.Len() != len(want) {
				t.Fatalf("seed %d: %s: %d rows, want %d", seed, typ, c.Len(), len(want))
			}
		}
		check(t, c, *typ, want)
	}
}

func check(t *testing.T, c Column, typ sql.Type, want []sql.Datum) {
	t.Helper()
	arr := c.Finish()
	if arr.Len() != len(want) || c.Len() != 0 {
		t.Fatalf("%s: %d rows and %d left, want %d", typ, arr.Len(), c.Len(), len(want))
	}
	for i, w := range want {
		if got := stream.Value(arr, typ, i); text(typ, got) != text(typ, w) {
			t.Fatalf("%s: row %d is %v, want %v", typ, i, got, w)
		}
	}
}

func text(t sql.Type, d sql.Datum) string {
	if d == nil || t.Kind == sql.Map {
		return fmt.Sprint(d)
	}
	return sql.FormatText(t, d)
}

func number(t *testing.T, s string) *sql.Decimal {
	d, err := sql.ParseNumeric(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ptr(t sql.Type) *sql.Type { return &t }

package stream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/sql"
)

// testTypes is a type of every layout.
var testTypes = []sql.Type{
	sql.TypeBool, sql.TypeInt2, sql.TypeInt4, sql.TypeInt8, sql.TypeFloat4, sql.TypeFloat8, sql.TypeNumeric,
	sql.FixedNumeric(10, 2), sql.FixedNumeric(30, 5), sql.FixedNumeric(60, 10), sql.FixedNumeric(3, -2), sql.TypeText,
	{Kind: sql.Char, Precision: 4}, sql.TypeBytea, sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz,
	sql.TypeInterval, sql.TypeUUID, sql.TypeJSONB, sql.TypeOID, {Kind: sql.Int2Vector}, sql.ArrayOf(sql.TypeText),
	sql.ArrayOf(sql.ArrayOf(sql.TypeInt4)), sql.MapOf(sql.TypeText, sql.TypeNumeric),
	sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}, sql.Field{Name: "b", Type: sql.ArrayOf(sql.TypeBool)}),
}

// randomDatum is a value of few, so that equal ones meet; NULL now and then.
func randomDatum(r *rand.Rand, t sql.Type) sql.Datum {
	if r.IntN(6) == 0 {
		return nil
	}
	n := int64(r.IntN(5) - 2)
	switch t.Kind {
	case sql.Bool:
		return n > 0
	case sql.Int2, sql.Int4, sql.Int8, sql.OID:
		return n
	case sql.Float4, sql.Float8:
		return []float64{0, math.Copysign(0, -1), 1.5, math.NaN(), math.Inf(-1)}[n+2]
	case sql.Numeric:
		d := new(sql.Decimal)
		switch {
		case t.Scale < 0:
			return d.SetFinite(n*100, 0)
		case t.Precision > 0:
			return d.SetFinite(n*int64(math.Pow10(int(t.Scale))), -t.Scale)
		}
		scale := int32(r.IntN(3))
		return d.SetFinite(n*int64(math.Pow10(int(scale))), -scale)
	case sql.Char:
		return []string{"a", "a ", "b", "", "  "}[n+2]
	case sql.Text:
		return []string{"", "a", "ab", "日本", "z"}[n+2]
	case sql.Bytea:
		return []byte{byte(n), 0}[:r.IntN(3)]
	case sql.Date:
		return sql.DateValue(n)
	case sql.Time:
		return sql.TimeValue(n + 2)
	case sql.Timestamp, sql.Timestamptz:
		return sql.TimestampValue(n)
	case sql.Interval:
		return []sql.IntervalValue{{Days: 1}, {Micros: sql.MicrosPerDay}, {Months: 1}, {Days: 30}, {Micros: -5}}[n+2]
	case sql.UUID:
		return sql.UUIDValue{0: byte(n), 15: 7}
	case sql.JSONB:
		return []string{"1", "1.0", `{"a": 1.50}`, `{"a": 1.5}`, `"1.0"`}[n+2]
	case sql.Array, sql.Int2Vector:
		out := []sql.Datum{}
		for range r.IntN(3) {
			d := randomDatum(r, ElemType(t))
			if d == nil && t.Kind == sql.Int2Vector { // has no NULLs
				d = int64(9)
			}
			out = append(out, d)
		}
		return out
	case sql.Map:
		out := sql.MapValue{}
		for i := range r.IntN(3) {
			out = append(out, sql.MapEntry{Key: fmt.Sprint(i), Value: randomDatum(r, *t.Elem)})
		}
		return out
	case sql.Row:
		out := sql.RowValue{}
		for _, f := range t.Fields {
			out = append(out, randomDatum(r, f.Type))
		}
		return out
	}
	panic(t.String())
}

func build(t sql.Type, values []sql.Datum) arrow.Array {
	b := NewBuilder(t)
	for _, v := range values {
		b.Append(v)
	}
	return b.Finish()
}

// same tells whether two values print the same: stricter than equal, 1.0 is not 1.00.
func same(t sql.Type, a, b sql.Datum) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return sql.FormatText(t, a) == sql.FormatText(t, b)
}

func checkColumn(tb testing.TB, what string, t sql.Type, arr arrow.Array, want []sql.Datum) {
	tb.Helper()
	if arr.Len() != len(want) {
		tb.Fatalf("%s of %s: %d rows, want %d", what, t, arr.Len(), len(want))
	}
	nulls := 0
	for i, d := range want {
		if d == nil {
			nulls++
		}
		if got := Value(arr, t, i); !same(t, got, d) {
			tb.Fatalf("%s of %s: row %d is %v, want %v", what, t, i, got, d)
		}
	}
	if arr.NullN() != nulls {
		tb.Fatalf("%s of %s: %d NULLs, want %d", what, t, arr.NullN(), nulls)
	}
	if valid := Validity(arr); valid.Count(arr.Len()) != len(want)-nulls {
		tb.Fatalf("%s of %s: the validity has %d rows, want %d", what, t, valid.Count(arr.Len()), len(want)-nulls)
	}
}

// Columns of every type hold what went in, through building, slicing, taking and joining.
func TestColumns(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range testTypes {
		for round := range 30 {
			values := make([]sql.Datum, r.IntN(150))
			for i := range values {
				values[i] = randomDatum(r, typ)
			}
			arr := build(typ, values)
			checkColumn(t, "column", typ, arr, values)
			if len(values) == 0 {
				continue
			}
			lo := r.IntN(len(values))
			hi := lo + r.IntN(len(values)-lo+1)
			part := Slice(arr, lo, hi)
			checkColumn(t, "slice", typ, part, values[lo:hi])
			checkColumn(t, "concatenation", typ, Concat([]arrow.Array{part, arr}), append(append([]sql.Datum{}, values[lo:hi]...), values...))

			idx, taken := []int32{}, []sql.Datum{}
			for range r.IntN(100) {
				if j := r.IntN(hi-lo+1) - 1; j >= 0 {
					idx, taken = append(idx, int32(j)), append(taken, values[lo+j])
				} else {
					idx, taken = append(idx, -1), append(taken, nil)
				}
			}
			checkColumn(t, fmt.Sprintf("rows %v in round %d", idx, round), typ, Take(part, idx), taken)
		}
		checkColumn(t, "nulls", typ, Nulls(typ, 3), []sql.Datum{nil, nil, nil})
	}
}

// Comparing rows is comparing datums, equal rows have equal hashes, in slices too, and identical ones are
// shown alike.
func TestCompareAndHash(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, typ := range testTypes {
		values := make([]sql.Datum, 67)
		for i := range values {
			values[i] = randomDatum(r, typ)
		}
		whole := build(typ, values)
		a, b := Slice(whole, 3, len(values)), Slice(whole, 9, len(values))
		ha, hb := make([]uint64, a.Len()), make([]uint64, b.Len())
		HashColumns(ha, []arrow.Array{a}, []sql.Type{typ})
		HashColumns(hb, []arrow.Array{b}, []sql.Type{typ})
		for i := range ha {
			for j := range hb {
				x, y := values[i+3], values[j+9]
				got, want := CompareRows(a, i, b, j, typ), sql.CompareDatum(typ, x, y)
				if got != want {
					t.Fatalf("%s: comparing %v with %v gives %d, of datums %d", typ, x, y, got, want)
				}
				if back := CompareRows(b, j, a, i, typ); back != -got {
					t.Fatalf("%s: comparing %v with %v gives %d, the other way %d", typ, x, y, got, back)
				}
				if alike := sql.FormatText(typ, x) == sql.FormatText(typ, y) && (x == nil) == (y == nil); Identical(a, i, b, j, typ) != alike {
					t.Fatalf("%s: %v and %v: identical is %v, of their texts %v", typ, x, y, !alike, alike)
				}
				if got == 0 && ha[i] != hb[j] {
					t.Fatalf("%s: %v and %v are equal, their hashes are not", typ, x, y)
				}
				if got != 0 && ha[i] == hb[j] {
					t.Fatalf("%s: %v and %v have the same hash", typ, x, y)
				}
			}
		}
	}
}

// Stored state is sharded by these hashes, so they never change.
func TestHashIsStable(t *testing.T) {
	cols := []arrow.Array{Int64s([]int64{42}, nil), Strings([]string{"customer-7"}, nil), build(sql.TypeNumeric, []sql.Datum{new(sql.Decimal).SetFinite(1250, -2)})}
	h := make([]uint64, 1)
	HashColumns(h, cols, []sql.Type{sql.TypeInt8, sql.TypeText, sql.TypeNumeric})
	if want := uint64(0x3e9a1fa2661e8cdf); h[0] != want {
		t.Fatalf("hash is %#x, was %#x", h[0], want)
	}
}

func TestFilter(t *testing.T) {
	keep := build(sql.TypeBool, []sql.Datum{true, nil, false, true})
	b := &Batch{Rows: 4, Columns: []arrow.Array{Int64s([]int64{1, 2, 3, 4}, nil)}, Ops: []int8{1, 1, 1, -1}}
	var idx []int32
	out := Filter(b, keep, &idx)
	checkColumn(t, "filtered", sql.TypeInt8, out.Columns[0], []sql.Datum{int64(1), int64(4)})
	if out.Rows != 2 || out.Op(1) != Delete {
		t.Fatal(out)
	}
	if all := build(sql.TypeBool, []sql.Datum{true, true, true, true}); Filter(b, all, &idx) != b {
		t.Fatal("a filter that keeps all rows copies them")
	}
}

func TestBatches(t *testing.T) {
	b := &Batch{Rows: 3, Columns: []arrow.Array{Strings([]string{"a", "b", "c"}, nil)}, Ops: []int8{1, -1, 1}}
	part := SliceBatch(b, 1, 3)
	checkColumn(t, "slice", sql.TypeText, part.Columns[0], []sql.Datum{"b", "c"})
	plain := &Batch{Rows: 1, Columns: []arrow.Array{Strings([]string{"d"}, nil)}}
	joined := ConcatBatches([]*Batch{part, plain})
	checkColumn(t, "join", sql.TypeText, joined.Columns[0], []sql.Datum{"b", "c", "d"})
	if joined.Op(0) != Delete || joined.Op(2) != Insert {
		t.Fatal(joined.Ops)
	}
}

func BenchmarkHashColumns(b *testing.B) {
	n := TargetRows
	ints, texts := make([]int64, n), make([]string, n)
	for i := range n {
		ints[i], texts[i] = int64(i), fmt.Sprint("category-", i%50)
	}
	for _, bench := range []struct {
		name string
		col  arrow.Array
		t    sql.Type
	}{{"bigint", Int64s(ints, nil), sql.TypeInt8}, {"text", Strings(texts, nil), sql.TypeText}} {
		b.Run(bench.name, func(b *testing.B) {
			dst := make([]uint64, n)
			b.ReportAllocs()
			for b.Loop() {
				HashColumns(dst, []arrow.Array{bench.col}, []sql.Type{bench.t})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}

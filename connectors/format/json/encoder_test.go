package json

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func newEncoder(t testing.TB, cols []connectors.Column, options ...string) *Encoder {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	o := connectors.NewOptions(m)
	e, err := NewEncoder(cols, o)
	if err == nil {
		err = o.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// batch makes a batch of rows of datums.
func batch(cols []connectors.Column, rows [][]sql.Datum) *stream.Batch {
	b := &stream.Batch{Rows: len(rows)}
	for j, c := range cols {
		builder := stream.NewBuilder(c.Type)
		for _, r := range rows {
			builder.Append(r[j])
		}
		b.Columns = append(b.Columns, builder.Finish())
	}
	return b
}

// TestEncode writes values given as PostgreSQL's text.
func TestEncode(t *testing.T) {
	for _, c := range []struct {
		typ        sql.Type
		text, want string
		options    []string
	}{
		{sql.TypeBool, "t", `true`, nil},
		{sql.TypeInt2, "-32768", `-32768`, nil},
		{sql.TypeInt8, "-9223372036854775808", `-9223372036854775808`, nil},
		{sql.TypeFloat8, "0.1", `0.1`, nil},
		{sql.TypeFloat8, "1e300", `1e+300`, nil},
		{sql.TypeFloat8, "NaN", `"NaN"`, nil},
		{sql.TypeFloat4, "-Infinity", `"-Infinity"`, nil},
		{sql.FixedNumeric(10, 2), "-0.05", `-0.05`, nil},
		{sql.FixedNumeric(10, 2), "12345678.90", `12345678.90`, nil},
		{sql.FixedNumeric(5, 0), "7", `7`, nil},
		{sql.FixedNumeric(30, 3), "123456789012345678901234567.123", `123456789012345678901234567.123`, nil},
		{sql.TypeNumeric, "1.2300", `1.2300`, nil},
		{sql.TypeNumeric, "NaN", `"NaN"`, nil},
		{sql.TypeText, "a\"b\\c/\b\n\r\t\x01é😀\u2028<", `"a\"b\\c/\u0008\n\r\t\u0001é😀` + "\u2028" + `<"`, nil},
		{sql.TypeText, "", `""`, nil},
		{sql.TypeBytea, `\x68656c6c6f`, `"aGVsbG8="`, nil},
		{sql.TypeDate, "2026-01-31", `"2026-01-31"`, nil},
		{sql.TypeDate, "infinity", `"infinity"`, nil},
		{sql.TypeTime, "10:00:00.5", `"10:00:00.5"`, nil},
		{sql.TypeTimestamp, "2026-01-31 10:00:00.5", `"2026-01-31 10:00:00.5"`, nil},
		{sql.TypeTimestamp, "1969-12-31 23:59:59.000001", `"1969-12-31 23:59:59.000001"`, nil},
		{sql.TypeTimestamp, "2026-01-31 10:00:00", `"2026-01-31T10:00:00"`, []string{"json.timestamp-format.standard", "iso-8601"}},
		{sql.TypeTimestamp, "-infinity", `"-infinity"`, nil},
		{sql.TypeTimestamptz, "2026-01-31 10:00:00.25+01", `"2026-01-31 09:00:00.25Z"`, nil},
		{sql.TypeTimestamptz, "2026-01-31 10:00:00+01", `"2026-01-31T09:00:00Z"`, []string{"json.timestamp-format.standard", "ISO-8601"}},
		{sql.TypeTimestamp, "12026-01-31 10:00:00", `"12026-01-31 10:00:00"`, nil},
		{sql.TypeInterval, "1 day 02:03", `"1 day 02:03:00"`, nil},
		{sql.TypeUUID, "6b6de072-ada1-4ec6-b504-c270c7f388b1", `"6b6de072-ada1-4ec6-b504-c270c7f388b1"`, nil},
		{sql.TypeJSONB, `{"a":[1,"x"]}`, `{"a": [1, "x"]}`, nil},
		{sql.ArrayOf(sql.TypeInt4), "{1,NULL,3}", `[1,null,3]`, nil},
		{sql.ArrayOf(sql.TypeText), "{}", `[]`, nil},
		{point, "(1,)", `{"x":1,"y":null}`, nil},
		{point, "(1,)", `{"x":1}`, []string{"json.encode.ignore-null-fields", "true"}},
		{point, "(,a)", `{"y":"a"}`, []string{"json.encode.ignore-null-fields", "true"}},
	} {
		v, err := sql.ParseText(c.typ, c.text)
		if err != nil {
			t.Errorf("%s %s: %v", c.typ, c.text, err)
			continue
		}
		cols := []connectors.Column{col("v", c.typ), {Column: sql.Column{Name: "k", Type: sql.TypeText}, Metadata: "key"}, col("w", c.typ)}
		cols[2].Path = `w"2`
		e := newEncoder(t, cols, c.options...)
		e.Bind(batch(cols, [][]sql.Datum{{nil, nil, nil}, {v, "key", nil}}))
		got, err := e.Append([]byte("before"), 1)
		want := `before{"v":` + c.want + `,"w\"2":null}`
		if c.options != nil && strings.Contains(c.options[0], "null") {
			want = `before{"v":` + c.want + `}`
		}
		if err != nil || string(got) != want || !json.Valid(got[len("before"):]) {
			t.Errorf("%s %s: %v\n got %s\nwant %s", c.typ, c.text, err, got, want)
		}
	}
}

func TestEncodeMap(t *testing.T) {
	cols := []connectors.Column{col("m", sql.MapOf(sql.TypeText, sql.TypeInt4)), col("n", sql.MapOf(sql.TypeInt4, point))}
	e := newEncoder(t, cols)
	e.Bind(batch(cols, [][]sql.Datum{
		{nil, sql.MapValue{}},
		{sql.MapValue{{Key: `a"`, Value: int64(1)}, {Key: "b"}}, sql.MapValue{{Key: int64(7), Value: sql.RowValue{int64(1), "x"}}}},
	}))
	for i, want := range []string{`{"m":null,"n":{}}`, `{"m":{"a\"":1,"b":null},"n":{"7":{"x":1,"y":"x"}}}`} {
		if got, _ := e.Append(nil, i); string(got) != want {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}

// randomDatum makes values of a type: NULLs, extremes and ordinary ones.
func randomDatum(r *rand.Rand, t sql.Type) sql.Datum {
	if r.IntN(6) == 0 {
		return nil
	}
	integer := func(bits int) int64 {
		switch r.IntN(4) {
		case 0:
			return int64(r.IntN(100)) - 50
		case 1:
			return -1 << (bits - 1)
		case 2:
			return 1<<(bits-1) - 1
		}
		return int64(r.Uint64()) >> (64 - bits)
	}
	switch t.Kind {
	case sql.Bool:
		return r.IntN(2) == 0
	case sql.Int2:
		return integer(16)
	case sql.Int4:
		return integer(32)
	case sql.Int8:
		return integer(64)
	case sql.Float4:
		return float64(math.Float32frombits(r.Uint32()))
	case sql.Float8:
		return math.Float64frombits(r.Uint64())
	case sql.Text:
		alphabet := []rune("abc \"\\/\n\t\x01\x7fé漢😀\u2028")
		s := make([]rune, r.IntN(30))
		for i := range s {
			s[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(s)
	case sql.Bytea:
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	case sql.Date:
		return sql.DateValue(r.IntN(5_000_000) - 2_000_000)
	case sql.Time:
		return sql.TimeValue(r.Int64N(sql.MicrosPerDay + 1))
	case sql.Timestamp, sql.Timestamptz:
		if r.IntN(10) == 0 {
			return sql.TimestampInfinity
		}
		span := []int64{1e15, 1e17}[r.IntN(2)]
		return sql.TimestampValue(r.Int64N(2*span) - span)
	case sql.Interval:
		return sql.IntervalValue{Micros: integer(50), Days: int32(integer(16)), Months: int32(integer(16))}
	case sql.UUID:
		var u sql.UUIDValue
		for i := range u {
			u[i] = byte(r.Uint32())
		}
		return u
	case sql.Numeric:
		digits := int(t.Precision)
		if digits == 0 {
			digits = 50
		}
		text := "-"
		for range 1 + r.IntN(digits) {
			text += string(rune('0' + r.IntN(10)))
		}
		d, err := sql.ParseNumeric(text[r.IntN(2):])
		if err != nil {
			return nil
		}
		d.Exponent = -t.Scale
		return d
	case sql.JSONB:
		s, _ := sql.ParseJSONB(fmt.Sprintf(`{"k":[%d,null,"é\n"],"a":{}}`, r.IntN(100)))
		return s
	case sql.Array:
		list := make([]sql.Datum, r.IntN(4))
		for i := range list {
			list[i] = randomDatum(r, *t.Elem)
		}
		return list
	case sql.Row:
		row := make(sql.RowValue, len(t.Fields))
		for i, f := range t.Fields {
			row[i] = randomDatum(r, f.Type)
		}
		return row
	case sql.Map:
		m := sql.MapValue{}
		for i := range r.IntN(4) {
			m = append(m, sql.MapEntry{Key: fmt.Sprintf("k\"%d", i), Value: randomDatum(r, *t.Elem)})
		}
		return m
	}
	panic(t.String())
}

// TestRoundTrip checks that decoding what was encoded gives the same rows, whatever the options.
func TestRoundTrip(t *testing.T) {
	var cols []connectors.Column
	for _, typ := range []sql.Type{
		sql.TypeBool, sql.TypeInt2, sql.TypeInt4, sql.TypeInt8, sql.TypeFloat4, sql.TypeFloat8, sql.TypeText, sql.TypeBytea,
		sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval, sql.TypeUUID, sql.TypeJSONB,
		sql.FixedNumeric(10, 2), sql.FixedNumeric(18, 18), sql.FixedNumeric(19, 0), sql.FixedNumeric(38, 10),
		sql.FixedNumeric(70, 35), sql.TypeNumeric, sql.ArrayOf(sql.TypeText), sql.MapOf(sql.TypeText, sql.TypeInt4),
	} {
		cols = append(cols, col(fmt.Sprintf("c%d \"é", len(cols)), typ))
	}
	nested := sql.RowOf(sql.Field{Name: "a", Type: sql.ArrayOf(sql.RowOf(sql.Field{Name: "n", Type: sql.FixedNumeric(10, 2)}, sql.Field{Name: "t", Type: sql.TypeTimestamp}))},
		sql.Field{Name: "m", Type: sql.MapOf(sql.TypeText, sql.ArrayOf(sql.TypeInt8))})
	cols = append(cols, col("nested", nested), col("list", sql.ArrayOf(nested)))
	const seed = 11
	r := rand.New(rand.NewPCG(seed, seed))
	for _, options := range [][]string{nil, {"json.timestamp-format.standard", "ISO-8601"}, {"json.encode.ignore-null-fields", "true"}} {
		rows := make([][]sql.Datum, 700)
		for i := range rows {
			for _, c := range cols {
				rows[i] = append(rows[i], randomDatum(r, c.Type))
			}
		}
		in := batch(cols, rows)
		e, d := newEncoder(t, cols, options...), newDecoder(t, cols)
		e.Bind(in)
		var record []byte
		for i := range rows {
			record, _ = e.Append(record[:0], i)
			if !json.Valid(record) {
				t.Fatalf("seed %d: not JSON: %s", seed, record)
			}
			if err := d.Decode(record); err != nil {
				t.Fatalf("seed %d: %v in %s", seed, err, record)
			}
		}
		sameRows(t, cols, in.Columns, d.Finish())
		// Slices of a batch have other offsets.
		e.Bind(stream.SliceBatch(in, 300, 700))
		for i := range 400 {
			record, _ = e.Append(record[:0], i)
			d.Decode(record)
		}
		sameRows(t, cols, stream.SliceBatch(in, 300, 700).Columns, d.Finish())
	}
}

func sameRows(t *testing.T, cols []connectors.Column, want, got []arrow.Array) {
	t.Helper()
	for j, c := range cols {
		if !arrow.TypeEqual(got[j].DataType(), c.Type.Arrow()) || got[j].Len() != want[j].Len() {
			t.Fatalf("column of %s: %s of %d rows", c.Type, got[j].DataType(), got[j].Len())
		}
		for i := range want[j].Len() {
			w, g := stream.Value(want[j], c.Type, i), stream.Value(got[j], c.Type, i)
			if fmt.Sprint(w) != fmt.Sprint(g) && format(c.Type, w) != format(c.Type, g) {
				t.Fatalf("row %d of %s: %v, want %v", i, c.Type, g, w)
			}
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	records, size := orders(4096)
	d := newDecoder(b, orderColumns)
	for _, r := range records {
		d.Decode(r)
	}
	e := newEncoder(b, orderColumns)
	e.Bind(&stream.Batch{Columns: d.Finish(), Rows: len(records)})
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(size / len(records)))
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		dst, _ = e.Append(dst[:0], i%len(records))
	}
}

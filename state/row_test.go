package state

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func decimal(coeff int64, exponent int32) *sql.Decimal { return apd.New(coeff, exponent) }

func sameRows(t *testing.T, what string, got, want [][]sql.Datum) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range want {
		if g, w := repr(got[i]), repr(want[i]); g != w {
			t.Fatalf("%s: row %d is\n%s, want\n%s", what, i, g, w)
		}
	}
}

func project(rows [][]sql.Datum, cols []int) [][]sql.Datum {
	out := make([][]sql.Datum, len(rows))
	for i, row := range rows {
		for _, c := range cols {
			out[i] = append(out[i], row[c])
		}
	}
	return out
}

func pickTypes(ts []sql.Type, cols []int) (out []sql.Type) {
	for _, c := range cols {
		out = append(out, ts[c])
	}
	return out
}

// randomRows are rows of every type, as many as fill some batches and bitmaps unevenly.
func randomBatch(t *testing.T, ts []sql.Type, n int) ([][]sql.Datum, *stream.Batch) {
	r := newRand(t)
	rows := make([][]sql.Datum, n)
	for i := range rows {
		rows[i] = randomRow(r, ts)
	}
	return rows, batchOf(ts, rows, nil)
}

func TestRowRoundTrip(t *testing.T) {
	rows, b := randomBatch(t, allTypes, 300)
	// A slice has offsets into its buffers that are not multiples of eight.
	for _, cut := range []struct{ lo, hi int }{{0, 300}, {13, 211}, {299, 300}} {
		part := stream.SliceBatch(b, cut.lo, cut.hi)
		enc := NewRowEncoder(allTypes)
		enc.Bind(part.Columns)
		dec := NewRowDecoder(allTypes, nil)
		for round := range 2 { // the second uses the decoder's memory again
			for i := range part.Rows {
				if err := dec.Append(enc.Append(nil, i)); err != nil {
					t.Fatalf("round %d, row %d: %v", round, i, err)
				}
			}
			sameRows(t, "slice", rowsOf(allTypes, dec.Flush()), rows[cut.lo:cut.hi])
		}
		if dec.Flush() != nil {
			t.Fatal("an empty decoder gives a batch")
		}
	}
}

func TestRowNeededColumns(t *testing.T) {
	rows, b := randomBatch(t, allTypes, 50)
	r := newRand(t)
	enc := NewRowEncoder(allTypes)
	enc.Bind(b.Columns)
	for range 50 {
		var needed []int
		for range 1 + r.IntN(5) {
			needed = append(needed, r.IntN(len(allTypes)))
		}
		dec := NewRowDecoder(allTypes, needed)
		for i := range rows {
			if err := dec.Append(enc.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		sameRows(t, "needed", rowsOf(pickTypes(allTypes, needed), dec.Flush()), project(rows, needed))
	}
	none := NewRowDecoder(allTypes, []int{})
	for i := range 3 {
		if err := none.Append(enc.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := none.Flush(); got.Rows != 3 || len(got.Columns) != 0 {
		t.Fatalf("no columns: got %+v", got)
	}
}

func TestRowColumnAddedLater(t *testing.T) {
	row := NewRowEncoder([]sql.Type{sql.TypeInt4}).AppendDatums(nil, []sql.Datum{int64(7)})
	got, err := NewRowDecoder([]sql.Type{sql.TypeInt4, sql.TypeText, sql.ArrayOf(sql.TypeText)}, nil).DecodeRow(row)
	if err != nil || repr(got) != repr([]sql.Datum{int64(7), nil, nil}) {
		t.Fatalf("got %s, %v", repr(got), err)
	}
}

// Damaged rows are errors, or other values, but no panics.
func TestRowDamaged(t *testing.T) {
	_, b := randomBatch(t, allTypes, 20)
	r := newRand(t)
	enc := NewRowEncoder(allTypes)
	enc.Bind(b.Columns)
	for i := range b.Rows {
		row := enc.Append(nil, i)
		for n := range row {
			if err := NewRowDecoder(allTypes, nil).Append(row[:n]); err == nil {
				t.Fatalf("row cut to %d of %d bytes was decoded", n, len(row))
			} else if sql.AsError(err).Code != codeDataCorrupted {
				t.Fatal(err)
			}
			NewRowDecoder(allTypes, []int{len(allTypes) - 1}).Append(row[:n])
		}
		for range 50 {
			bad := append([]byte(nil), row...)
			bad[r.IntN(len(bad))] ^= 1 << r.IntN(8)
			if d := NewRowDecoder(allTypes, nil); d.Append(bad) == nil {
				d.Flush()
			}
		}
	}
}

func TestBatchRoundTrip(t *testing.T) {
	rows, b := randomBatch(t, allTypes, 300)
	r := newRand(t)
	b.Ops = make([]int8, b.Rows)
	for i := range b.Ops {
		b.Ops[i] = pick(r, stream.Insert, stream.Delete)
	}
	enc := NewBatchEncoder(allTypes)
	for _, cut := range []struct{ lo, hi int }{{0, 300}, {13, 211}, {299, 300}} {
		part := stream.SliceBatch(b, cut.lo, cut.hi)
		bytes := enc.Append(nil, part)
		got, err := NewBatchDecoder(allTypes, nil).Decode(bytes)
		if err != nil {
			t.Fatal(err)
		}
		sameRows(t, "batch", rowsOf(allTypes, got), rows[cut.lo:cut.hi])
		for i := range got.Rows {
			if got.Op(i) != part.Op(i) {
				t.Fatalf("op %d is %d, want %d", i, got.Op(i), part.Op(i))
			}
		}
		needed := []int{5, 1, 30}
		if got, err = NewBatchDecoder(allTypes, needed).Decode(bytes); err != nil {
			t.Fatal(err)
		}
		sameRows(t, "needed", rowsOf(pickTypes(allTypes, needed), got), project(rows[cut.lo:cut.hi], needed))
	}
	part := stream.SliceBatch(b, 0, 40)
	part.Ops = nil
	bytes := enc.Append(nil, part)
	if got, err := NewBatchDecoder(allTypes, nil).Decode(bytes); err != nil || got.Ops != nil {
		t.Fatalf("inserts only: %v, ops %v", err, got.Ops)
	}
	for n := range bytes {
		NewBatchDecoder(allTypes, nil).Decode(bytes[:n])
		bad := append([]byte(nil), bytes...)
		bad[n] ^= 1 << r.IntN(8)
		NewBatchDecoder(allTypes, nil).Decode(bad)
	}
}

// Elements under a NULL, which a column that shares them may have, must not shift the others.
func TestBatchElementsUnderNull(t *testing.T) {
	typ := sql.ArrayOf(sql.TypeInt4)
	valid := stream.FullBitmap(3)
	valid.Clear(1)
	col := stream.Lists(typ, []int32{0, 1, 3, 4}, stream.Int32s([]int32{1, 2, 3, 4}, nil), valid)
	text := stream.Bytes(sql.TypeText, []int32{0, 1, 3, 4}, []byte("abcd"), valid)
	types := []sql.Type{typ, sql.TypeText}
	b := &stream.Batch{Rows: 3, Columns: []arrow.Array{col, text}}
	got, err := NewBatchDecoder(types, nil).Decode(NewBatchEncoder(types).Append(nil, b))
	if err != nil {
		t.Fatal(err)
	}
	sameRows(t, "batch", rowsOf(types, got), [][]sql.Datum{
		{[]sql.Datum{int64(1)}, "a"}, {nil, nil}, {[]sql.Datum{int64(4)}, "d"}})
}

package stream

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/streamsql/streamsql/sql"
)

// Columns are Arrow arrays in plain Go memory. The functions of this file make arrays of typed
// slices, without copying, and give the slices back; a slice handed over belongs to the array from
// then on, and a slice got from one is read-only.

// Fixed makes a column of a fixed-width type t from its values; T must have t's width and layout
// (int32 for date, sql.IntervalValue for interval, decimal128.Num for numeric(20,2) …).
func Fixed[T any](t sql.Type, values []T, valid Bitmap) arrow.Array {
	return fixedArray(t.Arrow(), values, valid)
}

func fixedArray[T any](dt arrow.DataType, values []T, valid Bitmap) arrow.Array {
	return makeArray(dt, len(values), valid, buffer(bytesOf(values)))
}

// Int32s makes an integer column.
func Int32s(values []int32, valid Bitmap) arrow.Array { return Fixed(sql.TypeInt4, values, valid) }

// Int64s makes a bigint column.
func Int64s(values []int64, valid Bitmap) arrow.Array { return Fixed(sql.TypeInt8, values, valid) }

// Float32s makes a real column.
func Float32s(values []float32, valid Bitmap) arrow.Array {
	return Fixed(sql.TypeFloat4, values, valid)
}

// Float64s makes a double precision column.
func Float64s(values []float64, valid Bitmap) arrow.Array {
	return Fixed(sql.TypeFloat8, values, valid)
}

// Timestamps makes a timestamp column.
func Timestamps(values []int64, valid Bitmap) arrow.Array {
	return Fixed(sql.TypeTimestamp, values, valid)
}

// BoolColumn makes a boolean column of n rows.
func BoolColumn(n int, values, valid Bitmap) arrow.Array {
	return makeArray(arrow.FixedWidthTypes.Boolean, n, valid, buffer(values))
}

// Bytes makes a column of a variable-width type t (text and its like, bytea, jsonb, variable
// numeric) from offsets, one more than there are rows, into data, which has at most MaxBytes.
func Bytes(t sql.Type, offsets []int32, data []byte, valid Bitmap) arrow.Array {
	if len(data) > MaxBytes { // the offsets have wrapped
		panic(fmt.Sprintf("stream: a column of %d bytes", len(data)))
	}
	return makeArray(t.Arrow(), len(offsets)-1, valid, buffer(bytesOf(offsets)), buffer(data))
}

// Strings makes a text column.
func Strings(values []string, valid Bitmap) arrow.Array {
	size := 0
	for _, s := range values {
		size += len(s)
	}
	offsets, data := make([]int32, 1, len(values)+1), make([]byte, 0, size)
	for _, s := range values {
		data = append(data, s...)
		offsets = append(offsets, int32(len(data)))
	}
	return Bytes(sql.TypeText, offsets, data, valid)
}

// Lists makes a column of the array (or vector) type t from offsets, one more than there are rows,
// into elems.
func Lists(t sql.Type, offsets []int32, elems arrow.Array, valid Bitmap) arrow.Array {
	n := len(offsets) - 1
	data := array.NewData(t.Arrow(), n, []*memory.Buffer{buffer(valid), buffer(bytesOf(offsets))},
		[]arrow.ArrayData{elems.Data()}, nulls(n, valid), 0)
	return array.MakeFromData(data)
}

// Maps makes a column of the map type t from offsets, one more than there are rows, into entries.
func Maps(t sql.Type, offsets []int32, keys, values arrow.Array, valid Bitmap) arrow.Array {
	dt := t.Arrow().(*arrow.MapType)
	entries := array.NewData(dt.Elem(), keys.Len(), []*memory.Buffer{nil}, []arrow.ArrayData{keys.Data(), values.Data()}, 0, 0)
	n := len(offsets) - 1
	data := array.NewData(dt, n, []*memory.Buffer{buffer(valid), buffer(bytesOf(offsets))},
		[]arrow.ArrayData{entries}, nulls(n, valid), 0)
	return array.MakeFromData(data)
}

// Rows makes a column of n rows of the row type t from a column for each field.
func Rows(t sql.Type, n int, fields []arrow.Array, valid Bitmap) arrow.Array {
	children := make([]arrow.ArrayData, len(fields))
	for i, f := range fields {
		children[i] = f.Data()
	}
	return array.MakeFromData(array.NewData(t.Arrow(), n, []*memory.Buffer{buffer(valid)}, children, nulls(n, valid), 0))
}

// Nulls makes a column of n NULLs.
func Nulls(t sql.Type, n int) arrow.Array {
	b := NewBuilder(t)
	for range n {
		b.Append(nil)
	}
	return b.Finish()
}

// Values is the typed slice behind a column of a fixed-width type; see Fixed for T. What NULL rows
// hold is unspecified.
func Values[T any](arr arrow.Array) []T {
	n := arr.Len()
	if n == 0 {
		return nil
	}
	buf := bufferBytes(arr, 1)
	if len(buf) == 0 { // every row is NULL
		return make([]T, n)
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(buf))), arr.Data().Offset()+n)[arr.Data().Offset():]
}

// BytesValues is what is behind a column of a variable-width type: row i is data[offsets[i]:offsets[i+1]].
func BytesValues(arr arrow.Array) (offsets []int32, data []byte) {
	offsets = listOffsets(arr)
	return offsets, bufferBytes(arr, 2)
}

// ListValues is what is behind an array column: row i is elems[offsets[i]:offsets[i+1]].
func ListValues(arr arrow.Array) (offsets []int32, elems arrow.Array) {
	return listOffsets(arr), arr.(array.ListLike).ListValues()
}

// Slice is rows lo to hi of a column, without copying.
func Slice(arr arrow.Array, lo, hi int) arrow.Array {
	if lo == 0 && hi == arr.Len() {
		return arr
	}
	return array.NewSlice(arr, int64(lo), int64(hi))
}

// SliceBatch is rows lo to hi of a batch, without copying.
func SliceBatch(b *Batch, lo, hi int) *Batch {
	if lo == 0 && hi == b.Rows {
		return b
	}
	out := &Batch{Columns: make([]arrow.Array, len(b.Columns)), Rows: hi - lo}
	for i, c := range b.Columns {
		out.Columns[i] = Slice(c, lo, hi)
	}
	if b.Ops != nil {
		out.Ops = b.Ops[lo:hi]
	}
	return out
}

// Concat joins columns of one type.
func Concat(arrs []arrow.Array) arrow.Array {
	if len(arrs) == 1 {
		return arrs[0]
	}
	out, err := array.Concatenate(arrs, memory.DefaultAllocator)
	if err != nil { // different types, or more than 2 GiB of text
		panic(err)
	}
	return out
}

// ConcatBatches joins batches of one schema.
func ConcatBatches(bs []*Batch) *Batch {
	if len(bs) == 1 {
		return bs[0]
	}
	out := &Batch{Columns: make([]arrow.Array, len(bs[0].Columns))}
	ops := false
	for _, b := range bs {
		out.Rows += b.Rows
		ops = ops || b.Ops != nil
	}
	parts := make([]arrow.Array, len(bs))
	for i := range out.Columns {
		for j, b := range bs {
			parts[j] = b.Columns[i]
		}
		out.Columns[i] = Concat(parts)
	}
	if ops {
		out.Ops = make([]int8, 0, out.Rows)
		for _, b := range bs {
			for i := range b.Rows {
				out.Ops = append(out.Ops, b.Op(i))
			}
		}
	}
	return out
}

func makeArray(dt arrow.DataType, n int, valid Bitmap, bufs ...*memory.Buffer) arrow.Array {
	return array.MakeFromData(array.NewData(dt, n, append(withValidity(valid), bufs...), nil, nulls(n, valid), 0))
}

// withValidity starts the list of an array's buffers.
func withValidity(valid Bitmap) []*memory.Buffer {
	return append(make([]*memory.Buffer, 0, 3), buffer(valid))
}

func nulls(n int, valid Bitmap) int { return n - valid.Count(n) }

// buffer wraps b; nil stays nil, as Arrow wants of an absent validity.
func buffer(b []byte) *memory.Buffer {
	if b == nil {
		return nil
	}
	return memory.NewBufferBytes(b)
}

func bufferBytes(arr arrow.Array, i int) []byte {
	bufs := arr.Data().Buffers()
	if i >= len(bufs) || bufs[i] == nil {
		return nil
	}
	return bufs[i].Bytes()
}

func listOffsets(arr arrow.Array) []int32 {
	buf, off := bufferBytes(arr, 1), arr.Data().Offset()
	if len(buf) == 0 {
		return make([]int32, arr.Len()+1)
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(buf))), off+arr.Len()+1)[off:]
}

// bytesOf is the memory of values. It is never nil, so that an empty column has a buffer.
func bytesOf[T any](values []T) []byte {
	if len(values) == 0 {
		return []byte{}
	}
	var t T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(t)))
}

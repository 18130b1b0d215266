package stream

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/sql"
)

// MaxBytes is how many bytes the values of a column of a variable-width type may have together: its
// offsets have 32 bits.
const MaxBytes = math.MaxInt32

// Size is how many bytes of variable-width values a column holds, those inside of nested ones
// included. What has a fixed width is not counted: that is bounded by the rows of a batch.
func Size(arr arrow.Array) int { return SizeOf(arr, 0, arr.Len()) }

// BatchSize is the Size of a batch's columns.
func BatchSize(b *Batch) (n int) {
	for _, c := range b.Columns {
		n += Size(c)
	}
	return n
}

// TakeSize is the Size of Take(arr, idx).
func TakeSize(arr arrow.Array, idx []int32) (n int) {
	switch arr.DataType().(type) {
	case *arrow.StringType, *arrow.BinaryType:
		offsets := listOffsets(arr)
		for _, j := range idx {
			if j >= 0 {
				n += int(offsets[j+1] - offsets[j])
			}
		}
	case *arrow.ListType, *arrow.MapType, *arrow.StructType:
		for _, j := range idx {
			if j >= 0 {
				n += SizeOf(arr, int(j), int(j)+1)
			}
		}
	}
	return n
}

// SizeOf is the Size of rows lo to hi.
func SizeOf(arr arrow.Array, lo, hi int) (n int) {
	switch arr.DataType().(type) {
	case *arrow.StringType, *arrow.BinaryType:
		offsets := listOffsets(arr)
		return int(offsets[hi] - offsets[lo])
	case *arrow.ListType:
		offsets := listOffsets(arr)
		return SizeOf(arr.(*array.List).ListValues(), int(offsets[lo]), int(offsets[hi]))
	case *arrow.MapType:
		m, offsets := arr.(*array.Map), listOffsets(arr)
		return SizeOf(m.Keys(), int(offsets[lo]), int(offsets[hi])) + SizeOf(m.Items(), int(offsets[lo]), int(offsets[hi]))
	case *arrow.StructType:
		s := arr.(*array.Struct)
		for i := range s.NumField() {
			n += SizeOf(s.Field(i), lo, hi)
		}
	}
	return n
}

// DatumSize counts the values in d, itself and what it contains, and their Size together.
func DatumSize(d sql.Datum) (values, bytes int) {
	values = 1
	add := func(e sql.Datum) {
		v, b := DatumSize(e)
		values, bytes = values+v, bytes+b
	}
	switch d := d.(type) {
	case string:
		bytes = len(d)
	case []byte:
		bytes = len(d)
	case []sql.Datum:
		for _, e := range d {
			add(e)
		}
	case sql.RowValue:
		for _, e := range d {
			add(e)
		}
	case sql.MapValue:
		for _, e := range d {
			add(e.Key)
			add(e.Value)
		}
	}
	return values, bytes
}

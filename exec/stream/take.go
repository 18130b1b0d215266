package stream

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
)

// Take makes a column of the rows idx of arr, in that order; a negative index makes a NULL.
func Take(arr arrow.Array, idx []int32) arrow.Array {
	valid := takeValidity(arr, idx)
	dt := arr.DataType()
	switch dt := dt.(type) {
	case *arrow.BooleanType:
		in, out := Bools(arr), NewBitmap(len(idx))
		for i, j := range idx {
			if j >= 0 && in.Get(int(j)) {
				out.Set(i)
			}
		}
		return BoolColumn(len(idx), out, valid)
	case *arrow.StringType, *arrow.BinaryType:
		return takeBytes(arr, idx, valid)
	case *arrow.ListType:
		offsets, elemIdx := takeLists(listOffsets(arr), idx)
		elems := Take(arr.(*array.List).ListValues(), elemIdx)
		return makeNested(dt, len(idx), valid, offsets, elems)
	case *arrow.MapType:
		m := arr.(*array.Map)
		offsets, elemIdx := takeLists(listOffsets(arr), idx)
		keys, items := Take(m.Keys(), elemIdx), Take(m.Items(), elemIdx)
		entries := array.NewData(dt.Elem(), len(elemIdx), withValidity(nil), []arrow.ArrayData{keys.Data(), items.Data()}, 0, 0)
		return makeNested(dt, len(idx), valid, offsets, array.MakeFromData(entries))
	case *arrow.StructType:
		s := arr.(*array.Struct)
		kids := make([]arrow.ArrayData, s.NumField())
		for i := range kids {
			kids[i] = Take(s.Field(i), idx).Data()
		}
		return array.MakeFromData(array.NewData(dt, len(idx), withValidity(valid), kids, nulls(len(idx), valid), 0))
	case arrow.FixedWidthDataType:
		switch dt.Bytes() {
		case 2:
			return takeFixed[int16](arr, idx, valid)
		case 4:
			return takeFixed[int32](arr, idx, valid)
		case 8:
			return takeFixed[int64](arr, idx, valid)
		case 16:
			return takeFixed[[2]uint64](arr, idx, valid)
		case 32:
			return takeFixed[decimal256.Num](arr, idx, valid)
		}
	}
	panic("stream: no columns of " + dt.String())
}

// TakeBatch makes a batch of the rows idx of b, in that order.
func TakeBatch(b *Batch, idx []int32) *Batch {
	out := &Batch{Columns: make([]arrow.Array, len(b.Columns)), Rows: len(idx)}
	for i, c := range b.Columns {
		out.Columns[i] = Take(c, idx)
	}
	if b.Ops != nil {
		out.Ops = make([]int8, len(idx))
		for i, j := range idx {
			out.Ops[i] = b.Ops[j]
		}
	}
	return out
}

// Filter makes a batch of the rows of b for which the boolean column keep is true (not NULL); b
// itself when that is all of them. idx is scratch space.
func Filter(b *Batch, keep arrow.Array, idx *[]int32) *Batch {
	*idx = TrueRows((*idx)[:0], keep)
	if len(*idx) == b.Rows {
		return b
	}
	return TakeBatch(b, *idx)
}

// TrueRows appends the rows for which the boolean column is true.
func TrueRows(idx []int32, keep arrow.Array) []int32 {
	n, set, valid := keep.Len(), Bools(keep), Validity(keep)
	set = And(n, set, valid)
	for i := range n {
		if set[i>>3]>>(i&7)&1 != 0 {
			idx = append(idx, int32(i))
		}
	}
	return idx
}

func takeFixed[T any](arr arrow.Array, idx []int32, valid Bitmap) arrow.Array {
	in, out := Values[T](arr), make([]T, len(idx))
	for i, j := range idx {
		if j >= 0 {
			out[i] = in[j]
		}
	}
	return fixedArray(arr.DataType(), out, valid)
}

func takeBytes(arr arrow.Array, idx []int32, valid Bitmap) arrow.Array {
	offsets, data := BytesValues(arr)
	size := 0
	for _, j := range idx {
		if j >= 0 {
			size += int(offsets[j+1] - offsets[j])
		}
	}
	if size > MaxBytes {
		panic(fmt.Sprintf("stream: a column of %d bytes", size))
	}
	outOffsets, out := make([]int32, len(idx)+1), make([]byte, 0, size)
	from, to := int32(0), int32(0) // of data, not copied yet: rows that follow each other are copied at once
	end := int32(0)
	for i, j := range idx {
		if j >= 0 {
			if offsets[j] != to {
				out = append(out, data[from:to]...)
				from = offsets[j]
			}
			to = offsets[j+1]
			end += to - offsets[j]
		}
		outOffsets[i+1] = end
	}
	out = append(out, data[from:to]...)
	return makeArray(arr.DataType(), len(idx), valid, buffer(bytesOf(outOffsets)), buffer(out))
}

func takeLists(offsets, idx []int32) (out, elems []int32) {
	out = make([]int32, len(idx)+1)
	for i, j := range idx {
		if j >= 0 {
			for k := offsets[j]; k < offsets[j+1]; k++ {
				elems = append(elems, k)
			}
		}
		out[i+1] = int32(len(elems))
	}
	return out, elems
}

func takeValidity(arr arrow.Array, idx []int32) Bitmap {
	in := Validity(arr)
	var out Bitmap
	for i, j := range idx {
		if j < 0 || !in.Get(int(j)) {
			if out == nil {
				out = FullBitmap(len(idx))
			}
			out.Clear(i)
		}
	}
	return out
}

func makeNested(dt arrow.DataType, n int, valid Bitmap, offsets []int32, elems arrow.Array) arrow.Array {
	bufs := append(withValidity(valid), buffer(bytesOf(offsets)))
	return array.MakeFromData(array.NewData(dt, n, bufs, []arrow.ArrayData{elems.Data()}, nulls(n, valid), 0))
}

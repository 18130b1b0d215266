package state

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// maxBatchRows bounds what a damaged header can make a decoder allocate.
const maxBatchRows = 1 << 26

// BatchDecoder turns what BatchEncoder wrote back into batches. It may be used by many goroutines.
type BatchDecoder struct {
	types  []sql.Type
	needed []int
}

// NewBatchDecoder makes a decoder for batches of the types. Its batches have the columns `needed`, as
// indexes into types, in that order; nil means all of them.
func NewBatchDecoder(types []sql.Type, needed []int) *BatchDecoder {
	if needed == nil {
		needed = make([]int, len(types))
		for i := range needed {
			needed[i] = i
		}
	}
	return &BatchDecoder{types: types, needed: needed}
}

// Decode decodes a batch. src may be overwritten afterwards.
func (d *BatchDecoder) Decode(src []byte) (*stream.Batch, error) {
	if len(src) == 0 || src[0] != batchVersion {
		return nil, corrupt("batch has an unknown format")
	}
	r := &batchReader{src: src[1:]}
	rows := int(r.uvarint(maxBatchRows))
	b := &stream.Batch{Rows: rows, Columns: make([]arrow.Array, len(d.needed))}
	if r.byte() != 0 {
		b.Ops = r.ops(rows)
	}
	bodies := make([][]byte, len(d.types))
	for i := range bodies {
		if len(r.src) == 0 {
			break // a column that was added to the table later
		}
		bodies[i] = r.take(int(r.uvarint(math.MaxInt32)))
	}
	for i, c := range d.needed {
		if r.short {
			break
		}
		if bodies[c] == nil {
			b.Columns[i] = stream.Nulls(d.types[c], rows)
			continue
		}
		r.src = bodies[c]
		b.Columns[i] = r.column(d.types[c], rows)
	}
	if r.short {
		return nil, corrupt("batch is cut short")
	}
	return b, nil
}

// batchReader reads the parts of an encoded batch. When the bytes end too soon, short is set, and
// what it returns is of the right length and of no use.
type batchReader struct {
	src   []byte
	short bool
}

func (r *batchReader) take(n int) []byte {
	if n < 0 || n > len(r.src) {
		r.short, r.src = true, nil
		return nil
	}
	b := r.src[:n:n]
	r.src = r.src[n:]
	return b
}

func (r *batchReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *batchReader) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.src)
	if n <= 0 || v > limit {
		r.short, r.src = true, nil
		return 0
	}
	r.src = r.src[n:]
	return v
}

func (r *batchReader) ops(rows int) []int8 {
	bits := r.take((rows + 7) / 8)
	if r.short {
		return nil
	}
	ops := make([]int8, rows)
	for i := range ops {
		ops[i] = stream.Insert - 2*int8(bits[i>>3]>>(i&7)&1)
	}
	return ops
}

// validity reads NULL bits.
func (r *batchReader) validity(rows int) stream.Bitmap {
	if r.byte() == 0 {
		return nil
	}
	bits := r.take((rows + 7) / 8)
	if r.short {
		return nil
	}
	valid := stream.NewBitmap(rows)
	for i, b := range bits {
		valid[i] = ^b
	}
	return valid
}

// column reads the body of a column.
func (r *batchReader) column(t sql.Type, rows int) arrow.Array {
	valid := r.validity(rows)
	switch l := layoutOf(t); l {
	case layoutBool:
		bits := stream.NewBitmap(rows)
		copy(bits, r.take((rows+7)/8))
		return stream.BoolColumn(rows, bits, valid)
	case layoutInt16:
		return stream.Fixed(t, readInts[int16](r, rows), valid)
	case layoutInt32:
		return stream.Fixed(t, readInts[int32](r, rows), valid)
	case layoutInt64:
		return stream.Fixed(t, readInts[int64](r, rows), valid)
	case layoutFloat32:
		vs := make([]float32, rows)
		if b := r.take(rows * 4); !r.short {
			for i := range vs {
				vs[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[i*4:]))
			}
		}
		return stream.Fixed(t, vs, valid)
	case layoutFloat64:
		vs := make([]float64, rows)
		if b := r.take(rows * 8); !r.short {
			for i := range vs {
				vs[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[i*8:]))
			}
		}
		return stream.Fixed(t, vs, valid)
	case layoutDec128:
		return stream.Fixed(t, r.dec128s(rows), valid)
	case layoutDec256:
		vs := make([]dec256, rows)
		if b := r.take(rows * 32); !r.short {
			for i := range vs {
				for w := range vs[i] {
					vs[i][w] = binary.LittleEndian.Uint64(b[i*32+w*8:])
				}
			}
		}
		return stream.Fixed(t, vs, valid)
	case layoutInterval:
		vs := make([]sql.IntervalValue, rows)
		micros, days, months := readInts[int64](r, rows), readInts[int32](r, rows), readInts[int32](r, rows)
		for i := range vs {
			vs[i] = sql.IntervalValue{Micros: micros[i], Days: days[i], Months: months[i]}
		}
		return stream.Fixed(t, vs, valid)
	case layoutUUID:
		vs := make([]sql.UUIDValue, rows)
		if b := r.take(rows * 16); !r.short {
			for i := range vs {
				vs[i] = sql.UUIDValue(b[i*16:])
			}
		}
		return stream.Fixed(t, vs, valid)
	case layoutRow:
		fields := make([]arrow.Array, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = r.column(f.Type, rows)
		}
		return stream.Rows(t, rows, fields, valid)
	case layoutList:
		offsets := r.offsets(rows, maxBatchRows)
		return stream.Lists(t, offsets, r.column(stream.ElemType(t), int(offsets[rows])), valid)
	case layoutMap:
		offsets := r.offsets(rows, maxBatchRows)
		n := int(offsets[rows])
		keys := r.column(*t.Key, n)
		if keys.NullN() > 0 { // Arrow takes none
			r.short = true
			return stream.Nulls(t, rows)
		}
		return stream.Maps(t, offsets, keys, r.column(*t.Elem, n), valid)
	}
	offsets := r.offsets(rows, math.MaxInt32)
	data := append([]byte{}, r.take(int(offsets[rows]))...)
	if r.short {
		clear(offsets)
	}
	return stream.Bytes(t, offsets, data, valid)
}

// offsets reads lengths, which add up to limit at most.
func (r *batchReader) offsets(rows int, limit int64) []int32 {
	offsets := make([]int32, rows+1)
	var end int64
	for i, n := range readInts[int32](r, rows) {
		if end += int64(n); n < 0 || end > limit {
			r.short, r.src = true, nil
			clear(offsets)
			return offsets
		}
		offsets[i+1] = int32(end)
	}
	return offsets
}

func (r *batchReader) dec128s(rows int) []dec128 {
	vs := make([]dec128, rows)
	if r.byte() != 0 {
		for i, v := range readInts[int64](r, rows) {
			vs[i] = dec128{uint64(v), uint64(v >> 63)}
		}
		return vs
	}
	if b := r.take(rows * 16); !r.short {
		for i := range vs {
			vs[i] = dec128{binary.LittleEndian.Uint64(b[i*16:]), binary.LittleEndian.Uint64(b[i*16+8:])}
		}
	}
	return vs
}

// readInts unpacks integers.
func readInts[T int16 | int32 | int64](r *batchReader, rows int) []T {
	vs := make([]T, rows)
	if rows == 0 {
		return vs
	}
	least, n := binary.Varint(r.src)
	r.take(max(n, 0))
	width := int(r.byte())
	b := r.take(rows * width)
	if n <= 0 || r.short {
		r.short = true
		return vs
	}
	le := binary.LittleEndian
	switch width {
	case 0:
		for i := range vs {
			vs[i] = T(least)
		}
	case 1:
		for i, d := range b {
			vs[i] = T(least + int64(d))
		}
	case 2:
		for i := range vs {
			vs[i] = T(least + int64(le.Uint16(b[i*2:])))
		}
	case 4:
		for i := range vs {
			vs[i] = T(least + int64(le.Uint32(b[i*4:])))
		}
	case 8:
		for i := range vs {
			vs[i] = T(least + int64(le.Uint64(b[i*8:])))
		}
	default:
		r.short = true
	}
	return vs
}

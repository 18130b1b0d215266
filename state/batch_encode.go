package state

import (
	"encoding/binary"
	"math"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The encoding of a batch of changes, as changelogs hold them:
//
//	header      batchVersion, uvarint rows, a byte: are there ops
//	ops         a bit a row, set for a delete, if there are any
//	columns     each: uvarint length, then its body; a reader skips those that it doesn't need
//
// The body of a column of n rows:
//
//	a byte: any NULLs; then their bits if so
//	boolean                a bit a row
//	integers, times        packed integers (below); also fixed numerics and intervals, part by part
//	floats, uuid           as they are
//	wide fixed numerics    a byte: do all fit 64 bits; then packed integers, or words as they are
//	text, bytea, numeric…  packed lengths, then all bytes
//	array, map             packed lengths, then each kid's body with its own number of rows
//	row                    the fields' bodies
//
// Packed integers are a frame of reference: the smallest value (varint), a width of 0, 1, 2, 4 or
// 8 bytes, and each value's distance from the smallest in that width. A column of one window's
// start takes a few bytes, and both directions are simple loops. Rows that are NULL hold the
// smallest value. Pebble compresses the result further when it is flushed.
const batchVersion = 1

// BatchEncoder turns batches into bytes. It is used by one goroutine.
type BatchEncoder struct {
	vecs []vector
	ints []int64
	body []byte
}

// NewBatchEncoder makes an encoder for batches of the types.
func NewBatchEncoder(types []sql.Type) *BatchEncoder {
	return &BatchEncoder{vecs: newVectors(types)}
}

// Append appends the encoding of b.
func (e *BatchEncoder) Append(dst []byte, b *stream.Batch) []byte {
	dst = append(dst, batchVersion)
	dst = binary.AppendUvarint(dst, uint64(b.Rows))
	dst = appendOps(dst, b.Ops)
	for i := range e.vecs {
		v := &e.vecs[i]
		v.bind(b.Columns[i])
		e.body = e.appendColumn(e.body[:0], v, 0, b.Rows)
		dst = append(binary.AppendUvarint(dst, uint64(len(e.body))), e.body...)
	}
	return dst
}

func appendOps(dst []byte, ops []int8) []byte {
	if ops == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	at := len(dst)
	dst = appendZeros(dst, (len(ops)+7)/8)
	for i, op := range ops {
		if op == stream.Delete {
			dst[at+i>>3] |= 1 << (i & 7)
		}
	}
	return dst
}

// appendColumn appends the body of rows lo to hi of v.
func (e *BatchEncoder) appendColumn(dst []byte, v *vector, lo, hi int) []byte {
	dst = appendNulls(dst, v.valid, lo, hi)
	switch v.layout {
	case layoutBool:
		at := len(dst)
		dst = appendZeros(dst, (hi-lo+7)/8)
		for i := lo; i < hi; i++ {
			if v.bits.Get(i) {
				dst[at+(i-lo)>>3] |= 1 << ((i - lo) & 7)
			}
		}
		return dst
	case layoutInt16:
		return appendInts(dst, widen(e, v.i16[lo:hi]), v.valid, lo)
	case layoutInt32:
		return appendInts(dst, widen(e, v.i32[lo:hi]), v.valid, lo)
	case layoutInt64:
		return appendInts(dst, v.i64[lo:hi], v.valid, lo)
	case layoutFloat32:
		for _, f := range v.f32[lo:hi] {
			dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
		}
		return dst
	case layoutFloat64:
		for _, f := range v.f64[lo:hi] {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
		}
		return dst
	case layoutDec128:
		return e.appendDec128(dst, v, lo, hi)
	case layoutDec256:
		for _, d := range v.d256[lo:hi] {
			for _, w := range d {
				dst = binary.LittleEndian.AppendUint64(dst, w)
			}
		}
		return dst
	case layoutInterval:
		for part := range 3 {
			ints := e.ints[:0]
			for _, iv := range v.ivs[lo:hi] {
				ints = append(ints, [3]int64{iv.Micros, int64(iv.Days), int64(iv.Months)}[part])
			}
			e.ints = ints
			dst = appendInts(dst, ints, v.valid, lo)
		}
		return dst
	case layoutUUID:
		for i := lo; i < hi; i++ {
			dst = append(dst, v.uuids[i][:]...)
		}
		return dst
	case layoutRow:
		for k := range v.kids {
			dst = e.appendColumn(dst, &v.kids[k], lo, hi)
		}
		return dst
	}
	return e.appendVariable(dst, v, lo, hi)
}

// appendVariable appends lengths and what they are of. Bytes under a NULL are left out; elements
// under one, which a column that shares them with another may have, are kept.
func (e *BatchEncoder) appendVariable(dst []byte, v *vector, lo, hi int) []byte {
	nested := v.layout == layoutList || v.layout == layoutMap
	ints, gaps := e.ints[:0], false
	for i := lo; i < hi; i++ {
		n := int64(v.offsets[i+1] - v.offsets[i])
		if n > 0 && !nested && !v.valid.Get(i) {
			n, gaps = 0, true
		}
		ints = append(ints, n)
	}
	e.ints = ints
	dst = appendInts(dst, ints, nil, 0)
	if nested {
		for k := range v.kids {
			dst = e.appendColumn(dst, &v.kids[k], int(v.offsets[lo]), int(v.offsets[hi]))
		}
		return dst
	}
	if !gaps {
		return append(dst, v.data[v.offsets[lo]:v.offsets[hi]]...)
	}
	for i := lo; i < hi; i++ {
		if v.valid.Get(i) {
			dst = append(dst, v.bytes(i)...)
		}
	}
	return dst
}

func (e *BatchEncoder) appendDec128(dst []byte, v *vector, lo, hi int) []byte {
	ints := e.ints[:0]
	for i := lo; i < hi; i++ {
		d := v.d128[i]
		if int64(d[1]) != int64(d[0])>>63 && v.valid.Get(i) {
			break
		}
		ints = append(ints, int64(d[0]))
	}
	e.ints = ints
	if len(ints) == hi-lo {
		return appendInts(append(dst, 1), ints, v.valid, lo)
	}
	dst = append(dst, 0)
	for _, d := range v.d128[lo:hi] {
		dst = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, d[0]), d[1])
	}
	return dst
}

func appendNulls(dst []byte, valid stream.Bitmap, lo, hi int) []byte {
	at := len(dst)
	dst = append(dst, 0)
	if valid == nil {
		return dst
	}
	dst = appendZeros(dst, (hi-lo+7)/8)
	for i := lo; i < hi; i++ {
		if !valid.Get(i) {
			dst[at] = 1
			dst[at+1+(i-lo)>>3] |= 1 << ((i - lo) & 7)
		}
	}
	if dst[at] == 0 {
		return dst[:at+1]
	}
	return dst
}

func widen[T int16 | int32](e *BatchEncoder, vs []T) []int64 {
	ints := e.ints[:0]
	for _, v := range vs {
		ints = append(ints, int64(v))
	}
	e.ints = ints
	return ints
}

// appendInts packs vs, whose row i has validity bit i+lo.
func appendInts(dst []byte, vs []int64, valid stream.Bitmap, lo int) []byte {
	if len(vs) == 0 {
		return dst
	}
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for i, v := range vs {
		if valid.Get(i + lo) {
			least, most = min(least, v), max(most, v)
		}
	}
	if least > most { // all NULL
		least, most = 0, 0
	}
	width := intWidth(uint64(most) - uint64(least))
	dst = append(binary.AppendVarint(dst, least), width)
	// The value under a NULL may be anything; the conversions below cut it to the width.
	le := binary.LittleEndian
	switch width {
	case 1:
		for _, v := range vs {
			dst = append(dst, byte(v-least))
		}
	case 2:
		for _, v := range vs {
			dst = le.AppendUint16(dst, uint16(v-least))
		}
	case 4:
		for _, v := range vs {
			dst = le.AppendUint32(dst, uint32(v-least))
		}
	case 8:
		for _, v := range vs {
			dst = le.AppendUint64(dst, uint64(v-least))
		}
	}
	return dst
}

// intWidth is the bytes that hold distances of up to span.
func intWidth(span uint64) byte {
	switch {
	case span == 0:
		return 0
	case span < 1<<8:
		return 1
	case span < 1<<16:
		return 2
	case span < 1<<32:
		return 4
	}
	return 8
}

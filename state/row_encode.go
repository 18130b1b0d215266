package state

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The encoding of rows:
//
//	header      uvarint: the number of columns · 4 + rowVersion
//	NULLs       a bit a column, set for NULL
//	values      of the columns that are not NULL, in order
//
//	boolean                  a byte
//	integers, times          zigzag varint; so are fixed numerics of up to 18 digits, unscaled
//	floats                   little endian
//	wider fixed numerics     length, then as many bytes of the unscaled value, little endian
//	interval                 three varints; uuid: 16 bytes
//	text, bytea, numeric, …  uvarint length, bytes
//	array, map               members of each kid: uvarint (count · 2 + any NULLs), NULL bits if any, values
//	row                      NULL bits, values
//
// A row may have fewer columns than its table by now: the missing ones, at the end, are NULL.
const rowVersion = 1

// RowEncoder turns rows of columns into bytes. It is used by one goroutine: Bind to a batch's
// columns, then Append row by row, which allocates nothing but dst's growth.
type RowEncoder struct {
	types []sql.Type
	vecs  []vector
}

// NewRowEncoder makes an encoder for rows of the types.
func NewRowEncoder(types []sql.Type) *RowEncoder {
	return &RowEncoder{types: types, vecs: newVectors(types)}
}

// Bind looks at columns of the encoder's types.
func (e *RowEncoder) Bind(cols []arrow.Array) {
	for i := range e.vecs {
		e.vecs[i].bind(cols[i])
	}
}

// Append appends row i of the bound columns.
func (e *RowEncoder) Append(dst []byte, i int) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.vecs))<<2|rowVersion)
	return appendMembers(dst, e.vecs, i)
}

// AppendDatums appends a row of single values.
func (e *RowEncoder) AppendDatums(dst []byte, row []sql.Datum) []byte {
	for i, t := range e.types {
		b := stream.NewBuilder(t)
		b.Append(row[i])
		e.vecs[i].bind(b.Finish())
	}
	return e.Append(dst, 0)
}

// appendMembers appends NULL bits and the values of row i of vecs.
func appendMembers(dst []byte, vecs []vector, i int) []byte {
	at := len(dst)
	dst = appendZeros(dst, (len(vecs)+7)/8)
	for c := range vecs {
		if v := &vecs[c]; v.valid.Get(i) {
			dst = v.appendValue(dst, i)
		} else {
			dst[at+c>>3] |= 1 << (c & 7)
		}
	}
	return dst
}

func appendZeros(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, 0)
	}
	return dst
}

// appendValue appends row i, which is not NULL.
func (v *vector) appendValue(dst []byte, i int) []byte {
	le := binary.LittleEndian
	switch v.layout {
	case layoutBool:
		if v.bits.Get(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case layoutInt16:
		return binary.AppendVarint(dst, int64(v.i16[i]))
	case layoutInt32:
		return binary.AppendVarint(dst, int64(v.i32[i]))
	case layoutInt64:
		return binary.AppendVarint(dst, v.i64[i])
	case layoutFloat32:
		return le.AppendUint32(dst, math.Float32bits(v.f32[i]))
	case layoutFloat64:
		return le.AppendUint64(dst, math.Float64bits(v.f64[i]))
	case layoutDec128:
		return appendWords(dst, v.d128[i][:])
	case layoutDec256:
		return appendWords(dst, v.d256[i][:])
	case layoutInterval:
		iv := v.ivs[i]
		dst = binary.AppendVarint(dst, iv.Micros)
		dst = binary.AppendVarint(dst, int64(iv.Days))
		return binary.AppendVarint(dst, int64(iv.Months))
	case layoutUUID:
		return append(dst, v.uuids[i][:]...)
	case layoutList, layoutMap:
		for k := range v.kids {
			dst = v.kids[k].appendElements(dst, int(v.offsets[i]), int(v.offsets[i+1]))
		}
		return dst
	case layoutRow:
		return appendMembers(dst, v.kids, i)
	}
	b := v.bytes(i)
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func (v *vector) appendElements(dst []byte, lo, hi int) []byte {
	header := uint64(hi-lo) << 1
	for i := lo; i < hi && header&1 == 0; i++ {
		if !v.valid.Get(i) {
			header |= 1
		}
	}
	dst = binary.AppendUvarint(dst, header)
	at := len(dst)
	if header&1 != 0 {
		dst = appendZeros(dst, (hi-lo+7)/8)
	}
	for i := lo; i < hi; i++ {
		if v.valid.Get(i) {
			dst = v.appendValue(dst, i)
		} else {
			dst[at+(i-lo)>>3] |= 1 << ((i - lo) & 7)
		}
	}
	return dst
}

// appendWords appends a two's complement number, least word first, in as few bytes as hold it.
func appendWords(dst []byte, words []uint64) []byte {
	var b [32]byte
	for i, w := range words {
		binary.LittleEndian.PutUint64(b[i*8:], w)
	}
	n := len(words) * 8
	sign := byte(int8(b[n-1]) >> 7)
	for n > 1 && b[n-1] == sign && byte(int8(b[n-2])>>7) == sign {
		n--
	}
	return append(append(dst, byte(n)), b[:n]...)
}

package state

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The encoding of keys: bytes.Compare orders them as PostgreSQL's btree orders the values, column
// after column, and no value's encoding is a prefix of another's.
//
//	column          NULL marker, then the value; a descending value has all its bits flipped
//	marker          00 NULL that comes first, 80 a value, ff NULL that comes last
//	integers, times big endian, sign bit flipped; fixed numerics the same over their unscaled value
//	floats          IEEE bits, flipped so that they order as integers; one NaN, one zero
//	text, bytea     the bytes with 00 as 00 ff, then 00 01; char(n) without trailing blanks
//	interval        its length in microseconds as a 128-bit integer
//	numeric         key_numeric.go; jsonb: key_json.go
//	arrays, maps    each element with its marker, then 00
//	rows            each field with its marker
const (
	markNullFirst = 0x00
	markEnd       = 0x00 // after the last element of an array
	markValue     = 0x80
	markNullLast  = 0xff

	signBit16 = 1 << 15
	signBit32 = 1 << 31
	signBit64 = 1 << 63
)

// KeyColumn is a column of a key. The zero order is PostgreSQL's default: ascending, NULLs last.
// (PostgreSQL's DESC is Desc and NullsFirst.)
type KeyColumn struct {
	Type       sql.Type
	Desc       bool
	NullsFirst bool
}

// Ascending makes key columns of types in the default order.
func Ascending(types ...sql.Type) []KeyColumn {
	cols := make([]KeyColumn, len(types))
	for i, t := range types {
		cols[i].Type = t
	}
	return cols
}

// KeyIsExact tells whether values of t that have one key are the same, and not only equal. Of other types
// a key keeps less: not a numeric's display scale, a float's sign of zero, blanks at the end of a
// character(n), an interval's parts.
func KeyIsExact(t sql.Type) bool {
	switch layoutOf(t) {
	case layoutFloat32, layoutFloat64, layoutInterval, layoutChar, layoutNumeric, layoutJSONB:
		return false
	}
	for _, c := range children(t) {
		if !KeyIsExact(c) {
			return false
		}
	}
	return true
}

// KeyEncoder turns rows of columns into keys, or into any other bytes that shall compare as the rows
// do. It is used by one goroutine: Bind to a batch's columns, then Append row by row, which
// allocates nothing but dst's growth.
type KeyEncoder struct {
	cols []KeyColumn
	vecs []vector
}

// NewKeyEncoder makes an encoder for keys of the columns.
func NewKeyEncoder(cols []KeyColumn) *KeyEncoder {
	e := &KeyEncoder{cols: cols, vecs: make([]vector, len(cols))}
	for i, c := range cols {
		e.vecs[i] = newVector(c.Type)
	}
	return e
}

// Bind looks at columns of the key's types, in its order; fewer columns make prefixes of keys.
func (e *KeyEncoder) Bind(cols ...arrow.Array) {
	e.vecs = e.vecs[:len(cols)]
	for i, c := range cols {
		e.vecs[i].bind(c)
	}
}

// Append appends the key of row i of the bound columns.
func (e *KeyEncoder) Append(dst []byte, i int) []byte {
	for c := range e.vecs {
		dst = e.cols[c].append(dst, &e.vecs[c], i)
	}
	return dst
}

// AppendDatums appends the key of single values; fewer of them make a prefix.
func (e *KeyEncoder) AppendDatums(dst []byte, row []sql.Datum) []byte {
	for c, d := range row {
		if key, ok := e.cols[c].appendPlain(dst, d); ok {
			dst = key
			continue
		}
		b := stream.NewBuilder(e.cols[c].Type)
		b.Append(d)
		e.vecs = e.vecs[:max(len(e.vecs), c+1)]
		e.vecs[c].bind(b.Finish())
		dst = e.cols[c].append(dst, &e.vecs[c], 0)
	}
	return dst
}

// appendPlain is append of one value without a column around it, for the types that most keys have.
func (c *KeyColumn) appendPlain(dst []byte, d sql.Datum) (key []byte, ok bool) {
	start := len(dst) + 1
	switch layout := layoutOf(c.Type); v := d.(type) {
	case int64:
		dst = append(dst, markValue)
		switch be := binary.BigEndian; layout {
		case layoutInt16:
			dst = be.AppendUint16(dst, uint16(v)^signBit16)
		case layoutInt32:
			dst = be.AppendUint32(dst, uint32(v)^signBit32)
		case layoutInt64:
			dst = be.AppendUint64(dst, uint64(v)^signBit64)
		default:
			return nil, false
		}
	case string:
		if layout != layoutBytes {
			return nil, false
		}
		dst = appendKeyBytes(append(dst, markValue), []byte(v))
	default:
		return nil, false
	}
	if c.Desc {
		flip(dst[start:])
	}
	return dst, true
}

func (c *KeyColumn) append(dst []byte, v *vector, i int) []byte {
	if !v.valid.Get(i) {
		if c.NullsFirst {
			return append(dst, markNullFirst)
		}
		return append(dst, markNullLast)
	}
	dst = append(dst, markValue)
	start := len(dst)
	dst = v.appendKey(dst, i)
	if c.Desc {
		flip(dst[start:])
	}
	return dst
}

// flip reverses the order of encoded values.
func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// appendKey appends the ascending key of row i, which is not NULL.
func (v *vector) appendKey(dst []byte, i int) []byte {
	be := binary.BigEndian
	switch v.layout {
	case layoutBool:
		if v.bits.Get(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case layoutInt16:
		return be.AppendUint16(dst, uint16(v.i16[i])^signBit16)
	case layoutInt32:
		return be.AppendUint32(dst, uint32(v.i32[i])^signBit32)
	case layoutInt64:
		return be.AppendUint64(dst, uint64(v.i64[i])^signBit64)
	case layoutFloat32:
		return be.AppendUint32(dst, orderedFloat32(v.f32[i]))
	case layoutFloat64:
		return be.AppendUint64(dst, orderedFloat64(v.f64[i]))
	case layoutDec128:
		d := &v.d128[i]
		return be.AppendUint64(be.AppendUint64(dst, d[1]^signBit64), d[0])
	case layoutDec256:
		d := &v.d256[i]
		dst = be.AppendUint64(be.AppendUint64(dst, d[3]^signBit64), d[2])
		return be.AppendUint64(be.AppendUint64(dst, d[1]), d[0])
	case layoutInterval:
		hi, lo := v.ivs[i].Key()
		return be.AppendUint64(be.AppendUint64(dst, uint64(hi)^signBit64), lo)
	case layoutUUID:
		return append(dst, v.uuids[i][:]...)
	case layoutBytes:
		return appendKeyBytes(dst, v.bytes(i))
	case layoutChar:
		return appendKeyBytes(dst, bytes.TrimRight(v.bytes(i), " "))
	case layoutNumeric:
		return appendKeyNumeric(dst, v.bytes(i))
	case layoutJSONB:
		return appendKeyJSON(dst, v.bytes(i))
	}
	return v.appendNestedKey(dst, i)
}

func (v *vector) appendNestedKey(dst []byte, i int) []byte {
	if v.layout == layoutRow {
		for k := range v.kids {
			dst = v.kids[k].appendMember(dst, i)
		}
		return dst
	}
	for j := int(v.offsets[i]); j < int(v.offsets[i+1]); j++ {
		for k := range v.kids {
			dst = v.kids[k].appendMember(dst, j)
		}
	}
	return append(dst, markEnd)
}

// appendMember appends an element or a field: NULLs are above all values, as in PostgreSQL.
func (v *vector) appendMember(dst []byte, i int) []byte {
	if !v.valid.Get(i) {
		return append(dst, markNullLast)
	}
	return v.appendKey(append(dst, markValue), i)
}

func appendKeyBytes(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			return append(append(dst, s...), 0, 1)
		}
		dst = append(append(dst, s[:i]...), 0, 0xff)
		s = s[i+1:]
	}
}

// orderedFloat64 maps floats to integers of the same order: the bits of a negative number are all
// flipped, of another only the sign. NaN is made one value above infinity, and -0 is made 0.
func orderedFloat64(f float64) uint64 {
	if f == 0 {
		return signBit64
	}
	if f != f {
		return math.MaxUint64
	}
	if b := math.Float64bits(f); b&signBit64 == 0 {
		return b | signBit64
	} else {
		return ^b
	}
}

func orderedFloat32(f float32) uint32 {
	if f == 0 {
		return signBit32
	}
	if f != f {
		return math.MaxUint32
	}
	if b := math.Float32bits(f); b&signBit32 == 0 {
		return b | signBit32
	} else {
		return ^b
	}
}

package state

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// layout is how a type's values are stored and encoded. The codecs switch on it once a value: one
// predictable branch, where a method of an interface would be a call.
type layout uint8

const (
	layoutBool     layout = iota
	layoutInt16           // int16
	layoutInt32           // int32: integer, date
	layoutInt64           // int64: bigint, OIDs, times, timestamps, decimals up to 18 digits
	layoutFloat32         // float32
	layoutFloat64         // float64
	layoutDec128          // two little-endian words
	layoutDec256          // four little-endian words
	layoutInterval        // sql.IntervalValue
	layoutUUID            // 16 bytes in order
	layoutBytes           // bytes that are equal when they are the same: text, bytea, json
	layoutChar            // text whose trailing blanks don't count
	layoutNumeric         // the form of sql.AppendNumeric
	layoutJSONB           // canonical JSON text
	layoutList            // an array or a vector: kids[0] are the elements
	layoutMap             // kids[0] and kids[1] are keys and values
	layoutRow             // kids are the fields
)

func layoutOf(t sql.Type) layout {
	switch t.Kind {
	case sql.Bool:
		return layoutBool
	case sql.Int2:
		return layoutInt16
	case sql.Int4, sql.Date:
		return layoutInt32
	case sql.Int8, sql.Time, sql.Timestamp, sql.Timestamptz,
		sql.OID, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		return layoutInt64
	case sql.Float4:
		return layoutFloat32
	case sql.Float8:
		return layoutFloat64
	case sql.Numeric:
		switch {
		case t.Precision == 0:
			return layoutNumeric
		case t.Precision <= 18:
			return layoutInt64
		case t.Precision <= 38:
			return layoutDec128
		}
		return layoutDec256
	case sql.Interval:
		return layoutInterval
	case sql.UUID:
		return layoutUUID
	case sql.Char:
		return layoutChar
	case sql.JSONB:
		return layoutJSONB
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return layoutList
	case sql.Map:
		return layoutMap
	case sql.Row, sql.Record:
		return layoutRow
	}
	return layoutBytes
}

// children are the types that t is made of, in the order of a vector's kids.
func children(t sql.Type) []sql.Type {
	switch layoutOf(t) {
	case layoutList:
		return []sql.Type{stream.ElemType(t)}
	case layoutMap:
		return []sql.Type{*t.Key, *t.Elem}
	case layoutRow:
		ts := make([]sql.Type, len(t.Fields))
		for i, f := range t.Fields {
			ts[i] = f.Type
		}
		return ts
	}
	return nil
}

type (
	dec128 [2]uint64 // Arrow's decimal128: low word first
	dec256 [4]uint64
)

// vector is an Arrow column opened up: typed slices, of which the layout says which one is set.
// It is bound to one array after another, so that a value is read without a type switch on an
// interface and without an allocation.
type vector struct {
	layout  layout
	valid   stream.Bitmap // nil = no NULLs
	bits    stream.Bitmap
	i16     []int16
	i32     []int32
	i64     []int64
	f32     []float32
	f64     []float64
	d128    []dec128
	d256    []dec256
	ivs     []sql.IntervalValue
	uuids   []sql.UUIDValue
	offsets []int32 // bytes, lists and maps: where row i begins, and ends at i+1
	data    []byte
	kids    []vector
}

func newVector(t sql.Type) vector {
	v := vector{layout: layoutOf(t)}
	for _, c := range children(t) {
		v.kids = append(v.kids, newVector(c))
	}
	return v
}

func newVectors(ts []sql.Type) []vector {
	vs := make([]vector, len(ts))
	for i, t := range ts {
		vs[i] = newVector(t)
	}
	return vs
}

// bind opens arr, a column of the vector's type.
func (v *vector) bind(arr arrow.Array) {
	v.valid = stream.Validity(arr)
	switch v.layout {
	case layoutBool:
		v.bits = stream.Bools(arr)
	case layoutInt16:
		v.i16 = stream.Values[int16](arr)
	case layoutInt32:
		v.i32 = stream.Values[int32](arr)
	case layoutInt64:
		v.i64 = stream.Values[int64](arr)
	case layoutFloat32:
		v.f32 = stream.Values[float32](arr)
	case layoutFloat64:
		v.f64 = stream.Values[float64](arr)
	case layoutDec128:
		v.d128 = stream.Values[dec128](arr)
	case layoutDec256:
		v.d256 = stream.Values[dec256](arr)
	case layoutInterval:
		v.ivs = stream.Values[sql.IntervalValue](arr)
	case layoutUUID:
		v.uuids = stream.Values[sql.UUIDValue](arr)
	case layoutBytes, layoutChar, layoutNumeric, layoutJSONB:
		v.offsets, v.data = stream.BytesValues(arr)
	case layoutList:
		var elems arrow.Array
		v.offsets, elems = stream.ListValues(arr)
		v.kids[0].bind(elems)
	case layoutMap:
		m := arr.(*array.Map)
		v.offsets, _ = stream.ListValues(arr)
		v.kids[0].bind(m.Keys())
		v.kids[1].bind(m.Items())
	case layoutRow:
		s := arr.(*array.Struct)
		for i := range v.kids {
			v.kids[i].bind(s.Field(i))
		}
	}
}

// bytes is row i of a column of bytes.
func (v *vector) bytes(i int) []byte { return v.data[v.offsets[i]:v.offsets[i+1]] }

package agg

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// canonicalBytes encodes a column such that equal values have equal bytes, for the types whose
// stored form does not have that property: 1.0 and 1.00, '1 day' and '24 hours', and what contains
// them. It is not a hot path, except for variable numerics that fit a word.
func canonicalBytes(t sql.Type, arr arrow.Array) (offsets []int32, data []byte) {
	offsets = make([]int32, 1, arr.Len()+1)
	valid := stream.Validity(arr)
	if t.Kind == sql.Numeric {
		offs, in := stream.BytesValues(arr)
		data = make([]byte, 0, len(in))
		for i := range arr.Len() {
			if valid.Get(i) {
				data = appendCanonicalNumeric(data, in[offs[i]:offs[i+1]])
			}
			offsets = append(offsets, int32(len(data)))
		}
		return offsets, data
	}
	for i := range arr.Len() {
		if valid.Get(i) {
			data = appendCanonical(data, t, stream.Value(arr, t, i))
		}
		offsets = append(offsets, int32(len(data)))
	}
	return offsets, data
}

func appendCanonicalNumeric(dst, b []byte) []byte {
	if neg, mag, scale, ok := sql.DecodeNumericUint64(b); ok {
		for scale > 0 && mag%10 == 0 {
			mag, scale = mag/10, scale-1
		}
		return sql.AppendNumericUint64(dst, neg, mag, scale)
	}
	var d sql.Decimal
	sql.DecodeNumeric(b, &d)
	return appendCanonical(dst, sql.TypeNumeric, &d)
}

// appendCanonical appends a self-delimiting canonical encoding of d.
func appendCanonical(dst []byte, t sql.Type, d sql.Datum) []byte {
	if d == nil {
		return append(dst, 0)
	}
	switch v := d.(type) {
	case *sql.Decimal:
		var r sql.Decimal
		r.Reduce(v)
		return sql.AppendNumeric(dst, &r)
	case sql.IntervalValue:
		hi, lo := intervalMicros(v)
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, uint64(hi)^1<<63), lo)
	case []sql.Datum:
		dst = binary.AppendUvarint(append(dst, 1), uint64(len(v)))
		for _, e := range v {
			dst = appendCanonical(dst, stream.ElemType(t), e)
		}
		return dst
	case sql.RowValue:
		dst = append(dst, 1)
		for i, e := range v {
			dst = appendCanonical(dst, t.Fields[i].Type, e)
		}
		return dst
	case sql.MapValue:
		dst = binary.AppendUvarint(append(dst, 1), uint64(len(v)))
		for _, e := range v {
			dst = appendCanonical(appendCanonical(dst, *t.Key, e.Key), *t.Elem, e.Value)
		}
		return dst
	}
	text := sql.AppendText(nil, t, d)
	return append(binary.AppendUvarint(append(dst, 1), uint64(len(text))), text...)
}

// intervalMicros is an interval's length by which PostgreSQL compares it: 30 days a month, 24 hours
// a day. It needs more than 64 bits.
func intervalMicros(v sql.IntervalValue) (hi int64, lo uint64) {
	days := int64(v.Months)*30 + int64(v.Days)
	h, l := bits.Mul64(uint64(days), sql.MicrosPerDay)
	if days < 0 { // the high word of a signed product
		h -= sql.MicrosPerDay
	}
	l, carry := bits.Add64(l, uint64(v.Micros), 0)
	h, _ = bits.Add64(h, uint64(v.Micros>>63), carry)
	return int64(h), l
}

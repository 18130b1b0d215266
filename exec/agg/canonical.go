package agg

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// canonicalBytes encodes a column such that equal values have equal bytes, for the types whose
// stored form does not have that property: 1.0 and 1.00, as numeric or in jsonb, '1 day' and '24 hours',
// char with and without blanks behind, and what contains them. A state's keys come from the same
// encoder: what is one group here is one row there.
func canonicalBytes(key *state.KeyEncoder, arr arrow.Array) (offsets []int32, data []byte) {
	offsets = make([]int32, 1, arr.Len()+1)
	valid := stream.Validity(arr)
	key.Bind(arr)
	for i := range arr.Len() {
		if valid.Get(i) {
			data = key.Append(data, i)
		}
		offsets = append(offsets, int32(len(data)))
	}
	return offsets, data
}

// owned is a value without the memory of the batch that it comes from.
func owned(d sql.Datum) sql.Datum {
	switch v := d.(type) {
	case string:
		return strings.Clone(v)
	case []sql.Datum:
		for i := range v {
			v[i] = owned(v[i])
		}
	case sql.RowValue:
		for i := range v {
			v[i] = owned(v[i])
		}
	case sql.MapValue:
		for i := range v {
			v[i].Key, v[i].Value = owned(v[i].Key), owned(v[i].Value)
		}
	}
	return d
}

// datumSize estimates the memory of an owned value in bytes.
func datumSize(d sql.Datum) int64 {
	const box = 64 // the interface, and what it points to
	values, bytes := stream.DatumSize(d)
	return int64(box*values + bytes)
}

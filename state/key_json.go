package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"

	"github.com/streamsql/streamsql/sql"
)

// The key of a jsonb value, in the order of PostgreSQL's btree: object > array > boolean > number >
// string > null, and below them all, by an old accident, an empty array at the top.
//
//	null     rank
//	string   rank, the bytes as in a text key
//	number   rank, a numeric key
//	boolean  rank, 0 or 1
//	array    rank, the number of elements (4 bytes), the elements
//	object   rank, the number of members (4 bytes), key and value of each
const (
	jsonRankEmpty  = 0x08
	jsonRankNull   = 0x10
	jsonRankString = 0x20
	jsonRankNumber = 0x30
	jsonRankBool   = 0x40
	jsonRankArray  = 0x50
	jsonRankObject = 0x60
)

// appendKeyJSON appends the key of canonical JSON text.
func appendKeyJSON(dst, text []byte) []byte {
	if bytes.Equal(text, []byte("[]")) {
		return append(dst, jsonRankEmpty)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return appendKeyJSONValue(dst, d)
}

func appendKeyJSONValue(dst []byte, d *json.Decoder) []byte {
	tok, err := d.Token()
	must(err) // jsonb is checked where it enters
	switch v := tok.(type) {
	case string:
		return appendKeyBytes(append(dst, jsonRankString), []byte(v))
	case json.Number:
		n, err := sql.ParseNumeric(string(v))
		must(err)
		return appendKeyNumeric(append(dst, jsonRankNumber), sql.AppendNumeric(nil, n))
	case bool:
		if v {
			return append(dst, jsonRankBool, 1)
		}
		return append(dst, jsonRankBool, 0)
	case json.Delim:
		rank := byte(jsonRankArray)
		if v == '{' {
			rank = jsonRankObject
		}
		dst = append(dst, rank, 0, 0, 0, 0)
		count, at := uint32(0), len(dst)-4
		for ; d.More(); count++ {
			dst = appendKeyJSONValue(dst, d)
			if v == '{' {
				dst = appendKeyJSONValue(dst, d)
			}
		}
		_, err := d.Token()
		must(err)
		binary.BigEndian.PutUint32(dst[at:], count)
		return dst
	}
	return append(dst, jsonRankNull)
}

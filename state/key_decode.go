package state

import (
	"bytes"
	"math"
	"math/big"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// KeyIsExact tells whether a value of t can be had back from its key as it was. For other types
// the key keeps less: a numeric's display scale, a float's sign of zero, blanks at the end of a
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

// DecodeKey reads the values of a key or of a prefix of one; they are equal, if not always
// identical (KeyIsExact), to those that it was made of. The keys of interval and jsonb
// cannot be read back: the error is 0A000.
func DecodeKey(key []byte, cols []KeyColumn) ([]sql.Datum, error) {
	row := make([]sql.Datum, 0, len(cols))
	for _, c := range cols {
		if len(key) == 0 {
			break
		}
		mark := key[0]
		key = key[1:]
		if mark != markValue {
			row = append(row, nil)
			continue
		}
		var d sql.Datum
		var err error
		if c.Desc {
			src := bytes.Clone(key)
			flip(src)
			var rest []byte
			d, rest, err = decodeKeyValue(src, c.Type)
			key = key[len(key)-len(rest):]
		} else {
			d, key, err = decodeKeyValue(key, c.Type)
		}
		if err != nil {
			return nil, err
		}
		row = append(row, d)
	}
	return row, nil
}

func decodeKeyValue(src []byte, t sql.Type) (sql.Datum, []byte, error) {
	switch l := layoutOf(t); l {
	case layoutBool:
		u, rest, err := readKeyUint(src, 1)
		return u != 0, rest, err
	case layoutInt16:
		u, rest, err := readKeyUint(src, 2)
		return int64(int16(u ^ signBit16)), rest, err
	case layoutInt32:
		u, rest, err := readKeyUint(src, 4)
		v := int32(u ^ signBit32)
		if t.Kind == sql.Date {
			return sql.DateValue(v), rest, err
		}
		return int64(v), rest, err
	case layoutInt64:
		u, rest, err := readKeyUint(src, 8)
		return int64Datum(int64(u^signBit64), t), rest, err
	case layoutFloat32:
		u, rest, err := readKeyUint(src, 4)
		return float64(floatFromOrdered32(uint32(u))), rest, err
	case layoutFloat64:
		u, rest, err := readKeyUint(src, 8)
		return floatFromOrdered64(u), rest, err
	case layoutDec128, layoutDec256:
		return decodeKeyDecimal(src, t, 16<<(l-layoutDec128))
	case layoutUUID:
		var u sql.UUIDValue
		if copy(u[:], src) < len(u) {
			return nil, nil, errShortKey
		}
		return u, src[len(u):], nil
	case layoutBytes, layoutChar:
		b, rest, err := decodeKeyBytes(src)
		if t.Kind == sql.Bytea {
			return b, rest, err
		}
		for l == layoutChar && len(b) < int(t.Precision) {
			b = append(b, ' ')
		}
		return string(b), rest, err
	case layoutNumeric:
		d, rest, err := decodeKeyNumeric(src)
		return d, rest, err
	case layoutList, layoutMap, layoutRow:
		return decodeNestedKey(src, t)
	}
	return nil, nil, sql.Unsupported("reading "+t.BaseName()+" back from a key", "Keep the value beside its key.")
}

func decodeNestedKey(src []byte, t sql.Type) (sql.Datum, []byte, error) {
	kids, l := children(t), layoutOf(t)
	var members []sql.Datum
	for i := 0; l != layoutRow || i < len(kids); i++ {
		if len(src) == 0 {
			return nil, nil, errShortKey
		}
		mark := src[0]
		src = src[1:]
		if l != layoutRow && mark == markEnd {
			break
		}
		var d sql.Datum
		if mark == markValue {
			var err error
			if d, src, err = decodeKeyValue(src, kids[i%len(kids)]); err != nil {
				return nil, nil, err
			}
		}
		members = append(members, d)
	}
	switch l {
	case layoutRow:
		return sql.RowValue(members), src, nil
	case layoutMap:
		m := sql.MapValue{}
		for i := 0; i+1 < len(members); i += 2 {
			m = append(m, sql.MapEntry{Key: members[i], Value: members[i+1]})
		}
		return m, src, nil
	}
	if members == nil {
		members = []sql.Datum{}
	}
	return members, src, nil
}

func decodeKeyDecimal(src []byte, t sql.Type, width int) (sql.Datum, []byte, error) {
	if len(src) < width {
		return nil, nil, errShortKey
	}
	b := bytes.Clone(src[:width])
	b[0] ^= 0x80
	n := new(big.Int).SetBytes(b)
	if b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(width*8)))
	}
	d := &sql.Decimal{Negative: n.Sign() < 0, Exponent: -t.Scale}
	d.Coeff.SetMathBigInt(n.Abs(n))
	return d, src[width:], nil
}

func decodeKeyBytes(src []byte) (value, rest []byte, err error) {
	value = []byte{}
	for {
		i := bytes.IndexByte(src, 0)
		if i < 0 || i+1 >= len(src) {
			return nil, nil, errShortKey
		}
		value = append(value, src[:i]...)
		if src[i+1] == 1 {
			return value, src[i+2:], nil
		}
		value, src = append(value, 0), src[i+2:]
	}
}

// int64Datum is the datum of a value kept in 64 bits.
func int64Datum(v int64, t sql.Type) sql.Datum {
	switch t.Kind {
	case sql.Time:
		return sql.TimeValue(v)
	case sql.Timestamp, sql.Timestamptz:
		return sql.TimestampValue(v)
	case sql.Numeric:
		return stream.Value(stream.Fixed(t, []int64{v}, nil), t, 0)
	}
	return v
}

func floatFromOrdered64(u uint64) float64 {
	switch {
	case u == math.MaxUint64:
		return math.NaN()
	case u&signBit64 != 0:
		return math.Float64frombits(u &^ signBit64)
	}
	return math.Float64frombits(^u)
}

func floatFromOrdered32(u uint32) float32 {
	switch {
	case u == math.MaxUint32:
		return float32(math.NaN())
	case u&signBit32 != 0:
		return math.Float32frombits(u &^ signBit32)
	}
	return math.Float32frombits(^u)
}

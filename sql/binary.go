package sql

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
)

// PostgreSQL's binary wire format: big endian, dates and timestamps counted from 2000-01-01.

const pgEpochMicros = PostgresEpochDays * MicrosPerDay

// AppendBinary appends d in PostgreSQL's binary wire format. d is not nil. A map travels as its text.
func AppendBinary(dst []byte, t Type, d Datum) ([]byte, error) {
	be := binary.BigEndian
	switch v := d.(type) {
	case bool:
		return append(dst, byte(btoi(v))), nil
	case int64:
		switch t.Kind {
		case Int2:
			return be.AppendUint16(dst, uint16(v)), nil
		case Int8:
			return be.AppendUint64(dst, uint64(v)), nil
		}
		return be.AppendUint32(dst, uint32(v)), nil
	case float64:
		if t.Kind == Float4 {
			return be.AppendUint32(dst, math.Float32bits(float32(v))), nil
		}
		return be.AppendUint64(dst, math.Float64bits(v)), nil
	case *Decimal:
		return appendBinaryNumeric(dst, v), nil
	case string:
		if t.Kind == JSONB {
			dst = append(dst, 1) // the version of the format
		}
		return append(dst, v...), nil
	case []byte:
		return append(dst, v...), nil
	case DateValue:
		if v.Finite() {
			v -= PostgresEpochDays
		}
		return be.AppendUint32(dst, uint32(v)), nil
	case TimeValue:
		return be.AppendUint64(dst, uint64(v)), nil
	case TimestampValue:
		if v.Finite() {
			v -= pgEpochMicros
		}
		return be.AppendUint64(dst, uint64(v)), nil
	case IntervalValue:
		dst = be.AppendUint64(dst, uint64(v.Micros))
		dst = be.AppendUint32(dst, uint32(v.Days))
		return be.AppendUint32(dst, uint32(v.Months)), nil
	case UUIDValue:
		return append(dst, v[:]...), nil
	case []Datum:
		return appendBinaryArray(dst, t, v)
	case RowValue:
		return appendBinaryRow(dst, t, v)
	case MapValue:
		return AppendText(dst, t, v), nil
	}
	return dst, Unsupported("the binary form of type "+t.String(), "Ask for the result in text format.")
}

// ParseBinary reads a value of PostgreSQL's binary wire format; the errors are 22P03 and 08P01.
// Modifiers of t are applied.
func ParseBinary(t Type, b []byte) (Datum, error) {
	if n := fixedBinaryLen(t.Kind); n > 0 && len(b) != n {
		if len(b) < n {
			return nil, Errorf(CodeProtocolViolation, "insufficient data left in message")
		}
		return nil, badBinary("incorrect binary data format")
	}
	be := binary.BigEndian
	switch t.Kind {
	case Bool:
		return b[0] != 0, nil
	case Int2:
		return int64(int16(be.Uint16(b))), nil
	case Int4:
		return int64(int32(be.Uint32(b))), nil
	case OID, Regclass, Regtype, Regproc, Regnamespace:
		return int64(be.Uint32(b)), nil
	case Int8:
		return int64(be.Uint64(b)), nil
	case Float4:
		return float64(math.Float32frombits(be.Uint32(b))), nil
	case Float8:
		return math.Float64frombits(be.Uint64(b)), nil
	case Numeric:
		d, err := parseBinaryNumeric(b)
		if err == nil {
			d, err = t.FitNumeric(d)
		}
		return boxed(d, err)
	case Bytea:
		return append([]byte{}, b...), nil
	case Date:
		return parseBinaryDate(int32(be.Uint32(b)))
	case Time:
		v := TimeValue(be.Uint64(b))
		if v < 0 || v > MicrosPerDay {
			return nil, Errorf(CodeDatetimeOverflow, "time out of range")
		}
		return t.FitTime(v), nil
	case Timestamp, Timestamptz:
		v, err := parseBinaryTimestamp(int64(be.Uint64(b)))
		return boxed(t.FitTimestamp(v), err)
	case Interval:
		return IntervalValue{int64(be.Uint64(b)), int32(be.Uint32(b[8:])), int32(be.Uint32(b[12:]))}, nil
	case UUID:
		return UUIDValue(b), nil
	case Array, Int2Vector, OIDVector:
		return parseBinaryArray(t, b)
	case Row, Record:
		return parseBinaryRow(t, b)
	}
	return parseBinaryText(t, b)
}

func parseBinaryText(t Type, b []byte) (Datum, error) {
	if t.Kind == JSONB {
		if len(b) == 0 || b[0] != 1 {
			version := 0
			if len(b) > 0 {
				version = int(b[0])
			}
			return nil, Errorf(CodeInternal, "unsupported jsonb version number %d", version)
		}
		b = b[1:]
	}
	if err := CheckUTF8(b); err != nil {
		return nil, err
	}
	return ParseText(t, string(b))
}

// CheckUTF8 checks that b may be a text: valid UTF-8 without zero bytes. The error is 22021.
func CheckUTF8(b []byte) error {
	for i := 0; i < len(b); {
		if b[i] != 0 && b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if b[i] == 0 || r == utf8.RuneError && n <= 1 {
			return badUTF8(b[i:])
		}
		i += n
	}
	return nil
}

func badUTF8(b []byte) error {
	want := 1
	switch c := b[0]; {
	case c >= 0xf8:
	case c >= 0xf0:
		want = 4
	case c >= 0xe0:
		want = 3
	case c >= 0xc0:
		want = 2
	}
	text := []byte(nil)
	for _, c := range b[:min(want, len(b))] {
		const hex = "0123456789abcdef"
		text = append(text, ' ', '0', 'x', hex[c>>4], hex[c&15])
	}
	return Errorf("22021", "invalid byte sequence for encoding \"UTF8\":%s", text)
}

func badBinary(message string) *Error { return Errorf("22P03", "%s", message) }

func fixedBinaryLen(k Kind) int {
	switch k {
	case Text, Varchar, Char, Name, JSON, JSONB, Unknown, InternalChar, Void:
		return 0
	}
	if n := oidByKind[k].length; n > 0 {
		return int(n)
	}
	return 0
}

func parseBinaryDate(v int32) (Datum, error) {
	if d := DateValue(v); !d.Finite() {
		return d, nil
	}
	days := int64(v) + PostgresEpochDays
	if days < int64(MinDate) || days > int64(MaxDate) {
		return nil, Errorf(CodeDatetimeOverflow, "date out of range")
	}
	return DateValue(days), nil
}

func parseBinaryTimestamp(v int64) (TimestampValue, error) {
	if t := TimestampValue(v); !t.Finite() {
		return t, nil
	}
	sum, ok := addInt64(v, pgEpochMicros)
	if t := TimestampValue(sum); ok && t.InRange() {
		return t, nil
	}
	return 0, Errorf(CodeDatetimeOverflow, "timestamp out of range")
}

// The sign words of a binary numeric.
const (
	numericWireNegative = 0x4000
	numericWireNaN      = 0xC000
	numericWireInf      = 0xD000
	numericWireNegInf   = 0xF000
)

// appendBinaryNumeric appends the count of base-10000 digits, the weight of the first, the sign, the
// display scale and the digits.
func appendBinaryNumeric(dst []byte, d *Decimal) []byte {
	be := binary.BigEndian
	header := func(n, weight int, sign, scale uint16) {
		for _, v := range [...]uint16{uint16(n), uint16(int16(weight)), sign, scale} {
			dst = be.AppendUint16(dst, v)
		}
	}
	switch {
	case d.Form == apd.Infinite && d.Negative:
		header(0, 0, numericWireNegInf, 0x20)
		return dst
	case d.Form == apd.Infinite:
		header(0, 0, numericWireInf, 0x20)
		return dst
	case d.Form != apd.Finite:
		header(0, 0, numericWireNaN, 0)
		return dst
	}
	text := AppendNumericText(nil, d)
	sign := uint16(0)
	if text[0] == '-' {
		sign, text = numericWireNegative, text[1:]
	}
	scale := int(NumericScale(d))
	whole, frac := text, []byte(nil)
	if scale > 0 {
		whole, frac = text[:len(text)-scale-1], text[len(text)-scale:]
	}
	// Pad both sides to groups of four digits.
	groups := make([]uint16, 0, len(text)/4+2)
	acc, n := uint16(0), (4-len(whole)%4)%4
	for _, part := range [...][]byte{whole, frac} {
		for _, c := range part {
			acc = acc*10 + uint16(c-'0')
			if n++; n == 4 {
				groups = append(groups, acc)
				acc, n = 0, 0
			}
		}
	}
	for ; n > 0 && n < 4; n++ {
		acc *= 10
	}
	if n == 4 {
		groups = append(groups, acc)
	}
	weight := (len(whole)+3)/4 - 1
	for len(groups) > 0 && groups[0] == 0 {
		groups = groups[1:]
		weight--
	}
	for len(groups) > 0 && groups[len(groups)-1] == 0 {
		groups = groups[:len(groups)-1]
	}
	if len(groups) == 0 {
		weight = 0
	}
	header(len(groups), weight, sign, uint16(scale))
	for _, g := range groups {
		dst = be.AppendUint16(dst, g)
	}
	return dst
}

func parseBinaryNumeric(b []byte) (*Decimal, error) {
	be := binary.BigEndian
	if len(b) < 8 {
		return nil, Errorf(CodeProtocolViolation, "insufficient data left in message")
	}
	n, weight, sign, scale := int(be.Uint16(b)), int(int16(be.Uint16(b[2:]))), be.Uint16(b[4:]), int(be.Uint16(b[6:]))
	switch sign {
	case numericWireNaN:
		return &Decimal{Form: apd.NaN}, nil
	case numericWireInf, numericWireNegInf:
		return &Decimal{Form: apd.Infinite, Negative: sign == numericWireNegInf}, nil
	case 0, numericWireNegative:
	default:
		return nil, badBinary(`invalid sign in external "numeric" value`)
	}
	if scale > NumericMaxScale {
		return nil, badBinary(`invalid scale in external "numeric" value`)
	}
	if b = b[8:]; len(b) < 2*n {
		return nil, Errorf(CodeProtocolViolation, "insufficient data left in message")
	} else if len(b) > 2*n {
		return nil, badBinary("incorrect binary data format")
	}
	digits := make([]byte, 0, 4*n+1)
	for i := range n {
		g := be.Uint16(b[2*i:])
		if g > 9999 {
			return nil, badBinary(`invalid digit in external "numeric" value`)
		}
		digits = append(digits, byte('0'+g/1000), byte('0'+g/100%10), byte('0'+g/10%10), byte('0'+g%10))
	}
	if n == 0 {
		return &Decimal{Exponent: int32(-scale)}, nil
	}
	d, err := decimalOf(string(digits), (weight-n+1)*4)
	if err != nil {
		return nil, err
	}
	Truncate(d, d, int32(scale))
	Rescale(d, d, int32(scale))
	d.Negative = sign == numericWireNegative && d.Coeff.Sign() != 0
	return d, nil
}

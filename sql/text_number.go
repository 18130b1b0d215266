package sql

import (
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// ParseInteger reads an integer type or an OID.
func ParseInteger(t Type, s string) (int64, error) {
	digits := trimSpace(s)
	neg := false
	if digits != "" && (digits[0] == '-' || digits[0] == '+') {
		neg = digits[0] == '-'
		digits = digits[1:]
	}
	if digits == "" {
		return 0, invalidSyntax(t.BaseName(), s)
	}
	var u uint64
	for i := 0; i < len(digits); i++ {
		c := digits[i] - '0'
		if c > 9 {
			return 0, invalidSyntax(t.BaseName(), s)
		}
		if u > (1<<63)/10 {
			u = 1<<64 - 1 // out of range whatever follows, as long as it is digits
			continue
		}
		u = u*10 + uint64(c)
	}
	limit := uint64(math.MaxInt64)
	switch {
	case t.Kind == Int2:
		limit = math.MaxInt16
	case t.Kind == Int4:
		limit = math.MaxInt32
	case t.IsOID():
		if neg && u <= 1<<31 { // as strtoul does
			return int64(uint32(-int64(u))), nil
		}
		limit = math.MaxUint32
	}
	if neg && !t.IsOID() {
		limit++
	}
	if u > limit {
		return 0, Errorf(CodeNumericOutOfRange, "value \"%s\" is out of range for type %s", s, t.BaseName())
	}
	if neg {
		return int64(-u), nil
	}
	return int64(u), nil
}

// ParseFloat reads a double precision (bits 64) or a real (bits 32).
func ParseFloat(s string, bits int) (float64, error) {
	name := TypeFloat8.BaseName()
	if bits == 32 {
		name = TypeFloat4.BaseName()
	}
	text := trimSpace(s)
	if !isDecimalFloat(text) {
		switch strings.ToLower(text) {
		case "nan":
			return math.NaN(), nil
		case "inf", "+inf", "infinity", "+infinity":
			return math.Inf(1), nil
		case "-inf", "-infinity":
			return math.Inf(-1), nil
		}
		return 0, invalidSyntax(name, s)
	}
	f, err := strconv.ParseFloat(text, bits)
	if err != nil || f == 0 && strings.ContainsAny(mantissa(text), "123456789") {
		return 0, Errorf(CodeNumericOutOfRange, "\"%s\" is out of range for type %s", text, name)
	}
	return f, nil
}

// isDecimalFloat tells whether s is sign, digits, point, digits, exponent: it keeps out what
// strconv reads beyond C's decimal floats, such as underscores.
func isDecimalFloat(s string) bool {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for point := false; i < len(s); i++ {
		if s[i] == '.' && !point {
			point = true
		} else if s[i] >= '0' && s[i] <= '9' {
			digits++
		} else {
			break
		}
	}
	if digits == 0 {
		return false
	}
	if i == len(s) {
		return true
	}
	if s[i] != 'e' && s[i] != 'E' {
		return false
	}
	i++
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	from := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i == len(s) && i > from
}

func mantissa(s string) string {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		return s[:i]
	}
	return s
}

// AppendFloat appends a double precision (bits 64) or a real (bits 32) in its shortest form that
// reads back the same, as PostgreSQL prints it: 1e+20, NaN, Infinity.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	// The exponents between which PostgreSQL prints without one.
	low, high := 1e-4, 1e15
	if bits == 32 {
		high = 1e6
	}
	if abs := math.Abs(f); f == 0 || abs >= low && abs < high {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

// ParseNumeric reads a numeric of any precision: digits, NaN, Infinity.
func ParseNumeric(s string) (*Decimal, error) {
	text := trimSpace(s)
	if !isDecimalFloat(text) {
		switch strings.ToLower(text) {
		case "nan":
			return &Decimal{Form: apd.NaN}, nil
		case "inf", "+inf", "infinity", "+infinity":
			return &Decimal{Form: apd.Infinite}, nil
		case "-inf", "-infinity":
			return &Decimal{Form: apd.Infinite, Negative: true}, nil
		}
		return nil, invalidSyntax("numeric", s)
	}
	digits, exp := text, 0
	if m := mantissa(text); m != text {
		e, err := strconv.Atoi(text[len(m)+1:])
		if err != nil || e >= math.MaxInt32/2 || e <= -math.MaxInt32/2 {
			return nil, numericOverflow()
		}
		digits, exp = m, e
	}
	return decimalOf(digits, exp)
}

func numericOverflow() *Error {
	return Errorf(CodeNumericOutOfRange, "value overflows numeric format")
}

// decimalOf makes the decimal digits × 10^exp, where digits has a sign and a point at most.
func decimalOf(digits string, exp int) (*Decimal, error) {
	d := &Decimal{}
	if digits[0] == '-' || digits[0] == '+' {
		d.Negative = digits[0] == '-'
		digits = digits[1:]
	}
	whole, frac, _ := strings.Cut(digits, ".")
	if len(whole)+len(frac) <= 18 {
		var u uint64
		for i := 0; i < len(whole); i++ {
			u = u*10 + uint64(whole[i]-'0')
		}
		for i := 0; i < len(frac); i++ {
			u = u*10 + uint64(frac[i]-'0')
		}
		d.Coeff.SetUint64(u)
	} else if _, ok := d.Coeff.SetString(whole+frac, 10); !ok {
		return nil, numericOverflow() // cannot happen: the digits were checked
	}
	scale := len(frac) - exp
	if d.Coeff.Sign() == 0 {
		d.Negative = false // numeric has no negative zero
	} else if int(d.NumDigits())-scale > NumericMaxWholeDigits {
		return nil, numericOverflow()
	}
	if scale > NumericMaxScale {
		return nil, numericOverflow()
	}
	if scale < 0 {
		if d.Coeff.Sign() != 0 {
			d.Coeff.Mul(&d.Coeff, PowerOfTen(int32(-scale)))
		}
		scale = 0
	}
	d.Exponent = int32(-scale)
	return d, nil
}

// FitNumeric applies the precision and scale of a fixed numeric: it rounds half away from zero,
// and 22003 is the error of too many digits.
func (t Type) FitNumeric(d *Decimal) (*Decimal, error) {
	if d == nil || !t.IsFixed() {
		return d, nil
	}
	if d.Form != apd.Finite {
		what := "an infinite value"
		if d.Form != apd.Infinite {
			what = "NaN" // PostgreSQL's can; an Arrow decimal cannot
		}
		return nil, Errorf(CodeNumericOutOfRange, "numeric field overflow").WithDetail(
			"A field with precision %d, scale %d cannot hold %s.", t.Precision, t.Scale, what)
	}
	var r Decimal
	Rescale(&r, d, t.Scale)
	if r.Coeff.Sign() != 0 && int32(r.NumDigits()) > t.Precision {
		bound := "1"
		if t.Precision != t.Scale {
			bound = "10^" + strconv.Itoa(int(t.Precision-t.Scale))
		}
		return nil, Errorf(CodeNumericOutOfRange, "numeric field overflow").WithDetail(
			"A field with precision %d, scale %d must round to an absolute value less than %s.",
			t.Precision, t.Scale, bound)
	}
	if r.Exponent > 0 {
		Rescale(&r, &r, 0)
	}
	return &r, nil
}

// AppendNumericText appends d as PostgreSQL prints it: no exponent, all fractional digits.
func AppendNumericText(dst []byte, d *Decimal) []byte {
	switch d.Form {
	case apd.Finite:
	case apd.Infinite:
		if d.Negative {
			return append(dst, "-Infinity"...)
		}
		return append(dst, "Infinity"...)
	default:
		return append(dst, "NaN"...)
	}
	if d.Negative && d.Coeff.Sign() != 0 {
		dst = append(dst, '-')
	}
	start := len(dst)
	if d.Coeff.IsUint64() {
		dst = strconv.AppendUint(dst, d.Coeff.Uint64(), 10)
	} else {
		dst = d.Coeff.Append(dst, 10)
	}
	for e := d.Exponent; e > 0; e-- {
		dst = append(dst, '0')
	}
	if d.Exponent >= 0 {
		return dst
	}
	return insertPoint(dst, start, int(-d.Exponent))
}

// insertPoint puts a decimal point before the last scale digits of dst[start:], with zeros in front
// when there are too few digits.
func insertPoint(dst []byte, start, scale int) []byte {
	if missing := scale + 1 - (len(dst) - start); missing > 0 {
		for range missing {
			dst = append(dst, '0')
		}
		copy(dst[start+missing:], dst[start:len(dst)-missing])
		for i := start; i < start+missing; i++ {
			dst[i] = '0'
		}
	}
	dst = append(dst, 0)
	point := len(dst) - 1 - scale
	copy(dst[point+1:], dst[point:])
	dst[point] = '.'
	return dst
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

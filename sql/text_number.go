package sql

import (
	"math"
	"math/big"
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
	limit := uint64(math.MaxInt64)
	switch {
	case t.Kind == Int2:
		limit = math.MaxInt16
	case t.Kind == Int4, t.IsOID() && neg: // -1 is the largest OID, as strtoul has it
		limit = math.MaxInt32
	case t.IsOID():
		limit = math.MaxUint32
	}
	outOfRange := func() *Error {
		return Errorf(CodeNumericOutOfRange, "value \"%s\" is out of range for type %s", s, t.BaseName())
	}
	// Which of two errors comes first is PostgreSQL's way: digits that overflow even the negative
	// range hide what follows them, except in an OID.
	ceiling := limit + 1
	if t.IsOID() {
		ceiling = math.MaxUint64
	}
	var u uint64
	for i := 0; i < len(digits); i++ {
		c := uint64(digits[i] - '0')
		if c > 9 {
			return 0, invalidSyntax(t.BaseName(), s)
		}
		if u > (ceiling-c)/10 {
			if t.IsOID() {
				u = math.MaxUint64 / 100
				continue
			}
			return 0, outOfRange()
		}
		u = u*10 + c
	}
	if u > limit && !(neg && u == limit+1) {
		return 0, outOfRange()
	}
	if neg && t.IsOID() {
		return int64(uint32(-u)), nil
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
	n := decimalPrefix(text)
	if n == 0 {
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
	f, err := strconv.ParseFloat(text[:n], bits)
	if err != nil || f == 0 && strings.ContainsAny(mantissa(text[:n]), "123456789") {
		shown := text[:n]
		if bits == 32 {
			shown = s
		}
		return 0, Errorf(CodeNumericOutOfRange, "\"%s\" is out of range for type %s", shown, name)
	}
	if n < len(text) {
		return 0, invalidSyntax(name, s)
	}
	return f, nil
}

// decimalPrefix is the length of the decimal number that s starts with (sign, digits, point, digits,
// exponent), or 0. It keeps out what strconv reads beyond that, such as underscores.
func decimalPrefix(s string) int {
	i, digits := 0, 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for point := false; i < len(s); i++ {
		if s[i] == '.' && !point {
			point = true
		} else if isDigit(s[i]) {
			digits++
		} else {
			break
		}
	}
	if digits == 0 {
		return 0
	}
	if i == len(s) || s[i] != 'e' && s[i] != 'E' {
		return i
	}
	end := i + 1
	if end < len(s) && (s[end] == '+' || s[end] == '-') {
		end++
	}
	if end == len(s) || !isDigit(s[end]) {
		return i
	}
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return end
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
		low, high = float64(float32(1e-4)), 1e6
	}
	if abs := math.Abs(f); f == 0 || abs >= low && abs < high {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, bits)
	for prec := mantissaDigits(dst[start:]); onBoundary(dst[start:], f, bits); prec++ {
		dst = strconv.AppendFloat(dst[:start], f, 'e', prec, bits) // with a digit more
	}
	return dst
}

func mantissaDigits(text []byte) (n int) {
	for _, c := range text {
		if c == 'e' {
			break
		}
		if isDigit(c) {
			n++
		}
	}
	return n
}

// onBoundary tells whether the decimal text lies exactly half-way between f and a neighbour. It reads
// back as f if f is the even one, and strconv takes it; PostgreSQL does not trust all readers
// to round to even and prints a digit more. Only integers beyond the mantissa's bits have such texts.
func onBoundary(text []byte, f float64, bits int) bool {
	f = math.Abs(f)
	first := float64(1 << 53)
	if bits == 32 {
		first = 1 << 24
	}
	if f < first || f > 1e40 {
		return false
	}
	above, below := math.Nextafter(f, math.Inf(1)), math.Nextafter(f, 0)
	if bits == 32 {
		above = float64(math.Nextafter32(float32(f), math.MaxFloat32))
		below = float64(math.Nextafter32(float32(f), 0))
	}
	decimal, _, err := big.ParseFloat(strings.TrimPrefix(string(text), "-"), 10, 256, big.ToNearestEven)
	if err != nil {
		return false
	}
	twice := decimal.Add(decimal, decimal)
	for _, neighbour := range [...]float64{above, below} {
		sum := new(big.Float).SetPrec(256).SetFloat64(f)
		if sum.Add(sum, big.NewFloat(neighbour)).Cmp(twice) == 0 {
			return true
		}
	}
	return false
}

// ParseNumeric reads a numeric of any precision: digits, NaN, Infinity.
func ParseNumeric(s string) (*Decimal, error) {
	text := trimSpace(s)
	n := decimalPrefix(text)
	if n == 0 {
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
	digits, exp := text[:n], 0
	if m := mantissa(digits); m != digits {
		e, err := strconv.Atoi(digits[len(m)+1:])
		if err != nil || e >= math.MaxInt32/2 || e <= -math.MaxInt32/2 {
			return nil, numericOverflow()
		}
		digits, exp = m, e
	}
	if n < len(text) {
		return nil, invalidSyntax("numeric", s)
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

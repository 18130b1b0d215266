package state

import (
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// The key of a numeric of variable scale. Finite values other than 0 are written 0.d₁d₂d₃… · 10ᵉ
// with d₁ ≠ 0 and no zeros at the end, which gives equal values one form:
//
//	class | e + 2²³ in 3 bytes | two digits a byte, plus 1 | 00
//
// What follows the class has its bits flipped for negative values.
const (
	numericClassNegInf = 0x10 * (iota + 1)
	numericClassNegative
	numericClassZero
	numericClassPositive
	numericClassInf
	numericClassNaN

	exponentBias = 1 << 23 // PostgreSQL's exponents lie within -16384 and 131073
)

// appendKeyNumeric appends the key of a numeric in the form of sql.AppendNumeric.
func appendKeyNumeric(dst, num []byte) []byte {
	if negative, mag, scale, ok := sql.DecodeNumericUint64(num); ok {
		return appendKeyMagnitude(dst, negative, mag, int(scale))
	}
	var d sql.Decimal
	sql.DecodeNumeric(num, &d)
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return append(dst, numericClassNegInf)
	case d.Form == apd.Infinite:
		return append(dst, numericClassInf)
	case d.Form != apd.Finite:
		return append(dst, numericClassNaN)
	}
	return appendKeyDecimal(dst, &d)
}

// appendKeyMagnitude is the path of numbers of up to 64 bits, without an allocation.
func appendKeyMagnitude(dst []byte, negative bool, mag uint64, scale int) []byte {
	if mag == 0 {
		return append(dst, numericClassZero)
	}
	n := decimalDigits(mag)
	start, dst := len(dst)+1, appendKeyExponent(dst, negative, n-scale)
	// Two digits at a time from the left; a last odd digit stands for tens.
	for unit := powersOf10[n-1]; ; unit /= 100 {
		if unit == 1 {
			dst = append(dst, byte(mag*10+1))
			mag = 0
		} else {
			dst = append(dst, byte(mag/(unit/10)+1))
			mag %= unit / 10
		}
		if mag == 0 {
			return closeKeyNumeric(dst, negative, start)
		}
	}
}

func appendKeyDecimal(dst []byte, d *sql.Decimal) []byte {
	if d.Coeff.Sign() == 0 {
		return append(dst, numericClassZero)
	}
	digits := d.Coeff.Append(make([]byte, 0, 64), 10)
	start, dst := len(dst)+1, appendKeyExponent(dst, d.Negative, len(digits)+int(d.Exponent))
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	for ; len(digits) > 1; digits = digits[2:] {
		dst = append(dst, (digits[0]-'0')*10+digits[1]-'0'+1)
	}
	if len(digits) == 1 {
		dst = append(dst, (digits[0]-'0')*10+1)
	}
	return closeKeyNumeric(dst, d.Negative, start)
}

func appendKeyExponent(dst []byte, negative bool, e int) []byte {
	class := byte(numericClassPositive)
	if negative {
		class = numericClassNegative
	}
	e += exponentBias
	return append(dst, class, byte(e>>16), byte(e>>8), byte(e))
}

func closeKeyNumeric(dst []byte, negative bool, start int) []byte {
	dst = append(dst, 0)
	if negative {
		flip(dst[start:])
	}
	return dst
}

var powersOf10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// decimalDigits is the number of digits of m > 0.
func decimalDigits(m uint64) int {
	n := bits.Len64(m) * 1233 >> 12 // log₂ to log₁₀, at most one too low
	if m >= powersOf10[n] {
		n++
	}
	return n
}

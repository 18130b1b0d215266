package sql

import (
	"encoding/binary"
	"math/big"

	"github.com/cockroachdb/apd/v3"
)

// The binary form of a numeric of variable scale, as a column of Arrow binaries holds it:
//
//	NaN, Infinity, -Infinity   one byte: the form
//	finite                     form | sign, the scale as a uvarint, the magnitude
//
// The magnitude is big endian without leading zeros (nothing for 0), so that 12.50 takes 4 bytes.
// The form keeps the display scale: 1.0 and 1.00 are equal values with different bytes; hash and
// compare by value, not by bytes.
const (
	numericFinite = iota
	numericNegative
	numericNaN
	numericInf
	numericNegInf
)

// Limits of PostgreSQL's numeric.
const (
	NumericMaxPrecision    = 1000   // declarable digits
	NumericMaxScale        = 16383  // fractional digits of a value
	NumericMaxWholeDigits  = 131072 // digits before the decimal point
	NumericMinSigDigits    = 16     // of a quotient
	NumericMaxDisplayScale = 1000   // of a quotient
)

// AppendNumeric appends the binary form of d. A positive exponent is scaled out first.
func AppendNumeric(dst []byte, d *Decimal) []byte {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return append(dst, numericNegInf)
	case d.Form == apd.Infinite:
		return append(dst, numericInf)
	case d.Form != apd.Finite:
		return append(dst, numericNaN)
	}
	if d.Exponent > 0 {
		var flat Decimal
		Rescale(&flat, d, 0)
		d = &flat
	}
	form := byte(numericFinite)
	if d.Negative && d.Coeff.Sign() != 0 {
		form = numericNegative
	}
	dst = binary.AppendUvarint(append(dst, form), uint64(-d.Exponent))
	if d.Coeff.IsUint64() {
		return appendMagnitude(dst, d.Coeff.Uint64())
	}
	return append(dst, d.Coeff.Bytes()...)
}

// AppendNumericUint64 appends the binary form of ±mag / 10^scale.
func AppendNumericUint64(dst []byte, negative bool, mag uint64, scale int32) []byte {
	return AppendNumericUint128(dst, negative, 0, mag, scale)
}

// AppendNumericUint128 appends the binary form of ±(hi·2^64 + lo) / 10^scale.
func AppendNumericUint128(dst []byte, negative bool, hi, lo uint64, scale int32) []byte {
	form := byte(numericFinite)
	if negative && hi|lo != 0 {
		form = numericNegative
	}
	dst = binary.AppendUvarint(append(dst, form), uint64(scale))
	if hi == 0 {
		return appendMagnitude(dst, lo)
	}
	return binary.BigEndian.AppendUint64(appendMagnitude(dst, hi), lo)
}

func appendMagnitude(dst []byte, m uint64) []byte {
	for shift := 56; shift >= 0; shift -= 8 {
		if m>>shift != 0 {
			dst = append(dst, byte(m>>shift))
		}
	}
	return dst
}

// DecodeNumeric sets d to what AppendNumeric wrote. It allocates nothing up to 38 digits.
func DecodeNumeric(b []byte, d *Decimal) {
	d.Form, d.Negative, d.Exponent = apd.Finite, false, 0
	switch b[0] {
	case numericNaN:
		d.Form = apd.NaN
	case numericInf, numericNegInf:
		d.Form, d.Negative = apd.Infinite, b[0] == numericNegInf
	default:
		d.Negative = b[0] == numericNegative
		scale, n := binary.Uvarint(b[1:])
		d.Exponent = -int32(scale)
		if mag := b[1+n:]; len(mag) <= 8 {
			d.Coeff.SetUint64(magnitude(mag))
		} else {
			d.Coeff.SetBytes(mag)
		}
		return
	}
	d.Coeff.SetUint64(0)
}

// DecodeNumericUint64 reads a finite numeric of up to 64 bits; ok is false for any other.
func DecodeNumericUint64(b []byte) (negative bool, mag uint64, scale int32, ok bool) {
	if b[0] > numericNegative {
		return false, 0, 0, false
	}
	s, n := binary.Uvarint(b[1:])
	m := b[1+n:]
	if len(m) > 8 {
		return false, 0, 0, false
	}
	return b[0] == numericNegative, magnitude(m), int32(s), true
}

func magnitude(b []byte) (m uint64) {
	for _, c := range b {
		m = m<<8 | uint64(c)
	}
	return m
}

// NumericScale is d's display scale: the fractional digits that it prints.
func NumericScale(d *Decimal) int32 {
	if d.Form != apd.Finite || d.Exponent > 0 {
		return 0
	}
	return -d.Exponent
}

// Rescale sets dst to src with exactly scale fractional digits, rounding half away from zero; a
// negative scale rounds to tens, hundreds … and leaves a positive exponent. NaN and infinities stay.
func Rescale(dst, src *Decimal, scale int32) {
	if src.Form != apd.Finite || src.Exponent == -scale {
		if dst != src {
			dst.Set(src)
		}
		return
	}
	shift := scale + src.Exponent // digits to add, or to drop
	neg := src.Negative
	if shift >= 0 {
		dst.Coeff.Mul(&src.Coeff, PowerOfTen(shift))
	} else {
		roundedQuo(&dst.Coeff, &src.Coeff, PowerOfTen(-shift))
	}
	dst.Form, dst.Exponent = apd.Finite, -scale
	dst.Negative = neg && dst.Coeff.Sign() != 0
}

// Truncate sets dst to src with at most scale fractional digits, cut off towards zero.
func Truncate(dst, src *Decimal, scale int32) {
	if src.Form != apd.Finite || src.Exponent >= -scale {
		if dst != src {
			dst.Set(src)
		}
		return
	}
	neg := src.Negative
	dst.Coeff.Quo(&src.Coeff, PowerOfTen(-src.Exponent-scale))
	dst.Form, dst.Exponent = apd.Finite, -scale
	dst.Negative = neg && dst.Coeff.Sign() != 0
}

// roundedQuo sets q to x / y rounded half away from zero; neither is negative.
func roundedQuo(q, x, y *apd.BigInt) {
	var r apd.BigInt
	q.QuoRem(x, y, &r)
	r.Lsh(&r, 1)
	if r.Cmp(y) >= 0 {
		q.Add(q, apd.NewBigInt(1))
	}
}

// PowerOfTen is 10^n. The result is shared: don't write to it.
func PowerOfTen(n int32) *apd.BigInt {
	if int(n) < len(powersOfTen) {
		return &powersOfTen[n]
	}
	p := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	return new(apd.BigInt).SetMathBigInt(p)
}

var powersOfTen = func() (ps [128]apd.BigInt) {
	ps[0].SetInt64(1)
	for i := 1; i < len(ps); i++ {
		ps[i].Mul(&ps[i-1], apd.NewBigInt(10))
	}
	return ps
}()

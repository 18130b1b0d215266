package expr

import (
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// Arithmetic on single numerics with PostgreSQL's display scales, NaN and infinities. Results may
// overwrite operands.

// addDecimal is r = a + b, or a - b if minus.
func addDecimal(r, a, b *sql.Decimal, minus bool) {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		addSpecial(r, a, b, minus)
		return
	}
	scale := max(sql.NumericScale(a), sql.NumericScale(b))
	bNegative := b.Negative != minus
	sql.Rescale(a, a, scale)
	sql.Rescale(b, b, scale)
	aNegative := a.Negative
	r.Form, r.Exponent = apd.Finite, -scale
	if aNegative == bNegative {
		r.Coeff.Add(&a.Coeff, &b.Coeff)
		r.Negative = aNegative
		return
	}
	c := a.Coeff.Cmp(&b.Coeff)
	r.Coeff.Sub(&a.Coeff, &b.Coeff)
	r.Coeff.Abs(&r.Coeff)
	r.Negative = c > 0 && aNegative || c < 0 && bNegative
}

func addSpecial(r, a, b *sql.Decimal, minus bool) {
	bNegative := b.Negative != minus
	switch {
	case isNaN(a) || isNaN(b) || a.Form == b.Form && a.Negative != bNegative:
		setNaN(r)
	case a.Form == apd.Infinite:
		setInfinite(r, a.Negative)
	default:
		setInfinite(r, bNegative)
	}
}

func mulDecimal(r, a, b *sql.Decimal) {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		if isNaN(a) || isNaN(b) || isZero(a) || isZero(b) {
			setNaN(r)
		} else {
			setInfinite(r, a.Negative != b.Negative)
		}
		return
	}
	scale := sql.NumericScale(a) + sql.NumericScale(b)
	r.Negative = a.Negative != b.Negative
	r.Coeff.Mul(&a.Coeff, &b.Coeff)
	r.Form, r.Exponent = apd.Finite, -scale
	sql.Rescale(r, r, min(scale, sql.NumericMaxScale))
}

func divDecimal(r, a, b *sql.Decimal) error {
	switch {
	case isNaN(a) || isNaN(b):
		setNaN(r)
		return nil
	case isZero(b):
		return errDivisionByZero
	case a.Form == apd.Infinite && b.Form == apd.Infinite:
		setNaN(r)
		return nil
	case a.Form == apd.Infinite:
		setInfinite(r, a.Negative != b.Negative)
		return nil
	case b.Form == apd.Infinite:
		r.SetFinite(0, 0)
		return nil
	}
	quoDecimal(r, a, b, divScale(a, b))
	return nil
}

// quoDecimal is r = a / b rounded to scale; both finite, b not 0.
func quoDecimal(r, a, b *sql.Decimal, scale int32) {
	negative := a.Negative != b.Negative
	var num, den apd.BigInt
	num.Set(&a.Coeff)
	den.Set(&b.Coeff)
	if up := scale + a.Exponent - b.Exponent; up >= 0 {
		num.Mul(&num, sql.PowerOfTen(up))
	} else {
		den.Mul(&den, sql.PowerOfTen(-up))
	}
	var rem apd.BigInt
	r.Coeff.QuoRem(&num, &den, &rem)
	rem.Lsh(&rem, 1)
	if rem.Cmp(&den) >= 0 {
		r.Coeff.Add(&r.Coeff, &bigOne)
	}
	r.Form, r.Exponent = apd.Finite, -scale
	r.Negative = negative && r.Coeff.Sign() != 0
}

var bigOne = *apd.NewBigInt(1)

// divScale is PostgreSQL's select_div_scale: at least 16 significant digits, and not fewer
// fractional digits than either operand. It goes by digits of base 10,000.
func divScale(a, b *sql.Decimal) int32 {
	wa, fa := weight(a)
	wb, fb := weight(b)
	return clampDivScale(wa, fa, wb, fb, sql.NumericScale(a), sql.NumericScale(b))
}

func clampDivScale(wa, fa, wb, fb, sa, sb int32) int32 {
	quotient := wa - wb
	if fa <= fb {
		quotient--
	}
	return min(max(sql.NumericMinSigDigits-quotient*4, sa, sb), sql.NumericMaxDisplayScale)
}

// weight is the position of a's first digit of base 10,000 (0 = units), and that digit.
func weight(d *sql.Decimal) (w, first int32) {
	if d.Coeff.Sign() == 0 {
		return 0, 0
	}
	if d.Coeff.IsUint64() {
		return weight64(d.Coeff.Uint64(), -d.Exponent)
	}
	digits := int32(d.NumDigits())
	w, lead := leadDigits(digits, -d.Exponent)
	var q apd.BigInt
	q.Quo(&d.Coeff, sql.PowerOfTen(digits-lead)) // more than 19 digits, so never fewer than lead
	return w, int32(q.Uint64())
}

func weight64(mag uint64, scale int32) (w, first int32) {
	if mag == 0 {
		return 0, 0
	}
	digits := int32(digits64(mag))
	w, lead := leadDigits(digits, scale)
	if lead >= digits {
		return w, int32(mag * uint64(pow10[lead-digits]))
	}
	if digits-lead == 19 {
		return w, int32(mag / 1e19)
	}
	return w, int32(mag / uint64(pow10[digits-lead]))
}

// leadDigits is the weight of a number of so many digits, and how many decimal digits its first
// digit of base 10,000 takes in.
func leadDigits(digits, scale int32) (w, lead int32) {
	exponent := digits - scale - 1
	w = exponent >> 2 // floor
	return w, exponent - 4*w + 1
}

// digits64 is the number of decimal digits of m; 0 has none.
func digits64(m uint64) int {
	n := bits.Len64(m) * 1233 >> 12 // log10(2) * 4096 = 1233.02
	if n < len(pow10) && m >= uint64(pow10[n]) || n == len(pow10) && m >= 1e19 {
		n++
	}
	return n
}

// divSmall divides when the scaled dividend fits 128 bits.
func divSmall(a, b small) (small, bool) {
	if b.mag == 0 {
		return a, false
	}
	wa, fa := weight64(a.mag, a.scale)
	wb, fb := weight64(b.mag, b.scale)
	scale := clampDivScale(wa, fa, wb, fb, a.scale, b.scale)
	up := scale - a.scale + b.scale
	if up < 0 || up >= int32(len(pow10)) {
		return a, false
	}
	hi, lo := bits.Mul64(a.mag, uint64(pow10[up]))
	q := small{negative: a.negative != b.negative, hi: hi / b.mag, scale: scale}
	var rem uint64
	q.mag, rem = bits.Div64(hi%b.mag, lo, b.mag)
	if rem >= b.mag-rem {
		var carry uint64
		q.mag, carry = bits.Add64(q.mag, 1, 0)
		q.hi += carry
	}
	return q, true
}

func modDecimal(r, a, b *sql.Decimal) error {
	switch {
	case isNaN(a) || isNaN(b):
		setNaN(r)
		return nil
	case a.Form == apd.Infinite:
		if isZero(b) {
			return errDivisionByZero
		}
		setNaN(r)
		return nil
	case b.Form == apd.Infinite:
		r.Set(a)
		return nil
	case isZero(b):
		return errDivisionByZero
	}
	scale := max(sql.NumericScale(a), sql.NumericScale(b))
	negative := a.Negative
	sql.Rescale(a, a, scale)
	sql.Rescale(b, b, scale)
	r.Coeff.Rem(&a.Coeff, &b.Coeff)
	r.Form, r.Exponent = apd.Finite, -scale
	r.Negative = negative && r.Coeff.Sign() != 0
	return nil
}

func isNaN(d *sql.Decimal) bool  { return d.Form == apd.NaN || d.Form == apd.NaNSignaling }
func isZero(d *sql.Decimal) bool { return d.Form == apd.Finite && d.Coeff.Sign() == 0 }

func setNaN(d *sql.Decimal) {
	d.Form, d.Negative, d.Exponent = apd.NaN, false, 0
	d.Coeff.SetInt64(0)
}

func setInfinite(d *sql.Decimal, negative bool) {
	setNaN(d)
	d.Form, d.Negative = apd.Infinite, negative
}

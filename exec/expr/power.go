package expr

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// powNumeric is a ^ b: the exact value rounded to the scale that PostgreSQL's power_var chooses.
func powNumeric(_ *Context, a, b *sql.Decimal) (*sql.Decimal, error) {
	r := new(sql.Decimal)
	if isNaN(a) || isNaN(b) {
		// POSIX: NaN ^ 0 and 1 ^ NaN are 1.
		if isZero(b) || isOne(a) {
			return r.SetFinite(1, 0), nil
		}
		setNaN(r)
		return r, nil
	}
	integral := isIntegral(b)
	switch {
	case isZero(a) && b.Negative && !isZero(b):
		return nil, errZeroToNegative
	case a.Negative && !isZero(a) && !integral:
		return nil, errNegativeToFract
	case a.Form == apd.Infinite || b.Form == apd.Infinite:
		powInfinite(r, a, b)
		return r, nil
	}
	scale, underflow, err := powScale(a, b)
	if err != nil {
		return nil, err
	}
	switch {
	case underflow:
		return r.SetFinite(0, -sql.NumericMaxDisplayScale), nil
	case isZero(b):
		r.SetFinite(1, 0)
	case isZero(a):
		r.SetFinite(0, 0)
	default:
		if err := powFinite(r, a, b, scale); err != nil {
			return nil, err
		}
	}
	sql.Rescale(r, r, scale)
	return r, nil
}

// powInfinite follows POSIX's pow.
func powInfinite(r, a, b *sql.Decimal) {
	var abs sql.Decimal
	abs.Abs(a)
	switch above := sql.CompareNumeric(&abs, &decimalOne); {
	case isOne(a) || isZero(b) || above == 0 && b.Form == apd.Infinite:
		r.SetFinite(1, 0)
	case isZero(a):
		r.SetFinite(0, 0)
	case b.Form == apd.Infinite:
		if above > 0 != b.Negative {
			setInfinite(r, false)
		} else {
			r.SetFinite(0, 0)
		}
	case b.Negative:
		r.SetFinite(0, 0)
	default:
		setInfinite(r, a.Negative && isOdd(b))
	}
}

// powScale is the result's scale: 16 significant digits by an estimate of its decimal weight, and
// not fewer fractional digits than the operands.
func powScale(a, b *sql.Decimal) (scale int32, underflow bool, err error) {
	weight := 0.0
	if !isZero(a) && !isZero(b) {
		exponent, ferr := decimalFloat(b, 64)
		if ferr != nil {
			exponent = math.Inf(1)
		}
		weight = exponent * log10Decimal(a)
	}
	if weight > sql.NumericMaxWholeDigits+4 {
		return 0, false, errNumericOverflow
	}
	if weight+1 < -sql.NumericMaxDisplayScale {
		return 0, true, nil
	}
	scale = max(sql.NumericMinSigDigits-int32(weight), sql.NumericScale(a), sql.NumericScale(b), 0)
	return min(scale, sql.NumericMaxDisplayScale), false, nil
}

func powFinite(r, a, b *sql.Decimal, scale int32) error {
	var exact sql.Decimal
	exponent, _ := decimalFloat(b, 64)
	digits := exponent*log10Decimal(a) + float64(scale)
	ctx := apd.Context{Precision: uint32(max(digits, 1)) + 24, MaxExponent: apd.MaxExponent, MinExponent: apd.MinExponent}
	exact.Set(b)
	exact.Reduce(&exact)
	if _, err := ctx.Pow(r, a, &exact); err != nil {
		return sql.Errorf(sql.CodeInternal, "numeric power: %w", err)
	}
	return nil
}

// log10Decimal estimates log10(|d|) for a d that is not 0.
func log10Decimal(d *sql.Decimal) float64 {
	digits := d.NumDigits()
	var lead apd.BigInt
	lead.Set(&d.Coeff)
	dropped := int64(0)
	if digits > 17 {
		dropped = digits - 17
		lead.Quo(&d.Coeff, sql.PowerOfTen(int32(dropped)))
	}
	return math.Log10(float64(lead.Uint64())) + float64(dropped+int64(d.Exponent))
}

var decimalOne = *apd.New(1, 0)

func isOne(d *sql.Decimal) bool {
	return d.Form == apd.Finite && sql.CompareNumeric(d, &decimalOne) == 0
}

func isIntegral(d *sql.Decimal) bool {
	if d.Form != apd.Finite || d.Exponent >= 0 {
		return true
	}
	var rem apd.BigInt
	rem.Rem(&d.Coeff, sql.PowerOfTen(-d.Exponent))
	return rem.Sign() == 0
}

// isOdd tells whether d is an odd integer.
func isOdd(d *sql.Decimal) bool {
	if !isIntegral(d) || d.Form != apd.Finite {
		return false
	}
	var whole sql.Decimal
	sql.Rescale(&whole, d, 0)
	return whole.Coeff.Bit(0) == 1
}

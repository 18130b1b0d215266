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
	case isZero(b):
		r.SetFinite(1, 0)
	case underflow || isZero(a):
		r.SetFinite(0, 0)
	default:
		powFinite(r, a, b, scale)
	}
	sql.Rescale(r, r, scale)
	return r, fitNumeric(r, r, sql.TypeNumeric)
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

// powScale is the result's scale, by PostgreSQL's estimates. For an integer exponent, 16 digits or
// those of a; else 16 significant digits of the result, or those of a or b.
func powScale(a, b *sql.Decimal) (scale int32, underflow bool, err error) {
	exponent := 0.0
	if !isZero(a) && !isZero(b) {
		if exponent, err = decimalFloat(b, 64); err != nil {
			exponent = math.Inf(1)
		}
	}
	if isSmallInteger(b) {
		weight := 0.0
		if exponent != 0 {
			weight = exponent * log10Decimal(a)
		}
		if weight > sql.NumericMaxWholeDigits+4 {
			return 0, false, errNumericOverflow
		}
		scale = min(max(sql.NumericMinSigDigits, sql.NumericScale(a)), sql.NumericMaxDisplayScale)
		return scale, weight+1 < -float64(scale), nil
	}
	if isZero(a) {
		return sql.NumericMinSigDigits, true, nil
	}
	ln := roundedLn(a, exponent)
	if math.Abs(ln) > 6020 { // NUMERIC_MAX_RESULT_SCALE * 3.01
		if ln > 0 {
			return 0, false, errNumericOverflow
		}
		return sql.NumericMaxDisplayScale, true, nil
	}
	scale = max(sql.NumericMinSigDigits-int32(ln*math.Log10E), sql.NumericScale(a), sql.NumericScale(b), 0)
	return min(scale, sql.NumericMaxDisplayScale), false, nil
}

// roundedLn is ln |a| * exponent to about 9 significant digits, rounded where PostgreSQL rounds its
// estimate: for an a near 1, and results near powers of ten, that decides about a digit of the scale.
func roundedLn(a *sql.Decimal, exponent float64) float64 {
	ln := log10Decimal(a) * math.Ln10
	weight := math.Trunc(math.Log10(math.Abs(ln)))
	if math.Abs(ln) < 0.11 {
		var x, abs sql.Decimal
		addDecimal(&x, abs.Abs(a), new(sql.Decimal).Set(&decimalOne), true)
		if isZero(&x) {
			return 0
		}
		f, _ := decimalFloat(&x, 64)
		ln, weight = math.Log1p(f), math.Floor(math.Log10(math.Abs(f)))
	}
	unit := math.Pow(10, max(8-weight, 0))
	ln = math.Round(ln*unit) / unit
	return math.Round(ln*exponent*unit) / unit
}

// isSmallInteger tells whether d is an integer of 32 bits.
func isSmallInteger(d *sql.Decimal) bool {
	if !isIntegral(d) {
		return false
	}
	var whole sql.Decimal
	sql.Rescale(&whole, d, 0)
	n, ok := decimalInt64(&whole)
	return ok && int64(int32(n)) == n
}

// powFinite sets r to a ^ b rounded to scale. The exact value may lie half way between two results,
// as 0.5 ^ 17 does at scale 16, so that a power of few digits is computed exactly.
func powFinite(r, a, b *sql.Decimal, scale int32) {
	exponent, _ := decimalFloat(b, 64)
	digits := exponent*log10Decimal(a) + float64(scale) + 4
	n := int64(exponent)
	if isSmallInteger(b) {
		if exact := n * max(a.NumDigits(), int64(sql.NumericScale(a))); n >= 0 && exact < 2000 {
			r.Coeff.Exp(&a.Coeff, apd.NewBigInt(n), nil)
			r.Form, r.Exponent, r.Negative = apd.Finite, a.Exponent*int32(n), a.Negative && n&1 != 0
			sql.Rescale(r, r, scale)
			return
		}
		setBigFloat(r, bigPow(bigFloat(a, bitsFor(digits)+64), n, bitsFor(digits)), scale)
		return
	}
	odd := a.Negative && isOdd(b)
	var abs sql.Decimal
	abs.Abs(a)
	// An error in ln a is multiplied by b, of up to 4 digits more than the result has.
	prec := bitsFor(digits) + uint(max(math.Log2(math.Abs(exponent)), 0)) + 32
	ln := bigLn(bigFloat(&abs, prec), prec)
	f := bigExp(ln.Mul(ln, bigFloat(b, prec)), bitsFor(digits))
	if odd {
		f.Neg(f)
	}
	setBigFloat(r, f, scale)
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

package expr

import (
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// Logarithms and exponentials of numerics, in binary floating point of as many bits as the result's
// decimal digits need, plus guard bits. PostgreSQL computes in decimal with guard digits; both round
// the true value, so the results agree.

// bitsFor is the precision for so many decimal digits.
func bitsFor(digits float64) uint { return uint(math.Max(digits, 1)*math.Log2(10)) + 64 }

// bigFloat is d, which is finite, to prec bits.
func bigFloat(d *sql.Decimal, prec uint) *big.Float {
	f := new(big.Float).SetPrec(prec).SetInt(signedCoeff(d))
	if scale := -d.Exponent; scale > 0 {
		f.Quo(f, new(big.Float).SetPrec(prec).SetInt(sql.PowerOfTen(scale).MathBigInt()))
	}
	return f
}

// setBigFloat sets d to f rounded to scale fractional digits, halves away from zero.
func setBigFloat(d *sql.Decimal, f *big.Float, scale int32) {
	shifted := new(big.Float).SetPrec(f.Prec() + 64).SetInt(sql.PowerOfTen(scale).MathBigInt())
	shifted.Mul(shifted, f)
	half := big.NewFloat(0.5)
	if f.Sign() < 0 {
		half.Neg(half)
	}
	n, _ := shifted.Add(shifted, half).Int(nil)
	d.Form, d.Negative, d.Exponent = apd.Finite, n.Sign() < 0, -scale
	d.Coeff.SetMathBigInt(n.Abs(n))
}

// bigExp is e^x to prec bits: the series at x/2^k, squared k times.
func bigExp(x *big.Float, prec uint) *big.Float {
	if x.Sign() == 0 {
		return new(big.Float).SetPrec(prec).SetInt64(1)
	}
	k := max(x.MantExp(nil), 0) + int(math.Sqrt(float64(prec)))
	work := prec + uint(2*k) + 32
	r := new(big.Float).SetPrec(work).Set(x)
	r.SetMantExp(r, -k)
	sum := new(big.Float).SetPrec(work).SetInt64(1)
	term := new(big.Float).SetPrec(work).SetInt64(1)
	for i := int64(1); term.Sign() != 0 && term.MantExp(nil) > -int(work); i++ {
		term.Mul(term, r)
		term.Quo(term, new(big.Float).SetInt64(i))
		sum.Add(sum, term)
	}
	for range k {
		sum.Mul(sum, sum)
	}
	return sum.SetPrec(prec)
}

// bigLn is ln x, x > 0, to prec bits. Halley's iteration on e^y = x triples the good bits at each
// step.
func bigLn(x *big.Float, prec uint) *big.Float {
	var mant big.Float
	exponent := x.MantExp(&mant)
	m, _ := mant.Float64()
	guess := math.Log(m) + float64(exponent)*math.Ln2
	one := new(big.Float).SetInt64(1)
	near := new(big.Float).SetPrec(x.Prec()).Sub(x, one)
	if near.Sign() == 0 {
		return new(big.Float).SetPrec(prec)
	}
	// Near 1 the logarithm is small: its own leading digits must be right.
	lost := uint(max(-near.MantExp(nil), 0))
	if f, _ := near.Float64(); lost > 0 && f != 0 {
		guess = math.Log1p(f)
	}
	work := prec + lost + 64
	y := new(big.Float).SetPrec(work).SetFloat64(guess)
	for good := uint(40); ; good *= 3 {
		e := bigExp(y, work)
		num := new(big.Float).SetPrec(work).Sub(x, e)
		den := new(big.Float).SetPrec(work).Add(x, e)
		num.Quo(num, den)
		y.Add(y, num.SetMantExp(num, 1))
		if good >= work {
			return y.SetPrec(prec)
		}
	}
}

// bigPow is x^n to prec bits.
func bigPow(x *big.Float, n int64, prec uint) *big.Float {
	work := prec + 64
	r := new(big.Float).SetPrec(work).SetInt64(1)
	square := new(big.Float).SetPrec(work).Set(x)
	for e := uint64(max(n, -n)); e > 0; e >>= 1 {
		if e&1 != 0 {
			r.Mul(r, square)
		}
		if e > 1 {
			square.Mul(square, square)
		}
	}
	if n < 0 {
		r.Quo(new(big.Float).SetPrec(work).SetInt64(1), r)
	}
	return r.SetPrec(prec)
}

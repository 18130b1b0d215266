package agg

import (
	"math/big"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// PostgreSQL gives a numeric quotient about 16 significant digits. Its select_div_scale counts them
// in base-10000 digits, the form it computes in: what follows does the same on decimal digits.

// quotientScale is the display scale of a/b for |a| = ma / 10^sa and |b| = mb / 10^sb.
func quotientScale(ma *big.Int, sa int32, mb *big.Int, sb int32) int32 {
	wa, fa := leadingDigit(ma, sa)
	wb, fb := leadingDigit(mb, sb)
	return scaleFor(wa, fa, sa, wb, fb, sb)
}

func scaleFor(wa, fa int, sa int32, wb, fb int, sb int32) int32 {
	weight := wa - wb
	if fa <= fb {
		weight--
	}
	scale := int32(sql.NumericMinSigDigits - weight*4)
	return min(max(scale, sa, sb, 0), sql.NumericMaxDisplayScale)
}

// leadingDigit is the position and the value of the first base-10000 digit of m / 10^scale;
// position 0 is that of the units.
func leadingDigit(m *big.Int, scale int32) (weight, digit int) {
	if m.Sign() == 0 {
		return 0, 0
	}
	if m.IsUint64() {
		return leadingDigit64(m.Uint64(), scale)
	}
	digits := len(m.Text(10))
	weight = floorDiv4(digits - 1 - int(scale))
	lead := new(big.Int).Quo(m, sql.PowerOfTen(int32(weight*4)+scale).MathBigInt())
	return weight, int(lead.Int64())
}

func leadingDigit64(m uint64, scale int32) (weight, digit int) {
	if m == 0 {
		return 0, 0
	}
	weight = floorDiv4(decimalDigits(m) - 1 - int(scale))
	shift := weight*4 + int(scale)
	if shift >= 0 {
		return weight, int(m / powers10[shift])
	}
	return weight, int(m * powers10[-shift])
}

func floorDiv4(x int) int { return x >> 2 }

var powers10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

func decimalDigits(m uint64) int {
	n := bits.Len64(m) * 1233 >> 12 // ⌊log10⌋ or one more
	if n < len(powers10) && m >= powers10[n] {
		n++
	}
	return n
}

// appendQuotient appends the binary form of (v / 10^scale) / n, n > 0, without allocating when the
// scaled dividend fits 128 bits and the quotient 64.
func appendQuotient(dst []byte, v int64, scale int32, n int64) []byte {
	mag, neg := uint64(v), v < 0
	if neg {
		mag = -mag
	}
	if n > 0 {
		wa, fa := leadingDigit64(mag, scale)
		wb, fb := leadingDigit64(uint64(n), 0)
		rscale := scaleFor(wa, fa, scale, wb, fb, 0)
		if shift := rscale - scale; shift < int32(len(powers10)) {
			hi, lo := bits.Mul64(mag, powers10[shift])
			if hi < uint64(n) {
				q, r := bits.Div64(hi, lo, uint64(n))
				if r >= uint64(n)-r && q != 1<<64-1 { // half away from zero
					q++
				}
				return sql.AppendNumericUint64(dst, neg, q, rscale)
			}
		}
	}
	return appendBigQuotient(dst, big.NewInt(v), scale, big.NewInt(n))
}

// appendBigQuotient appends the binary form of (v / 10^scale) / n.
func appendBigQuotient(dst []byte, v *big.Int, scale int32, n *big.Int) []byte {
	d := quotient(v, scale, n, 0)
	return sql.AppendNumeric(dst, d)
}

// quotient is (a / 10^sa) / (b / 10^sb), rounded half away from zero.
func quotient(a *big.Int, sa int32, b *big.Int, sb int32) *sql.Decimal {
	ma, mb := new(big.Int).Abs(a), new(big.Int).Abs(b)
	rscale := quotientScale(ma, sa, mb, sb)
	// a/10^sa / (b/10^sb) · 10^rscale = a · 10^(rscale+sb-sa) / b
	if shift := rscale + sb - sa; shift >= 0 {
		ma.Mul(ma, sql.PowerOfTen(shift).MathBigInt())
	} else {
		mb.Mul(mb, sql.PowerOfTen(-shift).MathBigInt())
	}
	q, r := ma.QuoRem(ma, mb, new(big.Int))
	if r.Lsh(r, 1).Cmp(mb) >= 0 {
		q.Add(q, big.NewInt(1))
	}
	d := &sql.Decimal{Exponent: -rscale, Negative: a.Sign()*b.Sign() < 0 && q.Sign() != 0}
	d.Coeff.SetMathBigInt(q)
	d.Form = apd.Finite
	return d
}

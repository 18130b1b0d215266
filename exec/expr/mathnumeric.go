package expr

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// numericFunctions are the functions over numerics. Results have the display scale that PostgreSQL
// chooses: at least 16 significant digits, estimated beforehand, and not fewer fractional digits
// than the argument.
func numericFunctions() []Function {
	num, int4 := sql.TypeNumeric, sql.TypeInt4
	fns := []Function{
		{Name: "abs", Args: types(num), ResultOf: sameAsFirst, Kernel: absNumerics},
		{Name: "sign", Args: types(num), Result: num, Kernel: Row1(signNumeric)},
		{Name: "round", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return roundNumeric(d, 0), nil })},
		{Name: "round", Args: types(num, int4), Result: num, Kernel: Row2(func(_ *Context, d *sql.Decimal, scale int32) (*sql.Decimal, error) {
			return roundNumeric(d, scale), nil
		})},
		{Name: "trunc", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return truncNumeric(d, 0), nil })},
		{Name: "trunc", Args: types(num, int4), Result: num, Kernel: Row2(func(_ *Context, d *sql.Decimal, scale int32) (*sql.Decimal, error) {
			return truncNumeric(d, scale), nil
		})},
		{Name: "floor", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return wholeNumeric(d, true), nil })},
		{Name: "ceil", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return wholeNumeric(d, false), nil })},
		{Name: "ceiling", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return wholeNumeric(d, false), nil })},
		{Name: "sqrt", Args: types(num), Result: num, Kernel: Row1(sqrtNumeric)},
		{Name: "exp", Args: types(num), Result: num, Kernel: Row1(expNumeric)},
		{Name: "ln", Args: types(num), Result: num, Kernel: Row1(lnNumeric)},
		{Name: "log", Args: types(num), Result: num, Kernel: Row1(log10Numeric)},
		{Name: "log10", Args: types(num), Result: num, Kernel: Row1(log10Numeric)},
		{Name: "log", Args: types(num, num), Result: num, Kernel: Row2(logNumeric)},
		{Name: "power", Args: types(num, num), Result: num, Kernel: Row2(powNumeric)},
		{Name: "pow", Args: types(num, num), Result: num, Kernel: Row2(powNumeric)},
		{Name: "mod", Args: types(num, num), Result: num, Kernel: modNumerics},
		{Name: "div", Args: types(num, num), Result: num, Kernel: Row2(divTruncNumeric)},
		{Name: "gcd", Args: types(num, num), Result: num, Kernel: Row2(gcdNumeric)},
		{Name: "lcm", Args: types(num, num), Result: num, Kernel: Row2(lcmNumeric)},
		{Name: "factorial", Args: types(sql.TypeInt8), Result: num, Kernel: Row1(factorial)},
		{Name: "scale", Args: types(num), Result: int4, Kernel: Row1(func(_ *Context, d *sql.Decimal) (int32, error) {
			if d.Form != apd.Finite {
				return 0, Null
			}
			return sql.NumericScale(d), nil
		})},
		{Name: "min_scale", Args: types(num), Result: int4, Kernel: Row1(func(_ *Context, d *sql.Decimal) (int32, error) {
			if d.Form != apd.Finite {
				return 0, Null
			}
			return sql.NumericScale(trimScale(d)), nil
		})},
		{Name: "trim_scale", Args: types(num), Result: num, Kernel: Row1(func(_ *Context, d *sql.Decimal) (*sql.Decimal, error) { return trimScale(d), nil })},
		{Name: "width_bucket", Args: types(num, num, num, int4), Result: int4, Kernel: Row4(widthBucketNumeric)},
	}
	return fns
}

func finite(d *sql.Decimal) bool { return d.Form == apd.Finite }

func signNumeric(_ *Context, d *sql.Decimal) (*sql.Decimal, error) {
	if isNaN(d) {
		return d, nil
	}
	return apd.New(int64(d.Sign()), 0), nil
}

// roundNumeric rounds to scale digits, tens for -1; the result shows max(scale, 0) of them.
func roundNumeric(d *sql.Decimal, scale int32) *sql.Decimal {
	if !finite(d) {
		return d
	}
	scale = max(min(scale, sql.NumericMaxScale), -sql.NumericMaxWholeDigits)
	if scale < 0 && -scale > int32(d.NumDigits())+1 {
		return d.SetFinite(0, 0)
	}
	sql.Rescale(d, d, scale)
	if scale < 0 {
		sql.Rescale(d, d, 0)
	}
	return d
}

func truncNumeric(d *sql.Decimal, scale int32) *sql.Decimal {
	if !finite(d) {
		return d
	}
	scale = max(min(scale, sql.NumericMaxScale), -sql.NumericMaxWholeDigits)
	if scale < 0 && -scale > int32(d.NumDigits())+1 {
		return d.SetFinite(0, 0)
	}
	sql.Truncate(d, d, scale)
	sql.Rescale(d, d, max(scale, 0))
	return d
}

// wholeNumeric rounds down or up to a whole number.
func wholeNumeric(d *sql.Decimal, down bool) *sql.Decimal {
	if !finite(d) {
		return d
	}
	var whole sql.Decimal
	sql.Truncate(&whole, d, 0)
	sql.Rescale(&whole, &whole, 0)
	if d.Negative == down && sql.CompareNumeric(&whole, d) != 0 {
		whole.Coeff.Add(&whole.Coeff, apd.NewBigInt(1))
		whole.Negative = down
	}
	return &whole
}

func trimScale(d *sql.Decimal) *sql.Decimal {
	if !finite(d) {
		return d
	}
	if isZero(d) {
		return d.SetFinite(0, 0)
	}
	ten := apd.NewBigInt(10)
	var q, r apd.BigInt
	for d.Exponent < 0 {
		if q.QuoRem(&d.Coeff, ten, &r); r.Sign() != 0 {
			break
		}
		d.Coeff.Set(&q)
		d.Exponent++
	}
	return d
}

// resultScale is a display scale within PostgreSQL's bounds.
func resultScale(wanted int32, at ...*sql.Decimal) int32 {
	scale := max(wanted, 0)
	for _, d := range at {
		scale = max(scale, sql.NumericScale(d))
	}
	return min(scale, sql.NumericMaxDisplayScale)
}

func sqrtNumeric(_ *Context, d *sql.Decimal) (*sql.Decimal, error) {
	switch {
	case isNaN(d):
		return d, nil
	case d.Negative && !isZero(d):
		return nil, errNegativeSqrt
	case !finite(d):
		return d, nil
	}
	w, _ := weight(d)
	half := (w+1)*2 - 1 // the root's decimal weight, roughly
	scale := resultScale(sql.NumericMinSigDigits-half, d)
	// The integer square root of d × 10^(2·scale) is the root cut off; one more digit rounds it.
	var n, root apd.BigInt
	n.Set(&d.Coeff)
	if up := 2*(scale+1) + d.Exponent; up >= 0 {
		n.Mul(&n, sql.PowerOfTen(up))
	} else {
		n.Quo(&n, sql.PowerOfTen(-up))
	}
	root.Sqrt(&n)
	r := new(sql.Decimal)
	r.Coeff.Set(&root)
	r.Exponent = -(scale + 1)
	sql.Rescale(r, r, scale)
	return r, nil
}

func expNumeric(_ *Context, d *sql.Decimal) (*sql.Decimal, error) {
	if !finite(d) {
		if d.Form == apd.Infinite && d.Negative {
			return new(sql.Decimal), nil
		}
		return d, nil
	}
	f, _ := decimalFloat(d, 64)
	if math.Abs(f) >= 3*2000*100 {
		if f > 0 {
			return nil, errNumericOverflow
		}
		return new(sql.Decimal).SetFinite(0, -sql.NumericMaxDisplayScale), nil
	}
	tens := f * 0.434294481903252
	if tens > sql.NumericMaxWholeDigits || f >= 6000 { // PostgreSQL gives up here too
		return nil, errNumericOverflow
	}
	limited := math.Min(math.Max(tens, -2000), 2000)
	scale := resultScale(sql.NumericMinSigDigits-int32(limited), d)
	if tens < -float64(scale)-2 {
		return new(sql.Decimal).SetFinite(0, -scale), nil
	}
	prec := bitsFor(tens + float64(scale))
	r := new(sql.Decimal)
	setBigFloat(r, bigExp(bigFloat(d, prec+64), prec), scale)
	return r, nil
}

// logArgument checks the argument of a logarithm; done = r is the result already.
func logArgument(d *sql.Decimal) (r *sql.Decimal, done bool, err error) {
	switch {
	case isNaN(d):
		return d, true, nil
	case isZero(d):
		return nil, true, errLogOfZero
	case d.Negative:
		return nil, true, errLogNegative
	case !finite(d):
		return d, true, nil
	}
	return nil, false, nil
}

// lnWeight estimates the decimal weight of ln(d), for a d above 0.
func lnWeight(d *sql.Decimal) int32 {
	if finite(d) && sql.CompareNumeric(d, apd.New(9, -1)) >= 0 && sql.CompareNumeric(d, apd.New(11, -1)) <= 0 {
		var x sql.Decimal // near 1, ln(1+x) is nearly x
		a := new(sql.Decimal).Set(d)
		addDecimal(&x, a, apd.New(1, 0), true)
		if isZero(&x) {
			return 0
		}
		w, first := weight(&x)
		return w*4 + int32(math.Log10(float64(first)))
	}
	return int32(math.Log10(math.Abs(log10Decimal(d) * math.Ln10)))
}

func lnNumeric(_ *Context, d *sql.Decimal) (*sql.Decimal, error) {
	if r, done, err := logArgument(d); done {
		return r, err
	}
	w := lnWeight(d)
	scale := resultScale(sql.NumericMinSigDigits-w, d)
	prec := bitsFor(float64(scale + max(w, 0)))
	r := new(sql.Decimal)
	setBigFloat(r, bigLn(bigFloat(d, prec+64), prec), scale)
	return r, nil
}

func log10Numeric(c *Context, d *sql.Decimal) (*sql.Decimal, error) {
	return logNumeric(c, apd.New(10, 0), d)
}

// logNumeric is the logarithm of d to a base.
func logNumeric(_ *Context, base, d *sql.Decimal) (*sql.Decimal, error) {
	if isNaN(base) || isNaN(d) {
		return &sql.Decimal{Form: apd.NaN}, nil
	}
	for _, x := range [...]*sql.Decimal{base, d} {
		if _, _, err := logArgument(x); err != nil {
			return nil, err
		}
	}
	switch {
	case !finite(base) && !finite(d):
		return &sql.Decimal{Form: apd.NaN}, nil
	case !finite(base):
		return new(sql.Decimal), nil
	case !finite(d):
		return d, nil
	}
	wBase, w := lnWeight(base), lnWeight(d)
	scale := resultScale(sql.NumericMinSigDigits-(w-wBase), base, d)
	prec := bitsFor(float64(scale + max(w-wBase, 0) + max(wBase, -wBase) + max(w, -w)))
	lnBase := bigLn(bigFloat(base, prec+64), prec)
	if lnBase.Sign() == 0 {
		return nil, errDivisionByZero
	}
	ln := bigLn(bigFloat(d, prec+64), prec)
	r := new(sql.Decimal)
	setBigFloat(r, ln.Quo(ln, lnBase), scale)
	return r, nil
}

// divTruncNumeric is the whole part of a / b.
func divTruncNumeric(_ *Context, a, b *sql.Decimal) (*sql.Decimal, error) {
	if !finite(a) || !finite(b) || isZero(b) {
		r := new(sql.Decimal)
		return r, divDecimal(r, a, b)
	}
	r := new(sql.Decimal)
	var num, den apd.BigInt
	num.Set(&a.Coeff)
	den.Set(&b.Coeff)
	if up := a.Exponent - b.Exponent; up >= 0 {
		num.Mul(&num, sql.PowerOfTen(up))
	} else {
		den.Mul(&den, sql.PowerOfTen(-up))
	}
	r.Coeff.Quo(&num, &den)
	r.Negative = a.Negative != b.Negative && r.Coeff.Sign() != 0
	return r, nil
}

func gcdNumeric(_ *Context, a, b *sql.Decimal) (*sql.Decimal, error) {
	r, scale := gcdDecimal(a, b)
	if r != nil {
		sql.Rescale(r, r, scale)
		return r, nil
	}
	return &sql.Decimal{Form: apd.NaN}, nil
}

// gcdDecimal is nil when there is none.
func gcdDecimal(a, b *sql.Decimal) (*sql.Decimal, int32) {
	if !finite(a) || !finite(b) {
		return nil, 0
	}
	scale := max(sql.NumericScale(a), sql.NumericScale(b))
	x, y := new(sql.Decimal), new(sql.Decimal)
	sql.Rescale(x, a, scale)
	sql.Rescale(y, b, scale)
	r := &sql.Decimal{Exponent: -scale}
	r.Coeff.GCD(nil, nil, &x.Coeff, &y.Coeff)
	return r, scale
}

func lcmNumeric(_ *Context, a, b *sql.Decimal) (*sql.Decimal, error) {
	g, scale := gcdDecimal(a, b)
	if g == nil {
		return &sql.Decimal{Form: apd.NaN}, nil
	}
	r := &sql.Decimal{Exponent: -scale}
	if isZero(g) || isZero(a) || isZero(b) {
		return r, nil
	}
	x, y := new(sql.Decimal), new(sql.Decimal)
	sql.Rescale(x, a, scale)
	sql.Rescale(y, b, scale)
	r.Coeff.Quo(&x.Coeff, &g.Coeff)
	r.Coeff.Mul(&r.Coeff, &y.Coeff)
	return r, nil
}

func factorial(_ *Context, n int64) (*sql.Decimal, error) {
	switch {
	case n < 0:
		return nil, sql.Errorf(sql.CodeNumericOutOfRange, "factorial of a negative number is undefined")
	case n > 32177: // more digits than a numeric has
		return nil, errNumericOverflow
	}
	r := apd.New(1, 0)
	for i := int64(2); i <= n; i++ {
		r.Coeff.Mul(&r.Coeff, apd.NewBigInt(i))
	}
	return r, nil
}

func widthBucketNumeric(_ *Context, v, low, high *sql.Decimal, count int32) (int32, error) {
	switch {
	case count <= 0:
		return 0, errBucketCount
	case isNaN(v) || isNaN(low) || isNaN(high):
		return 0, errBucketNaN
	case !finite(low) || !finite(high):
		return 0, errBucketBounds
	}
	order := sql.CompareNumeric(low, high)
	if order == 0 {
		return 0, errBucketEqual
	}
	if order*sql.CompareNumeric(v, low) > 0 {
		return 0, nil
	}
	if order*sql.CompareNumeric(v, high) <= 0 {
		if count == math.MaxInt32 {
			return 0, outOfRange(sql.Int4)
		}
		return count + 1, nil
	}
	var over, width, n sql.Decimal
	v, low, high = new(sql.Decimal).Set(v), new(sql.Decimal).Set(low), new(sql.Decimal).Set(high)
	addDecimal(&over, v, new(sql.Decimal).Set(low), true)
	addDecimal(&width, high, low, true)
	mulDecimal(&n, &over, apd.New(int64(count), 0))
	whole, err := divTruncNumeric(nil, &n, &width)
	if err != nil {
		return 0, err
	}
	i, err := whole.Int64()
	return int32(i) + 1, err
}

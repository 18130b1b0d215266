package expr

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// arithmeticOperators are + - * / % ^ and the signs over numbers.
func arithmeticOperators() []Function {
	fns := []Function{
		{Name: "%", Args: []sql.Type{sql.TypeInt2, sql.TypeInt2}, Result: sql.TypeInt2, Kernel: modInts[int16]},
		{Name: "%", Args: []sql.Type{sql.TypeInt4, sql.TypeInt4}, Result: sql.TypeInt4, Kernel: modInts[int32]},
		{Name: "%", Args: []sql.Type{sql.TypeInt8, sql.TypeInt8}, Result: sql.TypeInt8, Kernel: modInts[int64]},
		{Name: "+", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, ResultOf: sumType, Kernel: addNumerics},
		{Name: "-", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, ResultOf: sumType, Kernel: subNumerics},
		{Name: "*", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, ResultOf: productType, Kernel: mulNumerics},
		{Name: "/", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, Result: sql.TypeNumeric, Kernel: divNumerics},
		{Name: "%", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, Result: sql.TypeNumeric, Kernel: modNumerics},
		{Name: "^", Args: []sql.Type{sql.TypeNumeric, sql.TypeNumeric}, Result: sql.TypeNumeric, Kernel: Row2(powNumeric)},
		{Name: "^", Args: []sql.Type{sql.TypeFloat8, sql.TypeFloat8}, Result: sql.TypeFloat8, Kernel: Row2(powFloat)},
		{Name: "-", Args: []sql.Type{sql.TypeNumeric}, ResultOf: sameAsFirst, Kernel: negNumerics},
		{Name: "+", Args: []sql.Type{sql.TypeNumeric}, ResultOf: sameAsFirst, Kernel: relabel},
		{Name: "@", Args: []sql.Type{sql.TypeNumeric}, ResultOf: sameAsFirst, Kernel: absNumerics},
	}
	ints := []sql.Type{sql.TypeInt2, sql.TypeInt4, sql.TypeInt8}
	for _, op := range intArithmetic {
		for i, a := range ints {
			for j, b := range ints {
				wide := ints[max(i, j)]
				f := Function{Name: op.name, Args: []sql.Type{a, b}, Result: wide, Kernel: byIntKind(wide.Kind, op.int2, op.int4, op.int8)}
				if i != j {
					f.passAs = []sql.Type{wide, wide}
				}
				fns = append(fns, f)
			}
		}
	}
	floats := []sql.Type{sql.TypeFloat4, sql.TypeFloat8}
	for _, op := range floatArithmetic {
		for i, a := range floats {
			for j, b := range floats {
				wide := floats[max(i, j)]
				f := Function{Name: op.name, Args: []sql.Type{a, b}, Result: wide, Kernel: op.float8}
				if wide.Kind == sql.Float4 {
					f.Kernel = op.float4
				}
				if i != j {
					f.passAs = []sql.Type{wide, wide}
				}
				fns = append(fns, f)
			}
		}
	}
	fns = append(fns, signs[int16](sql.TypeInt2)...)
	fns = append(fns, signs[int32](sql.TypeInt4)...)
	fns = append(fns, signs[int64](sql.TypeInt8)...)
	fns = append(fns, signs[float32](sql.TypeFloat4)...)
	return append(fns, signs[float64](sql.TypeFloat8)...)
}

var intArithmetic = []struct {
	name             string
	int2, int4, int8 Kernel
}{
	{"+", addInts[int16], addInts[int32], addInts[int64]},
	{"-", subInts[int16], subInts[int32], subInts[int64]},
	{"*", mulInts[int16], mulInts[int32], mulInts[int64]},
	{"/", divInts[int16], divInts[int32], divInts[int64]},
}

var floatArithmetic = []struct {
	name           string
	float4, float8 Kernel
}{
	{"+", addFloats[float32], addFloats[float64]},
	{"-", subFloats[float32], subFloats[float64]},
	{"*", mulFloats[float32], mulFloats[float64]},
	{"/", divFloats[float32], divFloats[float64]},
}

// signs are unary minus, plus and absolute value.
func signs[T signed | float](t sql.Type) []Function {
	negate := Row1(func(_ *Context, a T) (T, error) {
		if a != 0 && -a == a { // the smallest integer
			return 0, outOfRange(t.Kind)
		}
		return -a, nil
	})
	abs := Row1(func(_ *Context, a T) (T, error) {
		if a < 0 && -a == a {
			return 0, outOfRange(t.Kind)
		}
		if a < 0 || a == 0 {
			return 0 - a, nil // of floats: never -0
		}
		return a, nil
	})
	args := []sql.Type{t}
	return []Function{
		{Name: "-", Args: args, Result: t, Kernel: negate},
		{Name: "+", Args: args, Result: t, Kernel: relabel},
		{Name: "@", Args: args, Result: t, Kernel: abs},
		{Name: "abs", Args: args, Result: t, Kernel: abs},
	}
}

func sameAsFirst(args []sql.Type) sql.Type { return args[0] }

// operands are the two sides of a binary kernel over fixed-width values, with their masks.
func operands[T any](in *Input) (as []T, am int, bs []T, bm int) {
	a, b := in.Args[0], in.Args[1]
	return stream.Values[T](a.Array), a.Mask(), stream.Values[T](b.Array), b.Mask()
}

// The kernels over integers compute all rows, NULL ones too, and note by `over` whether any may have
// overflowed; only then do they look for the rows.

func addInts[T signed](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, over := make([]T, in.Rows), T(0)
	for i := range out {
		a, b := as[i&am], bs[i&bm]
		r := a + b
		out[i] = r
		over |= (a ^ r) & (b ^ r)
	}
	if over < 0 {
		failInts(c, in, func(i int) bool { a, b, r := as[i&am], bs[i&bm], out[i]; return (a^r)&(b^r) < 0 })
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func subInts[T signed](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, over := make([]T, in.Rows), T(0)
	for i := range out {
		a, b := as[i&am], bs[i&bm]
		r := a - b
		out[i] = r
		over |= (a ^ b) & (a ^ r)
	}
	if over < 0 {
		failInts(c, in, func(i int) bool { a, b, r := as[i&am], bs[i&bm], out[i]; return (a^b)&(a^r) < 0 })
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func mulInts[T signed](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, over := make([]T, in.Rows), int64(0)
	for i := range out {
		hi, lo := mul64(int64(as[i&am]), int64(bs[i&bm]))
		out[i] = T(lo)
		over |= (hi ^ lo>>63) | (int64(T(lo)) ^ lo)
	}
	if over != 0 {
		failInts(c, in, func(i int) bool {
			hi, lo := mul64(int64(as[i&am]), int64(bs[i&bm]))
			return hi != lo>>63 || int64(T(lo)) != lo
		})
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

// mul64 is the 128-bit product of two signed integers.
func mul64(a, b int64) (hi, lo int64) {
	h, l := bits.Mul64(uint64(a), uint64(b))
	return int64(h) - a>>63&b - b>>63&a, int64(l)
}

func failInts(c *Context, in *Input, over func(i int) bool) {
	for i := range in.Rows {
		if in.Valid.Get(i) && over(i) {
			in.Fail(c, i, outOfRange(in.Result.Kind))
		}
	}
}

func divInts[T signed](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out := make([]T, in.Rows)
	for i := range out {
		a, b := as[i&am], bs[i&bm]
		switch {
		case b > 0 || b < -1:
			out[i] = a / b
		case !in.Valid.Get(i):
		case b == 0:
			in.Fail(c, i, errDivisionByZero)
		case a != 0 && -a == a: // the smallest integer by -1
			in.Fail(c, i, outOfRange(in.Result.Kind))
		default:
			out[i] = -a
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func modInts[T signed](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out := make([]T, in.Rows)
	for i := range out {
		b := bs[i&bm]
		switch {
		case b > 0 || b < -1:
			out[i] = as[i&am] % b
		case b == 0 && in.Valid.Get(i):
			in.Fail(c, i, errDivisionByZero)
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

// The kernels over floats look for overflow the same way: an infinite result of finite operands, and
// for * and / a zero result of operands that are not.

func addFloats[T float](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, sum := make([]T, in.Rows), T(0)
	for i := range out {
		r := as[i&am] + bs[i&bm]
		out[i] = r
		sum += r - r // NaN once r is infinite or NaN
	}
	if sum != 0 {
		failFloats(c, in, as, am, bs, bm, out, false)
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func subFloats[T float](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, sum := make([]T, in.Rows), T(0)
	for i := range out {
		r := as[i&am] - bs[i&bm]
		out[i] = r
		sum += r - r
	}
	if sum != 0 {
		failFloats(c, in, as, am, bs, bm, out, false)
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func mulFloats[T float](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out, suspect := make([]T, in.Rows), false
	for i := range out {
		r := as[i&am] * bs[i&bm]
		out[i] = r
		suspect = suspect || r == 0 || r-r != 0
	}
	if suspect {
		failFloats(c, in, as, am, bs, bm, out, true)
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func divFloats[T float](c *Context, in *Input) arrow.Array {
	as, am, bs, bm := operands[T](in)
	out := make([]T, in.Rows)
	for i := range out {
		a, b := as[i&am], bs[i&bm]
		r := a / b
		out[i] = r
		if r != 0 && r-r == 0 || !in.Valid.Get(i) {
			continue
		}
		switch {
		case b == 0 && a == a:
			in.Fail(c, i, errDivisionByZero)
		case isInf(r) && !isInf(a):
			in.Fail(c, i, errFloatOverflow)
		case r == 0 && a != 0 && !isInf(b):
			in.Fail(c, i, errFloatUnderflow)
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func failFloats[T float](c *Context, in *Input, as []T, am int, bs []T, bm int, out []T, product bool) {
	for i, r := range out {
		if !in.Valid.Get(i) {
			continue
		}
		a, b := as[i&am], bs[i&bm]
		switch {
		case isInf(r) && !isInf(a) && !isInf(b):
			in.Fail(c, i, errFloatOverflow)
		case product && r == 0 && a != 0 && b != 0:
			in.Fail(c, i, errFloatUnderflow)
		}
	}
}

func isInf[T float](f T) bool { return math.IsInf(float64(f), 0) }

var (
	errZeroToNegative  = sql.Errorf("2201F", "zero raised to a negative power is undefined")
	errNegativeToFract = sql.Errorf("2201F", "a negative number raised to a non-integer power yields a complex result")
)

// powFloat is a ^ b as PostgreSQL's dpow computes it.
func powFloat(_ *Context, a, b float64) (float64, error) {
	switch {
	case a == 0 && b < 0:
		return 0, errZeroToNegative
	case a < 0 && b != math.Trunc(b) && b == b:
		return 0, errNegativeToFract
	}
	r := math.Pow(a, b)
	if abs := math.Abs(a); abs < 0x1p-1022 && abs > 0 {
		r = math.Pow(a*0x1p54, b) * math.Exp2(-54*b) // math.Pow is far off for subnormal numbers
	}
	switch {
	case isInf(r) && !isInf(a) && !isInf(b):
		return 0, errFloatOverflow
	case r == 0 && a != 0 && !isInf(a) && !isInf(b):
		return 0, errFloatUnderflow
	}
	return r, nil
}

package expr

import (
	"math"
	"math/rand/v2"

	"github.com/streamsql/streamsql/sql"
)

// mathFunctions are the functions over floats and integers; those over numerics are in
// mathnumeric.go.
func mathFunctions() []Function {
	f8 := sql.TypeFloat8
	fns := []Function{
		{Name: "pi", Result: f8, Kernel: Row0(func(*Context) (float64, error) { return math.Pi, nil })},
		{Name: "random", Result: f8, Volatility: Volatile, Kernel: Row0(func(*Context) (float64, error) { return rand.Float64(), nil })},
		{Name: "power", Args: types(f8, f8), Result: f8, Kernel: Row2(powFloat)},
		{Name: "pow", Args: types(f8, f8), Result: f8, Kernel: Row2(powFloat)},
		{Name: "atan2", Args: types(f8, f8), Result: f8, Kernel: Pure2(atan2)},
		{Name: "atan2d", Args: types(f8, f8), Result: f8, Kernel: Pure2(func(a, b float64) float64 { return atan2(a, b) / math.Atan(1) * 45 })},
		{Name: "width_bucket", Args: types(f8, f8, f8, sql.TypeInt4), Result: sql.TypeInt4, Kernel: Row4(widthBucket)},
	}
	for name, fn := range map[string]func(float64) float64{
		"ceil": math.Ceil, "ceiling": math.Ceil, "floor": math.Floor, "round": math.RoundToEven, "trunc": math.Trunc,
		"sign": signFloat, "cbrt": math.Cbrt, "atan": math.Atan, "tanh": math.Tanh, "asinh": math.Asinh,
	} {
		fns = append(fns, Function{Name: name, Args: types(f8), Result: f8, Kernel: Pure1(fn)})
	}
	for name, fn := range map[string]func(*Context, float64) (float64, error){
		"sqrt": sqrtFloat, "dsqrt": sqrtFloat, "exp": expFloat, "dexp": expFloat,
		"ln": logFloat(ln), "log": logFloat(log10), "log10": logFloat(log10),
		"degrees": scaled(1 / (math.Pi / 180)), "radians": scaled(math.Pi / 180),
		"sin": trig(math.Sin), "cos": trig(math.Cos), "tan": trig(math.Tan),
		"cot":  trig(func(f float64) float64 { return 1 / math.Tan(f) }),
		"asin": inDomain(math.Asin, -1, 1), "acos": inDomain(acos, -1, 1), "atanh": inDomain(math.Atanh, -1, 1),
		"acosh": inDomain(math.Acosh, 1, math.Inf(1)),
		"sinh":  overflowing(math.Sinh), "cosh": overflowing(math.Cosh),
		"sind": degrees(sinDegrees), "cosd": degrees(cosDegrees),
		"tand": degrees(func(f float64) float64 { return sinDegrees(f) / cosDegrees(f) }),
		"cotd": degrees(func(f float64) float64 { return cosDegrees(f) / sinDegrees(f) }),
	} {
		fns = append(fns, Function{Name: name, Args: types(f8), Result: f8, Kernel: Row1(fn)})
	}
	fns = append(fns, intMath[int16](sql.TypeInt2, modInts[int16])...)
	fns = append(fns, intMath[int32](sql.TypeInt4, modInts[int32])...)
	return append(fns, intMath[int64](sql.TypeInt8, modInts[int64])...)
}

// intMath are mod, gcd and lcm; PostgreSQL has the latter two from integer on.
func intMath[T signed](t sql.Type, mod Kernel) []Function {
	fns := []Function{{Name: "mod", Args: types(t, t), Result: t, Kernel: mod}}
	if t.Kind == sql.Int2 {
		return fns
	}
	outside := outOfRange(t.Kind)
	return append(fns,
		Function{Name: "gcd", Args: types(t, t), Result: t, Kernel: Row2(func(_ *Context, a, b T) (T, error) {
			g := gcd(a, b)
			if g < 0 {
				return 0, outside
			}
			return g, nil
		})},
		Function{Name: "lcm", Args: types(t, t), Result: t, Kernel: Row2(func(_ *Context, a, b T) (T, error) {
			if a == 0 || b == 0 {
				return 0, nil
			}
			a /= gcd(a, b)
			r := a * b
			if r/b != a || r < 0 && -r == r || a < 0 && -a == a {
				return 0, outside
			}
			if r < 0 {
				r = -r
			}
			return r, nil
		})})
}

// gcd is negative only if the result, the magnitude of the smallest integer, does not fit.
func gcd[T signed](a, b T) T {
	for b != 0 {
		if b == -1 {
			return 1
		}
		a, b = b, a%b
	}
	if a < 0 {
		a = -a
	}
	return a
}

func signFloat(f float64) float64 {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	}
	return 0
}

var (
	errNegativeSqrt = sql.Errorf("2201F", "cannot take square root of a negative number")
	errLogOfZero    = sql.Errorf("2201E", "cannot take logarithm of zero")
	errLogNegative  = sql.Errorf("2201E", "cannot take logarithm of a negative number")
	errInputRange   = sql.Errorf(sql.CodeNumericOutOfRange, "input is out of range")
)

func sqrtFloat(_ *Context, f float64) (float64, error) {
	if f < 0 {
		return 0, errNegativeSqrt
	}
	return math.Sqrt(f), nil
}

func expFloat(_ *Context, f float64) (float64, error) {
	r := math.Exp(f)
	switch {
	case math.IsInf(r, 0) && !math.IsInf(f, 0):
		return 0, errFloatOverflow
	case r == 0 && !math.IsInf(f, 0):
		return 0, errFloatUnderflow
	}
	return r, nil
}

func logFloat(log func(float64) float64) func(*Context, float64) (float64, error) {
	return func(_ *Context, f float64) (float64, error) {
		switch {
		case f == 0:
			return 0, errLogOfZero
		case f < 0:
			return 0, errLogNegative
		}
		return log(f), nil
	}
}

// log10 and ln are right for denormal numbers too, which math.Log is not.
func log10(f float64) float64 {
	if f < 1e-300 {
		return math.Log10(f*(1<<60)) - 60*math.Log10(2)
	}
	return math.Log10(f)
}

func ln(f float64) float64 {
	if f < 1e-300 {
		return math.Log(f*(1<<60)) - 60*math.Ln2
	}
	return math.Log(f)
}

// atan2 has y's sign, which math.Atan2 loses where y / x underflows.
func atan2(y, x float64) float64 {
	r := math.Atan2(y, x)
	if y != 0 {
		r = math.Copysign(r, y)
	}
	return r
}

// acos is exact near 1, where math.Acos is not.
func acos(f float64) float64 { return 2 * math.Atan2(math.Sqrt(1-f), math.Sqrt(1+f)) }

func trig(fn func(float64) float64) func(*Context, float64) (float64, error) {
	return func(_ *Context, f float64) (float64, error) {
		if math.IsInf(f, 0) {
			return 0, errInputRange
		}
		return fn(f), nil
	}
}

// scaled multiplies, with the errors of multiplication.
func scaled(by float64) func(*Context, float64) (float64, error) {
	return func(_ *Context, f float64) (float64, error) {
		r := f * by
		switch {
		case math.IsInf(r, 0) && !math.IsInf(f, 0):
			return 0, errFloatOverflow
		case r == 0 && f != 0:
			return 0, errFloatUnderflow
		}
		return r, nil
	}
}

func inDomain(fn func(float64) float64, low, high float64) func(*Context, float64) (float64, error) {
	return func(_ *Context, f float64) (float64, error) {
		if f < low || f > high {
			return 0, errInputRange
		}
		return fn(f), nil
	}
}

// overflowing functions give infinity for what is too large, as PostgreSQL's sinh and cosh do.
func overflowing(fn func(float64) float64) func(*Context, float64) (float64, error) {
	return func(_ *Context, f float64) (float64, error) { return fn(f), nil }
}

func degrees(fn func(float64) float64) func(*Context, float64) (float64, error) {
	return trig(fn)
}

// sinDegrees is exact at multiples of 30 degrees.
func sinDegrees(f float64) float64 {
	if math.IsNaN(f) {
		return f
	}
	f = math.Mod(f, 360)
	sign := 1.0
	if f < 0 {
		f, sign = -f, -sign
	}
	if f > 180 {
		f, sign = 360-f, -sign
	}
	if f > 90 {
		f = 180 - f
	}
	switch f {
	case 0:
		return 0
	case 30:
		return sign * 0.5
	case 90:
		return sign
	}
	return sign * math.Sin(f*(math.Pi/180))
}

// cosDegrees reduces the angle before it adds, so that nothing is lost of a large one.
func cosDegrees(f float64) float64 { return sinDegrees(math.Mod(f, 360) + 90) }

var (
	errBucketCount  = sql.Errorf("2201G", "count must be greater than zero")
	errBucketNaN    = sql.Errorf("2201G", "operand, lower bound, and upper bound cannot be NaN")
	errBucketBounds = sql.Errorf("2201G", "lower and upper bounds must be finite")
	errBucketEqual  = sql.Errorf("2201G", "lower bound cannot equal upper bound")
)

// widthBucket is the bucket of v among count equal ones between low and high; 0 and count+1 are
// outside.
func widthBucket(_ *Context, v, low, high float64, count int32) (int32, error) {
	switch {
	case count <= 0:
		return 0, errBucketCount
	case math.IsNaN(v) || math.IsNaN(low) || math.IsNaN(high):
		return 0, errBucketNaN
	case math.IsInf(low, 0) || math.IsInf(high, 0):
		return 0, errBucketBounds
	case low == high:
		return 0, errBucketEqual
	}
	if low > high { // counted downwards
		v, low, high = -v, -low, -high
	}
	switch {
	case v < low:
		return 0, nil
	case v >= high:
		if count == math.MaxInt32 {
			return 0, outOfRange(sql.Int4)
		}
		return count + 1, nil
	}
	if width := high - low; math.IsInf(width, 0) {
		v, low, high = v/2, low/2, high/2
	}
	return int32(float64(count)*((v-low)/(high-low))) + 1, nil
}

package expr

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// signed and float are the Go types of SQL's numbers.
type (
	signed interface{ int16 | int32 | int64 }
	float  interface{ float32 | float64 }
)

// outOfRange is PostgreSQL's 22003 for an integer type.
func outOfRange(k sql.Kind) *sql.Error {
	return sql.Errorf(sql.CodeNumericOutOfRange, "%s out of range", sql.Type{Kind: k}.BaseName())
}

func intCast(from, to sql.Type, _ CastContext) Kernel {
	switch (castKey{from.Kind, to.Kind}) {
	case castKey{sql.Int2, sql.Int4}:
		return convertInts[int16, int32]
	case castKey{sql.Int2, sql.Int8}:
		return convertInts[int16, int64]
	case castKey{sql.Int4, sql.Int2}:
		return convertInts[int32, int16]
	case castKey{sql.Int4, sql.Int8}:
		return convertInts[int32, int64]
	case castKey{sql.Int8, sql.Int2}:
		return convertInts[int64, int16]
	}
	return convertInts[int64, int32]
}

func convertInts[A, R signed](c *Context, in *Input) arrow.Array {
	as, out := stream.Values[A](in.Args[0].Array), make([]R, in.Rows)
	bad := false
	for i, a := range as {
		out[i] = R(a)
		bad = bad || A(out[i]) != a
	}
	if bad { // or NULL rows hold anything
		for i, a := range as {
			if A(out[i]) != a && in.Valid.Get(i) {
				in.Fail(c, i, outOfRange(in.Result.Kind))
			}
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func intToFloat(from, to sql.Type, _ CastContext) Kernel {
	if to.Kind == sql.Float4 {
		return byIntKind(from.Kind, convertIntToFloat[int16, float32], convertIntToFloat[int32, float32], convertIntToFloat[int64, float32])
	}
	return byIntKind(from.Kind, convertIntToFloat[int16, float64], convertIntToFloat[int32, float64], convertIntToFloat[int64, float64])
}

func byIntKind[T any](k sql.Kind, int2, int4, int8 T) T {
	switch k {
	case sql.Int2:
		return int2
	case sql.Int4:
		return int4
	}
	return int8
}

func convertIntToFloat[A signed, R float](_ *Context, in *Input) arrow.Array {
	as, out := stream.Values[A](in.Args[0].Array), make([]R, in.Rows)
	for i, a := range as {
		out[i] = R(a)
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func floatToInt(from, to sql.Type, _ CastContext) Kernel {
	if from.Kind == sql.Float4 {
		return byIntKind(to.Kind, convertFloatToInt[float32, int16], convertFloatToInt[float32, int32], convertFloatToInt[float32, int64])
	}
	return byIntKind(to.Kind, convertFloatToInt[float64, int16], convertFloatToInt[float64, int32], convertFloatToInt[float64, int64])
}

// convertFloatToInt rounds halves to even, as rint does.
func convertFloatToInt[A float, R signed](c *Context, in *Input) arrow.Array {
	as, out := stream.Values[A](in.Args[0].Array), make([]R, in.Rows)
	bits := intBits[in.Result.Kind]
	lo, hi := -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	for i, a := range as {
		if !in.Valid.Get(i) {
			continue
		}
		r := math.RoundToEven(float64(a))
		if r >= lo && r < hi {
			out[i] = R(r)
		} else {
			in.Fail(c, i, outOfRange(in.Result.Kind))
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

var intBits = map[sql.Kind]int{sql.Int2: 16, sql.Int4: 32, sql.Int8: 64}

func floatCast(from, to sql.Type, _ CastContext) Kernel {
	if from.Kind == sql.Float4 {
		return func(_ *Context, in *Input) arrow.Array {
			as, out := stream.Values[float32](in.Args[0].Array), make([]float64, in.Rows)
			for i, a := range as {
				out[i] = float64(a)
			}
			return stream.Fixed(in.Result, out, in.Valid)
		}
	}
	return Row1(func(_ *Context, a float64) (float32, error) {
		r := float32(a)
		switch {
		case math.IsInf(float64(r), 0) && !math.IsInf(a, 0):
			return 0, errFloatOverflow
		case r == 0 && a != 0:
			return 0, errFloatUnderflow
		}
		return r, nil
	})
}

var (
	errFloatOverflow  = sql.Errorf(sql.CodeNumericOutOfRange, "value out of range: overflow")
	errFloatUnderflow = sql.Errorf(sql.CodeNumericOutOfRange, "value out of range: underflow")
	errDivisionByZero = sql.Errorf(sql.CodeDivisionByZero, "division by zero")
)

func boolToInt(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(b bool) int32 {
		if b {
			return 1
		}
		return 0
	})
}

func intToBool(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(i int32) bool { return i != 0 })
}

// boolToText gives the words, where output gives only their first letters.
func boolToText(_, _ sql.Type, _ CastContext) Kernel { return Pure1(strconv.FormatBool) }

func intToNumeric(from, to sql.Type, _ CastContext) Kernel {
	if to.IsFixed() && to.Precision <= 18 && to.Scale >= 0 && to.Precision-to.Scale >= integerDigits[from.Kind] {
		return byIntKind(from.Kind, intToDecimal64[int16], intToDecimal64[int32], intToDecimal64[int64])
	}
	return byIntKind(from.Kind, intToAnyNumeric[int16], intToAnyNumeric[int32], intToAnyNumeric[int64])
}

// intToDecimal64 is for targets that hold every value.
func intToDecimal64[A signed](_ *Context, in *Input) arrow.Array {
	as, out := stream.Values[A](in.Args[0].Array), make([]int64, in.Rows)
	scale := pow10[in.Result.Scale]
	for i, a := range as {
		out[i] = int64(a) * scale
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

func intToAnyNumeric[A signed](c *Context, in *Input) arrow.Array {
	as := stream.Values[A](in.Args[0].Array)
	var d sql.Decimal
	return numericRows(c, in, func(i int) (*sql.Decimal, error) {
		return d.SetFinite(int64(as[i]), 0), nil
	})
}

func floatToNumeric(from, _ sql.Type, _ CastContext) Kernel {
	digits := 15 // DBL_DIG
	if from.Kind == sql.Float4 {
		digits = 6 // FLT_DIG
	}
	return func(c *Context, in *Input) arrow.Array {
		var buf [32]byte
		var d sql.Decimal
		at := floatReader(in.Args[0])
		return numericRows(c, in, func(i int) (*sql.Decimal, error) {
			f := at(i)
			switch {
			case f != f:
				d = sql.Decimal{Form: apd.NaN}
			case math.IsInf(f, 0):
				d = sql.Decimal{Form: apd.Infinite, Negative: f < 0}
			default:
				s := strconv.AppendFloat(buf[:0], f, 'e', digits-1, 64)
				d.SetString(string(s))
				trimFractionZeros(&d)
			}
			return &d, nil
		})
	}
}

// trimFractionZeros drops the zeros that %g does not print, so that the display scale is right.
func trimFractionZeros(d *sql.Decimal) {
	if d.IsZero() {
		d.SetFinite(0, 0)
		return
	}
	d.Reduce(d)
	if d.Exponent > 0 {
		sql.Rescale(d, d, 0)
	}
}

func floatReader(v Vector) func(i int) float64 {
	if v.Type.Kind == sql.Float4 {
		vs, mask := stream.Values[float32](v.Array), v.Mask()
		return func(i int) float64 { return float64(vs[i&mask]) }
	}
	return reader[float64](v)
}

func numericToInt(_, to sql.Type, _ CastContext) Kernel {
	return byIntKind(to.Kind, convertNumericToInt[int16], convertNumericToInt[int32], convertNumericToInt[int64])
}

func convertNumericToInt[R signed](c *Context, in *Input) arrow.Array {
	at, out := decimalReader(in.Args[0]), make([]R, in.Rows)
	name := in.Result.BaseName()
	for i := range in.Rows {
		if !in.Valid.Get(i) {
			continue
		}
		d := at(i)
		if d.Form != apd.Finite {
			what := "NaN"
			if d.Form == apd.Infinite {
				what = "infinity"
			}
			in.Fail(c, i, sql.Errorf(sql.CodeFeatureNotSupported, "cannot convert %s to %s", what, name))
			continue
		}
		sql.Rescale(d, d, 0)
		n, ok := decimalInt64(d)
		if out[i] = R(n); !ok || int64(out[i]) != n {
			in.Fail(c, i, outOfRange(in.Result.Kind))
		}
	}
	return stream.Fixed(in.Result, out, in.Valid)
}

// decimalInt64 is the value of a numeric of scale 0.
func decimalInt64(d *sql.Decimal) (int64, bool) {
	if !d.Coeff.IsUint64() {
		return 0, false
	}
	u := d.Coeff.Uint64()
	if d.Negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

func numericToFloat(_, to sql.Type, _ CastContext) Kernel {
	bits := 64
	if to.Kind == sql.Float4 {
		bits = 32
	}
	convert := func(d *sql.Decimal) (float64, error) { return decimalFloat(d, bits) }
	if bits == 32 {
		return Row1(func(_ *Context, d *sql.Decimal) (float32, error) {
			f, err := convert(d)
			return float32(f), err
		})
	}
	return Row1(func(_ *Context, d *sql.Decimal) (float64, error) { return convert(d) })
}

// decimalFloat is the float nearest to d. 22003 when there is none.
func decimalFloat(d *sql.Decimal, bits int) (float64, error) {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return math.Inf(-1), nil
	case d.Form == apd.Infinite:
		return math.Inf(1), nil
	case d.Form != apd.Finite:
		return math.NaN(), nil
	}
	if scale := sql.NumericScale(d); bits == 64 && d.Coeff.IsUint64() && d.Coeff.Uint64() < 1<<53 && scale <= 22 {
		f := float64(d.Coeff.Uint64()) / floatPow10[scale] // both are exact, so the quotient is rounded once
		if d.Negative {
			f = -f
		}
		return f, nil
	}
	text := sql.AppendNumericText(nil, d)
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil || f == 0 && !d.IsZero() {
		return 0, sql.Errorf(sql.CodeNumericOutOfRange, "\"%s\" is out of range for type %s", text,
			map[int]string{32: "real", 64: "double precision"}[bits])
	}
	return f, nil
}

var floatPow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// pow10 are the powers of ten of an int64.
var pow10 = func() (ps [19]int64) {
	ps[0] = 1
	for i := 1; i < len(ps); i++ {
		ps[i] = ps[i-1] * 10
	}
	return ps
}()

func intToOID(from, _ sql.Type, _ CastContext) Kernel {
	if from.Kind == sql.Int8 {
		return Row1(func(_ *Context, v int64) (int64, error) {
			if v < 0 || v > math.MaxUint32 {
				return 0, sql.Errorf(sql.CodeNumericOutOfRange, "OID out of range")
			}
			return v, nil
		})
	}
	if from.Kind == sql.Int2 {
		return Pure1(func(v int16) int64 { return int64(uint32(int32(v))) })
	}
	return Pure1(func(v int32) int64 { return int64(uint32(v)) })
}

func oidToInt4(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(v int64) int32 { return int32(uint32(v)) })
}

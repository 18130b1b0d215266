package json

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// integer reads integers: also 1.0 and 1e3, which JSON does not tell from 1 and 1000, but not 1.5.
type integer[T int16 | int32 | int64] struct{ column.Fixed[T] }

func (c *integer[T]) read(in *input, s []byte, i int) int {
	if s[i] == '"' || s[i] > '9' {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	mant, exp, digits, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	if exp != 0 || digits > maxExact {
		var ok bool
		if mant, ok = whole(mant, exp, digits); !ok {
			return in.general(s, i, &c.Fixed, c.Type) // for PostgreSQL's error
		}
	}
	v := T(mant)
	if s[i] == '-' {
		v = -v
		if v <= 0 && uint64(-int64(v)) == mant {
			c.Push(v)
			return end
		}
	} else if v >= 0 && uint64(v) == mant {
		c.Push(v)
		return end
	}
	return in.fail(sql.CodeNumericOutOfRange, "value \"%s\" is out of range for type %s", clip(s[i:end]), c.Type)
}

// whole is mant·10^exp if that is an integer that fits.
func whole(mant uint64, exp, digits int) (uint64, bool) {
	if digits > maxExact {
		return 0, false
	}
	for ; exp < 0 && mant%10 == 0 && mant != 0; exp++ {
		mant /= 10
	}
	if mant == 0 {
		return 0, true
	}
	if exp < 0 || exp > maxExact {
		return 0, false
	}
	hi, lo := bits.Mul64(mant, pow10[exp])
	return lo, hi == 0
}

// decimal64 reads numeric(p,s) of up to 18 digits. It rounds half away from zero, as PostgreSQL.
type decimal64 struct {
	column.Fixed[int64]
	limit uint64 // 10^p: the first unscaled value that does not fit
	scale int
}

func newDecimal64(t sql.Type) *decimal64 {
	return &decimal64{*column.New(t).(*column.Fixed[int64]), pow10[t.Precision], int(t.Scale)}
}

func (c *decimal64) read(in *input, s []byte, i int) int {
	if s[i] == '"' || s[i] > '9' {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	mant, exp, digits, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	shift := exp + c.scale
	switch {
	case digits > maxExact || shift < -maxExact || shift > maxExact:
		return in.general(s, i, &c.Fixed, c.Type)
	case shift > 0:
		hi, lo := bits.Mul64(mant, pow10[shift])
		if mant = lo; hi != 0 {
			mant = math.MaxUint64
		}
	case shift < 0:
		unit := pow10[-shift]
		rest := mant % unit
		if mant /= unit; rest >= unit-rest {
			mant++
		}
	}
	if mant >= c.limit {
		return in.general(s, i, &c.Fixed, c.Type) // for PostgreSQL's error
	}
	v := int64(mant)
	if s[i] == '-' {
		v = -v
	}
	c.Push(v)
	return end
}

// decimal128Column reads numeric(p,s) of 19 to 38 digits; numbers of more than maxExact digits go
// the general way.
type decimal128Column struct {
	column.Fixed[decimal128.Num]
	scale int
	exact int // with up to so many digits before the point no value overflows
}

func newDecimal128(t sql.Type) *decimal128Column {
	return &decimal128Column{*column.New(t).(*column.Fixed[decimal128.Num]), int(t.Scale), int(t.Precision - t.Scale)}
}

func (c *decimal128Column) read(in *input, s []byte, i int) int {
	if s[i] == '"' || s[i] > '9' {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	mant, exp, digits, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	shift := exp + c.scale
	if digits > maxExact || shift < 0 || shift > maxExact || digits+exp > c.exact {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	hi, lo := bits.Mul64(mant, pow10[shift])
	v := decimal128.New(int64(hi), lo)
	if s[i] == '-' {
		v = v.Negate()
	}
	c.Push(v)
	return end
}

// float reads real and double precision, rounded to the nearest.
type float[T float32 | float64] struct{ column.Fixed[T] }

func (c *float[T]) read(in *input, s []byte, i int) int {
	if s[i] == '"' || s[i] > '9' {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	mant, exp, digits, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	// A mantissa and a power of ten that are both exact as doubles give the nearest double by one
	// operation; for a real, that would round twice.
	if c.Type.Kind != sql.Float8 || digits > maxExact || mant > 1<<53 || exp < -22 || exp > 22 {
		return in.general(s, i, &c.Fixed, c.Type)
	}
	v := float64(mant)
	if exp < 0 {
		v /= floatPow10[-exp]
	} else {
		v *= floatPow10[exp]
	}
	if s[i] == '-' {
		v = -v
	}
	c.Push(T(v))
	return end
}

var floatPow10 = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

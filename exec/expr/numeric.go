package expr

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// literalNumericType is the fixed type of exactly d's digits, or plain numeric if there is none.
func literalNumericType(d *sql.Decimal) sql.Type {
	scale := sql.NumericScale(d)
	if d.Form != apd.Finite || d.Exponent > 0 {
		return sql.TypeNumeric
	}
	digits := max(int32(d.NumDigits()), scale, 1)
	if digits > maxFixedDigits {
		return sql.TypeNumeric
	}
	return sql.FixedNumeric(digits, scale)
}

// maxFixedDigits is up to where arithmetic on fixed numerics keeps them fixed: what 128 bits hold.
const maxFixedDigits = 38

// fitNumeric sets dst to src as a value of t: rounded to its scale, and checked against its digits.
func fitNumeric(dst, src *sql.Decimal, t sql.Type) error {
	if t.Precision == 0 {
		if wholeDigits := src.NumDigits() + int64(src.Exponent); src.Form == apd.Finite && wholeDigits > sql.NumericMaxWholeDigits {
			return errNumericOverflow
		}
		if dst != src {
			dst.Set(src)
		}
		return nil
	}
	if src.Form != apd.Finite {
		what := "an infinite value"
		if src.Form == apd.NaN {
			what = "NaN" // PostgreSQL can; an Arrow decimal can't
		}
		return errFieldOverflow.WithDetail("A field with precision %d, scale %d cannot hold %s.", t.Precision, t.Scale, what)
	}
	sql.Rescale(dst, src, t.Scale)
	if !dst.IsZero() && dst.NumDigits() > int64(t.Precision) {
		return fieldOverflow(t)
	}
	return nil
}

var (
	errNumericOverflow = sql.Errorf(sql.CodeNumericOutOfRange, "value overflows numeric format")
	errFieldOverflow   = sql.Errorf(sql.CodeNumericOutOfRange, "numeric field overflow")
)

func fieldOverflow(t sql.Type) *sql.Error {
	const detail = "A field with precision %d, scale %d must round to an absolute value less than "
	if digits := t.Precision - t.Scale; digits != 0 {
		return errFieldOverflow.WithDetail(detail+"10^%d.", t.Precision, t.Scale, digits)
	}
	return errFieldOverflow.WithDetail(detail+"1.", t.Precision, t.Scale)
}

// numericRows builds a numeric column of either storage row by row; values are fitted to its type.
func numericRows(c *Context, in *Input, at func(i int) (*sql.Decimal, error)) arrow.Array {
	w := newNumericWriter(in.Result, in.Rows)
	for i := range in.Rows {
		if !in.Valid.Get(i) {
			w.skip()
			continue
		}
		d, err := at(i)
		if err == nil {
			err = fitNumeric(&w.fitted, d, in.Result)
		}
		if err != nil {
			in.Fail(c, i, err)
			w.skip()
			continue
		}
		w.append(&w.fitted)
	}
	return w.finish(in.Valid)
}

// numericWriter collects numerics into a column. It allocates nothing a row while they fit 64 bits
// (variable: 128 bits).
type numericWriter struct {
	typ     sql.Type
	fitted  sql.Decimal // scratch for the caller
	offsets []int32
	data    []byte
	d64     []int64
	d128    []decimal128.Num
	d256    []decimal256.Num
}

func newNumericWriter(t sql.Type, rows int) *numericWriter {
	w := &numericWriter{typ: t}
	switch {
	case t.Precision == 0:
		w.offsets, w.data = append(make([]int32, 0, rows+1), 0), make([]byte, 0, rows*8)
	case t.Precision <= 18:
		w.d64 = make([]int64, 0, rows)
	case t.Precision <= 38:
		w.d128 = make([]decimal128.Num, 0, rows)
	default:
		w.d256 = make([]decimal256.Num, 0, rows)
	}
	return w
}

// append adds d, which has the column's scale.
func (w *numericWriter) append(d *sql.Decimal) {
	switch p := w.typ.Precision; {
	case p == 0:
		w.data = sql.AppendNumeric(w.data, d)
		w.offsets = append(w.offsets, int32(len(w.data)))
	case p <= 18:
		n, _ := decimalInt64(d)
		w.d64 = append(w.d64, n)
	case p <= 38:
		n, ok := decimalInt64(d)
		v := decimal128.FromI64(n)
		if !ok {
			v = decimal128.FromBigInt(signedCoeff(d))
		}
		w.d128 = append(w.d128, v)
	default:
		w.d256 = append(w.d256, decimal256.FromBigInt(signedCoeff(d)))
	}
}

// appendUint64 adds ±mag / 10^scale to a column of variable numerics.
func (w *numericWriter) appendUint64(negative bool, mag uint64, scale int32) {
	w.appendUint128(negative, 0, mag, scale)
}

// appendUint128 adds ±(hi·2^64 + lo) / 10^scale to a column of variable numerics.
func (w *numericWriter) appendUint128(negative bool, hi, lo uint64, scale int32) {
	w.data = sql.AppendNumericUint128(w.data, negative, hi, lo, scale)
	w.offsets = append(w.offsets, int32(len(w.data)))
}

// skip adds a row that is NULL.
func (w *numericWriter) skip() {
	switch p := w.typ.Precision; {
	case p == 0:
		w.offsets = append(w.offsets, int32(len(w.data)))
	case p <= 18:
		w.d64 = append(w.d64, 0)
	case p <= 38:
		w.d128 = append(w.d128, decimal128.Num{})
	default:
		w.d256 = append(w.d256, decimal256.Num{})
	}
}

func (w *numericWriter) finish(valid stream.Bitmap) arrow.Array {
	switch p := w.typ.Precision; {
	case p == 0:
		return stream.Bytes(w.typ, w.offsets, w.data, valid)
	case p <= 18:
		return stream.Fixed(w.typ, w.d64, valid)
	case p <= 38:
		return stream.Fixed(w.typ, w.d128, valid)
	}
	return stream.Fixed(w.typ, w.d256, valid)
}

// numericToNumeric changes scale, digits or storage; nil = nothing to do.
func numericToNumeric(from, to sql.Type) Kernel {
	if from.IsFixed() && to.IsFixed() && from.Precision <= 18 && to.Precision <= 18 && min(from.Scale, to.Scale) >= 0 && max(from.Scale, to.Scale) <= 18 {
		return rescale64
	}
	return func(c *Context, in *Input) arrow.Array {
		return numericRows(c, in, rowDecimals(in.Args[0]))
	}
}

func rowDecimals(v Vector) func(i int) (*sql.Decimal, error) {
	at := decimalReader(v)
	return func(i int) (*sql.Decimal, error) { return at(i), nil }
}

// rescale64 is the cast between fixed numerics of up to 18 digits.
func rescale64(c *Context, in *Input) arrow.Array {
	from, to := in.Args[0].Type, in.Result
	as, out := stream.Values[int64](in.Args[0].Array), make([]int64, in.Rows)
	shift := to.Scale - from.Scale
	limit := pow10[to.Precision]
	for i, a := range as {
		if !in.Valid.Get(i) {
			continue
		}
		ok := true
		if shift >= 0 {
			unit := pow10[shift]
			ok = a < (limit+unit-1)/unit && a > -((limit+unit-1)/unit)
			a *= unit
		} else {
			unit := pow10[-shift]
			q, r := a/unit, a%unit
			switch {
			case r >= unit-r:
				q++
			case -r >= unit+r:
				q--
			}
			a, ok = q, q < limit && q > -limit
		}
		if out[i] = a; !ok {
			in.Fail(c, i, fieldOverflow(to))
		}
	}
	return stream.Fixed(to, out, in.Valid)
}

// signedCoeff is d's coefficient with its sign.
func signedCoeff(d *sql.Decimal) *big.Int {
	v := new(big.Int).Set(d.Coeff.MathBigInt())
	if d.Negative {
		v.Neg(v)
	}
	return v
}

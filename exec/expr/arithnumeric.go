package expr

import (
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// sumType is the type of a + b and a - b: fixed while both are and no digit can be lost.
func sumType(args []sql.Type) sql.Type {
	a, b := args[0], args[1]
	if !a.IsFixed() || !b.IsFixed() || a.Scale < 0 || b.Scale < 0 {
		return sql.TypeNumeric
	}
	scale := max(a.Scale, b.Scale)
	return fixedOrVariable(max(a.Precision-a.Scale, b.Precision-b.Scale)+scale+1, scale)
}

// productType is the type of a * b.
func productType(args []sql.Type) sql.Type {
	a, b := args[0], args[1]
	if !a.IsFixed() || !b.IsFixed() || a.Scale < 0 || b.Scale < 0 {
		return sql.TypeNumeric
	}
	return fixedOrVariable(a.Precision+b.Precision, a.Scale+b.Scale)
}

func fixedOrVariable(precision, scale int32) sql.Type {
	if precision = max(precision, scale); precision > maxFixedDigits {
		return sql.TypeNumeric
	}
	return sql.FixedNumeric(precision, scale)
}

func addNumerics(c *Context, in *Input) arrow.Array { return sumNumerics(c, in, false) }
func subNumerics(c *Context, in *Input) arrow.Array { return sumNumerics(c, in, true) }

// sumNumerics is a + b, or a - b if minus.
func sumNumerics(c *Context, in *Input, minus bool) arrow.Array {
	a, b, t := in.Args[0], in.Args[1], in.Result
	if !t.IsFixed() {
		return sumVariable(c, in, minus)
	}
	aUp, bUp := int(t.Scale-a.Type.Scale), int(t.Scale-b.Type.Scale)
	if t.Precision <= 18 {
		as, am, bs, bm := operands[int64](in)
		out, au, bu := make([]int64, in.Rows), pow10[aUp], pow10[bUp]
		if minus {
			bu = -bu
		}
		for i := range out {
			out[i] = as[i&am]*au + bs[i&bm]*bu
		}
		return stream.Fixed(t, out, in.Valid)
	}
	as, bs := wide(a), wide(b)
	am, bm := a.Mask(), b.Mask()
	au, bu := decimal128.GetScaleMultiplier(aUp), decimal128.GetScaleMultiplier(bUp)
	if minus {
		bu = bu.Negate()
	}
	out := make([]decimal128.Num, in.Rows)
	for i := range out {
		out[i] = as[i&am].Mul(au).Add(bs[i&bm].Mul(bu))
	}
	return stream.Fixed(t, out, in.Valid)
}

// wide is a fixed numeric of up to 38 digits in 128 bits.
func wide(v Vector) []decimal128.Num {
	if v.Type.Precision > 18 {
		return stream.Values[decimal128.Num](v.Array)
	}
	vs := stream.Values[int64](v.Array)
	out := make([]decimal128.Num, len(vs))
	for i, n := range vs {
		out[i] = decimal128.FromI64(n)
	}
	return out
}

func mulNumerics(c *Context, in *Input) arrow.Array {
	t := in.Result
	if !t.IsFixed() {
		return mulVariable(c, in)
	}
	a, b := in.Args[0], in.Args[1]
	if t.Precision <= 18 {
		as, am, bs, bm := operands[int64](in)
		out := make([]int64, in.Rows)
		for i := range out {
			out[i] = as[i&am] * bs[i&bm]
		}
		return stream.Fixed(t, out, in.Valid)
	}
	out := make([]decimal128.Num, in.Rows)
	if a.Type.Precision <= 18 && b.Type.Precision <= 18 {
		as, am, bs, bm := operands[int64](in)
		for i := range out {
			hi, lo := mul64(as[i&am], bs[i&bm])
			out[i] = decimal128.New(hi, uint64(lo))
		}
		return stream.Fixed(t, out, in.Valid)
	}
	as, bs := wide(a), wide(b)
	am, bm := a.Mask(), b.Mask()
	for i := range out {
		out[i] = as[i&am].Mul(bs[i&bm])
	}
	return stream.Fixed(t, out, in.Valid)
}

// small is a finite numeric whose digits fit 64 bits, the usual case of a variable one.
type small struct {
	negative bool
	hi       uint64 // of a result only: what is above mag's 64 bits
	mag      uint64
	scale    int32
}

// smallReader reads row i as a small, if it is one.
func smallReader(v Vector) func(i int) (small, bool) {
	mask := v.Mask()
	switch t := v.Type; {
	case t.Precision == 0:
		offsets, data := stream.BytesValues(v.Array)
		return func(i int) (s small, ok bool) {
			i &= mask
			s.negative, s.mag, s.scale, ok = sql.DecodeNumericUint64(data[offsets[i]:offsets[i+1]])
			return s, ok
		}
	case t.Precision <= 18 && t.Scale >= 0:
		vs := stream.Values[int64](v.Array)
		return func(i int) (small, bool) {
			if n := vs[i&mask]; n < 0 {
				return small{negative: true, mag: uint64(-n), scale: t.Scale}, true
			} else {
				return small{mag: uint64(n), scale: t.Scale}, true
			}
		}
	}
	return func(int) (small, bool) { return small{}, false }
}

// align gives two smalls one scale; ok is false if that overflows.
func align(a, b small) (small, small, bool) {
	ok := true
	if a.scale < b.scale {
		a, ok = a.shift(b.scale)
	} else if b.scale < a.scale {
		b, ok = b.shift(a.scale)
	}
	return a, b, ok
}

func (s small) shift(scale int32) (small, bool) {
	if d := scale - s.scale; d < int32(len(pow10)) {
		hi, lo := bits.Mul64(s.mag, uint64(pow10[d]))
		return small{negative: s.negative, mag: lo, scale: scale}, hi == 0
	}
	return s, false
}

func (s small) add(b small) (small, bool) {
	s, b, ok := align(s, b)
	if !ok {
		return s, false
	}
	switch {
	case s.negative == b.negative:
		sum, carry := bits.Add64(s.mag, b.mag, 0)
		return small{s.negative, carry, sum, s.scale}, true
	case s.mag >= b.mag:
		return small{negative: s.negative, mag: s.mag - b.mag, scale: s.scale}, true
	}
	return small{negative: b.negative, mag: b.mag - s.mag, scale: s.scale}, true
}

// variable runs a kernel over variable numerics: quick for two smalls, else slow.
func variable(c *Context, in *Input, quick func(a, b small) (small, bool), slow func(r, a, b *sql.Decimal) error) arrow.Array {
	w := newNumericWriter(in.Result, in.Rows)
	smallA, smallB := smallReader(in.Args[0]), smallReader(in.Args[1])
	bigA, bigB := decimalReader(in.Args[0]), decimalReader(in.Args[1])
	for i := range in.Rows {
		if !in.Valid.Get(i) {
			w.skip()
			continue
		}
		if a, ok := smallA(i); ok {
			if b, ok := smallB(i); ok {
				if r, ok := quick(a, b); ok {
					w.appendUint128(r.negative, r.hi, r.mag, r.scale)
					continue
				}
			}
		}
		err := slow(&w.fitted, bigA(i), bigB(i))
		if err == nil {
			err = fitNumeric(&w.fitted, &w.fitted, in.Result)
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

func sumVariable(c *Context, in *Input, minus bool) arrow.Array {
	return variable(c, in,
		func(a, b small) (small, bool) { b.negative = b.negative != minus; return a.add(b) },
		func(r, a, b *sql.Decimal) error { addDecimal(r, a, b, minus); return nil })
}

func mulVariable(c *Context, in *Input) arrow.Array {
	return variable(c, in,
		func(a, b small) (small, bool) {
			hi, lo := bits.Mul64(a.mag, b.mag)
			return small{a.negative != b.negative, hi, lo, a.scale + b.scale}, a.scale+b.scale <= sql.NumericMaxScale
		},
		func(r, a, b *sql.Decimal) error { mulDecimal(r, a, b); return nil })
}

func divNumerics(c *Context, in *Input) arrow.Array { return variable(c, in, divSmall, divDecimal) }

func modNumerics(c *Context, in *Input) arrow.Array {
	return variable(c, in,
		func(a, b small) (small, bool) {
			a, b, ok := align(a, b)
			if !ok || b.mag == 0 {
				return a, false
			}
			return small{negative: a.negative, mag: a.mag % b.mag, scale: a.scale}, true
		}, modDecimal)
}

func negNumerics(c *Context, in *Input) arrow.Array {
	return signNumerics(c, in, func(d *sql.Decimal) { d.Negative = !d.Negative && (d.Form != apd.Finite || !d.IsZero()) }, func(n int64) int64 { return -n })
}

func absNumerics(c *Context, in *Input) arrow.Array {
	return signNumerics(c, in, func(d *sql.Decimal) { d.Negative = false }, func(n int64) int64 { return max(n, -n) })
}

func signNumerics(c *Context, in *Input, change func(d *sql.Decimal), change64 func(int64) int64) arrow.Array {
	if t := in.Result; t.IsFixed() && t.Precision <= 18 {
		as, out := stream.Values[int64](in.Args[0].Array), make([]int64, in.Rows)
		for i, a := range as {
			out[i] = change64(a)
		}
		return stream.Fixed(t, out, in.Valid)
	}
	at := decimalReader(in.Args[0])
	return numericRows(c, in, func(i int) (*sql.Decimal, error) {
		d := at(i)
		change(d)
		return d, nil
	})
}

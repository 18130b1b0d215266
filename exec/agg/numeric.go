package agg

import (
	"encoding/binary"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// numerics is sum, avg, variance and stddev over numerics of any scale and size, and the last two
// also over integers: an exact sum, an exact sum of squares, and the values' scales, since the
// result's display scale is the largest among them and a delete may take that away.
type numerics struct {
	arg     sql.Type
	squares bool
	groups  []*numericSum // nil = empty
}

type numericSum struct {
	n, nan, pinf, neg int64
	scale             int32 // of sum; sum2 has twice it
	sum, sum2         big.Int
	scales            []scaleCount
}

type scaleCount struct {
	scale int32
	n     int64
}

// Results of numerics, after sumResult and avgResult.
const (
	varPopResult = iota + 2
	varSampResult
	stddevPopResult
	stddevSampResult
)

func newNumerics(arg sql.Type, squares bool) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &numerics{arg: arg, squares: squares} }
}

func (a *numerics) Grow(n int)   { a.groups = growTo(a.groups, n) }
func (a *numerics) Reset()       { clear(a.groups); a.groups = a.groups[:0] }
func (a *numerics) Bytes() int64 { return int64(200 * len(a.groups)) }

func (a *numerics) group(id uint32) *numericSum {
	if a.groups[id] == nil {
		a.groups[id] = &numericSum{}
	}
	return a.groups[id]
}

func (a *numerics) Add(ids []uint32, in *Rows) {
	var d sql.Decimal
	var v big.Int
	read := a.reader(in.Args[0])
	in.each(len(ids), func(i int, sign int64) {
		read(i, &d)
		g := a.group(ids[i])
		g.n += sign
		switch {
		case d.Form == apd.Infinite && d.Negative:
			g.neg += sign
		case d.Form == apd.Infinite:
			g.pinf += sign
		case d.Form != apd.Finite:
			g.nan += sign
		default:
			v.Set(d.Coeff.MathBigInt())
			if d.Negative {
				v.Neg(&v)
			}
			g.add(&v, -d.Exponent, sign, a.squares)
		}
	})
}

// reader reads row i as a decimal.
func (a *numerics) reader(arr arrow.Array) func(i int, d *sql.Decimal) {
	ints := func(at func(i int) int64) func(int, *sql.Decimal) {
		return func(i int, d *sql.Decimal) { d.SetFinite(at(i), 0) }
	}
	switch a.arg.Kind {
	case sql.Int2:
		vs := stream.Values[int16](arr)
		return ints(func(i int) int64 { return int64(vs[i]) })
	case sql.Int4:
		vs := stream.Values[int32](arr)
		return ints(func(i int) int64 { return int64(vs[i]) })
	case sql.Int8:
		vs := stream.Values[int64](arr)
		return ints(func(i int) int64 { return vs[i] })
	}
	return func(i int, d *sql.Decimal) { stream.DecimalAt(arr, a.arg, i, d) }
}

func (g *numericSum) add(v *big.Int, scale int32, sign int64, squares bool) {
	g.rescale(scale)
	if g.scale > scale {
		v.Mul(v, sql.PowerOfTen(g.scale-scale).MathBigInt())
	}
	var sq big.Int
	if squares {
		sq.Mul(v, v)
	}
	if sign < 0 {
		g.sum.Sub(&g.sum, v)
		g.sum2.Sub(&g.sum2, &sq)
	} else {
		g.sum.Add(&g.sum, v)
		g.sum2.Add(&g.sum2, &sq)
	}
	g.count(scale, sign)
}

// rescale makes the sum's scale at least scale.
func (g *numericSum) rescale(scale int32) {
	if d := scale - g.scale; d > 0 {
		g.sum.Mul(&g.sum, sql.PowerOfTen(d).MathBigInt())
		g.sum2.Mul(&g.sum2, sql.PowerOfTen(2*d).MathBigInt())
		g.scale = scale
	}
}

func (g *numericSum) count(scale int32, n int64) {
	for i := range g.scales {
		if g.scales[i].scale == scale {
			g.scales[i].n += n
			return
		}
	}
	g.scales = append(g.scales, scaleCount{scale, n})
}

// displayScale is the largest scale among the values.
func (g *numericSum) displayScale() (scale int32) {
	for _, s := range g.scales {
		if s.n > 0 {
			scale = max(scale, s.scale)
		}
	}
	return scale
}

func (a *numerics) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*numerics)
	for i, d := range dst {
		if o := f.groups[src[i]]; o != nil {
			a.group(d).merge(o)
		}
	}
}

func (g *numericSum) merge(o *numericSum) {
	g.n, g.nan, g.pinf, g.neg = g.n+o.n, g.nan+o.nan, g.pinf+o.pinf, g.neg+o.neg
	g.rescale(o.scale)
	up := sql.PowerOfTen(g.scale - o.scale).MathBigInt()
	var v, sq big.Int
	g.sum.Add(&g.sum, v.Mul(&o.sum, up))
	g.sum2.Add(&g.sum2, sq.Mul(sq.Mul(&o.sum2, up), up))
	for _, s := range o.scales {
		g.count(s.scale, s.n)
	}
}

func (a *numerics) PartialTypes() []sql.Type { return []sql.Type{sql.TypeBytea} }

func (a *numerics) Partial(ids []uint32) []arrow.Array {
	offs, data := make([]int32, len(ids)+1), []byte(nil)
	for i, id := range ids {
		if g := a.groups[id]; g != nil {
			data = g.append(data)
		}
		offs[i+1] = int32(len(data))
	}
	return []arrow.Array{stream.Bytes(sql.TypeBytea, offs, data, nil)}
}

func (g *numericSum) append(dst []byte) []byte {
	for _, v := range []int64{g.n, g.nan, g.pinf, g.neg, int64(g.scale), int64(len(g.scales))} {
		dst = binary.AppendVarint(dst, v)
	}
	for _, s := range g.scales {
		dst = binary.AppendVarint(binary.AppendVarint(dst, int64(s.scale)), s.n)
	}
	for _, v := range []*big.Int{&g.sum, &g.sum2} {
		b := v.Bytes()
		dst = append(binary.AppendVarint(append(dst, byte(v.Sign()+1)), int64(len(b))), b...)
	}
	return dst
}

func (a *numerics) Load(cols []arrow.Array, n int) {
	offs, data := stream.BytesValues(cols[0])
	for i := range n {
		a.groups[i] = nil
		if b := data[offs[i]:offs[i+1]]; len(b) > 0 {
			a.groups[i] = decodeNumericSum(b)
		}
	}
}

func decodeNumericSum(b []byte) *numericSum {
	g := &numericSum{}
	next := func() int64 {
		v, k := binary.Varint(b)
		b = b[k:]
		return v
	}
	g.n, g.nan, g.pinf, g.neg, g.scale = next(), next(), next(), next(), int32(next())
	for range next() {
		g.scales = append(g.scales, scaleCount{int32(next()), next()})
	}
	for _, v := range []*big.Int{&g.sum, &g.sum2} {
		sign := int(b[0]) - 1
		b = b[1:]
		n := next()
		if v.SetBytes(b[:n]); sign < 0 {
			v.Neg(v)
		}
		b = b[n:]
	}
	return g
}

func (a *numerics) Result(result int, ids []uint32, failed failFunc) (arrow.Array, error) {
	b := stream.NewBuilder(sql.TypeNumeric)
	for i, id := range ids {
		d := a.groups[id].result(result)
		switch {
		case d == nil:
			b.Append(nil)
		case d.Form == apd.Finite && d.NumDigits()+int64(d.Exponent) > sql.NumericMaxWholeDigits:
			failed(i, errNumericFormat)
			b.Append(nil)
		default:
			b.Append(d)
		}
	}
	return b.Finish(), nil
}

var errNumericFormat = sql.Errorf(sql.CodeNumericOutOfRange, "value overflows numeric format")

func (g *numericSum) result(result int) *sql.Decimal {
	if g == nil || g.n == 0 || (result == varSampResult || result == stddevSampResult) && g.n < 2 {
		return nil
	}
	if d := g.special(result); d != nil {
		return d
	}
	scale := g.displayScale()
	sum := new(big.Int).Set(&g.sum)
	if g.scale > scale { // exact: no value left has more digits
		sum.Quo(sum, sql.PowerOfTen(g.scale-scale).MathBigInt())
	}
	switch result {
	case sumResult:
		d := &sql.Decimal{Exponent: -scale, Negative: sum.Sign() < 0}
		d.Coeff.SetMathBigInt(sum.Abs(sum))
		return d
	case avgResult:
		return quotient(sum, scale, big.NewInt(g.n), 0)
	}
	sum2 := new(big.Int).Set(&g.sum2)
	if g.scale > scale {
		sum2.Quo(sum2, sql.PowerOfTen(2*(g.scale-scale)).MathBigInt())
	}
	return variance(result, g.n, sum, sum2, scale)
}

// special is the result when there are NaNs or infinities, else nil.
func (g *numericSum) special(result int) *sql.Decimal {
	switch {
	case g.nan > 0 || g.pinf > 0 && g.neg > 0 || result >= varPopResult && g.pinf+g.neg > 0:
		return &sql.Decimal{Form: apd.NaN}
	case g.pinf > 0:
		return &sql.Decimal{Form: apd.Infinite}
	case g.neg > 0:
		return &sql.Decimal{Form: apd.Infinite, Negative: true}
	}
	return nil
}

// variance is (n·Σx² - (Σx)²) / (n·n or n·(n-1)), or its square root, with PostgreSQL's scales.
func variance(result int, n int64, sum, sum2 *big.Int, scale int32) *sql.Decimal {
	num := new(big.Int).Mul(big.NewInt(n), sum2)
	num.Sub(num, new(big.Int).Mul(sum, sum))
	if num.Sign() <= 0 {
		return &sql.Decimal{}
	}
	den := big.NewInt(n)
	if result == varPopResult || result == stddevPopResult {
		den.Mul(den, den)
	} else {
		den.Mul(den, big.NewInt(n-1))
	}
	v := quotient(num, 2*scale, den, 0)
	if result == varPopResult || result == varSampResult {
		return v
	}
	return squareRoot(v)
}

// squareRoot is √v with v's scale, rounded half up.
func squareRoot(v *sql.Decimal) *sql.Decimal {
	scale := -v.Exponent
	m := new(big.Int).Mul(v.Coeff.MathBigInt(), sql.PowerOfTen(scale+2).MathBigInt()) // one digit more
	r := m.Sqrt(m)
	r.Add(r, big.NewInt(5)).Quo(r, big.NewInt(10))
	d := &sql.Decimal{Exponent: -scale}
	d.Coeff.SetMathBigInt(r)
	return d
}

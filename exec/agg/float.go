package agg

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// floats is sum and avg over real and double precision. As in PostgreSQL, the last digits depend on
// the order of the additions. Whether there is a result does not: PostgreSQL gives up at the first
// sum on the way that no double holds, which in a stream would be a matter of chance, and from which
// no delete would lead back. So
//
//   - infinities and NaNs are counted apart, so that deleting one brings the sum of the others back;
//   - huge values are summed apart and scaled down, so that no sum overflows.
type floats struct {
	arg    sql.Type
	groups []floatSum
	huge   map[uint32]hugeSum // of the groups that have such values
}

type floatSum struct {
	sum               float64 // of the finite values that are not huge
	n, nan, pinf, neg int64   // all values; NaNs; infinities
}

// hugeSum is of huge values, times hugeDown.
type hugeSum struct {
	sum float64
	n   int64
}

// Values from hugeFloat on are huge. 2^63 smaller ones don't overflow a double, nor do the squares of
// their differences, and the same holds for huge ones times hugeDown, which lose no digit by it.
const (
	hugeFloat = 0x1p448
	hugeDown  = 0x1p-576
	hugeUp    = 0x1p576
)

func newFloats(arg sql.Type) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &floats{arg: arg} }
}

func (f *floats) Grow(n int)   { f.groups = growTo(f.groups, n) }
func (f *floats) Reset()       { f.groups, f.huge = f.groups[:0], nil }
func (f *floats) Bytes() int64 { return int64(40*cap(f.groups) + 64*len(f.huge)) }

func (f *floats) Add(ids []uint32, in *Rows) {
	if f.arg.Kind == sql.Float4 {
		addFloats(f, ids, stream.Values[float32](in.Args[0]), in)
	} else {
		addFloats(f, ids, stream.Values[float64](in.Args[0]), in)
	}
}

func addFloats[T float32 | float64](f *floats, ids []uint32, vs []T, in *Rows) {
	groups := f.groups
	for i, v := range vs {
		if !in.Mask.Get(i) {
			continue
		}
		sign := int64(1)
		if in.Ops != nil {
			sign = int64(in.Ops[i])
		}
		g := &groups[ids[i]]
		g.n += sign
		if x := float64(v); math.Abs(x) < hugeFloat {
			g.sum += x * float64(sign)
		} else {
			f.addOdd(ids[i], x, sign)
		}
	}
}

// addOdd adds a value that is huge, infinite or NaN.
func (f *floats) addOdd(id uint32, v float64, sign int64) {
	g := &f.groups[id]
	switch {
	case v != v:
		g.nan += sign
	case v > math.MaxFloat64:
		g.pinf += sign
	case v < -math.MaxFloat64:
		g.neg += sign
	default:
		f.addHuge(id, hugeSum{v * hugeDown * float64(sign), sign})
	}
}

// addHuge adds huge values. A state of deletes alone may have fewer than none.
func (f *floats) addHuge(id uint32, b hugeSum) {
	if f.huge == nil {
		f.huge = map[uint32]hugeSum{}
	}
	a := f.huge[id]
	if a.sum, a.n = a.sum+b.sum, a.n+b.n; a == (hugeSum{}) {
		delete(f.huge, id)
		return
	}
	f.huge[id] = a
}

// total is the sum; it is infinite without an infinity among the values if no double holds it.
func (f *floats) total(id uint32) float64 {
	s := &f.groups[id]
	switch {
	case s.nan > 0 || s.pinf > 0 && s.neg > 0:
		return math.NaN()
	case s.pinf > 0:
		return math.Inf(1)
	case s.neg > 0:
		return math.Inf(-1)
	}
	if h := f.huge[id]; h.n != 0 { // none left: what rounding left of them goes too
		return h.sum*hugeUp + s.sum
	}
	return s.sum
}

// average is the average, which is never out of range.
func (f *floats) average(id uint32) float64 {
	s, v := &f.groups[id], f.total(id)
	if math.IsInf(v, 0) && s.pinf == 0 && s.neg == 0 { // the other values are nothing beside the huge ones
		v = f.huge[id].sum / float64(s.n) * hugeUp
		return max(min(v, math.MaxFloat64), -math.MaxFloat64)
	}
	return v / float64(s.n)
}

func (f *floats) Merge(dst []uint32, from Accumulator, src []uint32) {
	o := from.(*floats)
	for i, d := range dst {
		a, b := &f.groups[d], &o.groups[src[i]]
		a.sum += b.sum
		a.n, a.nan, a.pinf, a.neg = a.n+b.n, a.nan+b.nan, a.pinf+b.pinf, a.neg+b.neg
	}
	if len(o.huge) == 0 {
		return
	}
	for i, d := range dst {
		if h, ok := o.huge[src[i]]; ok {
			f.addHuge(d, h)
		}
	}
}

// PartialTypes ends with the sum and the number of huge values, NULL for none.
func (f *floats) PartialTypes() []sql.Type {
	return []sql.Type{sql.TypeFloat8, sql.TypeInt8, sql.TypeInt8, sql.TypeInt8, sql.TypeInt8, sql.TypeFloat8, sql.TypeInt8}
}

func (f *floats) Partial(ids []uint32) []arrow.Array {
	sum := make([]float64, len(ids))
	var counts [4][]int64
	for k := range counts {
		counts[k] = make([]int64, len(ids))
	}
	for i, id := range ids {
		s := &f.groups[id]
		sum[i] = s.sum
		counts[0][i], counts[1][i], counts[2][i], counts[3][i] = s.n, s.nan, s.pinf, s.neg
	}
	cols := []arrow.Array{stream.Float64s(sum, nil)}
	for _, c := range counts {
		cols = append(cols, stream.Int64s(c, nil))
	}
	valid := hasHuge(f.huge, ids)
	if valid == nil {
		return append(cols, stream.Nulls(sql.TypeFloat8, len(ids)), stream.Nulls(sql.TypeInt8, len(ids)))
	}
	sum, n := make([]float64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		h := f.huge[id]
		sum[i], n[i] = h.sum, h.n
	}
	return append(cols, stream.Float64s(sum, valid), stream.Int64s(n, valid))
}

// hasHuge tells which of the groups have huge values; nil if none has.
func hasHuge[T any](huge map[uint32]T, ids []uint32) stream.Bitmap {
	if len(huge) == 0 {
		return nil
	}
	m, any := stream.NewBitmap(len(ids)), false
	for i, id := range ids {
		if _, ok := huge[id]; ok {
			m.Set(i)
			any = true
		}
	}
	if !any {
		return nil
	}
	return m
}

func (f *floats) Load(cols []arrow.Array, n int) {
	sum := stream.Values[float64](cols[0])
	var counts [4][]int64
	for k := range counts {
		counts[k] = stream.Values[int64](cols[k+1])
	}
	for i := range n {
		f.groups[i] = floatSum{sum[i], counts[0][i], counts[1][i], counts[2][i], counts[3][i]}
	}
	f.huge = nil
	if cols[5].NullN() == n {
		return
	}
	sum, count, valid := stream.Values[float64](cols[5]), stream.Values[int64](cols[6]), stream.Validity(cols[5])
	for i := range n {
		if valid.Get(i) {
			f.addHuge(uint32(i), hugeSum{sum[i], count[i]})
		}
	}
}

func (f *floats) Result(result int, ids []uint32, failed failFunc) (arrow.Array, error) {
	out := make([]float64, len(ids))
	valid := validWhere(len(ids), func(i int) bool { return f.groups[ids[i]].n != 0 })
	if result == avgResult {
		for i, id := range ids {
			if f.groups[id].n != 0 {
				out[i] = f.average(id)
			}
		}
		return stream.Float64s(out, valid), nil
	}
	for i, id := range ids {
		out[i] = f.total(id)
	}
	if f.arg.Kind == sql.Float4 {
		return stream.Float32s(f.checked32(out, ids, failed), valid), nil
	}
	for i, v := range out {
		f.check(i, v, ids, failed)
	}
	return stream.Float64s(out, valid), nil
}

// checked32 is the sums as reals.
func (f *floats) checked32(sums []float64, ids []uint32, failed failFunc) []float32 {
	small := make([]float32, len(sums))
	for i, v := range sums {
		small[i] = float32(v)
		f.check(i, float64(small[i]), ids, failed)
	}
	return small
}

// check tells of a sum that is infinite without an infinity among its values.
func (f *floats) check(i int, v float64, ids []uint32, failed failFunc) {
	if s := &f.groups[ids[i]]; math.IsInf(v, 0) && s.pinf == 0 && s.neg == 0 {
		failed(i, errFloatOverflow)
	}
}

var errFloatOverflow = sql.Errorf(sql.CodeNumericOutOfRange, "value out of range: overflow")

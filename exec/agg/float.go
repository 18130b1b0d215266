package agg

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// floats is sum and avg over real and double precision. Infinities and NaNs are counted apart, so
// that deleting one brings the sum of the others back. As in PostgreSQL, the last digits depend on
// the order of the additions.
type floats struct {
	arg    sql.Type
	groups []floatSum
}

type floatSum struct {
	sum               float64 // of the finite values
	n, nan, pinf, neg int64   // all values; NaNs; infinities
}

func newFloats(arg sql.Type) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &floats{arg: arg} }
}

func (f *floats) Grow(n int)   { f.groups = growTo(f.groups, n) }
func (f *floats) Reset()       { f.groups = f.groups[:0] }
func (f *floats) Bytes() int64 { return int64(40 * cap(f.groups)) }

func (f *floats) Add(ids []uint32, in *Rows) {
	if f.arg.Kind == sql.Float4 {
		addFloats(f.groups, ids, stream.Values[float32](in.Args[0]), in)
	} else {
		addFloats(f.groups, ids, stream.Values[float64](in.Args[0]), in)
	}
}

func addFloats[T float32 | float64](groups []floatSum, ids []uint32, vs []T, in *Rows) {
	for i, v := range vs {
		if !in.Mask.Get(i) {
			continue
		}
		sign := int64(1)
		if in.Ops != nil {
			sign = int64(in.Ops[i])
		}
		groups[ids[i]].add(float64(v), sign)
	}
}

func (s *floatSum) add(v float64, sign int64) {
	s.n += sign
	if v-v == 0 { // finite
		s.sum += v * float64(sign)
		return
	}
	switch {
	case v != v:
		s.nan += sign
	case v > 0:
		s.pinf += sign
	default:
		s.neg += sign
	}
}

func (s *floatSum) total() float64 {
	switch {
	case s.nan > 0 || s.pinf > 0 && s.neg > 0:
		return math.NaN()
	case s.pinf > 0:
		return math.Inf(1)
	case s.neg > 0:
		return math.Inf(-1)
	}
	return s.sum
}

func (f *floats) Merge(dst []uint32, from Accumulator, src []uint32) {
	groups := from.(*floats).groups
	for i, d := range dst {
		a, b := &f.groups[d], &groups[src[i]]
		a.sum += b.sum
		a.n, a.nan, a.pinf, a.neg = a.n+b.n, a.nan+b.nan, a.pinf+b.pinf, a.neg+b.neg
	}
}

func (f *floats) PartialTypes() []sql.Type {
	return []sql.Type{sql.TypeFloat8, sql.TypeInt8, sql.TypeInt8, sql.TypeInt8, sql.TypeInt8}
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
	return cols
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
}

func (f *floats) Result(result int, ids []uint32) (arrow.Array, error) {
	out := make([]float64, len(ids))
	valid := validWhere(len(ids), func(i int) bool { return f.groups[ids[i]].n != 0 })
	for i, id := range ids {
		s := &f.groups[id]
		if out[i] = s.total(); result == avgResult && s.n != 0 {
			out[i] /= float64(s.n)
		}
		if math.IsInf(s.sum, 0) {
			return nil, sql.Errorf(sql.CodeNumericOutOfRange, "value out of range: overflow")
		}
	}
	if result == sumResult && f.arg.Kind == sql.Float4 {
		small := make([]float32, len(out))
		for i, v := range out {
			small[i] = float32(v)
		}
		return stream.Float32s(small, valid), nil
	}
	return stream.Float64s(out, valid), nil
}

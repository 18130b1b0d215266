package agg

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// moments is variance and stddev over floats by Youngs and Cramer's method, as in PostgreSQL:
// Sxx grows by (n·x - Sx)² / (n·(n-1)), which cancels nothing. A delete takes the same term away.
// NaNs and infinities make the result NaN for as long as they are in the group.
type moments struct {
	arg    sql.Type
	groups []moment
}

type moment struct {
	n, special int64 // all values; those that are not finite
	sx, sxx    float64
}

func newMoments(arg sql.Type) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &moments{arg: arg} }
}

func (m *moments) Grow(n int)   { m.groups = growTo(m.groups, n) }
func (m *moments) Reset()       { m.groups = m.groups[:0] }
func (m *moments) Bytes() int64 { return int64(32 * cap(m.groups)) }

func (m *moments) Add(ids []uint32, in *Rows) {
	var at func(i int) float64
	if m.arg.Kind == sql.Float4 {
		vs := stream.Values[float32](in.Args[0])
		at = func(i int) float64 { return float64(vs[i]) }
	} else {
		vs := stream.Values[float64](in.Args[0])
		at = func(i int) float64 { return vs[i] }
	}
	in.each(len(ids), func(i int, sign int64) { m.groups[ids[i]].add(at(i), sign) })
}

func (g *moment) add(x float64, sign int64) {
	g.n += sign
	if x-x != 0 {
		g.special += sign
		return
	}
	if sign < 0 {
		n := float64(g.n - g.special + 1)
		if d := n*x - g.sx; n > 1 {
			g.sxx = max(g.sxx-d*d/(n*(n-1)), 0)
		} else {
			g.sxx = 0
		}
		g.sx -= x
		return
	}
	g.sx += x
	if n := float64(g.n - g.special); n > 1 {
		d := n*x - g.sx
		g.sxx += d * d / (n * (n - 1))
	}
}

func (m *moments) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*moments)
	for i, d := range dst {
		a, b := &m.groups[d], f.groups[src[i]]
		if an, bn := float64(a.n-a.special), float64(b.n-b.special); an > 0 && bn > 0 {
			t := a.sx/an - b.sx/bn
			a.sxx += b.sxx + an*bn*t*t/(an+bn)
		} else {
			a.sxx += b.sxx
		}
		a.sx += b.sx
		a.n, a.special = a.n+b.n, a.special+b.special
	}
}

func (m *moments) PartialTypes() []sql.Type {
	return []sql.Type{sql.TypeInt8, sql.TypeInt8, sql.TypeFloat8, sql.TypeFloat8}
}

func (m *moments) Partial(ids []uint32) []arrow.Array {
	n, special := make([]int64, len(ids)), make([]int64, len(ids))
	sx, sxx := make([]float64, len(ids)), make([]float64, len(ids))
	for i, id := range ids {
		g := &m.groups[id]
		n[i], special[i], sx[i], sxx[i] = g.n, g.special, g.sx, g.sxx
	}
	return []arrow.Array{stream.Int64s(n, nil), stream.Int64s(special, nil), stream.Float64s(sx, nil), stream.Float64s(sxx, nil)}
}

func (m *moments) Load(cols []arrow.Array, n int) {
	c, special := stream.Values[int64](cols[0]), stream.Values[int64](cols[1])
	sx, sxx := stream.Values[float64](cols[2]), stream.Values[float64](cols[3])
	for i := range n {
		m.groups[i] = moment{c[i], special[i], sx[i], sxx[i]}
	}
}

func (m *moments) Result(result int, ids []uint32) (arrow.Array, error) {
	sample := int64(0)
	if result == varSampResult || result == stddevSampResult {
		sample = 1
	}
	out := make([]float64, len(ids))
	for i, id := range ids {
		g := &m.groups[id]
		v := g.sxx / float64(g.n-sample)
		if g.special > 0 {
			v = math.NaN()
		}
		if result == stddevPopResult || result == stddevSampResult {
			v = math.Sqrt(v)
		}
		out[i] = v
	}
	valid := validWhere(len(ids), func(i int) bool { return m.groups[ids[i]].n > sample })
	return stream.Float64s(out, valid), nil
}

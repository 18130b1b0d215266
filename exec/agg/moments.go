package agg

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// moments is variance and stddev over floats by Youngs and Cramer's method, as in PostgreSQL:
// Sxx grows by (n·x - Sx)² / (n·(n-1)), which cancels nothing. A delete takes the same term away.
// NaNs and infinities make the result NaN for as long as they are in the group; huge values, whose
// squares no double holds, have moments of their own, as in floats.
//
// A delete needs the moments that it takes a value from: a state of deletes alone would say nothing.
type moments struct {
	arg    sql.Type
	groups []moment
	huge   map[uint32]moment // of huge values times hugeDown, of the groups that have such
}

type moment struct {
	n, special int64 // all values; those that are not in the others: infinite, NaN, huge
	sx, sxx    float64
}

func newMoments(arg sql.Type) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &moments{arg: arg} }
}

func (m *moments) Grow(n int)   { m.groups = growTo(m.groups, n) }
func (m *moments) Reset()       { m.groups, m.huge = m.groups[:0], nil }
func (m *moments) Bytes() int64 { return int64(32*cap(m.groups) + 96*len(m.huge)) }

func (m *moments) Add(ids []uint32, in *Rows) {
	var at func(i int) float64
	if m.arg.Kind == sql.Float4 {
		vs := stream.Values[float32](in.Args[0])
		at = func(i int) float64 { return float64(vs[i]) }
	} else {
		vs := stream.Values[float64](in.Args[0])
		at = func(i int) float64 { return vs[i] }
	}
	in.each(len(ids), func(i int, sign int64) { m.add(ids[i], at(i), sign) })
}

func (m *moments) add(id uint32, x float64, sign int64) {
	g := &m.groups[id]
	if math.Abs(x) < hugeFloat {
		g.add(x, sign)
		return
	}
	g.n += sign
	g.special += sign
	if math.Abs(x) <= math.MaxFloat64 {
		h := m.huge[id]
		h.add(x*hugeDown, sign)
		m.setHuge(id, h)
	}
}

func (m *moments) setHuge(id uint32, h moment) {
	switch {
	case h.n == 0:
		delete(m.huge, id)
		return
	case m.huge == nil:
		m.huge = map[uint32]moment{}
	}
	m.huge[id] = h
}

// add adds a value that is not special, or takes it away.
func (g *moment) add(x float64, sign int64) {
	g.n += sign
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
		m.groups[d].merge(f.groups[src[i]])
	}
	if len(f.huge) == 0 {
		return
	}
	for i, d := range dst {
		if b, ok := f.huge[src[i]]; ok {
			h := m.huge[d]
			h.merge(b)
			m.setHuge(d, h)
		}
	}
}

func (g *moment) merge(b moment) {
	if an, bn := float64(g.n-g.special), float64(b.n-b.special); an > 0 && bn > 0 {
		t := g.sx/an - b.sx/bn
		g.sxx += b.sxx + an*bn*t*t/(an+bn)
	} else {
		g.sxx += b.sxx
	}
	g.sx += b.sx
	g.n, g.special = g.n+b.n, g.special+b.special
}

// PartialTypes ends with the number and the moments of huge values, NULL for none.
func (m *moments) PartialTypes() []sql.Type {
	return []sql.Type{sql.TypeInt8, sql.TypeInt8, sql.TypeFloat8, sql.TypeFloat8, sql.TypeInt8, sql.TypeFloat8, sql.TypeFloat8}
}

func (m *moments) Partial(ids []uint32) []arrow.Array {
	n, special := make([]int64, len(ids)), make([]int64, len(ids))
	sx, sxx := make([]float64, len(ids)), make([]float64, len(ids))
	for i, id := range ids {
		g := &m.groups[id]
		n[i], special[i], sx[i], sxx[i] = g.n, g.special, g.sx, g.sxx
	}
	cols := []arrow.Array{stream.Int64s(n, nil), stream.Int64s(special, nil), stream.Float64s(sx, nil), stream.Float64s(sxx, nil)}
	valid := hasHuge(m.huge, ids)
	if valid == nil {
		return append(cols, stream.Nulls(sql.TypeInt8, len(ids)), stream.Nulls(sql.TypeFloat8, len(ids)), stream.Nulls(sql.TypeFloat8, len(ids)))
	}
	n, sx, sxx = make([]int64, len(ids)), make([]float64, len(ids)), make([]float64, len(ids))
	for i, id := range ids {
		h := m.huge[id]
		n[i], sx[i], sxx[i] = h.n, h.sx, h.sxx
	}
	return append(cols, stream.Int64s(n, valid), stream.Float64s(sx, valid), stream.Float64s(sxx, valid))
}

func (m *moments) Load(cols []arrow.Array, n int) {
	c, special := stream.Values[int64](cols[0]), stream.Values[int64](cols[1])
	sx, sxx := stream.Values[float64](cols[2]), stream.Values[float64](cols[3])
	for i := range n {
		m.groups[i] = moment{c[i], special[i], sx[i], sxx[i]}
	}
	m.huge = nil
	if cols[4].NullN() == n {
		return
	}
	c, sx, sxx = stream.Values[int64](cols[4]), stream.Values[float64](cols[5]), stream.Values[float64](cols[6])
	valid := stream.Validity(cols[4])
	for i := range n {
		if valid.Get(i) {
			m.setHuge(uint32(i), moment{n: c[i], sx: sx[i], sxx: sxx[i]})
		}
	}
}

func (m *moments) Result(result int, ids []uint32, failed failFunc) (arrow.Array, error) {
	sample := int64(0)
	if result == varSampResult || result == stddevSampResult {
		sample = 1
	}
	out := make([]float64, len(ids))
	for i, id := range ids {
		g, h := m.groups[id], m.huge[id]
		if g.n <= sample {
			continue
		}
		scale := 1.0
		if h.n > 0 {
			h.merge(moment{n: g.n - g.special, sx: g.sx * hugeDown, sxx: g.sxx * hugeDown * hugeDown})
			h.special, h.n = g.special-m.huge[id].n, g.n
			g, scale = h, hugeUp
		}
		v := g.sxx / float64(g.n-sample)
		if result == stddevPopResult || result == stddevSampResult {
			v = math.Sqrt(v) * scale
		} else {
			v = v * scale * scale
		}
		if g.special > 0 {
			v = math.NaN()
		} else if math.IsInf(v, 0) {
			failed(i, errFloatOverflow)
		}
		out[i] = v
	}
	valid := validWhere(len(ids), func(i int) bool { return m.groups[ids[i]].n > sample })
	return stream.Float64s(out, valid), nil
}

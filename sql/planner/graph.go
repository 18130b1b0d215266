package planner

import (
	"runtime"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// Graph makes the execution graph for one run.
func (p *Plan) Graph(rt *Runtime) (*exec.Graph, error) {
	g := &graph{rt: rt, parallelism: rt.Parallelism, follow: p.Purpose.streaming(), sources: map[string]int{}, shared: map[*scanOp]*exec.Fragment{}}
	if g.parallelism <= 0 {
		g.parallelism = runtime.GOMAXPROCS(0)
	}
	last, err := g.build(p.Root)
	if err != nil {
		return nil, err
	}
	spread := rt.Output.Spread
	if !g.follow { // exec.RunQuery takes the rows from one task
		spread = exec.Gather
	}
	switch {
	case last.Parallelism == 1 || spread == exec.Forward:
	case spread == exec.Gather:
		last = g.gather(last, p.Root.Schema)
	case p.Root.Mode == Append || p.Root.StreamKey == nil || len(p.Root.Hashed) > 0 && subset(p.Root.Hashed, p.Root.StreamKey):
	default:
		last = g.hash(last, p.Root.Schema, p.Root.StreamKey)
	}
	last.Operators = append(last.Operators, rt.Output.Operators...)
	return &exec.Graph{Fragments: g.fragments}, nil
}

// graph is a graph being made.
type graph struct {
	rt          *Runtime
	parallelism int
	follow      bool // the query goes on for ever
	fragments   []*exec.Fragment
	sources     map[string]int             // how often a relation was read so far, for the ids of its sources
	shared      map[*scanOp]*exec.Fragment // what reads for several branches
	branches    int
}

func (g *graph) build(p *Physical) (*exec.Fragment, error) {
	ins := make([]*exec.Fragment, len(p.Inputs))
	for i, in := range p.Inputs {
		var err error
		if ins[i], err = g.build(in); err != nil {
			return nil, err
		}
	}
	return p.op.build(g, p, ins)
}

func (g *graph) add(f *exec.Fragment) *exec.Fragment {
	g.fragments = append(g.fragments, f)
	return f
}

// source starts a fragment that reads; tasks is how many can share the source, 0 = any number.
func (g *graph) source(spec *exec.SourceSpec, tasks int) *exec.Fragment {
	n := g.parallelism
	if tasks > 0 {
		n = min(n, tasks)
	}
	g.sources[spec.Name]++
	spec.ID = spec.Name
	if k := g.sources[spec.Name]; k > 1 {
		spec.ID += "-" + itoa(k)
	}
	return g.add(&exec.Fragment{Name: "read " + spec.Name, Parallelism: n, Source: spec})
}

// hash starts a fragment that gets the rows of `from` by the hash of keys.
func (g *graph) hash(from *exec.Fragment, s sql.Schema, keys []int) *exec.Fragment {
	return g.add(&exec.Fragment{Name: "by " + columnNames(s, keys), Parallelism: g.parallelism,
		Inputs: []exec.Edge{{From: from, Kind: exec.Hash, Keys: keys, Types: s.Types()}}})
}

// gather starts a fragment of one task that gets all rows of `from`. One that has a single task
// goes on itself.
func (g *graph) gather(from *exec.Fragment, s sql.Schema) *exec.Fragment {
	if from.Parallelism == 1 {
		return from
	}
	return g.add(&exec.Fragment{Name: "gather", Parallelism: 1,
		Inputs: []exec.Edge{{From: from, Kind: exec.Gather, Types: s.Types()}}})
}

// branch starts a fragment that gets all rows of `from`, which others get too. It has a name of its
// own, by which streamsql.operators tells the branches apart.
func (g *graph) branch(from *exec.Fragment, s sql.Schema) *exec.Fragment {
	g.branches++
	return g.add(&exec.Fragment{Name: "branch " + itoa(g.branches), Parallelism: from.Parallelism,
		Inputs: []exec.Edge{{From: from, Kind: exec.Forward, Types: s.Types()}}})
}

// operator appends an operator to a fragment.
func (g *graph) operator(f *exec.Fragment, p *Physical, c exec.Constructor) *exec.Fragment {
	f.Operators = append(f.Operators, exec.OperatorSpec{ID: p.State, Name: p.op.name(), Out: p.Schema, New: c})
	return f
}

// bound is e with the values of the parameters.
func (g *graph) bound(e expr.Expr) expr.Expr {
	if len(g.rt.Params) == 0 {
		return e
	}
	return expr.Bind(e, g.rt.Params)
}

func (g *graph) boundAll(es []expr.Expr) []expr.Expr {
	if len(g.rt.Params) == 0 {
		return es
	}
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = g.bound(e)
	}
	return out
}

// datum computes an expression without columns.
func (g *graph) datum(e expr.Expr) (sql.Datum, error) {
	if v, ok := expr.LiteralDatum(e); ok {
		return v, nil
	}
	c := expr.Context{}
	if g.rt.Context != nil {
		c = *g.rt.Context
	}
	return expr.EvalDatum(&c, g.bound(e))
}

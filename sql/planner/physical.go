package planner

import (
	"fmt"
	"slices"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
)

// Physical is an operator of a plan, with what is known about its output.
type Physical struct {
	Properties
	Inputs []*Physical
	op     operator
}

// Properties is what EXPLAIN prints of an operator besides what it does.
type Properties struct {
	Schema sql.Schema
	// StreamKey is the columns by which the changelog is consistent; see Plan.StreamKey.
	StreamKey []int
	Mode      Mode
	// Watermarks are the columns that event time bounds: no later row has a smaller value, late
	// ones excepted.
	Watermarks []int
	// bounds are window_start and window_end where the key has the latter: each tells the other.
	bounds []int
	// timed: watermarks flow, whether or not a column that they bound is left.
	timed bool
	// Emission is when a stateful operator emits; empty for a stateless one.
	Emission string
	// State names the operator's state; empty for a stateless one.
	State string
	// Hashed is the columns by whose hash rows are spread over tasks; nil = in no known way.
	Hashed []int
	// Single: all rows are at one task.
	Single bool
	// source is the relation whose event time flows here, for late rows; nil = several or none.
	source *Relation
}

// operator is the part of a Physical that differs from kind to kind.
type operator interface {
	// name and detail are what EXPLAIN prints.
	name() string
	detail(p *Physical) string
	// build appends the operator to the graph and returns the fragment that now ends with it. ins
	// are the fragments of the inputs.
	build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error)
}

// physicalPlanner turns logical nodes into operators.
type physicalPlanner struct {
	purpose  Purpose
	onClose  bool // windows are emitted when they close
	explicit bool // because the query says so, not because of its sink
	root     node
	states   map[string]int
	shared   map[*scan]*Physical // scans that stand in several places, once planned
}

// physical plans n and everything below it: one case an operator.
func (p *physicalPlanner) physical(n node) (*Physical, error) {
	ins := make([]*Physical, len(n.inputs()))
	for i, in := range n.inputs() {
		var err error
		if ins[i], err = p.physical(in); err != nil {
			return nil, err
		}
	}
	switch n := n.(type) {
	case *scan:
		return p.scan(n)
	case *values:
		return p.values(n), nil
	case *tableFunc:
		return p.tableFunc(n), nil
	case *filter:
		return p.filter(n, ins[0])
	case *project:
		return p.project(n, ins[0])
	case *window:
		return p.window(n, ins[0])
	case *aggregate:
		return p.aggregate(n, ins[0])
	case *windowAggregate:
		return p.windowAggregate(n, ins[0])
	case *union:
		return p.union(n, ins), nil
	case *sortLimit:
		return p.sortLimit(n, ins[0]), nil
	case *join:
		return nil, sql.Unsupported(joinName(n.kind), "Put what belongs together into one stream before it gets here.").At(n.pos)
	}
	return nil, fmt.Errorf("planner: no operator for %T", n)
}

func joinName(k joinKind) string {
	if k == innerJoin {
		return "a join"
	}
	return "a " + string(k) + " join"
}

// state names the state of a stateful operator by its kind and number. Numbers go by the place in
// the tree, inputs first, so edits of expressions don't change them.
func (p *physicalPlanner) state(kind string) string {
	p.states[kind]++
	return kind + "-" + itoa(p.states[kind])
}

// unary is the properties of an operator that passes on its input's rows.
func unary(in *Physical) Properties {
	c := in.Properties
	c.Emission, c.State = "", ""
	return c
}

// spreadBy puts an exchange on top of in, unless rows with equal keys are at one task already. No
// keys: all rows to one task.
func spreadBy(in *Physical, keys []int) *Physical {
	if in.Single || len(keys) > 0 && len(in.Hashed) > 0 && subset(in.Hashed, keys) {
		return in
	}
	p := unary(in)
	p.Hashed, p.Single = keys, len(keys) == 0
	if p.Single {
		p.Hashed = nil
	}
	return &Physical{Properties: p, Inputs: []*Physical{in}, op: exchange{}}
}

func subset(a, b []int) bool {
	return !slices.ContainsFunc(a, func(i int) bool { return !slices.Contains(b, i) })
}

// exchange moves rows between tasks: by hash of p.Hashed, or all to one.
type exchange struct{}

func (exchange) name() string { return "Exchange" }

func (exchange) detail(p *Physical) string {
	if p.Single {
		return "to one task"
	}
	return "by hash of " + columnNames(p.Schema, p.Hashed)
}

func (exchange) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	if p.Single {
		return g.gather(ins[0], p.Schema), nil
	}
	return g.hash(ins[0], p.Schema, p.Hashed), nil
}

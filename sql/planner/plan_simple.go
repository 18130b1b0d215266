package planner

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// filterOp keeps the rows for which all conditions are true.
type filterOp struct{ *filter }

func (p *physicalPlanner) filter(n *filter, in *Physical) (*Physical, error) {
	if err := p.checkStable(n.conds, in); err != nil {
		return nil, err
	}
	return &Physical{Properties: unary(in), Inputs: []*Physical{in}, op: filterOp{n}}, nil
}

// checkStable refuses expressions that give another value at another time over rows that may be
// deleted: the delete would not match its insert.
func (p *physicalPlanner) checkStable(es []expr.Expr, in *Physical) error {
	if !p.purpose.streaming() || in.Mode == Append {
		return nil
	}
	for _, e := range es {
		if changesWithTime(e) {
			return sql.Unsupported("an expression that changes with time, "+e.String()+", over rows that are updated",
				"Compute it in the SELECT that reads the view.")
		}
	}
	return nil
}

// changesWithTime tells whether e may have another value in a later epoch. What depends only on the
// session's time zone does not: a job has one.
func changesWithTime(e expr.Expr) bool {
	return expr.IsVolatile(e) || !expr.Walk(e, func(e expr.Expr) bool {
		return e.String() != "now()" && e.String() != "statement_timestamp()" && e.String() != "transaction_timestamp()"
	})
}

func (o filterOp) name() string            { return "Filter" }
func (o filterOp) detail(*Physical) string { return describeAll(o.conds, " AND ") }

func (o filterOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	pred, err := expr.And(g.boundAll(o.conds)...)
	if err != nil {
		return nil, err
	}
	return g.operator(ins[0], p, exec.NewFilter(pred, p.Schema)), nil
}

// projectOp computes columns.
type projectOp struct{ *project }

func (p *physicalPlanner) project(n *project, in *Physical) (*Physical, error) {
	if err := p.checkStable(n.exprs, in); err != nil {
		return nil, err
	}
	c := unary(in)
	c.Schema = n.cols
	to := make([]int, len(in.Schema)) // where a column of the input is passed on
	for i := range to {
		to[i] = slices.IndexFunc(n.exprs, func(e expr.Expr) bool { at, ok := expr.ColumnIndex(e); return ok && at == i })
	}
	c.bounds = movedAll(in.bounds, to)
	if b := in.bounds; b != nil && to[b[1]] < 0 {
		to[b[1]] = to[b[0]]
	}
	c.StreamKey = movedAll(in.StreamKey, to)
	c.Hashed = movedAll(in.Hashed, to)
	c.Watermarks = nil
	for i, e := range n.exprs {
		if isTimed(e, in) {
			c.Watermarks = append(c.Watermarks, i)
		}
	}
	return &Physical{Properties: c, Inputs: []*Physical{in}, op: projectOp{n}}, nil
}

// isTimed tells whether a watermark of the input bounds e: e is a column that one bounds, or
// window_time computed from a window_end that one bounds. That is a millisecond less, but as windows
// end at whole milliseconds, a row that is in time by its window_end is in time for every window
// that its window_time lies in.
func isTimed(e expr.Expr, in *Physical) bool {
	return slices.ContainsFunc(in.Watermarks, func(w int) bool {
		column := expr.Column(w, in.Schema[w].Name, in.Schema[w].Type)
		return same(e, column) || same(e, windowTime(column))
	})
}

// movedAll is where the columns went, or nil if one of them is gone.
func movedAll(cols, to []int) []int {
	if cols == nil {
		return nil
	}
	out := make([]int, len(cols))
	for i, c := range cols {
		if out[i] = to[c]; out[i] < 0 {
			return nil
		}
	}
	return out
}

func (o projectOp) name() string { return "Project" }

func (o projectOp) detail(p *Physical) string {
	parts := make([]string, len(o.exprs))
	for i, e := range o.exprs {
		parts[i] = e.String()
		if name := o.cols[i].Name; name != parts[i] {
			parts[i] += " AS " + sql.QuoteIdent(name)
		}
	}
	return strings.Join(parts, ", ")
}

func (o projectOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	return g.operator(ins[0], p, exec.NewProject(g.boundAll(o.exprs), p.Inputs[0].Schema)), nil
}

// unionOp is UNION ALL.
type unionOp struct{}

func (p *physicalPlanner) union(n *union, ins []*Physical) *Physical {
	c := Properties{Schema: n.cols, source: ins[0].source, Single: true, timed: true}
	for _, in := range ins {
		c.Mode = max(c.Mode, in.Mode)
		c.Single = c.Single && in.Single
		c.timed = c.timed && in.timed
		if in.source != c.source {
			c.source = nil
		}
	}
	for i := range n.cols {
		if !slices.ContainsFunc(ins, func(in *Physical) bool { return !slices.Contains(in.Watermarks, i) }) {
			c.Watermarks = append(c.Watermarks, i)
		}
	}
	if len(n.cols) > 0 && n.key != nil {
		c.StreamKey = n.key
	}
	// The tasks of the inputs differ: rows of one key meet again by its hash, in their order.
	if key := c.StreamKey; len(key) > 0 && !c.Single {
		c.Hashed = key
	}
	return &Physical{Properties: c, Inputs: ins, op: unionOp{}}
}

func (unionOp) name() string            { return "Union" }
func (unionOp) detail(*Physical) string { return "" }

func (o unionOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	f := &exec.Fragment{Name: "union", Parallelism: 1}
	for _, in := range ins {
		f.Parallelism = max(f.Parallelism, in.Parallelism)
	}
	keys := p.Hashed
	if keys == nil { // without a key: the delete of a row follows its insert, as they are equal
		keys = identity(len(p.Schema))
	}
	for _, in := range ins {
		e := exec.Edge{From: in, Kind: exec.Hash, Keys: keys, Types: p.Schema.Types()}
		switch {
		case f.Parallelism == 1:
			e.Kind, e.Keys = exec.Gather, nil
		case p.Hashed == nil && in.Parallelism == f.Parallelism:
			e.Kind, e.Keys = exec.Forward, nil
		}
		f.Inputs = append(f.Inputs, e)
	}
	return g.operator(g.add(f), p, exec.NewUnion()), nil
}

func describeAll(es []expr.Expr, sep string) string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.String()
	}
	return strings.Join(parts, sep)
}

func joinNames(names []string) string { return strings.Join(names, ", ") }
func joinAnd(parts []string) string   { return strings.Join(parts, " AND ") }

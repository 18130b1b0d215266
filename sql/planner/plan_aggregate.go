package planner

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/sql"
)

// aggregateOp is the last phase of a grouping, or its only one.
type aggregateOp struct {
	spec    *exec.AggregateSpec
	window  *window // nil = none
	partial bool    // localOp came before it
	retract bool    // for EXPLAIN
}

// localOp is the first phase: each task folds what it reads.
type localOp struct {
	spec   *exec.AggregateSpec
	window *window
}

// aggregate plans a grouping without windows. Its groups live for ever, so it updates its rows.
func (p *physicalPlanner) aggregate(n *aggregate, in *Physical) (*Physical, error) {
	if p.purpose.streaming() && p.onClose {
		return nil, p.neverFinal(n)
	}
	spec := &exec.AggregateSpec{Input: in.Schema, Keys: n.keys, Calls: n.calls, Retract: in.Mode == Retract}
	c := Properties{Schema: n.cols, StreamKey: identity(len(n.keys)), Emission: "at end", State: p.state("aggregate"), source: in.source}
	if p.purpose.streaming() {
		c.Mode, c.Emission = Retract, "on update"
	}
	return p.phases(spec, nil, in, c), nil
}

// neverFinal is the error for a grouping whose rows are never final where only final ones can go.
func (p *physicalPlanner) neverFinal(n *aggregate) error {
	if p.explicit {
		return sql.Unsupported("EMIT ON WINDOW CLOSE without a window", "Group by window_start and window_end of TUMBLE or HOP.").At(n.pos)
	}
	return appendOnlyError().At(n.pos)
}

func appendOnlyError() *sql.Error {
	return sql.Errorf(sql.CodeFeatureNotSupported, "the query updates its rows, which an append-only sink cannot take").
		WithHint("Use an upsert sink (primary_key), or a window with EMIT ON WINDOW CLOSE.")
}

// windowAggregate plans a grouping over windows.
func (p *physicalPlanner) windowAggregate(n *windowAggregate, in *Physical) (*Physical, error) {
	timed := contains(in.Watermarks, n.timeCol)
	streaming := p.purpose.streaming()
	if streaming && p.onClose && !timed {
		return nil, noWatermark(n, in)
	}
	if streaming && !timed && in.timed { // the watermarks that flow are not those of this time column
		return p.untimedWindows(n, in)
	}
	spec := &exec.AggregateSpec{Input: in.Schema, Keys: n.keys, Window: n.window.spec(), Calls: n.calls,
		Retract: in.Mode == Retract, OnClose: !streaming || p.onClose}
	if in.source != nil {
		spec.Source = in.source.Name
		if streaming {
			spec.Lateness = in.source.Lateness
		}
	}
	key := append(identity(len(n.keys)), len(n.keys)+1)
	c := Properties{Schema: n.cols, StreamKey: key, Emission: "at end", State: p.state("window"), source: in.source,
		bounds: []int{len(n.keys), len(n.keys) + 1}}
	if streaming {
		c.Emission = "on window close"
		if !p.onClose {
			c.Mode, c.Emission = Retract, "on update"
		}
	}
	if timed {
		c.Watermarks, c.timed = []int{len(n.keys) + 1}, true
	}
	return p.phases(spec, &n.window, in, c), nil
}

// noWatermark is the error for a window that would never close.
func noWatermark(n *windowAggregate, in *Physical) error {
	column := in.Schema[n.timeCol].Name
	err := sql.Errorf(sql.CodeFeatureNotSupported, "windows over column %q never close: it has no watermark", column)
	if in.source != nil && in.source.Watermark != nil {
		return err.WithHint("Use the column that has one: %s.", sql.QuoteIdent(in.source.Columns[in.source.Watermark.Column].Name)).At(n.pos)
	}
	return err.WithHint("Declare one: WATERMARK FOR %s AS %[1]s - INTERVAL '5' SECOND.", sql.QuoteIdent(column)).At(n.pos)
}

// untimedWindows groups by the windows' bounds as by any other columns: nothing tells when a window
// is over, so all of them are kept.
func (p *physicalPlanner) untimedWindows(n *windowAggregate, in *Physical) (*Physical, error) {
	w, err := p.window(&n.window, in)
	if err != nil {
		return nil, err
	}
	width := len(in.Schema)
	a := &aggregate{keys: append(slices.Clone(n.keys), width, width+1), calls: n.calls, cols: n.cols, pos: n.pos}
	return p.aggregate(a, w)
}

// phases spreads rows by their keys and folds them, before and after if that is possible, so that
// only partial results cross the exchange. c is the properties of the result; its first columns are
// the keys.
func (p *physicalPlanner) phases(spec *exec.AggregateSpec, w *window, in *Physical, c Properties) *Physical {
	op := aggregateOp{spec: spec, window: w, retract: spec.Retract}
	input := spreadBy(in, spec.Keys)
	if input != in && spec.TwoPhase() {
		op.partial = true
		l := Properties{Schema: spec.PartialSchema(), Mode: Append, Watermarks: nil, timed: in.timed, source: in.source}
		local := &Physical{Properties: l, Inputs: []*Physical{in}, op: localOp{spec: spec, window: w}}
		input = spreadBy(local, spec.PartialKeys())
	}
	if c.Single = input.Single; !c.Single {
		c.Hashed = identity(len(spec.Keys))
	}
	return &Physical{Properties: c, Inputs: []*Physical{input}, op: op}
}

func (o aggregateOp) name() string {
	if o.window != nil {
		return "WindowAggregate"
	}
	return "Aggregate"
}

func (o aggregateOp) detail(*Physical) string { return describeGrouping(o.spec, o.window) }

func (o aggregateOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	return g.operator(ins[0], p, exec.NewAggregate(o.spec, o.partial)), nil
}

func (o localOp) name() string {
	if o.window != nil {
		return "LocalWindowAggregate"
	}
	return "LocalAggregate"
}

func (o localOp) detail(*Physical) string { return describeGrouping(o.spec, o.window) }

func (o localOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	return g.operator(ins[0], p, exec.NewLocalAggregate(o.spec)), nil
}

// describeGrouping prints keys and calls: tumble(ts, 00:05:00) by category: count(*), sum(amount).
func describeGrouping(s *exec.AggregateSpec, w *window) string {
	var b strings.Builder
	if w != nil {
		b.WriteString(w.describe(s.Input))
	}
	if len(s.Keys) > 0 {
		b.WriteString(" by " + columnNames(s.Input, s.Keys))
	}
	calls := make([]string, len(s.Calls))
	for i, c := range s.Calls {
		calls[i] = describeCall(c, s.Input)
	}
	if len(calls) > 0 {
		b.WriteString(": " + strings.Join(calls, ", "))
	}
	return strings.TrimPrefix(strings.TrimSpace(b.String()), ": ")
}

func describeCall(c agg.Call, in sql.Schema) string {
	args := columnNames(in, c.Args)
	if len(c.Args) == 0 && c.Func.Name == "count" {
		args = "*"
	}
	if c.Distinct {
		args = "DISTINCT " + args
	}
	for i, o := range c.OrderBy {
		args += [...]string{", ", " ORDER BY "}[btoi(i == 0)] + describeOrder(o, in)
	}
	s := c.Func.Name + "(" + args + ")"
	if c.Filter >= 0 {
		s += " FILTER (WHERE " + columnNames(in, []int{c.Filter}) + ")"
	}
	return s
}

func describeOrder(o agg.Order, in sql.Schema) string {
	s := columnNames(in, []int{o.Column})
	if o.Desc {
		s += " DESC"
	}
	if o.NullsFirst != o.Desc {
		s += " NULLS " + [...]string{"LAST", "FIRST"}[btoi(o.NullsFirst)]
	}
	return s
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func contains(list []int, i int) bool { return slices.Contains(list, i) }

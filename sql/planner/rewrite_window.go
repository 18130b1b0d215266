package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// recognizeWindows turns a GROUP BY over a window function into a windowAggregate, whatever stands
// between the two, in two steps:
//
//  1. A window rises above projections and filters that don't need its bounds, until it is right
//     below the grouping (risen).
//  2. A grouping whose keys include a bound of the window is one over windows (groupedByWindow), and
//     so is a grouping of its groups by their bounds (groupedAgain).
//
// Conditions on the bounds that are left between the two go above.
func recognizeWindows(n node) node {
	switch n := n.(type) {
	case *project:
		if merged, ok := mergeProjects(n).(*project); ok {
			return risen(merged)
		}
	case *aggregate:
		if g := groupedByWindow(n); g != n {
			return g
		}
		return groupedAgain(n)
	}
	return n
}

// belowFilter takes a filter off n, if it is one.
func belowFilter(n node) ([]expr.Expr, node) {
	if f, ok := n.(*filter); ok {
		return f.conds, f.in
	}
	return nil, n
}

// width is the number of columns of the window's input.
func (n *window) width() int { return len(n.in.schema()) }

// risen swaps a projection and the window below it (under a filter, perhaps): what does not need the
// window's bounds is computed once a row, before a HOP repeats it. What is left above only picks or
// uses the bounds.
func risen(p *project) node {
	conds, under := belowFilter(p.in)
	w, ok := under.(*window)
	if !ok {
		return p
	}
	width := w.width()
	in := w.in.schema()
	below := &project{in: w.in}
	at := make([]int, len(p.exprs)) // where below computes p.exprs[i], -1 = it stays above
	column := func(e expr.Expr, c sql.Column) int {
		below.exprs, below.cols = append(below.exprs, e), append(below.cols, c)
		return len(below.exprs) - 1
	}
	moved := make([]int, width) // where column i of the input went, -1 = not needed yet
	for i := range moved {
		moved[i] = -1
	}
	keep := func(i int) int {
		if moved[i] < 0 {
			moved[i] = column(expr.Column(i, in[i].Name, in[i].Type), in[i])
		}
		return moved[i]
	}
	for i, e := range p.exprs {
		if at[i] = -1; expr.IsVolatile(e) || maxColumn(e) >= width {
			for _, c := range expr.Columns(e) {
				if c < width {
					keep(c)
				}
			}
		} else if c, ok := expr.ColumnIndex(e); ok {
			at[i] = keep(c)
		} else {
			at[i] = column(e, p.cols[i])
		}
	}
	for _, c := range mergeColumns(nil, conds) {
		if c < width {
			keep(c)
		}
	}
	raised := *w
	raised.timeCol, raised.in = keep(w.timeCol), below
	to := append(moved, 0, 0, 0)
	for i := range windowColumns {
		to[width+i] = len(below.cols) + i
	}
	above := &project{in: filtered(&raised, renumberAll(conds, to)), cols: p.cols, exprs: make([]expr.Expr, len(p.exprs))}
	for i, e := range p.exprs {
		if at[i] >= 0 {
			above.exprs[i] = expr.Column(at[i], p.cols[i].Name, e.Type())
		} else {
			above.exprs[i] = renumber(e, to)
		}
	}
	if isIdentity(below) {
		raised.in = below.in
	}
	return above
}

// groupedByWindow makes the windowAggregate of aggregate ─▶ [project] ─▶ [filter] ─▶ window, if the
// keys have a bound of the window among them and all else is columns of the window's input.
func groupedByWindow(a *aggregate) node {
	exprs, in := columnsOf(a.in.schema()), a.in
	if p, ok := in.(*project); ok {
		exprs, in = p.exprs, p.in
	}
	conds, in := belowFilter(in)
	w, ok := in.(*window)
	if !ok {
		return a
	}
	g := windowGroup{aggregate: a, exprs: exprs, window: w}
	if !g.resolveKeys() || !g.resolveCalls() {
		return a
	}
	n := g.node()
	s := n.schema()
	above := &project{in: n, cols: a.cols}
	for i := range a.cols {
		above.exprs = append(above.exprs, g.output(i, s))
	}
	// The conditions are over the window's columns; only bounds that are keys can go above.
	lifted := make([]expr.Expr, len(conds))
	for i, c := range conds {
		if lifted[i], ok = g.lift(c); !ok {
			return a
		}
	}
	if len(lifted) > 0 {
		above.in = &filter{in: n, conds: lifted}
	}
	return above
}

// windowGroup is an aggregate over a window while it is being recognised.
type windowGroup struct {
	aggregate *aggregate
	exprs     []expr.Expr // the aggregate's input columns, over the window's
	window    *window
	keys      []int      // key columns of the window's input
	keyAt     []int      // for each key of the aggregate: its index in keys, or ^bound
	calls     []agg.Call // over the window's input
}

// source is the column of the window that column i of the aggregate's input is.
func (g *windowGroup) source(i int) (int, bool) { return expr.ColumnIndex(g.exprs[i]) }

func (g *windowGroup) resolveKeys() bool {
	bounds := 0
	for _, k := range g.aggregate.keys {
		c, ok := g.source(k)
		if !ok {
			return false
		}
		if bound := c - g.window.width(); bound >= 0 {
			g.keyAt = append(g.keyAt, ^bound)
			bounds++
			continue
		}
		g.keyAt = append(g.keyAt, len(g.keys))
		g.keys = append(g.keys, c)
	}
	return bounds > 0
}

func (g *windowGroup) resolveCalls() bool {
	ok := true
	column := func(i int) int {
		c, isColumn := g.source(i)
		ok = ok && isColumn && c < g.window.width()
		return c
	}
	for _, c := range g.aggregate.calls {
		call := c
		call.Args = slices.Clone(c.Args)
		for i := range call.Args {
			call.Args[i] = column(c.Args[i])
		}
		if c.Filter >= 0 {
			call.Filter = column(c.Filter)
		}
		call.OrderBy = slices.Clone(c.OrderBy)
		for i := range call.OrderBy {
			call.OrderBy[i].Column = column(c.OrderBy[i].Column)
		}
		g.calls = append(g.calls, call)
	}
	return ok
}

func (g *windowGroup) node() *windowAggregate {
	n := &windowAggregate{window: *g.window, keys: g.keys, calls: g.calls}
	s := g.window.schema()
	n.cols = pickSchema(s, g.keys)
	n.cols = append(n.cols, s[g.window.width()], s[g.window.width()+1])
	n.cols = append(n.cols, g.aggregate.cols[len(g.aggregate.keys):]...)
	return n
}

// output is column i of the aggregate over the columns of the windowAggregate.
func (g *windowGroup) output(i int, s sql.Schema) expr.Expr {
	if i >= len(g.keyAt) {
		return expr.Column(len(g.keys)+2+i-len(g.keyAt), s[len(g.keys)+2+i-len(g.keyAt)].Name, g.aggregate.cols[i].Type)
	}
	if at := g.keyAt[i]; at >= 0 {
		return expr.Column(at, s[at].Name, s[at].Type)
	}
	return windowBound(^g.keyAt[i], len(g.keys), s)
}

// windowBound is window_start, window_end or window_time where the first two are columns from
// `first` on.
func windowBound(bound, first int, s sql.Schema) expr.Expr {
	if bound < 2 {
		return expr.Column(first+bound, s[first+bound].Name, s[first+bound].Type)
	}
	return windowTime(expr.Column(first+1, s[first+1].Name, s[first+1].Type))
}

// windowTime is window_time for a window's end.
func windowTime(end expr.Expr) expr.Expr {
	return must(expr.Operator("-", end, expr.Literal(sql.IntervalValue{Micros: 1000}, sql.TypeInterval)))
}

// lift rewrites a condition over the window's columns to be over the windowAggregate's, if it reads
// only bounds.
func (g *windowGroup) lift(c expr.Expr) (expr.Expr, bool) {
	width := g.window.width()
	to := make([]expr.Expr, width+len(windowColumns))
	s := g.node().schema()
	for i := range windowColumns {
		to[width+i] = windowBound(i, len(g.keys), s)
	}
	for _, i := range expr.Columns(c) {
		if to[i] == nil {
			return nil, false
		}
	}
	return substitute(c, to), true
}

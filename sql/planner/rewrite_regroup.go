package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// groupedAgain makes a windowAggregate of a grouping of windows' groups by their bounds, such as the
// highest of the counts of each window. As such it is final when its windows close, and its state
// goes then.
//
// The ends of TUMBLE or HOP windows are a slide apart. So rows with one window_end are those whose
// window_time (just before the end) is in one window of a TUMBLE by the slide that ends there too.
func groupedAgain(a *aggregate) node {
	exprs, in := columnsOf(a.in.schema()), a.in
	cols := a.in.schema()
	if p, ok := in.(*project); ok {
		exprs, cols, in = p.exprs, p.cols, p.in
	}
	w, ok := unfiltered(in).(*windowAggregate)
	if !ok {
		return a
	}
	start, end := len(w.keys), len(w.keys)+1
	is := func(key, bound int) bool { at, ok := expr.ColumnIndex(exprs[key]); return ok && at == bound }
	if !slices.ContainsFunc(a.keys, func(k int) bool { return is(k, start) || is(k, end) }) {
		return a
	}
	s := w.schema()
	input := &project{in: in, exprs: slices.Clip(exprs), cols: slices.Clip(cols)}
	input.exprs = append(input.exprs, windowTime(expr.Column(end, s[end].Name, s[end].Type)))
	input.cols = append(input.cols, sql.Column{Name: windowColumns[2], Type: s[end].Type, NotNull: true})
	n := &windowAggregate{calls: a.calls, window: window{in: input, kind: ast.Tumble, timeCol: len(exprs),
		size: w.slide, slide: w.slide, offset: (w.offset + w.size) % w.slide, pos: a.pos}}
	above := &project{in: n, cols: a.cols}
	for _, k := range a.keys { // the end is the new window's; all others stay keys
		if !is(k, end) {
			n.keys = append(n.keys, k)
		}
	}
	bound := func(i int) sql.Column { return sql.Column{Name: windowColumns[i], Type: s[end].Type, NotNull: true} }
	n.cols = append(append(pickSchema(cols, n.keys), bound(0), bound(1)), a.cols[len(a.keys):]...)
	for _, k := range a.keys {
		at := slices.Index(n.keys, k)
		if at < 0 {
			at = len(n.keys) + 1
		}
		above.exprs = append(above.exprs, expr.Column(at, n.cols[at].Name, n.cols[at].Type))
	}
	for i := range a.calls {
		at := len(n.keys) + 2 + i
		above.exprs = append(above.exprs, expr.Column(at, n.cols[at].Name, n.cols[at].Type))
	}
	return above
}

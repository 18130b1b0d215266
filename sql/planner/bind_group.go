package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// grouping collects the keys and the aggregate calls of one SELECT while its expressions are bound
// over the rows of FROM. A call stands in those expressions as a column from callBase on.
type grouping struct {
	keys     []expr.Expr
	calls    []groupCall
	distinct int // how many of the calls are with DISTINCT
	// refs remembers where columns were named, for the error that one is not grouped.
	refs map[expr.Expr]columnUse
	pos  int // of GROUP BY or of the first call; -1 = there is none
}

// callBase is the first column number that stands for an aggregate call.
const callBase = 1 << 24

// groupCall is an aggregate call over the rows of FROM.
type groupCall struct {
	fn       *agg.Func
	args     []expr.Expr
	filter   expr.Expr // nil = none
	distinct bool
	order    []sortItem
	name     string
}

// columnUse is a reference to a column of FROM.
type columnUse struct {
	name string // as PostgreSQL prints it: table.column
	pos  int
}

func (g *grouping) note(e expr.Expr, use columnUse) {
	if g.refs == nil {
		g.refs = map[expr.Expr]columnUse{}
	}
	g.refs[e] = use
}

func (g *grouping) addKey(e expr.Expr) {
	if !slices.ContainsFunc(g.keys, func(k expr.Expr) bool { return same(k, e) }) {
		g.keys = append(g.keys, e)
	}
}

// addCall notes a call and returns the column that stands for it. Equal calls are computed once.
func (g *grouping) addCall(c groupCall, pos int) (expr.Expr, error) {
	if g.pos < 0 {
		g.pos = pos
	}
	i := slices.IndexFunc(g.calls, c.equal)
	if i < 0 {
		i = len(g.calls)
		g.calls = append(g.calls, c)
		if c.distinct {
			g.distinct++
		}
		if g.distinct > exec.MaxDistinctCalls {
			return nil, sql.Errorf("54000", "too many aggregates with DISTINCT in one GROUP BY (maximum %d)", exec.MaxDistinctCalls).At(pos)
		}
	}
	return expr.Column(callBase+i, c.name, c.fn.Result), nil
}

func (c groupCall) equal(o groupCall) bool {
	if c.fn.Name != o.fn.Name || c.distinct != o.distinct || (c.filter == nil) != (o.filter == nil) ||
		!slices.EqualFunc(c.args, o.args, same) {
		return false
	}
	if c.filter != nil && !same(c.filter, o.filter) {
		return false
	}
	return slices.EqualFunc(c.order, o.order, func(x, y sortItem) bool {
		return x.desc == y.desc && x.nullsFirst == y.nullsFirst && same(x.expr, y.expr)
	})
}

func hasCall(e expr.Expr) bool {
	return slices.ContainsFunc(expr.Columns(e), func(i int) bool { return i >= callBase })
}

// same tells whether two expressions over the same rows compute the same.
func same(a, b expr.Expr) bool {
	if a == b {
		return true
	}
	i, isColumn := expr.ColumnIndex(a)
	j, isColumnToo := expr.ColumnIndex(b)
	if isColumn || isColumnToo {
		return isColumn && isColumnToo && i == j
	}
	// Casts that were not written don't show in String, but they do as types of the children.
	return a.Type().Equal(b.Type()) && a.String() == b.String() && slices.EqualFunc(expr.Children(a), expr.Children(b), same)
}

// applyGrouping puts projection and aggregate on top of s.in and rewrites the targets, the HAVING
// conditions and the order to be over the groups.
func (s *selectBinder) applyGrouping(having []expr.Expr, order []sortItem) ([]expr.Expr, error) {
	s.in = s.group.aggregate(s.in)
	var err error
	for i := range s.targets {
		if s.targets[i].expr, err = s.group.overGroups(s.targets[i].expr); err != nil {
			return nil, err
		}
	}
	out := make([]expr.Expr, len(having))
	for i := range having {
		if out[i], err = s.group.overGroups(having[i]); err != nil {
			return nil, err
		}
	}
	for i := range order {
		if order[i].target < 0 {
			if order[i].expr, err = s.group.overGroups(order[i].expr); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// aggregate makes the nodes: a projection of keys and arguments, then the grouping by them.
func (g *grouping) aggregate(in node) node {
	p := &project{in: in}
	a := &aggregate{in: p, scalar: len(g.keys) == 0, pos: g.pos}
	schema := in.schema()
	column := func(e expr.Expr) int {
		i := slices.IndexFunc(p.exprs, func(o expr.Expr) bool { return same(o, e) })
		if i < 0 || expr.IsVolatile(e) {
			i = len(p.exprs)
			p.exprs, p.cols = append(p.exprs, e), append(p.cols, columnFor(e, schema))
		}
		return i
	}
	for _, k := range g.keys {
		i := column(k)
		a.keys, a.cols = append(a.keys, i), append(a.cols, p.cols[i])
	}
	for _, c := range g.calls {
		call := agg.Call{Func: c.fn, Filter: -1, Distinct: c.distinct}
		for _, arg := range c.args {
			call.Args = append(call.Args, column(arg))
		}
		if c.filter != nil {
			call.Filter = column(c.filter)
		}
		for _, o := range c.order {
			call.OrderBy = append(call.OrderBy, agg.Order{Column: column(o.expr), Desc: o.desc, NullsFirst: o.nullsFirst})
		}
		a.calls = append(a.calls, call)
		a.cols = append(a.cols, sql.Column{Name: c.name, Type: c.fn.Result})
	}
	return a
}

// columnFor names a computed column: by the column it is, or by its text.
func columnFor(e expr.Expr, in sql.Schema) sql.Column {
	if i, ok := expr.ColumnIndex(e); ok && i < len(in) {
		return in[i]
	}
	return sql.Column{Name: e.String(), Type: e.Type()}
}

// overGroups rewrites an expression over the rows of FROM into one over the groups: what equals a
// key becomes the key's column, a call the call's. A column that is left is not grouped: 42803.
func (g *grouping) overGroups(e expr.Expr) (expr.Expr, error) {
	replace := map[expr.Expr]expr.Expr{}
	if err := g.cover(e, replace); err != nil {
		return nil, err
	}
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if r := replace[e]; r != nil {
			return r
		}
		return e
	}), nil
}

// cover finds the topmost subexpressions that are keys or calls.
func (g *grouping) cover(e expr.Expr, replace map[expr.Expr]expr.Expr) error {
	if i := slices.IndexFunc(g.keys, func(k expr.Expr) bool { return same(k, e) }); i >= 0 {
		replace[e] = expr.Column(i, keyName(g.keys[i]), e.Type())
		return nil
	}
	if i, ok := expr.ColumnIndex(e); ok {
		if i >= callBase {
			replace[e] = expr.Column(len(g.keys)+i-callBase, g.calls[i-callBase].name, e.Type())
			return nil
		}
		use, known := g.refs[e]
		if !known {
			use = columnUse{name: e.String(), pos: -1}
		}
		return sql.Errorf(sql.CodeGrouping, "column %q must appear in the GROUP BY clause or be used in an aggregate function", use.name).At(use.pos)
	}
	for _, kid := range expr.Children(e) {
		if err := g.cover(kid, replace); err != nil {
			return err
		}
	}
	return nil
}

func keyName(k expr.Expr) string { return k.String() }

package planner

import (
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// setOp binds UNION, INTERSECT and EXCEPT. All are built from UNION ALL and grouping: a UNION is the
// distinct rows of both sides, and the other two count for each row on which sides it is. So they
// are kept up to date as any GROUP BY is.
func (b *binder) setOp(s *ast.SetOp) (node, error) {
	l, err := b.queryBody(s.L)
	if err != nil {
		return nil, err
	}
	r, err := b.queryBody(s.R)
	if err != nil {
		return nil, err
	}
	if len(l.schema()) != len(r.schema()) {
		return nil, sql.Errorf(sql.CodeSyntaxError, "each %s query must have the same number of columns", s.Op).At(firstColumn(s.R, 0))
	}
	if l, r, err = unify(l, r, s); err != nil {
		return nil, err
	}
	if s.Op == "UNION" {
		u := &union{ins: []node{l, r}, cols: unionSchema(l.schema(), r.schema())}
		if s.All {
			return flatten(u), nil
		}
		return distinct(flatten(u), s.Pos()), nil
	}
	if s.All {
		return nil, sql.Unsupported(s.Op+" ALL", "Use "+s.Op+", which returns each row once.").At(s.Pos())
	}
	return countSides(l, r, s), nil
}

// unify casts the columns of both sides to their common types.
func unify(l, r node, s *ast.SetOp) (node, node, error) {
	ls, rs := l.schema(), r.schema()
	types := make([]sql.Type, len(ls))
	for i := range types {
		t, err := expr.CommonTypeOf(s.Op, []sql.Type{ls[i].Type, rs[i].Type})
		if err != nil {
			return nil, nil, sql.ErrorAt(err, firstColumn(s.R, i))
		}
		types[i] = t
	}
	l, err := castColumns(l, types, expr.Implicit, func(i int) int { return firstColumn(s.L, i) })
	if err != nil {
		return nil, nil, err
	}
	r, err = castColumns(r, types, expr.Implicit, func(i int) int { return firstColumn(s.R, i) })
	return l, r, err
}

// firstColumn is the position of column i of a query body, for errors.
func firstColumn(body ast.QueryBody, i int) int {
	switch body := body.(type) {
	case *ast.Select:
		if i < len(body.Targets) {
			return start(body.Targets[i].X)
		}
	case *ast.Values:
		if i < len(body.Rows[0]) {
			return start(body.Rows[0][i])
		}
	case *ast.SetOp:
		return firstColumn(body.L, i)
	case *ast.Query:
		return firstColumn(body.Body, i)
	}
	return body.Pos()
}

// unionSchema is the first side's columns; a column is NOT NULL if it is so on both.
func unionSchema(l, r sql.Schema) sql.Schema {
	s := append(sql.Schema(nil), l...)
	for i := range s {
		s[i].NotNull = s[i].NotNull && r[i].NotNull
	}
	return s
}

// flatten makes one union of nested ones.
func flatten(u *union) *union {
	var ins []node
	for _, in := range u.ins {
		if inner, ok := in.(*union); ok {
			ins = append(ins, inner.ins...)
		} else {
			ins = append(ins, in)
		}
	}
	return &union{ins: ins, cols: u.cols}
}

// countSides builds INTERSECT and EXCEPT:
//
//	SELECT a, b FROM (SELECT a, b, true AS l, false AS r FROM L UNION ALL SELECT a, b, false, true FROM R)
//	GROUP BY a, b HAVING count(*) FILTER (WHERE l) > 0 AND count(*) FILTER (WHERE r) > 0
//
// and = 0 for EXCEPT.
func countSides(l, r node, s *ast.SetOp) node {
	width := len(l.schema())
	u := &union{ins: []node{marked(l, true), marked(r, false)}}
	u.cols = unionSchema(u.ins[0].schema(), u.ins[1].schema())
	count, err := agg.Lookup("count", nil, true)
	if err != nil {
		panic("planner: there is no count(*)")
	}
	a := &aggregate{in: u, cols: append(sql.Schema(nil), u.cols[:width]...), pos: s.Pos()}
	for i := range width {
		a.keys = append(a.keys, i)
	}
	conds := make([]expr.Expr, 2)
	for side, name := range []string{"left_count", "right_count"} {
		a.calls = append(a.calls, agg.Call{Func: count, Filter: width + side})
		a.cols = append(a.cols, sql.Column{Name: name, Type: sql.TypeInt8})
		op := ">"
		if side == 1 && s.Op == "EXCEPT" {
			op = "="
		}
		conds[side] = must(expr.Operator(op, expr.Column(width+side, name, sql.TypeInt8), expr.Literal(int64(0), sql.TypeInt8)))
	}
	return &project{in: &filter{in: a, conds: conds}, exprs: columnsOf(a.cols[:width]), cols: a.cols[:width]}
}

// marked appends the two columns that tell which side a row is from.
func marked(n node, left bool) node {
	s := n.schema()
	p := &project{in: n, exprs: columnsOf(s), cols: append(sql.Schema(nil), s...)}
	for i, name := range []string{"is_left", "is_right"} {
		p.exprs = append(p.exprs, expr.Literal(left == (i == 0), sql.TypeBool))
		p.cols = append(p.cols, sql.Column{Name: name, Type: sql.TypeBool, NotNull: true})
	}
	return p
}

// must is for expressions over types that are known to fit.
func must(e expr.Expr, err error) expr.Expr {
	if err != nil {
		panic("planner: " + err.Error())
	}
	return e
}

// setOrder binds a key of the ORDER BY of a set operation or VALUES: an output column only.
func (b *binder) setOrder(s sql.Schema, key *ast.SortKey) (sortItem, error) {
	item, err := newSortItem(key)
	if err != nil {
		return item, err
	}
	if item.target, err = ordinal(key.X, "ORDER BY", len(s)); err != nil || item.target >= 0 {
		return item, err
	}
	ref, ok := key.X.(*ast.ColumnRef)
	if !ok || len(ref.Parts) != 1 {
		return item, sql.Errorf(sql.CodeFeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
			WithDetail("Only result column names can be used, not expressions or functions.").
			WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.").At(item.pos)
	}
	if item.target = s.Index(ref.Parts[0]); item.target < 0 {
		return item, sql.Errorf(sql.CodeUndefinedColumn, "column %q does not exist", ref.Parts[0]).At(ref.Pos())
	}
	return item, nil
}

package planner

import (
	"slices"
	"strconv"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// selectBinder binds one SELECT. Expressions are bound over the rows of FROM first; when the SELECT
// is grouped they are then rewritten to be over the groups (see grouping).
//
//	FROM ─▶ filter ─▶ [project ─▶ aggregate ─▶ filter (HAVING)] ─▶ project ─▶ [distinct] ─▶ sort, limit
type selectBinder struct {
	*binder
	sel     *ast.Select
	in      node
	scope   *scope
	targets []target
	group   grouping
}

// target is a column of the select list.
type target struct {
	expr    expr.Expr
	name    string
	src     ast.Expr // nil when it comes from a star
	pos     int
	notNull bool
}

// sortItem is one key of an ORDER BY. target ≥ 0: it is that column of the select list; otherwise
// expr is what to sort by, over the same rows as the select list.
type sortItem struct {
	target     int
	expr       expr.Expr
	desc       bool
	nullsFirst bool
	pos        int
}

// selectQuery binds a SELECT with the ORDER BY and LIMIT of the query that it is the body of.
func (b *binder) selectQuery(sel *ast.Select, q *ast.Query) (node, error) {
	if err := refuseSelect(sel); err != nil {
		return nil, err
	}
	s := &selectBinder{binder: b, sel: sel}
	s.group.pos = -1
	if err := s.from(); err != nil {
		return nil, err
	}
	if err := s.bindTargets(); err != nil {
		return nil, err
	}
	if err := s.bindGroupBy(); err != nil {
		return nil, err
	}
	having, err := s.bindHaving()
	if err != nil {
		return nil, err
	}
	order, err := s.bindOrderBy(q.OrderBy)
	if err != nil {
		return nil, err
	}
	if len(sel.GroupBy) > 0 || sel.Having != nil || len(s.group.calls) > 0 {
		if having, err = s.applyGrouping(having, order); err != nil {
			return nil, err
		}
	}
	n := s.in
	if len(having) > 0 {
		n = &filter{in: n, conds: having}
	}
	return s.finish(n, order, q)
}

// refuseSelect refuses the clauses that are recognised and not executed.
func refuseSelect(sel *ast.Select) error {
	switch {
	case len(sel.DistinctOn) > 0:
		return sql.Unsupported("SELECT DISTINCT ON", "Use GROUP BY with an aggregate such as min or max.").At(sel.DistinctOn[0].Pos())
	case sel.Into != nil:
		return sql.Unsupported("SELECT INTO", "Use CREATE TABLE and INSERT INTO … SELECT.").At(sel.Into.Pos())
	case len(sel.Windows) > 0:
		return sql.Unsupported("the WINDOW clause", "").At(sel.Windows[0].Pos())
	case sel.GroupDistinct:
		return sql.Unsupported("GROUP BY DISTINCT", "").At(sel.Pos())
	}
	return nil
}

func (s *selectBinder) from() error {
	s.in, s.scope = &values{rows: [][]expr.Expr{{}}}, &scope{outer: s.outer}
	for i, item := range s.sel.From {
		n, sc, err := s.fromItem(item)
		if err != nil {
			return err
		}
		if i == 0 {
			s.in, s.scope = n, sc
			continue
		}
		if s.in, s.scope, err = s.cross(s.in, n, s.scope, sc, item.Pos()); err != nil {
			return err
		}
	}
	if s.sel.Where == nil {
		return nil
	}
	conds, err := s.exprs(s.scope, "WHERE").conjuncts(s.sel.Where)
	if err != nil {
		return err
	}
	s.in = &filter{in: s.in, conds: conds}
	return nil
}

func (s *selectBinder) bindTargets() error {
	x := s.exprs(s.scope, "SELECT")
	x.group = &s.group
	in := s.in.schema()
	for _, t := range s.sel.Targets {
		if star, ok := t.X.(*ast.Star); ok {
			indexes, columns, err := s.scope.star(star.Qualifier, star.Pos())
			if err != nil {
				return err
			}
			for i, c := range columns {
				e := x.column(indexes[i], c, star.Pos())
				s.targets = append(s.targets, target{expr: e, name: c.Name, pos: star.Pos(), notNull: in[indexes[i]].NotNull})
			}
			continue
		}
		if f, ok := t.X.(*ast.Field); ok && f.Star {
			if err := s.fieldStar(x, f); err != nil {
				return err
			}
			continue
		}
		e, err := x.bind(t.X)
		if err != nil {
			return err
		}
		name := t.Alias
		if name == "" {
			name = columnName(t.X)
		}
		s.targets = append(s.targets, target{expr: e, name: name, src: t.X, pos: t.X.Pos()})
	}
	return nil
}

// fieldStar expands (x).*.
func (s *selectBinder) fieldStar(x *exprBinder, f *ast.Field) error {
	e, err := x.bind(f.X)
	if err != nil {
		return err
	}
	for _, field := range e.Type().Fields {
		fe, err := expr.FieldAccess(e, field.Name)
		if err != nil {
			return sql.ErrorAt(err, f.Pos())
		}
		s.targets = append(s.targets, target{expr: fe, name: field.Name, pos: f.Pos()})
	}
	if e.Type().Fields == nil {
		return sql.Errorf(sql.CodeWrongObjectType, "type %s is not composite", e.Type().BaseName()).At(f.Pos())
	}
	return nil
}

// bindGroupBy binds GROUP BY: each item is an expression, or the number or name of a target. As in
// PostgreSQL a name is a column of FROM before it is one of the select list.
func (s *selectBinder) bindGroupBy() error {
	x := s.exprs(s.scope, "GROUP BY")
	for _, item := range s.sel.GroupBy {
		if g, ok := item.(*ast.Grouping); ok {
			return sql.Unsupported(string(g.Kind)+" in GROUP BY", "Write a SELECT for each grouping and join them by UNION ALL.").At(g.Pos())
		}
		if s.group.pos < 0 {
			s.group.pos = item.Pos()
		}
		t, err := s.ordinal(item, "GROUP BY")
		if err != nil {
			return err
		}
		if ref, ok := item.(*ast.ColumnRef); ok && t < 0 && len(ref.Parts) == 1 {
			if t, err = s.outputColumn(ref, "GROUP BY", true); err != nil {
				return err
			}
		}
		var key expr.Expr
		if t >= 0 {
			if hasCall(s.targets[t].expr) {
				return sql.Errorf(sql.CodeGrouping, "aggregate functions are not allowed in GROUP BY").At(s.targets[t].pos)
			}
			key = s.targets[t].expr
		} else if key, err = x.bind(item); err != nil {
			return err
		}
		s.group.addKey(key)
	}
	return nil
}

func (s *selectBinder) bindHaving() ([]expr.Expr, error) {
	if s.sel.Having == nil {
		return nil, nil
	}
	x := s.exprs(s.scope, "HAVING")
	x.group = &s.group
	return x.conjuncts(s.sel.Having)
}

func (s *selectBinder) bindOrderBy(keys []*ast.SortKey) ([]sortItem, error) {
	x := s.exprs(s.scope, "ORDER BY")
	x.group = &s.group
	var items []sortItem
	for _, key := range keys {
		item, err := newSortItem(key)
		if err != nil {
			return nil, err
		}
		if item.target, err = s.ordinal(key.X, "ORDER BY"); err != nil {
			return nil, err
		}
		if ref, ok := key.X.(*ast.ColumnRef); ok && item.target < 0 && len(ref.Parts) == 1 {
			if item.target, err = s.outputColumn(ref, "ORDER BY", false); err != nil {
				return nil, err
			}
		}
		if item.target < 0 {
			if item.expr, err = x.bind(key.X); err != nil {
				return nil, err
			}
			if lit, ok := expr.LiteralDatum(item.expr); ok && lit != nil {
				return nil, sql.Errorf(sql.CodeSyntaxError, "non-integer constant in ORDER BY").At(key.X.Pos())
			}
			item.target = slices.IndexFunc(s.targets, func(t target) bool { return same(t.expr, item.expr) })
		}
		items = append(items, item)
	}
	return items, nil
}

func newSortItem(key *ast.SortKey) (sortItem, error) {
	item := sortItem{target: -1, desc: key.Desc, pos: start(key.X)}
	switch key.Using {
	case "", "<":
	case ">":
		item.desc = true
	default:
		return item, sql.Unsupported("ORDER BY … USING "+key.Using, "").At(key.Pos())
	}
	item.nullsFirst = key.Nulls == "FIRST" || key.Nulls == "" && item.desc
	return item, nil
}

// ordinal reads an integer literal as the number of a target; -1 when it is none.
func (s *selectBinder) ordinal(item ast.Expr, clause string) (int, error) {
	return ordinal(item, clause, len(s.targets))
}

func ordinal(item ast.Expr, clause string, n int) (int, error) {
	lit, ok := item.(*ast.Literal)
	if !ok {
		return -1, nil
	}
	if lit.Kind != ast.Number {
		if lit.Kind == ast.Null {
			return -1, nil
		}
		return -1, sql.Errorf(sql.CodeSyntaxError, "non-integer constant in %s", clause).At(lit.Pos())
	}
	i, err := strconv.Atoi(lit.Value)
	if err != nil {
		return -1, sql.Errorf(sql.CodeSyntaxError, "non-integer constant in %s", clause).At(lit.Pos())
	}
	if i < 1 || i > n {
		return -1, sql.Errorf("42P10", "%s position %d is not in select list", clause, i).At(lit.Pos())
	}
	return i - 1, nil
}

// outputColumn finds the target that a bare name in GROUP BY or ORDER BY means, or -1. inputFirst:
// the name is looked up in FROM before.
func (s *selectBinder) outputColumn(ref *ast.ColumnRef, clause string, inputFirst bool) (int, error) {
	name := ref.Parts[0]
	if inputFirst {
		if r, err := s.scope.resolveName(name, ref.Pos()); err == nil && r.whole == nil || isAmbiguous(err) {
			return -1, nil
		}
	}
	found := -1
	for i, t := range s.targets {
		if t.name != name {
			continue
		}
		if found >= 0 && !same(s.targets[found].expr, t.expr) {
			return -1, sql.Errorf(sql.CodeAmbiguousColumn, "%s %q is ambiguous", clause, name).At(ref.Pos())
		}
		if found < 0 {
			found = i
		}
	}
	return found, nil
}

func isAmbiguous(err error) bool {
	return err != nil && sql.AsError(err).Code == sql.CodeAmbiguousColumn
}

// finish puts the select list, DISTINCT, ORDER BY and LIMIT on top of n.
func (s *selectBinder) finish(n node, order []sortItem, q *ast.Query) (node, error) {
	in := n.schema()
	p := &project{in: n}
	for _, t := range s.targets {
		c := sql.Column{Name: t.name, Type: t.expr.Type()}
		if i, ok := expr.ColumnIndex(t.expr); ok {
			c.NotNull = in[i].NotNull
		}
		p.exprs, p.cols = append(p.exprs, t.expr), append(p.cols, c)
	}
	if !s.sel.Distinct {
		return s.sortProjected(p, order, q)
	}
	for _, item := range order {
		if item.target < 0 {
			return nil, sql.Errorf("42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list").At(item.pos)
		}
	}
	typed, err := settle(p)
	if err != nil {
		return nil, err
	}
	return s.sortAndLimit(distinct(typed, s.sel.Pos()), order, q)
}

// distinct groups by all columns.
func distinct(n node, pos int) node {
	s := n.schema()
	keys := make([]int, len(s))
	for i := range keys {
		keys[i] = i
	}
	return &aggregate{in: n, keys: keys, cols: s, pos: pos}
}

// sortProjected sorts what p yields. Keys that are not in the select list become extra columns of
// the projection, which are cut off after sorting.
func (s *selectBinder) sortProjected(p *project, order []sortItem, q *ast.Query) (node, error) {
	visible := len(p.cols)
	for i, item := range order {
		if item.target < 0 {
			order[i].target = len(p.exprs)
			p.exprs = append(p.exprs, item.expr)
			p.cols = append(p.cols, sql.Column{Name: "order_" + itoa(i+1), Type: item.expr.Type()})
		}
	}
	n, err := s.sortAndLimit(p, order, q)
	if err != nil || len(p.cols) == visible {
		return n, err
	}
	return &project{in: n, exprs: columnsOf(p.cols[:visible]), cols: p.cols[:visible]}, nil
}

// sortAndLimit puts ORDER BY, LIMIT and OFFSET on top of n. An order without a limit means nothing
// for a result that is kept up to date, as the rows of a table have no order.
func (b *binder) sortAndLimit(n node, order []sortItem, q *ast.Query) (node, error) {
	s := &sortLimit{in: n, pos: q.Pos()}
	var err error
	if q.WithTies {
		return nil, sql.Unsupported("FETCH FIRST … WITH TIES", "Use LIMIT.").At(q.Pos())
	}
	if s.limit, err = b.limit(q.Limit, "LIMIT"); err != nil {
		return nil, err
	}
	if s.offset, err = b.limit(q.Offset, "OFFSET"); err != nil {
		return nil, err
	}
	switch {
	case b.stream && (s.limit != nil || s.offset != nil):
		at := q.Limit
		if at == nil {
			at = q.Offset
		}
		return nil, sql.Unsupported("LIMIT in a query that is kept up to date",
			"Leave it out here, and put ORDER BY … LIMIT in the SELECT that reads the result.").At(at.Pos())
	case b.stream:
		return n, nil
	case s.limit == nil && s.offset == nil && len(order) == 0:
		return n, nil
	}
	for _, item := range order {
		s.order = append(s.order, agg.Order{Column: item.target, Desc: item.desc, NullsFirst: item.nullsFirst})
	}
	if len(order) > 0 { // an order needs types that have one
		if s.in, err = settle(n); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// limit binds the count of LIMIT or OFFSET: a bigint without columns. NULL means none.
func (b *binder) limit(x ast.Expr, clause string) (expr.Expr, error) {
	if x == nil {
		return nil, nil
	}
	e, err := b.exprs(&scope{}, clause).noColumns(x)
	if err != nil {
		return nil, err
	}
	if !expr.CanCast(e.Type(), sql.TypeInt8, expr.Assignment) || e.Type().Kind == sql.Bool {
		return nil, sql.Errorf(sql.CodeDatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, e.Type().BaseName()).At(start(x))
	}
	if e, err = expr.CastTo(e, sql.TypeInt8, expr.Assignment); err != nil {
		return nil, sql.ErrorAt(err, x.Pos())
	}
	e = expr.Fold(e)
	if v, ok := expr.LiteralDatum(e); ok {
		if v == nil {
			return nil, nil
		}
		if v.(int64) < 0 {
			code := map[string]string{"LIMIT": "2201W", "OFFSET": "2201X"}[clause]
			return nil, sql.Errorf(code, "%s must not be negative", clause)
		}
	}
	return e, nil
}

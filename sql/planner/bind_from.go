package planner

import (
	"fmt"
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// fromItem binds one item of FROM: its rows, and what names mean over them.
func (b *binder) fromItem(item ast.From) (node, *scope, error) {
	switch item := item.(type) {
	case *ast.TableRef:
		return b.tableRef(item)
	case *ast.SubqueryRef:
		return b.subqueryRef(item)
	case *ast.FuncRef:
		return b.funcRef(item)
	case *ast.Join:
		return b.join(item)
	case *ast.WindowTVF:
		return b.windowTVF(item)
	case *ast.MatchRecognize:
		return nil, nil, sql.Unsupported("MATCH_RECOGNIZE", "").At(item.Pos())
	}
	return nil, nil, fmt.Errorf("planner: an item of FROM of type %T", item)
}

// table makes the scope of a single table and applies its alias.
func (b *binder) table(t *scopeTable, alias string, cols []string) (*scope, error) {
	if alias != "" {
		t.name, t.schema = alias, ""
	}
	if err := t.rename(cols); err != nil {
		return nil, err
	}
	return &scope{tables: []*scopeTable{t}, outer: b.outer}, nil
}

func (b *binder) tableRef(ref *ast.TableRef) (node, *scope, error) {
	if ref.AsOf != nil {
		return nil, nil, sql.Unsupported("FOR SYSTEM_TIME AS OF", "").At(ref.AsOf.Pos())
	}
	if ref.Sample != nil {
		return nil, nil, sql.Unsupported("TABLESAMPLE", "").At(ref.Sample.Pos())
	}
	n, t, err := b.named(ref.Name, ref.Pos())
	if err != nil {
		return nil, nil, err
	}
	s, err := b.table(t, ref.Alias, ref.Cols)
	return n, s, err
}

// named binds a name in FROM: a WITH item or a relation.
func (b *binder) named(name ast.Name, pos int) (node, *scopeTable, error) {
	if len(name) == 1 {
		for i := len(b.with) - 1; i >= 0; i-- {
			if b.with[i].item.Name == name[0] {
				return b.cte(b.with[i])
			}
		}
	}
	rel, err := b.relation(name, pos)
	if err != nil {
		return nil, nil, err
	}
	n, err := b.read(rel, pos)
	if err != nil {
		return nil, nil, err
	}
	t := newTable(rel.Name, n.schema(), 0)
	t.schema, t.rel = rel.Schema, rel.Name
	if s, ok := n.(*scan); ok {
		for i, c := range s.columns {
			t.columns[i].hidden = rel.Columns[c].Hidden
		}
	}
	return n, t, nil
}

// cte binds a WITH item at the place where it is used: each use is a copy.
func (b *binder) cte(c cte) (node, *scopeTable, error) {
	sub := *b
	sub.with, sub.outer = c.with, nil
	n, err := sub.subquery(c.item.Stmt.(*ast.Query))
	if err != nil {
		return nil, nil, err
	}
	t := newTable(c.item.Name, n.schema(), 0)
	if t.rename(c.item.Cols) != nil {
		return nil, nil, sql.Errorf("42P10", "WITH query %q has %d columns available but %d columns specified",
			c.item.Name, len(t.columns), len(c.item.Cols)).At(c.item.Pos())
	}
	return n, t, nil
}

// maxViewDepth bounds views in views, so that no chain of CREATE VIEW can exhaust the stack.
const maxViewDepth = 100

// read makes the node that yields a relation's rows.
func (b *binder) read(rel *Relation, pos int) (node, error) {
	switch rel.Kind {
	case Sink:
		return nil, sql.Errorf(sql.CodeWrongObjectType, "cannot read from sink %q", rel.Name).
			WithHint("Read from what the sink is fed by.").At(pos)
	case Source:
		if rel.WriteOnly != "" {
			return nil, sql.Unsupported(rel.WriteOnly, "It can only be inserted into.").At(pos)
		}
	case System:
		if b.stream {
			return nil, sql.Unsupported("a system table in a query that is kept up to date", "").At(pos)
		}
	case View:
		return b.view(rel, pos)
	}
	s := &scan{rel: rel, columns: make([]int, len(rel.Columns))}
	for i := range s.columns {
		s.columns[i] = i
	}
	return s, nil
}

// view puts a view's query in its place. Errors in it have no position in this statement.
func (b *binder) view(rel *Relation, pos int) (node, error) {
	if b.depth >= maxViewDepth {
		return nil, sql.Errorf(sql.CodeStatementTooComplex, "views are nested more than %d deep", maxViewDepth).At(pos)
	}
	sub := &binder{env: &Env{Catalog: b.env.Catalog}, stream: b.stream, relations: b.relations, depth: b.depth + 1}
	n, err := sub.subquery(rel.Query)
	if err != nil {
		e := *sql.AsError(err)
		e.Position, e.Cause = 0, err
		e.Message = fmt.Sprintf("view %q: %s", rel.Name, e.Message)
		return nil, e.At(pos)
	}
	if len(n.schema()) < len(rel.Columns) { // a relation it reads was replaced
		return nil, sql.Errorf(sql.CodeInvalidTableDefinition, "view %q has more columns than its query", rel.Name).At(pos)
	}
	names := make([]string, len(rel.Columns))
	for i, c := range rel.Columns {
		names[i] = c.Name
	}
	return renamed(n, names), nil
}

func (b *binder) subqueryRef(ref *ast.SubqueryRef) (node, *scope, error) {
	if ref.Sample != nil {
		return nil, nil, sql.Unsupported("TABLESAMPLE", "").At(ref.Sample.Pos())
	}
	sub := *b
	n, err := sub.subquery(ref.Query)
	if err != nil {
		return nil, nil, err
	}
	s, err := b.table(newTable("", n.schema(), 0), ref.Alias, ref.Cols)
	return n, s, err
}

// funcRef binds a table function.
func (b *binder) funcRef(ref *ast.FuncRef) (node, *scope, error) {
	item := ref.Calls[0]
	call, ok := item.X.(*ast.Call)
	switch {
	case ref.RowsFrom && len(ref.Calls) > 1:
		return nil, nil, sql.Unsupported("ROWS FROM", "").At(ref.Pos())
	case ref.ColDefs != nil || item.ColDefs != nil:
		return nil, nil, sql.Unsupported("a column definition list", "").At(ref.Pos())
	case ref.Ordinality:
		return nil, nil, sql.Unsupported("WITH ORDINALITY", "").At(ref.Pos())
	}
	x := b.exprs(&scope{outer: b.outer}, "functions in FROM")
	if !ok || !isTableFunction(call.Name.Base()) {
		return b.scalarFunc(x, item.X, ref)
	}
	if b.stream {
		return nil, nil, sql.Unsupported("the table function "+call.Name.Base()+" in a query that is kept up to date", "").At(call.Pos())
	}
	f := &tableFunc{name: call.Name.Base(), pos: call.Pos()}
	for _, a := range call.Args {
		e, err := x.bind(a)
		if err != nil {
			return nil, nil, err
		}
		f.args = append(f.args, e)
	}
	if err := f.resolve(); err != nil {
		return nil, nil, sql.ErrorAt(err, call.Pos())
	}
	t := newTable(f.name, f.cols, 0)
	if ref.Alias != "" && len(f.cols) == 1 { // FROM generate_series(1, 3) AS i names the column too
		t.columns[0].Name = ref.Alias
	}
	s, err := b.table(t, ref.Alias, ref.Cols)
	return f, s, err
}

// scalarFunc is a scalar function in FROM: a table of one row.
func (b *binder) scalarFunc(x *exprBinder, fn ast.Expr, ref *ast.FuncRef) (node, *scope, error) {
	e, err := x.bind(fn)
	if err != nil {
		return nil, nil, err
	}
	name := columnName(fn)
	n, err := settle(&values{rows: [][]expr.Expr{{e}}, cols: sql.Schema{{Name: name, Type: e.Type()}}})
	if err != nil {
		return nil, nil, err
	}
	t := newTable(name, n.schema(), 0)
	if ref.Alias != "" {
		t.columns[0].Name = ref.Alias
	}
	s, err := b.table(t, ref.Alias, ref.Cols)
	return n, s, err
}

// cross puts two items of FROM side by side.
func (b *binder) cross(l, r node, ls, rs *scope, pos int) (node, *scope, error) {
	s, err := beside(ls, rs)
	return &join{kind: innerJoin, left: l, right: r, pos: pos}, s, err
}

// beside is the scope of rows made of a row of each side.
func beside(l, r *scope) (*scope, error) {
	s := &scope{tables: slices.Clone(l.tables), outer: l.outer}
	width := l.width()
	for _, t := range r.tables {
		moved := *t
		moved.first += width
		if err := s.add(&moved); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// join binds a JOIN. Which kinds can run, and where, is decided when the plan is made.
func (b *binder) join(j *ast.Join) (node, *scope, error) {
	l, ls, err := b.fromItem(j.L)
	if err != nil {
		return nil, nil, err
	}
	r, rs, err := b.fromItem(j.R)
	if err != nil {
		return nil, nil, err
	}
	if j.Alias != "" || j.UsingAlias != "" {
		return nil, nil, sql.Unsupported("an alias of a join", "Give the tables aliases of their own.").At(j.Pos())
	}
	n := &join{kind: innerJoin, left: l, right: r, pos: j.Pos()}
	switch j.Kind {
	case "LEFT":
		n.kind = leftJoin
	case "RIGHT":
		n.kind = rightJoin
	case "FULL":
		n.kind = fullJoin
	}
	s, err := beside(ls, rs)
	if err != nil {
		return nil, nil, err
	}
	using := j.Using
	if j.Natural {
		using = commonNames(ls, rs)
	}
	for _, name := range using {
		cond, err := b.using(name, n.kind, ls, rs, s, j.Pos())
		if err != nil {
			return nil, nil, err
		}
		n.conds = append(n.conds, cond)
	}
	if j.On != nil {
		conds, err := b.exprs(s, "JOIN/ON").conjuncts(j.On)
		if err != nil {
			return nil, nil, err
		}
		n.conds = append(n.conds, conds...)
	}
	return n, s, nil
}

// commonNames are the column names that both sides of a NATURAL JOIN have.
func commonNames(l, r *scope) []string {
	var names []string
	_, left, err := l.star(nil, -1)
	if err != nil {
		return nil
	}
	for _, c := range left {
		for _, t := range r.tables {
			if len(t.find(c.Name)) > 0 && !slices.Contains(names, c.Name) {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// using makes the condition of one USING column, and hides the side that a plain name does not mean.
func (b *binder) using(name string, kind joinKind, ls, rs, s *scope, pos int) (expr.Expr, error) {
	sides := [2]expr.Expr{}
	for i, side := range []*scope{ls, rs} {
		r, err := side.resolveName(name, pos)
		if err != nil || r.whole != nil {
			if isAmbiguous(err) {
				return nil, sql.Errorf(sql.CodeAmbiguousColumn, "common column name %q appears more than once in %s table", name, [2]string{"left", "right"}[i]).At(pos)
			}
			return nil, sql.Errorf(sql.CodeUndefinedColumn, "column %q specified in USING clause does not exist in %s table", name, [2]string{"left", "right"}[i]).At(pos)
		}
		at := r.index
		if i == 1 {
			at += ls.width()
		}
		sides[i] = expr.Column(at, name, r.column.Type)
	}
	if kind == fullJoin {
		return nil, sql.Unsupported("FULL JOIN … USING", "Use ON, and coalesce in the select list.").At(pos)
	}
	hide := 1
	if kind == rightJoin {
		hide = 0
	}
	at, _ := expr.ColumnIndex(sides[hide])
	s.merge(at)
	e, err := expr.Operator("=", sides[0], sides[1])
	return e, sql.ErrorAt(err, pos)
}

// merge marks the column at that index of the row as one that only a qualified name means.
func (s *scope) merge(index int) {
	for i, t := range s.tables {
		if index >= t.first && index < t.first+len(t.columns) {
			c := *t
			c.columns = slices.Clone(t.columns)
			c.columns[index-t.first].merged = true
			s.tables[i] = &c
		}
	}
}

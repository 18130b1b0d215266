package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// PlanUpdate plans an UPDATE of a table.
func PlanUpdate(env *Env, stmt *ast.Update) (*Change, error) {
	switch {
	case len(stmt.From) > 0:
		return nil, sql.Unsupported("UPDATE … FROM", "").At(stmt.From[0].Pos())
	case stmt.With != nil:
		return nil, sql.Unsupported("WITH in UPDATE", "").At(stmt.With[0].Pos())
	}
	b := newBinder(env, false)
	rel, err := b.written(stmt.Table, "update")
	if err != nil {
		return nil, err
	}
	t := rel.all(stmt.Table)
	s := &scope{tables: []*scopeTable{t}}
	set, err := b.assignments(rel, stmt.Set, s)
	if err != nil {
		return nil, err
	}
	return b.change(rel, t, stmt.Where, set, stmt.Returning)
}

// PlanDelete plans a DELETE from a table.
func PlanDelete(env *Env, stmt *ast.Delete) (*Change, error) {
	switch {
	case len(stmt.Using) > 0:
		return nil, sql.Unsupported("DELETE … USING", "").At(stmt.Using[0].Pos())
	case stmt.With != nil:
		return nil, sql.Unsupported("WITH in DELETE", "").At(stmt.With[0].Pos())
	}
	b := newBinder(env, false)
	rel, err := b.written(stmt.Table, "delete from")
	if err != nil {
		return nil, err
	}
	return b.change(rel, rel.all(stmt.Table), stmt.Where, nil, stmt.Returning)
}

// change plans the query for the affected rows: their columns, then those of set.
func (b *binder) change(rel *Relation, t *scopeTable, where ast.Expr, set []expr.Expr, returning []*ast.Target) (*Change, error) {
	*b.relations = append(*b.relations, rel)
	out := &Change{Relation: rel}
	var n node = &scan{rel: rel, columns: identity(len(rel.Columns))}
	if where != nil {
		conds, err := b.exprs(&scope{tables: []*scopeTable{t}}, "WHERE").conjuncts(where)
		if err != nil {
			return nil, err
		}
		n = &filter{in: n, conds: conds}
	}
	s := n.schema()
	var err error
	if set != nil {
		p := &project{in: n, exprs: append(columnsOf(s), set...), cols: append(slices.Clone(s), s...)}
		if n, err = rel.withGenerated(p, len(s)); err != nil {
			return nil, err
		}
	}
	if out.Query, err = b.plan(n, ast.EmitDefault, Purpose{Target: Batch}); err != nil {
		return nil, err
	}
	out.Returning, out.Result, err = b.returning(returning, t)
	return out, err
}

// assignments binds a SET list: a value for every column of the relation, over the rows of s, whose
// first columns are the relation's.
func (b *binder) assignments(rel *Relation, list []*ast.Assign, s *scope) ([]expr.Expr, error) {
	row := make([]expr.Expr, len(rel.Columns))
	x := b.exprs(s, "UPDATE")
	for _, a := range list {
		items := []ast.Expr{a.X}
		if a.Multi {
			r, ok := a.X.(*ast.RowExpr)
			if _, query := a.X.(*ast.Subquery); query {
				return nil, sql.Unsupported("a subquery in SET", "").At(a.X.Pos())
			}
			if !ok && len(a.Cols) > 1 {
				return nil, sql.Errorf(sql.CodeFeatureNotSupported, "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression").At(start(a.X))
			}
			if ok {
				items = r.Items
			}
		}
		if len(items) != len(a.Cols) {
			return nil, sql.Errorf(sql.CodeSyntaxError, "number of columns does not match number of values").At(a.X.Pos())
		}
		for i, name := range a.Cols {
			if len(name) > 1 {
				return nil, sql.Unsupported("an assignment to a part of a column", "Assign the whole column.").At(a.Pos())
			}
			col, err := rel.target(name.Base(), a.Pos())
			if err != nil {
				return nil, err
			}
			if row[col] != nil {
				return nil, sql.Errorf(sql.CodeSyntaxError, "multiple assignments to same column %q", name.Base())
			}
			if row[col], err = b.assigned(x, rel, col, items[i]); err != nil {
				return nil, err
			}
		}
	}
	for i, c := range rel.Columns {
		if row[i] == nil {
			row[i] = expr.Column(i, c.Name, c.Type)
		}
	}
	return row, nil
}

// assigned binds one value of a SET list.
func (b *binder) assigned(x *exprBinder, rel *Relation, col int, item ast.Expr) (expr.Expr, error) {
	if _, ok := item.(*ast.Default); ok {
		return b.defaultOf(rel, col)
	}
	if c := rel.Columns[col]; c.Generated != nil {
		return nil, sql.Errorf("428C9", "column %q can only be updated to DEFAULT", c.Name).
			WithDetail("Column %q is a generated column.", c.Name).At(start(item))
	}
	e, err := x.bind(item)
	if err != nil {
		return nil, err
	}
	return rel.assign(e, col, start(item))
}

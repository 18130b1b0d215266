package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// PlanInsert plans an INSERT; purpose is Batch for rows to be written now, and ToSink for a
// connector's relation that is to be fed for ever.
func PlanInsert(env *Env, stmt *ast.Insert, purpose Purpose) (*Insert, error) {
	if stmt.Overwrite {
		return nil, sql.Unsupported("INSERT OVERWRITE", "").At(stmt.Pos())
	}
	b := newBinder(env, purpose.streaming())
	rel, err := b.written(stmt.Table, "insert into")
	if err != nil {
		return nil, err
	}
	out := &Insert{Relation: rel}
	targets, err := b.insertTargets(rel, stmt)
	if err != nil {
		return nil, err
	}
	n, err := b.insertSource(rel, stmt, targets)
	if err != nil {
		return nil, err
	}
	row := make([]expr.Expr, len(rel.Columns))
	for i, c := range targets {
		if i < len(n.schema()) { // a column at the end may be left out of the rows
			row[c] = expr.Column(i, rel.Columns[c].Name, rel.Columns[c].Type)
		}
	}
	for i := range row {
		if row[i] == nil {
			if row[i], err = b.defaultOf(rel, i); err != nil {
				return nil, err
			}
			if rel.isWritable(i) {
				out.Omitted = append(out.Omitted, i)
			}
		}
	}
	p := &project{in: n, exprs: row}
	for i, c := range rel.Columns {
		p.cols = append(p.cols, sql.Column{Name: c.Name, Type: c.Type})
		if rel.isWritable(i) {
			out.Columns = append(out.Columns, i)
		}
	}
	if n, err = rel.withGenerated(p, 0); err != nil {
		return nil, err
	}
	if out.Query, err = b.plan(pick(n, out.Columns), emitOf(stmt.Query), purpose); err != nil {
		return nil, err
	}
	t := rel.all(stmt.Table)
	if out.Conflict, err = b.conflict(rel, stmt.OnConflict, t); err != nil {
		return nil, err
	}
	out.Returning, out.Result, err = b.returning(stmt.Returning, t)
	return out, err
}

func emitOf(q *ast.Query) ast.Emit {
	if q == nil {
		return ast.EmitDefault
	}
	return q.Emit
}

// insertTargets are the columns that the rows are for, in the order of the rows.
func (b *binder) insertTargets(rel *Relation, stmt *ast.Insert) ([]int, error) {
	var targets []int
	for _, c := range stmt.Cols {
		i, err := rel.target(c.Name, c.Pos())
		if err != nil {
			return nil, err
		}
		if slices.Contains(targets, i) {
			return nil, sql.Errorf(sql.CodeDuplicateColumn, "column %q specified more than once", c.Name).At(c.Pos())
		}
		targets = append(targets, i)
	}
	if stmt.Cols != nil {
		return targets, nil
	}
	for i, c := range rel.Columns {
		if !c.Hidden && rel.isWritable(i) {
			targets = append(targets, i)
		}
	}
	return targets, nil
}

// insertSource binds the rows of an INSERT, cast to the target columns.
func (b *binder) insertSource(rel *Relation, stmt *ast.Insert, targets []int) (node, error) {
	q := stmt.Query
	if q == nil { // DEFAULT VALUES
		return &values{rows: [][]expr.Expr{{}}}, nil
	}
	b.emit = q
	if v, ok := q.Body.(*ast.Values); ok && q.With == nil && stmt.With == nil && q.OrderBy == nil && q.Limit == nil && q.Offset == nil {
		return b.insertValues(rel, v, stmt, targets)
	}
	if stmt.With != nil {
		c := *q
		c.With, c.Recursive = append(slices.Clone(stmt.With), q.With...), stmt.Recursive || q.Recursive
		b.emit, q = &c, &c
	}
	n, err := b.query(q)
	if err != nil {
		return nil, err
	}
	pos := func(i int) int { return firstColumn(q.Body, i) }
	s := n.schema()
	if err := checkWidth(len(s), stmt, targets, pos(len(targets))); err != nil {
		return nil, err
	}
	types := make([]sql.Type, len(s))
	for i, c := range s {
		types[i] = rel.Columns[targets[i]].Type
		if err := rel.checkGiven(targets[i], pos(i)); err != nil {
			return nil, err
		}
		if !expr.CanCast(c.Type, types[i], expr.Assignment) {
			_, err := rel.assign(expr.Column(i, c.Name, c.Type), targets[i], pos(i))
			return nil, err
		}
	}
	return castColumns(n, types, expr.Assignment, pos)
}

// insertValues binds VALUES: each item for itself, DEFAULT among them.
func (b *binder) insertValues(rel *Relation, v *ast.Values, stmt *ast.Insert, targets []int) (node, error) {
	n := &values{}
	x := b.exprs(&scope{hidden: rel.all(stmt.Table)}, "VALUES")
	for _, items := range v.Rows {
		if len(items) != len(v.Rows[0]) {
			return nil, sql.Errorf(sql.CodeSyntaxError, "VALUES lists must all be the same length").At(start(items[0]))
		}
		extra := -1
		if len(items) > len(targets) {
			extra = start(items[len(targets)])
		}
		if err := checkWidth(len(items), stmt, targets, extra); err != nil {
			return nil, err
		}
		row := make([]expr.Expr, len(items))
		for i, item := range items {
			var err error
			if _, ok := item.(*ast.Default); ok {
				row[i], err = b.defaultOf(rel, targets[i])
			} else if err = rel.checkGiven(targets[i], start(item)); err == nil {
				if row[i], err = x.bind(item); err == nil {
					row[i], err = rel.assign(row[i], targets[i], start(item))
				}
			}
			if err != nil {
				return nil, err
			}
		}
		n.rows = append(n.rows, row)
	}
	for i := range n.rows[0] {
		c := rel.Columns[targets[i]]
		n.cols = append(n.cols, sql.Column{Name: c.Name, Type: c.Type})
	}
	return n, nil
}

func checkWidth(n int, stmt *ast.Insert, targets []int, extra int) error {
	switch {
	case n > len(targets):
		return sql.Errorf(sql.CodeSyntaxError, "INSERT has more expressions than target columns").At(extra)
	case n < len(targets) && stmt.Cols != nil:
		return sql.Errorf(sql.CodeSyntaxError, "INSERT has more target columns than expressions").At(stmt.Cols[n].Pos())
	}
	return nil
}

// checkGiven refuses a value for a generated column.
func (r *Relation) checkGiven(col, pos int) error {
	if r.Columns[col].Generated == nil {
		return nil
	}
	return sql.Errorf("428C9", "cannot insert a non-DEFAULT value into column %q", r.Columns[col].Name).
		WithDetail("Column %q is a generated column.", r.Columns[col].Name).At(pos)
}

// conflict binds ON CONFLICT. Its SET sees the existing row under the table's name, and the one that
// was to be inserted as excluded.
func (b *binder) conflict(rel *Relation, c *ast.OnConflict, t *scopeTable) (*Conflict, error) {
	if c == nil {
		return nil, nil
	}
	if c.KeyWhere != nil {
		return nil, sql.Unsupported("a partial index in ON CONFLICT", "").At(c.KeyWhere.Pos())
	}
	out := &Conflict{Constraint: c.Constraint}
	for _, k := range c.Keys {
		ref, ok := k.X.(*ast.ColumnRef)
		if !ok || len(ref.Parts) != 1 {
			return nil, sql.Unsupported("an expression in ON CONFLICT", "").At(k.X.Pos())
		}
		i := rel.Column(ref.Parts[0])
		if i < 0 {
			return nil, sql.Errorf(sql.CodeUndefinedColumn, "column %q does not exist", ref.Parts[0]).At(c.Pos())
		}
		out.Columns = append(out.Columns, i)
	}
	if c.Set == nil {
		return out, nil
	}
	if out.Columns == nil && out.Constraint == "" {
		return nil, sql.Errorf(sql.CodeSyntaxError, "ON CONFLICT DO UPDATE requires inference specification or constraint name").
			WithHint("For example, ON CONFLICT (column_name).").At(c.Pos())
	}
	excluded := *t
	excluded.name, excluded.schema, excluded.first = "excluded", "", len(t.columns)
	s := &scope{tables: []*scopeTable{t, &excluded}}
	var err error
	if out.Set, err = b.assignments(rel, c.Set, s); err != nil {
		return nil, err
	}
	if err = rel.generate(out.Set); err != nil {
		return nil, err
	}
	if c.Where != nil {
		if out.Where, err = b.exprs(s, "WHERE").condition(c.Where, "WHERE"); err != nil {
			return nil, err
		}
	}
	return out, nil
}

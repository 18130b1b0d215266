package planner

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// Insert is a planned INSERT.
type Insert struct {
	Relation *Relation
	// Query yields the rows to write: all columns that can be written, in the relation's order, with
	// defaults, generated columns and assignment casts applied.
	Query   *Plan
	Columns []int // indexes into Relation.Columns, one for each of Query.Columns
	// Omitted are the columns that the statement gives no value for. They have their default, or
	// NULL if they have none: an identity column is for the engine to fill.
	Omitted []int
	// Conflict is ON CONFLICT, or nil.
	Conflict *Conflict
	// Returning are expressions over the columns of the relation, hidden ones included; nil = none.
	Returning []expr.Expr
	Result    sql.Schema
}

// Conflict is ON CONFLICT.
type Conflict struct {
	// Columns are the columns of the conflict target, and Constraint its name; both empty = any
	// unique key.
	Columns    []int
	Constraint string
	// Set computes the relation's columns anew over a row made of the existing row's columns and
	// then the excluded one's; nil = DO NOTHING.
	Set []expr.Expr
	// Where is over the same row, or nil.
	Where expr.Expr
}

// Change is a planned UPDATE or DELETE.
type Change struct {
	Relation *Relation
	// Query yields the affected rows: all columns of the relation, hidden ones included, and for an
	// UPDATE the same columns again with their new values. It reads the relation once, whole or by
	// its key.
	Query *Plan
	// Returning are expressions over the columns of the relation (the new ones of an UPDATE).
	Returning []expr.Expr
	Result    sql.Schema
}

// BindExpr binds an expression over columns: DEFAULT (no columns), CHECK, WATERMARK, generated
// columns. clause is what PostgreSQL's messages call the place: "DEFAULT expressions".
func BindExpr(env *Env, e ast.Expr, columns sql.Schema, clause string) (expr.Expr, error) {
	b := newBinder(env, false)
	s := &scope{tables: []*scopeTable{newTable("", columns, 0)}}
	if columns == nil {
		s.tables = nil
		if ref := firstColumnRef(e); ref != nil {
			return nil, sql.Errorf(sql.CodeFeatureNotSupported, "cannot use column reference in %s", strings.TrimSuffix(clause, "s")).At(ref.Pos())
		}
	}
	bound, err := b.exprs(s, clause).bind(e)
	if err != nil {
		return nil, err
	}
	return expr.Fold(bound), nil
}

// written looks up the relation that a statement writes to. verb is insert into, update or delete from.
func (b *binder) written(ref *ast.TableRef, verb string) (*Relation, error) {
	rel, err := b.env.Catalog.Relation(ref.Name.Schema(), ref.Name.Base())
	if err != nil {
		return nil, sql.ErrorAt(err, ref.Pos())
	}
	switch {
	case rel.Kind == Table || rel.Kind == Source && verb == "insert into":
		return rel, nil
	case rel.Kind == MaterializedView:
		return nil, sql.Errorf(sql.CodeWrongObjectType, "cannot change materialized view %q", rel.Name).At(ref.Pos())
	case rel.Kind == System:
		return nil, sql.Errorf(sql.CodeInsufficientPrivilege, "permission denied: %q is a system catalog", rel.Name).At(ref.Pos())
	case rel.Kind == Source:
		return nil, sql.Unsupported("changing rows of a table with a connector", "They can only be inserted.").At(ref.Pos())
	}
	return nil, sql.Errorf(sql.CodeObjectNotInState, "cannot %s %s %q", verb, rel.Kind, rel.Name).At(ref.Pos())
}

// all is the scope of the relation's rows with every column, under its name or alias.
func (r *Relation) all(ref *ast.TableRef) *scopeTable {
	t := &scopeTable{name: r.Name, schema: r.Schema, columns: make([]scopeColumn, len(r.Columns))}
	if ref.Alias != "" {
		t.name, t.schema = ref.Alias, ""
	}
	for i, c := range r.Columns {
		t.columns[i] = scopeColumn{Column: c.Column, hidden: c.Hidden}
	}
	return t
}

// target finds a column that a statement assigns to.
func (r *Relation) target(name string, pos int) (int, error) {
	i := r.Column(name)
	if i < 0 {
		return -1, sql.Errorf(sql.CodeUndefinedColumn, "column %q of relation %q does not exist", name, r.Name).At(pos)
	}
	if r.Columns[i].ReadOnly {
		return -1, sql.Errorf("428C9", "column %q can only be read", name).At(pos)
	}
	return i, nil
}

// assign casts a value to the type of the column that it is for, with PostgreSQL's error.
func (r *Relation) assign(e expr.Expr, col, pos int) (expr.Expr, error) {
	c := r.Columns[col]
	if !expr.CanCast(e.Type(), c.Type, expr.Assignment) {
		return nil, mismatch(c.Column, e.Type()).At(pos)
	}
	out, err := expr.CastTo(e, c.Type, expr.Assignment)
	return out, sql.ErrorAt(err, pos)
}

// defaultOf is the value of a column that is not given.
func (b *binder) defaultOf(r *Relation, col int) (expr.Expr, error) {
	c := r.Columns[col]
	if c.Default == nil {
		return expr.Literal(nil, c.Type), nil
	}
	e, err := BindExpr(&Env{Catalog: b.env.Catalog}, c.Default, nil, "DEFAULT expressions")
	if err != nil {
		return nil, err
	}
	return r.assign(e, col, -1)
}

// isWritable tells whether a column is stored or sent when a row is written.
func (r *Relation) isWritable(col int) bool { return !r.Columns[col].ReadOnly && !r.isComputed(col) }

// generate replaces, in a row of all columns of the relation, the generated ones.
func (r *Relation) generate(row []expr.Expr) error {
	given := slices.Clone(row)
	for i, c := range r.Columns {
		if c.Generated == nil || !r.isWritable(i) {
			continue
		}
		e, err := r.bindOwn(c.Generated, c.Type)
		if err != nil {
			return err
		}
		row[i] = substitute(e, given)
	}
	return nil
}

// withGenerated adds a projection on top of n that computes the generated columns; from column `first` on
// n has all columns of the relation. So a volatile default that a generated column uses is computed
// once.
func (r *Relation) withGenerated(n node, first int) (node, error) {
	s := n.schema()
	p := &project{in: n, exprs: columnsOf(s), cols: s}
	return p, r.generate(p.exprs[first:])
}

// returning binds RETURNING over the relation's columns.
func (b *binder) returning(targets []*ast.Target, t *scopeTable) ([]expr.Expr, sql.Schema, error) {
	if len(targets) == 0 {
		return nil, nil, nil
	}
	s := &scope{tables: []*scopeTable{t}}
	x := b.exprs(s, "RETURNING")
	var exprs []expr.Expr
	var cols sql.Schema
	for _, target := range targets {
		if star, ok := target.X.(*ast.Star); ok {
			indexes, columns, err := s.star(star.Qualifier, star.Pos())
			if err != nil {
				return nil, nil, err
			}
			for i, c := range columns {
				exprs, cols = append(exprs, expr.Column(indexes[i], c.Name, c.Type)), append(cols, c)
			}
			continue
		}
		e, err := x.bind(target.X)
		if err != nil {
			return nil, nil, err
		}
		if e.Type().Kind == sql.Unknown {
			if e, err = expr.CastTo(e, sql.TypeText, expr.Implicit); err != nil {
				return nil, nil, err
			}
		}
		name := target.Alias
		if name == "" {
			name = columnName(target.X)
		}
		exprs, cols = append(exprs, expr.Fold(e)), append(cols, sql.Column{Name: name, Type: e.Type()})
	}
	return exprs, cols, nil
}

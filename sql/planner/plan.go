package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// Env is what planning a statement depends on besides its text.
type Env struct {
	Catalog Catalog
	// Params are the types of the statement's parameters: those that the client declared, Unknown
	// for others. Types that planning infers are written here; Plan.Params has the final ones. nil:
	// the statement can't have parameters.
	Params *expr.ParamTypes
}

// Target is what becomes of a query's rows.
type Target uint8

// The targets.
const (
	Batch     Target = iota // a SELECT: the rows as of now, then the end
	ToView                  // a materialized view: rows and a changelog, by stream key
	ToSink                  // a sink's log
	Subscribe               // changes, to a client
)

// Purpose is what a query is planned for.
type Purpose struct {
	Target Target
	// AppendOnly: the sink takes no deletes, so windows are emitted once, on close, and a query that
	// would update its rows is refused.
	AppendOnly bool
	// Columns, when not nil, are what the target stores: the query's columns are cast to their types
	// by assignment.
	Columns sql.Schema
}

// streaming tells whether the query is kept up to date for ever.
func (p Purpose) streaming() bool { return p.Target != Batch }

// Mode is what the changelog of a node may hold.
type Mode uint8

// The modes.
const (
	Append  Mode = iota // inserts only
	Retract             // deletes too
)

func (m Mode) String() string { return [...]string{"append", "retract"}[m] }

// Plan is a planned query. It is immutable.
type Plan struct {
	Root *Physical
	// Columns is what the query asks for: the first columns of Schema. What follows are hidden
	// columns that the stream key needs.
	Columns sql.Schema
	// Params are the types of the parameters, all known.
	Params []sql.Type
	// Relations are the relations read, views included, in the order of their first use.
	Relations []*Relation
	Purpose   Purpose
}

// Schema is all columns of the result, the hidden ones included.
func (p *Plan) Schema() sql.Schema { return p.Root.Schema }

// StreamKey is the columns, indexes into Schema, by which the changelog is consistent: at most one
// row per key at a time. nil for an append-only result without a natural key, except that a view's
// rows get a hidden _row_id then; empty, not nil, for a result of a single row.
func (p *Plan) StreamKey() []int { return p.Root.StreamKey }

// Mode tells whether the result's rows are ever deleted or updated.
func (p *Plan) Mode() Mode { return p.Root.Mode }

// PlanQuery plans a query.
func PlanQuery(env *Env, q *ast.Query, purpose Purpose) (*Plan, error) {
	b := newBinder(env, purpose.streaming())
	b.emit = q
	n, err := b.subquery(q)
	if err != nil {
		return nil, err
	}
	if purpose.Columns != nil {
		if n, err = b.fitted(n, q, purpose.Columns); err != nil {
			return nil, err
		}
	}
	return b.plan(n, q.Emit, purpose)
}

// fitted casts a query's columns to those of its target.
func (b *binder) fitted(n node, q *ast.Query, target sql.Schema) (node, error) {
	pos := func(i int) int { return firstColumn(q.Body, i) }
	s := n.schema()
	if len(s) != len(target) {
		return nil, sql.Errorf(sql.CodeSyntaxError, "the query has %d columns but its target has %d", len(s), len(target)).At(pos(0))
	}
	for i, c := range s {
		if !expr.CanCast(c.Type, target[i].Type, expr.Assignment) {
			return nil, mismatch(target[i], c.Type).At(pos(i))
		}
	}
	return castColumns(n, target.Types(), expr.Assignment, pos)
}

// mismatch is PostgreSQL's error for a value that can't be assigned to a column.
func mismatch(c sql.Column, from sql.Type) *sql.Error {
	return sql.Errorf(sql.CodeDatatypeMismatch, "column %q is of type %s but expression is of type %s", c.Name, c.Type.BaseName(), from.BaseName()).
		WithHint("You will need to rewrite or cast the expression.")
}

// plan makes the plan of a bound query.
func (b *binder) plan(n node, emit ast.Emit, purpose Purpose) (*Plan, error) {
	plan := &Plan{Columns: n.schema(), Purpose: purpose}
	n = rewrite(n, purpose.streaming())
	if purpose.streaming() && !purpose.AppendOnly {
		n, _ = withKey(n)
	}
	n = transform(shareScans(n, purpose.streaming()), mergeProjects)
	p := &physicalPlanner{purpose: purpose, root: n, states: map[string]int{}, shared: map[*scan]*Physical{}}
	p.explicit = emit == ast.EmitOnWindowClose
	p.onClose = purpose.streaming() && (p.explicit || purpose.AppendOnly && emit == ast.EmitDefault)
	var err error
	if plan.Root, err = p.physical(n); err != nil {
		return nil, err
	}
	switch root := plan.Root; {
	case purpose.AppendOnly && root.Mode == Retract:
		return nil, appendOnlyError()
	case (purpose.Target == ToView || purpose.Target == Subscribe) && root.Mode == Retract && root.StreamKey == nil:
		return nil, sql.Unsupported("a view of rows that are updated and others without a key", "Group the rows, so that each has a key.")
	}
	if purpose.Target == ToView && plan.Root.StreamKey == nil && plan.Root.Mode == Append {
		plan.Root = p.rowID(plan.Root)
	}
	if plan.Params, err = b.params(); err != nil {
		return nil, err
	}
	plan.Relations = *b.relations
	return plan, nil
}

// params are the types of the parameters; one whose type nothing tells is 42P18.
func (b *binder) params() ([]sql.Type, error) {
	if b.env.Params == nil {
		return nil, nil
	}
	for i, t := range b.env.Params.Types {
		if t.Kind == sql.Unknown {
			return nil, sql.Errorf(sql.CodeIndeterminateType, "could not determine data type of parameter $%d", i+1)
		}
	}
	return slices.Clone(b.env.Params.Types), nil
}

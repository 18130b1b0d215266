package planner

import (
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
// row per key at a time. nil for an append-only result without a natural key; empty, not nil, for a
// result of a single row.
func (p *Plan) StreamKey() []int { return p.Root.StreamKey }

// Mode tells whether the result's rows are ever deleted or updated.
func (p *Plan) Mode() Mode { return p.Root.Mode }

// PlanQuery plans a query.
func PlanQuery(env *Env, q *ast.Query, purpose Purpose) (*Plan, error) {
	return nil, sql.Unsupported("this query", "")
}

package planner

import (
	"time"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// Catalog is what the engine knows of relations. It must not change while a statement is planned.
type Catalog interface {
	// Relation finds a relation. An empty schema means the search path. An unknown relation is
	// 42P01, an unknown schema 3F000; the binder adds the position.
	Relation(schema, name string) (*Relation, error)
}

// RelationKind is what a relation is.
type RelationKind uint8

// The kinds of relations.
const (
	Table            RelationKind = iota // rows in our state, changed by DML
	Source                               // a connector's stream: CREATE TABLE with a connector, or CREATE SOURCE
	Sink                                 // CREATE SINK: written by its job, never read
	View                                 // a stored query: the binder puts it in the place of its name
	MaterializedView                     // rows in our state, kept by a job
	System                               // virtual: the engine makes its rows when asked
)

func (k RelationKind) String() string {
	return [...]string{"table", "source", "sink", "view", "materialized view", "system table"}[k]
}

// Relation is a relation as the planner sees it. It is immutable.
type Relation struct {
	ID      uint32
	Schema  string
	Name    string
	Kind    RelationKind
	Columns []Column
	// Key is the primary key of a table, the stream key of a materialized view, or the columns by
	// which a system table can be looked up: indexes into Columns, in key order. Empty = none.
	Key []int
	// Watermark is the declared WATERMARK FOR, or nil.
	Watermark *Watermark
	// Lateness is the option allowed-lateness: how long after the watermark a window stays open.
	Lateness time.Duration
	// Query is the stored query of a View.
	Query *ast.Query
	// AppendOnly tells that the relation's changelog has no deletes. Always so for a Source whose
	// format has none.
	AppendOnly bool
	// WriteOnly says what is not supported about reading a Source that can only be written.
	WriteOnly string
	// Options are the WITH options, for EXPLAIN and for the engine's own use.
	Options map[string]string
}

// Column is a column of a relation.
type Column struct {
	sql.Column
	// Default is the value of a column that an INSERT leaves out; nil = NULL.
	Default ast.Expr
	// Generated computes the column from the relation's other columns; nil = it is stored or decoded.
	Generated ast.Expr
	// ReadOnly columns can't be written: metadata that the connector makes itself.
	ReadOnly bool
	// Hidden columns are not part of * and can't be named: a materialized view's extra key columns.
	Hidden bool
}

// Watermark is WATERMARK FOR column AS expr, over the relation's columns.
type Watermark struct {
	Column int // index into Columns
	Expr   ast.Expr
}

// same tells whether both are one relation: a catalog may make a new Relation for each look-up.
func (r *Relation) same(o *Relation) bool {
	return r.ID == o.ID && r.Kind == o.Kind && r.Name == o.Name
}

// RowSchema is the visible columns.
func (r *Relation) RowSchema() sql.Schema {
	var s sql.Schema
	for _, c := range r.Columns {
		if !c.Hidden {
			s = append(s, c.Column)
		}
	}
	return s
}

// Column finds a visible column by name, or returns -1.
func (r *Relation) Column(name string) int {
	for i, c := range r.Columns {
		if !c.Hidden && c.Name == name {
			return i
		}
	}
	return -1
}

// QualifiedName is schema.name, quoted where needed, without the schema when it is public.
func (r *Relation) QualifiedName() string {
	if r.Schema == "" || r.Schema == "public" {
		return sql.QuoteIdent(r.Name)
	}
	return sql.QuoteIdent(r.Schema) + "." + sql.QuoteIdent(r.Name)
}

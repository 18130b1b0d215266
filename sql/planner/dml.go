package planner

import (
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// Insert is a planned INSERT.
type Insert struct {
	Relation *Relation
	// Query yields rows of all stored columns of the relation, in their order, with defaults,
	// generated columns and assignment casts applied. For a connector's relation it is planned for
	// ToSink and its columns are those that can be written: Columns maps them.
	Query   *Plan
	Columns []int // indexes into Relation.Columns, one for each of Query.Columns
	// Conflict is ON CONFLICT, or nil.
	Conflict *Conflict
	// Returning are expressions over the columns of the relation, hidden ones included; nil = none.
	Returning []expr.Expr
	Result    sql.Schema
}

// Conflict is ON CONFLICT.
type Conflict struct {
	// Columns are the columns of the conflict target; nil = any unique key.
	Columns []int
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

// PlanInsert plans an INSERT; purpose is Batch for a table and ToSink for a connector's relation
// that is to be fed for ever.
func PlanInsert(env *Env, stmt *ast.Insert, purpose Purpose) (*Insert, error) {
	return nil, sql.Unsupported("INSERT", "")
}

// PlanUpdate plans an UPDATE of a table.
func PlanUpdate(env *Env, stmt *ast.Update) (*Change, error) {
	return nil, sql.Unsupported("UPDATE", "")
}

// PlanDelete plans a DELETE from a table.
func PlanDelete(env *Env, stmt *ast.Delete) (*Change, error) {
	return nil, sql.Unsupported("DELETE", "")
}

// BindExpr binds an expression over columns: DEFAULT (no columns), CHECK, WATERMARK, generated
// columns. clause is what PostgreSQL's messages call the place: "DEFAULT expressions".
func BindExpr(env *Env, e ast.Expr, columns sql.Schema, clause string) (expr.Expr, error) {
	return nil, sql.Unsupported("this expression", "")
}

// Package catalog holds what has been created: relations, jobs, schemas and users.
//
// A Snapshot is immutable; sessions plan against one without locks. DDL edits a copy (Edit) and the
// engine publishes it when the transaction commits. On disk an object is one JSON record, written
// in the same synced batch as whatever else the transaction changed.
//
// Invariants:
//   - An id is never used twice, not even after DROP: state in Pebble is keyed by it.
//   - Everything an object names in Deps exists in the same snapshot.
//   - Definitions are kept as SQL text, printed by us; trees and plans are derived from it.
package catalog

import (
	"time"

	"github.com/streamsql/streamsql/sql"
)

// Kind is what an object is, in the words of error messages.
type Kind string

// The kinds of objects.
const (
	Schema           Kind = "schema"
	Table            Kind = "table"  // with a connector or without
	Source           Kind = "source" // CREATE SOURCE: a table with a connector that is only read
	View             Kind = "view"
	MaterializedView Kind = "materialized view"
	Sink             Kind = "sink" // CREATE SINK: the job and its target
	Job              Kind = "job"  // INSERT INTO a connector table … SELECT
	User             Kind = "user"
)

// The schemas that always exist.
const (
	PublicSchema = "public"
	SystemSchema = "streamsql"
	PGCatalog    = "pg_catalog"
	InfoSchema   = "information_schema"
)

// Object is one catalog entry. It is immutable once it is in a Snapshot.
type Object struct {
	ID      uint32    `json:"id"`
	Kind    Kind      `json:"kind"`
	Schema  string    `json:"schema,omitempty"`
	Name    string    `json:"name"`
	Owner   string    `json:"owner,omitempty"`
	Created time.Time `json:"created"`
	// SQL is the statement that made it, printed by us; SHOW CREATE masks its secrets.
	SQL string `json:"sql,omitempty"`
	// Query is the SELECT of a view, sink or job.
	Query   string   `json:"query,omitempty"`
	Columns []Column `json:"columns,omitempty"`
	// Key is the primary key of a table or the stream key of a materialized view: indexes into Columns.
	Key []int `json:"key,omitempty"`
	// KeyName is the primary key constraint's name.
	KeyName   string            `json:"key_name,omitempty"`
	Checks    []Check           `json:"checks,omitempty"`
	Watermark *Watermark        `json:"watermark,omitempty"`
	Options   map[string]string `json:"options,omitempty"`
	// Connector is the option `connector`; empty for tables and views of our own.
	Connector string `json:"connector,omitempty"`
	// WriteOnly says what is not supported about reading a connector table that can only be written.
	WriteOnly string `json:"write_only,omitempty"`
	// Target is the connector table that a job inserts into.
	Target uint32 `json:"target,omitempty"`
	// JobKey is the random part of the names that the job has outside, in transactional ids and groups.
	JobKey string `json:"job_key,omitempty"`
	// TargetColumns maps the query's columns to the target's.
	TargetColumns []int `json:"target_columns,omitempty"`
	AppendOnly    bool  `json:"append_only,omitempty"`
	Paused        bool  `json:"paused,omitempty"`
	// TimeZone is that of the session that made a job, in which its expressions are computed; empty = UTC.
	TimeZone string `json:"time_zone,omitempty"`
	// RowsTable and Changelog are the state tables of a table, a materialized view or a sink's epoch log.
	RowsTable uint32   `json:"rows_table,omitempty"`
	Changelog uint32   `json:"changelog,omitempty"`
	Deps      []uint32 `json:"deps,omitempty"`
	Comment   string   `json:"comment,omitempty"`
	// Auth is a user's SCRAM verifier.
	Auth *Auth `json:"auth,omitempty"`
}

// Column is a column of a relation.
type Column struct {
	Name      string   `json:"name"`
	Type      sql.Type `json:"type"`
	NotNull   bool     `json:"not_null,omitempty"`
	Default   string   `json:"default,omitempty"`   // SQL
	Generated string   `json:"generated,omitempty"` // SQL: computed from the other columns
	Identity  string   `json:"identity,omitempty"`  // "always", "by default", or "serial"
	Metadata  string   `json:"metadata,omitempty"`  // the connector's metadata key
	Path      string   `json:"path,omitempty"`      // the field's name in records, when it is not the column's
	Hidden    bool     `json:"hidden,omitempty"`    // the row id of a relation without a key
	Comment   string   `json:"comment,omitempty"`
}

// Watermark is WATERMARK FOR column AS expr.
type Watermark struct {
	Column string `json:"column"`
	Expr   string `json:"expr"`
}

// Check is a CHECK constraint.
type Check struct {
	Name string `json:"name"`
	Expr string `json:"expr"`
}

// Auth is a SCRAM-SHA-256 verifier.
type Auth struct {
	Salt       []byte `json:"salt"`
	Iterations int    `json:"iterations"`
	StoredKey  []byte `json:"stored_key"`
	ServerKey  []byte `json:"server_key"`
}

// IsRelation tells whether the object shares the namespace of tables.
func (o *Object) IsRelation() bool { return o.Kind != Schema && o.Kind != User }

// HasJob tells whether the object is kept up to date by a job.
func (o *Object) HasJob() bool {
	return o.Kind == MaterializedView || o.Kind == Sink || o.Kind == Job
}

// Rows tells whether the object's rows are in our state and can be scanned.
func (o *Object) Rows() bool {
	return o.Kind == MaterializedView || o.Kind == Table && o.Connector == ""
}

// RowSchema is the visible columns.
func (o *Object) RowSchema() sql.Schema {
	var s sql.Schema
	for _, c := range o.Columns {
		if !c.Hidden {
			s = append(s, sql.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull})
		}
	}
	return s
}

// Types is the types of all columns, hidden ones included: the layout of stored rows.
func (o *Object) Types() []sql.Type {
	ts := make([]sql.Type, len(o.Columns))
	for i, c := range o.Columns {
		ts[i] = c.Type
	}
	return ts
}

// QualifiedName is schema.name, quoted where needed, without the schema when it is public.
func (o *Object) QualifiedName() string {
	if o.Schema == "" || o.Schema == PublicSchema {
		return sql.QuoteIdent(o.Name)
	}
	return sql.QuoteIdent(o.Schema) + "." + sql.QuoteIdent(o.Name)
}

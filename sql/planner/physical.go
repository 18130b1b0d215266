package planner

import (
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// Physical is an operator of a plan, with what is known about its output.
type Physical struct {
	Properties
	Inputs []*Physical
	op     operator
}

// Properties is what EXPLAIN prints of an operator besides what it does.
type Properties struct {
	Schema sql.Schema
	// StreamKey is the columns by which the changelog is consistent; see Plan.StreamKey.
	StreamKey []int
	Mode      Mode
	// Watermarks are the columns that event time bounds: no later row has a smaller value, late
	// ones excepted.
	Watermarks []int
	// Emission is when a stateful operator emits; empty for a stateless one.
	Emission string
	// State names the operator's state; empty for a stateless one.
	State string
	// Hashed is the columns by whose hash rows are spread over tasks; nil = in no known way.
	Hashed []int
	// Single: all rows are at one task.
	Single bool
}

// operator is the part of a Physical that differs from kind to kind.
type operator interface {
	// name and detail are what EXPLAIN prints.
	name() string
	detail(p *Physical) string
	// build appends the operator to the graph and returns the fragment that now ends with it.
	build(g *graph, p *Physical) (*exec.Fragment, error)
}

// Scan is what a plan reads of a relation.
type Scan struct {
	Relation *Relation
	// Columns are what to read: indexes into Relation.Columns, ascending, none of them Generated.
	Columns []int
	// Follow: the rows as of now, then every change, for ever. Otherwise the rows as of now.
	Follow bool
	// Range, when not nil, bounds the key: only rows in it are needed, and it selects exactly.
	Range *KeyRange
	// Limit is how many rows are needed at most; -1 = all.
	Limit int64
}

// KeyRange is a range of a relation's key: rows whose first key columns equal Prefix and whose next
// one is within the bounds. A NULL in it (no row qualifies then) never occurs: Empty is set instead.
type KeyRange struct {
	Prefix []sql.Datum
	Lo, Hi *KeyBound // nil = open
	Empty  bool
}

// KeyBound is one end of a KeyRange.
type KeyBound struct {
	Value     sql.Datum
	Inclusive bool
}

// Runtime is what a plan needs to become a graph.
type Runtime struct {
	Parallelism int         // tasks a fragment; 0 = one a core
	Params      []sql.Datum // values of Plan.Params
	// Context evaluates what must be known before the graph runs: limits, key ranges, arguments of
	// table functions.
	Context *expr.Context
	// Open gives the source of a scan, and how many tasks can share it (0 = any number).
	Open func(s *Scan) (spec *exec.SourceSpec, tasks int, err error)
	// Output are operators to put at the end of the graph, and how rows are spread over their tasks.
	Output Output
}

// Output is the end of a graph.
type Output struct {
	Operators []exec.OperatorSpec
	// Spread is exec.Forward when the operators don't mind where rows are, exec.Gather when one task
	// is to get all of them, exec.Hash when those of one stream key must be at one task (a result
	// without a stream key is then left where it is).
	Spread exec.EdgeKind
}

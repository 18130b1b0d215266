package planner

import (
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// Scan is what a plan reads of a relation.
type Scan struct {
	Relation *Relation
	// Columns are what to read: indexes into Relation.Columns, ascending, none of them Generated. It is
	// not nil; empty, only the number of rows counts.
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
	// Open gives the source of a scan, and how many tasks can share it (0 = any number). The spec is a
	// new one each time, whose owner may keep it: the planner sets ID and Schema, and Watermark but for IdleTimeout and MaxSkew, which it takes from a
	// Watermark that Open may have set. Rows of one key, if the relation has one, must come to one
	// task, in order.
	Open func(s *Scan) (spec *exec.SourceSpec, tasks int, err error)
	// Output are operators to put at the end of the graph, and how rows are spread over their tasks.
	Output Output
}

// Output is the end of a graph.
type Output struct {
	Operators []exec.OperatorSpec
	// Spread, for a query that goes on for ever, is exec.Forward when the operators don't mind where rows are, exec.Gather when one task
	// is to get all of them, exec.Hash when the changes of one stream key
	// must come to one task in order (append-only rows are then left where they are). A bounded query ends at one task anyway.
	Spread exec.EdgeKind
}

package exec

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Graph is what the planner makes of a statement and a Job or RunQuery runs: fragments in
// topological order, sources first. It is immutable and may be run more than once.
type Graph struct {
	Fragments []*Fragment
}

// Fragment is a chain of operators that one goroutine a task runs, without locks. Its rows come
// from a source or over exchanges from other fragments, never both. Several edges may come from one
// fragment: each gets everything that it emits.
type Fragment struct {
	Name        string
	Parallelism int         // tasks, at least 1
	Source      *SourceSpec // of a leaf
	Inputs      []Edge      // of any other; the first operator gets the input's index
	Operators   []OperatorSpec
}

// EdgeKind is how an exchange spreads rows over the tasks of its target.
type EdgeKind uint8

const (
	Forward   EdgeKind = iota // task i to task i; both fragments have the same parallelism
	Hash                      // by the hash of Keys over 256 shards, which are split evenly over the tasks
	Gather                    // all to task 0
	Broadcast                 // everything to every task
)

// Edge is an exchange into a fragment.
type Edge struct {
	From  *Fragment
	Kind  EdgeKind
	Keys  []int      // Hash: the columns
	Types []sql.Type // the types of all columns
}

// OperatorSpec is one operator of a fragment, made anew for each task and each run.
type OperatorSpec struct {
	// ID names the operator's state. It must stay the same over restarts and harmless edits of the
	// SQL, and be unique within the graph. Empty for an operator without state.
	ID   string
	Name string     // for EXPLAIN and streamsql.operators
	Out  sql.Schema // what it emits
	New  Constructor
}

// Constructor makes an operator for a task. Constructors come from this package's New functions.
type Constructor func(t *Task) (stream.Operator, error)

// SourceSpec is the leaf of a fragment.
type SourceSpec struct {
	ID     string // names the positions, as OperatorSpec.ID names state; unique within the graph
	Name   string // the relation, for streamsql.sources and late rows
	Schema sql.Schema
	Open   func(ctx context.Context) (connectors.Source, error)
	// Bounded sources are read to their present end. In RunQuery all are.
	Bounded bool
	// Watermark is how event time is derived; nil: the source has none, and forwards only the end
	// of a bounded input.
	Watermark *WatermarkSpec
	// OnError is what to do with records that can't be decoded.
	OnError OnError
	// Discovery is how often new splits are looked for; 0 = DefaultDiscovery, below 0 = never.
	Discovery time.Duration
}

// OnError is a relation's on-error option.
type OnError uint8

const (
	DeadLetter OnError = iota // report them with the epoch
	Fail                      // end the run with the record's error
	Skip                      // count only
)

// WatermarkSpec is a WATERMARK clause with the source's event-time options. Event times are
// timestamps or timestamptz, microseconds since 1970-01-01.
type WatermarkSpec struct {
	Column int           // the event-time column
	Delay  time.Duration // the usual form, WATERMARK FOR column AS column - Delay
	Expr   expr.Expr     // any other form, over the source's columns; nil = the usual one
	// IdleTimeout is how long a split without data holds event time back; 0 = DefaultIdleTimeout,
	// below 0 = for ever.
	IdleTimeout time.Duration
	// MaxSkew is how far ahead of the wall clock a row may move event time; 0 = DefaultMaxSkew,
	// below 0 = any distance.
	MaxSkew time.Duration
}

// Defaults of WatermarkSpec.
const (
	DefaultIdleTimeout = 10 * time.Second
	DefaultMaxSkew     = time.Hour
)

package exec

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// Task is what an operator may use of its surroundings. It belongs to one goroutine.
type Task struct {
	Context     context.Context // ends with the run
	Fragment    string
	Index       int // of Parallelism tasks of the fragment
	Parallelism int
	Bounded     bool // a query: there are no barriers, and errors of rows end it
	Eval        *expr.Context
	Store       *state.Store // committed state; nil in a bounded query

	env   *environment
	batch *state.Batch // this epoch's writes; nil in a bounded query
	spec  *OperatorSpec
	stats *OperatorStats // of the operator being made
}

// environment is what the tasks of one run share.
type environment struct {
	job       *JobConfig // nil in a bounded query
	now       func() time.Time
	events    Events
	restored  uint64        // the committed epoch that the run started from, 0 = none
	committed atomic.Uint64 // the last committed epoch
	dirty     atomic.Bool   // something was processed since the last barrier
	wake      chan struct{} // capacity 1: wakes the coordinator
	closeSoon atomic.Bool   // an operator is over its budget: close the epoch now
}

// Events takes what a run tells besides its results. It is safe for concurrent use; nil functions
// are allowed and drop what they get. Batches and letters must not be changed.
type Events struct {
	// Dead takes records that could not be decoded and rows that an expression or a sink refused.
	Dead func(source string, letters []connectors.DeadLetter)
	// Late takes rows that came too late for an operator.
	Late func(l LateRows)
	Log  *slog.Logger
}

// LateRows are rows that came after the watermark had closed every window that they belong to.
type LateRows struct {
	Source     string
	Watermark  stream.Watermark
	EventTimes []int64  // microseconds since 1970-01-01, one for each row
	Rows       []string // the rows as JSON
}

// touched notes that there is something to commit.
func (e *environment) touched() {
	if !e.dirty.Load() && e.dirty.CompareAndSwap(false, true) {
		e.signal()
	}
}

func (e *environment) signal() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// Now is the wall clock, or the test's.
func (t *Task) Now() time.Time { return t.env.now() }

// Shards is the range, first to last, of the shards that the task owns.
func (t *Task) Shards() (first, last uint8) { return state.ShardsOf(t.Index, t.Parallelism) }

// Batch takes this epoch's writes. It is another one after every barrier.
func (t *Task) Batch() *state.Batch { return t.batch }

// Committed is the last committed epoch: what was staged up to it can be read from Store.
func (t *Task) Committed() uint64 { return t.env.committed.Load() }

// Restored is the epoch that the run started from, 0 for a first run.
func (t *Task) Restored() uint64 { return t.env.restored }

// CloseEpoch asks for a barrier as soon as possible, so that memory can be given back.
func (t *Task) CloseEpoch() {
	if t.env.closeSoon.CompareAndSwap(false, true) {
		t.env.touched()
		t.env.signal()
	}
}

// Budget is how many bytes of memory the operator's state should keep to.
func (t *Task) Budget() int64 {
	if t.env.job == nil || t.env.job.StateBudget <= 0 {
		return defaultStateBudget
	}
	return t.env.job.StateBudget
}

// defaultStateBudget is for callers that set none: tests, mostly.
const defaultStateBudget = 256 << 20

// Late reports rows of source that are late.
func (t *Task) Late(l LateRows) {
	t.stats.LateRows.Add(int64(len(l.Rows)))
	if t.env.events.Late != nil {
		t.env.events.Late(l)
	}
}

// Dead reports rows that can't be handled. In a bounded query the first is the query's error.
func (t *Task) Dead(letters ...connectors.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	if t.Bounded {
		return &sql.Error{Code: letters[0].Code, Message: letters[0].Reason}
	}
	t.stats.DeadRows.Add(int64(len(letters)))
	if t.env.events.Dead != nil {
		t.env.events.Dead("", letters)
	}
	return nil
}

// TakeErrors reports the rows of b for which the expressions just evaluated failed, and returns
// them, ascending; they are to be left out of the result. In a bounded query the first error is
// returned instead.
func (t *Task) TakeErrors(b *stream.Batch, schema sql.Schema) ([]expr.RowError, error) {
	if !t.Eval.Failed() {
		return nil, nil
	}
	if t.Bounded {
		return nil, t.Eval.TakeFirst()
	}
	errs := t.Eval.Take()
	letters := make([]connectors.DeadLetter, len(errs))
	for i, e := range errs {
		letters[i] = connectors.DeadLetter{Time: t.Now(), Partition: -1, Offset: -1,
			Payload: appendRowJSON(nil, b, schema, e.Row), Code: e.Err.Code, Reason: e.Err.Message}
	}
	return errs, t.Dead(letters...)
}

// OperatorStats counts what an operator did. All fields only grow, except StateBytes.
type OperatorStats struct {
	RowsIn, RowsOut    atomic.Int64
	Batches            atomic.Int64
	Busy               atomic.Int64 // nanoseconds in this operator itself
	LateRows, DeadRows atomic.Int64
	StateBytes         atomic.Int64 // memory held for state
}

// TaskStats counts what a task did.
type TaskStats struct {
	Blocked   atomic.Int64 // nanoseconds waiting for room in an exchange
	Idle      atomic.Int64 // nanoseconds waiting for input
	Watermark atomic.Int64 // a stream.Watermark
}

func (t *Task) String() string { return fmt.Sprintf("%s[%d/%d]", t.Fragment, t.Index, t.Parallelism) }

package exec

import (
	"context"
	"fmt"
	"sync"
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
	ops   []*OperatorStats // in the order of the fragment's operators
	stats *OperatorStats   // of the operator at work, or being made
	spec  *OperatorSpec    // of the operator being made
	epoch uint64           // the one that is open: what is done now is committed with it
	// What goes with the next acknowledgement.
	oldest     int64          // the least record timestamp read in this epoch, milliseconds since 1970-01-01; 0 = none
	behind     bool           // a source has more to bring than the epoch took
	batch      *state.Batch   // this epoch's writes; nil in a bounded query
	logged     int64          // bytes appended to the job's changelog
	confirm    []confirmation // to be called before the epoch is committed
	dead       []DeadLetters
	late       []LateRows
	eventBytes int
	closing    bool // the barrier is passing
}

// environment is what the tasks of one run share.
type environment struct {
	job       *JobConfig // nil in a bounded query
	query     *QueryEnv  // nil in a job
	now       func() time.Time
	restored  uint64        // the committed epoch that the run started from, 0 = none
	committed atomic.Uint64 // the last committed epoch
	dirty     atomic.Bool   // something was processed since the last barrier
	closeSoon atomic.Bool   // close the epoch now: an operator has too much to keep until its commit
	wake      chan struct{} // capacity 1: wakes the coordinator
	written   atomic.Int64  // bytes of the last commit
	shares    []*share      // of all operators, filled while they are made

	epochsMu sync.Mutex
	epochs   map[uint64]*state.Gathered // what the tasks write, by epoch: a task may be one ahead
	gatherer *state.Gatherer

	commitTime atomic.Int64 // nanoseconds spent on commits
}

// DeadLetters are records of a source that could not be decoded, or rows that an expression or a
// sink refused.
type DeadLetters struct {
	Source  string // the relation; empty for a row
	Letters []connectors.DeadLetter
}

// LateRows are rows that came after the watermark had closed every window that they belong to.
type LateRows struct {
	Source     string
	Watermark  stream.Watermark
	EventTimes []int64  // microseconds since 1970-01-01, one for each row
	Rows       []string // the rows as JSON
	Folded     int64    // how many more there are: an entry may stand for several
}

// part is where a task writes in an epoch.
func (e *environment) part(epoch uint64) *state.Batch {
	e.epochsMu.Lock()
	defer e.epochsMu.Unlock()
	g, ok := e.epochs[epoch]
	if !ok {
		if e.epochs == nil {
			e.epochs, e.gatherer = map[uint64]*state.Gathered{}, e.job.Store.NewGatherer()
		}
		// An epoch is about as large as the one before.
		g = e.gatherer.New(int(e.written.Load() / 8 * 9))
		e.epochs[epoch] = g
	}
	return g.Part()
}

// gathered is what the tasks wrote in an epoch, once all of them have acknowledged it.
func (e *environment) gathered(epoch uint64) *state.Batch {
	e.epochsMu.Lock()
	defer e.epochsMu.Unlock()
	return e.epochs[epoch].Batch()
}

// reuse takes back what an epoch was gathered in, once it is committed.
func (e *environment) reuse(epoch uint64) {
	e.epochsMu.Lock()
	defer e.epochsMu.Unlock()
	e.epochs[epoch].Done()
	delete(e.epochs, epoch)
}

// rest gives back the memory that waits for the next epoch.
func (e *environment) rest() {
	e.epochsMu.Lock()
	defer e.epochsMu.Unlock()
	if e.gatherer != nil {
		e.gatherer.Free()
	}
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

// Epoch is the open epoch: what is done now is committed with it. In Operator.Barrier it is that of
// the barrier.
func (t *Task) Epoch() uint64 { return t.epoch }

// Committed is the last committed epoch: what was staged up to it can be read from Store.
func (t *Task) Committed() uint64 { return t.env.committed.Load() }

// Restored is the epoch that the run started from, 0 for a first run.
func (t *Task) Restored() uint64 { return t.env.restored }

// stateTable is the table of the operator being made; false in a bounded query.
func (t *Task) stateTable() (state.TableID, bool) {
	if t.Bounded {
		return 0, false
	}
	id, ok := t.env.job.Tables[t.spec.ID]
	if !ok {
		panic(fmt.Sprintf("exec: no state table for operator %q", t.spec.ID))
	}
	return id, true
}

// CloseEpoch asks for a barrier as soon as possible, so that memory can be given back. While the
// barrier passes it asks for nothing: what is held is about to be committed.
func (t *Task) CloseEpoch() {
	if t.closing {
		return
	}
	if t.env.closeSoon.CompareAndSwap(false, true) {
		t.env.touched()
		t.env.signal()
	}
}

// Memory is the part of the operator being made in what all operators share.
func (t *Task) Memory() *share {
	s := &share{pool: t.env.memory()}
	t.env.shares = append(t.env.shares, s)
	return s
}

// memory is the pool. A bounded query has no state on disk: its groups stay in memory, whatever they take
// of the pool, and only its sorts keep to the limit.
func (e *environment) memory() *Memory {
	if e.job != nil {
		return e.job.Memory
	}
	return e.query.Memory
}

// releaseMemory gives back what the run's operators held.
func (e *environment) releaseMemory() {
	for _, s := range e.shares {
		s.set(0)
	}
}

// maxEventBytes is how much of dead letters and late rows a task keeps until their epoch is committed.
const maxEventBytes = 8 << 20

// Late reports late rows. They are recorded with the epoch, so neither lost nor doubled by a crash.
func (t *Task) Late(l LateRows) {
	t.stats.LateRows.Add(int64(len(l.Rows)) + l.Folded)
	if t.Bounded {
		return // the watermark comes last, so nothing can be late
	}
	for _, r := range l.Rows {
		t.eventBytes += len(r)
	}
	t.late = append(t.late, l)
	t.kept()
}

// Dead reports what can't be handled, in the manner of Late. In a bounded query a refused row is the
// query's error, and an undecodable record is told to whoever asked.
func (t *Task) Dead(source string, letters ...connectors.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	if t.stats != nil { // the source itself is no operator
		t.stats.DeadRows.Add(int64(len(letters)))
	}
	if t.Bounded {
		if source == "" {
			return &sql.Error{Code: letters[0].Code, Message: letters[0].Reason}
		}
		if t.env.query.Dead != nil {
			t.env.query.Dead(source, letters)
		}
		return nil
	}
	for _, l := range letters {
		t.eventBytes += len(l.Key) + len(l.Payload)
	}
	t.dead = append(t.dead, DeadLetters{source, letters})
	t.kept()
	return nil
}

func (t *Task) kept() {
	if t.closing { // the passing barrier takes it along
		return
	}
	t.env.touched()
	if t.eventBytes > maxEventBytes {
		t.CloseEpoch()
	}
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
			Payload: rowJSON(b, schema, e.Row), Code: e.Err.Code, Reason: e.Err.Message}
	}
	return errs, t.Dead("", letters...)
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
	waiting   atomic.Int64 // since when it waits for either, unix nanoseconds; 0 = it is at work
	Watermark atomic.Int64 // a stream.Watermark
}

// wait notes that the task waits from start on. Its end adds to Idle or Blocked.
func (s *TaskStats) wait(start time.Time) { s.waiting.Store(start.UnixNano()) }

func (s *TaskStats) waited(sum *atomic.Int64, start time.Time) {
	s.waiting.Store(0)
	sum.Add(int64(time.Since(start)))
}

// Waited is how long the task has waited for input or room, a wait that goes on included.
func (s *TaskStats) Waited(now time.Time) time.Duration {
	d := s.Idle.Load() + s.Blocked.Load()
	if since := s.waiting.Load(); since > 0 {
		d += now.UnixNano() - since
	}
	return time.Duration(d)
}

func (t *Task) String() string { return fmt.Sprintf("%s[%d/%d]", t.Fragment, t.Index, t.Parallelism) }

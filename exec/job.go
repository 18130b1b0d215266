package exec

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/state"
)

// JobConfig is what a job runs with.
type JobConfig struct {
	ID   uint32
	Name string

	Store *state.Store
	// Meta is the table of the job's own record: its last epoch and the positions of its sources.
	Meta state.TableID
	// Tables are the state tables of the graph's operators, by OperatorSpec.ID: Graph.StateIDs lists
	// which are needed.
	Tables map[string]state.TableID

	// CheckpointInterval is the time between epochs; 0 = automatic, see epochTimer.
	CheckpointInterval time.Duration
	// StateBudget is the memory that each stateful operator of each task may use; 0 = a default.
	StateBudget int64

	// BeforeCommit may add to an epoch's batch, or refuse it; AfterCommit learns that it is durable.
	// The coordinator calls them, one at a time; an error ends the run. nil = nothing to do.
	BeforeCommit func(e *Epoch) error
	AfterCommit  func(e *Epoch)

	Events   Events
	Location *time.Location   // the time zone of expressions; nil = UTC
	Now      func() time.Time // nil = time.Now
}

// Epoch is an epoch about to be committed, or just committed.
type Epoch struct {
	Number  uint64
	Batch   *state.Batch  // all writes of the epoch; empty after the commit
	Started time.Time     // when its barrier was sent
	Aligned time.Duration // from then until every task had acknowledged
	Commit  time.Duration // the commit; 0 before it
	Bytes   int           // written
	Stop    bool          // the job's last
}

// Job runs a graph for ever, epoch by epoch.
type Job struct {
	graph *Graph
	cfg   JobConfig
	stop  chan struct{}
	run   *run
}

// NewJob makes a job of a graph. It does nothing until Run.
func NewJob(g *Graph, cfg JobConfig) *Job {
	return &Job{graph: g, cfg: cfg, stop: make(chan struct{})}
}

// Run runs the job from its last committed epoch until Stop, until all its inputs are bounded and
// have ended (both return nil after a last commit), until ctx ends, or until an error. It is called
// once; to start again, make another Job.
func (j *Job) Run(ctx context.Context) error { return j.coordinate(ctx) }

package exec

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/state"
)

// JobConfig is what a job runs with.
type JobConfig struct {
	Store *state.Store
	// Meta is the table of the job's own record: its last epoch and the positions of its sources.
	Meta state.TableID
	// Tables are the state tables of the graph's operators, by OperatorSpec.ID: Graph.StateIDs lists
	// which are needed.
	Tables map[string]state.TableID

	// CheckpointInterval is the time between epochs; 0 = automatic, see epochTimer.
	CheckpointInterval time.Duration
	// Memory is what its stateful operators share with those of other jobs; nil = a pool of its own.
	Memory *Memory

	// BeforeCommit may add to an epoch's batch, or refuse it; AfterCommit learns that it is durable.
	// The coordinator calls them, one at a time; an error ends the run. nil = nothing to do.
	BeforeCommit func(e *Epoch) error
	AfterCommit  func(e *Epoch)
	// Hold tells that the next epoch should wait until the channel that it returns is closed, because
	// whoever takes the output somewhere is too far behind; a nil channel means to go on. nil = never.
	Hold func() <-chan struct{}

	Location *time.Location   // the time zone of expressions; nil = UTC
	Now      func() time.Time // nil = time.Now
}

// Epoch is an epoch about to be committed, or just committed.
type Epoch struct {
	Number  uint64
	Batch   *state.Batch // all writes of the epoch; empty after the commit
	Dead    []DeadLetters
	Late    []LateRows
	Behind  bool          // a source had more to bring than the epoch took
	Oldest  time.Time     // the timestamp of about the oldest record in it; zero = its sources have none
	Started time.Time     // when its barrier was sent
	Aligned time.Duration // from then until every task had acknowledged
	Work    time.Duration // of it, what the busiest task's operators took to emit and to write
	Commit  time.Duration // 0 before it
	Bytes   int           // that the commit writes
	Logged  int64         // bytes of it that are changes of the job's output, in its changelog
}

// Job runs a graph for ever, epoch by epoch.
type Job struct {
	graph    *Graph
	cfg      JobConfig
	stop     chan struct{}
	stopOnce sync.Once
	run      atomic.Pointer[run]
}

// NewJob makes a job of a graph. It does nothing until Run.
func NewJob(g *Graph, cfg JobConfig) *Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Memory == nil {
		cfg.Memory = NewMemory(defaultMemory)
	}
	return &Job{graph: g, cfg: cfg, stop: make(chan struct{})}
}

// Stop asks Run to commit what was read and to return.
func (j *Job) Stop() { j.stopOnce.Do(func() { close(j.stop) }) }

// Opened tells whether Run has got as far as having its sources open.
func (j *Job) Opened() bool { return j.run.Load() != nil }

// Run runs the job from its last committed epoch until Stop, until all its inputs are bounded and
// have ended (both return nil after a last commit), until ctx ends, or until an error. It is called
// once; to start again, make another Job.
func (j *Job) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	env := &environment{job: &j.cfg, now: j.cfg.Now, wake: make(chan struct{}, 1)}
	var err error
	if env.restored, err = ReadEpoch(j.cfg.Store, j.cfg.Meta); err != nil {
		return err
	}
	env.committed.Store(env.restored)
	defer env.releaseMemory()
	r, err := build(ctx, j.graph, env, expr.Context{Location: j.cfg.Location}, func(*stream.Batch) error { return nil })
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.checkPositions(j.cfg.Store, j.cfg.Meta); err != nil {
		return err
	}
	for _, g := range r.sources {
		positions, err := readPositions(j.cfg.Store, j.cfg.Meta, g.spec.ID)
		if err != nil {
			return err
		}
		if err := g.open(ctx, positions); err != nil {
			return err
		}
	}
	j.run.Store(r)
	wait := r.start(cancel)
	var discovery sync.WaitGroup
	for _, g := range r.sources {
		if !g.bounded && g.spec.Discovery >= 0 {
			discovery.Go(func() { g.discover(ctx) })
		}
	}
	c := &coordinator{job: j, run: r, env: env, timer: newEpochTimer(&j.cfg), epoch: env.restored}
	if err := c.loop(ctx); err != nil {
		cancel(err)
	}
	wait()
	err = context.Cause(ctx)
	cancel(nil)
	discovery.Wait() // it uses the sources, which are closed next
	return err
}

// start starts the tasks; the first error of one cancels the run. wait returns once all have ended.
func (r *run) start(cancel context.CancelCauseFunc) (wait func()) {
	var wg sync.WaitGroup
	for _, t := range r.tasks {
		wg.Go(func() { r.runTask(t, cancel) })
	}
	return wg.Wait
}

// runTask runs one task to its end; an error cancels the run. Those of tasks that end because of that
// come too late to count.
func (r *run) runTask(t *runner, cancel context.CancelCauseFunc) {
	fn := t.run
	for _, g := range r.sources {
		for _, s := range g.tasks {
			if s.runner == t {
				fn = s.run
			}
		}
	}
	if err := safely(t.task.String(), fn); err != nil {
		cancel(err)
	}
}

func (r *run) close() {
	for _, t := range r.tasks {
		for _, l := range t.links {
			if c, ok := l.op.(interface{ Close() error }); ok {
				_ = c.Close() // what mattered was flushed before a barrier
			}
		}
	}
	for _, g := range r.sources {
		_ = g.closeSource()
	}
}

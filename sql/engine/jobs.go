package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// The states of a job in streamsql.jobs.
const (
	jobStarting   = "starting"
	jobRunning    = "running"
	jobWaiting    = "waiting" // a source or a target is away: the reason is in last_error
	jobRestarting = "restarting"
	jobPaused     = "paused"
	jobFinished   = "finished" // every input was bounded and has ended
	jobFailed     = "failed"   // only ALTER JOB or a restart of the server runs it again: last_error says why
)

// Restart delays: doubled from the first to the last, and forgotten after a run this long. A server
// that is away is asked more often: when it is back, the job should be too.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 30 * time.Second
	awayBackoff  = 3 * time.Second
	healthyRun   = time.Minute
)

// jobManager runs the jobs of views, sinks and INSERTs. A failing job restarts alone, with backoff,
// from its last committed epoch.
type jobManager struct {
	e       *Engine
	mu      sync.Mutex
	jobs    map[uint32]*job
	closing bool
	done    sync.WaitGroup
}

// job is one of them.
type job struct {
	e      *Engine
	obj    *catalog.Object
	cancel context.CancelCauseFunc
	retry  chan struct{} // taken by a job that waits for its next run
	ended  chan struct{}

	mu       sync.Mutex
	run      *exec.Job     // nil between runs
	meta     state.TableID // the job's own record; 0 before the first run
	st       jobStatus
	stopping bool
	accept   bool // of ACCEPT TARGET, until the delivery has done so
	delivery *delivery
}

// jobStatus is what streamsql.jobs tells.
type jobStatus struct {
	state      string
	lastError  string
	awaits     bool // lastError is of something that is away, and is forgotten when the job goes on
	errorAt    time.Time
	restarts   int64
	started    time.Time
	epoch      uint64
	progressAt time.Time
	bottleneck string
}

// failed notes what keeps the job from running.
func (st *jobStatus) failed(state string, err error) {
	st.state, st.lastError, st.errorAt, st.awaits = state, errorText(err), time.Now(), state == jobWaiting
}

var errStopped = errors.New("job stopped")

func newJobManager(e *Engine) *jobManager { return &jobManager{e: e, jobs: map[uint32]*job{}} }

func (m *jobManager) startAll(snap *catalog.Snapshot) {
	for _, o := range snap.All(catalog.MaterializedView, catalog.Sink, catalog.Job) {
		m.start(o)
	}
}

// start runs an object's job, unless it is paused or runs already.
func (m *jobManager) start(o *catalog.Object) { m.startJob(o, false) }

// acceptTarget runs an object's job anew, from what its log has not delivered, whatever the sink's
// target holds.
func (m *jobManager) acceptTarget(o *catalog.Object) {
	if j := m.get(o.ID); j != nil {
		j.stop(context.Background(), time.Minute)
	}
	m.startJob(o, true)
}

func (m *jobManager) startJob(o *catalog.Object, accept bool) {
	st := jobStatus{state: jobStarting, started: time.Now()}
	var err error
	// Who watches the epoch must not see it go back to 0 over a restart. The disk is not asked under the lock.
	if st.epoch, err = m.e.jobEpoch(o.ID); err != nil {
		st.lastError, st.errorAt = errorText(err), st.started
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closing || m.e.cfg.checkOnly {
		return
	}
	if old := m.jobs[o.ID]; old != nil {
		select {
		case <-old.ended: // paused before
		case old.retry <- struct{}{}:
			return
		default:
			return
		}
	}
	ctx, cancel := context.WithCancelCause(m.e.ctx)
	j := &job{e: m.e, obj: o, cancel: cancel, retry: make(chan struct{}), ended: make(chan struct{}), accept: accept, st: st}
	m.jobs[o.ID] = j
	if o.Paused {
		j.st.state = jobPaused
		close(j.ended)
		return
	}
	m.done.Add(1)
	go func() {
		defer m.done.Done()
		j.loop(ctx)
	}()
}

// pause stops a job after a last epoch.
func (m *jobManager) pause(id uint32) {
	if j := m.get(id); j != nil {
		j.stop(context.Background(), time.Minute)
		j.set(func(st *jobStatus) { st.state = jobPaused })
	}
}

// remove cuts a dropped job off.
func (m *jobManager) remove(id uint32) {
	j := m.get(id)
	if j == nil {
		return
	}
	j.cancel(errStopped)
	<-j.ended
	m.mu.Lock()
	delete(m.jobs, id)
	m.mu.Unlock()
}

func (m *jobManager) get(id uint32) *job {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.jobs[id]
}

// list is all jobs by name.
func (m *jobManager) list() []*job {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*job, 0, len(m.jobs))
	for _, j := range m.jobs {
		out = append(out, j)
	}
	slices.SortFunc(out, func(a, b *job) int { return strings.Compare(a.obj.Name, b.obj.Name) })
	return out
}

// stopAll stops every job after a last epoch; what does not stop until ctx ends is cut off.
func (m *jobManager) stopAll(ctx context.Context) {
	m.mu.Lock()
	m.closing = true
	m.mu.Unlock()
	var wg sync.WaitGroup
	for _, j := range m.list() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			j.stop(ctx, time.Hour)
		}()
	}
	wg.Wait()
	m.done.Wait()
}

// stop ends the job gracefully, and by force when it takes longer than the patience or ctx.
func (j *job) stop(ctx context.Context, patience time.Duration) {
	j.mu.Lock()
	j.stopping = true
	run := j.run
	j.mu.Unlock()
	if run == nil {
		j.cancel(errStopped)
	} else {
		run.Stop()
	}
	select {
	case <-j.ended:
		return
	case <-ctx.Done():
	case <-time.After(patience):
	}
	j.cancel(errStopped)
	<-j.ended
}

// status is where the job stands. A running job whose source can't be read is waiting for it.
func (j *job) status() jobStatus {
	j.mu.Lock()
	st := j.st
	j.mu.Unlock()
	if st.state != jobRunning {
		return st
	}
	for _, src := range j.stats().Sources {
		for _, sp := range src.Splits {
			if sp.Error != "" {
				st.state = jobWaiting
				st.lastError = fmt.Sprintf("source %s, topic %s, partition %d: %s", src.Name, sp.Topic, sp.Partition, sp.Error)
				st.errorAt = time.Now()
				return st
			}
		}
	}
	return st
}

func (j *job) set(f func(*jobStatus)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.st)
}

// loop runs the job until it is stopped.
func (j *job) loop(ctx context.Context) {
	defer close(j.ended)
	backoff := firstBackoff
	for {
		started, opened := time.Now(), false
		err := guarded("run the job", func() (err error) {
			opened, err = j.once(ctx)
			return err
		})
		if j.isStopping() || ctx.Err() != nil {
			return
		}
		if err == nil {
			j.set(func(st *jobStatus) { st.state = jobFinished })
			return
		}
		var refused refusedTarget
		if errors.As(err, &refused) {
			j.e.log.Error("job stopped", "job", j.obj.Name, "error", err)
			j.set(func(st *jobStatus) { st.failed(jobFailed, refused.error) })
			return
		}
		if time.Since(started) > healthyRun {
			backoff = firstBackoff
		}
		if isAway(err) && !opened {
			backoff = min(backoff, awayBackoff) // trying to reach what is away is no restart
			j.waits(err)
		} else {
			backoff = j.restarts(err, backoff)
		}
		select {
		case <-time.After(backoff):
		case <-j.retry:
		case <-ctx.Done():
			return
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// waits notes what the job waits for. The log is told once, however long that takes.
func (j *job) waits(err error) {
	told := false
	j.set(func(st *jobStatus) {
		told = st.awaits && st.lastError == errorText(err)
		st.failed(jobWaiting, err)
	})
	if !told {
		j.e.log.Warn("job waits", "job", j.obj.Name, "error", err)
	}
}

// goesOn forgets what the job waited for. An error that ended a run is kept: it is why the job was
// restarted.
func (j *job) goesOn(st *jobStatus) {
	if st.awaits {
		st.lastError, st.errorAt, st.awaits = "", time.Time{}, false
		j.e.log.Info("job goes on", "job", j.obj.Name)
	}
}

// restarts notes an error that ended a run, and returns when to begin the next.
func (j *job) restarts(err error, backoff time.Duration) time.Duration {
	state := jobRestarting
	if isAway(err) {
		state, backoff = jobWaiting, min(backoff, awayBackoff)
	}
	j.e.log.Warn("job restarts", "job", j.obj.Name, "error", err, "in", backoff)
	if e := sql.AsError(err); e.Code == sql.CodeInternal && e.Cause != nil {
		j.e.log.Error("internal error", "job", j.obj.Name, "cause", e.Cause)
	}
	j.set(func(st *jobStatus) {
		st.failed(state, err)
		st.restarts++
	})
	return backoff
}

// isAway tells whether a server that the job needs can't be reached: that is nobody's fault here, and
// passes.
func isAway(err error) bool { return sql.AsError(err).Code == sql.CodeConnectionFailure }

// guarded turns a panic of f into an error: it ends the job's run, and nothing else.
func guarded(doing string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &sql.Error{Code: sql.CodeInternal, Message: fmt.Sprintf("%s: %v", doing, p), Cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return f()
}

func (j *job) isStopping() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stopping
}

// errorText is an error as streamsql.jobs shows it, with what can be done: nobody is there whom a HINT
// would reach.
func errorText(err error) string {
	var e *sql.Error
	if errors.As(err, &e) {
		text := e.Message
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		if err.Error() != e.Message {
			text = err.Error()
		}
		if e.Hint != "" {
			text = strings.TrimSuffix(text, ".") + " (" + strings.TrimSuffix(e.Hint, ".") + ")"
		}
		return text
	}
	return err.Error()
}

// once runs the job from its last committed epoch until something ends it. opened tells whether it came
// as far as having its sources.
func (j *job) once(ctx context.Context) (opened bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b, err := j.e.buildJob(ctx, j.obj)
	if err != nil {
		return false, err
	}
	defer b.close()
	epoch, err := exec.ReadEpoch(j.e.store, b.meta)
	if err != nil {
		return false, err
	}
	events := j.e.events.ofEpochs(j.obj)
	defer events.close()
	cfg := j.config(b, func(ep *exec.Epoch) error { return events.add(ctx, ep) })
	var d *delivery
	if b.sink != nil {
		if d, err = newDelivery(j, b, epoch); err != nil {
			return false, err
		}
		defer d.events.close()
		cfg.Hold = d.backlog.hold
	}
	run := exec.NewJob(b.graph, cfg)
	beside, stopBeside := context.WithCancel(ctx)
	var besides sync.WaitGroup
	besides.Go(func() { b.groups.run(beside, j, b) })
	defer func() {
		stopBeside()
		besides.Wait()
	}()
	j.mu.Lock()
	if j.stopping {
		j.mu.Unlock()
		return false, nil
	}
	j.run, j.meta, j.delivery = run, b.meta, d
	if d != nil {
		d.accept, j.accept = j.accept, false
	}
	j.st.epoch = epoch
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		j.run = nil
		j.mu.Unlock()
	}()
	j.set(func(st *jobStatus) { st.state = jobRunning })
	besides.Go(func() { j.measure(beside, run, d) })
	if d == nil {
		err = run.Run(ctx)
	} else {
		err = runWithDelivery(ctx, run, d)
	}
	return run.Opened(), err
}

// aloneFor is how long at most a delivery goes on whose job has lost its source.
const aloneFor = 30 * time.Second

// runWithDelivery runs the job and, beside it, the delivery of its committed epochs. The delivery
// retries by itself while the target is away; an error that it can't get over ends both. When a source
// is away, what is committed goes to the target all the same, before the source is tried again.
func runWithDelivery(ctx context.Context, run *exec.Job, d *delivery) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	failed := make(chan error, 1)
	go func() {
		err := refusal(guarded("deliver", func() error { return d.run(ctx) }))
		if err != nil {
			cancel(err)
		}
		failed <- err
	}()
	err := run.Run(ctx)
	if err == nil { // stopped or finished: deliver what the last epoch holds
		d.finish()
		return <-failed
	}
	cause := context.Cause(ctx)
	if cause == nil && isAway(err) {
		d.finish()
		timeout := time.AfterFunc(aloneFor, func() { cancel(err) })
		defer timeout.Stop()
		if derr := <-failed; errors.As(derr, new(refusedTarget)) {
			return derr
		}
		return err
	}
	cancel(err)
	if derr := <-failed; derr != nil && errors.Is(cause, derr) {
		return derr
	}
	return err
}

package exec

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

var intSchema = sql.Schema{{Name: "v", Type: sql.TypeInt8}}

func ints(vs ...int64) *stream.Batch {
	return &stream.Batch{Columns: []arrow.Array{stream.Int64s(vs, nil)}, Rows: len(vs)}
}

// testJob runs operators over a log and a table for their rows.
type testJob struct {
	t      *testing.T
	log    *fakeLog
	store  *state.Store
	table  *state.RowTable
	source SourceSpec
	ops    []OperatorSpec
	cfg    JobConfig
}

func newTestJob(t *testing.T, ops ...OperatorSpec) *testJob {
	j := &testJob{t: t, log: newFakeLog(1), store: openStore(t), ops: ops}
	j.table = state.NewRowTable(2000, intSchema.Types(), []int{0})
	j.source = SourceSpec{ID: "src", Name: "t", Schema: intSchema, Open: func(context.Context) (connectors.Source, error) { return j.log, nil }}
	j.cfg = JobConfig{Store: j.store, Meta: 2002, Tables: map[string]state.TableID{"view": 2003}}
	return j
}

func (j *testJob) job() *Job {
	leaf := &Fragment{Name: "source", Parallelism: 1, Source: &j.source}
	leaf.Operators = append(j.ops[:len(j.ops):len(j.ops)], OperatorSpec{ID: "view", Name: "view", Out: intSchema, New: NewMaterialize(j.table, nil)})
	return NewJob(&Graph{Fragments: []*Fragment{leaf}}, j.cfg)
}

func (j *testJob) rows() string {
	var out []string
	s := j.table.Scan(j.store, state.KeyRange{}, nil, false)
	defer s.Close()
	for b, err := s.Next(); b != nil || err != nil; b, err = s.Next() {
		if err != nil {
			j.t.Fatal(err)
		}
		out = append(out, renderBatch(intSchema, b)...)
	}
	return strings.Join(out, " ")
}

// recordsOf is how many records a running job has read.
func recordsOf(job *Job) (n int64) {
	for _, s := range job.Stats().Sources {
		n += s.Records
	}
	return n
}

// awaitRecords waits until a job has read so many records, and a moment longer: it might read more.
func awaitRecords(job *Job, n int64) {
	for recordsOf(job) < n {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
}

func (j *testJob) wantRows(want string) {
	j.t.Helper()
	if got := j.rows(); got != want {
		j.t.Fatalf("the view holds %s, want %s", got, want)
	}
}

func TestStopCommitsWhatWasRead(t *testing.T) {
	j := newTestJob(t)
	j.cfg.CheckpointInterval = time.Hour
	job := j.job()
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	j.log.append(0, ints(3, 1, 2))
	for job.Stats().Operators == nil || job.Stats().Operators[0].RowsIn < 3 {
		time.Sleep(time.Millisecond)
	}
	j.wantRows("")
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j.wantRows("1 2 3")
	if e, _ := ReadEpoch(j.store, 2002); e != 1 {
		t.Fatalf("epoch %d", e)
	}
}

func TestBoundedJobEnds(t *testing.T) {
	j := newTestJob(t)
	j.source.Bounded = true
	j.log.append(0, ints(1))
	j.log.append(0, ints(2))
	if err := j.job().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.wantRows("1 2")
}

// A job that is held makes no epoch, but stops when asked to, with a last one.
func TestHold(t *testing.T) {
	j := newTestJob(t)
	var held atomic.Bool
	release := make(chan struct{})
	j.cfg.Hold = func() <-chan struct{} {
		if held.Load() {
			return release
		}
		return nil
	}
	committed := make(chan uint64, 100)
	j.cfg.AfterCommit = func(e *Epoch) { committed <- e.Number }
	job := j.job()
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	first := <-committed // the splits' starts
	held.Store(true)
	j.log.append(0, ints(1))
	select {
	case e := <-committed:
		t.Fatalf("epoch %d of a job that is held", e)
	case <-time.After(3 * minEpoch):
	}
	held.Store(false)
	close(release)
	if e := <-committed; e != first+1 {
		t.Fatalf("epoch %d, want %d", e, first+1)
	}
	j.wantRows("1")
	release = make(chan struct{})
	held.Store(true)
	j.log.append(0, ints(2))
	for job.Stats().Operators[0].RowsIn < 2 {
		time.Sleep(time.Millisecond)
	}
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j.wantRows("1 2")
}

// A quiet job commits nothing, and one that is fed commits soon.
func TestAutomaticEpochs(t *testing.T) {
	j := newTestJob(t)
	var mu sync.Mutex
	var epochs []*Epoch
	j.cfg.AfterCommit = func(e *Epoch) {
		mu.Lock()
		epochs = append(epochs, e)
		mu.Unlock()
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(epochs)
	}
	job := j.job()
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	wait := func(n int) {
		for deadline := time.Now().Add(10 * time.Second); count() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d epochs, want %d", count(), n)
			}
		}
	}
	wait(1) // the splits' starts
	j.log.append(0, ints(1))
	wait(2)
	j.wantRows("1")
	time.Sleep(3 * minEpoch)
	if n := count(); n != 2 {
		t.Fatalf("%d epochs of a quiet job, want 2", n)
	}
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A row that an expression refuses and a record that can't be decoded come with their epoch, once,
// although the job crashes before the commit.
func TestDeadLettersComeWithTheirEpoch(t *testing.T) {
	div, err := expr.Operator("/", expr.Literal(int64(100), sql.TypeInt8), expr.Column(0, "v", sql.TypeInt8))
	if err != nil {
		t.Fatal(err)
	}
	j := newTestJob(t, OperatorSpec{Name: "project", Out: intSchema, New: NewProject([]expr.Expr{div}, intSchema)})
	j.log.append(0, ints(50, 0, 20))
	refused := errors.New("not now")
	var got []string
	j.cfg.BeforeCommit = func(e *Epoch) error {
		if refused != nil && len(e.Dead) > 0 {
			return refused
		}
		for _, d := range e.Dead {
			for _, l := range d.Letters {
				got = append(got, fmt.Sprintf("%s %s %s", l.Code, l.Reason, l.Payload))
			}
		}
		return nil
	}
	if err := j.job().Run(t.Context()); err != refused {
		t.Fatal(err)
	}
	refused = nil
	j.source.Bounded = true
	if err := j.job().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	j.wantRows("2 5")
	if want := []string{`22012 division by zero {"v":0}`}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("dead letters %v, want %v", got, want)
	}
}

type failing struct {
	union
	fail func() error
}

func (f failing) Batch(int, *stream.Batch, stream.Output) error { return f.fail() }

func TestErrorsAndPanicsEndTheRun(t *testing.T) {
	for _, fail := range []func() error{
		func() error { return sql.Errorf("22003", "boom") },
		func() error { panic("boom") },
		func() error { return fmt.Errorf("boom: %w", context.Canceled) }, // of a connector's own, not of the run
	} {
		j := newTestJob(t, OperatorSpec{Name: "failing", Out: intSchema, New: func(*Task) (stream.Operator, error) { return failing{fail: fail}, nil }})
		j.log.append(0, ints(1))
		err := j.job().Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "boom") {
			t.Fatalf("got %v", err)
		}
		j.wantRows("")
	}
}

// openWriter is a writer that knows whether it is open.
type openWriter struct{ open *int }

func (w openWriter) Write(context.Context, *stream.Batch) ([]connectors.DeadLetter, error) {
	return nil, nil
}
func (w openWriter) Flush(context.Context) ([]connectors.DeadLetter, error) { return nil, nil }
func (w openWriter) Close() error                                           { *w.open--; return nil }

// Each task of a sink opens a writer. When one can't, the others are closed.
func TestBuildClosesWhatItOpened(t *testing.T) {
	open, tries := 0, 0
	j := newTestJob(t, OperatorSpec{Name: "Write", Out: intSchema, New: NewWriter(func(context.Context) (connectors.Writer, error) {
		if tries++; tries == 2 {
			return nil, sql.Errorf(sql.CodeConnectionFailure, "away")
		}
		open++
		return openWriter{&open}, nil
	})})
	job := j.job()
	job.graph.Fragments[0].Parallelism = 2
	if err := job.Run(t.Context()); err == nil || tries != 2 || open != 0 {
		t.Fatalf("%v; %d tries, %d left open", err, tries, open)
	}
}

func TestCancelledRun(t *testing.T) {
	j := newTestJob(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := j.job().Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// A split that appears later is read, from its beginning, and so is one that the restart finds.
func TestNewSplits(t *testing.T) {
	j := newTestJob(t)
	j.log.append(0, ints(1))
	run := func(want int64, meanwhile func(*Job)) {
		job := j.job()
		done := make(chan error, 1)
		go func() { done <- job.Run(t.Context()) }()
		for recordsOf(job) == 0 {
			time.Sleep(time.Millisecond)
		}
		meanwhile(job)
		for recordsOf(job) < want {
			time.Sleep(time.Millisecond)
		}
		job.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	run(2, func(job *Job) {
		j.log.mu.Lock()
		j.log.splits = append(j.log.splits, nil)
		j.log.mu.Unlock()
		j.log.append(1, ints(2))
		if err := job.run.Load().sources[0].assign(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
	j.wantRows("1 2")
	j.log.splits = append(j.log.splits, nil)
	j.log.append(2, ints(3))
	run(1, func(*Job) {})
	j.wantRows("1 2 3")
}

// A slow consumer blocks its producers instead of piling rows up.
func TestBackPressure(t *testing.T) {
	log := newFakeLog(1)
	for range 10 * queueLength {
		log.append(0, ints(1))
	}
	gate := make(chan struct{})
	src := &SourceSpec{ID: "src", Name: "t", Schema: intSchema, Open: func(context.Context) (connectors.Source, error) { return log, nil }}
	leaf := &Fragment{Name: "source", Parallelism: 1, Source: src}
	slow := OperatorSpec{Name: "slow", Out: intSchema, New: func(*Task) (stream.Operator, error) {
		return failing{fail: func() error { <-gate; return nil }}, nil
	}}
	last := &Fragment{Name: "slow", Parallelism: 1, Operators: []OperatorSpec{slow}, Inputs: []Edge{{From: leaf, Kind: Gather, Types: intSchema.Types()}}}
	job := NewJob(&Graph{Fragments: []*Fragment{leaf, last}}, JobConfig{Store: openStore(t), Meta: 2002})
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	// One at work, a queue full, which may have a barrier among them, one in the sender's hand.
	awaitRecords(job, queueLength)
	if n := recordsOf(job); n > queueLength+2 {
		t.Errorf("%d rows were read", n)
	}
	close(gate)
	awaitRecords(job, 10*queueLength)
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// While a commit takes its time, an operator that keeps as much as it may stops the sources.
func TestFullEpochWaitsForItsBarrier(t *testing.T) {
	batches := 0
	j := newTestJob(t, OperatorSpec{Name: "greedy", Out: intSchema, New: func(task *Task) (stream.Operator, error) {
		return failing{fail: func() error {
			if batches++; batches%3 == 0 {
				task.CloseEpoch()
			}
			return nil
		}}, nil
	}})
	for i := range int64(60) {
		j.log.append(0, ints(i))
	}
	gate := make(chan struct{})
	j.cfg.CheckpointInterval = time.Hour
	j.cfg.BeforeCommit = func(*Epoch) error { <-gate; return nil }
	job := j.job()
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	awaitRecords(job, 6)
	if n := recordsOf(job); n != 6 { // of the epoch in the commit, and of the next
		t.Errorf("%d rows were read", n)
	}
	close(gate)
	awaitRecords(job, 60)
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// LIMIT ends a query before its sources end.
func TestLimitEndsQuery(t *testing.T) {
	log := newFakeLog(1)
	for i := range int64(1000) {
		log.append(0, ints(i))
	}
	src := &SourceSpec{ID: "src", Name: "t", Schema: intSchema, Open: func(context.Context) (connectors.Source, error) { return log, nil }}
	g := &Graph{Fragments: []*Fragment{{Name: "source", Parallelism: 1, Source: src,
		Operators: []OperatorSpec{{Name: "limit", Out: intSchema, New: NewLimit(3, 1, true)}}}}}
	var got []string
	err := RunQuery(t.Context(), g, QueryEnv{}, func(b *stream.Batch) error {
		got = append(got, renderBatch(intSchema, b)...)
		return nil
	})
	if err != nil || fmt.Sprint(got) != "[1 2 3]" {
		t.Fatal(got, err)
	}
}

package exec

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// slowWriter is a connector's writer whose target confirms when the test says so.
type slowWriter struct {
	mu      sync.Mutex
	written int
	confirm chan struct{}
	refuses []connectors.DeadLetter // from the first confirmation
}

func (w *slowWriter) Write(_ context.Context, b *stream.Batch) ([]connectors.DeadLetter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written += b.Rows
	return nil, nil
}

func (w *slowWriter) rows() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.written
}

func (w *slowWriter) Flush(context.Context) ([]connectors.DeadLetter, error) { panic("the task waits") }

func (w *slowWriter) Confirm() func(context.Context) ([]connectors.DeadLetter, error) {
	return func(ctx context.Context) ([]connectors.DeadLetter, error) {
		select {
		case <-w.confirm:
			dead := w.refuses
			w.refuses = nil
			return dead, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (w *slowWriter) Close() error { return nil }

// An epoch is committed only when the target has confirmed its rows; those of the next one are
// written meanwhile. What the target refuses is a dead letter of the epoch that brought it.
func TestWriterGoesOnWhileTheTargetConfirms(t *testing.T) {
	w := &slowWriter{confirm: make(chan struct{}), refuses: []connectors.DeadLetter{{Code: "22001", Reason: "too long"}}}
	j := newTestJob(t, OperatorSpec{ID: "w", Name: "w", Out: intSchema, New: NewWriter(func(context.Context) (connectors.Writer, error) { return w, nil })})
	j.cfg.CheckpointInterval = time.Millisecond
	var refused []uint64
	j.cfg.BeforeCommit = func(e *Epoch) error {
		for range e.Dead {
			refused = append(refused, e.Number)
		}
		return nil
	}
	job := j.job()
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	for n := range 5 {
		j.log.append(0, ints(int64(n)))
		for w.rows() <= n {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(2 * time.Millisecond) // the barrier of the first epoch passes
	}
	if e, _ := ReadEpoch(j.store, 2002); e != 0 {
		t.Fatalf("epoch %d is committed before the target has its rows", e)
	}
	close(w.confirm)
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j.wantRows("0 1 2 3 4")
	if len(refused) != 1 || refused[0] != 1 {
		t.Fatalf("rows refused in epochs %v, want one in the first", refused)
	}
}

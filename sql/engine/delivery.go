package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// Limits on what one delivery takes to the target at a time.
const (
	deliveryRows   = 200_000
	deliveryEpochs = 1_000
)

// delivery takes the committed epochs of a sink's log to its target, in order, each with its number
// in the target's own transaction: after any crash the target itself says where to go on.
//
// Invariants:
//   - Epochs are delivered in order, each once; the log is trimmed only behind what the target has
//     confirmed.
//   - The target being away makes the delivery wait, not fail: the log grows meanwhile.
type delivery struct {
	j        *job
	sink     connectors.Sink
	log      *state.Changelog
	letters  func([]connectors.DeadLetter) error
	meta     state.TableID // the job's own record
	needed   []int         // the log's columns that the target gets
	finished chan struct{} // closed when the job will write no more
	once     sync.Once

	mu        sync.Mutex
	delivered uint64
	at        time.Time
}

func newDelivery(j *job, b *jobBuild) *delivery {
	d := &delivery{j: j, meta: b.meta, sink: b.sink, log: b.log, letters: b.letters, finished: make(chan struct{})}
	for i := range b.visible {
		d.needed = append(d.needed, i)
	}
	return d
}

// finish lets run return once everything in the log is delivered.
func (d *delivery) finish() { d.once.Do(func() { close(d.finished) }) }

func (d *delivery) position() (epoch uint64, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.delivered, d.at
}

// run delivers until ctx ends, or, after finish, until all is delivered.
func (d *delivery) run(ctx context.Context) error {
	changed, unwatch := d.j.e.store.Watch(d.log.ID())
	defer unwatch()
	last, err := d.recover(ctx)
	if err != nil {
		return ignoreCancel(ctx, err)
	}
	for {
		next, err := d.deliver(ctx, last)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if last, err = d.retry(ctx, err); err != nil {
				return ignoreCancel(ctx, err)
			}
			continue
		}
		if next > last {
			last = next
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		case <-d.finished:
			if end, err := d.log.Last(d.j.e.store); err != nil || end <= last {
				return err
			}
		}
	}
}

func ignoreCancel(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// recover asks the target where it is, for as long as it takes to get an answer.
func (d *delivery) recover(ctx context.Context) (uint64, error) {
	last, err := d.sink.Delivered(ctx)
	if err != nil {
		if last, err = d.retry(ctx, err); err != nil {
			return 0, err
		}
	}
	trimmed, err := d.log.Trimmed(d.j.e.store)
	if err != nil {
		return 0, err
	}
	if last == 0 && trimmed > 0 {
		// The target forgets marks that are not renewed (Kafka drops a group's offsets after seven
		// days); the log remembers what was confirmed.
		d.j.e.log.Warn("the sink's target has no mark; going on behind what it confirmed before", "job", d.j.obj.Name, "epoch", trimmed)
		last = trimmed
	}
	if last < trimmed {
		return 0, &sql.Error{Code: sql.CodeObjectNotInState,
			Message: "the sink's target holds epochs up to " + itoa64(last) + ", but those up to " + itoa64(trimmed) + " were delivered before",
			Detail:  "The target seems to have been restored to an older state or replaced.",
			Hint:    "Drop the sink and create it anew, or restore the target."}
	}
	// Only committed epochs are delivered, so the target can be ahead only of a job that was set back.
	if epoch, err := exec.ReadEpoch(d.j.e.store, d.meta); err != nil {
		return 0, err
	} else if last > epoch {
		return 0, &sql.Error{Code: sql.CodeObjectNotInState,
			Message: "the sink's target holds epochs up to " + itoa64(last) + ", but the job has made only those up to " + itoa64(epoch),
			Detail:  "The data directory seems to have been restored to an older state: what was delivered since would be delivered again, cut differently.",
			Hint:    "Drop the sink and create it anew with a new target."}
	}
	d.note(last)
	return last, nil
}

// retry waits and asks again where the target is, until it answers. A final error comes back.
func (d *delivery) retry(ctx context.Context, cause error) (uint64, error) {
	backoff := firstBackoff
	for {
		if final(cause) {
			return 0, cause
		}
		d.j.set(func(st *jobStatus) { st.state, st.lastError, st.errorAt = jobWaiting, errorText(cause), time.Now() })
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-d.finished:
			return 0, cause // the server stops: the rest is delivered after the next start
		}
		last, err := d.sink.Delivered(ctx)
		if err == nil {
			d.j.set(func(st *jobStatus) { st.state = jobRunning })
			return last, nil
		}
		cause = err
		backoff = min(2*backoff, awayBackoff)
	}
}

// final tells whether trying again is of no use: another server has taken the transactional id
// over, or the target is not what it was.
func final(err error) bool {
	var e *sql.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sql.CodeFeatureNotSupported, sql.CodeObjectNotInState, sql.CodeInvalidParameter, sql.CodeUndefinedTable, sql.CodeUndefinedColumn, sql.CodeDatatypeMismatch:
		return true
	}
	return false
}

// deliver takes what is in the log after `last` to the target, up to the limits, and returns the
// last epoch delivered.
func (d *delivery) deliver(ctx context.Context, last uint64) (uint64, error) {
	batches, upto, err := d.gather(last)
	if err != nil || upto == last {
		return last, err
	}
	letters, err := d.sink.Deliver(ctx, upto, batches)
	if err != nil {
		return last, err
	}
	if len(letters) > 0 {
		if err := d.letters(letters); err != nil {
			return last, err
		}
	}
	d.note(upto)
	b := d.j.e.store.NewBatch()
	if err := d.log.Trim(d.j.e.store, b, upto); err != nil {
		return upto, err
	}
	return upto, b.CommitNoSync()
}

// gather reads whole epochs of the log.
func (d *delivery) gather(last uint64) (batches []*stream.Batch, upto uint64, err error) {
	snap := d.j.e.store.Snapshot()
	defer snap.Close()
	r, err := d.log.Read(snap, last+1, d.needed)
	if err != nil {
		return nil, last, err
	}
	defer r.Close()
	upto = last
	rows, epochs := 0, 0
	for {
		epoch, b, err := r.Next()
		if err != nil {
			return nil, last, err
		}
		if b == nil {
			return batches, upto, nil
		}
		if epoch != upto {
			if rows >= deliveryRows || epochs >= deliveryEpochs {
				return batches, upto, nil
			}
			upto = epoch
			epochs++
		}
		batches = append(batches, b)
		rows += b.Rows
	}
}

func (d *delivery) note(epoch uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered, d.at = epoch, time.Now()
}

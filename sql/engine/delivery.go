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

// maxUndelivered is how many bytes of epochs may wait for a target that takes them, but more slowly
// than the job makes them. Beyond it the job waits: the rows stay where they are, in its sources,
// instead of being written to disk, compacted and read back. So few bytes are delivered and trimmed
// while they are still in memory.
const maxUndelivered = 32 << 20

// delivery takes the committed epochs of a sink's log to its target, in order, each with its number
// in the target's own transaction: after any crash the target itself says where to go on.
//
// Invariants:
//   - Epochs are delivered in order, each once; the log is trimmed only behind what the target has
//     confirmed.
//   - A row that the target refused is a dead letter exactly when the target holds its epoch.
//   - The target being away makes the delivery wait, not fail: the log grows meanwhile. A target
//     that is there but slow holds the job back instead.
type delivery struct {
	j         *job
	sink      connectors.Sink
	log       *state.Changelog
	meta      state.TableID // the job's own record
	needed    []int         // the log's columns that the target gets
	finished  chan struct{} // closed when the job will write no more
	once      sync.Once
	unsettled bool // there may be rows in the record of refusals

	mu        sync.Mutex
	delivered uint64
	at        time.Time
	away      bool // the target does not answer, or refuses
	backlog   []committedEpoch
	undone    int           // bytes of the backlog
	caughtUp  chan struct{} // closed when the job need not wait any longer; nil = it does not wait
}

// committedEpoch is an epoch that is not delivered yet.
type committedEpoch struct {
	number uint64
	bytes  int
}

func newDelivery(j *job, b *jobBuild) *delivery {
	d := &delivery{j: j, meta: b.meta, sink: b.sink, log: b.log, finished: make(chan struct{}), unsettled: true}
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
	last, err := d.ask(ctx)
	if err != nil {
		last, err = d.retry(ctx, err)
	}
	return last, err
}

// ask learns which epoch the target holds, and settles what was in doubt. A target that is not where
// it must be ends the delivery: what it lacks is in no log any more.
func (d *delivery) ask(ctx context.Context) (uint64, error) {
	last, marked, err := d.sink.Delivered(ctx)
	if err != nil {
		return 0, err
	}
	trimmed, err := d.log.Trimmed(d.j.e.store)
	if err != nil {
		return 0, err
	}
	if !marked && trimmed > 0 {
		// Kafka drops a group's offsets after seven days; the log remembers what was confirmed.
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
	return last, d.settle(last)
}

// retry waits and asks again where the target is, until it answers. A final error comes back.
func (d *delivery) retry(ctx context.Context, cause error) (uint64, error) {
	d.setAway(true)
	defer d.setAway(false)
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
		last, err := d.ask(ctx)
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
	if err := d.sink.Deliver(ctx, upto, batches, d.refuse(upto)); err != nil {
		return last, err
	}
	return upto, d.settle(upto)
}

// refusals is the record of the rows that the target refuses of the epochs up to one that is being
// delivered.
type refusals struct {
	Epoch   uint64                  `json:"epoch"`
	Letters []connectors.DeadLetter `json:"letters"`
}

const recordRefusals = "refusals/" // + job id: refusals

// refuse notes, before the target commits, what it refuses. Whether these are dead letters is known
// once the target's epoch is: so each becomes one exactly once, whatever crashes in between.
func (d *delivery) refuse(upto uint64) connectors.Refused {
	return func(letters []connectors.DeadLetter) error {
		d.unsettled = true
		b := d.j.e.store.NewBatch()
		if err := d.j.e.meta.Put(b, recordRefusals+itoa(d.j.obj.ID), refusals{upto, letters}); err != nil {
			return err
		}
		return b.Commit()
	}
}

// settle notes that the target holds the epochs up to last: their rows leave the log, and what the
// target refused of them becomes dead letters. What it refused of a transaction that did not take
// effect is forgotten: it will be refused again.
func (d *delivery) settle(last uint64) error {
	d.note(last)
	b := d.j.e.store.NewBatch()
	if err := d.log.Trim(d.j.e.store, b, last); err != nil {
		return err
	}
	if d.unsettled {
		var r refusals
		ok, err := d.j.e.meta.Get(d.j.e.store, recordRefusals+itoa(d.j.obj.ID), &r)
		if err != nil {
			return err
		}
		if ok && r.Epoch <= last {
			if err := d.j.e.events.refused(b, d.j.obj, r.Letters); err != nil {
				return err
			}
		}
		d.j.e.meta.Delete(b, recordRefusals+itoa(d.j.obj.ID))
	}
	if err := b.CommitNoSync(); err != nil {
		return err
	}
	d.unsettled = false
	return nil
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

// note keeps how far the target is.
func (d *delivery) note(epoch uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered, d.at = epoch, time.Now()
	for len(d.backlog) > 0 && d.backlog[0].number <= epoch {
		d.undone -= d.backlog[0].bytes
		d.backlog = d.backlog[1:]
	}
	d.release()
}

// committed notes an epoch to be delivered.
func (d *delivery) committed(e *exec.Epoch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.Number > d.delivered {
		d.backlog = append(d.backlog, committedEpoch{e.Number, e.Bytes})
		d.undone += e.Bytes
	}
}

func (d *delivery) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
	d.release()
}

// hold is what the job waits for before it makes another epoch, nil for nothing.
func (d *delivery) hold() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away || d.undone <= maxUndelivered {
		return nil
	}
	if d.caughtUp == nil {
		d.caughtUp = make(chan struct{})
	}
	return d.caughtUp
}

// release lets a job go on that need not wait. The caller holds the lock.
func (d *delivery) release() {
	if d.caughtUp != nil && (d.away || d.undone <= maxUndelivered) {
		close(d.caughtUp)
		d.caughtUp = nil
	}
}

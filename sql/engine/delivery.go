package engine

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/state"
)

// Limits on what one delivery takes to the target at a time, but for the epoch by which they are
// reached. All of it is in memory, together with the form that the target gets.
const (
	deliveryRows   = 200_000
	deliveryBytes  = 64 << 20 // of wide rows: two hundred thousand ordinary ones are less
	deliveryEpochs = 1_000
)

// renewPeriod is how often a mark that the target might forget is written again when nothing else is
// delivered: Kafka forgets a group's offsets after seven days, unless it is told another time.
const renewPeriod = 6 * time.Hour

// delivery takes the committed epochs of a sink's log to its target, in order, each with its number
// in the target's own transaction: after any crash the target itself says where to go on.
//
// Invariants:
//   - Epochs are delivered in order, each once; the log is trimmed only behind what the target has
//     confirmed.
//   - Only epochs that are on disk are delivered. A commit can be read before it is synced, and a
//     target that holds an epoch which a crash takes back would be ahead of the job for ever.
//   - A row that the target refused is a dead letter exactly when the target holds its epoch.
//   - The target being away makes the delivery wait, not fail: the log grows meanwhile, up to
//     Config.SinkBacklog; then the job waits too. A target that is there but slow holds the job back
//     much earlier: see backlog.
//   - Where the target and the log don't fit together, nothing is delivered until somebody says so:
//     see reconcile.
type delivery struct {
	j         *job
	sink      connectors.Sink
	log       *state.Changelog
	events    *jobEvents
	needed    []int         // the log's columns that the target gets
	wake      chan struct{} // capacity 1: an epoch was committed
	finished  chan struct{} // closed when the job will write no more
	once      sync.Once
	accept    bool // go on whatever the target holds
	renew     time.Duration
	marked    time.Time // when the target was last told an epoch
	unsynced  bool      // what was confirmed last may not be on disk
	unsettled bool      // there may be rows in the record of refusals

	backlog backlog

	mu        sync.Mutex
	durable   uint64 // the job's last committed epoch
	delivered uint64
	at        time.Time // when the target said so; zero before it was first asked
}

func newDelivery(j *job, b *jobBuild, epoch uint64) (*delivery, error) {
	d := &delivery{j: j, sink: b.sink, log: b.log, events: j.e.events.ofDelivery(j.obj), unsettled: true, durable: epoch, renew: renewPeriod,
		wake: make(chan struct{}, 1), finished: make(chan struct{})}
	for i := range b.visible {
		d.needed = append(d.needed, i)
	}
	if before := j.currentDelivery(); before != nil { // what is shown until the target is asked again
		d.delivered, d.at = before.position()
	}
	if j.e.cfg.renewMarks > 0 {
		d.renew = j.e.cfg.renewMarks
	}
	d.backlog.near, d.backlog.far = maxUndelivered, j.e.cfg.sinkBacklog()
	return d, d.measure()
}

// measuredBytes is how much of a log is read to tell what its epochs take.
const measuredBytes = 64 << 20

// measure finds out what the log holds that may have to be delivered. Of a large one it takes what is on
// disk for it, which is compressed: reading gigabytes would keep the job from running.
func (d *delivery) measure() error {
	bytes, err := d.j.e.store.TableBytes(d.log.ID())
	if err != nil {
		return err
	}
	if bytes <= measuredBytes {
		return d.log.EachEpoch(d.j.e.store, d.backlog.add)
	}
	last, err := d.log.Last(d.j.e.store)
	d.backlog.add(last, bytes)
	return err
}

// committed tells of an epoch that is on disk.
func (d *delivery) committed(epoch uint64, bytes int64) {
	d.backlog.add(epoch, bytes) // first: once the epoch may be delivered, it may be done at once
	d.mu.Lock()
	d.durable = epoch
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// finish lets run return once everything in the log is delivered.
func (d *delivery) finish() { d.once.Do(func() { close(d.finished) }) }

// position is the last epoch that the target has confirmed, and when it did; never is the zero time.
func (d *delivery) position() (epoch uint64, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.delivered, d.at
}

// run delivers until ctx ends, or, after finish, until all is delivered.
func (d *delivery) run(ctx context.Context) error {
	last, err := d.resume(ctx, nil)
	for done := false; err == nil && !done && ctx.Err() == nil; {
		next, failed := d.deliver(ctx, last)
		if failed == nil && next == last {
			done, failed = d.idle(ctx, last)
		}
		if last = next; failed != nil && ctx.Err() == nil {
			last, err = d.resume(ctx, failed)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// idle waits for more to deliver; done is true when there will be none.
func (d *delivery) idle(ctx context.Context, last uint64) (done bool, err error) {
	select {
	case <-d.wake:
	case <-ctx.Done():
		return true, nil
	case <-time.After(time.Until(d.marked.Add(d.renew))):
		d.marked = time.Now()
		if m, ok := d.sink.(connectors.Marker); ok {
			return false, m.Mark(ctx, last)
		}
	case <-d.finished:
		end, err := d.log.Last(d.j.e.store)
		return end <= last, err
	case <-time.After(d.syncAfter()):
		d.unsynced = false
		return false, d.j.e.store.Sync()
	}
	return false, nil
}

// syncAfter is when to put on disk what the target has confirmed. While epochs follow each other their
// commits do that.
func (d *delivery) syncAfter() time.Duration {
	if d.unsynced {
		return time.Second
	}
	return math.MaxInt64
}

// resume asks the target where it is, for as long as it takes to get an answer. cause is what went
// wrong before, if anything did. An error that time can't mend comes back.
func (d *delivery) resume(ctx context.Context, cause error) (uint64, error) {
	defer d.backlog.setAway(false)
	backoff := firstBackoff
	for {
		if cause == nil {
			var last uint64
			if last, cause = d.reconcile(ctx); cause == nil {
				d.j.set(func(st *jobStatus) {
					if st.state == jobWaiting {
						st.state = jobRunning
						d.j.goesOn(st)
					}
				})
				return last, nil
			}
		}
		if final(cause) {
			return 0, cause
		}
		d.backlog.setAway(true)
		d.j.waits(cause)
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-d.finished:
			return 0, cause // the server stops: the rest is delivered after the next start
		}
		cause = nil
		backoff = min(2*backoff, awayBackoff)
	}
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
	return upto, d.settle(ctx, upto)
}

// gather reads whole epochs of the log. It needs no snapshot, which would wait for the commits of
// other jobs to be on disk: its own bound says what is, and nobody else trims the log.
func (d *delivery) gather(last uint64) (batches []*stream.Batch, upto uint64, err error) {
	d.mu.Lock()
	durable := d.durable
	d.mu.Unlock()
	r, err := d.log.Read(d.j.e.store, last+1, d.needed)
	if err != nil {
		return nil, last, err
	}
	defer r.Close()
	upto = last
	rows, bytes, epochs := 0, uint64(0), 0
	for {
		epoch, b, err := r.Next()
		if err != nil {
			return nil, last, err
		}
		if b == nil || epoch > durable {
			return batches, upto, nil
		}
		if epoch != upto {
			if rows >= deliveryRows || bytes >= deliveryBytes || epochs >= deliveryEpochs {
				return batches, upto, nil
			}
			upto = epoch
			epochs++
		}
		batches = append(batches, b)
		rows += b.Rows
		for _, c := range b.Columns {
			bytes += c.Data().SizeInBytes()
		}
	}
}

func (d *delivery) note(epoch uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered, d.at = epoch, time.Now()
	d.backlog.done(epoch)
}

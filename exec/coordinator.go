package exec

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
)

// coordinator cuts a job into epochs: it sends barriers to the sources, gathers what the tasks
// acknowledge, and commits it.
type coordinator struct {
	job   *Job
	run   *run
	env   *environment
	timer *epochTimer
	epoch uint64 // the last one begun
}

func (c *coordinator) loop(ctx context.Context) error {
	for {
		stop, err := c.due(ctx)
		if err != nil {
			return err
		}
		if err := c.close(ctx, stop); err != nil || stop {
			return err
		}
	}
}

// due waits until the epoch should be closed, and tells whether it is the last.
func (c *coordinator) due(ctx context.Context) (stop bool, err error) {
	idle := time.After(idleAfter)
	for {
		if c.ended() {
			return true, nil
		}
		var timer <-chan time.Time
		held := c.hold()
		if held == nil && c.env.dirty.Load() {
			d := c.timer.until(time.Now())
			if d <= 0 || c.env.closeSoon.Load() {
				return false, nil
			}
			timer = time.After(d)
		}
		select {
		case <-c.env.wake:
		case <-held:
		case <-timer:
		case <-idle:
			c.env.rest()
		case <-c.job.stop:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// idleAfter is how long after the last epoch a job gives back what it keeps for the next.
const idleAfter = 10 * time.Second

// hold returns what to wait for before the next epoch, nil for nothing. Meanwhile the tasks go on
// until their batches are full.
func (c *coordinator) hold() <-chan struct{} {
	if c.job.cfg.Hold == nil {
		return nil
	}
	return c.job.cfg.Hold()
}

// ended tells whether every source is bounded and read to its end. The barrier that is sent then
// follows the last row and the last watermark through every exchange.
func (c *coordinator) ended() bool {
	for _, g := range c.run.sources {
		for _, t := range g.tasks {
			if !t.ended.Load() {
				return false
			}
		}
	}
	return true
}

// close ends an epoch: barrier, acknowledgements, one commit.
func (c *coordinator) close(ctx context.Context, stop bool) error {
	// Before the barrier: what is processed after it belongs to, and makes due, the next epoch.
	c.env.dirty.Store(false)
	c.env.closeSoon.Store(false)
	c.epoch++
	e := &Epoch{Number: c.epoch, Started: time.Now()}
	var positions []positionRecord
	for _, g := range c.run.sources {
		for _, t := range g.tasks {
			select {
			case t.barriers <- stream.Barrier{Epoch: e.Number, Stop: stop}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	var confirm []confirmation
	for range c.run.tasks {
		select {
		case a := <-c.run.acks:
			positions = append(positions, a.positions...)
			e.Work = max(e.Work, a.work)
			e.Behind = e.Behind || a.behind
			if a.oldest > 0 && (e.Oldest.IsZero() || a.oldest < e.Oldest.UnixMilli()) {
				e.Oldest = time.UnixMilli(a.oldest)
			}
			e.Logged += a.logged
			confirm = append(confirm, a.confirm...)
			e.Dead, e.Late = append(e.Dead, a.dead...), append(e.Late, a.late...)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, f := range confirm {
		dead, err := f(ctx)
		if err != nil {
			return err
		}
		if len(dead) > 0 {
			e.Dead = append(e.Dead, DeadLetters{Letters: dead})
		}
	}
	e.Aligned = time.Since(e.Started)
	e.Batch = c.env.gathered(e.Number)
	for i := range positions {
		positions[i].put(c.job.cfg.Meta, e.Batch)
	}
	return c.commit(e)
}

// commit writes an epoch. The number goes in with the rest, so a crash leaves the whole epoch or
// none of it.
func (c *coordinator) commit(e *Epoch) error {
	cfg := &c.job.cfg
	putEpoch(cfg.Meta, e.Batch, e.Number)
	if cfg.BeforeCommit != nil {
		if err := cfg.BeforeCommit(e); err != nil {
			return err
		}
	}
	e.Bytes = e.Batch.Size()
	c.env.written.Store(int64(e.Bytes))
	start := time.Now()
	if err := e.Batch.Commit(); err != nil {
		return err
	}
	e.Commit = time.Since(start)
	c.env.reuse(e.Number)
	c.env.committed.Store(e.Number)
	c.env.commitTime.Add(int64(e.Commit))
	c.timer.closed(e.Started, e.Work+e.Commit+time.Duration(e.Bytes)*storeCost, e.Behind)
	if cfg.AfterCommit != nil {
		cfg.AfterCommit(e)
	}
	return nil
}

// epochTimer says when to close an epoch. Automatic: as soon as there is something to commit, but
// minEpoch after the last one was begun, and such that ending epochs takes only a share of the time:
// what operators emit and write at the barrier, the commit, and the store's work behind it.
//
// A job that is behind its sources wants throughput: a tenth of the time. For a slow disk, or a million
// changed groups, that makes epochs of up to maxEpoch, and the more changes of a group are one. A job
// that has read all there is has time to spare, and somebody waits for the rows: half of the time. In
// between it is found out: the share falls at once when the job gets behind, and grows slowly.
type epochTimer struct {
	interval time.Duration // 0 = automatic
	last     time.Time     // when the last epoch was closed
	cost     time.Duration // of an epoch's end, smoothed from 0 on
	times    float64       // an epoch is this many times as long as its end
}

const (
	// storeCost is what the store does behind a commit for each byte of it: a flush and its share of
	// the compactions, at a few hundred MB a second.
	storeCost = 5 * time.Nanosecond
	// Rows wait for half of it on average, and for all of it at worst.
	minEpoch = 50 * time.Millisecond
	maxEpoch = 5 * time.Second

	throughputTimes = 10
	latencyTimes    = 2
	timesStep       = 0.5 // less, for each epoch that kept up
)

func newEpochTimer(cfg *JobConfig) *epochTimer {
	return &epochTimer{interval: cfg.CheckpointInterval, last: time.Now(), times: throughputTimes}
}

func (t *epochTimer) until(now time.Time) time.Duration {
	d := t.interval
	if d == 0 {
		d = max(minEpoch, time.Duration(float64(t.cost)*t.times))
	}
	return t.last.Add(d).Sub(now)
}

// closed notes an epoch that was begun at a time and cost so much. A hiccup must not count for more
// than the longest epoch makes up for. Nor does the first epoch count in full: after a start it finds
// cold caches and a store that is busy with what it has replayed, and the rows that somebody has missed
// since the crash are in the second.
func (t *epochTimer) closed(at time.Time, cost time.Duration, behind bool) {
	if behind {
		t.times = throughputTimes
	} else {
		t.times = max(latencyTimes, t.times-timesStep)
	}
	cost = min(cost, maxEpoch/throughputTimes)
	t.last = at
	t.cost += (cost - t.cost) / 4
}

package exec

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// tick is how often a source task that waits looks at the clock.
const tick = 100 * time.Millisecond

// DefaultDiscovery is how often new splits are looked for.
const DefaultDiscovery = 10 * time.Second

// sourceGroup is what the tasks of one source share.
type sourceGroup struct {
	spec    *SourceSpec
	bounded bool
	source  connectors.Source
	tasks   []*sourceTask
	known   map[splitID]bool // owned by whoever looks for splits

	mu    sync.Mutex
	times []taskTime // where each task stands
}

func newSourceGroup(spec *SourceSpec, tasks int, bounded bool) *sourceGroup {
	g := &sourceGroup{spec: spec, bounded: bounded, known: map[splitID]bool{}, times: make([]taskTime, tasks)}
	for i := range g.times {
		g.times[i] = taskTime{watermark: int64(stream.MinWatermark)} // not quiet before it says so
	}
	return g
}

// splitID names a split within a source.
type splitID struct {
	topic     string
	partition int32
}

// split is a split as its task knows it.
type split struct {
	id    splitID
	next  connectors.Position
	time  splitTime
	quiet time.Time // since when it has brought nothing though it was read to the log's end
	done  bool      // it has an end, and has been read to it
	dirty bool      // moved since the last barrier
	begun int64     // where the reader was at the last barrier
}

// idle tells whether the split has brought nothing for the idle timeout. Rows that are there and
// not yet read, or a broker that is away, make no split idle.
func (s *split) idle(c *eventClock, now time.Time) bool {
	return s.done || c.idle >= 0 && now.Sub(s.quiet) >= c.idle
}

// sourceTask is a task that reads splits. Each split is at one task, always the same one.
type sourceTask struct {
	*runner
	group    *sourceGroup
	reader   connectors.Reader
	clock    *eventClock // nil: the source has no event time
	splits   map[splitID]*split
	barriers chan stream.Barrier // capacity 1
	added    chan []restoredSplit
	ended    atomic.Bool // bounded, and read to its end
	status   atomic.Pointer[[]SplitStats]
	totals   sourceTotals
	turned   time.Time // the clock at the last turn
	nextLook time.Time // when to look at the clock and the reader's status again
}

// sourceTotals counts what a source task has read.
type sourceTotals struct {
	Records, Bytes, Dead, Skewed, Untimed atomic.Int64
}

// SplitStats is a row of streamsql.sources.
type SplitStats struct {
	connectors.SplitStatus
	Watermark stream.Watermark // MinWatermark = none yet
}

// restoredSplit is a split to be read, with its record if it was read before.
type restoredSplit struct {
	connectors.Split
	record *positionRecord
}

// cursorSource is a source whose splits need more than an offset to go on from; it has one split.
type cursorSource interface {
	connectors.Source
	OpenAt(ctx context.Context, split connectors.Split, cursor []byte) (connectors.Reader, error)
}

// cursorReader is its reader.
type cursorReader interface {
	connectors.Reader
	// Cursor goes with the position of the last chunk.
	Cursor() []byte
	// Midway tells that the last chunk is no place to stop at: no barrier may follow it.
	Midway() bool
}

func newSourceTask(r *runner, g *sourceGroup) *sourceTask {
	t := &sourceTask{runner: r, group: g, splits: map[splitID]*split{}, barriers: make(chan stream.Barrier, 1), added: make(chan []restoredSplit, 1)}
	if g.spec.Watermark != nil {
		t.clock = newEventClock(g.spec.Watermark, r.task.Eval)
	}
	return t
}

// open opens the source and gives each task its splits; positions are the committed ones.
func (g *sourceGroup) open(ctx context.Context, positions map[splitID]positionRecord) error {
	source, err := g.spec.Open(ctx)
	if err != nil {
		return err
	}
	g.source = source
	return g.assign(ctx, positions)
}

// assign hands out the splits that are not assigned yet; the first time every task gets a list. A
// split that appears after the source was first read is read from its beginning: whatever start the
// options ask for, it was for the splits of then.
func (g *sourceGroup) assign(ctx context.Context, positions map[splitID]positionRecord) error {
	splits, err := g.source.Splits(ctx, g.bounded)
	if err != nil {
		return err
	}
	again := len(g.known) > 0
	later := again || len(positions) > 0
	fresh := make([][]restoredSplit, len(g.tasks))
	for _, s := range splits {
		id := splitID{s.Topic, s.Partition}
		if g.known[id] {
			continue
		}
		g.known[id] = true
		r := restoredSplit{Split: s}
		if p, ok := positions[id]; ok {
			r.Start, r.record = p.next, &p
		} else if later && !g.bounded {
			r.Start = connectors.Position{LeaderEpoch: -1}
		}
		to := taskOfSplit(id, len(g.tasks))
		fresh[to] = append(fresh[to], r)
	}
	for i, t := range g.tasks {
		if len(fresh[i]) == 0 && again {
			continue
		}
		select {
		case t.added <- fresh[i]:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// taskOfSplit spreads the partitions of a topic evenly, and does so alike in every run.
func taskOfSplit(id splitID, tasks int) int {
	return int((stream.HashString(id.topic)>>1 + uint64(uint32(id.partition))) % uint64(tasks))
}

// discover looks for new splits until ctx ends. A failure is the connector's to retry; here it only
// means to look again later.
func (g *sourceGroup) discover(ctx context.Context) {
	t := time.NewTicker(cmp.Or(g.spec.Discovery, DefaultDiscovery))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			_ = g.assign(ctx, nil)
		case <-ctx.Done():
			return
		}
	}
}

// run is the loop of a source task: barriers first, then what the reader has. Nothing is sent before
// the first splits are there, or the task would pass for an idle one.
func (t *sourceTask) run() (err error) {
	defer func() {
		if t.reader != nil {
			err = cmp.Or(err, t.reader.Close())
		}
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	select {
	case s := <-t.added:
		err = t.add(s)
	case <-t.ctx.Done():
		err = t.ctx.Err()
	}
	for stop := false; !stop && err == nil; {
		if err = t.ctx.Err(); err == nil { // a source that always has more waits nowhere
			stop, err = t.round(ticker.C)
		}
	}
	return err
}

// round does one thing, and waits if there is nothing to do.
func (t *sourceTask) round(tick <-chan time.Time) (stop bool, err error) {
	if !t.midway() {
		select {
		case b := <-t.barriers:
			return b.Stop, t.barrierHere(b)
		case s := <-t.added:
			return false, t.add(s)
		default:
		}
	}
	now := t.turn()
	more, full := false, t.full()
	if !full {
		if more, err = t.poll(now); err != nil {
			return false, err
		}
	}
	if !now.Before(t.nextLook) {
		if err := t.look(now); err != nil {
			return false, err
		}
	}
	if t.ended.Load() && t.task.Bounded {
		return true, t.finish()
	}
	if more {
		return false, nil
	}
	var ready <-chan struct{}
	if t.reader != nil && !t.ended.Load() && !full {
		ready = t.reader.Ready()
	}
	start := time.Now()
	t.stats.wait(start)
	select {
	case <-ready:
	case <-tick:
	case b := <-t.barriers:
		t.stats.waited(&t.stats.Idle, start)
		return b.Stop, t.barrierHere(b)
	case s := <-t.added:
		t.stats.waited(&t.stats.Idle, start)
		return false, t.add(s)
	case <-t.ctx.Done():
		return false, t.ctx.Err()
	}
	t.stats.waited(&t.stats.Idle, start)
	return false, nil
}

// full tells that an operator keeps as much as it may for the epoch: nothing more is read before the
// barrier that it asked for, or a slow commit would let the next epoch grow without bounds.
func (t *sourceTask) full() bool {
	return !t.task.Bounded && t.env.closeSoon.Load() && !t.midway()
}

// add starts reading splits.
func (t *sourceTask) add(fresh []restoredSplit) error {
	now := t.turn()
	var splits []connectors.Split
	for _, r := range fresh {
		s := &split{id: splitID{r.Topic, r.Partition}, next: r.Start, time: newSplitTime(), quiet: now, dirty: true, begun: r.Start.Offset}
		if r.record != nil {
			s.time, s.dirty = r.record.time, false
		}
		t.splits[s.id] = s
		splits = append(splits, r.Split)
	}
	if len(splits) > 0 {
		t.env.touched() // their start is to be recorded, even if nothing comes
	}
	if t.reader == nil && len(splits) > 0 {
		if err := t.open(splits, fresh[0].record); err != nil {
			return err
		}
	} else {
		for _, s := range splits {
			if err := t.reader.Add(s); err != nil {
				return err
			}
		}
	}
	t.checkEnd()
	return t.look(now)
}

func (t *sourceTask) open(splits []connectors.Split, record *positionRecord) (err error) {
	source, ok := t.group.source.(cursorSource)
	if !ok {
		t.reader, err = t.group.source.Open(t.ctx, splits)
		return err
	}
	var cursor []byte
	if record != nil {
		cursor = record.cursor
	}
	t.reader, err = source.OpenAt(t.ctx, splits[0], cursor)
	return err
}

// midway tells that the last chunk must not be followed by a barrier.
func (t *sourceTask) midway() bool {
	r, ok := t.reader.(cursorReader)
	return ok && r.Midway()
}

// poll takes at most one chunk from the reader.
func (t *sourceTask) poll(now time.Time) (more bool, err error) {
	if t.reader == nil || t.ended.Load() {
		return false, nil
	}
	c, err := t.reader.Poll()
	if err != nil || c == nil {
		return false, err
	}
	s := t.splits[splitID{c.Topic, c.Partition}]
	s.next, s.quiet, s.dirty = c.Next, now, true
	t.totals.Records.Add(c.Records)
	t.totals.Bytes.Add(c.Bytes)
	if c.Timestamp > 0 && (t.task.oldest == 0 || c.Timestamp < t.task.oldest) {
		t.task.oldest = c.Timestamp
	}
	t.env.touched()
	if len(c.Dead) > 0 {
		if err := t.dead(c.Dead); err != nil {
			return false, err
		}
	}
	if c.Batch != nil && c.Batch.Rows > 0 {
		t.startBatch()
		if err := t.move(t.joined(), false); err != nil { // the task is not idle
			return false, err
		}
		if err := t.links[0].push(0, c.Batch); err != nil {
			return false, err
		}
		// Only now: by what they tell of event time, the rows must not be late themselves.
		if t.clock != nil {
			t.clock.observe(&s.time, c.Batch, c.Timestamp, now)
			t.totals.Skewed.Store(t.clock.skewed)
			t.totals.Untimed.Store(t.clock.untimed)
		}
	}
	if c.Done {
		s.done = true
		t.checkEnd()
	}
	return true, t.advanceHere(now)
}

func (t *sourceTask) dead(letters []connectors.DeadLetter) error {
	t.totals.Dead.Add(int64(len(letters)))
	switch t.group.spec.OnError {
	case Fail:
		l := letters[0]
		return sql.Errorf(l.Code, "record at offset %d of partition %d of topic %q could not be decoded: %s", l.Offset, l.Partition, l.Topic, l.Reason).
			WithHint("Set on-error to 'dead-letter' or 'skip' to go on after such records.")
	case Skip:
		return nil
	}
	return t.task.Dead(t.group.spec.Name, letters...)
}

// checkEnd notes that every split of a bounded source has been read to its end.
func (t *sourceTask) checkEnd() {
	if !t.group.bounded {
		return
	}
	for _, s := range t.splits {
		if !s.done {
			return
		}
	}
	if !t.ended.Swap(true) {
		t.env.signal() // the coordinator may be waiting for the last end
	}
}

// look is what goes by time, not by data: idle splits, quiet sources, the reader's status.
func (t *sourceTask) look(now time.Time) error {
	t.nextLook = now.Add(tick)
	if t.reader == nil {
		t.report(now)
		return t.advanceHere(now)
	}
	status := t.reader.Status()
	stats := make([]SplitStats, len(status))
	for i, st := range status {
		s := t.splits[splitID{st.Topic, st.Partition}]
		if st.Error != "" || st.Position < st.End {
			s.quiet = now
		}
		stats[i] = SplitStats{SplitStatus: st, Watermark: stream.Watermark(s.time.watermark)}
	}
	t.status.Store(&stats)
	t.report(now)
	return t.advanceHere(now)
}

// advanceHere moves the task's event time to the least of its active splits', or by the wall clock.
func (t *sourceTask) advanceHere(now time.Time) error {
	if t.ended.Load() {
		return t.move(stream.MaxWatermark, false)
	}
	if t.clock == nil {
		return nil
	}
	least, active := int64(stream.MaxWatermark), false
	for _, s := range t.splits {
		if !s.idle(t.clock, now) {
			least, active = min(least, s.time.watermark), true
		}
	}
	if active {
		return t.move(stream.Watermark(least), false)
	}
	t.group.mu.Lock()
	times := slices.Clone(t.group.times)
	t.group.mu.Unlock()
	if w, ok := t.clock.live(times, now); ok {
		return t.move(stream.Watermark(w), false)
	}
	return t.move(t.watermark, true)
}

// barrierHere ends an epoch: what was read up to here is in it.
func (t *sourceTask) barrierHere(b stream.Barrier) error {
	var moved []positionRecord
	for _, s := range t.splits {
		if s.dirty {
			s.dirty = false
			p := positionRecord{source: t.group.spec.ID, id: s.id, next: s.next, time: s.time}
			if r, ok := t.reader.(cursorReader); ok {
				p.cursor = r.Cursor()
			}
			moved = append(moved, p)
		}
	}
	t.task.behind = t.behind()
	return t.barrier(b, moved)
}

// behind tells whether the logs have more to bring than the epoch took, as far as the reader knows. Both
// are counted in positions, which are records of a topic and epochs of a view.
func (t *sourceTask) behind() bool {
	if t.reader == nil {
		return false
	}
	var left, took int64
	for _, st := range t.reader.Status() {
		s := t.splits[splitID{st.Topic, st.Partition}]
		left += max(0, st.End-st.Position)
		took += st.Position - s.begun
		s.begun = st.Position
	}
	return left > took
}

// closeSource releases the connector.
func (g *sourceGroup) closeSource() error {
	if g.source == nil {
		return nil
	}
	return g.source.Close()
}

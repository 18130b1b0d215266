package exec

import (
	"cmp"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
)

// Event time of a source.
//
// Each split has a watermark of its own: the largest that its rows have given. Event time is the
// least of them over the active splits, and never goes back:
//
//   - A split that has brought nothing for the idle timeout, although it was read to the log's end,
//     is idle: it does not count. It counts again with its next row, and until it has caught up
//     event time stands still.
//   - If all splits of all tasks of the source are idle, event time goes on at the pace of the wall
//     clock, so that the last window of a live stream closes: from the furthest split's watermark, by
//     the time since the last row came, and never past now - delay. A row that comes then is no later,
//     by its event time, than its predecessors were.
//   - This holds for live streams only: those of which rows were, when they were made, at most liveLag
//     and the delay behind the wall clock. A record's own timestamp tells when that was, so rows that
//     come late because a broker, a producer or this server was away are live all the same, and a
//     stream that was live once stays so. The rows of a replay of old data that pauses go on where
//     they stopped, however long the pause: event time waits for them.
//   - A row that is further than MaxSkew ahead of the wall clock is counted and moves nothing: one
//     wrong clock must not make everybody else's rows late.

// liveLag is how far behind the wall clock, besides its delay, a stream may be and still be live.
const liveLag = time.Minute

// splitTime is the event time of one split. It is stored with the split's position: after a restart
// nothing may be late that was not, nor on time that was late.
type splitTime struct {
	watermark int64 // microseconds; math.MinInt64 = none yet
	live      bool  // rows of it were about as old as their event time says
	lastRow   int64 // wall clock at the last row, microseconds; 0 = none yet
}

func newSplitTime() splitTime { return splitTime{watermark: int64(stream.MinWatermark)} }

// eventClock computes watermarks of batches and of quiet splits for one source task.
type eventClock struct {
	spec    *WatermarkSpec
	delay   int64         // microseconds; 0 for a general expression, which has none that is known
	idle    time.Duration // below 0 = never
	skew    time.Duration // below 0 = no guard
	skewed  int64         // rows seen ahead of the guard
	untimed int64         // rows seen without an event time
	context *expr.Context
}

func newEventClock(spec *WatermarkSpec, c *expr.Context) *eventClock {
	clock := &eventClock{
		spec:    spec,
		idle:    cmp.Or(spec.IdleTimeout, DefaultIdleTimeout),
		skew:    cmp.Or(spec.MaxSkew, DefaultMaxSkew),
		context: c,
	}
	if spec.Expr == nil {
		clock.delay = spec.Delay.Microseconds()
	}
	return clock
}

// observe moves a split's event time on by a batch of its rows. made is the largest timestamp that
// their records have of their own, in milliseconds, 0 when they have none.
func (c *eventClock) observe(s *splitTime, b *stream.Batch, made int64, now time.Time) {
	at := now.UnixMicro()
	s.lastRow = at
	newest := func(event int64) {
		if since := at; !s.live {
			if made > 0 {
				since = min(at, made*1000)
			}
			s.live = since-event <= liveLag.Microseconds()+c.delay
		}
	}
	limit := int64(maxTime)
	if c.skew >= 0 {
		limit = at + c.skew.Microseconds()
	}
	events := b.Columns[c.spec.Column]
	c.untimed += int64(events.NullN())
	if c.spec.Expr == nil {
		if m, ok := c.largest(events, events, limit); ok {
			newest(m)
			s.watermark = max(s.watermark, m-c.delay)
		}
		return
	}
	marks := expr.Eval(c.context, c.spec.Expr, b)
	c.context.Take() // a row whose watermark can't be computed has none; it is not the row's error
	if m, ok := c.largest(marks, events, limit); ok {
		s.watermark = max(s.watermark, m)
	}
	skewed := c.skewed
	if m, ok := c.largest(events, events, limit); ok {
		newest(m)
	}
	c.skewed = skewed // counted once
}

// largest is the largest value of the rows whose event time is within the limit.
func (c *eventClock) largest(values, events arrow.Array, limit int64) (most int64, ok bool) {
	vs, es := stream.Values[int64](values), stream.Values[int64](events)
	valid := stream.And(len(vs), stream.Validity(values), stream.Validity(events))
	most = -maxTime
	if valid == nil { // the usual case: branch on the rare row only
		for i, e := range es {
			if e > limit {
				c.skewed++
			} else if vs[i] > most {
				most, ok = vs[i], true
			}
		}
		return most, ok
	}
	for i, e := range es {
		switch {
		case !valid.Get(i) || !hasWindow(e):
		case e > limit:
			c.skewed++
		case vs[i] > most:
			most, ok = vs[i], true
		}
	}
	return most, ok
}

// taskTime is where a source task stands in event time, for the other tasks of the source.
type taskTime struct {
	quiet     bool  // every split is idle, or there are none
	watermark int64 // the furthest split's; MinWatermark = none
	live      bool  // that split is
	lastRow   int64 // of all splits
}

// live is the watermark by the wall clock when all tasks of a source are quiet; ok is false if one is
// not, or if the stream was not live when it went quiet.
func (c *eventClock) live(tasks []taskTime, now time.Time) (w int64, ok bool) {
	best := taskTime{watermark: int64(stream.MinWatermark)}
	lastRow := int64(0)
	for _, t := range tasks {
		if !t.quiet {
			return 0, false
		}
		if t.watermark > best.watermark {
			best = t
		}
		lastRow = max(lastRow, t.lastRow)
	}
	if best.watermark == int64(stream.MinWatermark) || !best.live {
		return 0, false
	}
	at := now.UnixMicro()
	w = min(best.watermark+(at-lastRow), at-c.delay)
	return w, w > best.watermark
}

// turn reads the clock, once for all that is done until the next turn. A task that stood still, as its
// process was stopped or an operator was busy, can't tell that its splits brought nothing meanwhile: the
// reader has not asked yet. Were they idle, event time would pass over the rows that are about to come. A
// task that waits takes its turns a tick apart: that is no standstill, however short the idle timeout.
func (t *sourceTask) turn() time.Time {
	now := t.env.now()
	if t.clock != nil && now.Sub(t.turned) > max(t.clock.idle/2, 2*tick) {
		for _, s := range t.splits {
			s.quiet = now
		}
	}
	t.turned = now
	return now
}

// joined is the event time at which the task goes on. While it was idle, the source's other tasks went
// on without it: rows from before that are late everywhere, and the operators of this task should know.
func (t *sourceTask) joined() stream.Watermark {
	if !t.idle || t.task.Bounded {
		return t.watermark
	}
	least, active := stream.MaxWatermark, false
	t.group.mu.Lock()
	defer t.group.mu.Unlock()
	for i, other := range t.group.tasks {
		if other != t && !t.group.times[i].quiet {
			least, active = min(least, stream.Watermark(other.stats.Watermark.Load())), true
		}
	}
	if !active {
		return t.watermark
	}
	return max(t.watermark, least)
}

// report tells the other tasks of the source whether this one is quiet.
func (t *sourceTask) report(now time.Time) {
	if t.clock == nil {
		return
	}
	me := taskTime{quiet: true, watermark: int64(stream.MinWatermark)}
	for _, s := range t.splits {
		me.quiet = me.quiet && s.idle(t.clock, now)
		me.lastRow = max(me.lastRow, s.time.lastRow)
		if s.time.watermark > me.watermark {
			me.watermark, me.live = s.time.watermark, s.time.live
		}
	}
	t.group.mu.Lock()
	t.group.times[t.task.Index] = me
	t.group.mu.Unlock()
}

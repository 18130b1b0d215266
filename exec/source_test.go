package exec

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// clockTest drives the source tasks of one source by hand, with a clock of its own.
type clockTest struct {
	t     *testing.T
	log   *fakeLog
	now   time.Time
	group *sourceGroup
}

func newClockTest(t *testing.T, splits, tasks int, w WatermarkSpec, positions map[splitID]positionRecord) *clockTest {
	c := &clockTest{t: t, log: newFakeLog(splits), now: time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)}
	c.start(tasks, w, positions)
	return c
}

func (c *clockTest) start(tasks int, w WatermarkSpec, positions map[splitID]positionRecord) {
	env := &environment{job: &JobConfig{}, now: func() time.Time { return c.now }, wake: make(chan struct{}, 1)}
	spec := &SourceSpec{ID: "src", Name: "t", Schema: sql.Schema{{Name: "ts", Type: sql.TypeTimestamp}}, Watermark: &w,
		Open: func(context.Context) (connectors.Source, error) { return c.log, nil }}
	c.group = newSourceGroup(spec, tasks, false)
	for i := range tasks {
		task := &Task{Context: context.Background(), Index: i, Parallelism: tasks, Eval: &expr.Context{}, env: env}
		r := &runner{task: task, ctx: task.Context, env: env, stats: &TaskStats{}, watermark: stream.MinWatermark}
		r.links = []*link{{r: r, last: stream.MinWatermark}}
		c.group.tasks = append(c.group.tasks, newSourceTask(r, c.group))
	}
	if err := c.group.open(context.Background(), positions); err != nil {
		c.t.Fatal(err)
	}
	for _, t := range c.group.tasks {
		if err := t.add(<-t.added); err != nil {
			c.t.Fatal(err)
		}
	}
}

// at is an event time relative to 12:00, in seconds.
func (c *clockTest) at(seconds int) int64 {
	return time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second).UnixMicro()
}

// row appends a row to a split and has it read.
func (c *clockTest) row(split int, micros int64) {
	c.log.append(split, &stream.Batch{Rows: 1, Columns: []arrow.Array{stream.Timestamps([]int64{micros}, nil)}})
	for _, t := range c.group.tasks {
		for {
			more, err := t.poll(t.turn())
			if err != nil {
				c.t.Fatal(err)
			}
			if !more {
				break
			}
		}
	}
}

// pass lets time pass, at most a second at a time.
func (c *clockTest) pass(d time.Duration) {
	for step := min(d, time.Second); d > 0; d -= step {
		c.now = c.now.Add(step)
		for range 2 { // each task sees what the others report
			for _, t := range c.group.tasks {
				if err := t.look(t.turn()); err != nil {
					c.t.Fatal(err)
				}
			}
		}
	}
}

// expect compares the tasks' watermarks in seconds relative to 12:00; "-" is none, "(…)" is idle.
func (c *clockTest) expect(want ...string) {
	c.t.Helper()
	for i, t := range c.group.tasks {
		got := "-"
		if t.watermark > stream.MinWatermark {
			got = fmt.Sprint((int64(t.watermark) - c.at(0)) / 1e6)
		}
		if t.idle {
			got = "(" + got + ")"
		}
		if got != want[i] {
			c.t.Fatalf("task %d is at %s, want %s", i, got, want[i])
		}
	}
}

var fiveSeconds = WatermarkSpec{Delay: 5 * time.Second}

func TestWatermarkIsLeastOfSplits(t *testing.T) {
	c := newClockTest(t, 2, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.expect("-") // nothing is known of split 1
	c.row(1, c.at(-10))
	c.expect("-15")
	c.row(1, c.at(-20)) // disorder moves nothing
	c.expect("-15")
	c.row(1, c.at(3))
	c.expect("-5")
}

func TestIdleSplitDoesNotHoldBack(t *testing.T) {
	c := newClockTest(t, 2, 1, fiveSeconds, nil)
	c.row(0, c.at(-30))
	c.row(1, c.at(-40))
	for i := range 9 {
		c.pass(time.Second)
		c.row(0, c.at(-20+i))
	}
	c.expect("-45")
	c.pass(time.Second)
	c.row(0, c.at(-10))
	c.expect("-15")
	// Split 1 comes back behind: event time stands still until it has caught up.
	c.row(1, c.at(-35))
	c.expect("-15")
	c.row(0, c.at(0))
	c.expect("-15")
	c.row(1, c.at(-8))
	c.expect("-13")
}

func TestSplitBehindIsNotIdle(t *testing.T) {
	c := newClockTest(t, 2, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(-40))
	c.log.err = "broker is away"
	c.pass(time.Minute)
	c.expect("-45")
	c.log.err = ""
	c.pass(9 * time.Second)
	c.expect("-45")
	c.pass(time.Second)
	if c.group.tasks[0].watermark == stream.Watermark(c.at(-45)) {
		t.Fatal("the splits are idle now")
	}
}

// A server that was stopped for a while (SIGSTOP, a suspended machine) has not read what came meanwhile:
// no split is idle before it has been looked at for as long as one must be quiet.
func TestStandstillIsNotQuiet(t *testing.T) {
	c := newClockTest(t, 2, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(0))
	c.expect("-5")
	c.now = c.now.Add(70 * time.Second)
	c.pass(time.Second) // nothing is known of what came
	c.expect("-5")
	c.row(0, c.at(60))
	c.expect("-5")
	c.row(1, c.at(50))
	c.expect("45")
	c.pass(20 * time.Second) // and now they are quiet
	c.expect("75")
	c.now = c.now.Add(70 * time.Second)
	c.row(0, c.at(140)) // the other split has rows as well, which come next
	c.expect("75")
	c.row(1, c.at(141))
	c.expect("135")
}

// A short idle timeout, of a few ticks or less than one, runs out as well.
func TestShortIdleTimeout(t *testing.T) {
	for _, idle := range []time.Duration{tick / 2, tick, 2 * tick, 5 * tick} {
		c := newClockTest(t, 2, 1, WatermarkSpec{Delay: 5 * time.Second, IdleTimeout: idle}, nil)
		c.row(0, c.at(0))
		c.row(1, c.at(100))
		c.expect("-5")
		for range idle/tick + 2 {
			c.pass(tick)
			c.row(1, c.at(100))
		}
		c.expect("95")
	}
}

func TestQuietLiveStreamGoesOnWithTheClock(t *testing.T) {
	c := newClockTest(t, 2, 2, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(-2))
	c.expect("-5", "-7")
	c.pass(9 * time.Second)
	c.expect("-5", "-7")
	c.pass(time.Second) // 12:00:10: never past now - delay
	c.expect("5", "5")
	c.pass(20 * time.Second)
	c.expect("25", "25")
	c.row(0, c.at(28)) // a row that is as timely as those before is not late
	c.pass(time.Second)
	c.expect("25", "(25)") // task 1 no longer goes with the clock, since the source is not quiet
	c.row(0, c.at(33))
	c.expect("28", "(25)")
}

func TestLaggingStreamKeepsItsLag(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	c.row(0, c.at(-40))
	c.expect("-45")
	c.pass(30 * time.Second)
	c.expect("-15") // by as much as the wall clock went on, not to now - delay
}

func TestPausedReplayLosesNothing(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	c.row(0, c.at(-86400))
	c.pass(time.Hour)
	c.expect("(-86405)")
	c.row(0, c.at(-86399))
	c.expect("-86404")
}

// A broker that is away keeps rows back for longer than a replay is told by; their records say when
// they were made.
func TestQuietAfterAnOutageGoesOn(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	c.now = c.now.Add(10 * time.Minute) // the server comes up, or the broker does, with ten minutes to read
	c.log.made = c.at(1) / 1000
	c.row(0, c.at(0))
	c.expect("-5")
	c.pass(30 * time.Second)
	c.expect("25")
}

// The same where the records only tell when the broker got them.
func TestStreamStaysLiveThroughAnOutage(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.log.err = "broker is away"
	c.pass(5 * time.Minute)
	c.log.err = ""
	c.row(0, c.at(60))
	c.expect("55")
	c.pass(30 * time.Second)
	c.expect("85")
}

func TestRowsWithoutEventTimeAreCounted(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	one := stream.NewBitmap(3)
	one.Set(0)
	c.log.append(0, &stream.Batch{Rows: 3, Columns: []arrow.Array{stream.Timestamps([]int64{c.at(0), 0, 0}, one)}})
	c.row(0, c.at(1))
	c.expect("-4")
	if n := c.group.stats().Untimed; n != 2 {
		t.Fatalf("%d rows counted", n)
	}
}

func TestOneBusyTaskIsNoQuietSource(t *testing.T) {
	c := newClockTest(t, 2, 2, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(0))
	for i := range 30 {
		c.pass(time.Second)
		c.row(0, c.at(i))
	}
	c.expect("24", "(-5)")
}

func TestIdleTaskGoesOnWhereTheOthersAre(t *testing.T) {
	c := newClockTest(t, 2, 2, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(0))
	for i := range 30 {
		c.pass(time.Second)
		c.row(0, c.at(i))
	}
	c.row(1, c.at(3)) // it is late, and its own task can tell
	c.expect("24", "24")
	c.row(1, c.at(40))
	c.expect("24", "35")
}

func TestFutureGuard(t *testing.T) {
	c := newClockTest(t, 1, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(0, c.at(3601))
	c.expect("-5")
	if n := c.group.tasks[0].totals.Skewed.Load(); n != 1 {
		t.Fatalf("%d rows counted", n)
	}
	c.row(0, c.at(3600))
	c.expect("3595")

	c = newClockTest(t, 1, 1, WatermarkSpec{Delay: 5 * time.Second, MaxSkew: -1}, nil)
	c.row(0, c.at(1_000_000))
	c.expect("999995")
}

func TestWatermarkExpression(t *testing.T) {
	ts := expr.Column(0, "ts", sql.TypeTimestamp)
	c := newClockTest(t, 1, 1, WatermarkSpec{Expr: ts}, nil)
	c.row(0, c.at(7))
	c.expect("7")
}

func TestEventTimeSurvivesRestart(t *testing.T) {
	c := newClockTest(t, 2, 1, fiveSeconds, nil)
	c.row(0, c.at(0))
	c.row(1, c.at(1))
	positions := map[splitID]positionRecord{}
	for id, s := range c.group.tasks[0].splits {
		positions[id] = positionRecord{id: id, next: s.next, time: s.time}
	}
	c.now = c.now.Add(time.Hour)
	c.start(1, fiveSeconds, positions)
	c.expect("-5") // before any row
	c.pass(10 * time.Second)
	c.expect("3605") // it was live, and is read to its end
}

// A position that was committed stays where it is through encoding.
func TestPositionRecord(t *testing.T) {
	s := openStore(t)
	p := positionRecord{source: "a", id: splitID{"topic", 7}, next: connectors.Position{Offset: 5, LeaderEpoch: -1},
		time: splitTime{watermark: -9, live: true, lastRow: 8}, cursor: []byte{1, 0, 2}}
	b := s.NewBatch()
	p.put(2000, b)
	other := p
	other.source = "ab"
	other.put(2000, b)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := readPositions(s, 2000, "a")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(map[splitID]positionRecord{p.id: p}) {
		t.Fatalf("got %v, want %v", got, p)
	}
}

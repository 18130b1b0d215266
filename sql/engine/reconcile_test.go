package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// await waits until the target has exactly the rows.
func (m *memoryTarget) await(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, testWait, func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if got := slices.Sorted(slices.Values(m.rows)); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			return fmt.Errorf("the target holds %v, want %v", got, want)
		}
		return nil
	})
}

// newTargetNode is a node with a table t and a sink s of it, whose target is in memory.
func newTargetNode(t *testing.T, change func(*Config)) (*node, *memoryTarget) {
	target := &memoryTarget{identity: "first", unmarked: true}
	n := &node{t: t, dir: t.TempDir(), connectors: []connectors.Connector{target}, change: change}
	n.start()
	t.Cleanup(n.stop)
	n.exec("CREATE TABLE t (id TEXT PRIMARY KEY, pad TEXT)")
	n.exec("CREATE SINK s AS SELECT id, pad FROM t WITH (connector = 'memory')")
	return n, target
}

// says waits until streamsql.jobs shows something of the sink.
func (n *node) says(columns string, want ...string) {
	n.t.Helper()
	eventually(n.t, testWait, func() error {
		got := n.exec("SELECT " + columns + " FROM streamsql.jobs WHERE name = 's'")
		for i := range want {
			if len(got) != 1 || !strings.Contains(got[0][i], want[i]) {
				return fmt.Errorf("%s is %v, want %q", columns, got, want)
			}
		}
		return nil
	})
}

// A job whose target another server took is not run again by itself: it would take it back, and the
// two would go on so for ever.
func TestFencedJobStops(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	target.locked(func() { target.fail = sql.Errorf(sql.CodeObjectNotInState, "another server delivers") })
	n.exec("INSERT INTO t VALUES ('2', '')")
	n.says("state, last_error", "failed", "another server delivers")
	opened := 0
	target.locked(func() { opened = target.opened; target.fail = nil })
	time.Sleep(5 * firstBackoff)
	n.says("state", "failed")
	target.locked(func() {
		if target.opened != opened {
			t.Errorf("the target was opened %d times more", target.opened-opened)
		}
	})
	n.exec("ALTER JOB s RESUME")
	n.says("state", "running")
	target.await(t, "1", "2")
}

// The directory was restored to an older state: what the target holds was made by a job that went on.
func TestTargetAheadIsRefusedUntilAccepted(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	target.locked(func() { target.epoch = 1000 })
	n.crash()
	n.start()
	n.says("state, last_error", "failed", "holds epochs up to 1000, but the job has made only those up to")
	n.exec("INSERT INTO t VALUES ('2', '')")
	n.exec("ALTER JOB s ACCEPT TARGET")
	target.await(t, "1", "2")
	n.says("state", "running")
	n.crash() // and it stays so
	n.start()
	n.exec("INSERT INTO t VALUES ('3', '')")
	target.await(t, "1", "2", "3")
}

func TestTargetBehindIsRefusedUntilAccepted(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	n.stop()
	target.locked(func() { target.epoch, target.rows = 0, nil })
	n.start()
	n.says("state, last_error", "failed", "holds epochs up to 0, but those up to")
	n.exec("ALTER JOB s ACCEPT TARGET; INSERT INTO t VALUES ('3', '')")
	target.await(t, "3")
}

// A mark that the target has forgotten is no loss if all that was made is known to be there.
func TestTargetForgetsMark(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	n.stop()
	target.locked(func() { target.epoch, target.unmarked = 0, true })
	n.start()
	n.exec("INSERT INTO t VALUES ('2', '')")
	target.await(t, "1", "2")
	n.stop()
	target.locked(func() { target.epoch, target.unmarked, target.identity = 0, true, "second" })
	n.start()
	n.says("state, last_error", "failed", "is not the one that was delivered to before")
	n.exec("ALTER JOB s ACCEPT TARGET; INSERT INTO t VALUES ('3', '')")
	target.await(t, "1", "2", "3")
}

// A topic that is deleted and created again while we deliver keeps our mark, or gets one of the first
// delivery after that. What the old one held is missing in it all the same.
func TestTargetReplacedKeepsMark(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	target.locked(func() { target.identity, target.rows, target.faults = "second", nil, []string{"lost"} })
	n.exec("INSERT INTO t VALUES ('2', '')")
	n.says("state, last_error", "failed", "is not the one that was delivered to before")
	n.says("last_error", "ALTER JOB") // the way out is said where the error is read
	n.exec("ALTER JOB s ACCEPT TARGET")
	target.await(t, "2")
	n.crash() // and it stays so
	n.start()
	n.exec("INSERT INTO t VALUES ('3', '')")
	target.await(t, "2", "3")
}

// After a crash nobody but the target can tell what was delivered in the last moments.
func TestTargetForgetsMarkInACrash(t *testing.T) {
	n, target := newTargetNode(t, nil)
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	target.locked(func() { target.fail = sql.Errorf(sql.CodeConnectionFailure, "away") })
	n.exec("INSERT INTO t VALUES ('2', ''); FLUSH")
	n.crash()
	target.locked(func() { target.epoch, target.unmarked, target.fail = 0, true, nil })
	n.start()
	n.says("state, last_error", "failed", "has lost the mark of what it holds")
	target.await(t, "1")
	n.exec("ALTER JOB s ACCEPT TARGET")
	target.await(t, "1", "2")
}

func TestMarkIsRenewed(t *testing.T) {
	n, target := newTargetNode(t, func(c *Config) { c.renewMarks = 10 * time.Millisecond })
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	eventually(t, testWait, func() error {
		target.mu.Lock()
		defer target.mu.Unlock()
		if target.marks < 3 {
			return fmt.Errorf("%d marks", target.marks)
		}
		return nil
	})
	n.says("state", "running")
}

// A mark that can't be renewed is asked about as any delivery that failed, before it is written again: by
// then another server may have the target.
func TestMarkThatCanNotBeRenewed(t *testing.T) {
	n, target := newTargetNode(t, func(c *Config) { c.renewMarks = 10 * time.Millisecond })
	n.exec("INSERT INTO t VALUES ('1', '')")
	target.await(t, "1")
	target.locked(func() { target.fail = sql.Errorf(sql.CodeConnectionFailure, "away") })
	n.says("state, last_error", "waiting", "away")
	target.locked(func() { target.fail = sql.Errorf(sql.CodeObjectNotInState, "another server delivers") })
	n.says("state, last_error", "failed", "another server delivers")
}

// A commit can be read before it is on disk. What a target gets must not be taken back by a crash.
func TestOnlyDurableEpochsAreDelivered(t *testing.T) {
	n, target := newTargetNode(t, nil)
	target.locked(func() { target.fail = sql.Errorf(sql.CodeConnectionFailure, "away") })
	for i := range 3 {
		n.exec(fmt.Sprintf("INSERT INTO t VALUES ('%d', ''); FLUSH", i))
	}
	d := n.e.jobs.list()[0].currentDelivery()
	last, err := d.log.Last(n.e.store)
	if err != nil {
		t.Fatal(err)
	}
	behind := &delivery{j: d.j, log: d.log, needed: d.needed, durable: last - 1}
	batches, upto, err := behind.gather(0)
	if err != nil || upto >= last || len(batches) != 2 {
		t.Fatalf("%d batches up to %d of %d, %v", len(batches), upto, last, err)
	}
}

// A target that is away makes the log grow up to a bound, and then the job waits. Nothing is lost.
func TestBacklogIsBounded(t *testing.T) {
	const limit, row = 64 << 10, 8 << 10
	n, target := newTargetNode(t, func(c *Config) { c.SinkBacklog = limit })
	target.locked(func() { target.fail = sql.Errorf(sql.CodeConnectionFailure, "away") })
	var want []string
	for i := range 40 {
		n.exec(fmt.Sprintf("INSERT INTO t VALUES ('%d', '%s')", i, strings.Repeat("x", row)))
		want = append(want, fmt.Sprint(i))
		time.Sleep(5 * time.Millisecond)
	}
	n.says("state, bottleneck", "waiting", "sink target")
	d := n.e.jobs.list()[0].currentDelivery()
	var held int64
	eventually(t, testWait, func() error {
		if held = d.backlog.size(); held <= limit {
			return fmt.Errorf("only %d bytes wait", held)
		}
		return nil
	})
	// What one epoch brings may go beyond it: here the rows of the time that an epoch lasts.
	if held > limit+40*row {
		t.Errorf("%d bytes wait, the limit is %d", held, limit)
	}
	before := n.exec("SELECT epoch, undelivered_bytes FROM streamsql.jobs WHERE name = 's'")
	n.exec("INSERT INTO t VALUES ('1000', '')")
	time.Sleep(300 * time.Millisecond)
	if now := n.exec("SELECT epoch, undelivered_bytes FROM streamsql.jobs WHERE name = 's'"); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("the job went on from %v to %v", before, now)
	}
	target.locked(func() { target.fail = nil })
	target.await(t, append(want, "1000")...)
	n.says("state, bottleneck, undelivered_bytes", "running", "NULL", "0")
}

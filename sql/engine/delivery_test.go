package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// memoryTarget is a connector whose sinks write to memory, one transaction an epoch, and refuse the
// text "bad".
type memoryTarget struct {
	kafka.Connector // what a sink has no need of

	mu     sync.Mutex
	rows   []string
	epoch  uint64
	faults []string // of the next transactions: "lost" = not committed, "unknown" = committed, but the answer is lost
	fail   error    // of all that is asked of it
	slow   time.Duration

	identity string
	unmarked bool
	opened   int // times
	marks    int // written
	most     int // bytes in a transaction
}

func (m *memoryTarget) Name() string                             { return "memory" }
func (m *memoryTarget) Validate(connectors.Relation, bool) error { return nil }
func (m *memoryTarget) AppendOnly(connectors.Relation) bool      { return false }
func (m *memoryTarget) Close() error                             { return nil }
func (m *memoryTarget) fault(f ...string)                        { m.locked(func() { m.faults = f }) }
func (m *memoryTarget) holds() (s string)                        { m.locked(func() { s = strings.Join(m.rows, " ") }); return }
func (m *memoryTarget) locked(f func())                          { m.mu.Lock(); defer m.mu.Unlock(); f() }
func (m *memoryTarget) Sink(context.Context, connectors.Relation, connectors.Notice) (connectors.Sink, error) {
	m.locked(func() { m.opened++ })
	return m, nil
}

func (m *memoryTarget) Identity(context.Context) (s string, err error) {
	m.locked(func() { s = m.identity })
	return s, nil
}

func (m *memoryTarget) Mark(_ context.Context, epoch uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.epoch, m.unmarked = epoch, false
	m.marks++
	return nil
}

func (m *memoryTarget) Delivered(ctx context.Context) (epoch uint64, marked bool, err error) {
	var slow time.Duration
	m.locked(func() { slow = m.slow })
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
	m.locked(func() { epoch, marked, err = m.epoch, !m.unmarked, m.fail })
	return epoch, marked, err
}

func (m *memoryTarget) Deliver(_ context.Context, epoch uint64, batches []*stream.Batch, refused connectors.Refused) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	var rows []string
	var dead []connectors.DeadLetter
	bytes := 0
	defer func() { m.most = max(m.most, bytes) }()
	for _, b := range batches {
		for i := range b.Rows {
			v := b.Columns[0].(*array.String).Value(i)
			if bytes += len(v); v == "bad" {
				dead = append(dead, connectors.DeadLetter{Code: sql.CodeUniqueViolation, Reason: "refused"})
			} else {
				rows = append(rows, v)
			}
		}
	}
	if len(dead) > 0 {
		if err := refused(dead); err != nil {
			return err
		}
	}
	fault := ""
	if len(m.faults) > 0 {
		fault, m.faults = m.faults[0], m.faults[1:]
	}
	if fault != "lost" {
		m.rows, m.epoch, m.unmarked = append(m.rows, rows...), epoch, false
	}
	if fault != "" {
		return errors.New("connection lost")
	}
	return nil
}

// Rows that a target refuses become dead letters exactly once, whatever becomes of the transactions
// that leave them out; and a target that is set back stops the sink, also while it runs.
func TestDeliverySettles(t *testing.T) {
	m := &memoryTarget{}
	n := newNode(t, "", m)
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	expect := func(rows, letters string) {
		t.Helper()
		eventually(t, testWait, func() error {
			if got := m.holds(); got != rows {
				return errors.New("target holds " + got)
			}
			return n.differs("SELECT count(*) FROM streamsql.dead_letters WHERE code = '23505'", letters)
		})
	}
	n.exec("INSERT INTO src VALUES ('a'), ('bad')")
	expect("a", "1")
	m.fault("lost", "unknown")
	n.exec("INSERT INTO src VALUES ('b'), ('bad')")
	expect("a b", "2")
	m.fault("lost", "lost", "lost", "lost", "lost")
	n.exec("INSERT INTO src VALUES ('c'), ('bad')")
	eventually(t, testWait, func() error { return n.differs("SELECT state FROM streamsql.jobs", "waiting") })
	n.crash()
	n.start()
	expect("a b c", "3")

	m.locked(func() { m.epoch = 0 })
	m.fault("lost")
	n.exec("INSERT INTO src VALUES ('d')")
	eventually(t, testWait, func() error {
		return n.differs("SELECT last_error LIKE '%the sink''s target holds epochs up to 0, but those up to % were delivered before%' FROM streamsql.jobs", "t")
	})
	expect("a b c", "3")
}

// What a job has committed is shown from the start, and what its sink has delivered once the target was
// asked: neither goes back to 0 while a server starts or its target is away.
func TestEpochsShownDoNotGoBack(t *testing.T) {
	m := &memoryTarget{}
	n := newNode(t, "", m)
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	n.exec("CREATE MATERIALIZED VIEW vs AS SELECT v FROM src")
	n.exec("INSERT INTO src VALUES ('a')")
	n.exec("FLUSH")
	eventually(t, testWait, func() error {
		return n.differs("SELECT count(*) FROM streamsql.jobs WHERE epoch > 0 AND (kind <> 'sink' OR delivered_epoch > 0)", "2")
	})
	before := n.exec("SELECT name, epoch FROM streamsql.jobs ORDER BY name")
	n.exec("ALTER JOB vs PAUSE")
	m.locked(func() { m.fail = errors.New("away") })
	n.crash()
	n.start()
	for range 20 {
		for i, row := range n.exec("SELECT name, epoch, delivered_epoch FROM streamsql.jobs ORDER BY name") {
			was, _ := strconv.Atoi(before[i][1])
			if is, err := strconv.Atoi(row[1]); err != nil || is < was || row[2] != "NULL" {
				t.Fatalf("%v after a start, was %v", row, before[i])
			}
		}
	}
	m.locked(func() { m.fail = nil })
	eventually(t, testWait, func() error {
		return n.differs("SELECT delivered_epoch > 0 FROM streamsql.jobs WHERE kind = 'sink'", "t")
	})
}

// What is committed reaches the target although the source is away when the server starts.
func TestDeliveryWithoutTheSource(t *testing.T) {
	m := &memoryTarget{}
	broker := startBroker(t)
	kafkatest.CreateTopic(t, broker.Addr(), "in", 1)
	n := newNode(t, broker.Addr(), m)
	n.exec("CREATE TABLE src (v text) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '" + broker.Addr() + "', format = 'json')")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	eventually(t, testWait, func() error { return n.differs("SELECT state FROM streamsql.jobs", "running") })
	m.locked(func() { m.fail = errors.New("away") })
	kafkatest.Produce(t, broker.Addr(), "in", 0, `{"v": "a"}`, `{"v": "b"}`)
	eventually(t, testWait, func() error { return n.differs("SELECT sum(position) FROM streamsql.sources", "2") })
	eventually(t, testWait, func() error { return n.differs("SELECT undelivered_bytes > 0 FROM streamsql.jobs", "t") })
	n.crash()
	broker.Close()
	m.locked(func() { m.fail, m.slow = nil, 2500*time.Millisecond })
	n.start()
	eventually(t, testWait, func() error {
		if got := m.holds(); got != "a b" {
			return errors.New("the target holds " + got)
		}
		return nil
	})
}

// What waits for a target is counted alike before and after a restart, epoch by epoch.
func TestUndeliveredBytesAfterARestart(t *testing.T) {
	m := &memoryTarget{fail: errors.New("away")}
	n := newNode(t, "", m)
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	for range 3 {
		n.exec("INSERT INTO src SELECT repeat('x', 1000) || i FROM generate_series(1, 100) AS g(i)")
		n.exec("FLUSH")
	}
	waiting := func() string {
		d := n.e.jobs.list()[0].currentDelivery()
		if d == nil {
			return "nothing yet"
		}
		d.backlog.mu.Lock()
		defer d.backlog.mu.Unlock()
		return fmt.Sprint(d.backlog.bytes, d.backlog.epochs)
	}
	// An epoch is on disk, which is what FLUSH waits for, a moment before it is counted.
	eventually(t, testWait, func() error {
		return n.differs("SELECT undelivered_bytes > 300000 FROM streamsql.jobs", "t")
	})
	before := waiting()
	n.crash()
	n.start()
	eventually(t, testWait, func() error {
		if now := waiting(); now != before {
			return fmt.Errorf("%s wait, were %s", now, before)
		}
		return nil
	})
	m.locked(func() { m.fail = nil })
	eventually(t, testWait, func() error { return n.differs("SELECT undelivered_bytes FROM streamsql.jobs", "0") })
}

// A target that was away gets wide rows some tens of megabytes at a time, not two hundred thousand rows.
func TestDeliveryOfWideRows(t *testing.T) {
	m := &memoryTarget{}
	n := newNode(t, "", m)
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	m.locked(func() { m.fail = errors.New("away") })
	for range 10 {
		n.exec("INSERT INTO src SELECT repeat('x', 1000000) FROM generate_series(1, 10)")
	}
	n.exec("FLUSH")
	m.locked(func() { m.fail = nil })
	var most int
	eventually(t, 10*testWait, func() error { // it is a lot of bytes
		var rows int
		m.locked(func() { rows, most = len(m.rows), m.most })
		if rows != 100 {
			return errors.New("not all rows are there")
		}
		return nil
	})
	const epoch = 30 << 20 // what a job may close one at, and then some
	if most > deliveryBytes+epoch {
		t.Errorf("%d bytes were delivered at once", most)
	}
}

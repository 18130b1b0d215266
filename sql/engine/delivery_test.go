package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
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

	identity string
	unmarked bool
	opened   int // times
	marks    int // written
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
	m.locked(func() {
		m.epoch, m.unmarked = epoch, false
		m.marks++
	})
	return nil
}

func (m *memoryTarget) Delivered(context.Context) (epoch uint64, marked bool, err error) {
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
	for _, b := range batches {
		for i := range b.Rows {
			if v := b.Columns[0].(*array.String).Value(i); v == "bad" {
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

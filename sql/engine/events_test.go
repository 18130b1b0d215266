package engine

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql"
)

// eventTopics stand for the topics that events are sent to. Those of some relations are away.
type eventTopics struct {
	mu    sync.Mutex
	away  map[string]bool // by relation
	tries int             // of flushes that failed
	there map[string]int  // letters, by relation
}

func (e *eventTopics) producer(r connectors.Relation) (RecordProducer, error) {
	return &eventTopic{topics: e, relation: r.Name}, nil
}

func (e *eventTopics) locked(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// eventTopic is one producer, with what it was given and has not sent.
type eventTopic struct {
	topics   *eventTopics
	relation string
	queued   int
}

func (p *eventTopic) SendDeadLetter(context.Context, string, *connectors.DeadLetter) error {
	p.topics.locked(func() { p.queued++ })
	return nil
}

func (p *eventTopic) Send(context.Context, string, []byte, []byte, ...string) error { return nil }

func (p *eventTopic) Flush(context.Context) (err error) {
	p.topics.locked(func() {
		if p.queued > 0 && p.topics.away[p.relation] {
			p.topics.tries++
			err = sql.Errorf(sql.CodeConnectionFailure, "the topic of %s is away", p.relation)
			return
		}
		p.topics.there[p.relation] += p.queued
		p.queued = 0
	})
	return err
}

func (p *eventTopic) Close() error { return nil }

// A topic for dead letters that is away holds up the job that has some for it, and no other. Those of the
// epochs that failed meanwhile are counted once, with the epoch that is committed.
func TestDeadLettersOfATopicThatIsAway(t *testing.T) {
	topics := &eventTopics{away: map[string]bool{"a": true}, there: map[string]int{}}
	broker := startBroker(t)
	n := &node{t: t, dir: t.TempDir(), broker: broker.Addr(), connectors: []connectors.Connector{kafka.Connector{}},
		change: func(c *Config) { c.Producer = topics.producer }}
	n.start()
	t.Cleanup(n.stop)
	for _, name := range []string{"a", "b"} {
		kafkatest.CreateTopic(t, broker.Addr(), name, 1)
		n.exec(fmt.Sprintf("CREATE TABLE %s (v int) WITH (connector = 'kafka', topic = '%[1]s', properties.bootstrap.servers = '%s', format = 'json', dlq.topic = 'dead')", name, broker.Addr()))
		n.exec(fmt.Sprintf("CREATE MATERIALIZED VIEW of_%s AS SELECT count(*) AS n FROM %[1]s", name))
	}
	kafkatest.Produce(t, broker.Addr(), "a", 0, `{"v": 1}`, `garbage`)
	tried := func(times int) {
		t.Helper()
		topics.locked(func() { times += topics.tries })
		eventually(t, testWait, func() (err error) {
			topics.locked(func() {
				if topics.tries < times {
					err = fmt.Errorf("tried %d times", topics.tries)
				}
			})
			return err
		})
	}
	tried(1)
	kafkatest.Produce(t, broker.Addr(), "b", 0, `{"v": 1}`, `garbage`)
	eventually(t, testWait, func() error { return n.differs("SELECT n FROM of_b", "1") })
	tried(2)
	if err := n.differs("SELECT restarts || state FROM streamsql.jobs WHERE name = 'of_b'", "0running"); err != nil {
		t.Error(err)
	}
	topics.locked(func() { topics.away = nil })
	eventually(t, testWait, func() error { return n.differs("SELECT n FROM of_a", "1") })
	for _, name := range []string{"a", "b"} {
		eventually(t, testWait, func() error {
			got, err := n.metric("streamsql_dead_letters_total", "of_"+name)
			if err == nil && got != 1 {
				err = fmt.Errorf("%v dead letters counted of %s", got, name)
			}
			return err
		})
		topics.locked(func() {
			if topics.there[name] != 1 {
				t.Errorf("%d letters are in the topic of %s", topics.there[name], name)
			}
		})
	}
}

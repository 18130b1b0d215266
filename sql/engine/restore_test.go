package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// A backup is restored whose positions the topic no longer holds. A job says so, with what is missing,
// unless its table says where to go on; ALTER TABLE says it later.
func TestRestoreBehindTheLog(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	kafkatest.CreateTopic(t, broker.Addr(), "in", 1)
	n := newNode(t, broker.Addr())
	n.exec(strings.ReplaceAll(`CREATE TABLE strict (v INT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE TABLE lenient (v INT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json', on-offset-gone = 'earliest');
CREATE MATERIALIZED VIEW strict_sum AS SELECT count(*) AS n, sum(v) AS s FROM strict;
CREATE MATERIALIZED VIEW lenient_sum AS SELECT count(*) AS n, sum(v) AS s FROM lenient`, "$BROKER", broker.Addr()))
	produce := func(from, to int) {
		for v := from; v < to; v++ {
			kafkatest.Produce(t, broker.Addr(), "in", 0, fmt.Sprintf(`{"v": %d}`, v))
		}
	}
	produce(0, 5)
	n.checkpoint()
	backup := filepath.Join(t.TempDir(), "backup")
	n.exec("BACKUP TO '" + backup + "'")
	produce(5, 10)
	n.checkpoint()
	n.stop()
	var upTo kadm.Offsets
	upTo.AddOffset("in", 0, 8, -1)
	if _, err := kadm.NewClient(kafkatest.Client(t, broker.Addr())).DeleteRecords(t.Context(), upTo); err != nil {
		t.Fatal(err)
	}

	n.dir = backup
	n.start()
	eventually(t, testWait, func() error {
		return n.differs("SELECT last_error FROM streamsql.jobs WHERE name = 'strict_sum'",
			`offset 5 of in/0 is gone: the log now starts at 8: 3 offsets are missing (ALTER TABLE … SET ("on-offset-gone" = 'earliest') or 'latest' goes on without them)`)
	})
	const sums = "SELECT concat(n, ' ', s) FROM "
	eventually(t, testWait, func() error { return n.differs(sums+"lenient_sum", "7 27") })
	if err := n.differs(sums+"strict_sum", "5 10"); err != nil {
		t.Error(err)
	}

	n.exec(`ALTER TABLE strict SET ("on-offset-gone" = 'earliest'); ALTER JOB strict_sum RESUME`)
	eventually(t, 2*testWait, func() error { return n.differs(sums+"strict_sum", "7 27") })
	produce(10, 11)
	for _, view := range []string{"strict_sum", "lenient_sum"} {
		eventually(t, testWait, func() error { return n.differs(sums+view, "8 37") })
	}
	if got := n.exec("SHOW CREATE TABLE strict"); !strings.Contains(got[0][1], `'on-offset-gone' = 'earliest'`) {
		t.Errorf("the table is %v", got)
	}
}

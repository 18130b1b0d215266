package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// A reader never sees one branch of a UNION ahead of the other when both read the same relation: not
// of a topic, and not of a view, while records come, and the server crashes and starts again. What
// can't be decoded is there once.
func TestBranchesInStep(t *testing.T) {
	t.Parallel()
	broker := startBroker(t)
	const partitions = 3
	kafkatest.CreateTopic(t, broker.Addr(), "in", partitions)
	n := newNode(t, broker.Addr())
	n.exec(strings.ReplaceAll(`CREATE TABLE src (k INT NOT NULL, v INT) WITH (connector='kafka', topic='in', properties.bootstrap.servers='$BROKER', format='json');
		CREATE MATERIALIZED VIEW of_topic AS SELECT 'all' AS branch, count(*) AS n, sum(v) AS s FROM src UNION ALL SELECT 'some', count(*), sum(v) FROM src WHERE v >= 0;
		CREATE MATERIALIZED VIEW per_k AS SELECT k, count(*) AS n, sum(v) AS s FROM src GROUP BY k;
		CREATE MATERIALIZED VIEW of_view AS SELECT 'all' AS branch, sum(n) AS n, sum(s) AS s FROM per_k UNION ALL SELECT 'some', sum(n), sum(s) FROM per_k WHERE k < 1000`, "$BROKER", broker.Addr()))
	rng := rand.New(rand.NewPCG(seedtest.Seed(t), 11))
	cl := kafkatest.Client(t, broker.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	rows, dead, looks := 0, 0, 0
	for round := range 4 {
		if round > 0 {
			n.crash()
			n.start()
		}
		c := n.connect(nil)
		for until := time.Now().Add(time.Second); time.Now().Before(until); looks++ {
			var records []*kgo.Record
			for range rng.IntN(200) {
				value := fmt.Sprintf(`{"k":%d,"v":%d}`, rng.IntN(50), rng.IntN(100))
				if rows++; rng.IntN(100) == 0 {
					value, rows, dead = "no JSON", rows-1, dead+1
				}
				records = append(records, &kgo.Record{Topic: "in", Partition: rng.Int32N(partitions), Value: []byte(value)})
			}
			kafkatest.ProduceRecords(t, cl, records...)
			for _, view := range []string{"of_topic", "of_view"} {
				got, err := simpleQuery(c, "SELECT n, s FROM "+view)
				if err != nil {
					t.Fatal(err)
				}
				if len(got) > 0 && (len(got) != 2 || fmt.Sprint(got[0]) != fmt.Sprint(got[1])) {
					t.Fatalf("round %d: the branches of %s are not in step: %v", round, view, got)
				}
			}
		}
		if err := c.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	n.checkpoint()
	for _, view := range []string{"of_topic", "of_view"} {
		if err := n.differs("SELECT min(n) FROM "+view, fmt.Sprint(rows)); err != nil {
			t.Error(err)
		}
	}
	if err := n.differs("SELECT count(*) FROM streamsql.dead_letters WHERE job = 'of_topic'", fmt.Sprint(dead)); err != nil {
		t.Error(err)
	}
	t.Logf("%d rows, %d dead letters, %d looks", rows, dead, looks)
}

package main

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/seedtest"
)

const largeSchema = `
SET checkpoint_interval = '1s';
CREATE TABLE src (k BIGINT, v BIGINT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '%s', format = 'json', scan.startup.mode = 'earliest-offset');
CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS s FROM src GROUP BY k;
`

// TestKill9LargeEpochs kills the server while it gets through a topic of many keys, in epochs so large
// that they are ingested as tables: in the sorting of one, between its tables, as it joins the store, and
// while what it left is removed.
func TestKill9LargeEpochs(t *testing.T) {
	const partitions, keys, each = 3, 200_000, 3
	seed := seedtest.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	broker, err := devbroker.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	kafkatest.CreateTopic(t, broker.Addr(), "in", partitions)
	cl := kafkatest.Client(t, broker.Addr(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var sum, mix int64
	var batch []*kgo.Record
	for i := range keys * each {
		k, v := int64(i)*7919%keys, r.Int64N(1000)
		sum, mix = sum+v, mix+v*(k%97)
		batch = append(batch, &kgo.Record{Topic: "in", Partition: int32(i % partitions), Value: fmt.Appendf(nil, `{"k": %d, "v": %d}`, k, v)})
		if len(batch) == 10_000 || i == keys*each-1 {
			kafkatest.ProduceRecords(t, cl, batch...)
			batch = batch[:0]
		}
	}

	p := newProcess(t, t.TempDir(), "--memory-budget", "64MiB")
	p.start()
	p.exec(fmt.Sprintf(largeSchema, broker.Addr()))
	kills := 6
	if testing.Short() {
		kills = 3
	}
	for range kills {
		time.Sleep(time.Duration(200+r.IntN(1200)) * time.Millisecond)
		p.kill()
		p.start()
	}
	want := fmt.Sprintf("%d|%d|%d|%d", keys, keys*each, sum, mix)
	await(t, func() string { return p.expect("SELECT count(*), sum(n), sum(s), sum(s * (k % 97)) FROM sums", want) })
	// An epoch of so many keys is more than the megabyte that goes through the log with this budget.
	if diff := p.expect(fmt.Sprintf("SELECT max(epoch) <= %d FROM streamsql.jobs", keys*each/20_000), "t"); diff != "" {
		t.Errorf("the epochs are not large: %s", diff)
	}
}

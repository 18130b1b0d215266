//go:build integration

package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/multiset"
)

const kafkaStatements = `
CREATE TABLE orders (order_id STRING, customer_id STRING, amount DECIMAL(10,2), category STRING, event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND)
WITH ('connector'='kafka','topic'='orders.created','properties.bootstrap.servers'='$BROKER','format'='json','watermark.idle-timeout'='none','properties.group.id'='orders-readers');

CREATE MATERIALIZED VIEW revenue AS
SELECT window_start, window_end, category, COUNT(*) AS order_count, SUM(amount) AS total_revenue, AVG(amount) AS avg_order_value
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, category;

CREATE SINK revenue_topic AS
SELECT window_start, category, COUNT(*) AS order_count, SUM(amount) AS total_revenue
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, category
WITH (connector='kafka', topic='revenue', properties.bootstrap.servers='$BROKER', format='json');

CREATE TABLE processed (order_id STRING, amount DECIMAL(10,2), amount_usd DECIMAL(14,4), processed_at TIMESTAMPTZ)
WITH ('connector'='kafka','topic'='processed','properties.bootstrap.servers'='$BROKER','format'='json','topic.partitions'='2');

INSERT INTO processed SELECT order_id, amount, amount * 1.1 AS amount_usd, now() AS processed_at FROM orders WHERE category = 'books';
`

// Two servers run on copies of one directory. The one that was started last delivers; the other is
// fenced, says so and stays so. Every row is there once.
func TestTwoServersOneSink(t *testing.T) {
	t.Run("kfake", func(t *testing.T) {
		b := startBroker(t)
		twoServersOneSink(t, b.Addr())
	})
	t.Run("kafka", func(t *testing.T) { twoServersOneSink(t, kafkatest.Shared(t).Addr()) })
}

func twoServersOneSink(t *testing.T, broker string) {
	kafkatest.CreateTopic(t, broker, "two-in", 2)
	older := newNode(t, broker)
	older.exec(strings.ReplaceAll(`CREATE TABLE src (v TEXT) WITH (connector='kafka', topic='two-in', properties.bootstrap.servers='$BROKER', format='json');
		CREATE SINK s AS SELECT v FROM src WITH (connector='kafka', topic='two-out', properties.bootstrap.servers='$BROKER', format='json')`, "$BROKER", broker))
	kafkatest.Produce(t, broker, "two-in", 0, `{"v":"1"}`)
	older.checkpoint()
	older.stop()
	newer := &node{t: t, dir: filepath.Join(t.TempDir(), "copy"), broker: broker, connectors: older.connectors}
	if err := os.CopyFS(newer.dir, os.DirFS(older.dir)); err != nil {
		t.Fatal(err)
	}
	older.start()
	older.says("state", "running")
	eventually(t, testWait, func() error { return older.claimed() })
	newer.start()
	t.Cleanup(newer.stop)
	eventually(t, testWait, func() error { return newer.claimed() })
	kafkatest.Produce(t, broker, "two-in", 0, `{"v":"2"}`)
	kafkatest.Produce(t, broker, "two-in", 1, `{"v":"3"}`)
	older.says("state, last_error", "failed", "another server delivers job")
	newer.checkpoint()
	records, err := kafkatest.Committed(t.Context(), broker, "two-out")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		got = append(got, string(r.Value))
	}
	slices.Sort(got)
	if want := []string{`{"v":"1"}`, `{"v":"2"}`, `{"v":"3"}`}; !slices.Equal(got, want) {
		t.Errorf("the topic holds %v, want %v", got, want)
	}
	newer.says("state", "running")
	older.says("state", "failed")
}

// claimed waits until the node's only sink has learned from its target where it is.
func (n *node) claimed() error {
	for _, j := range n.e.jobs.list() {
		if d := j.currentDelivery(); d != nil {
			if _, at := d.position(); !at.IsZero() {
				return nil
			}
		}
	}
	return fmt.Errorf("no sink has claimed its target")
}

// TestMainJobOnKafka is the main job over a real Kafka that is killed and comes back, under a server
// that crashes: the view, the topic of closed windows and the INSERT job's topic hold every order once.
func TestMainJobOnKafka(t *testing.T) {
	broker := kafkatest.Start(t)
	kafkatest.CreateTopic(t, broker.Addr(), "orders.created", 4)
	n := newNode(t, broker.Addr())
	n.exec(strings.ReplaceAll(kafkaStatements, "$BROKER", broker.Addr()))

	o := orders{t: t, r: rand.New(rand.NewPCG(1, 2)), addr: broker.Addr()}
	o.send(20_000)
	n.crash()
	n.start()
	o.send(20_000)
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*testWait, func() error {
		if jobs := n.exec("SELECT name, state, last_error FROM streamsql.jobs WHERE state = 'waiting' AND last_error IS NOT NULL"); len(jobs) == 0 {
			return fmt.Errorf("no job says that it waits: %v", n.exec("SHOW JOBS"))
		}
		return nil
	})
	n.crash() // with the broker away
	n.start()
	if err := broker.Restart(); err != nil {
		t.Fatal(err)
	}
	o.send(20_000)
	time.Sleep(200 * time.Millisecond)
	n.crash()
	n.start()
	o.close()

	revenue, closed := o.windows()
	wait := 3 * testWait
	eventually(t, wait, func() error {
		return same("revenue", n.exec("SELECT window_start, category, order_count, total_revenue FROM revenue"), revenue)
	})
	eventually(t, wait, func() error { return o.topic("revenue", closed, nil) })
	eventually(t, wait, func() error {
		return o.topic("processed", o.books, func(v string) string { v, _, _ = strings.Cut(v, `,"processed_at"`); return v + "}" })
	})
	bare := n.exec("SELECT window_start, category, COUNT(*), SUM(amount) FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES)) GROUP BY window_start, window_end, category")
	if err := same("the bare query", bare, revenue); err != nil {
		t.Error(err)
	}
	if jobs := n.exec("SELECT name FROM streamsql.jobs WHERE state <> 'running'"); len(jobs) > 0 {
		t.Errorf("not running: %v", jobs)
	}
}

// orders makes orders and knows what has to come of them.
type orders struct {
	t     *testing.T
	r     *rand.Rand
	addr  string
	next  int
	sums  map[string][2]int64 // by window and category: orders, cents
	books []string
}

var orderEpoch = time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)

// send produces orders 20 ms of event time apart, by up to 4 s out of order.
func (o *orders) send(n int) {
	o.t.Helper()
	var records []*kgo.Record
	for range n {
		at := orderEpoch.Add(time.Duration(o.next)*20*time.Millisecond - time.Duration(o.r.IntN(4000))*time.Millisecond)
		records = append(records, o.order(at, pick(o.r, "books", "toys", "garden"), int32(o.r.IntN(4))))
	}
	o.produce(records)
}

// close sends what closes every window before, to each partition.
func (o *orders) close() {
	at := orderEpoch.Add(time.Duration(o.next)*20*time.Millisecond + time.Hour)
	var records []*kgo.Record
	for p := range int32(4) {
		records = append(records, o.order(at, "closing", p))
	}
	o.produce(records)
}

func (o *orders) order(at time.Time, category string, partition int32) *kgo.Record {
	cents := o.r.Int64N(20_000)
	amount := fmt.Sprintf("%d.%02d", cents/100, cents%100)
	value := fmt.Sprintf(`{"order_id":"o-%d","customer_id":"c-%d","amount":%s,"category":"%s","event_time":"%s"}`,
		o.next, o.next%1000, amount, category, at.Format("2006-01-02T15:04:05.000"))
	key := at.Truncate(5*time.Minute).Format(time.DateTime) + "|" + category
	if o.sums == nil {
		o.sums = map[string][2]int64{}
	}
	o.sums[key] = [2]int64{o.sums[key][0] + 1, o.sums[key][1] + cents}
	if category == "books" {
		usd := cents * 11 // thousandths
		o.books = append(o.books, fmt.Sprintf(`{"order_id":"o-%d","amount":%s,"amount_usd":%d.%03d0}`, o.next, amount, usd/1000, usd%1000))
	}
	o.next++
	return &kgo.Record{Topic: "orders.created", Partition: partition, Value: []byte(value)}
}

func (o *orders) produce(records []*kgo.Record) {
	o.t.Helper()
	cl := kafkatest.Client(o.t, o.addr, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	kafkatest.ProduceRecords(o.t, cl, records...)
	cl.Close()
}

// windows is what the view, and what the topic of closed windows has to hold.
func (o *orders) windows() (view, closed []string) {
	for key, s := range o.sums {
		revenue := fmt.Sprintf("%d.%02d", s[1]/100, s[1]%100)
		view = append(view, fmt.Sprintf("%s|%d|%s", key, s[0], revenue))
		if start, category, _ := strings.Cut(key, "|"); category != "closing" {
			closed = append(closed, fmt.Sprintf(`{"window_start":"%s","category":"%s","order_count":%d,"total_revenue":%s}`, start, category, s[0], revenue))
		}
	}
	return view, closed
}

// topic compares a topic's values, changed by f.
func (o *orders) topic(topic string, want []string, f func(string) string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	records, err := kafkatest.Committed(ctx, o.addr, topic)
	if err != nil {
		return err
	}
	var got [][]string
	for _, r := range records {
		v := string(r.Value)
		if f != nil {
			v = f(v)
		}
		got = append(got, []string{v})
	}
	return same("topic "+topic, got, want)
}

func same(what string, rows [][]string, want []string) error {
	if diff := multiset.Difference(lines(rows), want); diff != "" {
		return fmt.Errorf("%s: %s", what, diff)
	}
	return nil
}

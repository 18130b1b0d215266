package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/multiset"
	"github.com/streamsql/streamsql/sql/seedtest"
)

const (
	crashPartitions = 3
	crashDelay      = 5 * time.Second // the watermark's, and more than records are out of order
)

const crashSchema = `
SET checkpoint_interval = '%s';
CREATE TABLE src (id BIGINT, k STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json', watermark.idle-timeout = 'none', watermark.max-skew = 'none');
CREATE MATERIALIZED VIEW windows AS SELECT window_start, k, count(*) AS n, sum(v) AS s, max(id) AS m FROM TUMBLE(src, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k;
CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS s, count(DISTINCT v) AS d FROM src GROUP BY k;
CREATE MATERIALIZED VIEW shape AS SELECT n, count(*) AS windows, sum(s) AS s FROM windows GROUP BY n;
CREATE SINK closed AS SELECT window_start, k, count(*) AS n, sum(v) AS s FROM TUMBLE(src, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k
WITH (connector = 'kafka', topic = 'closed', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE SINK thirds AS SELECT id, v * 2 AS w FROM src WHERE v %% 3 = 0 WITH (connector = 'kafka', topic = 'thirds', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE SINK latest FROM totals WITH (connector = 'kafka', topic = 'latest', properties.bootstrap.servers = '$BROKER', format = 'json', type = 'upsert', primary_key = 'k');
`

// TestKill9 kills the server with SIGKILL at random moments, some of them while it starts, and
// starts it again, while records keep coming. In the end all views and topics hold what a
// computation over all records says: nothing is lost and nothing is there twice.
func TestKill9(t *testing.T) {
	seed := seedtest.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	kills := 25
	if testing.Short() {
		kills = 6
	}
	broker, err := devbroker.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	kafkatest.CreateTopic(t, broker.Addr(), "in", crashPartitions)

	p := newProcess(t, t.TempDir())
	p.start()
	interval := []string{"auto", "50ms", "400ms"}[r.IntN(3)]
	p.exec(strings.ReplaceAll(fmt.Sprintf(crashSchema, interval), "$BROKER", broker.Addr()))
	in := startInput(t, broker.Addr(), rand.New(rand.NewPCG(seed, 1)))
	for i := range kills {
		wait := time.Duration(r.IntN(900)) * time.Millisecond
		if i%4 == 3 { // on its way up
			wait = time.Duration(r.IntN(150)) * time.Millisecond
		}
		time.Sleep(wait)
		p.kill()
		p.start()
	}
	records := in.stop()
	t.Logf("%d kills with %d records, epochs of %s", kills, len(records), interval)
	want := compute(records)
	await(t, func() string { return p.differences(broker.Addr(), want) })
	time.Sleep(300 * time.Millisecond) // and it stays so
	if diff := p.differences(broker.Addr(), want); diff != "" {
		t.Error(diff)
	}
}

// crashRecord is one record of the input.
type crashRecord struct {
	ID int64     `json:"id"`
	K  string    `json:"k"`
	V  int64     `json:"v"`
	TS string    `json:"ts"`
	at time.Time // TS
}

const crashTime = "2006-01-02 15:04:05.000"

// crashInput produces until it is stopped.
type crashInput struct {
	t       testing.TB
	cl      *kgo.Client
	r       *rand.Rand
	records []crashRecord
	ending  chan struct{}
	done    sync.WaitGroup
}

func startInput(t testing.TB, addr string, r *rand.Rand) *crashInput {
	in := &crashInput{t: t, r: r, ending: make(chan struct{}), cl: kafkatest.Client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))}
	in.done.Add(1)
	go func() {
		defer in.done.Done()
		for {
			in.send(20 + r.IntN(60))
			select {
			case <-in.ending:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return in
}

// send produces some records: 20 ms of event time apart, out of order by less than the delay.
func (in *crashInput) send(n int) {
	batch := make([]*kgo.Record, 0, n)
	for range n {
		id := int64(len(in.records))
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(id)*20*time.Millisecond - time.Duration(in.r.Int64N(int64(crashDelay))))
		batch = append(batch, in.record(crashRecord{ID: id, K: "k" + fmt.Sprint(in.r.IntN(7)), V: int64(in.r.IntN(100)), at: at}, int32(in.r.IntN(crashPartitions))))
	}
	if err := in.cl.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
		in.t.Errorf("produce: %v", err)
	}
}

func (in *crashInput) record(c crashRecord, partition int32) *kgo.Record {
	c.at = c.at.Truncate(time.Millisecond)
	c.TS = c.at.Format(crashTime)
	in.records = append(in.records, c)
	v, err := json.Marshal(c)
	if err != nil {
		in.t.Error(err)
	}
	return &kgo.Record{Topic: "in", Partition: partition, Value: v}
}

// stop ends the input with a record in every partition that closes all windows before it.
func (in *crashInput) stop() []crashRecord {
	close(in.ending)
	in.done.Wait()
	last := in.records[len(in.records)-1].at.Add(time.Hour)
	var batch []*kgo.Record
	for p := range int32(crashPartitions) {
		batch = append(batch, in.record(crashRecord{ID: int64(len(in.records)), K: closingKey, V: 1, at: last}, p))
	}
	if err := in.cl.ProduceSync(context.Background(), batch...).FirstErr(); err != nil {
		in.t.Fatal(err)
	}
	return in.records
}

const closingKey = "closing"

// outcome is the lines that each query and each topic has to give.
type outcome map[string][]string

// compute is what the statements of crashSchema mean, by hand.
func compute(records []crashRecord) outcome {
	type sums struct {
		n, s, m int64
		seen    map[int64]bool
	}
	windows, totals := map[string]*sums{}, map[string]*sums{}
	add := func(m map[string]*sums, key string, c crashRecord) {
		a := m[key]
		if a == nil {
			a = &sums{seen: map[int64]bool{}}
			m[key] = a
		}
		a.n, a.s, a.m = a.n+1, a.s+c.V, max(a.m, c.ID)
		a.seen[c.V] = true
	}
	out := outcome{}
	for _, c := range records {
		add(windows, c.at.Truncate(10*time.Second).Format("2006-01-02 15:04:05")+"|"+c.K, c)
		add(totals, c.K, c)
		if c.V%3 == 0 {
			out["topic thirds"] = append(out["topic thirds"], fmt.Sprintf(`{"id":%d,"w":%d}`, c.ID, 2*c.V))
		}
	}
	counts := map[int64]*sums{}
	for key, a := range windows {
		out["SELECT window_start, k, n, s, m FROM windows"] = append(out["SELECT window_start, k, n, s, m FROM windows"], fmt.Sprintf("%s|%d|%d|%d", key, a.n, a.s, a.m))
		start, k, _ := strings.Cut(key, "|")
		if k != closingKey {
			out["topic closed"] = append(out["topic closed"], fmt.Sprintf(`{"window_start":"%s","k":"%s","n":%d,"s":%d}`, start, k, a.n, a.s))
		}
		if counts[a.n] == nil {
			counts[a.n] = &sums{}
		}
		counts[a.n].n++
		counts[a.n].s += a.s
	}
	for n, a := range counts {
		out["SELECT * FROM shape"] = append(out["SELECT * FROM shape"], fmt.Sprintf("%d|%d|%d", n, a.n, a.s))
	}
	for k, a := range totals {
		out["SELECT k, n, s, d FROM totals"] = append(out["SELECT k, n, s, d FROM totals"], fmt.Sprintf("%s|%d|%d|%d", k, a.n, a.s, len(a.seen)))
		out["latest latest"] = append(out["latest latest"], fmt.Sprintf(`{"k":"%s","n":%d,"s":%d,"d":%d}`, k, a.n, a.s, len(a.seen)))
	}
	out["SELECT count(*) FROM streamsql.dead_letters"] = []string{"0"}
	out["SELECT count(*) FROM streamsql.late_rows"] = []string{"0"}
	return out
}

// differences tells where the server and its topics are not what they have to be; empty = nowhere.
func (p *process) differences(broker string, want outcome) string {
	for what, lines := range want {
		var got []string
		var err error
		if kind, topic, _ := strings.Cut(what, " "); kind == "SELECT" {
			got, err = p.rows(what)
		} else {
			got, err = topicLines(broker, topic, kind == "latest")
		}
		if err != nil {
			return what + ": " + err.Error()
		}
		if diff := multiset.Difference(got, lines); diff != "" {
			return what + ": " + diff
		}
	}
	return ""
}

// topicLines is a topic's values; with latest, of each key the last.
func topicLines(broker, topic string, latest bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), processWait)
	defer cancel()
	records, err := kafkatest.Committed(ctx, broker, topic)
	if err != nil {
		return nil, err
	}
	var out []string
	last := map[string]string{}
	for _, r := range records {
		out = append(out, string(r.Value))
		last[string(r.Key)] = string(r.Value)
	}
	if latest {
		out = nil
		for _, v := range last {
			if v != "" {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// await waits for f to have nothing to complain about.
func await(t testing.TB, f func() string) {
	t.Helper()
	for deadline := time.Now().Add(6 * processWait); ; time.Sleep(100 * time.Millisecond) {
		complaint := f()
		if complaint == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(complaint)
		}
	}
}

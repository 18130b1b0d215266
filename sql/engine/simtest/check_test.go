package simtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/multiset"
)

const kafkaAddr = "localhost:9092"

const schema = `
SET checkpoint_interval = '$INTERVAL';
CREATE TABLE src (id BIGINT, k STRING, t STRING, v INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = 'localhost:9092', format = 'json', watermark.idle-timeout = 'none', watermark.max-skew = 'none');
CREATE MATERIALIZED VIEW windows AS SELECT window_start, k, count(*) AS n, sum(v) AS s, max(id) AS m FROM TUMBLE(src, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k;
CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS s, count(DISTINCT v) AS d FROM src GROUP BY k;
CREATE MATERIALIZED VIEW shape AS SELECT n, count(*) AS keys, sum(s) AS s FROM totals GROUP BY n;
CREATE MATERIALIZED VIEW ledger AS SELECT a, sum(v) AS s, count(*) AS n FROM (SELECT k AS a, v FROM src UNION ALL SELECT t AS a, -v FROM src) x GROUP BY a;
CREATE MATERIALIZED VIEW hops AS SELECT window_start, k, count(*) AS n, sum(v) AS s FROM HOP(src, ts, INTERVAL '5 seconds', INTERVAL '10 seconds') GROUP BY window_start, window_end, k;
CREATE SINK closed AS SELECT window_start, k, count(*) AS n, sum(v) AS s FROM TUMBLE(src, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, k
WITH ($SINK, topic = 'closed');
CREATE SINK thirds AS SELECT id, v * 2 AS w FROM src WHERE v % 3 = 0 WITH ($SINK, topic = 'thirds');
CREATE SINK atleast AS SELECT id FROM src WHERE v % 5 = 0 WITH ($SINK, topic = 'atleast', delivery = 'at-least-once');
CREATE SINK latest FROM totals WITH ($SINK, topic = 'latest', type = 'upsert', primary_key = 'k');
CREATE TABLE acct (id INT PRIMARY KEY, n INT);
INSERT INTO acct SELECT g, 1000 FROM generate_series(0, 5) g;
CREATE TABLE moves (seq INT PRIMARY KEY, a INT, b INT, x INT);
CREATE MATERIALIZED VIEW moved AS SELECT a, count(*) AS n, sum(x) AS s FROM moves GROUP BY a;
CREATE SINK accts FROM acct WITH ($SINK, topic = 'accts', type = 'upsert', primary_key = 'id');
`

const sinkOptions = "connector = 'kafka', properties.bootstrap.servers = 'localhost:9092', format = 'json'"

// readers of src write dead letters of their own, once each: ledger names it twice and reads it once.
var readers = []string{"windows", "totals", "ledger", "hops", "closed", "thirds", "atleast"}

// halves is 0 at every moment: a row is in two windows of hops, one of each kind.
const halves = "SELECT sum(CASE WHEN extract(second FROM window_start)::int % 10 = 0 THEN s ELSE -s END) FROM hops"

// balance is 0 at every moment: a row of src is in both branches of ledger.
const balance = "SELECT sum(s) FROM ledger"

// sums is a group of rows.
type sums struct {
	n, s, m int
	seen    map[int]bool
}

func (a *sums) add(v, id int) {
	a.n, a.s, a.m = a.n+1, a.s+v, max(a.m, id)
	if a.seen == nil {
		a.seen = map[int]bool{}
	}
	a.seen[v] = true
}

type groups map[string]*sums

func (g groups) at(key string) *sums {
	if g[key] == nil {
		g[key] = &sums{}
	}
	return g[key]
}

func windowOf(c *record) time.Time { return c.at.Truncate(10 * time.Second) }

func windowKey(c *record) string { return windowOf(c).Format(time.DateTime) + "|" + c.from }

// check compares everything with a naive computation over all that was produced.
func (w *world) check(ctx context.Context) error {
	s := w.running()
	if s == nil {
		return fmt.Errorf("no server is running")
	}
	for _, f := range []func(context.Context, *server) error{w.checkTotals, w.checkWindows, w.checkBank} {
		if err := f(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// results compares queries and topics with what they have to give.
func (w *world) results(ctx context.Context, s *server, want map[string]multiset.Rows) error {
	for what, l := range want {
		var rows []string
		var err error
		kind, topic, _ := strings.Cut(what, " ")
		switch kind {
		case "topic":
			rows, err = w.topic(ctx, topic, false)
		case "latest":
			rows, err = w.topic(ctx, topic, true)
		default:
			rows, err = s.query(ctx, what)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		if diff := l.Difference(rows); diff != "" {
			return fmt.Errorf("%s: %s", what, diff)
		}
	}
	return nil
}

func (w *world) checkTotals(ctx context.Context, s *server) error {
	totals, shape, ledger := groups{}, groups{}, groups{}
	thirds, garbage, atleast := multiset.Rows{}, multiset.Rows{}, map[string]bool{}
	for _, c := range w.in.records {
		if c.garbage {
			for _, job := range readers {
				garbage[job+"|"+string(c.value())]++
			}
			continue
		}
		totals.at(c.from).add(c.v, c.id)
		ledger.at(c.from).add(c.v, c.id)
		ledger.at(c.to).add(-c.v, c.id)
		if c.v%3 == 0 {
			thirds[fmt.Sprintf(`{"id":%d,"w":%d}`, c.id, 2*c.v)]++
		}
		if c.v%5 == 0 {
			atleast[fmt.Sprintf(`{"id":%d}`, c.id)] = true
		}
	}
	want := map[string]multiset.Rows{}
	put := func(what, line string) {
		if want[what] == nil {
			want[what] = multiset.Rows{}
		}
		want[what][line]++
	}
	for k, a := range totals {
		put("SELECT k, n, s, d FROM totals", fmt.Sprintf("%s|%d|%d|%d", k, a.n, a.s, len(a.seen)))
		put("latest latest", fmt.Sprintf(`{"k":%q,"n":%d,"s":%d,"d":%d}`, k, a.n, a.s, len(a.seen)))
		shape.at(fmt.Sprint(a.n)).add(a.s, 0)
	}
	for n, a := range shape {
		put("SELECT n, keys, s FROM shape", fmt.Sprintf("%s|%d|%d", n, a.n, a.s))
	}
	for k, a := range ledger {
		put("SELECT a, s, n FROM ledger", fmt.Sprintf("%s|%d|%d", k, a.s, a.n))
	}
	want["topic thirds"] = thirds
	want["SELECT job, convert_from(payload, 'UTF8') FROM streamsql.dead_letters"] = garbage
	if err := w.results(ctx, s, want); err != nil {
		return err
	}
	rows, err := w.topic(ctx, "atleast", false)
	if err != nil {
		return err
	}
	got := map[string]bool{}
	for _, r := range rows {
		got[r] = true
		if !atleast[r] {
			return fmt.Errorf("topic atleast has %s, which it must not", r)
		}
	}
	if len(got) != len(atleast) {
		return fmt.Errorf("topic atleast has %d rows, not %d", len(got), len(atleast))
	}
	return nil
}

// lateRow is the row of streamsql.late_rows: one row, or the number of those that were folded by slice
// and key before they were known to be late.
type lateRow struct {
	K        string
	V        int
	TS       string
	SliceEnd string `json:"slice_end"`
	Rows     int
}

const windowSize = 10 * time.Second

// lateRows are the rows that came too late for a job, by window and key; unknown are groups whose
// sum was not kept.
func (w *world) lateRows(ctx context.Context, s *server, job string) (late groups, unknown map[string]bool, err error) {
	rows, err := s.query(ctx, "SELECT row FROM streamsql.late_rows WHERE job = '"+job+"'")
	if err != nil {
		return nil, nil, err
	}
	late, unknown = groups{}, map[string]bool{}
	for _, r := range rows {
		var c lateRow
		if err := json.Unmarshal([]byte(r), &c); err != nil {
			return nil, nil, err
		}
		at, err := time.Parse(time.DateTime, c.TS+c.SliceEnd)
		if err != nil {
			return nil, nil, err
		}
		if c.Rows > 0 {
			key := at.Add(-windowSize).Format(time.DateTime) + "|" + c.K
			late.at(key).n += c.Rows
			unknown[key] = true
			continue
		}
		late.at(at.Truncate(windowSize).Format(time.DateTime)+"|"+c.K).add(c.V, 0)
	}
	if len(late) > 0 && !w.in.late {
		return nil, nil, fmt.Errorf("rows are late for %s that came in time: %s", job, rows)
	}
	return late, unknown, nil
}

// checkWindows: each row is in its window or a late row, never both, never neither.
func (w *world) checkWindows(ctx context.Context, s *server) error {
	end := w.watermark()
	for job, what := range map[string]string{"windows": "SELECT window_start, k, n, s FROM windows", "closed": "topic closed"} {
		late, unknown, err := w.lateRows(ctx, s, job)
		if err != nil {
			return err
		}
		all := groups{}
		for _, c := range w.in.records {
			if !c.garbage && (job == "windows" || !windowOf(c).Add(windowSize).After(end)) {
				all.at(windowKey(c)).add(c.v, c.id)
			}
		}
		want := multiset.Rows{}
		for key, a := range all {
			if l := late[key]; l != nil {
				a.n, a.s = a.n-l.n, a.s-l.s
			}
			sum := fmt.Sprint(a.s)
			if unknown[key] {
				sum = "any"
			}
			if a.n != 0 {
				want[fmt.Sprintf("%s|%d|%s", key, a.n, sum)]++
			}
		}
		rows, err := w.windowRows(ctx, s, what)
		if err != nil {
			return err
		}
		for i, r := range rows {
			parts := strings.Split(r, "|")
			if key := parts[0] + "|" + parts[1]; unknown[key] {
				rows[i] = key + "|" + parts[2] + "|any"
			}
		}
		if diff := want.Difference(rows); diff != "" {
			return fmt.Errorf("%s: %s", what, diff)
		}
	}
	return nil
}

// windowRows are the rows of a view of windows, or of a topic of them, as start|k|n|s.
func (w *world) windowRows(ctx context.Context, s *server, what string) ([]string, error) {
	topic, ok := strings.CutPrefix(what, "topic ")
	if !ok {
		return s.query(ctx, what)
	}
	rows, err := w.topic(ctx, topic, false)
	for i, r := range rows {
		var c struct {
			Start string `json:"window_start"`
			K     string
			N, S  int
		}
		if err := json.Unmarshal([]byte(r), &c); err != nil {
			return nil, err
		}
		rows[i] = fmt.Sprintf("%s|%s|%d|%d", c.Start, c.K, c.N, c.S)
	}
	return rows, err
}

// watermark is how far event time has come in every partition.
func (w *world) watermark() time.Time {
	newest := make([]time.Time, w.in.partitions)
	for _, c := range w.in.records {
		if at := &newest[c.partition]; !c.garbage && c.at.After(*at) {
			*at = c.at
		}
	}
	end := newest[0]
	for _, at := range newest {
		if at.Before(end) {
			end = at
		}
	}
	if end = end.Add(-watermarkDelay); end.After(w.end) {
		w.end = end // it never goes back, for a new partition that has nothing yet
	}
	return w.end
}

// checkBank: what was confirmed is there, and each transfer as a whole or not at all.
func (w *world) checkBank(ctx context.Context, s *server) error {
	rows, err := s.query(ctx, "SELECT seq FROM moves")
	if err != nil {
		return err
	}
	w.bank.mu.Lock()
	defer w.bank.mu.Unlock()
	balance := make([]int, bankAccounts)
	for i := range balance {
		balance[i] = 1000
	}
	moved, there := groups{}, map[int]bool{}
	for _, r := range rows {
		var seq int
		if _, err := fmt.Sscan(r, &seq); err != nil {
			return err
		}
		t, ok := w.bank.tried[seq]
		if !ok {
			return fmt.Errorf("moves has %d, which nobody made", seq)
		}
		there[seq] = true
		balance[t.from] -= t.amount
		balance[t.to] += t.amount
		moved.at(fmt.Sprint(t.from)).add(t.amount, 0)
	}
	for seq := range w.bank.answered {
		if !there[seq] {
			return fmt.Errorf("transfer %d was confirmed and is lost", seq)
		}
	}
	want := map[string]multiset.Rows{"SELECT id, n FROM acct": {}, "SELECT a, n, s FROM moved": {}, "latest accts": {}}
	for id, n := range balance {
		want["SELECT id, n FROM acct"][fmt.Sprintf("%d|%d", id, n)]++
		want["latest accts"][fmt.Sprintf(`{"id":%d,"n":%d}`, id, n)]++
	}
	for a, m := range moved {
		want["SELECT a, n, s FROM moved"][fmt.Sprintf("%s|%d|%d", a, m.n, m.s)]++
	}
	return w.results(ctx, s, want)
}

// topic reads what a read_committed reader sees; with latest, of each key the last value.
func (w *world) topic(ctx context.Context, topic string, latest bool) ([]string, error) {
	records, err := kafkatest.Committed(ctx, kafkaAddr, topic, kgo.Dialer(w.net.DialContext), kgo.FetchMaxWait(10*time.Millisecond))
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
			out = append(out, v)
		}
	}
	return out, nil
}

//go:build integration

package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql/multiset"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// differential is one run of the same data through the engine and through PostgreSQL.
type differential struct {
	t     *testing.T
	r     *rand.Rand
	n     *node
	pg    *pgconn.PgConn
	views []diffView
}

// diffView is a materialized view here and a plain one in PostgreSQL. Without pg both have the same query.
type diffView struct{ name, query, pg string }

func newDifferential(t *testing.T, views []diffView) *differential {
	seed := seedtest.Seed(t)
	broker := startBroker(t)
	conn := pgtest.Shared(t).Conn(t)
	d := &differential{t: t, r: rand.New(rand.NewPCG(seed, 0)), n: newNode(t, broker.Addr()), pg: conn.PgConn(), views: views}
	schema := fmt.Sprintf("d%d", time.Now().UnixNano())
	d.postgres("CREATE SCHEMA " + schema + "; SET search_path = " + schema)
	return d
}

func (d *differential) postgres(sql string) [][]string {
	d.t.Helper()
	rows, err := simpleQuery(d.pg, sql)
	if err != nil {
		d.t.Fatalf("PostgreSQL: %s: %v", sql, err)
	}
	return rows
}

func (d *differential) createViews() {
	d.t.Helper()
	for _, v := range d.views {
		pg := v.pg
		if pg == "" {
			pg = v.query
		}
		d.n.exec("CREATE MATERIALIZED VIEW " + v.name + " AS " + v.query)
		d.postgres("CREATE VIEW " + v.name + " AS " + pg)
	}
}

// compare holds each view, and its query asked anew, against PostgreSQL's. A view may take a moment.
func (d *differential) compare(when string) {
	d.t.Helper()
	for _, v := range d.views {
		want := lines(d.postgres("SELECT * FROM " + v.name))
		for _, q := range []string{"SELECT * FROM " + v.name, v.query} {
			eventually(d.t, testWait, func() error {
				got := lines(d.n.exec(q))
				if diff := multiset.Difference(got, want); diff != "" {
					return fmt.Errorf("%s: %s: %s", when, q, diff)
				}
				return nil
			})
		}
	}
}

func lines(rows [][]string) []string {
	var out []string
	for _, r := range rows {
		out = append(out, strings.Join(r, "|"))
	}
	slices.Sort(out)
	return out
}

const diffHop = `SELECT ws AS window_start, ws + INTERVAL '10 seconds' AS window_end, category, id, amount
  FROM o, generate_series(date_bin('2 seconds', ts, 'epoch') - INTERVAL '8 seconds', date_bin('2 seconds', ts, 'epoch'), INTERVAL '2 seconds') AS ws`

// streamViews are over the Kafka table o.
var streamViews = []diffView{
	{"tumbled", "SELECT window_start, window_end, category, count(*) AS n, count(amount) AS na, sum(amount) AS s, avg(amount) AS a, min(qty) AS lo, max(qty) AS hi, max(id) AS last FROM TUMBLE(o, ts, INTERVAL '10 seconds') GROUP BY window_start, window_end, category",
		"SELECT date_bin('10 seconds', ts, 'epoch') AS window_start, date_bin('10 seconds', ts, 'epoch') + INTERVAL '10 seconds' AS window_end, category, count(*) AS n, count(amount) AS na, sum(amount) AS s, avg(amount) AS a, min(qty) AS lo, max(qty) AS hi, max(id) AS last FROM o WHERE ts IS NOT NULL GROUP BY 1, 2, 3"},
	{"hopped", "SELECT window_start, window_end, category, count(*) AS n, sum(amount) AS s, count(DISTINCT id) AS ids FROM TABLE(HOP(TABLE o, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end, category",
		"SELECT window_start, window_end, category, count(*) AS n, sum(amount) AS s, count(DISTINCT id) AS ids FROM (" + diffHop + ") w GROUP BY 1, 2, 3"},
	{"whole", "SELECT category, count(*) AS n, count(customer) AS nc, count(DISTINCT customer) AS dc, sum(qty) AS q, avg(qty) AS aq, sum(amount) AS s, min(amount) AS lo, max(amount) AS hi, bool_and(qty > 0) AS ba, bool_or(qty < 0) AS bo, min(customer) AS c0, stddev(amount) AS sd, var_pop(qty) AS vp, sum(amount) FILTER (WHERE qty > 0) AS f FROM o GROUP BY category", ""},
	{"texts", "SELECT customer, string_agg(id::text, ',' ORDER BY id) AS ids, array_agg(category ORDER BY id DESC) AS cs FROM o GROUP BY customer", ""},
	{"filtered", "SELECT id, upper(category) AS c, amount * 1.1 AS usd, coalesce(customer, '-') || qty::text AS cq, CASE WHEN qty > 10 THEN 'many' WHEN qty IS NULL THEN 'unknown' ELSE 'few' END AS size, date_trunc('minute', ts) AS m FROM o WHERE amount > 10 OR category LIKE 'b%'", ""},
	{"dist", "SELECT DISTINCT category, customer FROM o", ""},
	{"united", "SELECT id, 'a' AS w FROM o WHERE qty > 0 UNION ALL SELECT id, 'b' FROM o WHERE amount < 100", ""},
	{"having_some", "SELECT category, max(qty) AS m FROM o GROUP BY category HAVING count(*) % 2 = 0", ""},
	{"by_count", "SELECT n, count(*) AS windows, sum(s) AS s, max(a) AS a FROM tumbled GROUP BY n", ""},
	{"by_third", "SELECT n % 3 AS r, count(*) AS c, sum(windows) AS w FROM by_count GROUP BY n % 3", ""},
	{"over_all", "SELECT count(*) AS n, sum(n) AS rows, max(hi) AS hi, min(lo) AS lo, count(DISTINCT aq) AS d FROM whole", ""},
}

// TestStreamsLikePostgres sends random records, some with NULLs, out of order in three partitions,
// through Kafka into views of all kinds. In the end each view holds what PostgreSQL answers over the
// same rows. There are crashes on the way.
func TestStreamsLikePostgres(t *testing.T) {
	d := newDifferential(t, streamViews)
	kafkatest.CreateTopic(t, d.n.broker, "o", 3)
	d.n.exec(strings.ReplaceAll(`CREATE TABLE o (id BIGINT, customer STRING, category STRING, amount DECIMAL(10,2), qty INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
		WITH (connector = 'kafka', topic = 'o', properties.bootstrap.servers = '$BROKER', format = 'json', watermark.idle-timeout = 'none', watermark.max-skew = 'none')`, "$BROKER", d.n.broker))
	d.postgres("CREATE TABLE o (id BIGINT, customer TEXT, category TEXT, amount DECIMAL(10,2), qty INT, ts TIMESTAMP(3))")
	d.createViews()
	cl := kafkatest.Client(t, d.n.broker, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	id := 0
	for round := range 6 {
		var records []*kgo.Record
		var values []string
		for range 20 + d.r.IntN(200) {
			id++
			o := d.order(id)
			v, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, &kgo.Record{Topic: "o", Partition: int32(d.r.IntN(3)), Value: v})
			values = append(values, sqlRow(o["id"], o["customer"], o["category"], o["amount"], o["qty"], o["ts"]))
		}
		kafkatest.ProduceRecords(t, cl, records...)
		d.postgres("INSERT INTO o VALUES " + strings.Join(values, ", "))
		if d.r.IntN(3) == 0 {
			d.n.crash()
			d.n.start()
		}
		if round%2 == 1 {
			d.n.checkpoint()
			d.compare(fmt.Sprintf("round %d", round))
		}
	}
	if late := d.n.exec("SELECT count(*) FROM streamsql.late_rows")[0][0]; late != "0" {
		t.Errorf("%s late rows where no row comes later than the delay allows", late)
	}
}

// order is a random record: event time goes on by 100 ms a record, back and forth within the delay.
func (d *differential) order(id int) map[string]any {
	at := time.Date(1969, 12, 31, 23, 59, 40, 0, time.UTC).Add(time.Duration(id)*100*time.Millisecond - time.Duration(d.r.IntN(5000))*time.Millisecond)
	o := map[string]any{"id": id, "ts": at.Format("2006-01-02 15:04:05.000"), "unknown": []int{1, id},
		"customer": pick[any](d.r, nil, "c1", "c2", "c3", "", "Ünï😀", `q"uo\te`),
		"category": pick[any](d.r, nil, "books", "toys", "b", "grün"),
		"amount":   pick[any](d.r, nil, json.Number(fmt.Sprintf("%d.%02d", d.r.IntN(200)-50, d.r.IntN(100))), json.Number("99999999.99"), json.Number("0")),
		"qty":      pick[any](d.r, nil, d.r.IntN(40)-10, 2147483647, -2147483648, 0)}
	for k, v := range o {
		if v == nil && d.r.IntN(2) == 0 {
			delete(o, k) // a field that is not there is NULL too
		}
	}
	return o
}

// sqlRow is a row of VALUES.
func sqlRow(values ...any) string {
	var out []string
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			out = append(out, "NULL")
		case string:
			out = append(out, "'"+strings.ReplaceAll(v, "'", "''")+"'")
		default:
			out = append(out, fmt.Sprint(v))
		}
	}
	return "(" + strings.Join(out, ", ") + ")"
}

// TestLateRowsLikePostgres sends rows that are late by far. Whatever is late in a job is in
// streamsql.late_rows; all the others are in its windows, which hold what PostgreSQL computes without
// the late ones.
func TestLateRowsLikePostgres(t *testing.T) {
	d := newDifferential(t, nil)
	kafkatest.CreateTopic(t, d.n.broker, "l", 2)
	d.n.exec(strings.ReplaceAll(`CREATE TABLE l (id BIGINT, g STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
		WITH (connector = 'kafka', topic = 'l', properties.bootstrap.servers = '$BROKER', format = 'json', watermark.idle-timeout = 'none', watermark.max-skew = 'none');
		CREATE MATERIALIZED VIEW live AS SELECT window_start, g, count(*) AS n, sum(id) AS s FROM TUMBLE(l, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end, g;
		CREATE MATERIALIZED VIEW closed AS SELECT window_start, g, count(*) AS n, sum(id) AS s FROM TUMBLE(l, ts, INTERVAL '5 seconds') GROUP BY window_start, window_end, g EMIT ON WINDOW CLOSE`, "$BROKER", d.n.broker))
	d.postgres("CREATE TABLE l (id BIGINT, g TEXT, ts TIMESTAMP(3))")
	cl := kafkatest.Client(t, d.n.broker, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	id := 0
	send := func(n int, at func() time.Time) {
		var records []*kgo.Record
		var values []string
		for i := range n {
			id++
			g, ts := pick(d.r, "a", "b", "c"), at().Format("2006-01-02 15:04:05.000")
			records = append(records, &kgo.Record{Topic: "l", Partition: int32(i % 2), Value: fmt.Appendf(nil, `{"id":%d,"g":%q,"ts":%q}`, id, g, ts)})
			values = append(values, sqlRow(id, g, ts))
		}
		kafkatest.ProduceRecords(t, cl, records...)
		d.postgres("INSERT INTO l VALUES " + strings.Join(values, ", "))
	}
	start := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for range 8 {
		send(100, func() time.Time {
			return start.Add(time.Duration(id)*100*time.Millisecond - time.Duration(d.r.IntN(12000))*time.Millisecond)
		})
		time.Sleep(time.Duration(d.r.IntN(60)) * time.Millisecond)
	}
	send(2, func() time.Time { return start.Add(time.Hour) })
	d.n.checkpoint()
	for _, v := range []string{"live", "closed"} {
		late := []string{"-1"}
		for _, r := range d.n.exec("SELECT row ->> 'id' FROM streamsql.late_rows WHERE job = '" + v + "'") {
			late = append(late, r[0])
		}
		want := d.postgres("SELECT date_bin('5 seconds', ts, 'epoch') AS window_start, g, count(*) AS n, sum(id) AS s FROM l WHERE id NOT IN (" +
			strings.Join(late, ", ") + ") AND (" + fmt.Sprint(v == "live") + " OR ts < '2024-05-01 01:00:00') GROUP BY 1, 2")
		if diff := multiset.Difference(lines(d.n.exec("SELECT * FROM "+v)), lines(want)); diff != "" {
			t.Errorf("%s, with %d late rows: %s", v, len(late)-1, diff)
		}
		t.Logf("%s: %d of %d rows are late", v, len(late)-1, id)
		if len(late) == 1 {
			t.Errorf("%s: nothing was late", v)
		}
	}
}

// tableViews are over the table t, whose rows change.
var tableViews = []diffView{
	{"by_g", "SELECT g, count(*) AS n, count(v) AS nv, sum(v) AS s, avg(x) AS a, min(v) AS lo, max(v) AS hi, count(DISTINCT h) AS d, bool_and(v > 0) AS ba, sum(x) FILTER (WHERE v > 2) AS f FROM t GROUP BY g", ""},
	{"by_gh", "SELECT g, h, count(*) AS n, sum(v) AS s, min(x) AS lo, max(x) AS hi FROM t GROUP BY g, h", ""},
	{"over", "SELECT n, count(*) AS groups, sum(s) AS s, min(lo) AS lo, max(hi) AS hi, array_agg(g ORDER BY g) AS gs FROM by_g GROUP BY n", ""},
	{"over_gh", "SELECT g, max(n) AS most, count(*) AS hs, sum(s) AS s FROM by_gh GROUP BY g", ""},
	{"top", "SELECT count(*) AS n, sum(groups) AS groups, max(s) AS s FROM over", ""},
	{"dist", "SELECT DISTINCT g, v FROM t WHERE v IS NOT NULL", ""},
	{"dist_count", "SELECT g, count(*) AS n FROM dist GROUP BY g", ""},
	{"united", "SELECT g AS what, n FROM by_g UNION ALL SELECT h, count(*) FROM t GROUP BY h", ""},
	{"united_sum", "SELECT what, sum(n) AS n, count(*) AS c FROM united GROUP BY what", ""},
	{"big", "SELECT g, sum(v) AS s FROM t GROUP BY g HAVING count(*) > 2", ""},
	{"texts", "SELECT g, string_agg(h, ',' ORDER BY id) AS hs, stddev(x) AS sd FROM t GROUP BY g", ""},
	{"shown", "SELECT id, coalesce(g, '?') || coalesce(h, '!') AS gh, v::bigint * 2 AS w FROM t WHERE v IS DISTINCT FROM 3", ""},
}

// TestRetractionsLikePostgres changes the rows of a table at random under aggregates, aggregates over
// them, and so on. After each round every view holds what PostgreSQL answers after the same statements.
func TestRetractionsLikePostgres(t *testing.T) {
	d := newDifferential(t, tableViews)
	const table = "CREATE TABLE t (id INT PRIMARY KEY, g TEXT, h TEXT, v INT, x NUMERIC(10,2))"
	d.n.exec(table)
	d.postgres(table)
	d.createViews()
	for round := range 12 {
		c := d.n.connect(nil)
		for range 1 + d.r.IntN(25) {
			d.both(c, d.change())
		}
		c.Close(context.Background())
		if d.r.IntN(3) == 0 {
			d.n.crash()
			d.n.start()
		}
		d.n.exec("FLUSH")
		d.compare(fmt.Sprintf("round %d", round))
	}
}

// both runs a statement here and in PostgreSQL: tags, rows and error codes must be the same.
func (d *differential) both(c *pgconn.PgConn, statement string) {
	d.t.Helper()
	ours, theirs := outcomeOf(c, statement), outcomeOf(d.pg, statement)
	if ours != theirs {
		d.t.Fatalf("%s\n got %s\nwant %s", statement, ours, theirs)
	}
}

func outcomeOf(c *pgconn.PgConn, statement string) string {
	results, err := c.Exec(context.Background(), statement).ReadAll()
	if err != nil {
		return errorLine(err)
	}
	var out []string
	for _, r := range results {
		var rows [][]string
		for _, row := range r.Rows {
			var fields []string
			for _, v := range row {
				fields = append(fields, fieldText(v))
			}
			rows = append(rows, fields)
		}
		out = append(out, r.CommandTag.String()+" "+strings.Join(lines(rows), " "))
	}
	return strings.Join(out, "; ")
}

// change is a random statement over t.
func (d *differential) change() string {
	r := d.r
	id := func() int { return r.IntN(60) }
	g := func() any { return pick[any](r, nil, "a", "b", "c", "") }
	v := func() any { return pick[any](r, nil, r.IntN(6), -r.IntN(4), 2147483647) }
	x := func() any { return pick[any](r, nil, "1.25", "-0.50", "99999999.99", "3") }
	row := func() string { return sqlRow(id(), g(), g(), v(), x()) }
	lit := func(v any) string { return strings.Trim(sqlRow(v), "()") }
	switch r.IntN(14) {
	case 0, 1, 2:
		return "INSERT INTO t VALUES " + row()
	case 3, 4:
		return "INSERT INTO t VALUES " + row() + " ON CONFLICT (id) DO UPDATE SET v = excluded.v, g = excluded.g RETURNING *"
	case 5:
		return fmt.Sprintf("INSERT INTO t SELECT i, 'g' || i %% 3, NULL, i, i / 2.0 FROM generate_series(%d, %d) AS s(i) ON CONFLICT DO NOTHING", id(), id())
	case 6:
		return fmt.Sprintf("UPDATE t SET v = %s WHERE id = %d RETURNING id, v", lit(v()), id())
	case 7:
		return fmt.Sprintf("UPDATE t SET g = %s, x = x + 1 WHERE v < %d AND x < 1000", lit(g()), r.IntN(5))
	case 8:
		return fmt.Sprintf("UPDATE t SET id = %d WHERE id = %d", id(), id())
	case 9:
		return fmt.Sprintf("DELETE FROM t WHERE id = %d", id())
	case 10:
		return fmt.Sprintf("DELETE FROM t WHERE id %% 7 = %d AND g IS NOT DISTINCT FROM %s RETURNING *", r.IntN(7), lit(g()))
	case 11:
		end := pick(r, "COMMIT", "ROLLBACK")
		return fmt.Sprintf("BEGIN; DELETE FROM t WHERE id = %d; UPDATE t SET h = %s WHERE id < %d; %s", id(), lit(g()), id(), end)
	case 12:
		return fmt.Sprintf("BEGIN; UPDATE t SET v = 1 WHERE id = %[1]d; SAVEPOINT s; DELETE FROM t WHERE id < %[1]d; ROLLBACK TO s; DELETE FROM t WHERE id = %[2]d; COMMIT", id(), id())
	}
	if r.IntN(10) == 0 {
		return "TRUNCATE t"
	}
	return fmt.Sprintf("UPDATE t SET v = v + 1 WHERE h = %s", lit(g()))
}

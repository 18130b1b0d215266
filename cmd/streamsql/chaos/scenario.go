package main

import (
	"fmt"
	"strings"
)

// target is where a job's rows go.
type target int

const (
	toView        target = iota
	toTopic              // an append-only topic, exactly once
	toUpsert             // a topic of the last row of each key, exactly once
	toTopicLoose         // an append-only topic, at least once
	toTable              // a table in PostgreSQL, append-only; it refuses rows of v above tableMaxV
	toUpsertTable        // a table in PostgreSQL of the last row of each key
)

// job is one of the jobs that run through all rounds. Its query is the same for the engine and for
// PostgreSQL, but for what stands for FROM.
type job struct {
	name   string
	target target
	from   string // a relation below, or a view of another job
	query  string // with FROM $
	key    string // columns, of those that have one
	readsV bool   // so records with a bad v are dead letters
	// windowed jobs report late rows; final ones give closed windows only
	windowed, final bool
}

// What jobs read: the topic's rows as they are, or in windows. `grouped` is the same topic with a
// consumer group that positions are committed to; `echoed` is the topic that job filtered writes.
const (
	events  = "events"
	grouped = "grouped"
	tumbled = "tumbled"
	hopped  = "hopped"
	echoed  = "echoed"
)

var jobs = []*job{
	{name: "filtered", target: toTopic, from: grouped, readsV: true,
		query: `SELECT id, upper(k) AS k, amount * 2 AS double, coalesce(tag, '-') AS tag, v FROM $ WHERE v % 3 = 0 AND v > 0`},
	{name: "quotients", target: toTopicLoose, from: events, readsV: true,
		query: `SELECT id, 1000 / v AS q FROM $ WHERE v < 30`},
	{name: "echo", target: toView, from: echoed,
		query: `SELECT tag, count(*) AS n, sum(double) AS s FROM $ GROUP BY tag`},
	{name: "closed", target: toTopic, from: tumbled, readsV: true, windowed: true, final: true,
		query: `SELECT window_start, window_end, k, count(*) AS n, sum(amount) AS s, min(v) AS least, max(v) AS most FROM $ GROUP BY window_start, window_end, k`},
	{name: "closed_hops", target: toView, from: hopped, windowed: true, final: true,
		query: `SELECT window_start, window_end, tag, count(*) AS n, count(DISTINCT k) AS d FROM $ GROUP BY window_start, window_end, tag EMIT ON WINDOW CLOSE`},
	{name: "hops", target: toView, from: hopped, windowed: true,
		query: `SELECT window_start, window_end, k, count(*) AS n, sum(amount) AS s FROM $ GROUP BY window_start, window_end, k`},
	{name: "classes", target: toView, from: "hops",
		query: `SELECT ` + hopClass + ` AS class, sum(n) AS n, sum(s) AS s FROM $ GROUP BY 1`},
	{name: "totals", target: toView, from: events, readsV: true,
		query: `SELECT coalesce(k, '-') AS k, count(*) AS n, sum(amount) AS s, min(v) AS least, max(v) AS most, avg(v) AS mean, count(DISTINCT id) AS events FROM $ GROUP BY 1`},
	{name: "extremes", target: toView, from: "totals",
		query: `SELECT n % 7 AS bucket, count(*) AS keys, min(n) AS least, max(s) AS most, min(k) AS first FROM $ GROUP BY 1`},
	{name: "lists", target: toView, from: "totals",
		query: `SELECT n % 5 AS bucket, string_agg(k, ',' ORDER BY k) AS names, array_agg(n ORDER BY n, k) AS counts, count(DISTINCT least) AS d FROM $ GROUP BY 1`},
	{name: "either", target: toView, from: "totals",
		query: `SELECT k AS name, n FROM $ UNION ALL SELECT tag, n FROM echo`},
	{name: "unmatched", target: toView, from: "totals",
		query: `SELECT n % 50 AS m FROM $ EXCEPT SELECT n % 50 FROM echo`},
	{name: "odd_tags", target: toView, from: events, readsV: true,
		query: `SELECT tag, min(amount) AS least, max(amount) AS most, count(*) FILTER (WHERE v > 90) AS large, bool_or(v > 175) AS huge, sum(DISTINCT v) AS s
		FROM $ GROUP BY tag HAVING count(*) % 3 <> 0`},
	{name: "latest_even", target: toUpsert, from: "totals", key: "k",
		query: `SELECT k, n, mean FROM $ WHERE n % 2 = 0`},
	{name: "unique_pairs", target: toView, from: events,
		query: `SELECT DISTINCT k, tag FROM $`},
	{name: "once", target: toView, from: events,
		query: `SELECT id, count(*) AS n FROM $ GROUP BY id HAVING count(*) > 1`},
	{name: "latest", target: toUpsert, from: "totals", key: "k",
		query: `SELECT k, n, s, most, events FROM $`},
	{name: "latest_extremes", target: toUpsert, from: "extremes", key: "bucket",
		query: `SELECT bucket, keys, most, first FROM $`},
	{name: "latest_hops", target: toUpsert, from: tumbled, key: "window_start,tag", windowed: true,
		query: `SELECT window_start, window_end, coalesce(tag, '-') AS tag, count(*) AS n, sum(amount) AS s FROM $ GROUP BY 1, 2, 3`},
	{name: "table_filtered", target: toTable, from: events, readsV: true,
		query: `SELECT id, k, amount, v, tag, ts FROM $ WHERE v % 5 = 0`},
	{name: "table_totals", target: toUpsertTable, from: "totals", key: "k",
		query: `SELECT k, n, s, least, most, mean, events FROM $`},
	{name: "table_extremes", target: toUpsertTable, from: "extremes", key: "bucket",
		query: `SELECT bucket, keys, least, most, first FROM $`},
	{name: "table_hops", target: toUpsertTable, from: "hops", key: "window_start,k",
		query: `SELECT window_start, window_end, coalesce(k, '-') AS k, n, s FROM $`},
}

// tableMaxV is what the constraint of a toTable's table allows: other rows are dead letters.
const tableMaxV = 150

// hopClass parts the windows of hopped so that every row is once in each class: the sums of the three
// classes are equal, in any epoch that is shown whole.
const hopClass = `CAST(extract(epoch FROM window_start) AS bigint) / 5 % 3`

// relations are what the engine has in place of $.
var relations = map[string]string{
	events: "events", grouped: "grouped", echoed: "echoed",
	tumbled: "TUMBLE(events, ts, INTERVAL '10 seconds')",
	hopped:  "HOP(events, ts, INTERVAL '5 seconds', INTERVAL '15 seconds')",
}

// statement is the job in the engine's words.
func (j *job) statement(w *world) string {
	from := relations[j.from]
	if from == "" {
		from = j.from
	}
	q := strings.Replace(j.query, "FROM $", "FROM "+from, 1)
	var options string
	switch j.target {
	case toView:
		return fmt.Sprintf("CREATE MATERIALIZED VIEW %s AS %s", j.name, q)
	case toTable, toUpsertTable:
		options = fmt.Sprintf("connector = 'postgres', url = '%s', table = '%s', create_table = true", w.c.postgresURL(), w.table(j))
	case toTopicLoose:
		options = w.kafka(j.name) + ", 'sink.delivery-guarantee' = 'at-least-once'"
	default:
		options = w.kafka(j.name)
	}
	if j.key != "" {
		options += fmt.Sprintf(", type = 'upsert', primary_key = '%s'", j.key)
	}
	return fmt.Sprintf("CREATE SINK %s AS %s WITH (%s)", j.name, q, options)
}

// table is the name in PostgreSQL of a job's target.
func (w *world) table(j *job) string { return fmt.Sprintf("targets_%d.%s", w.n, j.name) }

// tables prepares them in PostgreSQL: one with a constraint, the others are the sinks' to create.
func (w *world) tables() string {
	out := fmt.Sprintf("DROP SCHEMA IF EXISTS targets_%[1]d CASCADE; CREATE SCHEMA targets_%[1]d;", w.n)
	for _, j := range jobs {
		if j.target == toTable {
			out += fmt.Sprintf("CREATE TABLE %s (id bigint, k text, amount numeric(12,2), v int CHECK (v <= %d), tag text, ts timestamp(3));", w.table(j), tableMaxV)
		}
	}
	return out
}

// kafka are the options of a topic of the world's.
func (w *world) kafka(topic string) string {
	o := fmt.Sprintf("connector = 'kafka', topic = '%s', properties.bootstrap.servers = '%s', format = 'json'", w.topic(topic), w.c.kafkaProxy.addr())
	if topic != events {
		o += fmt.Sprintf(", 'properties.transaction.timeout.ms' = '%d', 'topic.partitions' = '2'", w.txnTimeout.Milliseconds())
	}
	return o
}

// schema is what is created before the jobs.
func (w *world) schema() string {
	const columns = "(id BIGINT, k STRING, amount NUMERIC(12,2), v INT, tag STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)"
	const time = ", watermark.idle-timeout = 'none', watermark.max-skew = 'none'"
	return fmt.Sprintf(`
SET checkpoint_interval = '%s';
CREATE TABLE events %s WITH (%s%s);
CREATE TABLE grouped %s WITH (%s%s, 'properties.group.id' = '%s');
CREATE TABLE echoed (id BIGINT, tag STRING, double NUMERIC(13,2)) WITH (connector = 'kafka', topic = '%s', properties.bootstrap.servers = '%s', format = 'json');
`, w.interval, columns, w.kafka(events), time, columns, w.kafka(events), time, w.group(), w.topic("filtered"), w.c.kafkaProxy.addr()) + bankSchema
}

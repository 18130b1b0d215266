package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/multiset"
)

// check is one thing that has to hold when a round's records have gone through everything.
type check struct {
	name string
	want lines
	got  func(ctx context.Context) (lines, error)
	once bool // a moment later it may be otherwise: a job waits when a busy Kafka takes itself for dead
}

// checks are all of them, by what the oracle says to the records sent so far.
func (w *world) checks(ctx context.Context) ([]check, error) {
	if err := w.oracle.load(ctx, &w.gen.ledger); err != nil {
		return nil, err
	}
	if err := w.bank.load(ctx, w.oracle); err != nil {
		return nil, err
	}
	want, err := w.oracle.expect(ctx)
	if err != nil {
		return nil, err
	}
	var out []check
	for _, j := range jobs {
		if j.target == toTopicLoose { // see distinctValues
			want[j.name].rows = slices.Compact(want[j.name].rows)
		}
		out = append(out, check{name: j.name, want: want[j.name].rows, got: func(ctx context.Context) (lines, error) { return w.output(ctx, j, want[j.name].columns) }})
	}
	for _, q := range bankQueries {
		e, err := w.oracle.answer(ctx, q)
		if err != nil {
			return nil, err
		}
		want[lastWord(q)] = e
		out = append(out, check{name: lastWord(q), want: e.rows, got: func(ctx context.Context) (lines, error) { return w.answer(ctx, q) }})
	}
	for _, s := range w.subscribers {
		out = append(out, check{name: "subscription to " + s.view, want: want[s.view].rows, got: func(context.Context) (lines, error) { return s.lines(), nil }})
	}
	for _, q := range []struct{ name, ours, oracles string }{
		{"dead letters", deadQuery, w.deadOracle()},
		{"late rows", lateQuery, w.lateOracle()},
	} {
		e, err := w.oracle.answer(ctx, q.oracles)
		if err != nil {
			return nil, fmt.Errorf("oracle: %s: %w", q.name, err)
		}
		out = append(out, check{name: q.name, want: e.rows, got: func(ctx context.Context) (lines, error) { return w.answer(ctx, q.ours) }})
	}
	return append(out,
		check{name: "the consumer group", got: w.groupLag},
		check{name: "jobs that do not run", once: true, got: func(ctx context.Context) (lines, error) {
			return w.answer(ctx, "SELECT name, state, last_error FROM streamsql.jobs WHERE state <> 'running'")
		}}), nil
}

// groupLag is how far the consumer group's positions are behind the ends of the topic: nothing, soon
// after everything has been read.
func (w *world) groupLag(ctx context.Context) (lines, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.c.kafka.Addr()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListEndOffsets(ctx, w.topic(events))
	if err != nil {
		return nil, err
	}
	at, err := kadm.NewClient(cl).FetchOffsets(ctx, w.group())
	if err != nil {
		return nil, err
	}
	var out lines
	ends.Each(func(end kadm.ListedOffset) {
		if o, ok := at.Lookup(end.Topic, end.Partition); !ok || o.At != end.Offset {
			out = append(out, fmt.Sprintf("partition %d of %s is read up to %d, the group %s says %d", end.Partition, end.Topic, end.Offset, w.group(), o.At))
		}
	})
	return out, nil
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

// Dead letters are told apart by their payload, which no two of the generator's share. Those of an
// expression, and those that a target refused, hold the row.
const deadQuery = `SELECT job, encode(payload, 'escape') FROM streamsql.dead_letters WHERE code NOT IN ('22012', '23514')
UNION ALL SELECT job, 'id ' || (convert_from(payload, 'UTF8')::jsonb ->> 'id') FROM streamsql.dead_letters WHERE code IN ('22012', '23514')`

// deadOracle is what has to be there, exactly once, for each job that reads the topic.
func (w *world) deadOracle() string {
	var parts []string
	for _, j := range jobs {
		if oracleRelations[j.from] == "" || j.from == echoed {
			continue
		}
		parts = append(parts, fmt.Sprintf("SELECT '%s', encode(value, 'escape') FROM ledger WHERE kind = 'garbage' OR kind = 'bad v' AND %t", j.name, j.readsV))
		if j.name == "quotients" {
			parts = append(parts, fmt.Sprintf("SELECT '%s', 'id ' || id FROM ledger WHERE kind = 'row' AND v = 0", j.name))
		}
		if j.target == toTable {
			parts = append(parts, fmt.Sprintf("SELECT '%s', 'id ' || id FROM ledger WHERE kind = 'row' AND v %% 5 = 0 AND v > %d", j.name, tableMaxV))
		}
	}
	return strings.Join(parts, " UNION ALL ")
}

// Late rows are counted by job and ten seconds, which are whole slices of all windows: rows that were
// folded before they were known to be late are told as one, at their slice's end, with their number.
const lateQuery = `SELECT job, to_char(date_bin('10 seconds', event_time AT TIME ZONE 'UTC', TIMESTAMP '1970-01-01'), 'YYYY-MM-DD HH24:MI:SS'),
	sum(coalesce(("row" ->> 'rows')::bigint, 1)) FROM streamsql.late_rows GROUP BY 1, 2`

func (w *world) lateOracle() string {
	var parts []string
	for _, j := range jobs {
		if j.windowed {
			parts = append(parts, fmt.Sprintf(`SELECT '%s', to_char(date_bin('10 seconds', ts, '1970-01-01'), 'YYYY-MM-DD HH24:MI:SS'), count(*)
				FROM ledger WHERE late AND kind IN (%s) GROUP BY 2`, j.name, j.kinds()))
		}
	}
	return strings.Join(parts, " UNION ALL ")
}

// answer is what the server says to a query.
func (w *world) answer(ctx context.Context, statement string) (lines, error) {
	rows, err := w.srv.rows(ctx, statement)
	return toLines(rows), err
}

// output is what a job has written, as a reader of committed data sees it.
func (w *world) output(ctx context.Context, j *job, columns []string) (lines, error) {
	switch j.target {
	case toView:
		return w.answer(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+j.name)
	case toTable, toUpsertTable:
		e, err := w.oracle.answer(ctx, "SELECT "+strings.Join(columns, ", ")+" FROM "+w.table(j))
		if err != nil {
			return nil, err
		}
		return e.rows, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	records, err := kafkatest.Committed(ctx, w.c.kafka.Addr(), w.topic(j.name))
	if err != nil {
		return nil, err
	}
	switch j.target {
	case toUpsert:
		records = lastOfKeys(records)
	case toTopicLoose:
		records = distinctValues(records)
	}
	out := make(lines, len(records))
	for i, r := range records {
		if out[i], err = jsonLine(r.Value, columns); err != nil {
			return nil, fmt.Errorf("topic %s: %q: %w", r.Topic, r.Value, err)
		}
	}
	sort.Strings(out)
	return out, nil
}

// lastOfKeys is what a compacted topic would be left with, without tombstones.
func lastOfKeys(records []*kgo.Record) []*kgo.Record {
	last := map[string]*kgo.Record{}
	for _, r := range records {
		if last[string(r.Key)] = r; r.Value == nil {
			delete(last, string(r.Key))
		}
	}
	var out []*kgo.Record
	for _, r := range last {
		out = append(out, r)
	}
	return out
}

// distinctValues leaves out what was delivered again: at least once, a set is what can be asked for.
func distinctValues(records []*kgo.Record) []*kgo.Record {
	seen := map[string]bool{}
	return slices.DeleteFunc(records, func(r *kgo.Record) bool {
		again := seen[string(r.Value)]
		seen[string(r.Value)] = true
		return again
	})
}

// jsonLine is an object's fields as a line of rows.
func jsonLine(value []byte, columns []string) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &fields); err != nil {
		return "", err
	}
	out := make([]string, len(columns))
	for i, c := range columns {
		raw := fields[c]
		switch {
		case len(raw) == 0 || string(raw) == "null":
			out[i] = "NULL"
		case raw[0] == '"':
			if err := json.Unmarshal(raw, &out[i]); err != nil {
				return "", err
			}
		default:
			out[i] = string(raw)
		}
	}
	return strings.Join(out, "|"), nil
}

// quietWait is how long everything may take to come out after the last fault is over. What is slow by
// design fits in: a restart's back-off, ten seconds until a new partition is found.
const quietWait = 90 * time.Second

// verify waits until all checks hold, and sees that they still do a moment later. A difference is
// given time, since what was sent may still be on its way; what is doubled stays.
func (w *world) verify(ctx context.Context) error {
	began := time.Now()
	all, err := w.checks(ctx)
	for err != nil && excused(err) && ctx.Err() == nil && time.Since(began) < startWait { // somebody kills PostgreSQL
		pause(ctx, 100*ms)
		all, err = w.checks(ctx)
	}
	if err != nil {
		return err
	}
	for left := all; len(left) > 0; {
		wrong := map[string]string{}
		left = slices.DeleteFunc(slices.Clone(left), func(c check) bool {
			got, err := c.got(ctx)
			if err != nil {
				wrong[c.name] = err.Error()
			} else {
				wrong[c.name] = multiset.Difference(got, c.want)
			}
			return wrong[c.name] == ""
		})
		if err := w.watchers.found(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(left) > 0 && time.Since(began) > quietWait {
			return w.complain(left, wrong)
		}
		if len(left) > 0 {
			pause(ctx, 100*ms)
		}
	}
	pause(ctx, 200*ms)
	for _, c := range all {
		if c.once {
			continue
		}
		got, err := c.got(ctx)
		for err != nil && ctx.Err() == nil && time.Since(began) < 2*quietWait { // a busy machine: nothing is known
			pause(ctx, 100*ms)
			got, err = c.got(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if diff := multiset.Difference(got, c.want); diff != "" {
			return fmt.Errorf("%s was right and did not stay so: %s", c.name, diff)
		}
	}
	return w.watchers.found()
}

func (w *world) complain(left []check, wrong map[string]string) error {
	var b strings.Builder
	for _, c := range left {
		fmt.Fprintf(&b, "\n  %s: %s", c.name, wrong[c.name])
	}
	return fmt.Errorf("after %s without faults, still wrong:%s", quietWait, &b)
}

package planner

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// streamQueries are kept up to date over the changelogs of a and b, whose rows come, change and go.
var streamQueries = []string{
	"SELECT id, k, v FROM a WHERE v > 5",
	"SELECT k FROM a",
	"SELECT v * 2 AS w FROM a WHERE k <> 'x'",
	"SELECT k, count(*), sum(v), min(v), max(v), avg(v) FROM a GROUP BY k",
	"SELECT count(*) FROM a GROUP BY k",
	"SELECT count(*), sum(v), max(k) FROM a",
	"SELECT k, count(DISTINCT v), sum(v) FILTER (WHERE v > 3), bool_or(v = 7) FROM a GROUP BY k HAVING count(*) > 2",
	"SELECT DISTINCT k FROM a",
	"SELECT n, count(*) FROM (SELECT k, count(*) AS n FROM a GROUP BY k) x GROUP BY n",
	"SELECT max(n), min(n) FROM (SELECT k, v, count(*) AS n FROM a GROUP BY k, v) x",
	"SELECT k, total FROM per_k WHERE total > 20",
	"SELECT sum(total), count(*) FROM per_k",
	"SELECT k, v FROM a UNION ALL SELECT k, w FROM b",
	"SELECT k FROM a WHERE v > 5 UNION ALL SELECT k FROM a WHERE v < 8",
	"SELECT k, sum(v) FROM (SELECT k, v FROM a UNION ALL SELECT k, w FROM b) x GROUP BY k",
	"SELECT k FROM a UNION SELECT k FROM b",
	"SELECT v FROM a EXCEPT SELECT w FROM b",
	"SELECT v FROM a INTERSECT SELECT w FROM b",
	"SELECT k, count(*) FROM a GROUP BY k UNION ALL SELECT 'b', count(*) FROM b",
	"SELECT window_start, count(*), sum(v) FROM TUMBLE(a, ts, INTERVAL '1 hour') GROUP BY window_start",
	"SELECT window_start, window_end, k, max(v) FROM HOP(a, ts, INTERVAL '20 minutes', INTERVAL '1 hour') WHERE v > 2 GROUP BY window_start, window_end, k",
	"SELECT k, window_end FROM TUMBLE(a, ts, INTERVAL '1 hour')",
	"SELECT e, max(n) FROM (SELECT window_end AS e, k, count(*) AS n FROM HOP(a, ts, INTERVAL '20 minutes', INTERVAL '50 minutes') GROUP BY window_end, k) x GROUP BY e",
	"SELECT s, n, count(*) FROM (SELECT window_start AS s, k, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '20 minutes') GROUP BY window_start, k) x WHERE n > 1 GROUP BY s, n",
	"SELECT x.window_start, count(*) FROM TUMBLE((SELECT window_time AS t, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '10 minutes') GROUP BY window_start, window_time), t, INTERVAL '1 hour') x GROUP BY x.window_start",
}

const streamTables = `
CREATE TABLE a (id int PRIMARY KEY, k text, v int, ts timestamp);
CREATE TABLE b (id int PRIMARY KEY, k text, w int);
CREATE VIEW per_k AS SELECT k, sum(v) AS total FROM a GROUP BY k;
`

// TestStreamLikeBatch holds that a query that is kept up to date over a changelog gives, at its end,
// what the same query gives over the final rows; at any parallelism.
func TestStreamLikeBatch(t *testing.T) {
	seed := seedtest.Seed(t)
	for i, q := range streamQueries {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			catalog := newTestCatalog()
			if err := catalog.defineAll(streamTables); err != nil {
				t.Fatal(err)
			}
			db := newChangingTables(rng, catalog)
			want := sortedRows(t, mustPlan(t, catalog, q, Purpose{Target: Batch}), func(p *Plan) ([][]sql.Datum, error) { return db.final.run(p, 2, nil) })
			parallelism := 1 + rng.IntN(3)
			got := sortedRows(t, mustPlan(t, catalog, q, Purpose{Target: ToView}), func(p *Plan) ([][]sql.Datum, error) { return db.follow(t, p, parallelism) })
			if !slices.Equal(got, want) {
				t.Errorf("seed %d: %s\nkept up to date:\n%s\nover the final rows:\n%s", seed, q, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// TestOnClose holds that an append-only sink gets each window once, when it closes, and all of them
// together are what a batch query gives; with event time computed from another column.
func TestOnClose(t *testing.T) {
	catalog := newTestCatalog()
	err := catalog.defineAll(`CREATE TABLE c (ms bigint, k text, ts AS TIMESTAMP '1970-01-01' + ms * INTERVAL '1 millisecond',
		WATERMARK FOR ts AS ts - INTERVAL '1 minute') WITH (connector = 'kafka')`)
	if err != nil {
		t.Fatal(err)
	}
	db := &changingTables{logs: map[string][]*stream.Batch{}, final: &memoryTables{rows: map[string][][]sql.Datum{}}}
	types := []sql.Type{sql.TypeInt8, sql.TypeText, sql.TypeTimestamp}
	for i := range int64(2000) { // half a minute out of order: less than the watermark allows
		row := []sql.Datum{i*10_000 + i*7919%30_000, string(rune('a' + i%3)), nil}
		db.final.rows["c"] = append(db.final.rows["c"], row)
	}
	db.logs["c"] = batchesOf(types, db.final.rows["c"][:700])
	db.logs["c"] = append(db.logs["c"], batchesOf(types, db.final.rows["c"][700:])...)
	for _, q := range []string{
		"SELECT window_start, window_end, count(*), min(ms) FROM TUMBLE(c, ts, INTERVAL '10 minutes') GROUP BY window_start, window_end",
		"SELECT window_end, k, count(DISTINCT ms) FROM HOP(c, ts, INTERVAL '7 minutes', INTERVAL '20 minutes') GROUP BY window_end, k",
		"SELECT window_start, sum(n) FROM TUMBLE((SELECT window_time AS t, count(*) AS n FROM TUMBLE(c, ts, INTERVAL '1 minute') GROUP BY window_end, window_time), t, INTERVAL '1 hour') GROUP BY window_start",
		"SELECT s, e, max(n) FROM (SELECT window_start AS s, window_end AS e, k, count(*) AS n FROM HOP(c, ts, INTERVAL '7 minutes', INTERVAL '20 minutes') GROUP BY window_start, window_end, k) x GROUP BY s, e",
	} {
		batch := mustPlan(t, catalog, q, Purpose{Target: Batch})
		want := sortedRows(t, batch, func(p *Plan) ([][]sql.Datum, error) { return db.final.run(p, 2, nil) })
		sink := mustPlan(t, catalog, q, Purpose{Target: ToSink, AppendOnly: true})
		if sink.Mode() != Append {
			t.Fatalf("%s: the changelog of a sink of closed windows is %s", q, sink.Mode())
		}
		got := sortedRows(t, sink, func(p *Plan) ([][]sql.Datum, error) { return db.follow(t, p, 3) })
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s\non close:\n%s\nbatch:\n%s", q, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func mustPlan(t *testing.T, c Catalog, src string, purpose Purpose) *Plan {
	t.Helper()
	stmt, err := parser.ParseOne(src)
	if err != nil {
		t.Fatal(err)
	}
	p, err := PlanQuery(testEnv(c), stmt.(*ast.Query), purpose)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return p
}

// sortedRows prints the visible columns of a plan's rows.
func sortedRows(t *testing.T, p *Plan, run func(*Plan) ([][]sql.Datum, error)) []string {
	t.Helper()
	rows, err := run(p)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = rowText(p.Schema().Types(), row[:len(p.Columns)])
	}
	slices.Sort(out)
	return out
}

func rowText(types []sql.Type, row []sql.Datum) string {
	cells := make([]string, len(row))
	for i, d := range row {
		if cells[i] = "NULL"; d != nil {
			cells[i] = sql.FormatText(types[i], d)
		}
	}
	return strings.Join(cells, "|")
}

// changingTables are a changelog for each table, and the rows it leads to.
type changingTables struct {
	logs  map[string][]*stream.Batch
	final *memoryTables
}

func newChangingTables(rng *rand.Rand, c *testCatalog) *changingTables {
	db := &changingTables{logs: map[string][]*stream.Batch{}, final: &memoryTables{rows: map[string][][]sql.Datum{}}}
	for _, name := range []string{"a", "b"} {
		db.fill(rng, c.relations[name])
	}
	return db
}

// fill makes random inserts, updates and deletes.
func (db *changingTables) fill(rng *rand.Rand, rel *Relation) {
	types := make([]sql.Type, len(rel.Columns))
	for i, c := range rel.Columns {
		types[i] = c.Type
	}
	live := map[int64][]sql.Datum{}
	var rows [][]sql.Datum
	var ops []int8
	emit := func(op int8, row []sql.Datum) { ops, rows = append(ops, op), append(rows, row) }
	for range 400 {
		id := rng.Int64N(60)
		old := live[id]
		if old != nil {
			emit(stream.Delete, old)
			delete(live, id)
		}
		if old == nil || rng.IntN(3) > 0 {
			row := randomRow(rng, id, types)
			emit(stream.Insert, row)
			live[id] = row
		}
		if rng.IntN(20) == 0 {
			db.cut(rel.Name, types, &ops, &rows)
		}
	}
	db.cut(rel.Name, types, &ops, &rows)
	for _, row := range live {
		db.final.rows[rel.Name] = append(db.final.rows[rel.Name], row)
	}
}

func randomRow(rng *rand.Rand, id int64, types []sql.Type) []sql.Datum {
	row := []sql.Datum{id}
	for _, t := range types[1:] {
		var d sql.Datum
		switch t.Kind {
		case sql.Text:
			d = string(rune('u' + rng.IntN(5)))
		case sql.Timestamp:
			d = sql.TimestampValue(rng.Int64N(6 * 3600 * sql.MicrosPerSecond))
		default:
			d = rng.Int64N(12)
		}
		if rng.IntN(10) == 0 {
			d = nil
		}
		row = append(row, d)
	}
	return row
}

// cut ends a batch.
func (db *changingTables) cut(name string, types []sql.Type, ops *[]int8, rows *[][]sql.Datum) {
	for _, b := range batchesOf(types, *rows) {
		b.Ops = *ops
		db.logs[name] = append(db.logs[name], b)
	}
	*ops, *rows = nil, nil
}

// follow runs a plan as a job over the changelogs and returns the rows that its changes add up to.
func (db *changingTables) follow(t *testing.T, p *Plan, parallelism int) ([][]sql.Datum, error) {
	store, err := state.Open(state.Options{Dir: t.TempDir(), CacheBytes: 8 << 20, MemTableBytes: 4 << 20})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	result := &folded{plan: p, rows: map[string][]sql.Datum{}}
	open := func(s *Scan) (*exec.SourceSpec, int, error) {
		var batches []*stream.Batch
		for _, b := range db.logs[s.Relation.Name] {
			c := &stream.Batch{Ops: b.Ops, Rows: b.Rows}
			for _, i := range s.Columns {
				c.Columns = append(c.Columns, b.Columns[i])
			}
			batches = append(batches, c)
		}
		return &exec.SourceSpec{Bounded: true, Open: func(context.Context) (connectors.Source, error) { return rowsOf(batches), nil }}, 1, nil
	}
	eval := expr.Context{Location: time.UTC}
	out := exec.OperatorSpec{Name: "fold", Out: p.Schema(), New: func(*exec.Task) (stream.Operator, error) { return result, nil }}
	g, err := p.Graph(&Runtime{Parallelism: parallelism, Context: &eval, Open: open, Output: Output{Operators: []exec.OperatorSpec{out}, Spread: exec.Hash}})
	if err != nil {
		return nil, err
	}
	tables := map[string]state.TableID{}
	for i, id := range g.StateIDs() {
		tables[id] = state.TableID(3000 + i)
	}
	job := exec.NewJob(g, exec.JobConfig{Store: store, Meta: 2999, Tables: tables, CheckpointInterval: time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := job.Run(ctx); err != nil {
		return nil, err
	}
	return result.all(t), nil
}

// folded applies changes to a table by the plan's stream key. Changes that do not fit, an insert of
// a key that is there or the delete of a row that is not, are mistakes. Several tasks share it.
type folded struct {
	plan     *Plan
	mu       sync.Mutex
	rows     map[string][]sql.Datum
	mistakes []string
}

func (f *folded) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	types := f.plan.Schema().Types()
	for i := range b.Rows {
		row := make([]sql.Datum, len(types))
		for j, t := range types {
			row[j] = stream.Value(b.Columns[j], t, i)
		}
		key := []sql.Datum{}
		var keyTypes []sql.Type
		by := f.plan.StreamKey()
		if by == nil { // append-only: the rows themselves
			by = identity(len(types))
		}
		for _, k := range by {
			key, keyTypes = append(key, row[k]), append(keyTypes, types[k])
		}
		k := rowText(keyTypes, key)
		old, there := f.rows[k]
		switch {
		case b.Op(i) == stream.Insert && there:
			f.mistakes = append(f.mistakes, fmt.Sprintf("insert of %s, which is there", k))
		case b.Op(i) == stream.Insert:
			f.rows[k] = row
		case !there || rowText(types, old) != rowText(types, row):
			f.mistakes = append(f.mistakes, fmt.Sprintf("delete of %s, but there is %s", rowText(types, row), rowText(types, old)))
		default:
			delete(f.rows, k)
		}
	}
	return nil
}

func (f *folded) Watermark(stream.Watermark, stream.Output) error { return nil }
func (f *folded) Barrier(stream.Barrier, stream.Output) error     { return nil }

func (f *folded) all(t *testing.T) [][]sql.Datum {
	if len(f.mistakes) > 0 {
		t.Errorf("%d changes do not fit:\n%s", len(f.mistakes), strings.Join(f.mistakes[:min(5, len(f.mistakes))], "\n"))
	}
	var out [][]sql.Datum
	for _, row := range f.rows {
		out = append(out, row)
	}
	return out
}

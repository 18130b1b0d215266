package exec

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// Operators are tested by scripts, testdata/operators/*:
//
//	tumble-close              the operator, of scriptOperators
//	+ 10:01 a 5               an insert; - is a delete; in0, in1 … in front name an input
//	watermark 10:05
//	barrier
//	----
//	+ a 10:00 10:05 1 5       what it emits
//
// Values are in their types' text form without spaces; null is NULL; a time of day is one of
// 2024-01-01. `go test -rewrite` writes the outputs anew. Each script runs with the rows between two
// other lines as one batch, then one row at a time, two at a time, and with a commit and a restore
// from the store at every barrier, also when a batch has room for hardly any text: what comes out between two of these lines must be the same, but
// for the order of the rows of different keys. The same holds with NULLs put into each column in turn.

// scriptOperator is an operator to test.
type scriptOperator struct {
	in   sql.Schema
	out  sql.Schema
	make Constructor
	// ordered: the order of all rows matters
	ordered bool
}

func TestOperators(t *testing.T) {
	ops, store := scriptOperators(t), openStore(t)
	datadriven.Walk(t, "testdata/operators", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			op, ok := ops[d.Cmd]
			if !ok {
				t.Fatalf("%s: no operator %q", d.Pos, d.Cmd)
			}
			want := rerun(t, store, op, d.Pos, d.Input)
			for c := range op.in {
				for _, whole := range []bool{true, false} {
					rerun(t, store, op, d.Pos+fmt.Sprintf(" with NULLs in %s (all of it: %v)", op.in[c].Name, whole), withNulls(d.Input, c, whole))
				}
			}
			return join(want)
		})
	})
}

// rerun runs a script in all ways and returns what came out, each time alike.
func rerun(t *testing.T, store *state.Store, op scriptOperator, pos, script string) [][]string {
	want := runScript(t, store, op, script, 0, false)
	for _, size := range []int{1, 2, 1024} {
		for _, restore := range []bool{false, true} {
			got := runScript(t, store, op, script, size, restore)
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%s: with batches of %d, restore=%v:\n%s\nwant:\n%s", pos, size, restore, join(got), join(want))
			}
		}
	}
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	maxTextBytes = 1
	if got := runScript(t, store, op, script, 1024, true); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%s: with texts that fill a batch:\n%s\nwant:\n%s", pos, join(got), join(want))
	}
	return want
}

// withNulls puts NULL into a column of a script's rows: everywhere, or for about half of its values,
// always the same ones, so that deletes still match their inserts.
func withNulls(script string, column int, whole bool) string {
	lines := strings.Split(script, "\n")
	for i, line := range lines {
		row, comment, _ := strings.Cut(line, "#")
		fields := strings.Fields(row)
		at := slices.IndexFunc(fields, func(f string) bool { return f == "+" || f == "-" }) + 1 + column
		if at <= column || at >= len(fields) {
			continue
		}
		if whole || stream.HashString(fields[at])%2 == 0 {
			fields[at] = "null"
		}
		lines[i] = strings.Join(fields, " ")
		if comment != "" {
			lines[i] += " #" + comment
		}
	}
	return strings.Join(lines, "\n")
}

func join(segments [][]string) string {
	var sb strings.Builder
	for _, s := range segments {
		for _, line := range s {
			sb.WriteString(line + "\n")
		}
	}
	return sb.String()
}

// scriptRun is one run of a script.
type scriptRun struct {
	t     *testing.T
	op    scriptOperator
	store *state.Store
	table state.TableID
	task  *Task
	links []*link
	epoch uint64
	lines []string   // since the last watermark or barrier
	done  [][]string // the segments before
}

// scriptTables hands out a state table to each run.
var scriptTables = state.TableID(1024)

func runScript(t *testing.T, store *state.Store, op scriptOperator, script string, size int, restore bool) [][]string {
	scriptTables++
	r := &scriptRun{t: t, op: op, store: store, table: scriptTables}
	r.start()
	var rows []scriptRow
	flush := func() {
		for len(rows) > 0 {
			n := len(rows)
			if size > 0 {
				n = min(n, size)
			}
			for i := range rows[:n] { // one input at a time
				if rows[i].in != rows[0].in {
					n = i
					break
				}
			}
			r.must(r.links[0].push(rows[0].in, scriptBatch(t, op.in, rows[:n])))
			rows = rows[n:]
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch fields[0] {
		case "watermark":
			flush()
			r.must(r.links[0].Watermark(scriptWatermark(t, fields[1])))
			r.segment()
		case "barrier":
			flush()
			r.barrier(restore)
			r.segment()
		default:
			rows = append(rows, parseScriptRow(t, op.in, fields))
		}
	}
	flush()
	r.segment()
	return r.done
}

func (r *scriptRun) must(err error) {
	if err != nil {
		r.lines = append(r.lines, "error: "+err.Error())
	}
}

// start makes the operator as a job would after the last commit.
func (r *scriptRun) start() {
	cfg := &JobConfig{Store: r.store, Tables: map[string]state.TableID{"op": r.table}, Memory: NewMemory(defaultMemory)}
	env := &environment{job: cfg, now: func() time.Time { return time.Unix(0, 0) }, restored: r.epoch, wake: make(chan struct{}, 1)}
	env.committed.Store(r.epoch)
	r.task = &Task{Context: context.Background(), Parallelism: 1, Eval: &expr.Context{Most: maxTextBytes}, env: env, Store: r.store,
		batch: r.store.NewBatch(), epoch: r.epoch + 1}
	spec := &OperatorSpec{ID: "op", Name: "op", Out: r.op.out, New: r.op.make}
	stats := &OperatorStats{}
	r.task.stats, r.task.spec = stats, spec
	op, err := spec.New(r.task)
	if err != nil {
		r.t.Fatal(err)
	}
	run := &runner{task: r.task, ctx: r.task.Context, env: env, stats: &TaskStats{}}
	end := &link{r: run, op: scriptEnd{r}, stats: &OperatorStats{}, last: stream.MinWatermark, from: stats, check: newChecker(spec)}
	run.links = []*link{{r: run, op: op, stats: stats, next: end, last: stream.MinWatermark}, end}
	r.links = run.links
}

// scriptEnd prints what reaches it.
type scriptEnd struct{ r *scriptRun }

func (e scriptEnd) Barrier(stream.Barrier, stream.Output) error { return nil }

func (e scriptEnd) Watermark(w stream.Watermark, _ stream.Output) error {
	e.r.lines = append(e.r.lines, "watermark "+formatWatermark(w))
	return nil
}

func (e scriptEnd) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	r := e.r
	for i := range b.Rows {
		sign := "+"
		if b.Op(i) == stream.Delete {
			sign = "-"
		}
		for j, c := range r.op.out {
			sign += " " + formatCell(stream.Value(b.Columns[j], c.Type, i), c.Type)
		}
		r.lines = append(r.lines, sign)
	}
	return nil
}

func (r *scriptRun) barrier(restore bool) {
	r.epoch++
	before := r.links[0].r.enter(r.links[0].stats)
	r.must(r.links[0].op.Barrier(stream.Barrier{Epoch: r.epoch}, r.links[1]))
	r.links[0].r.enter(before)
	for _, l := range r.task.late {
		for i, row := range l.Rows {
			r.lines = append(r.lines, fmt.Sprintf("late %s: %s", formatWatermark(stream.Watermark(l.EventTimes[i])), row))
		}
	}
	for _, d := range r.task.dead {
		for _, l := range d.Letters {
			r.lines = append(r.lines, fmt.Sprintf("dead %s %s: %s", l.Code, l.Reason, l.Payload))
		}
	}
	r.task.late, r.task.dead = nil, nil
	if err := r.task.batch.CommitNoSync(); err != nil {
		r.t.Fatal(err)
	}
	r.task.env.committed.Store(r.epoch)
	r.task.epoch = r.epoch + 1
	if restore {
		last := r.links[0].last
		r.start()
		if last > stream.MinWatermark { // the sources restore event time
			lines := r.lines
			r.must(r.links[0].Watermark(last))
			r.lines = lines
		}
	}
}

// segment ends a stretch of output; only changes of one key have an order within it, and those are
// adjacent and begin alike, so a stable sort by the first columns keeps it.
func (r *scriptRun) segment() {
	if !r.op.ordered {
		slices.SortStableFunc(r.lines, func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) })
	}
	r.done = append(r.done, slices.Clone(r.lines))
	r.lines = r.lines[:0]
}

// sortKey is the first column of a change, and the whole of any other line, which come last.
func sortKey(line string) string {
	if line[0] != '+' && line[0] != '-' {
		return "~" + line
	}
	f := strings.Fields(line)
	return f[1]
}

type scriptRow struct {
	in  int
	op  int8
	row []sql.Datum
}

func parseScriptRow(t *testing.T, schema sql.Schema, fields []string) (r scriptRow) {
	t.Helper()
	if n, ok := strings.CutPrefix(fields[0], "in"); ok {
		r.in, _ = strconv.Atoi(n)
		fields = fields[1:]
	}
	r.op = map[string]int8{"+": stream.Insert, "-": stream.Delete}[fields[0]]
	if r.op == 0 || len(fields) != len(schema)+1 {
		t.Fatalf("no row of %d columns: %v", len(schema), fields)
	}
	for i, c := range schema {
		r.row = append(r.row, parseCell(t, c.Type, fields[i+1]))
	}
	return r
}

func scriptBatch(t *testing.T, schema sql.Schema, rows []scriptRow) *stream.Batch {
	b := &stream.Batch{Rows: len(rows)}
	for i, c := range schema {
		col := stream.NewBuilder(c.Type)
		for _, r := range rows {
			col.Append(r.row[i])
		}
		b.Columns = append(b.Columns, col.Finish())
	}
	for _, r := range rows {
		b.Ops = append(b.Ops, r.op)
	}
	if !slices.Contains(b.Ops, stream.Delete) {
		b.Ops = nil
	}
	return b
}

const scriptDay = "2024-01-01 "

func parseCell(t *testing.T, typ sql.Type, s string) sql.Datum {
	t.Helper()
	if s == "null" {
		return nil
	}
	if typ.Kind == sql.Timestamp {
		s = scriptDay + s
		if strings.Count(s, "-") > 2 || strings.Contains(s, "infinity") {
			s = strings.Replace(strings.TrimPrefix(s, scriptDay), "T", " ", 1)
		}
	}
	d, err := sql.ParseText(typ, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func formatCell(d sql.Datum, typ sql.Type) string {
	if d == nil {
		return "null"
	}
	s := sql.FormatText(typ, d)
	if typ.Kind == sql.Timestamp {
		s = strings.TrimSuffix(strings.TrimPrefix(s, scriptDay), ":00")
	}
	if s == "" {
		return "''"
	}
	return strings.ReplaceAll(s, " ", "T")
}

func scriptWatermark(t *testing.T, s string) stream.Watermark {
	if s == "max" {
		return stream.MaxWatermark
	}
	return stream.Watermark(parseCell(t, sql.TypeTimestamp, s).(sql.TimestampValue))
}

func formatWatermark(w stream.Watermark) string {
	if w == stream.MaxWatermark {
		return "max"
	}
	return formatCell(sql.TimestampValue(w), sql.TypeTimestamp)
}

package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// tableWriter changes a table with random epochs, as a job or DML would.
type tableWriter struct {
	store *state.Store
	table *state.RowTable
	log   *state.Changelog
	app   *state.Appender
	epoch uint64
	rows  map[int64]int64
}

var tableTypes = []sql.Type{sql.TypeInt8, sql.TypeInt8}

const epochTable = 3000

func newTableWriter(s *state.Store) *tableWriter {
	log := state.NewChangelog(3002, tableTypes)
	return &tableWriter{store: s, table: state.NewRowTable(3001, tableTypes, []int{0}), log: log, app: log.Appender(0), rows: map[int64]int64{}}
}

func (w *tableWriter) commit(t *testing.T, rng *rand.Rand, changes int) {
	b := w.store.NewBatch()
	w.epoch++
	for changes > 0 {
		n := min(changes, 1+rng.IntN(20)) // several batches an epoch
		changes -= n
		var ks, vs []int64
		var ops []int8
		for range n {
			k := int64(rng.IntN(5000))
			if old, ok := w.rows[k]; ok {
				ks, vs, ops = append(ks, k), append(vs, old), append(ops, stream.Delete)
				delete(w.rows, k)
				if rng.IntN(3) == 0 {
					continue
				}
			}
			v := rng.Int64N(1000)
			w.rows[k] = v
			ks, vs, ops = append(ks, k), append(vs, v), append(ops, stream.Insert)
		}
		c := &stream.Batch{Columns: []arrow.Array{stream.Int64s(ks, nil), stream.Int64s(vs, nil)}, Ops: ops, Rows: len(ks)}
		if err := w.table.Apply(b, c); err != nil {
			t.Error(err)
		}
		if err := w.app.Append(b, w.epoch, c); err != nil {
			t.Error(err)
		}
	}
	putEpoch(epochTable, b, w.epoch)
	if err := b.CommitNoSync(); err != nil {
		t.Error(err)
	}
}

func (w *tableWriter) spec() *TableSpec {
	return &TableSpec{Name: "base", Types: tableTypes, Key: []int{0}, Store: w.store, Table: w.table, Log: w.log, Needed: []int{1},
		Epoch: func(r state.Reader) (uint64, error) { return ReadEpoch(r, epochTable) }}
}

// A reader that is stopped and opened again at random positions, while the table changes, hands over
// changes that fold to the table.
func TestTableSourceBackfill(t *testing.T) {
	seed := seedtest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	w := newTableWriter(openStore(t))
	for range 5 {
		w.commit(t, rng, 4000)
	}
	spec := w.spec()
	spec.stepRows = 200
	src := tableSource{spec}
	pos, cursor := connectors.Position{LeaderEpoch: -1}, []byte(nil)
	got := map[int64]int{} // value → count
	for range 30 {
		split := connectors.Split{Topic: "base", Start: pos, End: -1}
		r, err := src.OpenAt(t.Context(), split, cursor)
		if err != nil {
			t.Fatal(err)
		}
		reader := r.(cursorReader)
		pending := map[int64]int{} // since the last place to stop at
		for range rng.IntN(4) + 1 {
			c, err := reader.Poll()
			if err != nil {
				t.Fatal(err)
			}
			if c == nil {
				break
			}
			if c.Batch != nil {
				for i, v := range stream.Values[int64](c.Batch.Columns[0]) {
					pending[v] += int(c.Batch.Op(i))
				}
			}
			if !reader.Midway() { // as if committed
				pos, cursor = c.Next, reader.Cursor()
				for v, n := range pending {
					got[v] += n
				}
				clear(pending)
			}
			if rng.IntN(2) == 0 {
				w.commit(t, rng, 50)
			}
		}
		reader.Close()
	}
	r, err := src.OpenAt(t.Context(), connectors.Split{Topic: "base", Start: pos, End: -1}, cursor)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		c, err := r.Poll()
		if err != nil {
			t.Fatal(err)
		}
		if c == nil {
			break
		}
		if c.Batch != nil {
			for i, v := range stream.Values[int64](c.Batch.Columns[0]) {
				got[v] += int(c.Batch.Op(i))
			}
		}
	}
	want := map[int64]int{}
	for _, v := range w.rows {
		want[v]++
	}
	for v, n := range got {
		if n == 0 {
			delete(got, v)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
}

// A job over a table or a view says how many epochs it is behind; while it is, it is neither idle nor
// one that keeps up.
func TestTableSourceLag(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	w := newTableWriter(openStore(t))
	for range 3 {
		w.commit(t, rng, 1000)
	}
	spec := w.spec()
	spec.stepRows = 200
	now := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	env := &environment{job: &JobConfig{}, now: func() time.Time { return now }, wake: make(chan struct{}, 1)}
	g := newSourceGroup(&SourceSpec{ID: "src", Name: "base", Watermark: &WatermarkSpec{}, Open: func(context.Context) (connectors.Source, error) { return NewTableSource(spec), nil }}, 1, false)
	r := &runner{task: &Task{Context: t.Context(), Parallelism: 1, Eval: &expr.Context{}, env: env}, ctx: t.Context(), env: env, stats: &TaskStats{}, watermark: stream.MinWatermark}
	r.links = []*link{{r: r, last: stream.MinWatermark}}
	task := newSourceTask(r, g)
	g.tasks = append(g.tasks, task)
	if err := g.open(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := task.add(<-task.added); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := task.reader.Close(); err != nil {
			t.Error(err)
		}
	}()
	stands := func(when string, position, end int64, idle, behind bool) {
		t.Helper()
		for range 20 {
			now = now.Add(time.Second)
			if err := task.look(task.turn()); err != nil {
				t.Fatal(err)
			}
		}
		st := (*task.status.Load())[0]
		isIdle := task.splits[splitID{topic: "base"}].idle(task.clock, now)
		if st.Position != position || st.End != end || isIdle != idle {
			t.Errorf("%s: position %d, end %d, idle %t, want %d, %d, %t", when, st.Position, st.End, isIdle, position, end, idle)
		}
		if got := task.behind(); got != behind {
			t.Errorf("%s: behind %t", when, got)
		}
	}
	read := func(until func(p int64) bool) {
		t.Helper()
		for !until(task.reader.Status()[0].Position) || task.midway() {
			if more, err := task.poll(task.turn()); err != nil || !more {
				t.Fatal("nothing to read", err)
			}
		}
	}
	stands("before the backfill", 0, 4, false, true)
	if _, err := task.poll(task.turn()); err != nil {
		t.Fatal(err)
	}
	stands("in the backfill", 0, 4, false, true)
	read(func(p int64) bool { return p == 4 })
	stands("at the end", 4, 4, true, false)
	for range 5 {
		w.commit(t, rng, 100)
	}
	stands("five epochs behind", 4, 9, false, true)
	read(func(p int64) bool { return p == 6 })
	stands("two of five read", 6, 9, false, true)
	read(func(p int64) bool { return p == 9 })
	stands("at the end again", 9, 9, true, false)
}

// A view over a table that changes, through its job, with restarts; and the same rows by a query.
func TestViewOverTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	w := newTableWriter(openStore(t))
	w.commit(t, rng, 3000)
	schema := sql.Schema{{Name: "v", Type: sql.TypeInt8}}
	spec := &AggregateSpec{Input: schema, Keys: []int{0}, Retract: true, Calls: propertyCalls(t, false)[:1]}
	view := state.NewRowTable(2000, spec.OutputSchema().Types(), []int{0})
	source := &SourceSpec{ID: "src", Name: "base", Schema: schema, Open: func(context.Context) (connectors.Source, error) { return NewTableSource(w.spec()), nil }}
	graph := func(ops ...OperatorSpec) *Graph {
		leaf := &Fragment{Name: "source", Parallelism: 1, Source: source}
		return &Graph{Fragments: []*Fragment{leaf, {Name: "agg", Parallelism: 1, Operators: ops,
			Inputs: []Edge{{From: leaf, Kind: Hash, Keys: []int{0}, Types: schema.Types()}}}}}
	}
	aggregate := OperatorSpec{ID: "agg", Name: "agg", Out: spec.OutputSchema(), New: NewAggregate(spec, false)}
	for i := range 5 {
		j := NewJob(graph(aggregate, OperatorSpec{ID: "view", Out: spec.OutputSchema(), New: NewMaterialize(view, nil)}),
			JobConfig{Store: w.store, Meta: 2002, Tables: map[string]state.TableID{"agg": 2003, "view": 2004}, CheckpointInterval: time.Millisecond})
		done := make(chan error, 1)
		go func() { done <- j.Run(t.Context()) }()
		for range 10 {
			w.commit(t, rng, 100)
			time.Sleep(time.Millisecond)
		}
		if i < 4 {
			j.Stop()
		} else {
			for {
				ps, err := readPositions(w.store, 2002, "src")
				if err != nil {
					t.Fatal(err)
				}
				if ps[splitID{"base", 0}].next.Offset == int64(w.epoch)+1 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			if s := j.Stats(); s.Sources[0].Records == 0 || len(s.Operators) != 2 || s.Operators[0].RowsIn == 0 {
				t.Errorf("stats: %+v", s)
			}
			j.Stop()
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	want := map[int64]int64{}
	for _, v := range w.rows {
		want[v]++
	}
	var lines []string
	for v, n := range want {
		lines = append(lines, fmt.Sprintf("%d|%d", v, n))
	}
	slices.Sort(lines)
	var got []string
	scan := view.Scan(w.store, state.KeyRange{}, nil, false)
	defer scan.Close()
	for b, err := scan.Next(); b != nil || err != nil; b, err = scan.Next() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, renderBatch(spec.OutputSchema(), b)...)
	}
	slices.Sort(got)
	diff(t, "view", got, lines)

	got = got[:0]
	err := RunQuery(t.Context(), graph(aggregate), QueryEnv{}, func(b *stream.Batch) error {
		got = append(got, renderBatch(spec.OutputSchema(), b)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	diff(t, "query", got, lines)
}

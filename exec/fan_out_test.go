package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// The property: of what is read once for several branches, each branch gets every row once, and
// whoever looks at the result sees all branches at the same place, whatever their pace, the
// parallelism, the epochs and the crashes.
func TestFanOut(t *testing.T) {
	seed := seedtest.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 7))
	rows := randomRows(rng, 3000)
	log, store := newFakeLog(3), openStore(t)
	table := state.NewRowTable(2000, fanOutResult().OutputSchema().Types(), []int{0})
	watched := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { watchBranches(t, store, table, watched) })
	for feed := rows; len(feed) > 0; {
		ctx, cancel := context.WithCancel(t.Context())
		j := NewJob(fanOutGraph(log, 1+rng.IntN(3), rng.Uint64(), table), JobConfig{Store: store, Meta: 2002,
			Tables: map[string]state.TableID{"agg": 2003, "view": 2004}, CheckpointInterval: time.Millisecond})
		done := make(chan error, 1)
		go func() { done <- j.Run(ctx) }()
		for n := min(len(feed), 200+rng.IntN(len(rows)/4)); n > 0; {
			k := min(n, 1+rng.IntN(40))
			log.append(rng.IntN(3), rowsBatch(feed[:k]))
			feed, n = feed[k:], n-k
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond)
		}
		if len(feed) == 0 {
			waitIdle(t, log, store, 3)
			j.Stop()
		} else {
			cancel() // a crash
		}
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
	close(watched)
	watch.Wait()
	sum := int64(0)
	for _, r := range rows {
		sum += r.v
	}
	result := fmt.Sprintf("%d|%d", len(rows), sum)
	got, _ := branchRows(t, store, table)
	want := []string{"'direct'|" + result, "'fast'|" + result, "'slow'|" + result}
	diff(t, "view", got, want)
}

// fanOutResult counts and sums the rows of each branch.
func fanOutResult() *AggregateSpec {
	in := sql.Schema{{Name: "branch", Type: sql.TypeText}, propertyInput[2]}
	call := func(name string, args ...int) agg.Call {
		types := make([]sql.Type, len(args))
		for i, a := range args {
			types[i] = in[a].Type
		}
		f, err := agg.Lookup(name, types, len(args) == 0)
		if err != nil {
			panic(err)
		}
		return agg.Call{Func: f, Args: args, Filter: -1}
	}
	return &AggregateSpec{Input: in, Keys: []int{0}, Calls: []agg.Call{call("count"), call("sum", 1)}, Retract: true}
}

// fanOutGraph reads a log once for two branches of fragments of their own, one of them slow, and a
// third that has only operators behind the exchange: the edges from the source differ in kind.
func fanOutGraph(src connectors.Source, p int, seed uint64, table *state.RowTable) *Graph {
	spec := fanOutResult()
	leaf := &Fragment{Name: "source", Parallelism: p, Source: &SourceSpec{ID: "src", Name: "t", Schema: propertyInput,
		Open:      func(context.Context) (connectors.Source, error) { return src, nil },
		Watermark: &WatermarkSpec{Column: 0, Delay: time.Minute, MaxSkew: -1}}}
	named := func(name string) OperatorSpec {
		return OperatorSpec{Name: name, Out: spec.Input, New: NewProject([]expr.Expr{
			expr.Literal(name, sql.TypeText), expr.Column(2, "v", propertyInput[2].Type)}, propertyInput)}
	}
	types := propertyInput.Types()
	fast := &Fragment{Name: "fast", Parallelism: p, Inputs: []Edge{{From: leaf, Kind: Forward, Types: types}}, Operators: []OperatorSpec{named("fast")}}
	hesitate := OperatorSpec{Name: "hesitate", Out: propertyInput, New: func(t *Task) (stream.Operator, error) {
		return &hesitant{rng: rand.New(rand.NewPCG(seed, uint64(t.Index)))}, nil
	}}
	slow := &Fragment{Name: "slow", Parallelism: p, Inputs: []Edge{{From: leaf, Kind: Forward, Types: types}}, Operators: []OperatorSpec{hesitate, named("slow")}}
	direct := &Fragment{Name: "direct", Parallelism: p, Inputs: []Edge{{From: leaf, Kind: Hash, Keys: []int{1}, Types: types}}, Operators: []OperatorSpec{named("direct")}}
	result := &Fragment{Name: "result", Parallelism: p}
	for _, f := range []*Fragment{fast, slow, direct} {
		result.Inputs = append(result.Inputs, Edge{From: f, Kind: Hash, Keys: []int{0}, Types: spec.Input.Types()})
	}
	result.Operators = []OperatorSpec{
		{Name: "union", Out: spec.Input, New: NewUnion()},
		{ID: "agg", Name: "aggregate", Out: spec.OutputSchema(), New: NewAggregate(spec, false)},
		{ID: "view", Name: "materialize", Out: spec.OutputSchema(), New: NewMaterialize(table, nil)},
	}
	return &Graph{Fragments: []*Fragment{leaf, fast, slow, direct, result}}
}

// hesitant passes on its rows, now and then after a while.
type hesitant struct{ rng *rand.Rand }

func (h *hesitant) Batch(_ int, b *stream.Batch, out stream.Output) error {
	if h.rng.IntN(3) == 0 {
		time.Sleep(time.Duration(h.rng.IntN(2000)) * time.Microsecond)
	}
	return out.Batch(b)
}

func (h *hesitant) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }
func (h *hesitant) Barrier(stream.Barrier, stream.Output) error           { return nil }

// watchBranches looks at the result all the time: all branches have the same, and never less than before.
func watchBranches(t *testing.T, store *state.Store, table *state.RowTable, until <-chan struct{}) {
	before := int64(0)
	for {
		select {
		case <-until:
			return
		default:
		}
		snap := store.Snapshot()
		rows, counts := branchRows(t, snap, table)
		if err := snap.Close(); err != nil {
			t.Error(err)
		}
		if len(rows) == 0 {
			continue
		}
		_, result, _ := strings.Cut(rows[0], "|")
		if len(rows) != 3 || slices.ContainsFunc(rows, func(r string) bool { return !strings.HasSuffix(r, "'|"+result) }) {
			t.Errorf("the branches are not in step: %v", rows)
			return
		}
		if counts[0] < before {
			t.Errorf("%d rows after %d", counts[0], before)
			return
		}
		before = counts[0]
	}
}

// branchRows are the rows of the result, and their counts.
func branchRows(t *testing.T, r state.Reader, table *state.RowTable) (rows []string, counts []int64) {
	scan := table.Scan(r, state.KeyRange{}, nil, false)
	defer scan.Close()
	for {
		b, err := scan.Next()
		if err != nil || b == nil {
			if err != nil {
				t.Error(err)
			}
			return rows, counts
		}
		rows = append(rows, renderBatch(fanOutResult().OutputSchema(), b)...)
		counts = append(counts, stream.Values[int64](b.Columns[1])...)
	}
}

// A branch that stands still holds up the source, not the memory.
func TestFanOutBackPressure(t *testing.T) {
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	log := newFakeLog(1)
	for i := range int64(100) {
		log.append(0, ints(i))
	}
	j := newTestJob(t)
	source := SourceSpec{ID: "src", Name: "t", Schema: intSchema, Open: func(context.Context) (connectors.Source, error) { return log, nil }}
	leaf := &Fragment{Name: "source", Parallelism: 1, Source: &source}
	pass := func(wait <-chan struct{}, n *int64) OperatorSpec {
		return OperatorSpec{Name: "pass", Out: intSchema, New: func(*Task) (stream.Operator, error) { return &gated{wait: wait, seen: n}, nil }}
	}
	var fast, slow int64
	passing := make(chan struct{})
	close(passing)
	edge := []Edge{{From: leaf, Kind: Forward, Types: intSchema.Types()}}
	g := &Graph{Fragments: []*Fragment{leaf, {Name: "fast", Parallelism: 1, Inputs: edge, Operators: []OperatorSpec{pass(passing, &fast)}},
		{Name: "slow", Parallelism: 1, Inputs: edge, Operators: []OperatorSpec{pass(gate, &slow)}}}}
	job := NewJob(g, j.cfg)
	done := make(chan error, 1)
	go func() { done <- job.Run(t.Context()) }()
	awaitRecords(job, queueLength)
	if n := recordsOf(job); n > queueLength+2 { // one at work, a queue full, one in the sender's hand
		t.Errorf("%d batches were read while a branch stood still", n)
	}
	open()
	awaitRecords(job, 100)
	job.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if fast != 100 || slow != 100 {
		t.Errorf("the branches have %d and %d of 100 rows", fast, slow)
	}
}

// gated counts its rows, and waits before each batch.
type gated struct {
	wait <-chan struct{}
	seen *int64
}

func (g *gated) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	<-g.wait
	*g.seen += int64(b.Rows)
	return nil
}

func (g *gated) Watermark(stream.Watermark, stream.Output) error { return nil }
func (g *gated) Barrier(stream.Barrier, stream.Output) error     { return nil }

// A job does not go on from positions of a source that its graph lacks: of two positions in one
// relation, made by a graph that read it twice, the other branch's rows would be lost.
func TestPositionsOfAnotherGraph(t *testing.T) {
	j := newTestJob(t)
	b := j.store.NewBatch()
	for source, offset := range map[string]int64{"src": 7, "src-2": 5} {
		p := positionRecord{source: source, id: splitID{topic: "t"}, next: connectors.Position{Offset: offset}}
		p.put(2002, b)
	}
	putEpoch(2002, b, 3)
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	err := j.job().Run(t.Context())
	if e := sql.AsError(err); err == nil || e.Code != sql.CodeObjectNotInState || !strings.Contains(e.Message, `"src-2"`) {
		t.Fatalf("got %v", err)
	}
}

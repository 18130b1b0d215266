package exec

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// discard is an Output that drops everything.
type discard struct{ rows int64 }

func (d *discard) Batch(b *stream.Batch) error { d.rows += int64(b.Rows); return nil }

func (d *discard) Watermark(stream.Watermark) error { return nil }

func benchTask() *Task {
	return &Task{Context: context.Background(), Parallelism: 1, Bounded: true, Eval: &expr.Context{},
		env: &environment{query: &QueryEnv{Memory: NewMemory(defaultMemory)}, now: time.Now, wake: make(chan struct{}, 1)}, stats: &OperatorStats{}, epoch: 1}
}

// ordersBatches are orders as the main query sees them: event time, category, amount.
func ordersBatches(n, categories int) (sql.Schema, []*stream.Batch) {
	schema := sql.Schema{{Name: "event_time", Type: sql.TypeTimestamp}, {Name: "category", Type: sql.TypeText}, {Name: "amount", Type: sql.FixedNumeric(10, 2)}}
	rng := rand.New(rand.NewPCG(1, 2))
	names := make([]string, categories)
	for i := range names {
		names[i] = []string{"electronics", "books", "toys", "garden", "sports", "home", "fashion", "food"}[i%8]
		if i >= 8 {
			names[i] = fmt.Sprint(names[i], i)
		}
	}
	var out []*stream.Batch
	t := time.Now().UnixMicro()
	for range n {
		ts, cat, amount := make([]int64, stream.TargetRows), make([]string, stream.TargetRows), make([]int64, stream.TargetRows)
		for i := range ts {
			t += 1000
			ts[i], cat[i], amount[i] = t-rng.Int64N(2_000_000), names[rng.IntN(categories)], rng.Int64N(1_000_000)
		}
		out = append(out, &stream.Batch{Rows: len(ts), Columns: append([]arrow.Array{stream.Timestamps(ts, nil), stream.Strings(cat, nil)}, stream.Fixed(schema[2].Type, amount, nil))})
	}
	return schema, out
}

func ordersSpec(tb testing.TB, schema sql.Schema) *AggregateSpec {
	return &AggregateSpec{Input: schema, Keys: []int{1}, Window: &WindowSpec{Size: 5 * time.Minute}, OnClose: true, Calls: []agg.Call{
		{Func: mustFunc(tb, "count"), Filter: -1},
		{Func: mustFunc(tb, "sum", schema[2].Type), Args: []int{2}, Filter: -1},
		{Func: mustFunc(tb, "avg", schema[2].Type), Args: []int{2}, Filter: -1},
	}}
}

func benchOperator(b *testing.B, make Constructor, batches []*stream.Batch, barrierEvery int) {
	op, err := make(benchTask())
	if err != nil {
		b.Fatal(err)
	}
	out := &discard{}
	b.ReportAllocs()
	b.ResetTimer()
	cpu := cpuSeconds()
	for i := range b.N {
		if err := op.Batch(0, batches[i%len(batches)], out); err != nil {
			b.Fatal(err)
		}
		if barrierEvery > 0 && i%barrierEvery == barrierEvery-1 {
			if err := op.Barrier(stream.Barrier{}, out); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)*stream.TargetRows/b.Elapsed().Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(b.N)*stream.TargetRows/(cpuSeconds()-cpu)/1e6, "Mrows/cpu-s")
}

// cpuSeconds is the processor time used so far: on a busy machine it tells more than the clock.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func BenchmarkLocalAggregate(b *testing.B) {
	for _, n := range []int{8, 1000, 100000} {
		b.Run(fmt.Sprint("categories=", n), func(b *testing.B) {
			schema, batches := ordersBatches(64, n)
			benchOperator(b, NewLocalAggregate(ordersSpec(b, schema)), batches, 1000)
		})
	}
}

func BenchmarkGroupAggregate(b *testing.B) {
	for _, n := range []int{8, 1000, 100000} {
		b.Run(fmt.Sprint("groups=", n), func(b *testing.B) {
			schema, batches := ordersBatches(64, n)
			spec := ordersSpec(b, schema)
			spec.Window, spec.OnClose = nil, false
			benchOperator(b, NewAggregate(spec, false), batches, 1000)
		})
	}
}

func BenchmarkWindowAssign(b *testing.B) {
	_, batches := ordersBatches(64, 8)
	benchOperator(b, NewWindowAssign(&WindowSpec{Size: time.Minute}, sql.TypeTimestamp), batches, 0)
}

func BenchmarkFilter(b *testing.B) {
	schema, batches := ordersBatches(64, 8)
	pred, err := expr.Operator("=", expr.Column(1, "category", sql.TypeText), expr.Literal("books", sql.TypeText))
	if err != nil {
		b.Fatal(err)
	}
	benchOperator(b, NewFilter(pred, schema), batches, 0)
}

// State beyond its memory: two million groups, touched at random, with a barrier and a commit every
// 32 batches. The metric is the rows per second at each budget.
func BenchmarkStateBeyondMemory(b *testing.B) {
	const groups = 2_000_000
	schema := sql.Schema{{Name: "k", Type: sql.TypeInt8, NotNull: true}, {Name: "v", Type: sql.TypeInt8}}
	rng := rand.New(rand.NewPCG(1, 1))
	var batches []*stream.Batch
	for range 512 {
		ks, vs := make([]int64, stream.TargetRows), make([]int64, stream.TargetRows)
		for i := range ks {
			ks[i], vs[i] = rng.Int64N(groups), rng.Int64N(1000)
		}
		batches = append(batches, &stream.Batch{Columns: []arrow.Array{stream.Int64s(ks, nil), stream.Int64s(vs, nil)}, Rows: stream.TargetRows})
	}
	spec := &AggregateSpec{Input: schema, Keys: []int{0}, Calls: []agg.Call{{Func: mustFunc(b, "sum", sql.TypeInt8), Args: []int{1}, Filter: -1}}}
	for _, budget := range []int64{1 << 30, 64 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("budget=%dMiB", budget>>20), func(b *testing.B) {
			store, err := state.Open(state.Options{Dir: b.TempDir(), CacheBytes: 64 << 20, MemTableBytes: 8 << 20})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			cfg := &JobConfig{Store: store, Tables: map[string]state.TableID{"agg": 2000}, Memory: NewMemory(budget)}
			env := &environment{job: cfg, now: time.Now, wake: make(chan struct{}, 1)}
			task := &Task{Context: b.Context(), Parallelism: 1, Eval: &expr.Context{}, env: env, Store: cfg.Store, batch: cfg.Store.NewBatch(),
				epoch: 1, stats: &OperatorStats{}, spec: &OperatorSpec{ID: "agg"}}
			op, err := NewAggregate(spec, false)(task)
			if err != nil {
				b.Fatal(err)
			}
			out := &discard{}
			var peak int64
			b.ResetTimer()
			for i := range b.N {
				if err := op.Batch(0, batches[i%len(batches)], out); err != nil {
					b.Fatal(err)
				}
				if i%32 == 31 || env.closeSoon.Swap(false) {
					peak = max(peak, op.(*groupAggregate).bytes())
					if err := op.Barrier(stream.Barrier{Epoch: task.epoch}, out); err != nil {
						b.Fatal(err)
					}
					if err := task.batch.Commit(); err != nil {
						b.Fatal(err)
					}
					env.committed.Store(task.epoch)
					task.epoch++
				}
			}
			b.ReportMetric(float64(b.N)*stream.TargetRows/b.Elapsed().Seconds()/1e3, "krows/s")
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}

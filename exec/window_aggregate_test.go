package exec

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// Groups of a window that closes are emitted in batches whose columns hold their texts, those that are only
// in the store as well.
func TestWindowOfLongTexts(t *testing.T) {
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	maxTextBytes = 20_000
	const groups = 300
	input := sql.Schema{{Name: "ts", Type: sql.TypeTimestamp}, {Name: "k", Type: sql.TypeText}, {Name: "v", Type: sql.TypeText}}
	text := agg.Call{Func: mustFunc(t, "max", sql.TypeText), Args: []int{2}, Filter: -1}
	for name, slide := range map[string]time.Duration{"tumble": time.Hour, "hop": 30 * time.Minute} {
		for _, evict := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, evicted %t", name, evict), func(t *testing.T) {
				spec := &AggregateSpec{Input: input, Keys: []int{1}, Calls: []agg.Call{text}, OnClose: true,
					Window: &WindowSpec{Kind: Hop, Time: 0, Size: time.Hour, Slide: slide}}
				pool := NewMemory(defaultMemory)
				if evict {
					pool = NewMemory(1)
				}
				store := openStore(t)
				env := &environment{job: &JobConfig{Store: store, Tables: map[string]state.TableID{"agg": 2000}, Memory: pool}, now: time.Now, wake: make(chan struct{}, 1)}
				task := &Task{Context: t.Context(), Parallelism: 1, Eval: &expr.Context{}, env: env, Store: store, epoch: 1,
					stats: &OperatorStats{}, spec: &OperatorSpec{ID: "agg"}}
				op, err := NewAggregate(spec, false)(task)
				if err != nil {
					t.Fatal(err)
				}
				times, keys, values := make([]int64, groups), make([]string, groups), make([]string, groups)
				for i := range groups {
					times[i] = int64(i%2) * (45 * time.Minute).Microseconds() // a HOP's first window has two slices
					keys[i], values[i] = fmt.Sprintf("%03d%s", i, strings.Repeat("k", 300)), fmt.Sprintf("%03d%s", i, strings.Repeat("v", 300))
				}
				var out batches
				b := &stream.Batch{Rows: groups, Columns: []arrow.Array{stream.Timestamps(times, nil), stream.Strings(keys, nil), stream.Strings(values, nil)}}
				task.batch = store.NewBatch()
				if err := op.Batch(0, b, &out); err != nil {
					t.Fatal(err)
				}
				for ; task.epoch <= 2; task.epoch++ { // what the first commits, the second may evict
					if err := op.Barrier(stream.Barrier{Epoch: task.epoch}, &out); err != nil {
						t.Fatal(err)
					}
					if err := task.batch.Commit(); err != nil {
						t.Fatal(err)
					}
					env.committed.Store(task.epoch)
				}
				for _, p := range op.(*windowAggregate).panes.byEnd {
					if p.groups.spilled != evict || evict && p.groups.table.Len() > 0 {
						t.Fatalf("%d groups are in memory, spilled %t", p.groups.table.Len(), p.groups.spilled)
					}
				}
				if err := op.Watermark(stream.Watermark(time.Hour.Microseconds()), &out); err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, b := range out {
					for _, c := range b.Columns {
						if n := stream.Size(c); n > maxTextBytes+500 {
							t.Errorf("a column of %d bytes in %d rows", n, b.Rows)
						}
					}
					for i := range b.Rows {
						if k, v := stream.Value(b.Columns[0], sql.TypeText, i).(string), stream.Value(b.Columns[3], sql.TypeText, i).(string); k[:3] == v[:3] && stream.Value(b.Columns[2], sql.TypeTimestamp, i) == sql.TimestampValue(time.Hour.Microseconds()) {
							seen[k] = true
						}
					}
				}
				if len(seen) != groups {
					t.Errorf("%d of %d groups", len(seen), groups)
				}
			})
		}
	}
}

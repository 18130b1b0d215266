package exec

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// One operator may hold the whole pool; when a second one grows, both get down to a half.
func TestMemoryIsSharedByNeed(t *testing.T) {
	m := NewMemory(1000)
	a, b, idle := &share{pool: m}, &share{pool: m}, &share{pool: m}
	idle.settle(1)
	if a.settle(700); a.excess(700) != 0 {
		t.Fatalf("700 of 1000 are too much for the only holder: evict %d", a.excess(700))
	}
	if b.settle(300); b.room() != 500 || a.room() != 699 {
		t.Fatalf("rooms are %d and %d", a.room(), b.room())
	}
	if got := a.excess(700); got != 700-699/2 {
		t.Fatalf("evict %d of 700", got)
	}
	a.settle(350)
	if b.grown(600) != true || b.grown(310) != false {
		t.Fatal("an epoch may grow by a quarter of the room")
	}
	a.set(0)
	b.set(0)
	idle.set(0)
	if m.Held() != 0 || m.holders.Load() != 0 {
		t.Fatalf("%d bytes, %d holders are left", m.Held(), m.holders.Load())
	}
}

// What was not changed for the longest time goes first, and no more of it than needed.
func TestEvictionTakesTheColdest(t *testing.T) {
	rows := newTestKeyed(t)
	for epoch := uint64(1); epoch <= 4; epoch++ {
		rows.epoch(epoch, int64(epoch-1)*1000, 1000)
	}
	each := rows.k.bytes() / 4000
	evictCold([]*keyed{rows.k}, 1500*each)
	left := rows.k.table.Len()
	if left < 2300 || left > 2700 {
		t.Fatalf("%d of 4000 groups are left, want about 2500", left)
	}
	for _, first := range []int64{2000, 3000} {
		if n := rows.inMemory(first, 1000); n != 1000 {
			t.Fatalf("%d of the younger groups from %d are left", n, first)
		}
	}
	if n := rows.inMemory(0, 1000); n != 0 {
		t.Fatalf("%d of the oldest groups are left", n)
	}
	// Read back, they are what they were.
	rows.epoch(5, 0, 4000)
	for id := range rows.k.table.Len() {
		if n := rows.k.set.RowCount(uint32(id)); n != 2 {
			t.Fatalf("group %d has %d rows, want 2", id, n)
		}
	}
}

// testKeyed is a keyed state of counts on a store of its own.
type testKeyed struct {
	t    *testing.T
	task *Task
	k    *keyed
}

func newTestKeyed(t *testing.T) *testKeyed {
	store := openStore(t)
	env := &environment{job: &JobConfig{Store: store, Tables: map[string]state.TableID{"agg": 2000}, Memory: NewMemory(defaultMemory)}, now: time.Now, wake: make(chan struct{}, 1)}
	task := &Task{Context: t.Context(), Parallelism: 1, Eval: &expr.Context{}, env: env, Store: store, batch: store.NewBatch(),
		stats: &OperatorStats{}, spec: &OperatorSpec{ID: "agg"}}
	l := newKeyedLayout(task, []sql.Type{sql.TypeInt8}, 1, nil, func() *agg.Set { return agg.NewSet(nil, nil, true) })
	return &testKeyed{t, task, l.newKeyed([]byte{groupCells}, false)}
}

func (r *testKeyed) keys(first int64, n int) []arrow.Array {
	vs := make([]int64, n)
	for i := range vs {
		vs[i] = first + int64(i)
	}
	cols := []arrow.Array{stream.Int64s(vs, nil)}
	r.k.layout.enc.Encode(cols, n)
	return cols
}

// epoch counts a row for each of n keys, and commits.
func (r *testKeyed) epoch(epoch uint64, first int64, n int) {
	r.task.epoch = epoch
	ids, err := r.k.resolve(r.keys(first, n), n)
	if err != nil {
		r.t.Fatal(err)
	}
	r.k.touch(ids)
	for _, id := range ids {
		r.k.set.Count(id, 1)
	}
	r.k.stage(false)
	if err := r.task.batch.Commit(); err != nil {
		r.t.Fatal(err)
	}
	r.task.env.committed.Store(epoch)
}

func (r *testKeyed) inMemory(first int64, n int) (found int) {
	r.keys(first, n)
	for i := range n {
		if _, ok := r.k.table.Find(i); ok {
			found++
		}
	}
	return found
}

// What is written while a barrier passes is committed with its epoch: the next one need not end early.
func TestBarrierAsksForNoOther(t *testing.T) {
	r := newTestKeyed(t).task
	r.closing = true
	if r.CloseEpoch(); r.env.closeSoon.Load() {
		t.Fatal("asked for another barrier in the middle of one")
	}
	r.closing = false
	if r.CloseEpoch(); !r.env.closeSoon.Load() {
		t.Fatal("did not ask for a barrier")
	}
}

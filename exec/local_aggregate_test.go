package exec

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// partials adds up what leaves a localAggregate of count(*): the keys' partial states.
type partials struct {
	window        bool
	counts        map[[2]int64]int64 // by key and slice
	rows, batches int
}

func (p *partials) Batch(b *stream.Batch) error {
	key := 0
	var ends []int64
	if p.window {
		ends, key = stream.Values[int64](b.Columns[0]), 1
	}
	counts := stream.Values[int64](b.Columns[key+1])
	for i, k := range stream.Values[int64](b.Columns[key]) {
		id := [2]int64{k}
		if ends != nil {
			id[1] = ends[i]
		}
		p.counts[id] += counts[i]
	}
	p.rows += b.Rows
	p.batches++
	return nil
}

func (p *partials) Watermark(stream.Watermark) error { return nil }

// Keys that hardly repeat go on as they come, those that do are folded, and which of them it is may
// change. Nothing is lost or counted twice on the way.
func TestLocalAggregateOfRareKeys(t *testing.T) {
	schema := sql.Schema{{Name: "ts", Type: sql.TypeTimestamp, NotNull: true}, {Name: "k", Type: sql.TypeInt8, NotNull: true}}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, window := range []*WindowSpec{nil, {Kind: Tumble, Size: time.Second}} {
		spec := &AggregateSpec{Input: schema, Keys: []int{1}, Window: window, OnClose: window != nil,
			Calls: []agg.Call{{Func: mustFunc(t, "count"), Filter: -1}}}
		op, err := NewLocalAggregate(spec)(benchTask())
		if err != nil {
			t.Fatal(err)
		}
		out := &partials{window: window != nil, counts: map[[2]int64]int64{}}
		want, pushed := map[[2]int64]int64{}, 0
		push := func(keys int64) {
			ts, ks := make([]int64, stream.TargetRows), make([]int64, stream.TargetRows)
			for i := range ks {
				ts[i], ks[i] = rng.Int64N(2_000_000), rng.Int64N(keys)
				id := [2]int64{ks[i]}
				if window != nil {
					id[1] = (ts[i]/1e6 + 1) * 1e6
				}
				want[id]++
			}
			pushed += len(ks)
			b := &stream.Batch{Columns: []arrow.Array{stream.Timestamps(ts, nil), stream.Int64s(ks, nil)}, Rows: len(ks)}
			if err := op.Batch(0, b, out); err != nil {
				t.Fatal(err)
			}
		}
		for out.rows == 0 {
			push(1 << 40)
		}
		if pushed > 2*maxLocalGroups {
			t.Errorf("the first states come after %d rows", pushed)
		}
		before := out.rows
		if push(1 << 40); out.rows != before+stream.TargetRows {
			t.Errorf("of %d rows with keys of their own, %d went on", stream.TargetRows, out.rows-before)
		}
		for n := pushed; pushed-n < 2*apartRows; {
			push(100)
		}
		if err := op.Barrier(stream.Barrier{}, out); err != nil {
			t.Fatal(err)
		}
		if out.rows > pushed*2/3 {
			t.Errorf("%d rows of 100 keys made %d states", pushed, out.rows)
		}
		if len(out.counts) != len(want) {
			t.Fatalf("%d groups, not %d", len(out.counts), len(want))
		}
		for id, n := range want {
			if out.counts[id] != n {
				t.Fatalf("group %v has %d rows, not %d", id, out.counts[id], n)
			}
		}
	}
}

// Rows that may be late carry themselves as JSON, in one column: long ones go in parts.
func TestLateRowsOfLongTexts(t *testing.T) {
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	maxTextBytes = 250
	schema := sql.Schema{{Name: "ts", Type: sql.TypeTimestamp, NotNull: true}, {Name: "k", Type: sql.TypeText, NotNull: true}}
	spec := &AggregateSpec{Input: schema, Keys: []int{1}, Window: &WindowSpec{Kind: Tumble, Size: time.Second}, OnClose: true,
		Calls: []agg.Call{{Func: mustFunc(t, "count"), Filter: -1}}}
	op, err := NewLocalAggregate(spec)(benchTask())
	if err != nil {
		t.Fatal(err)
	}
	const second = 1_000_000
	var out batches
	if err := op.Watermark(100*second, &out); err != nil {
		t.Fatal(err)
	}
	ts, ks := make([]int64, 15), make([]string, 15)
	for i := range ts {
		ts[i], ks[i] = int64(i)*second, strings.Repeat(string(rune('a'+i)), 100)
	}
	b := &stream.Batch{Rows: len(ts), Columns: []arrow.Array{stream.Timestamps(ts, nil), stream.Strings(ks, nil)}}
	if err := op.Batch(0, b, &out); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, part := range out {
		if part.Rows > 2 {
			t.Errorf("%d rows at once", part.Rows)
		}
		for i := range part.Rows {
			end := stream.Values[int64](part.Columns[0])[i]
			late := stream.Values[int64](part.Columns[3])[i]
			row := stream.Value(part.Columns[4], sql.TypeText, i).(string)
			if end != ts[at]+second || late != ts[at] || !strings.Contains(row, `"k":"`+ks[at]+`"`) {
				t.Errorf("row %d: slice %d, time %d, %s", at, end, late, row)
			}
			at++
		}
	}
	if at != len(ts) {
		t.Errorf("%d rows of %d", at, len(ts))
	}
}

package exec

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// The property: whatever the data, its disorder, the batches, the epochs, the parallelism and the
// crashes, what a job leaves behind is what a query over the same rows gives, computed naively.

var propertyInput = sql.Schema{
	{Name: "ts", Type: sql.TypeTimestamp},
	{Name: "k", Type: sql.TypeText},
	{Name: "v", Type: sql.FixedNumeric(10, 2)},
	{Name: "i", Type: sql.TypeInt4},
}

type inputRow struct {
	ts int64
	k  *string
	v  int64 // hundredths
	i  *int64
}

func randomRows(rng *rand.Rand, n int) []inputRow {
	rows := make([]inputRow, n)
	for i := range rows {
		rows[i].ts = int64(i)*7_000_000 - int64(rng.IntN(40))*1_000_000 - 5_000_000_000
		if rng.IntN(20) > 0 {
			k := []string{"", "a", "books", "electronics", "a key that is longer than fifteen bytes", "a key that is longer than fifteen bytex"}[rng.IntN(6)]
			if rng.IntN(3) == 0 {
				k = "k" + strconv.Itoa(rng.IntN(50))
			}
			rows[i].k = &k
		}
		rows[i].v = int64(rng.IntN(2_000_000)) - 1_000_000
		if rng.IntN(10) > 0 {
			v := int64(rng.IntN(7))
			rows[i].i = &v
		}
	}
	return rows
}

func rowsBatch(rows []inputRow) *stream.Batch {
	bs := []*stream.Builder{}
	for _, c := range propertyInput {
		bs = append(bs, stream.NewBuilder(c.Type))
	}
	for _, r := range rows {
		bs[0].Append(sql.TimestampValue(r.ts))
		if r.k == nil {
			bs[1].Append(nil)
		} else {
			bs[1].Append(*r.k)
		}
		d := new(sql.Decimal)
		d.SetFinite(r.v, 0)
		d.Exponent = -2
		bs[2].Append(d)
		if r.i == nil {
			bs[3].Append(nil)
		} else {
			bs[3].Append(*r.i)
		}
	}
	b := &stream.Batch{Rows: len(rows)}
	for _, x := range bs {
		b.Columns = append(b.Columns, x.Finish())
	}
	return b
}

func mustFunc(t testing.TB, name string, args ...sql.Type) *agg.Func {
	t.Helper()
	f, err := agg.Lookup(name, args, len(args) == 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func propertyCalls(t testing.TB, distinct bool) []agg.Call {
	num, i4 := sql.FixedNumeric(10, 2), sql.TypeInt4
	calls := []agg.Call{
		{Func: mustFunc(t, "count"), Filter: -1},
		{Func: mustFunc(t, "sum", num), Args: []int{2}, Filter: -1},
		{Func: mustFunc(t, "max", num), Args: []int{2}, Filter: -1},
		{Func: mustFunc(t, "count", i4), Args: []int{3}, Filter: -1},
		{Func: mustFunc(t, "min", i4), Args: []int{3}, Filter: -1},
	}
	if distinct {
		calls = append(calls, agg.Call{Func: mustFunc(t, "sum", i4), Args: []int{3}, Filter: -1, Distinct: true})
	}
	return calls
}

// naive computes the aggregation row by row.
func naive(rows []inputRow, w *WindowSpec, distinct bool) []string {
	type acc struct {
		n, sum, max, cnt, min int64
		seen                  map[int64]bool
	}
	groups := map[string]*acc{}
	add := func(key string, r inputRow) {
		a := groups[key]
		if a == nil {
			a = &acc{max: -1 << 62, min: 1 << 62, seen: map[int64]bool{}}
			groups[key] = a
		}
		a.n++
		a.sum += r.v
		a.max = max(a.max, r.v)
		if r.i != nil {
			a.cnt++
			a.min = min(a.min, *r.i)
			a.seen[*r.i] = true
		}
	}
	for _, r := range rows {
		k := "NULL"
		if r.k != nil {
			k = "'" + *r.k + "'"
		}
		if w == nil {
			add(k, r)
			continue
		}
		ws := newWindows(w)
		start := floor(r.ts-ws.offset, ws.slide) + ws.offset
		for s := start; s > r.ts-ws.size; s -= ws.slide {
			add(fmt.Sprintf("%s|%d|%d", k, s, s+ws.size), r)
		}
	}
	var out []string
	for key, a := range groups {
		line := fmt.Sprintf("%s|%d|%d|%d|%d|", key, a.n, a.sum, a.max, a.cnt)
		if a.cnt == 0 {
			line += "NULL"
		} else {
			line += strconv.FormatInt(a.min, 10)
		}
		if distinct {
			if a.cnt == 0 {
				line += "|NULL"
			} else {
				s := int64(0)
				for v := range a.seen {
					s += v
				}
				line += "|" + strconv.FormatInt(s, 10)
			}
		}
		out = append(out, line)
	}
	sort.Strings(out)
	return out
}

// render prints rows as naive does.
func render(schema sql.Schema, row []sql.Datum) string {
	var parts []string
	for i, d := range row {
		switch v := d.(type) {
		case nil:
			parts = append(parts, "NULL")
		case string:
			parts = append(parts, "'"+v+"'")
		case int64:
			parts = append(parts, strconv.FormatInt(v, 10))
		case sql.TimestampValue:
			parts = append(parts, strconv.FormatInt(int64(v), 10))
		case *sql.Decimal:
			parts = append(parts, strings.Replace(v.Text('f'), ".", "", 1))
			if s := parts[len(parts)-1]; strings.HasPrefix(s, "0") || strings.HasPrefix(s, "-0") {
				n, _ := strconv.Atoi(s)
				parts[len(parts)-1] = strconv.Itoa(n)
			}
		default:
			panic(fmt.Sprintf("%T in column %s", d, schema[i].Name))
		}
	}
	return strings.Join(parts, "|")
}

func openStore(t testing.TB) *state.Store {
	t.Helper()
	o := state.Options{Dir: t.TempDir(), CacheBytes: 16 << 20, MemTableBytes: 2 << 20}
	s, err := state.Open(o.Ingest(10_000))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

type propertyCase struct {
	name        string
	window      *WindowSpec
	onClose     bool
	distinct    bool
	parallelism int
	splits      int
	budget      int64
}

func TestAggregationEqualsBatch(t *testing.T) {
	seed := seedtest.Seed(t)
	tumble := &WindowSpec{Kind: Tumble, Size: time.Minute}
	hop := &WindowSpec{Kind: Hop, Size: 3 * time.Minute, Slide: time.Minute, Offset: 10 * time.Second}
	for _, c := range []propertyCase{
		{name: "groups", parallelism: 2, splits: 3},
		{name: "groups_evicted", parallelism: 2, splits: 3, budget: 1},
		{name: "groups_distinct", parallelism: 2, splits: 3, distinct: true, budget: 1},
		{name: "groups_partly_evicted", parallelism: 3, splits: 3, distinct: true, budget: 24 << 10},
		{name: "tumble_update", window: tumble, parallelism: 2, splits: 2},
		{name: "tumble_close", window: tumble, onClose: true, parallelism: 3, splits: 2},
		{name: "tumble_close_evicted", window: tumble, onClose: true, parallelism: 2, splits: 2, budget: 1},
		{name: "hop_distinct_close", window: hop, onClose: true, distinct: true, parallelism: 3, splits: 2},
		{name: "tumble_distinct", window: tumble, onClose: true, distinct: true, parallelism: 2, splits: 2, budget: 1},
		{name: "hop_update", window: hop, parallelism: 2, splits: 2},
		{name: "hop_close", window: hop, onClose: true, parallelism: 2, splits: 2},
		{name: "hop_close_partly_evicted", window: hop, onClose: true, parallelism: 2, splits: 2, budget: 24 << 10},
		{name: "hop_close_evicted", window: hop, onClose: true, parallelism: 2, splits: 2, budget: 1},
		{name: "hop_distinct", window: hop, distinct: true, parallelism: 2, splits: 2},
	} {
		t.Run(c.name, func(t *testing.T) { checkProperty(t, c, rand.New(rand.NewPCG(seed, 1))) })
	}
}

// memory is a pool of the case's budget; without one the default, which nothing here exceeds.
func (c *propertyCase) memory() *Memory {
	if c.budget == 0 {
		return nil
	}
	return NewMemory(c.budget)
}

func checkProperty(t *testing.T, c propertyCase, rng *rand.Rand) {
	rows := randomRows(rng, 1500)
	log := newFakeLog(c.splits)
	store := openStore(t)
	spec := &AggregateSpec{Input: propertyInput, Keys: []int{1}, Window: c.window, Calls: propertyCalls(t, c.distinct), OnClose: c.onClose, Source: "t"}
	key := []int{0}
	if c.window != nil {
		key = []int{0, 2}
	}
	table := state.NewRowTable(2000, spec.OutputSchema().Types(), key)
	changelog := state.NewChangelog(2001, spec.OutputSchema().Types())
	run := func(ctx context.Context) (*Job, error) {
		p := 1 + rng.IntN(c.parallelism)
		j := NewJob(aggregateGraph(spec, log, p, table, changelog), JobConfig{Store: store, Meta: 2002,
			Tables: map[string]state.TableID{"agg": 2003, "view": 2004}, Memory: c.memory(), CheckpointInterval: time.Millisecond})
		return j, nil
	}
	// Feed the rows in pieces, while the job is killed now and then.
	feed := rows
	last := rowsBatch([]inputRow{{ts: 1 << 50}}) // closes every window but its own
	for runs := 0; ; runs++ {
		ctx, cancel := context.WithCancel(context.Background())
		j, _ := run(ctx)
		done := make(chan error, 1)
		go func() { done <- j.Run(ctx) }()
		for n := rng.IntN(len(rows)/3) + 50; n > 0 && len(feed) > 0; {
			k := min(1+rng.IntN(60), len(feed))
			log.append(rng.IntN(c.splits), rowsBatch(feed[:k]))
			feed, n = feed[k:], n-k
			time.Sleep(time.Duration(rng.IntN(1500)) * time.Microsecond)
		}
		if len(feed) > 0 && runs < 8 {
			cancel() // a crash: whatever was not committed is forgotten
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			continue
		}
		if len(feed) > 0 {
			log.append(0, rowsBatch(feed))
		}
		if c.onClose {
			for i := range c.splits {
				log.append(i, last)
			}
		}
		waitIdle(t, log, store, c.splits)
		j.Stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		cancel()
		break
	}
	var got []string
	scan := table.Scan(store, state.KeyRange{}, nil, false)
	defer scan.Close()
	folded := map[string]int{}
	for {
		b, err := scan.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		got = append(got, renderBatch(spec.OutputSchema(), b)...)
	}
	slices.Sort(got)
	want := naive(rows, c.window, c.distinct)
	diff(t, "view", got, want)
	if c.onClose {
		checkCells(t, store)
	}
	r, err := changelog.Read(store, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		_, b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			break
		}
		for i, line := range renderBatch(spec.OutputSchema(), b) {
			folded[line] += int(b.Op(i))
			if c.onClose && b.Op(i) == stream.Delete {
				t.Errorf("a delete of a window that was emitted on close: %s", line)
			}
		}
	}
	got = got[:0]
	for line, n := range folded {
		if n != 0 && n != 1 {
			t.Errorf("%d × %s", n, line)
		}
		if n == 1 {
			got = append(got, line)
		}
	}
	slices.Sort(got)
	diff(t, "folded changelog", got, want)
}

// checkCells finds what closed windows left behind: only the windows of the last row are open.
func checkCells(t *testing.T, store *state.Store) {
	t.Helper()
	it := store.Iter(state.TableRange(2003))
	defer it.Close()
	left := 0
	for ok := it.First(); ok; ok = it.Next() {
		if key := state.CellKey(it); key[0] != metaCell {
			left++
		}
	}
	if left > 3 {
		t.Errorf("%d cells of closed windows are left", left)
	}
}

func renderBatch(schema sql.Schema, b *stream.Batch) (out []string) {
	for i := range b.Rows {
		row := make([]sql.Datum, len(schema))
		for j, c := range schema {
			row[j] = stream.Value(b.Columns[j], c.Type, i)
		}
		out = append(out, render(schema, row))
	}
	return out
}

func diff(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	n := 0
	for _, g := range got {
		if !slices.Contains(want, g) && n < 5 {
			t.Errorf("%s: unexpected %s", what, g)
			n++
		}
	}
	n = 0
	for _, w := range want {
		if !slices.Contains(got, w) && n < 5 {
			t.Errorf("%s: missing %s", what, w)
			n++
		}
	}
	t.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
}

// waitIdle waits until the committed positions are the logs' ends.
func waitIdle(t *testing.T, log *fakeLog, store *state.Store, splits int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		ps, err := readPositions(store, 2002, "src")
		if err != nil {
			t.Fatal(err)
		}
		ok := true
		for i := range splits {
			log.mu.Lock()
			ok = ok && ps[splitID{"t", int32(i)}].next.Offset == int64(len(log.splits[i]))
			log.mu.Unlock()
		}
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the job does not get on")
		}
		time.Sleep(time.Millisecond)
	}
}

func aggregateGraph(spec *AggregateSpec, src connectors.Source, p int, table *state.RowTable, log *state.Changelog) *Graph {
	leaf := &Fragment{Name: "source", Parallelism: p, Source: &SourceSpec{ID: "src", Name: "t", Schema: spec.Input,
		Open:      func(context.Context) (connectors.Source, error) { return src, nil },
		Watermark: &WatermarkSpec{Column: 0, Delay: 10 * time.Minute, MaxSkew: -1}}}
	final := &Fragment{Name: "agg", Parallelism: p}
	if spec.TwoPhase() {
		leaf.Operators = append(leaf.Operators, OperatorSpec{Name: "local", Out: spec.PartialSchema(), New: NewLocalAggregate(spec)})
		final.Inputs = []Edge{{From: leaf, Kind: Hash, Keys: spec.PartialKeys(), Types: spec.PartialSchema().Types()}}
	} else {
		final.Inputs = []Edge{{From: leaf, Kind: Hash, Keys: spec.Keys, Types: spec.Input.Types()}}
	}
	final.Operators = []OperatorSpec{
		{ID: "agg", Name: "aggregate", Out: spec.OutputSchema(), New: NewAggregate(spec, spec.TwoPhase())},
		{ID: "view", Name: "materialize", Out: spec.OutputSchema(), New: NewMaterialize(table, log)},
	}
	return &Graph{Fragments: []*Fragment{leaf, final}}
}

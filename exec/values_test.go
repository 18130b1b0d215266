package exec

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// The property: aggregates that keep their values, over groups of one value to thousands, through
// inserts and deletes, evictions, commits at any moment after the barrier, crashes and other
// parallelisms, show at every barrier what the rows give, computed naively.

var valuesInput = sql.Schema{
	{Name: "ts", Type: sql.TypeTimestamp},
	{Name: "k", Type: sql.TypeInt4},
	{Name: "v", Type: sql.TypeInt4},
	{Name: "s", Type: sql.TypeText},
	{Name: "f", Type: sql.TypeBool},
	{Name: "sep", Type: sql.TypeText},
	{Name: "d", Type: sql.TypeNumeric},
}

// valueRow is a row; nil is NULL.
type valueRow struct {
	ts, k int64
	v     any // int64
	s     any // string
	f     any // bool
	d     string
}

func valuesCalls(t *testing.T) []agg.Call {
	call := func(name string, filter int, distinct bool, order []agg.Order, args ...int) agg.Call {
		types := make([]sql.Type, len(args))
		for i, a := range args {
			types[i] = valuesInput[a].Type
		}
		return agg.Call{Func: mustFunc(t, name, types...), Args: args, Filter: filter, Distinct: distinct, OrderBy: order}
	}
	return []agg.Call{
		call("min", -1, false, nil, 2),
		call("max", -1, false, nil, 2),
		call("max", 4, false, nil, 3),
		call("min", -1, true, nil, 3),
		call("max", -1, false, nil, 6),
		call("count", -1, true, nil, 2),
		call("array_agg", -1, false, []agg.Order{{Column: 2, Desc: true, NullsFirst: true}}, 2),
		call("array_agg", 4, true, []agg.Order{{Column: 2}}, 2),
		call("string_agg", -1, false, []agg.Order{{Column: 2}}, 3, 5),
		call("array_agg", -1, false, nil, 3),
	}
}

func valuesBatch(rows []valueRow, ops []int8) *stream.Batch {
	var bs []*stream.Builder
	for _, c := range valuesInput {
		bs = append(bs, stream.NewBuilder(c.Type))
	}
	for _, r := range rows {
		bs[0].Append(sql.TimestampValue(r.ts))
		bs[1].Append(r.k)
		bs[2].Append(r.v)
		bs[3].Append(r.s)
		bs[4].Append(r.f)
		bs[5].Append("-")
		d, err := sql.ParseText(sql.TypeNumeric, r.d)
		if err != nil {
			panic(err)
		}
		bs[6].Append(d)
	}
	b := &stream.Batch{Rows: len(rows), Ops: ops}
	for _, x := range bs {
		b.Columns = append(b.Columns, x.Finish())
	}
	return b
}

func randomValueRow(r *rand.Rand, wide int) valueRow {
	row := valueRow{ts: int64(r.IntN(3)) * time.Minute.Microseconds(), k: int64(r.IntN(12)), v: int64(r.IntN(wide)) - 100, s: strconv.Itoa(r.IntN(wide)), f: r.IntN(2) == 0}
	if r.IntN(3) > 0 {
		row.k = int64(r.IntN(2)) // two large groups
	}
	if r.IntN(8) == 0 {
		row.v = nil
	}
	if r.IntN(8) == 0 {
		row.s = nil
	}
	if r.IntN(8) == 0 {
		row.f = nil
	}
	row.d = []string{"1.0", "1", "1.00", "2.5"}[r.IntN(4)]
	if r.IntN(2) == 0 {
		row.d = strconv.Itoa(r.IntN(wide))
	}
	return row
}

// naiveValues is what valuesCalls give for the rows of a group.
func naiveValues(rows []valueRow) string {
	none := func(any) bool { return false }
	null := func(x any) bool { return x == nil }
	v, s := func(r valueRow) any { return r.v }, func(r valueRow) any { return r.s }
	of := func(get func(valueRow) any, filter, distinct bool, skip func(any) bool) (out []any) {
		for _, r := range rows {
			x := get(r)
			if filter && r.f != true || skip(x) || distinct && slices.Contains(out, x) {
				continue
			}
			out = append(out, x)
		}
		slices.SortFunc(out, compareAny)
		return out
	}
	list := func(xs []any) string {
		if len(xs) == 0 {
			return "NULL"
		}
		var parts []string
		for _, x := range xs {
			if x == nil {
				x = "NULL"
			}
			parts = append(parts, fmt.Sprint(x))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	first := func(xs []any) string { return strings.Trim(list(xs[:min(len(xs), 1)]), "{}") }
	last := func(xs []any) string { return strings.Trim(list(xs[max(len(xs)-1, 0):]), "{}") }
	d := 0.0
	for i, r := range rows {
		x, _ := strconv.ParseFloat(r.d, 64)
		if d = max(d, x); i == 0 {
			d = x
		}
	}
	down := of(v, false, false, none) // NULLs last, so first when turned round
	slices.Reverse(down)
	joined := slices.Clone(rows)
	slices.SortStableFunc(joined, func(a, b valueRow) int { return cmp.Or(compareAny(a.v, b.v), compareAny(a.s, b.s)) })
	var texts []string
	for _, r := range joined {
		if r.s != nil {
			texts = append(texts, r.s.(string))
		}
	}
	text := "NULL"
	if len(texts) > 0 {
		text = strings.Join(texts, "-")
	}
	return strings.Join([]string{first(of(v, false, false, null)), last(of(v, false, false, null)), last(of(s, true, false, null)), first(of(s, false, true, null)),
		strconv.FormatFloat(d, 'f', -1, 64), strconv.Itoa(len(of(v, false, true, null))),
		list(down), list(of(v, true, true, none)), text, list(of(s, false, false, none))}, " ")
}

// compareAny orders ints and strings, with NULL last.
func compareAny(a, b any) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	case fmt.Sprintf("%T", a) == "int64":
		return cmp.Compare(a.(int64), b.(int64))
	}
	return cmp.Compare(a.(string), b.(string))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// valuesRun is an aggregation in one or more tasks, of which the test makes the barriers and the commits.
type valuesRun struct {
	t      testing.TB
	r      *rand.Rand
	spec   *AggregateSpec
	store  *state.Store
	pool   *Memory
	env    *environment
	tasks  []*Task
	ops    []stream.Operator
	view   map[string]int // what was emitted, as rows of text
	rows   []valueRow     // the input
	epoch  uint64         // the open one
	stored uint64         // the last that was committed
	staged []*state.Batch // written, not committed
	saved  savedRun       // what a crash goes back to
	next   savedRun       // what staged commits
	long   bool           // some texts are long enough to make a group large
}

type savedRun struct {
	view map[string]int
	rows []valueRow
}

func (s *valuesRun) Watermark(stream.Watermark) error { return nil }

func (s *valuesRun) Batch(b *stream.Batch) error {
	schema := s.spec.OutputSchema()
	for i := range b.Rows {
		var parts []string
		for c, col := range schema {
			d := stream.Value(b.Columns[c], col.Type, i)
			switch {
			case d == nil:
				parts = append(parts, "NULL")
			case col.Type.Kind == sql.Numeric: // equal ones of different scales are one value here
				f, _ := strconv.ParseFloat(sql.FormatText(col.Type, d), 64)
				parts = append(parts, strconv.FormatFloat(f, 'f', -1, 64))
			case s.spec.Window != nil && col.Name == "window_start":
			case col.Name == "window_end":
				parts = append(parts, strconv.FormatInt(int64(d.(sql.TimestampValue)), 10))
			default:
				parts = append(parts, sql.FormatText(col.Type, d))
			}
		}
		line := strings.Join(parts, " ")
		if s.view[line] += int(b.Op(i)); s.view[line] == 0 {
			delete(s.view, line)
		}
	}
	return nil
}

// start makes the operators as after a crash.
func (s *valuesRun) start() {
	s.view, s.rows, s.staged = maps.Clone(s.saved.view), slices.Clone(s.saved.rows), nil
	if s.env != nil {
		s.env.releaseMemory()
	}
	restored := s.stored
	s.epoch = restored + 1
	s.env = &environment{job: &JobConfig{Store: s.store, Tables: map[string]state.TableID{"agg": 2000}, Memory: s.pool}, now: time.Now, restored: restored, wake: make(chan struct{}, 1)}
	s.env.committed.Store(restored)
	s.tasks, s.ops = nil, nil
	n := 1 + s.r.IntN(3)
	for i := range n {
		task := &Task{Context: s.t.Context(), Index: i, Parallelism: n, Eval: &expr.Context{}, env: s.env, Store: s.store, batch: s.store.NewBatch(),
			stats: &OperatorStats{}, spec: &OperatorSpec{ID: "agg"}, epoch: s.epoch}
		op, err := NewAggregate(s.spec, false)(task)
		s.must(err)
		s.tasks, s.ops = append(s.tasks, task), append(s.ops, op)
	}
}

func (s *valuesRun) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// send gives rows to the tasks that have their keys.
func (s *valuesRun) send(rows []valueRow, ops []int8) {
	b := valuesBatch(rows, ops)
	hashes := hashColumns(nil, b.Columns[1:2], []sql.Type{sql.TypeInt4}, b.Rows)
	parts := make([][]int32, len(s.tasks))
	for i, h := range hashes {
		to := 0
		if len(s.spec.Keys) > 0 {
			to = state.TaskOf(state.Shard(h), len(s.tasks))
		}
		parts[to] = append(parts[to], int32(i))
	}
	for i, part := range parts {
		if len(part) > 0 {
			s.must(s.ops[i].Batch(0, stream.TakeBatch(b, part), s))
		}
	}
}

// change inserts and deletes rows.
func (s *valuesRun) change(wide int, shrink bool) {
	var rows []valueRow
	var ops []int8
	for range 1 + s.r.IntN(60) {
		if len(s.rows) > 0 && (s.r.IntN(10) < 4) != shrink {
			at := s.r.IntN(len(s.rows))
			rows, ops = append(rows, s.rows[at]), append(ops, stream.Delete)
			s.rows = slices.Delete(s.rows, at, at+1)
			continue
		}
		row := randomValueRow(s.r, wide)
		if s.long && s.r.IntN(40) == 0 {
			row.s = strings.Repeat(strconv.Itoa(s.r.IntN(5)), 1<<16)
		}
		rows, ops, s.rows = append(rows, row), append(ops, stream.Insert), append(s.rows, row)
	}
	s.send(rows, ops)
}

// barrier ends the epoch, after the one before was committed.
func (s *valuesRun) barrier() {
	s.commit(true)
	for i, op := range s.ops {
		s.must(op.Barrier(stream.Barrier{Epoch: s.epoch}, s))
		s.staged = append(s.staged, s.tasks[i].batch)
		s.tasks[i].batch = s.store.NewBatch()
		s.tasks[i].epoch = s.epoch + 1
	}
	s.epoch++
	s.next = savedRun{maps.Clone(s.view), slices.Clone(s.rows)}
	s.compare()
}

// commit writes what was staged; told says that the tasks get to know.
func (s *valuesRun) commit(told bool) {
	if s.staged != nil {
		all := s.store.NewBatch()
		for _, b := range s.staged {
			all.Merge(b)
		}
		s.must(all.Commit())
		s.staged, s.saved, s.stored = nil, s.next, s.epoch-1
	}
	if told {
		s.env.committed.Store(s.epoch - 1)
	}
}

func (s *valuesRun) compare() {
	s.t.Helper()
	groups := map[string][]valueRow{}
	if len(s.spec.Keys) == 0 {
		groups[""] = nil
	}
	for _, r := range s.rows {
		key := ""
		if len(s.spec.Keys) > 0 {
			key = fmt.Sprint(r.k, " ")
		}
		if s.spec.Window != nil {
			key += fmt.Sprint(r.ts+time.Minute.Microseconds(), " ")
		}
		groups[key] = append(groups[key], r)
	}
	want := map[string]int{}
	for key, rows := range groups {
		line := naiveValues(rows)
		if len(rows) == 0 {
			line = "NULL NULL NULL NULL NULL 0 NULL NULL NULL NULL"
		}
		want[key+line] = 1
	}
	if !maps.Equal(s.view, want) {
		for line := range s.view {
			if want[line] != s.view[line] {
				s.t.Errorf("epoch %d: unexpected %d × %.600s", s.epoch-1, s.view[line], line)
			}
		}
		for line := range want {
			if s.view[line] == 0 {
				s.t.Errorf("epoch %d: missing %.600s", s.epoch-1, line)
			}
		}
		s.t.FailNow()
	}
}

func TestValuesEqualRows(t *testing.T) {
	seed := seedtest.Seed(t)
	for i, c := range []struct {
		name   string
		keys   []int
		window bool
		budget int64
		wide   int
		long   bool
	}{
		{"groups", []int{1}, false, 1 << 20, 300, false},
		{"evicted", []int{1}, false, 1, 300, false},
		{"partly evicted", []int{1}, false, 8 << 10, 2000, false},
		{"few values", []int{1}, false, 4 << 10, 18, false},
		{"long values", []int{1}, false, 4 << 10, 18, true},
		{"scalar", nil, false, 2 << 10, 1000, false},
		{"windows", []int{1}, true, 1 << 20, 300, false},
		{"windows evicted", []int{1}, true, 2 << 10, 300, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &valuesRun{t: t, r: rand.New(rand.NewPCG(seed, uint64(i))), store: openStore(t), pool: NewMemory(c.budget), long: c.long,
				spec: &AggregateSpec{Input: valuesInput, Keys: c.keys, Calls: valuesCalls(t), Retract: true, Source: "t"}}
			s.saved.view = map[string]int{}
			if c.window {
				s.spec.Window = &WindowSpec{Kind: Tumble, Size: time.Minute}
			}
			s.start()
			for step := range 220 {
				s.change(c.wide, step%70 < 35)
				switch s.r.IntN(8) {
				case 0, 1, 2:
					s.barrier()
				case 3:
					s.commit(false)
				case 4:
					s.commit(true)
				case 5:
					if s.r.IntN(4) == 0 {
						s.start()
					}
				}
			}
			if c.long {
				s.checkLongValues()
			}
			s.empty()
		})
	}
}

// empty deletes all rows, or closes all windows. No cell is left but that of the scalar group.
func (s *valuesRun) empty() {
	if s.spec.Window == nil {
		s.send(s.rows, slices.Repeat([]int8{stream.Delete}, len(s.rows)))
		s.rows = nil
		s.barrier()
	} else {
		s.barrier()
		for _, op := range s.ops {
			s.must(op.Watermark(stream.Watermark(time.Hour.Microseconds()), s))
		}
		s.barrier()
	}
	s.commit(true)
	left := -len(s.tasks)
	if len(s.spec.Keys) > 0 {
		left = 0
	}
	it := s.store.Iter(state.TableRange(2000))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if state.CellKey(it)[0] != metaCell {
			left++
		}
	}
	if left > 0 {
		s.t.Errorf("%d cells of groups that are no more are left", left)
	}
}

// Over an input without deletes a list keeps the order of arrival, also once its values have cells of
// their own.
func TestListsKeepTheOrderOfArrival(t *testing.T) {
	r := rand.New(rand.NewPCG(seedtest.Seed(t), 0))
	calls := []agg.Call{
		{Func: mustFunc(t, "array_agg", sql.TypeText), Args: []int{3}, Filter: -1},
		{Func: mustFunc(t, "array_agg", sql.TypeText), Args: []int{3}, Filter: -1, OrderBy: []agg.Order{{Column: 2}}},
	}
	s := &valuesRun{t: t, r: r, store: openStore(t), pool: NewMemory(1), spec: &AggregateSpec{Input: valuesInput, Keys: []int{1}, Calls: calls, Source: "t"}}
	s.saved.view = map[string]int{}
	s.start()
	var plain, ordered []string
	var at []int64
	for n := range 60 {
		v := int64(r.IntN(3))
		s.send([]valueRow{{k: 1, v: v, s: strconv.Itoa(n), d: "1"}}, nil)
		plain = append(plain, strconv.Itoa(n))
		i, _ := slices.BinarySearch(at, v+1)
		at, ordered = slices.Insert(at, i, v), slices.Insert(ordered, i, strconv.Itoa(n))
		if n%7 == 6 {
			s.commit(true)
			for i, op := range s.ops {
				s.must(op.Barrier(stream.Barrier{Epoch: s.epoch}, s))
				s.staged, s.tasks[i].batch, s.tasks[i].epoch = append(s.staged, s.tasks[i].batch), s.store.NewBatch(), s.epoch+1
			}
			s.epoch, s.next = s.epoch+1, savedRun{view: maps.Clone(s.view)}
			want := fmt.Sprintf("1 {%s} {%s}", strings.Join(plain, ","), strings.Join(ordered, ","))
			if s.view[want] != 1 || len(s.view) != 1 {
				t.Fatalf("%v, want %s", s.view, want)
			}
			if s.commit(true); n%3 == 0 {
				s.start()
			}
		}
	}
}

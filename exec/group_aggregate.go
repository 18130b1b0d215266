package exec

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
)

// groupAggregate is GROUP BY without a window: groups live for ever, and their changes are emitted
// with every barrier. Without keys there is one group, and it always exists, with or without rows.
//
// State: kind, then as keyed (groupCells) and distincts (distinctCells + n), and values of large groups
// (valueCells).
type groupAggregate struct {
	task     *Task
	spec     *AggregateSpec
	partial  bool
	layout   *keyedLayout
	groups   *keyed
	distinct *distincts
	values   []*keyed // of the distinct calls
	changes  changes
	scratch  *agg.Set
	cols     []arrow.Array
	emitted  bool // the group of a scalar aggregate has been
	memory   *share
	gather   gather
	change   changeSize
}

var _ stream.Operator = (*groupAggregate)(nil)

// The first byte of an aggregation's cells.
const (
	metaCell      = 0
	groupCells    = 1
	valueCells    = 2
	distinctCells = 3 // and those after it, one for each DISTINCT call
)

// MaxDistinctCalls is how many DISTINCT calls an aggregation can have: each has a kind of cells, and
// what follows the last kind is a byte as well.
const MaxDistinctCalls = math.MaxUint8 - distinctCells

// NewAggregate makes the operator that keeps the groups; partial tells that NewLocalAggregate came
// before it.
func NewAggregate(s *AggregateSpec, partial bool) Constructor {
	if s.Window != nil {
		return func(t *Task) (stream.Operator, error) { return newWindowAggregate(t, s, partial) }
	}
	return func(t *Task) (stream.Operator, error) { return newGroupAggregate(t, s, partial) }
}

func newGroupAggregate(t *Task, s *AggregateSpec, partial bool) (*groupAggregate, error) {
	g := &groupAggregate{task: t, spec: s, partial: partial, scratch: s.newSet(), memory: t.Memory()}
	g.layout = newKeyedLayout(t, s.keyTypes(), len(s.Keys), s.keyNotNull(), s.newSet)
	prefix := func(kind byte) []byte { return []byte{kind} }
	restored := t.Restored() > 0
	g.distinct = newDistincts(t, s)
	g.layout.keepValues()
	g.groups = g.layout.newKeyed(prefix(groupCells), restored)
	g.values = g.distinct.open(prefix, restored)
	g.changes = newChanges(g.groups, s)
	g.changes.render, g.changes.exists = g.render, g.exists
	if !g.scalar() || t.Index > 0 {
		return g, nil
	}
	// The one group: what was emitted of it before a restart is what the store holds.
	g.layout.enc.Encode(nil, 1)
	ids, err := g.groups.resolve(nil, 1)
	if err != nil {
		return nil, err
	}
	g.emitted = g.groups.written[ids[0]] > 0
	if !g.emitted { // count(*) of nothing is 0, and readers want to see it
		t.env.touched()
	}
	return g, g.changes.touch(ids)
}

func (g *groupAggregate) scalar() bool { return len(g.spec.Keys) == 0 }

func (g *groupAggregate) exists(id uint32) bool {
	if g.scalar() {
		return g.emitted
	}
	return g.groups.set.RowCount(id) > 0
}

func (g *groupAggregate) render(ids []uint32) ([]arrow.Array, []agg.Failed, error) {
	results, failed, err := g.groups.set.Results(ids)
	return append(g.groups.table.Columns(ids), results...), failed, err
}

func (g *groupAggregate) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	if g.groups.spilled {
		b = g.gather.add(b)
	}
	return g.fold(b)
}

// fold adds rows to their groups; nil is none.
func (g *groupAggregate) fold(b *stream.Batch) error {
	if b == nil {
		return nil
	}
	keys := g.spec.Keys
	if g.partial {
		keys = g.spec.PartialKeys()
	}
	g.cols = pickColumns(g.cols, b, keys)
	g.layout.enc.Encode(g.cols, b.Rows)
	ids, err := g.groups.resolve(g.cols, b.Rows)
	if err != nil {
		return err
	}
	if err := g.changes.touch(ids); err != nil {
		return err
	}
	if g.partial {
		g.scratch.Reset()
		g.scratch.Load(b.Columns[len(keys):], b.Rows)
		g.groups.set.Merge(ids, g.scratch, idRange(0, b.Rows))
	} else {
		masks, err := g.distinct.mask(g.values, b)
		if err != nil {
			return err
		}
		g.groups.set.Add(ids, b, masks)
	}
	if g.memory.grown(g.bytes()) || g.change.tooMany(g.changed(), g.task) {
		g.task.CloseEpoch()
	}
	return nil
}

// changed is the number of cells to write at the barrier.
func (g *groupAggregate) changed() int {
	n := g.groups.changed()
	for _, k := range g.values {
		n += len(k.dirty)
	}
	return n
}

// Watermark forwards only the end: a group may change at any time.
func (g *groupAggregate) Watermark(w stream.Watermark, out stream.Output) error {
	if w != stream.MaxWatermark {
		return nil
	}
	if err := g.fold(g.gather.take()); err != nil {
		return err
	}
	if err := g.emit(out); err != nil {
		return err
	}
	return out.Watermark(w)
}

func (g *groupAggregate) emit(out stream.Output) error {
	if g.scalar() && g.task.Index == 0 {
		g.emitted = true
	}
	if err := g.changes.emit(out); err != nil {
		return err
	}
	return g.groups.stage(g.scalar())
}

func (g *groupAggregate) Barrier(b stream.Barrier, out stream.Output) error {
	if err := g.fold(g.gather.take()); err != nil {
		return err
	}
	g.change.learn(g.changed(), g.task)
	if err := g.emit(out); err != nil {
		return err
	}
	all := g.values
	if !g.scalar() { // its group stays, with or without rows
		all = append([]*keyed{g.groups}, all...)
	}
	for _, k := range g.values {
		if err := k.stage(false); err != nil {
			return err
		}
	}
	evictCold(all, g.memory.excess(g.bytes()))
	g.memory.settle(g.bytes())
	g.task.stats.StateBytes.Store(g.memory.held)
	return nil
}

func (g *groupAggregate) bytes() int64 {
	n := g.groups.bytes()
	for _, k := range g.values {
		n += k.bytes()
	}
	return n
}

// pickColumns is the columns of b with these numbers, in dst's memory.
func pickColumns(dst []arrow.Array, b *stream.Batch, columns []int) []arrow.Array {
	dst = dst[:0]
	for _, c := range columns {
		dst = append(dst, b.Columns[c])
	}
	return dst
}

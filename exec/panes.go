package exec

import (
	"encoding/binary"
	"maps"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/state"
)

// pane is a stretch of event time with the groups that have rows in it.
type pane struct {
	end     int64
	groups  *keyed
	values  []*keyed // of the DISTINCT calls
	changes changes  // if windows are emitted on update
	rows    []int32  // of the batch at hand
	stored  bool     // the store holds, or will with this epoch, cells of it
}

// paneSet is the panes of a window aggregation in one task.
//
// State: metaCell in the task's first shard → the end of the last window closed, then the ends of the
// stored panes, as varints. At another parallelism some of these cells are of tasks that are no
// more; the union of all is right, and each task clears those of its shards.
//
// Invariant: the cell is written with every epoch that changes it, so after a restart no scan is
// needed to find the panes, and no window that was emitted opens again.
type paneSet struct {
	task        *Task
	agg         *windowAggregate
	layout      *keyedLayout
	distinct    *distincts
	first, last uint8 // shards
	byEnd       map[int64]*pane
	recent      *pane   // the last target
	targets     []*pane // the panes with rows of the batch at hand
	meta        []byte  // the cell as last written
	cleared     bool    // the other cells of the task's shards
	spilled     bool    // groups of some pane may be only in the store
	dropped     int64   // the end of the last pane whose cells were range-deleted
}

func (s *paneSet) init(t *Task, a *windowAggregate) {
	s.task, s.agg, s.byEnd, s.dropped = t, a, map[int64]*pane{}, math.MinInt64
	s.layout = newKeyedLayout(t, a.spec.keyTypes(), len(a.spec.Keys), a.spec.keyNotNull(), a.spec.newSet)
	s.distinct = newDistincts(t, a.spec)
	s.layout.keepValues()
	s.first, s.last = t.Shards()
}

// panePrefix is what the cells of a pane begin with: ends order as bytes.
func panePrefix(kind byte, end int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{kind}, uint64(end)^1<<63)
}

// restore reads which panes are stored.
func (s *paneSet) restore() error {
	if s.layout.state == nil || s.task.Restored() == 0 {
		return nil
	}
	lookup := s.layout.state.Lookup(s.task.Store)
	defer lookup.Close()
	ends := map[int64]bool{}
	for shard := range state.Shards {
		cell, ok := lookup.Get(uint8(shard), []byte{metaCell})
		if !ok {
			continue
		}
		closed, n := binary.Varint(cell)
		s.agg.closed = max(s.agg.closed, closed)
		for cell = cell[n:]; len(cell) > 0; cell = cell[n:] {
			var end int64
			end, n = binary.Varint(cell)
			ends[end] = true
		}
	}
	for end := range ends {
		if p := s.open(end, true); s.agg.lastOf(p) <= s.agg.closed {
			delete(s.byEnd, end)
		}
	}
	return lookup.Close()
}

// open adds a pane.
func (s *paneSet) open(end int64, stored bool) *pane {
	prefix := func(kind byte) []byte { return panePrefix(kind, end) }
	p := &pane{end: end, stored: stored, groups: s.layout.newKeyed(prefix(groupCells), stored), values: s.distinct.open(prefix, stored)}
	p.changes = newChanges(p.groups, s.agg.spec)
	p.changes.exists = func(id uint32) bool { return p.groups.set.RowCount(id) > 0 }
	p.changes.render = func(ids []uint32) ([]arrow.Array, []agg.Failed, error) {
		return s.agg.row(end, p.groups.table.Columns(ids), p.groups.set, ids)
	}
	s.byEnd[end] = p
	return p
}

// target notes that row i of the batch at hand goes to the pane.
func (s *paneSet) target(end int64, i int32) {
	p := s.recent
	if p == nil || p.end != end {
		if p = s.byEnd[end]; p == nil {
			p = s.open(end, false)
		}
		s.recent = p
	}
	if len(p.rows) == 0 {
		s.targets = append(s.targets, p)
	}
	p.rows = append(p.rows, i)
}

func (s *paneSet) takeTargets() []*pane {
	ts := s.targets
	s.targets = s.targets[:0]
	return ts
}

// windows lists the ends in (after, upto] of windows that have panes, in order.
func (s *paneSet) windows(after, upto int64) []int64 {
	w := &s.agg.w
	ends := map[int64]bool{}
	for end := range s.byEnd {
		first, last := end, end
		if s.agg.shared {
			first, last = w.firstWindow(end), w.lastWindow(end)
		}
		for e := first; e <= last && e <= upto; e += w.slide {
			if e > after {
				ends[e] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ends))
}

// of lists the panes of a window.
func (s *paneSet) of(window int64) []*pane {
	if !s.agg.shared {
		return []*pane{s.byEnd[window]}
	}
	var ps []*pane
	for end := window - s.agg.w.size + s.agg.w.slice; end <= window; end += s.agg.w.slice {
		if p := s.byEnd[end]; p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// sorted lists the panes by their ends.
func (s *paneSet) sorted() []*pane {
	ps := make([]*pane, 0, len(s.byEnd))
	for _, end := range slices.Sorted(maps.Keys(s.byEnd)) {
		ps = append(ps, s.byEnd[end])
	}
	return ps
}

// drop forgets the panes for which gone holds, and deletes what is stored of them.
func (s *paneSet) drop(gone func(*pane) (bool, error)) error {
	stored, last := 0, int64(math.MinInt64)
	for _, p := range s.sorted() {
		ok, err := gone(p)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		delete(s.byEnd, p.end)
		if p.stored {
			stored, last = stored+1, p.end
		}
	}
	s.recent = nil
	if stored == 0 {
		return nil
	}
	// Panes end in order, so one range of each shard holds all that were dropped since the last time.
	for kind := byte(groupCells); kind < distinctCells+byte(len(s.distinct.calls)); kind++ {
		if kind == valueCells && s.layout.values == nil {
			continue
		}
		lo, hi := panePrefix(kind, s.dropped), panePrefix(kind, last+1)
		s.layout.state.DeleteRange(s.task.Batch(), s.first, s.last, lo, hi)
	}
	s.dropped = last + 1
	return nil
}

// stage writes what changed in the epoch, and keeps memory within the budget.
func (s *paneSet) stage(closed int64) error {
	panes := s.sorted()
	var all []*keyed
	for _, p := range panes {
		for _, k := range append([]*keyed{p.groups}, p.values...) {
			p.stored = p.stored || len(k.dirty) > 0
			if err := k.stage(false); err != nil {
				return err
			}
			all = append(all, k)
		}
	}
	if s.layout.state != nil {
		s.stageMeta(panes, closed)
	}
	s.spilled = false
	for _, k := range all {
		s.spilled = s.spilled || k.spilled
	}
	evictCold(all, s.agg.memory.excess(s.bytes()))
	return nil
}

func (s *paneSet) stageMeta(panes []*pane, closed int64) {
	cell := binary.AppendVarint(nil, closed)
	for _, p := range panes {
		cell = binary.AppendVarint(cell, p.end)
	}
	if string(cell) != string(s.meta) {
		s.meta = cell
		s.layout.state.Put(s.task.Batch(), s.first, []byte{metaCell}, cell)
	}
	if !s.cleared && s.task.Restored() > 0 {
		for shard := int(s.first) + 1; shard <= int(s.last); shard++ {
			s.layout.state.Delete(s.task.Batch(), uint8(shard), []byte{metaCell})
		}
	}
	s.cleared = true
}

// changed is the number of cells to write at the barrier.
func (s *paneSet) changed() (n int) {
	for _, p := range s.byEnd {
		n += p.groups.changed()
		for _, k := range p.values {
			n += len(k.dirty)
		}
	}
	return n
}

func (s *paneSet) bytes() (n int64) {
	for _, p := range s.byEnd {
		n += p.groups.bytes() + 256
		for _, k := range p.values {
			n += k.bytes()
		}
	}
	return n
}

// each calls fn for all groups of the pane in shards first to last.
func (p *pane) each(first, last uint8, fn groupsFn) error {
	k := p.groups
	part := k.layout.task.Parallelism*(int(last)-int(first)+1) < state.Shards
	err := k.eachLive(func(cols []arrow.Array, set *agg.Set, ids []uint32) error {
		if part {
			if ids, cols = k.inShards(ids, cols, first, last); len(ids) == 0 {
				return nil
			}
		}
		return fn(cols, set, ids)
	})
	if err != nil {
		return err
	}
	return k.scanStored(first, last, fn)
}

// inShards is those of the groups whose shard is in the range.
func (k *keyed) inShards(ids []uint32, cols []arrow.Array, first, last uint8) ([]uint32, []arrow.Array) {
	l := k.layout
	l.hash(cols, len(ids))
	var at, in []uint32
	for i, id := range ids {
		if s := l.shard(i); first <= s && s <= last {
			at, in = append(at, uint32(i)), append(in, id)
		}
	}
	return in, takeIDs(cols, at)
}

package exec

import (
	"bytes"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// keyed is grouped state: a key has an accumulated row. Hot groups are in memory, in columns; what
// changed is written at the barrier; cold groups are only in the store, and come back on demand.
//
// State: prefix, then the key columns (memcomparable) → a row of the key columns, which the cell's
// key alone does not always give back, and the accumulators' partial columns.
//
// Invariants:
//   - A group that was written in an epoch stays in memory until that epoch is committed, since only
//     then can it be read back. Until it is staged it stays anyway.
//   - If spilled is false, every group there is, is in memory.
type keyed struct {
	layout *keyedLayout
	prefix []byte
	table  *agg.Table
	set    *agg.Set

	spilled bool     // the store may hold groups that are not in memory
	written []uint64 // of each group: the epoch that staged it last, 0 = never, or when it was read
	touched []uint64 // of each group: the epoch that changed it last
	isDirty []bool
	dirty   []uint32 // the groups changed in this epoch
}

// keyedLayout is what all keyed states of one operator over the same keys share.
type keyedLayout struct {
	task    *Task
	state   *state.State // nil in a bounded query: everything stays in memory
	enc     *agg.Encoder
	types   []sql.Type // of the key columns
	by      int        // how many of them, the first ones, decide the shard
	newSet  func() *agg.Set
	scratch *agg.Set   // to load stored rows into
	values  *agg.Cells // for large groups; nil = there are none

	keys   *state.KeyEncoder
	rows   *state.RowEncoder
	dec    *state.RowDecoder
	hashes []uint64
	cell   []byte
	value  []byte
	cells  []byte // cell keys behind their shards
	ends   []int
	ids    []uint32
}

// newKeyedLayout describes states with these key columns. The first `by` of them are those that the
// exchange in front of the operator hashes, so that a task's state is in its own shards.
func newKeyedLayout(t *Task, types []sql.Type, by int, notNull []bool, newSet func() *agg.Set) *keyedLayout {
	l := &keyedLayout{task: t, enc: agg.NewEncoder(types, notNull), types: types, by: by, newSet: newSet, scratch: newSet()}
	if id, ok := t.stateTable(); ok {
		all := append(append([]sql.Type(nil), types...), l.scratch.PartialTypes()...)
		l.state = state.NewState(id)
		l.keys = state.NewKeyEncoder(state.Ascending(types...))
		l.rows, l.dec = state.NewRowEncoder(all), state.NewRowDecoder(all, nil)
	}
	return l
}

// newKeyed makes a state whose cells begin with prefix. spilled tells that the store may hold some.
func (l *keyedLayout) newKeyed(prefix []byte, spilled bool) *keyed {
	k := &keyed{layout: l, prefix: prefix, table: agg.NewTable(l.enc), spilled: spilled && l.state != nil}
	k.set = k.newSet()
	return k
}

// resolve gives the groups of n rows; the layout's encoder must have encoded cols. Groups that are
// not in memory are read, or are new. The result is valid until the next call.
func (k *keyed) resolve(cols []arrow.Array, n int) ([]uint32, error) {
	l, old := k.layout, k.table.Len()
	l.ids = resizeIDs(l.ids, n)
	k.table.Lookup(cols, l.ids)
	return l.ids, k.admit(old)
}

// resolveRows is resolve for some of the encoded rows.
func (k *keyed) resolveRows(cols []arrow.Array, rows []int32) ([]uint32, error) {
	l, old := k.layout, k.table.Len()
	l.ids = resizeIDs(l.ids, len(rows))
	k.table.LookupRows(cols, rows, l.ids)
	return l.ids, k.admit(old)
}

// admit makes the groups from old on, which are new in memory, what they are in the store.
func (k *keyed) admit(old int) error {
	n := k.table.Len()
	if n == old {
		return nil
	}
	k.set.Grow(n)
	for range n - old {
		k.written, k.touched, k.isDirty = append(k.written, 0), append(k.touched, 0), append(k.isDirty, false)
	}
	if !k.spilled {
		return nil
	}
	return k.read(old, n)
}

// read loads the stored rows of groups lo to hi-1. It asks for them in the order of the store, so that
// neighbours share blocks and filters.
func (k *keyed) read(lo, hi int) error {
	l := k.layout
	ids := idRange(lo, hi)
	l.bind(k.table.Columns(ids), len(ids))
	l.cells, l.ends = l.cells[:0], append(l.ends[:0], 0)
	for i := range ids {
		l.cells = append(append(l.cells, l.shard(i)), l.cellKey(k.prefix, i)...)
		l.ends = append(l.ends, len(l.cells))
	}
	cell := func(id uint32) []byte { return l.cells[l.ends[int(id)-lo]:l.ends[int(id)-lo+1]] }
	slices.SortFunc(ids, func(a, b uint32) int { return bytes.Compare(cell(a), cell(b)) })

	// A part at a time: an open lookup holds back the memory of what was flushed meanwhile.
	for len(ids) > 0 {
		n, err := k.readSome(ids[:min(len(ids), stream.TargetRows)], cell)
		if err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// readSome reads the first n of the groups: fewer than all when the columns are full.
func (k *keyed) readSome(ids []uint32, cell func(id uint32) []byte) (n int, err error) {
	l, found, bytes := k.layout, ids[:0], 0
	lookup := l.state.Lookup(l.task.Store)
	defer lookup.Close()
	for ; n < len(ids) && bytes < maxTextBytes; n++ {
		key := cell(ids[n])
		if value, ok := lookup.Get(key[0], key[1:]); ok {
			if err := l.dec.Append(value); err != nil {
				return n, err
			}
			found, bytes = append(found, ids[n]), bytes+len(value)
		}
	}
	if err := lookup.Close(); err != nil || len(found) == 0 {
		return n, err
	}
	k.load(found, l.dec.Flush())
	return n, nil
}

// load sets empty groups to stored rows, and their keys to how they were shown: what was emitted of a
// group has to be deleted as it was.
func (k *keyed) load(ids []uint32, b *stream.Batch) {
	l := k.layout
	l.scratch.Reset()
	l.scratch.Load(b.Columns[len(l.types):], b.Rows)
	k.set.Merge(ids, l.scratch, idRange(0, b.Rows))
	k.table.Restore(ids, b.Columns[:len(l.types)])
	for _, id := range ids {
		k.written[id] = l.task.Restored() // committed, whichever epoch it was
	}
}

// bind prepares shard and cellKey for rows of key columns.
func (l *keyedLayout) bind(cols []arrow.Array, n int) {
	l.hash(cols, n)
	l.keys.Bind(cols...)
}

func (l *keyedLayout) hash(cols []arrow.Array, n int) {
	l.hashes = hashColumns(l.hashes, cols[:l.by], l.types[:l.by], n)
}

func (l *keyedLayout) shard(i int) uint8 { return state.Shard(l.hashes[i]) }

func (l *keyedLayout) cellKey(prefix []byte, i int) []byte {
	l.cell = l.keys.Append(append(l.cell[:0], prefix...), i)
	return l.cell
}

// touch marks groups as changed, and returns those that were not in this epoch, the last of dirty.
func (k *keyed) touch(ids []uint32) (fresh []uint32) {
	before := len(k.dirty)
	for _, id := range ids {
		if !k.isDirty[id] {
			k.isDirty[id] = true
			k.touched[id] = k.layout.task.epoch
			k.dirty = append(k.dirty, id)
		}
	}
	return k.dirty[before:]
}

// fit is how many of the groups, from the first on, can be in one batch.
func (k *keyed) fit(ids []uint32) int { return fit(k.table, k.set, ids) }

func fit(t *agg.Table, s *agg.Set, ids []uint32) int {
	return s.Fit(ids[:t.Fit(ids, maxTextBytes)], maxTextBytes)
}

// stage writes the changed groups to the task's batch; a group without rows is deleted, unless keep
// is set.
func (k *keyed) stage(keep bool) error {
	if k.layout.state != nil {
		for dirty := k.dirty; len(dirty) > 0; {
			n := k.fit(dirty[:min(len(dirty), stream.TargetRows)])
			if err := k.stageSome(dirty[:n], keep); err != nil {
				return err
			}
			dirty = dirty[n:]
		}
	}
	for _, id := range k.dirty {
		k.isDirty[id] = false
	}
	k.dirty = k.dirty[:0]
	return nil
}

// stageSome is stage for as many groups as a batch has rows: what is made of them on the way stays in
// the processor's cache.
func (k *keyed) stageSome(ids []uint32, keep bool) error {
	l := k.layout
	if err := k.set.Stage(ids); err != nil {
		return err
	}
	cols := k.table.Columns(ids)
	l.bind(cols, len(ids))
	l.rows.Bind(append(cols, k.set.Partial(ids)...))
	for i, id := range ids {
		switch {
		case keep || k.set.RowCount(id) != 0:
			l.value = l.rows.Append(l.value[:0], i)
			l.state.Put(l.task.Batch(), l.shard(i), l.cellKey(k.prefix, i), l.value)
		case k.written[id] != 0 || k.spilled:
			l.state.Delete(l.task.Batch(), l.shard(i), l.cellKey(k.prefix, i))
		}
		k.written[id] = l.task.epoch
	}
	return nil
}

// bytes estimates the memory held.
func (k *keyed) bytes() int64 { return k.table.Bytes() + k.set.Bytes() + int64(17*cap(k.written)) }

// evictable tells whether a group can be read back: it is as the last committed epoch holds it.
func (k *keyed) evictable(id int, committed uint64) bool {
	return !k.isDirty[id] && k.written[id] <= committed
}

// coldest is the age, in epochs, from which on groups are not told apart.
const coldest = 63

// age is how many epochs ago the group was changed last.
func (k *keyed) age(id int) uint64 {
	return min(k.layout.task.epoch-min(k.touched[id], k.layout.task.epoch), coldest)
}

// evictCold drops from memory about as many bytes of groups as asked for: those that were not changed
// for the longest time first. What is not committed stays.
func evictCold(ks []*keyed, bytes int64) {
	if bytes <= 0 {
		return
	}
	var held [coldest + 1]int64 // bytes of each age
	for _, k := range ks {
		n := k.table.Len()
		if k.layout.state == nil || n == 0 {
			continue
		}
		each, committed := k.bytes()/int64(n)+1, k.layout.task.Committed()
		for id := range n {
			if k.evictable(id, committed) {
				held[k.age(id)] += each
			}
		}
	}
	age := uint64(coldest)
	for ; age > 0 && held[age] < bytes; age-- {
		bytes -= held[age]
	}
	// Of the youngest that have to go, a part will do.
	part := uint64(float64(bytes)/float64(max(held[age], 1))*16) + 1
	for _, k := range ks {
		if k.layout.state != nil {
			k.evict(age, part)
		}
	}
}

// evict drops the committed groups older than an age, and `part` sixteenths of those of that age.
func (k *keyed) evict(age, part uint64) {
	committed := k.layout.task.Committed()
	var stay []uint32
	for id := range k.table.Len() {
		gone := k.evictable(id, committed)
		if exists := k.set.RowCount(uint32(id)) != 0; gone && exists {
			a := k.age(id)
			gone = a > age || a == age && k.table.Hash(uint32(id))>>28&15 < part
			k.spilled = k.spilled || gone
		}
		if !gone {
			stay = append(stay, uint32(id))
		}
	}
	if len(stay) == k.table.Len() {
		return
	}
	old := *k
	k.table, k.set = old.table.Keep(stay), k.newSet()
	k.set.Grow(len(stay))
	k.set.Merge(idRange(0, len(stay)), old.set, stay)
	n := len(stay)
	k.written, k.touched, k.isDirty, k.dirty = make([]uint64, n), make([]uint64, n), make([]bool, n), nil
	for i, id := range stay {
		k.written[i], k.touched[i], k.isDirty[i] = old.written[id], old.touched[id], old.isDirty[id]
		if old.isDirty[id] {
			k.dirty = append(k.dirty, uint32(i))
		}
	}
}

// live is the groups in memory that have rows.
func (k *keyed) live() []uint32 {
	ids := make([]uint32, 0, k.table.Len())
	for id := range k.table.Len() {
		if k.set.RowCount(uint32(id)) != 0 {
			ids = append(ids, uint32(id))
		}
	}
	return ids
}

// groupsFn gets groups as key columns and ids of a set, as many as fit a batch. Both are its own until it
// returns.
type groupsFn func(cols []arrow.Array, set *agg.Set, ids []uint32) error

// eachLive calls fn for the groups in memory that have rows.
func (k *keyed) eachLive(fn groupsFn) error {
	for ids := k.live(); len(ids) > 0; {
		n := k.fit(ids[:min(len(ids), stream.TargetRows)])
		if err := fn(k.table.Columns(ids[:n]), k.set, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// scanStored calls fn for the groups of shards first to last that are only in the store. One iterator
// goes through all shards: it jumps from the cells of one to those of the next that has any.
func (k *keyed) scanStored(first, last uint8, fn groupsFn) error {
	if !k.spilled {
		return nil
	}
	l := k.layout
	it := l.task.Store.Iter(state.TableRange(l.state.ID()))
	defer it.Close()
	prefix := func(shard int) []byte {
		return append(state.AppendPrefix(nil, l.state.ID(), uint8(shard)), k.prefix...)
	}
	size := 0 // of the rows decoded
	for shard := int(first); shard <= int(last); shard++ {
		at := prefix(shard)
		ok := it.SeekGE(at)
		for ; ok && bytes.HasPrefix(it.Key(), at); ok = it.Next() {
			value := it.Value()
			if err := l.dec.Append(value); err != nil {
				return err
			}
			if size += len(value); size >= maxTextBytes || l.dec.Rows() == stream.TargetRows {
				if err := k.handOver(fn); err != nil {
					return err
				}
				size = 0
			}
		}
		if !ok {
			break
		}
		if next := int(state.CellShard(it)); next > shard {
			shard = next - 1
		}
	}
	if err := it.Close(); err != nil {
		return err
	}
	return k.handOver(fn)
}

// handOver gives fn the decoded rows that memory does not hold in a newer form.
func (k *keyed) handOver(fn groupsFn) error {
	l := k.layout
	b := l.dec.Flush()
	if b == nil {
		return nil
	}
	cols := b.Columns[:len(l.types)]
	l.enc.Encode(cols, b.Rows)
	var ids []uint32
	for i := range b.Rows {
		if _, ok := k.table.Find(i); !ok {
			ids = append(ids, uint32(i))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	l.scratch.Reset()
	l.scratch.Load(b.Columns[len(l.types):], b.Rows)
	for len(ids) > 0 {
		n := l.scratch.Fit(ids, maxTextBytes)
		if err := fn(takeIDs(cols, ids[:n]), l.scratch, ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

func takeIDs(cols []arrow.Array, ids []uint32) []arrow.Array {
	if len(cols) > 0 && cols[0].Len() == len(ids) {
		return cols
	}
	idx := make([]int32, len(ids))
	for i, id := range ids {
		idx[i] = int32(id)
	}
	out := make([]arrow.Array, len(cols))
	for i, c := range cols {
		out[i] = stream.Take(c, idx)
	}
	return out
}

func resizeIDs(ids []uint32, n int) []uint32 {
	if cap(ids) < n {
		return make([]uint32, n, n+n/4)
	}
	return ids[:n]
}

// idRange is lo, lo+1, … hi-1.
func idRange(lo, hi int) []uint32 {
	ids := make([]uint32, hi-lo)
	for i := range ids {
		ids[i] = uint32(lo + i)
	}
	return ids
}

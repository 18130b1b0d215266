package state

// State is the state of one operator: cells under a shard and a key of the operator's own making,
// for instance a slice's end and the group. One goroutine uses it; each task has its own over the
// same table, and touches only its shards.
//
//	st := state.NewState(id)
//	st.Put(batch, shard, key, cell)       at the barrier
//	cell, ok := st.Lookup(store).Get(shard, key)
//
// What is put is read back only once its batch is committed. Between a barrier and the commit of
// its epoch, an operator must keep what it wrote in memory, or it would read the cell before it.
type State struct {
	id  TableID
	buf []byte
	end []byte
}

// NewState describes the state table id.
func NewState(id TableID) *State { return &State{id: id} }

// ID is the table's id.
func (s *State) ID() TableID { return s.id }

func (s *State) key(shard uint8, key []byte) []byte {
	s.buf = append(AppendPrefix(s.buf[:0], s.id, shard), key...)
	return s.buf
}

// Put writes a cell.
func (s *State) Put(w Writer, shard uint8, key, value []byte) { w.Put(s.key(shard, key), value) }

// Delete removes a cell.
func (s *State) Delete(w Writer, shard uint8, key []byte) { w.Delete(s.key(shard, key)) }

// Add adds to the counter of a cell; the value is as AppendCounter makes it.
func (s *State) Add(b *Batch, shard uint8, key, counter []byte) { b.Add(s.key(shard, key), counter) }

// Lookup opens the state for many Gets in a row, most of them of keys that may not be there: bloom
// filters answer those without reading a block. It sees the state of now, and must be closed.
func (s *State) Lookup(r Reader) *Lookup {
	lo, hi := TableRange(s.id)
	return &Lookup{id: s.id, it: r.Iter(lo, hi)}
}

// Lookup finds cells in one state. One goroutine uses it.
type Lookup struct {
	id  TableID
	it  *Iter
	buf []byte
}

// Get returns a cell's value, valid until the next call. An error shows up in Close.
func (l *Lookup) Get(shard uint8, key []byte) (value []byte, ok bool) {
	l.buf = append(AppendPrefix(l.buf[:0], l.id, shard), key...)
	return l.it.Get(l.buf)
}

// Close gives the lookup up.
func (l *Lookup) Close() error { return l.it.Close() }

// CellKey is the operator's part of an iterator's key, valid until its next move.
func CellKey(it *Iter) []byte { return it.Key()[prefixLen:] }

// CellShard is the shard of an iterator's key.
func CellShard(it *Iter) uint8 { return it.Key()[prefixLen-1] }

// DeleteRange removes the cells with lo ≤ key < hi of the shards from first to last. When keys lead
// with the end of a slice, that removes closed windows: lo is then where the last call ended, since
// ranges that overlap slow each other down.
func (s *State) DeleteRange(w Writer, first, last uint8, lo, hi []byte) {
	for shard := int(first); shard <= int(last); shard++ {
		s.end = append(AppendPrefix(s.end[:0], s.id, uint8(shard)), hi...)
		w.DeleteRange(s.key(uint8(shard), lo), s.end)
	}
}

// Shard is the shard of a hash as stream.HashColumns makes it.
func Shard(hash uint64) uint8 { return uint8(hash >> 56) }

// ShardsOf is the range of shards, first to last, of one of n tasks: as even as it gets, and the
// same in every run. n is at most Shards.
func ShardsOf(task, n int) (first, last uint8) {
	return uint8(task * Shards / n), uint8((task+1)*Shards/n - 1)
}

// TaskOf is the task of n that owns a shard.
func TaskOf(shard uint8, n int) int { return ((int(shard)+1)*n - 1) / Shards }

package exec

import (
	"encoding/binary"

	"github.com/streamsql/streamsql/exec/agg"
)

// keepValues gives the layout's states cells for the values of large groups. A value's key begins as its
// group's does, but for the kind: closed windows go with the same ranges, and values move between tasks
// with their groups.
func (l *keyedLayout) keepValues() {
	if l.state == nil || l.scratch.Kept() == 0 {
		return
	}
	t := l.task
	first, _ := t.Shards()
	l.values = &agg.Cells{State: l.state, Store: t.Store, Batch: t.Batch, Epoch: t.Epoch, Committed: t.Committed,
		Shard: first, Mark: []byte{metaCell, 1}}
	l.scratch.SetCells(l.values, nil)
}

// newSet makes an empty set for groups of the state.
func (k *keyed) newSet() *agg.Set {
	s := k.layout.newSet()
	if k.layout.values != nil {
		s.SetCells(k.layout.values, k.home)
	}
	return s
}

// home is the shard, and what the cells begin with, of a group's values in the n-th aggregate that
// keeps them.
func (k *keyed) home(n int, id uint32) []byte {
	l := k.layout
	l.bind(k.table.Columns([]uint32{id}), 1)
	group := l.keys.Append(append([]byte{l.shard(0), valueCells}, k.prefix[1:]...), 0)
	return binary.AppendUvarint(group, uint64(n))
}

// changed is the number of cells to write at the barrier.
func (k *keyed) changed() int { return len(k.dirty) + k.set.Pending() }

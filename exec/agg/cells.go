package agg

import (
	"bytes"
	"encoding/binary"

	"github.com/streamsql/streamsql/state"
)

// Cells is where large groups have their values: in the state of the operator, beside the groups.
//
// State: a value's cell is under the group's home, then its key → how often it is there, and the value
// itself, as a counter (state.AppendCounter): what comes is added without reading what there was. When
// values go, their cells have to be looked up, since the last one takes the cell with it.
//
// Adding the same change twice would count it twice, and an epoch may be committed at any moment after
// it was staged. So each epoch notes its number in a cell of the task, Mark, and who reads sees by it
// which epochs the values at hand contain.
type Cells struct {
	State *state.State
	Store *state.Store
	Batch func() *state.Batch // of the open epoch
	Epoch func() uint64       // the open one
	// Committed is the last epoch known to be in Store.
	Committed func() uint64
	Shard     uint8 // of Mark
	Mark      []byte

	marked  uint64 // the epoch noted last
	scratch []byte
	value   []byte
}

// note marks the open epoch as one that writes values.
func (c *Cells) note() {
	if e := c.Epoch(); c.marked != e {
		c.marked = e
		c.State.Put(c.Batch(), c.Shard, c.Mark, binary.AppendUvarint(nil, e))
	}
}

// add adds n to the count of a value in the open epoch.
func (c *Cells) add(home, key string, n int64, row string) {
	c.scratch = append(append(c.scratch[:0], home[1:]...), key...)
	c.value = append(binary.AppendVarint(c.value[:0], n), row...)
	c.State.Add(c.Batch(), home[0], c.scratch, c.value)
}

// delete takes a value away.
func (c *Cells) delete(home, key string) {
	c.scratch = append(append(c.scratch[:0], home[1:]...), key...)
	c.State.Delete(c.Batch(), home[0], c.scratch)
}

// cellView reads the values that are in the store at one moment.
type cellView struct {
	id    state.TableID
	it    *state.Iter
	epoch uint64 // the last one that is in it
	at    []byte // what the keys of the group at hand begin with
}

func (c *Cells) view() *cellView {
	v := &cellView{id: c.State.ID(), it: c.Store.Iter(state.TableRange(c.State.ID()))}
	if mark, ok := v.it.Get(append(state.AppendPrefix(nil, v.id, c.Shard), c.Mark...)); ok {
		v.epoch, _ = binary.Uvarint(mark)
	}
	return v
}

// count is how often a value is there.
func (v *cellView) count(home, key string) (n int64) {
	v.at = append(append(state.AppendPrefix(v.at[:0], v.id, home[0]), home[1:]...), key...)
	if cell, ok := v.it.Get(v.at); ok {
		n, _ = state.Counter(cell)
	}
	return n
}

// seek goes to the first value of a group whose key is not below from.
func (v *cellView) seek(home, from string) bool {
	v.at = append(state.AppendPrefix(v.at[:0], v.id, home[0]), home[1:]...)
	n := len(v.at)
	v.at = append(v.at, from...)
	ok := v.it.SeekGE(v.at)
	v.at = v.at[:n]
	return ok && bytes.HasPrefix(v.it.Key(), v.at)
}

func (v *cellView) next() bool { return v.it.Next() && bytes.HasPrefix(v.it.Key(), v.at) }

// key and value are valid until the next move.
func (v *cellView) key() []byte { return v.it.Key()[len(v.at):] }

func (v *cellView) value() (n int64, row []byte) { return state.Counter(v.it.Value()) }

func (v *cellView) close() error { return v.it.Close() }

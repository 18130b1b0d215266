package state

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Batch is a set of writes that is committed at once: after a crash all of it is there or none.
// One goroutine uses it. The tasks of a job fill one each, which are parts of one: see Gathered.
type Batch struct {
	store  *Store
	full   []*pebble.Batch // what was written before b: see Gathered
	b      *pebble.Batch
	tables []TableID // what it writes to, for those that watch
	last   TableID   // the table noted last; keys of one table come in runs

	whole *Gathered // what it is a part of, nil = nothing
	moved int       // bytes that are already there
	keeps bool      // its memory is used again, see Gatherer
}

// NewBatch returns an empty batch.
func (s *Store) NewBatch() *Batch {
	return &Batch{store: s, b: s.db.NewBatch(), last: ^TableID(0)}
}

// Put implements Writer. The errors that Pebble's batches declare cannot happen: their writes go
// to memory.
func (b *Batch) Put(key, value []byte) {
	if b.whole != nil && len(value) >= largeValue {
		b.putLarge(key, value)
		return
	}
	b.note(key)
	must(b.b.Set(key, value, nil))
	b.moveOn()
}

// Delete implements Writer.
func (b *Batch) Delete(key []byte) {
	b.note(key)
	must(b.b.Delete(key, nil))
	b.moveOn()
}

// DeleteRange implements Writer.
func (b *Batch) DeleteRange(lo, hi []byte) {
	if bytes.Compare(lo, hi) >= 0 {
		return
	}
	b.note(lo)
	must(b.b.DeleteRange(lo, hi, nil))
	b.moveOn()
}

// Merge appends the writes of o, which stays as it is.
func (b *Batch) Merge(o *Batch) {
	for _, id := range o.tables {
		b.Touch(id)
	}
	if !o.b.Empty() {
		must(b.b.Apply(o.b, nil))
	}
}

// Touch signals those who watch the table once the batch is committed, although it may write
// nothing to it. Tables that the batch writes to are signalled anyway.
func (b *Batch) Touch(id TableID) {
	if !slices.Contains(b.tables, id) {
		b.tables = append(b.tables, id)
	}
}

func (b *Batch) note(key []byte) {
	if id := TableOf(key); id != b.last {
		b.last = id
		b.Touch(id)
	}
}

// Len is the number of writes.
func (b *Batch) Len() int {
	n := int(b.b.Count())
	for _, c := range b.full {
		n += int(c.Count())
	}
	return n
}

// Size is the number of bytes that a commit writes.
func (b *Batch) Size() int {
	n := b.moved
	for _, c := range b.full {
		n += c.Len()
	}
	if !b.b.Empty() {
		n += b.b.Len()
	}
	return n
}

func (b *Batch) empty() bool { return b.b.Empty() && len(b.full) == 0 }

// Commit writes the batch in one synced write and empties it. When it returns nil the writes are
// durable and visible; on an error none of them is, and the batch keeps them.
func (b *Batch) Commit() error {
	if err := b.admit(); err != nil {
		return err
	}
	if len(b.full) == 0 { // tables are on disk before they can be read
		c := b.store.unsynced.open()
		defer b.store.unsynced.close(c)
	}
	return b.commit(pebble.Sync)
}

// CommitNoSync is Commit without waiting for the disk: a crash of the machine may lose the
// batch, and then also every later unsynced one. Any later Commit makes it durable.
func (b *Batch) CommitNoSync() error {
	if err := b.admit(); err != nil {
		return err
	}
	return b.commit(pebble.NoSync)
}

// admit waits until the batch may be committed.
func (b *Batch) admit() error {
	if b.empty() {
		return nil
	}
	if err := b.store.checkSpace(); err != nil {
		return err
	}
	b.store.awaitRoom()
	return nil
}

func (b *Batch) commit(o *pebble.WriteOptions) error {
	var err error
	switch {
	case len(b.full) > 0:
		err = b.store.ingest(append(slices.Clip(b.full), b.b))
	case !b.b.Empty():
		err = b.b.Commit(o)
	}
	if err != nil {
		return b.store.wrap("commit", err)
	}
	b.store.watches.signal(b.tables)
	b.Reset()
	return nil
}

// Reset empties the batch.
func (b *Batch) Reset() {
	// Commit may have handed the memory over to a flush; Close returns it to Pebble's pool if not.
	if b.keeps {
		for _, c := range b.full {
			c.Reset()
		}
		b.b.Reset()
	} else {
		must(b.b.Close())
		b.b = b.store.db.NewBatch()
	}
	b.tables, b.last = b.tables[:0], ^TableID(0)
}

// must is for errors that can't happen.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

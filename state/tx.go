package state

import (
	"bytes"
	"errors"

	"github.com/streamsql/streamsql/sql"
)

// Tx is a transaction of a session: it reads one snapshot under its own writes, which nobody else
// sees. They are kept in memory and reach the store by ToBatch. One goroutine uses it.
//
// An iterator keeps the state of its creation, so a statement that writes what it scans never
// meets its own rows.
type Tx struct {
	store   *Store
	snap    *Snapshot
	retired []*Snapshot // read before a Refresh, and perhaps still being read
	writes  overlay
	covered []keyRange // ranges of the snapshot deleted by DeleteRange; writes lie above them
}

// Savepoint is a state of a transaction's writes to which it can go back.
type Savepoint struct {
	root    *node
	covered int
	bytes   int
}

// NewTx begins a transaction on the last committed state. It must be closed.
func (s *Store) NewTx() *Tx { return &Tx{store: s, snap: s.Snapshot()} }

// Close drops the transaction and whatever it wrote.
func (t *Tx) Close() error {
	err := t.snap.Close()
	for _, s := range t.retired {
		err = errors.Join(err, s.Close())
	}
	return err
}

// Refresh lets the transaction read, under its own writes, what has been committed up to now. With
// keep, readers that still make iterators over the state before it may go on doing so.
func (t *Tx) Refresh(keep bool) error {
	old := t.snap
	t.snap = t.store.Snapshot()
	if keep {
		t.retired = append(t.retired, old)
		return nil
	}
	return old.Close()
}

// Get implements Reader.
func (t *Tx) Get(key []byte) ([]byte, bool, error) { return t.AppendGet(nil, key) }

// AppendGet implements Reader.
func (t *Tx) AppendGet(dst, key []byte) ([]byte, bool, error) {
	if n := t.writes.root.get(key); n != nil {
		if n.deleted {
			return dst, false, nil
		}
		if dst == nil {
			dst = make([]byte, 0, len(n.value))
		}
		return append(dst, n.value...), true, nil
	}
	if covering(t.covered, key) != nil {
		return dst, false, nil
	}
	return t.snap.AppendGet(dst, key)
}

// Iter implements Reader.
func (t *Tx) Iter(lo, hi []byte) *Iter {
	it := t.snap.Iter(lo, hi)
	if t.writes.root != nil || len(t.covered) > 0 {
		it.over = &overlayIter{root: t.writes.freeze(), covered: t.covered, lo: it.lo, hi: it.hi}
	}
	return it
}

// Put implements Writer.
func (t *Tx) Put(key, value []byte) {
	t.writes.put(bytes.Clone(key), append([]byte{}, value...), false)
}

// Delete implements Writer.
func (t *Tx) Delete(key []byte) { t.writes.put(bytes.Clone(key), nil, true) }

// DeleteRange implements Writer.
func (t *Tx) DeleteRange(lo, hi []byte) {
	if bytes.Compare(lo, hi) >= 0 {
		return
	}
	root := t.writes.freeze()
	for n := root.above(lo, true); n != nil && bytes.Compare(n.key, hi) < 0; n = root.above(n.key, false) {
		if !n.deleted {
			t.writes.put(n.key, nil, true)
		}
	}
	t.covered = append(t.covered, keyRange{bytes.Clone(lo), bytes.Clone(hi)})
}

// Mark is SAVEPOINT: RollbackTo undoes what is written after it.
func (t *Tx) Mark() Savepoint {
	return Savepoint{root: t.writes.freeze(), covered: len(t.covered), bytes: t.writes.bytes}
}

// RollbackTo goes back to m, any number of times. Savepoints made after m are void.
func (t *Tx) RollbackTo(m Savepoint) {
	t.writes.root, t.writes.bytes = m.root, m.bytes
	t.writes.gen++                              // m's nodes stay frozen
	t.covered = t.covered[:m.covered:m.covered] // an append must not write into what an iterator holds
}

// Empty tells whether nothing is written.
func (t *Tx) Empty() bool { return t.writes.root == nil && len(t.covered) == 0 }

// Bytes is about how much memory the writes hold.
func (t *Tx) Bytes() int { return t.writes.bytes }

// Conflict compares the keys that the transaction wrote with the store's present state. When
// another commit has changed one of them since the snapshot, the error is 40001. The caller must
// hold off other writers of these tables until its own commit. Ranges deleted by DeleteRange are
// not compared.
func (t *Tx) Conflict() error {
	var then, now []byte
	return t.writes.root.each(func(n *node) error {
		var err error
		var okThen, okNow bool
		if then, okThen, err = t.snap.AppendGet(then[:0], n.key); err != nil {
			return err
		}
		if now, okNow, err = t.store.AppendGet(now[:0], n.key); err != nil {
			return err
		}
		if okThen != okNow || okThen && !bytes.Equal(then, now) {
			return sql.Errorf(sql.CodeSerializationFailure, "could not serialize access due to concurrent update")
		}
		return nil
	})
}

// ToBatch appends the transaction's writes to b, whose commit commits them.
func (t *Tx) ToBatch(b *Batch) {
	for _, r := range t.covered {
		b.DeleteRange(r.lo, r.hi)
	}
	must(t.writes.root.each(func(n *node) error {
		if n.deleted {
			b.Delete(n.key)
		} else {
			b.Put(n.key, n.value)
		}
		return nil
	}))
}

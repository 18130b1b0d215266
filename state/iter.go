package state

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// Iter walks over keys in order, in either direction. It is used by one goroutine.
//
//	for ok := it.First(); ok; ok = it.Next() { … it.Key(), it.Value() … }
//	if err := it.Close(); err != nil { … }
//
// The positioning methods return whether the iterator is at a key; false is the end or an error,
// which Close returns as well.
type Iter struct {
	store  *Store
	it     *pebble.Iterator // nil after a failure to open, and after Close
	over   *overlayIter     // the uncommitted writes of a transaction above it, or nil
	lo, hi []byte
	err    error
}

func (s *Store) newIter(r pebble.Reader, lo, hi []byte) *Iter {
	if hi != nil && bytes.Compare(lo, hi) > 0 {
		lo = hi // an empty range; Pebble takes none that is turned round
	}
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi, UseL6Filters: true})
	if err != nil {
		return &Iter{store: s, err: s.wrap("read", err)}
	}
	return &Iter{store: s, it: it, lo: lo, hi: hi}
}

// moved notes the error of a move that failed, whose result is ok: the next one would make Pebble
// forget it, and a key that could not be read would pass for one that is not there. Under the writes
// of a transaction Pebble may have failed although there is a key.
func (i *Iter) moved(ok bool) bool {
	if ok && i.over == nil {
		return true
	}
	if i.err == nil {
		i.err = i.store.wrap("read", i.it.Error())
	}
	return ok && i.err == nil
}

// First goes to the first key.
func (i *Iter) First() bool {
	if i.it == nil {
		return false
	}
	if i.over != nil {
		return i.moved(i.over.first(i.it))
	}
	return i.moved(i.it.First())
}

// Last goes to the last key.
func (i *Iter) Last() bool {
	if i.it == nil {
		return false
	}
	if i.over != nil {
		return i.moved(i.over.last(i.it))
	}
	return i.moved(i.it.Last())
}

// SeekGE goes to the first key ≥ key.
func (i *Iter) SeekGE(key []byte) bool {
	if i.it == nil {
		return false
	}
	if i.over != nil {
		return i.moved(i.over.seekGE(i.it, key))
	}
	return i.moved(i.it.SeekGE(key))
}

// Next goes to the next key. The iterator must be at a key.
func (i *Iter) Next() bool {
	if i.it == nil {
		return false
	}
	if i.over != nil {
		return i.moved(i.over.next(i.it))
	}
	return i.moved(i.it.Next())
}

// Prev goes to the key before. The iterator must be at a key.
func (i *Iter) Prev() bool {
	if i.it == nil {
		return false
	}
	if i.over != nil {
		return i.moved(i.over.prev(i.it))
	}
	return i.moved(i.it.Prev())
}

// Get looks one key up and returns its value, valid until the next move. It asks the bloom filters
// of every level, where Reader.Get skips those of the last: it is the way to look up many keys
// of which most may be new. Afterwards the iterator must be positioned anew.
func (i *Iter) Get(key []byte) (value []byte, ok bool) {
	if i.it == nil || bytes.Compare(key, i.lo) < 0 || i.hi != nil && bytes.Compare(key, i.hi) >= 0 {
		return nil, false
	}
	if i.over != nil {
		if !i.moved(i.over.seekGE(i.it, key)) || !bytes.Equal(i.Key(), key) {
			return nil, false
		}
		return i.Value(), true
	}
	// The whole key is its own prefix for Pebble, so this stops at a filter or at the key.
	if !i.moved(i.it.SeekPrefixGE(key)) || !bytes.Equal(i.it.Key(), key) {
		return nil, false
	}
	return i.Value(), true
}

// Key is the current key, valid until the next move.
func (i *Iter) Key() []byte {
	if i.over != nil {
		return i.over.key(i.it)
	}
	return i.it.Key()
}

// Value is the current value, valid until the next move.
func (i *Iter) Value() []byte {
	if i.over != nil && i.over.onOverlay() {
		return i.over.value()
	}
	v, err := i.it.ValueAndErr()
	if err != nil && i.err == nil {
		i.err = i.store.wrap("read", err)
	}
	return v
}

// Error is the first error met, or nil.
func (i *Iter) Error() error {
	if i.err == nil && i.it != nil {
		i.err = i.store.wrap("read", i.it.Error())
	}
	return i.err
}

// Close gives the iterator up and returns the first error it met. A second Close does nothing.
func (i *Iter) Close() error {
	if i.it != nil {
		err := i.it.Close()
		i.it = nil
		if i.err == nil {
			i.err = i.store.wrap("read", err)
		}
	}
	return i.err
}

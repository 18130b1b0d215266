package state

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// overlayIter lays one version of an overlay over an iterator of committed keys, which it is
// handed with each call. It moves as a merge of the two: a key in both is the overlay's.
//
// Invariant: going forward, base and over are both at the first key of theirs that is ≥ the
// current key; going back, at the last that is ≤ it. A turn repositions both.
type overlayIter struct {
	root    *node
	covered []keyRange // committed keys in these are deleted
	lo, hi  []byte
	over    *node
	onOver  bool
	back    bool
	scratch []byte
}

func (o *overlayIter) onOverlay() bool { return o.onOver }
func (o *overlayIter) value() []byte   { return o.over.value }

func (o *overlayIter) key(base *pebble.Iterator) []byte {
	if o.onOver {
		return o.over.key
	}
	return base.Key()
}

func (o *overlayIter) first(base *pebble.Iterator) bool {
	base.First()
	o.over = o.root.above(o.lo, true)
	return o.forward(base)
}

func (o *overlayIter) last(base *pebble.Iterator) bool {
	base.Last()
	o.over = o.root.below(o.hi)
	return o.backward(base)
}

func (o *overlayIter) seekGE(base *pebble.Iterator, key []byte) bool {
	base.SeekGE(key)
	if bytes.Compare(key, o.lo) < 0 {
		key = o.lo
	}
	o.over = o.root.above(key, true)
	return o.forward(base)
}

func (o *overlayIter) next(base *pebble.Iterator) bool {
	if o.back {
		o.scratch = append(o.scratch[:0], o.key(base)...)
		base.SeekGE(o.scratch)
		o.over = o.root.above(o.scratch, true)
		o.onOver = o.over != nil && bytes.Equal(o.over.key, o.scratch)
	}
	if o.onOver {
		if base.Valid() && bytes.Equal(base.Key(), o.over.key) {
			base.Next()
		}
		o.over = o.root.above(o.over.key, false)
	} else {
		base.Next()
	}
	return o.forward(base)
}

func (o *overlayIter) prev(base *pebble.Iterator) bool {
	o.scratch = append(o.scratch[:0], o.key(base)...)
	switch {
	case !o.back:
		base.SeekLT(o.scratch)
		o.over = o.root.below(o.scratch)
	case o.onOver:
		if base.Valid() && bytes.Equal(base.Key(), o.over.key) {
			base.Prev()
		}
		o.over = o.root.below(o.scratch)
	default:
		base.Prev()
	}
	return o.backward(base)
}

// forward settles on the first visible key at or after the two positions.
func (o *overlayIter) forward(base *pebble.Iterator) bool {
	o.back = false
	for {
		for base.Valid() {
			r := covering(o.covered, base.Key())
			if r == nil {
				break
			}
			base.SeekGE(r.hi)
		}
		if o.over != nil && o.hi != nil && bytes.Compare(o.over.key, o.hi) >= 0 {
			o.over = nil
		}
		if o.over == nil {
			o.onOver = false
			return base.Valid()
		}
		c := -1 // of the overlay's key against the committed one
		if base.Valid() {
			c = bytes.Compare(o.over.key, base.Key())
		}
		if o.onOver = c <= 0; !o.onOver || !o.over.deleted {
			return true
		}
		if c == 0 {
			base.Next()
		}
		o.over = o.root.above(o.over.key, false)
	}
}

// backward settles on the last visible key at or before the two positions.
func (o *overlayIter) backward(base *pebble.Iterator) bool {
	o.back = true
	for {
		for base.Valid() {
			r := covering(o.covered, base.Key())
			if r == nil {
				break
			}
			base.SeekLT(r.lo)
		}
		if o.over != nil && bytes.Compare(o.over.key, o.lo) < 0 {
			o.over = nil
		}
		if o.over == nil {
			o.onOver = false
			return base.Valid()
		}
		c := 1
		if base.Valid() {
			c = bytes.Compare(o.over.key, base.Key())
		}
		if o.onOver = c >= 0; !o.onOver || !o.over.deleted {
			return true
		}
		if c == 0 {
			base.Prev()
		}
		o.over = o.root.below(o.over.key)
	}
}

// keyRange is [lo, hi).
type keyRange struct{ lo, hi []byte }

func covering(rs []keyRange, key []byte) *keyRange {
	for i := range rs {
		if bytes.Compare(rs[i].lo, key) <= 0 && bytes.Compare(key, rs[i].hi) < 0 {
			return &rs[i]
		}
	}
	return nil
}

package state

import (
	"encoding/binary"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// A counter is a cell that is added to without being read, for numbers of equal values that change far
// more often than anybody asks for them:
//
//	value      zigzag varint: what is added, or the sum; then a payload, the same in all that is added
//
// Its key must only ever be added to or deleted. Who knows that a sum is 0 deletes it. (Pebble can let
// merges vanish that add up to nothing, but loses its way in compactions that meet one:
// cockroachdb/pebble issue 6168.)

// AppendCounter appends a counter's value to dst.
func AppendCounter(dst []byte, n int64, payload []byte) []byte {
	return append(binary.AppendVarint(dst, n), payload...)
}

// Counter takes a counter's value apart; the payload is a part of it.
func Counter(value []byte) (n int64, payload []byte) {
	n, k := binary.Varint(value)
	return n, value[max(k, 0):]
}

// Add adds to a counter, value being as AppendCounter makes it.
func (b *Batch) Add(key, value []byte) {
	b.note(key)
	must(b.b.Merge(key, value, nil))
	b.moveOn()
}

// counters tells Pebble how to add. The name is that of Pebble's default, under which nothing was ever
// written: with another one it would call directories of older versions damaged, before checkFormat
// can say what they are.
var counters = &pebble.Merger{
	Name: pebble.DefaultMerger.Name,
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		n, k := binary.Varint(value)
		if k <= 0 {
			return nil, corrupt("counter is cut short")
		}
		return &counter{n: n, first: append([]byte(nil), value...), at: k}, nil
	},
}

// counter is a sum being made.
type counter struct {
	n     int64
	first []byte // the value it began with
	at    int    // where its payload begins
	more  bool   // than the first one
}

func (c *counter) MergeNewer(value []byte) error {
	n, k := binary.Varint(value)
	if k <= 0 {
		return corrupt("counter is cut short")
	}
	c.n, c.more = c.n+n, true
	return nil
}

func (c *counter) MergeOlder(value []byte) error { return c.MergeNewer(value) }

func (c *counter) Finish(bool) ([]byte, io.Closer, error) {
	if !c.more {
		return c.first, nil, nil
	}
	return AppendCounter(make([]byte, 0, len(c.first)+2), c.n, c.first[c.at:]), nil, nil
}

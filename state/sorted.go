package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"iter"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// sorted is the writes of a batch, which may have several chunks, in the order of their keys, each key
// once:
//
//	batch                    points          ranges
//	Set b 1                  Delete a        [x, z)
//	Set a 2                  Set b 4
//	Delete a                 Merge c 3
//	Merge c 1
//	Set b 4
//	Merge c 2
//	Set y 1                  (y is in a range that was deleted later)
//	DeleteRange [x, z)
//
// Millions of keys are sorted by their tables and shards first, without comparing them, and within a
// shard by the eight bytes behind what they have in common. So the memory of the batch, where a key is
// a cache miss, is mostly read in its own order.
type sorted struct {
	chunks  [][]byte
	groups  []*keyGroup
	deletes []rangeDelete // by where they begin
	ranges  []rangeDelete // what they delete together: apart from each other
}

// keyGroup is the writes of one shard of a table.
type keyGroup struct {
	prefix uint64
	count  int
	writes []place // in the order of the batch
}

// place is where a write is: the chunk << 32 | the byte.
type place uint64

// rangeDelete deletes the keys in [lo, hi).
type rangeDelete struct {
	lo, hi []byte
	at     place
}

// write is one of a batch. Key and value are the batch's memory; the value of a sum is fresh.
type write struct {
	kind       pebble.InternalKeyKind
	key, value []byte
	at         place
}

// sortWrites reads a batch, which must not change as long as the result is used.
func sortWrites(batch []*pebble.Batch) *sorted {
	s := &sorted{}
	for _, c := range batch {
		s.chunks = append(s.chunks, c.Repr())
	}
	s.group()
	slices.SortFunc(s.groups, func(a, b *keyGroup) int { return cmp.Compare(a.prefix, b.prefix) })
	slices.SortFunc(s.deletes, func(a, b rangeDelete) int { return bytes.Compare(a.lo, b.lo) })
	for _, d := range s.deletes {
		if n := len(s.ranges); n > 0 && bytes.Compare(d.lo, s.ranges[n-1].hi) <= 0 {
			if last := &s.ranges[n-1]; bytes.Compare(last.hi, d.hi) < 0 {
				last.hi = d.hi
			}
		} else {
			s.ranges = append(s.ranges, d)
		}
	}
	return s
}

// group finds the groups, and then what is in them.
func (s *sorted) group() {
	byPrefix := map[uint64]*keyGroup{}
	var last *keyGroup
	groupOf := func(key []byte) *keyGroup {
		if p := prefixOf(key); last == nil || last.prefix != p {
			if last = byPrefix[p]; last == nil {
				last = &keyGroup{prefix: p}
				byPrefix[p] = last
				s.groups = append(s.groups, last)
			}
		}
		return last
	}
	n := 0
	for w := range s.all() {
		if w.kind == pebble.InternalKeyKindRangeDelete {
			s.deletes = append(s.deletes, rangeDelete{w.key, w.value, w.at})
		} else {
			g := groupOf(w.key)
			g.count++
			n++
		}
	}
	order := make([]place, n)
	for _, g := range s.groups {
		g.writes, order = order[:0:g.count], order[g.count:]
	}
	for w := range s.all() {
		if w.kind != pebble.InternalKeyKindRangeDelete {
			g := groupOf(w.key)
			g.writes = append(g.writes, w.at)
		}
	}
}

// prefixOf is the table and the shard of a key as a number.
func prefixOf(key []byte) (p uint64) {
	for i := range prefixLen {
		p <<= 8
		if i < len(key) {
			p |= uint64(key[i])
		}
	}
	return p
}

// all is the writes in the order of the batch.
func (s *sorted) all() iter.Seq[write] {
	return func(yield func(write) bool) {
		for i, c := range s.chunks {
			for r := batchrepr.Read(c); len(r) > 0; {
				if !yield(readWrite(&r, place(i)<<32|place(len(c)-len(r)))) {
					return
				}
			}
		}
	}
}

func (s *sorted) read(at place) write {
	r := batchrepr.Reader(s.chunks[at>>32][uint32(at):])
	return readWrite(&r, at)
}

// readWrite reads the next write. That a batch of our own can't be read can't happen.
func readWrite(r *batchrepr.Reader, at place) write {
	kind, key, value, _, err := r.Next()
	must(err)
	return write{kind, key, value, at}
}

// points is the writes to single keys that count in the end, in order.
func (s *sorted) points() iter.Seq[write] {
	return func(yield func(write) bool) {
		var words []keyWord
		hidden := hidden{ranges: s.deletes}
		for _, g := range s.groups {
			words = s.sort(g, words[:0])
			for i := 0; i < len(words); {
				w := s.read(words[i].at)
				for i++; i < len(words) && words[i].word == words[i-1].word; i++ {
					next := s.read(words[i].at)
					if !bytes.Equal(next.key, w.key) {
						break
					}
					if !hidden.has(w) {
						next = next.over(w)
					}
					w = next
				}
				if !hidden.has(w) && !yield(w) {
					return
				}
			}
		}
	}
}

// keyWord is a write: its key, by some of its bytes, and where it is.
type keyWord struct {
	word uint64
	at   place
}

// sort appends the writes of a group in the order of their keys; of equal ones, in that of the batch.
func (s *sorted) sort(g *keyGroup, words []keyWord) []keyWord {
	first := s.read(g.writes[0])
	common := len(first.key)
	for _, at := range g.writes {
		w := s.read(at)
		common = commonPrefix(first.key[:common], w.key)
	}
	for _, at := range g.writes {
		w := s.read(at)
		words = append(words, keyWord{word(w.key[common:]), at})
	}
	slices.SortFunc(words, func(a, b keyWord) int {
		if a.word != b.word {
			return cmp.Compare(a.word, b.word)
		}
		x := s.read(a.at)
		y := s.read(b.at)
		if c := bytes.Compare(x.key, y.key); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	return words
}

func commonPrefix(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// word is the first eight bytes as a number in the same order; words that are equal tell nothing.
func word(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var w [8]byte
	copy(w[:], b)
	return binary.BigEndian.Uint64(w[:])
}

// over is what w leaves of the write of the same key before it: a counter adds.
func (w write) over(before write) write {
	if w.kind != pebble.InternalKeyKindMerge {
		return w
	}
	kind := before.kind
	if kind == pebble.InternalKeyKindDelete {
		return write{pebble.InternalKeyKindSet, w.key, w.value, w.at}
	}
	a, payload := Counter(before.value)
	b, _ := Counter(w.value)
	return write{kind, w.key, AppendCounter(nil, a+b, payload), w.at}
}

// hidden tells which writes a later range delete hides. It is asked in the order of the keys.
type hidden struct {
	ranges []rangeDelete // by where they begin: those that are still to come
	open   []rangeDelete
}

func (h *hidden) has(w write) bool {
	for len(h.ranges) > 0 && bytes.Compare(h.ranges[0].lo, w.key) <= 0 {
		h.open, h.ranges = append(h.open, h.ranges[0]), h.ranges[1:]
	}
	if len(h.open) == 0 {
		return false
	}
	h.open = slices.DeleteFunc(h.open, func(r rangeDelete) bool { return bytes.Compare(r.hi, w.key) <= 0 })
	return slices.ContainsFunc(h.open, func(r rangeDelete) bool { return r.at > w.at })
}

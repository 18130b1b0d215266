package agg

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec/stream"
)

const (
	// maxInline is how many different values a group has in its own cell, and how many of the first values
	// of a large group min and max have in memory. A group that has had more is large until its last row
	// is gone: few groups cross the line, and none goes to and fro.
	maxInline = 16
	// maxInlineBytes is how long they may be, each with its key: the cell is written whenever one of them
	// changes, and has to fit a column.
	maxInlineBytes = 64 << 10
)

// large is what a group with many values has in memory: what changed since the store was written, and
// for min and max the first values.
//
// Invariants:
//   - All values = those in the store + staged, unless the store has its epoch already, + pending.
//   - If known, which lists never are, the group's vals are the first of all values, with their counts;
//     if all, all.
//   - No value is below floor.
type large struct {
	home    string // the shard, and what the cells of the values begin with
	next    uint64 // the number of the next value, where the order of arrival counts
	pending deltas // of the open epoch
	staged  deltas // of the epoch before
	epoch   uint64 // that of staged
	bytes   int64  // of this, without the group's vals

	known, all bool
	floor      string // spares scans the remains of deleted values, which the store drops later
}

// deltas is what is to be added to the counts of values, by their keys.
type deltas map[string]delta

type delta struct {
	text string // the key, then the row: one piece of memory for both
	key  int    // the key's length
	n    int64
}

func (d *delta) row() string { return d.text[d.key:] }

const (
	largeBytes = 192 // of a group beside its deltas
	deltaBytes = 96  // of one beside its text: in the map, which has room to grow
)

func newLarge(home string, next uint64) *large {
	return &large{home: home, next: next, bytes: largeBytes + int64(len(home))}
}

func (l *large) add(key, row []byte, n int64) (cells int) {
	d, ok := l.pending[string(key)]
	if !ok {
		if l.pending == nil {
			l.pending = deltas{}
		}
		text := make([]byte, 0, len(key)+len(row))
		d = delta{text: string(append(append(text, key...), row...)), key: len(key)}
		l.bytes += int64(len(d.text)) + deltaBytes
		cells = 1
	}
	if d.n += n; d.n == 0 { // an update that did not change the value
		delete(l.pending, string(key))
		l.bytes -= int64(len(d.text)) + deltaBytes
		return cells - 1
	}
	l.pending[d.text[:d.key]] = d
	return cells
}

// settle forgets what was staged: its epoch is committed.
func (l *large) settle() {
	for _, d := range l.staged {
		l.bytes -= int64(len(d.text)) + deltaBytes
	}
	l.staged = nil
}

// scan calls fn for the values from a key on, in order, until it returns false.
func (l *large) scan(v *cellView, from string, fn func(key, row []byte, n int64) bool) {
	over := l.unwritten(v.epoch, from)
	ok := v.seek(l.home, from)
	for ok || len(over) > 0 {
		if len(over) == 0 || ok && string(v.key()) < over[0].key {
			n, row := v.value()
			if n > 0 && !fn(v.key(), row, n) {
				return
			}
			ok = v.next()
			continue
		}
		key, row, n := over[0].key, over[0].delta.row(), int64(0)
		for len(over) > 0 && over[0].key == key {
			n, over = n+over[0].delta.n, over[1:]
		}
		if ok && string(v.key()) == key {
			stored, _ := v.value()
			n, ok = n+stored, v.next()
		}
		if n > 0 && !fn([]byte(key), []byte(row), n) {
			return
		}
	}
}

type keyDelta struct {
	key   string
	delta delta
}

// unwritten is what a view of the store up to an epoch lacks, in order; a key may be there twice.
func (l *large) unwritten(epoch uint64, from string) (out []keyDelta) {
	collect := func(ds deltas) {
		for key, d := range ds {
			if key >= from {
				out = append(out, keyDelta{key, d})
			}
		}
	}
	collect(l.pending)
	if l.epoch > epoch {
		collect(l.staged)
	}
	slices.SortFunc(out, func(a, b keyDelta) int { return strings.Compare(a.key, b.key) })
	return out
}

// grow makes a group large.
func (v *values) grow(id uint32) {
	g := &v.groups[id]
	l := newLarge(string(v.home(id)), 0)
	l.known, l.all = v.finish.first, true
	g.vals.each(func(x *value) {
		key := []byte(x.key)
		if v.arrival {
			key, l.next = binary.BigEndian.AppendUint64(key, l.next), l.next+1
		}
		v.pending += l.add(key, []byte(x.row), x.n)
	})
	v.bytes += l.bytes
	g.large = l
	if v.finish.first {
		v.trim(g)
		return
	}
	g.vals.each(func(x *value) { v.bytes -= x.bytes() })
	g.vals = nil
}

// trim keeps as many of a large group's first values as it may have.
func (v *values) trim(g *group) {
	for block := g.vals[0]; len(block) > maxInline; block = g.vals[0] {
		v.bytes -= block[len(block)-1].bytes()
		g.vals = g.vals.remove(0, len(block)-1)
		g.large.all = false
	}
}

// addLarge adds n of a value to a large group, or takes some away.
func (v *values) addLarge(g *group, key, row []byte, n int64) {
	l := g.large
	if v.arrival {
		key, l.next = binary.BigEndian.AppendUint64(key, l.next), l.next+1
	}
	before := l.bytes
	v.pending += l.add(key, row, n)
	v.bytes += l.bytes - before
	if !v.finish.first {
		return
	}
	if n > 0 && string(key) < l.floor {
		l.floor = string(key)
	}
	if !l.known || !l.all && string(key) > g.vals[0][len(g.vals[0])-1].key {
		return
	}
	v.addSmall(g, key, row, n)
	if len(g.vals) > 0 {
		v.trim(g)
	} else {
		l.known = l.all
	}
}

// fill reads the first values of a large group.
func (v *values) fill(g *group, view *cellView) {
	l := g.large
	l.known, l.all = true, true
	l.scan(view, l.floor, func(key, row []byte, n int64) bool {
		x := value{string(key), string(row), n}
		v.bytes += x.bytes()
		g.vals = g.vals.push(x)
		l.all = len(g.vals[0]) < maxInline
		return l.all
	})
	if len(g.vals) > 0 {
		l.floor = g.vals[0][0].key
	}
}

// stage writes what changed of the large groups among ids. At a barrier the epoch before is committed; at
// the end of the input it may not be, but then nobody asks for the values again.
func (v *values) stage(ids []uint32) error {
	if v.cells == nil {
		return nil
	}
	v.settle()
	epoch := v.cells.Epoch()
	var unsure []goneValue
	for _, id := range ids {
		g := &v.groups[id]
		l := g.large
		if l == nil || len(l.pending) == 0 {
			continue
		}
		v.cells.note()
		for key, d := range l.pending {
			if d.n > 0 {
				v.cells.add(l.home, key, d.n, d.row())
			} else if left, known := v.count(g, key); known {
				v.take(l.home, key, d, left)
			} else {
				unsure = append(unsure, goneValue{l.home, keyDelta{key, d}})
			}
		}
		v.pending -= len(l.pending)
		l.staged, l.epoch, l.pending = l.pending, epoch, nil
		v.staged = append(v.staged, l)
	}
	return v.lookUp(unsure)
}

// settle forgets what was staged once its epoch is committed. All of it is of one epoch: before a barrier
// stages more, the epoch before was committed.
func (v *values) settle() {
	if len(v.staged) == 0 || v.staged[len(v.staged)-1].epoch > v.cells.Committed() {
		return
	}
	for _, l := range v.staged {
		before := l.bytes
		l.settle()
		v.bytes += l.bytes - before
	}
	v.staged = nil
}

// take takes some of a value away, of which so many are left.
func (v *values) take(home, key string, d delta, left int64) {
	if left > 0 {
		v.cells.add(home, key, d.n, d.row())
	} else {
		v.cells.delete(home, key)
	}
}

// count is how often a value is in a large group, if that is known without reading.
func (v *values) count(g *group, key string) (n int64, known bool) {
	l := g.large
	if !l.known {
		return 0, false
	}
	if b, i, ok := g.vals.before(g.vals.after([]byte(key))); ok {
		if x := &g.vals[b][i]; x.key == key {
			return x.n, true
		}
	}
	return 0, l.all || key < g.vals[0][len(g.vals[0])-1].key
}

// goneValue is a value of which some went, and it is not known whether any are left.
type goneValue struct {
	home string
	keyDelta
}

// lookUp finds out how many are left of values, in the order of the store.
func (v *values) lookUp(gone []goneValue) error {
	slices.SortFunc(gone, func(a, b goneValue) int {
		return cmp.Or(strings.Compare(a.home, b.home), strings.Compare(a.key, b.key))
	})
	for len(gone) > 0 {
		// A part at a time: an open view holds back the memory of what was flushed meanwhile.
		n := min(len(gone), stream.TargetRows)
		view := v.cells.view()
		for _, x := range gone[:n] {
			v.take(x.home, x.key, x.delta, view.count(x.home, x.key)+x.delta.n)
		}
		if err := view.close(); err != nil {
			return err
		}
		gone = gone[n:]
	}
	return nil
}

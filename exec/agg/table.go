package agg

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Table maps keys to dense ids by open addressing with linear probing. A slot is the upper half of
// the hash and the id plus one, so that a probe touches the key's words only when 32 bits agree.
type Table struct {
	enc    *Encoder
	slots  []uint64
	mask   uint64
	n      int
	hashes []uint64 // of each id
	words  []uint64 // of each id, enc.Stride each
	spans  []uint64 // of each id and variable-width column: where its bytes begin in arena; short strings have none
	arena  []byte
	datums [][]sql.Datum // for each column whose form is canonical: the values as first seen
	boxed  int64         // bytes of datums
}

// NewTable makes an empty table for the keys of e, which one goroutine may share among tables.
func NewTable(e *Encoder) *Table {
	t := &Table{enc: e}
	for range e.cols {
		t.datums = append(t.datums, nil)
	}
	t.alloc(64)
	return t
}

func (t *Table) alloc(slots int) {
	t.slots, t.mask = make([]uint64, slots), uint64(slots-1)
}

// Len is the number of keys.
func (t *Table) Len() int { return t.n }

// Hash is the hash of key id.
func (t *Table) Hash(id uint32) uint64 { return t.hashes[id] }

// Bytes estimates the memory held.
func (t *Table) Bytes() int64 {
	return int64(8*cap(t.slots)+8*cap(t.hashes)+8*cap(t.words)+8*cap(t.spans)+cap(t.arena)) + t.boxed
}

// Reset forgets all keys and keeps the memory.
func (t *Table) Reset() {
	clear(t.slots)
	t.n, t.hashes, t.words, t.spans, t.arena = 0, t.hashes[:0], t.words[:0], t.spans[:0], t.arena[:0]
	for i := range t.datums {
		clear(t.datums[i])
		t.datums[i] = t.datums[i][:0]
	}
	t.boxed = 0
}

// Keep makes a table of some of the keys: ids[i] gets the id i.
func (t *Table) Keep(ids []uint32) *Table {
	e, n := t.enc, len(ids)
	k := &Table{enc: e, n: n, hashes: make([]uint64, n), words: make([]uint64, 0, n*e.Stride), datums: make([][]sql.Datum, len(t.datums))}
	if len(e.bytes) > 0 {
		k.spans = make([]uint64, 0, n*len(e.bytes))
	}
	for i, id := range ids {
		at := int(id)
		k.hashes[i] = t.hashes[at]
		k.words = append(k.words, t.words[at*e.Stride:(at+1)*e.Stride]...)
		for c := range e.cols {
			if e.cols[c].bytes >= 0 {
				k.spans = append(k.spans, uint64(len(k.arena)))
				k.arena = append(k.arena, t.long(id, e.cols[c])...)
			}
			if e.cols[c].form == formDatum {
				k.datums[c] = append(k.datums[c], t.datums[c][at])
				k.boxed += datumSize(t.datums[c][at])
			}
		}
	}
	k.rehash(max(64, 1<<bits.Len(uint(2*n))))
	return k
}

// Lookup writes the id of the encoder's row i to ids[i], adding the keys that are new: those have
// the ids from the old Len on, in order of appearance. cols are the encoded columns.
func (t *Table) Lookup(cols []arrow.Array, ids []uint32) {
	e := t.enc
	if len(t.slots) < farSlots {
		for i := range e.n {
			ids[i] = t.lookupRow(cols, i)
		}
		return
	}
	for lo := 0; lo < e.n; lo += lookAhead {
		t.lookupSome(cols, lo, min(lo+lookAhead, e.n), ids)
	}
}

const (
	// farSlots is how many slots no longer fit the processor's nearer caches.
	farSlots = 1 << 15
	// lookAhead is how many keys are looked up together.
	lookAhead = 64
)

// lookupSome is lookupRow for the rows lo to hi-1. Each key of a large table costs two cache misses:
// the slot and the words. They are asked for in loops of their own, whose steps don't wait for each
// other, so that the processor has many of them under way.
func (t *Table) lookupSome(cols []arrow.Array, lo, hi int, ids []uint32) {
	var slots [lookAhead]uint64
	hashes := t.enc.hashes[lo:hi]
	for k, hash := range hashes {
		slots[k] = t.slots[hash&t.mask]
	}
	var missed [lookAhead]uint8
	n := 0
	for k, hash := range hashes {
		if slot := slots[k]; slot != 0 && slot>>32 == hash>>32 && t.equal(uint32(slot)-1, lo+k) {
			ids[lo+k] = uint32(slot) - 1
		} else {
			missed[n] = uint8(k)
			n++
		}
	}
	for _, k := range missed[:n] {
		ids[lo+int(k)] = t.lookupRow(cols, lo+int(k))
	}
}

// LookupRows is Lookup for the rows listed only.
func (t *Table) LookupRows(cols []arrow.Array, rows []int32, ids []uint32) {
	for k, i := range rows {
		ids[k] = t.lookupRow(cols, int(i))
	}
}

func (t *Table) lookupRow(cols []arrow.Array, i int) uint32 {
	e := t.enc
	hash := e.hashes[i]
	for at := hash & t.mask; ; at = (at + 1) & t.mask {
		slot := t.slots[at]
		if slot == 0 {
			return t.add(cols, i, at)
		}
		if slot>>32 == hash>>32 && t.equal(uint32(slot)-1, i) {
			return uint32(slot) - 1
		}
	}
}

// Find is the id of the encoder's row i, if it is there.
func (t *Table) Find(i int) (uint32, bool) {
	hash := t.enc.hashes[i]
	for at := hash & t.mask; ; at = (at + 1) & t.mask {
		slot := t.slots[at]
		if slot == 0 {
			return 0, false
		}
		if slot>>32 == hash>>32 && t.equal(uint32(slot)-1, i) {
			return uint32(slot) - 1, true
		}
	}
}

// equal compares key id with the encoder's row i.
func (t *Table) equal(id uint32, i int) bool {
	s := t.enc.Stride
	a, b := t.words[int(id)*s:][:s], t.enc.words[i*s:][:s]
	for k, w := range a {
		if w != b[k] {
			return false
		}
	}
	return !t.enc.long || t.equalLong(id, i, b)
}

func (t *Table) equalLong(id uint32, i int, words []uint64) bool {
	for _, c := range t.enc.cols {
		if c.bytes < 0 || words[c.word+1]>>56 != 0xFF {
			continue
		}
		offs := t.enc.offs[c.bytes]
		if !bytes.Equal(t.long(id, c), t.enc.bytes[c.bytes][offs[i]:offs[i+1]]) {
			return false
		}
	}
	return true
}

// long is the bytes of a string of key id that is longer than its words, which hold its length; of any
// other it is nothing.
func (t *Table) long(id uint32, c keyColumn) []byte {
	tag := t.word(id, c.word+1)
	if tag>>56 != 0xFF {
		return nil
	}
	off := t.spans[int(id)*len(t.enc.bytes)+c.bytes]
	return t.arena[off : off+tag&^longMark]
}

// Fit is how many of the keys, from the first on, Columns can be asked for at once, as Set.Fit.
func (t *Table) Fit(ids []uint32, most int) int {
	n := len(ids)
	if len(t.arena) <= most { // where all long strings are
		return n
	}
	for _, c := range t.enc.cols {
		if c.bytes >= 0 {
			n = fit(ids[:n], most, func(id uint32) int {
				if tag := t.word(id, c.word+1); tag == nullWord || tag>>56 != 0xFF {
					return 16
				}
				return len(t.long(id, c))
			})
		}
	}
	return n
}

func (t *Table) add(cols []arrow.Array, i int, at uint64) uint32 {
	e, id := t.enc, uint32(t.n)
	words := e.words[i*e.Stride : (i+1)*e.Stride]
	t.words = append(t.words, words...)
	t.hashes = append(t.hashes, e.hashes[i])
	for k, c := range e.cols {
		if c.bytes >= 0 {
			t.spans = append(t.spans, uint64(len(t.arena)))
			if words[c.word+1]>>56 == 0xFF {
				offs := e.offs[c.bytes]
				t.arena = append(t.arena, e.bytes[c.bytes][offs[i]:offs[i+1]]...)
			}
		}
		if c.form == formDatum {
			d := owned(stream.Value(cols[k], c.typ, i))
			t.datums[k] = append(t.datums[k], d)
			t.boxed += datumSize(d)
		}
	}
	t.slots[at] = e.hashes[i]&^math.MaxUint32 | uint64(id+1)
	t.n++
	if uint64(t.n)*2 > uint64(len(t.slots)) {
		t.rehash(len(t.slots) * 2)
	}
	return id
}

// Restore gives keys the values of rows that are equal to them: of several equal values, 1.0 and 1.00,
// a key has the one that it was added with until then.
func (t *Table) Restore(ids []uint32, cols []arrow.Array) {
	for k, c := range t.enc.cols {
		if c.form != formDatum {
			continue
		}
		for i, id := range ids {
			d := owned(stream.Value(cols[k], c.typ, i))
			t.boxed += datumSize(d) - datumSize(t.datums[k][id])
			t.datums[k][id] = d
		}
	}
}

func (t *Table) rehash(slots int) {
	t.alloc(slots)
	for id, h := range t.hashes {
		at := h & t.mask
		for t.slots[at] != 0 {
			at = (at + 1) & t.mask
		}
		t.slots[at] = h&^math.MaxUint32 | uint64(id+1)
	}
}

// Columns gives the key columns of the ids back.
func (t *Table) Columns(ids []uint32) []arrow.Array {
	out := make([]arrow.Array, len(t.enc.cols))
	for k, c := range t.enc.cols {
		out[k] = t.column(k, c, ids)
	}
	return out
}

func (t *Table) column(k int, c keyColumn, ids []uint32) arrow.Array {
	valid := t.validity(k, ids)
	switch c.form {
	case formBool:
		m := stream.NewBitmap(len(ids))
		for i, id := range ids {
			if t.word(id, c.word) != 0 {
				m.Set(i)
			}
		}
		return stream.BoolColumn(len(ids), m, valid)
	case form2:
		return stream.Fixed(c.typ, gather(t, c.word, ids, func(w uint64) uint16 { return uint16(w) }), valid)
	case form4:
		return stream.Fixed(c.typ, gather(t, c.word, ids, func(w uint64) uint32 { return uint32(w) }), valid)
	case form8:
		return stream.Fixed(c.typ, gather(t, c.word, ids, func(w uint64) uint64 { return w }), valid)
	case formFloat4:
		return stream.Fixed(c.typ, gather(t, c.word, ids, func(w uint64) float32 { return float32(math.Float64frombits(w)) }), valid)
	case formFloat8:
		return stream.Fixed(c.typ, gather(t, c.word, ids, math.Float64frombits), valid)
	case form16:
		out := make([]decimal128.Num, len(ids))
		for i, id := range ids {
			out[i] = decimal128.New(int64(t.word(id, c.word+1)), t.word(id, c.word))
		}
		return stream.Fixed(c.typ, out, valid)
	case form32:
		out := make([]decimal256.Num, len(ids))
		for i, id := range ids {
			out[i] = decimal256.New(t.word(id, c.word+3), t.word(id, c.word+2), t.word(id, c.word+1), t.word(id, c.word))
		}
		return stream.Fixed(c.typ, out, valid)
	case formDatum:
		b := stream.NewBuilder(c.typ)
		for _, id := range ids {
			b.Append(t.datums[k][id])
		}
		return b.Finish()
	}
	return t.bytesColumn(c, ids, valid)
}

func (t *Table) word(id uint32, w int) uint64 { return t.words[int(id)*t.enc.Stride+w] }

func gather[T any](t *Table, w int, ids []uint32, conv func(uint64) T) []T {
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = conv(t.word(id, w))
	}
	return out
}

func (t *Table) validity(col int, ids []uint32) stream.Bitmap {
	c, e := t.enc.cols[col], t.enc
	word, null := e.nullBits(col), func(w uint64) bool { return w>>(col%64)&1 != 0 }
	if c.form.roomForNull() {
		word, null = c.word+c.width-1, func(w uint64) bool { return w == nullWord }
	} else if !e.nulls {
		return nil
	}
	var m stream.Bitmap
	for i, id := range ids {
		if null(t.word(id, word)) {
			if m == nil {
				m = stream.FullBitmap(len(ids))
			}
			m.Clear(i)
		}
	}
	return m
}

func (t *Table) bytesColumn(c keyColumn, ids []uint32, valid stream.Bitmap) arrow.Array {
	offs, data := make([]int32, len(ids)+1), make([]byte, 0, 16*len(ids))
	for i, id := range ids {
		data = t.appendBytes(data, c, id)
		offs[i+1] = int32(len(data))
	}
	return stream.Bytes(c.typ, offs, data, valid)
}

func (t *Table) appendBytes(dst []byte, c keyColumn, id uint32) []byte {
	tag := t.word(id, c.word+1)
	switch {
	case tag == nullWord:
		return dst
	case tag>>56 == 0xFF:
		return append(dst, t.long(id, c)...)
	}
	var buf [16]byte
	binary.LittleEndian.PutUint64(buf[:], t.word(id, c.word))
	binary.LittleEndian.PutUint64(buf[8:], tag)
	return append(dst, buf[:tag>>56]...)
}

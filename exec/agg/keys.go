package agg

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// Encoder turns key columns into fixed-width words, one run of Stride words a row, such that two
// keys are equal exactly if their words are and, where a value is longer than its words, its bytes are.
//
//   - A value of up to 8 bytes is one word, of 16 bytes two, of 32 bytes four.
//   - A string of up to 15 bytes is two words: the bytes, and the length in the top byte. A longer
//     one is its hash and a mark with its length; comparing then goes on to the bytes.
//   - NULL is a word that no value has: see nullWord. Columns whose values fill their words have a
//     bit each in one more word at the end.
type Encoder struct {
	Stride int
	cols   []keyColumn
	nulls  bool // the last words hold NULL bits
	long   bool // the batch holds strings longer than their words
	words  []uint64
	hashes []uint64
	bytes  [][]byte // for each variable-width column: its canonical bytes in the bound batch
	offs   [][]int32
	n      int
}

type keyColumn struct {
	typ   sql.Type
	form  keyForm
	word  int               // index of its first word in a row
	bytes int               // index among the variable-width columns, -1 = fixed width
	width int               // words
	key   *state.KeyEncoder // of formDatum
}

type keyForm uint8

const (
	formBool keyForm = iota
	form2
	form4
	form8
	form16
	form32
	formFloat4
	formFloat8
	formBytes
	formDatum // compared by a canonical encoding of its value
)

const (
	// longMark in a string's second word says that the first is a hash.
	longMark = 0xFF << 56
	// nullWord is the last word of a NULL, in columns whose values leave it free: those of up to
	// four bytes, and strings, where it would be the length.
	nullWord = 0xFE << 56
)

// roomForNull tells whether nullWord is no value's last word.
func (f keyForm) roomForNull() bool {
	return f == formBool || f == form2 || f == form4 || f == formBytes || f == formDatum
}

// NewEncoder makes an encoder for key columns of these types. A column with notNull set must not
// hold NULLs; a nil notNull means that any may.
func NewEncoder(types []sql.Type, notNull []bool) *Encoder {
	e := &Encoder{}
	for i, t := range types {
		c := keyColumn{typ: t, form: formOf(t), word: e.Stride, bytes: -1, width: 1}
		switch c.form {
		case form16:
			c.width = 2
		case form32:
			c.width = 4
		case formBytes, formDatum:
			c.width = 2
			c.bytes = len(e.bytes)
			e.bytes, e.offs = append(e.bytes, nil), append(e.offs, nil)
			if c.form == formDatum {
				c.key = state.NewKeyEncoder(state.Ascending(t))
			}
		}
		e.Stride += c.width
		e.nulls = e.nulls || !c.form.roomForNull() && (notNull == nil || !notNull[i])
		e.cols = append(e.cols, c)
	}
	if e.nulls {
		e.Stride += (len(types) + 63) / 64
	}
	return e
}

func formOf(t sql.Type) keyForm {
	switch t.Kind {
	case sql.Bool:
		return formBool
	case sql.Int2:
		return form2
	case sql.Int4, sql.Date:
		return form4
	case sql.Int8, sql.Time, sql.Timestamp, sql.Timestamptz:
		return form8
	case sql.Float4:
		return formFloat4
	case sql.Float8:
		return formFloat8
	case sql.UUID:
		return form16
	case sql.Numeric:
		switch {
		case t.Precision == 0:
			return formDatum
		case t.Precision <= 18:
			return form8
		case t.Precision <= 38:
			return form16
		}
		return form32
	case sql.Interval, sql.JSONB, sql.Char, sql.Array, sql.Row, sql.Record, sql.Map, sql.Int2Vector, sql.OIDVector:
		return formDatum
	}
	if t.IsOID() {
		return form8
	}
	return formBytes
}

// Encode binds the columns: the words and hashes are of their rows 0 to n-1 then. It keeps a reference to
// the columns until the next call.
func (e *Encoder) Encode(cols []arrow.Array, n int) {
	e.n, e.long = n, false
	e.words = resize(e.words, n*e.Stride)
	if e.nulls {
		e.clearNulls(n)
	}
	for i, c := range e.cols {
		e.encodeColumn(c, cols[i])
		if valid := stream.Validity(cols[i]); valid != nil {
			e.encodeNulls(i, c, valid)
		}
	}
	e.hash()
}

// nullBits is the word with the NULL bit of a column.
func (e *Encoder) nullBits(col int) int { return e.Stride - (len(e.cols)+63)/64 + col/64 }

func (e *Encoder) clearNulls(n int) {
	first := e.nullBits(0)
	for w := first; w < e.Stride; w++ {
		for i, at := 0, w; i < n; i, at = i+1, at+e.Stride {
			e.words[at] = 0
		}
	}
}

func (e *Encoder) encodeColumn(c keyColumn, arr arrow.Array) {
	w, s := e.words[min(c.word, len(e.words)):], e.Stride
	switch c.form {
	case formBool:
		m := stream.Bools(arr)
		for i, at := 0, 0; i < e.n; i, at = i+1, at+s {
			w[at] = uint64(m[i>>3]>>(i&7)) & 1
		}
	case form2:
		spread(w, s, stream.Values[uint16](arr))
	case form4:
		spread(w, s, stream.Values[uint32](arr))
	case form8:
		spread(w, s, stream.Values[uint64](arr))
	case form16:
		for i, v := range stream.Values[[2]uint64](arr) {
			w[i*s], w[i*s+1] = v[0], v[1]
		}
	case form32:
		for i, v := range stream.Values[[4]uint64](arr) {
			copy(w[i*s:i*s+4], v[:])
		}
	case formFloat4:
		for i, v := range stream.Values[float32](arr) {
			w[i*s] = canonicalFloat(float64(v))
		}
	case formFloat8:
		for i, v := range stream.Values[float64](arr) {
			w[i*s] = canonicalFloat(v)
		}
	case formBytes:
		offs, data := stream.BytesValues(arr)
		e.encodeBytes(c, offs, data)
	case formDatum:
		offs, data := canonicalBytes(c.key, arr)
		e.encodeBytes(c, offs, data)
	}
}

func spread[T uint16 | uint32 | uint64](w []uint64, stride int, values []T) {
	at := 0
	for _, v := range values {
		w[at] = uint64(v)
		at += stride
	}
}

// canonicalFloat gives -0 and 0 one word, and all NaNs one: PostgreSQL groups them together.
func canonicalFloat(f float64) uint64 {
	if f == 0 {
		return 0
	}
	if f != f {
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

func (e *Encoder) encodeBytes(c keyColumn, offs []int32, data []byte) {
	e.offs[c.bytes], e.bytes[c.bytes] = offs, data
	at := c.word
	for i := range e.n {
		lo, hi := int(offs[i]), int(offs[i+1])
		e.words[at], e.words[at+1] = bytesWords(data, lo, hi)
		if hi-lo > 15 {
			e.long = true
		}
		at += e.Stride
	}
}

// bytesWords is the two words of the string data[lo:hi].
func bytesWords(data []byte, lo, hi int) (uint64, uint64) {
	n := hi - lo
	if n > 15 {
		return hashBytes(data[lo:hi]), longMark | uint64(n)
	}
	if lo+16 <= len(data) { // load past the string's end and mask
		a, b := binary.LittleEndian.Uint64(data[lo:]), binary.LittleEndian.Uint64(data[lo+8:])
		if n < 8 {
			return a & (1<<(8*n) - 1), uint64(n) << 56
		}
		return a, b&(1<<(8*(n-8))-1) | uint64(n)<<56
	}
	var buf [16]byte
	copy(buf[:], data[lo:hi])
	return binary.LittleEndian.Uint64(buf[:]), binary.LittleEndian.Uint64(buf[8:]) | uint64(n)<<56
}

func (e *Encoder) encodeNulls(col int, c keyColumn, valid stream.Bitmap) {
	for i := range e.n {
		if valid.Get(i) {
			continue
		}
		row := e.words[i*e.Stride : (i+1)*e.Stride]
		clear(row[c.word : c.word+c.width])
		if c.form.roomForNull() {
			row[c.word+c.width-1] = nullWord
		} else {
			row[e.nullBits(col)] |= 1 << (col % 64)
		}
	}
}

func (e *Encoder) hash() {
	e.hashes = resize(e.hashes, e.n)
	switch e.Stride { // the common widths, unrolled
	case 1:
		for i := range e.hashes {
			e.hashes[i] = mix(hashSeed, e.words[i])
		}
	case 2:
		for i := range e.hashes {
			e.hashes[i] = mix(mix(hashSeed, e.words[i*2]), e.words[i*2+1])
		}
	case 3:
		for i := range e.hashes {
			w := e.words[i*3 : i*3+3 : i*3+3]
			e.hashes[i] = mix(mix(mix(hashSeed, w[0]), w[1]), w[2])
		}
	default:
		for i := range e.hashes {
			h := hashSeed
			for _, w := range e.words[i*e.Stride : (i+1)*e.Stride] {
				h = mix(h, w)
			}
			e.hashes[i] = h
		}
	}
}

const (
	hashSeed = uint64(0x9E3779B97F4A7C15)
	hashMul  = uint64(0xA0761D6478BD642F)
)

// mix is wyhash's step: a 128-bit product folded to 64.
func mix(h, w uint64) uint64 {
	hi, lo := bits.Mul64(h^w, hashMul)
	return hi ^ lo ^ w*hashSeed
}

// hashBytes hashes a string by eight bytes at a time.
func hashBytes(b []byte) uint64 {
	h := hashSeed ^ uint64(len(b))
	for len(b) >= 8 {
		h = mix(h, binary.LittleEndian.Uint64(b))
		b = b[8:]
	}
	var tail uint64
	for i, c := range b {
		tail |= uint64(c) << (8 * i)
	}
	return mix(h, tail)
}

// resize returns a slice of length n, reusing s's memory where it can; the content is unspecified.
func resize[T any](s []T, n int) []T {
	if cap(s) >= n {
		return s[:n]
	}
	return make([]T, n, n+n/4)
}

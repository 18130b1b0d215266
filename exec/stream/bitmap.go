package stream

import (
	"encoding/binary"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
)

// Bitmap is a column's validity, or its booleans: one bit a row, least significant bit first, as in
// Arrow. As a validity, nil means that no row is NULL. Its length is a multiple of 8 bytes, so that
// bitmaps combine word by word; bits past the last row are unspecified.
type Bitmap []byte

// NewBitmap makes a bitmap of n clear bits.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64*8) }

// FullBitmap makes a bitmap of n set bits.
func FullBitmap(n int) Bitmap {
	m := NewBitmap(n)
	for i := range m {
		m[i] = 0xff
	}
	return m
}

// Get tells whether bit i is set; every bit of a nil bitmap is.
func (m Bitmap) Get(i int) bool { return m == nil || m[i>>3]>>(i&7)&1 != 0 }

// Set sets bit i.
func (m Bitmap) Set(i int) { m[i>>3] |= 1 << (i & 7) }

// Clear clears bit i.
func (m Bitmap) Clear(i int) { m[i>>3] &^= 1 << (i & 7) }

// SetTo sets bit i to v.
func (m Bitmap) SetTo(i int, v bool) {
	if v {
		m.Set(i)
	} else {
		m.Clear(i)
	}
}

// Count is how many of the first n bits are set.
func (m Bitmap) Count(n int) int {
	if m == nil {
		return n
	}
	c, w := 0, 0
	for ; w+64 <= n; w += 64 {
		c += bits.OnesCount64(m.Word(w >> 6))
	}
	if w < n {
		c += bits.OnesCount64(m.Word(w>>6) & (1<<(n-w) - 1))
	}
	return c
}

// Word is the w-th 64 bits.
func (m Bitmap) Word(w int) uint64 { return binary.LittleEndian.Uint64(m[w*8:]) }

// SetWord overwrites the w-th 64 bits.
func (m Bitmap) SetWord(w int, v uint64) { binary.LittleEndian.PutUint64(m[w*8:], v) }

// Words is how many words hold n bits.
func Words(n int) int { return (n + 63) / 64 }

// And is the intersection of two validities over n rows. It may return one of its arguments.
func And(n int, a, b Bitmap) Bitmap {
	if a == nil {
		return b
	}
	if b == nil {
		return a
	}
	out := NewBitmap(n)
	for w := range Words(n) {
		out.SetWord(w, a.Word(w)&b.Word(w))
	}
	return out
}

// Validity is arr's validity with bit 0 for its row 0: nil when no row is NULL. The caller must not
// write to it.
func Validity(arr arrow.Array) Bitmap {
	if arr.NullN() == 0 {
		return nil
	}
	return bitsAt(arr.NullBitmapBytes(), arr.Data().Offset(), arr.Len())
}

// Bools is a boolean column's values as a bitmap; the bits of NULL rows are unspecified. The caller
// must not write to it.
func Bools(arr arrow.Array) Bitmap {
	return bitsAt(bufferBytes(arr, 1), arr.Data().Offset(), arr.Len())
}

// bitsAt is n bits of buf from bit off on, copied only if buf can't be used in place.
func bitsAt(buf []byte, off, n int) Bitmap {
	if n == 0 {
		return Bitmap{}
	}
	size := Words(n) * 8
	if off&7 == 0 && off/8+size <= len(buf) {
		return Bitmap(buf[off/8 : off/8+size])
	}
	out := NewBitmap(n)
	start, shift := off/8, uint(off&7)
	for i := 0; i*8 < n; i++ {
		b := buf[start+i] >> shift
		if shift != 0 && start+i+1 < len(buf) {
			b |= buf[start+i+1] << (8 - shift)
		}
		out[i] = b
	}
	return out
}

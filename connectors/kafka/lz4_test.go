package kafka

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// checkLZ4 packs src and unpacks it by another implementation, and by the reference's rules.
func checkLZ4(t *testing.T, p *lz4Packer, src []byte) (packed int) {
	t.Helper()
	const guard = 0xa5
	dst := bytes.Repeat([]byte{guard}, lz4Bound(len(src))+8)
	n := p.pack(dst[:lz4Bound(len(src))], src)
	for _, b := range dst[lz4Bound(len(src)):] {
		if b != guard {
			t.Fatalf("%d bytes: written beyond the bound", len(src))
		}
	}
	got := make([]byte, len(src))
	if k, err := lz4.UncompressBlock(dst[:n], got); err != nil || !bytes.Equal(got[:k], src) {
		t.Fatalf("%d bytes come back as %d: %v", len(src), k, err)
	}
	again := make([]byte, lz4Bound(len(src)))
	if m := new(lz4Packer).pack(again, src); !bytes.Equal(again[:m], dst[:n]) {
		t.Fatalf("%d bytes: the result depends on the block before", len(src))
	}
	checkLZ4Rules(t, dst[:n], len(src))
	return n
}

// checkLZ4Rules checks what decoders rely on at the end of a block: the last five bytes are literals, and
// the last match begins twelve bytes before the end at least.
func checkLZ4Rules(t *testing.T, block []byte, size int) {
	t.Helper()
	length := func(n int) int {
		for more := n == 15; more; block = block[1:] {
			n += int(block[0])
			more = block[0] == 255
		}
		return n
	}
	at, matched, last := 0, false, 0
	for len(block) > 0 {
		token := block[0]
		block = block[1:]
		n := length(int(token >> 4))
		block = block[n:]
		if at += n; len(block) == 0 {
			if matched && n < lz4Tail || at != size {
				t.Fatalf("%d literals at the end, %d bytes of %d", n, at, size)
			}
			break
		}
		if block = block[2:]; at > size-12 {
			t.Fatalf("a match begins at %d of %d", at, size)
		}
		matched, last = true, at
		at += length(int(token&15)) + 4
	}
	if matched && last > size-12 {
		t.Fatalf("the last match begins at %d of %d", last, size)
	}
}

// Whatever is packed comes back: of every length around the margins, of few different bytes and of
// many, with matches as far back as they may lie and farther.
func TestLZ4Packer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := new(lz4Packer)
	random := func(n, letters int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.IntN(letters))
		}
		return b
	}
	for n := range 600 {
		for _, letters := range []int{1, 2, 4, 256} {
			checkLZ4(t, p, random(n, letters))
		}
	}
	for range 300 {
		var b []byte
		for piece := random(1+r.IntN(400), 256); len(b) < r.IntN(200_000); {
			if r.IntN(3) == 0 {
				piece = random(1+r.IntN(400), 1+r.IntN(256))
			}
			b = append(b, piece...)
			b = append(b, random(r.IntN(30), 10)...)
		}
		checkLZ4(t, p, b)
	}
	for _, gap := range []int{lz4Window - 2, lz4Window - 1, lz4Window, lz4Window + 1} {
		head := random(1000, 256)
		b := append(append(bytes.Clone(head), make([]byte, gap-len(head))...), head...)
		checkLZ4(t, p, append(b, random(64, 256)...))
	}
	var orders []byte
	for i := 0; len(orders) < 900<<10; i++ {
		orders = order(orders, i)
	}
	if n := checkLZ4(t, p, orders); n > len(orders)/4 {
		t.Errorf("orders of %d bytes take %d", len(orders), n)
	}
}

func FuzzLZ4Packer(f *testing.F) {
	f.Add([]byte("abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"))
	f.Fuzz(func(t *testing.T, src []byte) { checkLZ4(t, new(lz4Packer), src) })
}

func BenchmarkLZ4(b *testing.B) {
	var plain []byte
	for i := 0; len(plain) < 900<<10; i++ {
		plain = order(plain, i)
	}
	dst, p := make([]byte, lz4Bound(len(plain))), new(lz4Packer)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		p.pack(dst, plain)
	}
}

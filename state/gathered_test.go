package state

import (
	"encoding/binary"
	"sync"
	"testing"
)

// Parts that are filled at once, beyond every piece and growth, make one batch: all writes, in the
// order of their part.
func TestGathered(t *testing.T) {
	s, err := Open(InMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const parts, keys = 3, 5000
	g := s.NewGathered(0)
	key := func(part, i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(part*keys+i)) }
	var wg sync.WaitGroup
	sizes := make([]int, parts)
	for p := range parts {
		b, st := g.Part(), NewState(2000)
		wg.Go(func() {
			for i := range keys {
				st.Put(b, 0, key(p, i), []byte("overwritten"))
			}
			if p == 1 {
				st.DeleteRange(b, 0, 0, key(p, 0), key(p, keys/2))
			}
			for i := p; i < keys; i++ {
				st.Put(b, 0, key(p, i), make([]byte, 100))
			}
			sizes[p] = b.Size()
			b.HandOver()
		})
	}
	wg.Wait()
	b := g.Batch()
	if sum := sizes[0] + sizes[1] + sizes[2]; b.Size() > sum || b.Size() < sum*9/10 {
		t.Errorf("the parts have %v bytes, the whole has %d", sizes, b.Size())
	}
	signal, stop := s.Watch(2000)
	defer stop()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-signal:
	default:
		t.Error("who watches the table is not told")
	}
	look := NewState(2000).Lookup(s)
	defer look.Close()
	for p := range parts {
		for i := range keys {
			v, ok := look.Get(0, key(p, i))
			if want := 100; i >= p && len(v) != want || i < p && ok != (p != 1) {
				t.Fatalf("part %d has %q for key %d", p, v, i)
			}
		}
	}
}

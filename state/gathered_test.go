package state

import (
	"bytes"
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
	g := s.NewGatherer().New(0)
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

// Values so large that a part does not keep them are behind what it has written before, and the memory
// of what was committed is that of the next: nothing of the one before is in it.
func TestGatheredReuse(t *testing.T) {
	s, err := Open(InMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	st, from := NewState(2000), s.NewGatherer()
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	large := func(round, i int) []byte { return bytes.Repeat([]byte{byte(round), byte(i)}, largeValue) }
	for round := range 4 {
		g := from.New(100)
		b := g.Part()
		for i := range 20 << round {
			st.Put(b, 0, key(i), []byte("overwritten"))
			st.Put(b, 0, key(i), large(round, i))
		}
		st.Put(b, 0, key(0), []byte{byte(round)})
		size := b.Size()
		b.HandOver()
		whole := g.Batch()
		if whole.Size() > size || whole.Size() < 20<<round*2*largeValue {
			t.Fatalf("round %d: the part has %d bytes, the whole has %d", round, size, whole.Size())
		}
		if err := whole.Commit(); err != nil {
			t.Fatal(err)
		}
		g.Done()
		kept := from.Kept()
		if kept < size || whole.Len() > 0 {
			t.Fatalf("round %d: %d bytes of memory after a batch of %d, %d writes", round, kept, size, whole.Len())
		}
	}
	look := st.Lookup(s)
	defer look.Close()
	for i := range 160 {
		want := large(3, i)
		if i == 0 {
			want = []byte{3}
		}
		if v, ok := look.Get(0, key(i)); !ok || !bytes.Equal(v, want) {
			t.Fatalf("key %d has %d bytes, not %d", i, len(v), len(want))
		}
	}
	if from.Free(); from.Kept() != 0 {
		t.Errorf("%d bytes are kept", from.Kept())
	}
	if next := s.NewGatherer().New(maxChunkBytes); cap(next.Batch().b.Repr()) > 1<<20 {
		t.Errorf("%d bytes of memory before anything is written", cap(next.Batch().b.Repr()))
	}
	if b := s.NewBatch(); cap(b.b.Repr()) > 1<<20 {
		t.Errorf("a small batch begins with %d bytes", cap(b.b.Repr()))
	}
}

// Of the memory that is kept, a batch gets the smallest that is large enough, whatever lies in front of
// it; a new one takes the place of one that is too small.
func TestGathererChunk(t *testing.T) {
	s, err := Open(InMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	from := s.NewGatherer()
	for _, room := range []int{8192, 1024, 4096, 2048} {
		from.spare = append(from.spare, s.newChunk(room))
	}
	for _, c := range []struct{ room, has, kept int }{
		{3072, 4096, 8192 + 1024 + 2048},
		{3072, 8192, 1024 + 2048},
		{3072, 3072, 1024},
		{1024, 1024, 0},
		{1024, 1024, 0},
	} {
		chunk, has := from.chunk(c.room)
		if has != c.has || cap(chunk.Repr()) != has || from.Kept() != c.kept {
			t.Errorf("for %d bytes there are %d, and %d are kept; want %d and %d", c.room, has, from.Kept(), c.has, c.kept)
		}
	}
}

package state

import (
	"encoding/binary"
	"testing"
)

// Transactions that wait for their flush, and those that an open reader holds back, are counted in Pebble's
// block cache. They must not take all of it: without a cache, each lookup reads its filters from the disk.
func TestBatchesLeaveRoomInTheCache(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Logger: quiet, CacheBytes: 8 << 20, MemTableBytes: 2 << 20, ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	st, value := NewState(2000), make([]byte, 100)
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	write := func(from, n int) {
		b := s.NewBatch()
		for i := from; i < from+n; i++ {
			st.Put(b, 0, key(i), value)
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	write(0, 100_000)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	write(100_000, 80_000) // about 9 MB, too large for a memory table
	open := st.Lookup(s)
	defer open.Close()
	look := st.Lookup(s)
	defer look.Close()
	for i := 0; i < 100_000; i += 100 {
		if _, ok := look.Get(0, key(i)); !ok {
			t.Fatalf("cell %d is not found", i)
		}
	}
	before := s.Metrics().CacheMisses
	for i := 0; i < 100_000; i += 100 {
		look.Get(0, key(i))
	}
	if m := s.Metrics(); m.CacheMisses-before > 100 {
		t.Fatalf("the second look at 1000 cells misses the cache %d times", m.CacheMisses-before)
	}
}

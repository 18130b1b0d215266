package state

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/streamsql/streamsql/sql/seedtest"
)

// Counters are what was added, through flushes, compactions, range deletes and restarts.
func TestCounters(t *testing.T) {
	random := rand.New(rand.NewPCG(seedtest.Seed(t), 0))
	o := Options{Dir: t.TempDir(), Logger: quiet, MemTableBytes: 256 << 10, CacheBytes: 1 << 20}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	st, want := NewState(2000), map[string]int64{}
	key := func(i int) string { return fmt.Sprintf("%03d", i) }
	for round := range 60 {
		b := s.NewBatch()
		for range random.IntN(400) {
			k, n := key(random.IntN(200)), int64(random.IntN(5)-2)
			if random.IntN(3) == 0 {
				n = -want[k]
			}
			if want[k] += n; want[k] == 0 {
				delete(want, k)
				st.Delete(b, 7, []byte(k))
				continue
			}
			st.Add(b, 7, []byte(k), AppendCounter(nil, n, []byte("row "+k)))
		}
		if random.IntN(5) == 0 {
			lo := random.IntN(200)
			for i := lo; i < lo+20; i++ {
				delete(want, key(i))
			}
			st.DeleteRange(b, 7, 7, []byte(key(lo)), []byte(key(lo+20)))
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		switch random.IntN(6) {
		case 0:
			err = s.db.Flush()
		case 1:
			lo, hi := TableRange(st.ID())
			err = s.db.Compact(t.Context(), lo, hi, false)
		case 2:
			if err = s.Close(); err == nil {
				s, err = Open(o)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		checkCounters(t, round, s, st, want)
	}
}

// checkCounters reads them forwards, backwards and one by one.
func checkCounters(t *testing.T, round int, s *Store, st *State, want map[string]int64) {
	t.Helper()
	for way := range 3 {
		got := map[string]int64{}
		note := func(k string, value []byte) {
			n, row := Counter(value)
			if got[k] = n; string(row) != "row "+k {
				t.Fatalf("round %d: %s has the payload %q", round, k, row)
			}
		}
		it := shardOf(s, st.ID(), 7)
		switch way {
		case 0:
			for ok := it.First(); ok; ok = it.Next() {
				note(string(CellKey(it)), it.Value())
			}
		case 1:
			for ok := it.Last(); ok; ok = it.Prev() {
				note(string(CellKey(it)), it.Value())
			}
		default:
			for i := range 220 {
				k := fmt.Sprintf("%03d", i)
				if v, ok := it.Get(st.key(7, []byte(k))); ok {
					note(k, v)
				}
			}
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("round %d, way %d: %d counters, want %d: %v, want %v", round, way, len(got), len(want), got, want)
		}
	}
}

// A part of an epoch's writes that only adds hands over its pieces as others do.
func TestCountersInParts(t *testing.T) {
	s, err := Open(InMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g, st := s.NewGatherer().New(0), NewState(2000)
	b := g.Part()
	const cells = 20_000
	for i := range 2 * cells {
		st.Add(b, 0, binary.BigEndian.AppendUint32(nil, uint32(i%cells)), AppendCounter(nil, 2, make([]byte, 30)))
		if n := b.b.Len(); n >= pieceBytes {
			t.Fatalf("a part keeps %d bytes to itself", n)
		}
	}
	b.HandOver()
	if err := g.Batch().Commit(); err != nil {
		t.Fatal(err)
	}
	it := s.Iter(TableRange(2000))
	defer it.Close()
	sum := int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		n, payload := Counter(it.Value())
		if sum += n; n != 4 || len(payload) != 30 {
			t.Fatalf("%d, %d bytes", n, len(payload))
		}
	}
	if sum != 4*cells {
		t.Errorf("the sum is %d", sum)
	}
}

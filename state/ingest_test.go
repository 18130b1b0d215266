package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// allOf prints all keys and values.
func allOf(t *testing.T, r Reader) string {
	t.Helper()
	var b strings.Builder
	it := r.Iter(nil, nil)
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		fmt.Fprintf(&b, "%x = %x\n", it.Key(), it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Random batches become tables, of a few writes each, or go through the log: the state is the same after
// each of them, also when it is opened again. Keys are written again and again, counters are added to
// and deleted, ranges are deleted in front of and behind writes in them.
func TestIngest(t *testing.T) {
	r := newRand(t)
	for round := range 20 {
		fs := vfs.NewMem()
		plain := openMem(t, vfs.NewMem())
		open := func() *Store {
			o := Options{Dir: "db", Logger: quiet, MemTableBytes: 256 << 10, ReserveBytes: -1}
			s, err := Open(o.On(fs).Ingest(pick(r, 64, 300, 2000)))
			if err != nil {
				t.Fatal(err)
			}
			s.ingester.table = pick(r, 1, 100, 1000)
			return s
		}
		s := open()
		gatherer := s.NewGatherer()
		for range 30 {
			g := gatherer.New(0)
			part, want := g.Part(), plain.NewBatch()
			for range r.IntN(pick(r, 60, 60, 600)) {
				state, counters := TableID(2000+r.IntN(2)), TableID(3000)
				key := func(id TableID) []byte {
					return append(AppendPrefix(nil, id, uint8(r.IntN(3))), []byte(pick(r, "", "a", "b", "aaaaaaaaaab", "aaaaaaaaaac", "aaaaaaaaaa\x00\x00\x00", randomText(r)))...)
				}
				lo, hi := key(state), key(state)
				switch r.IntN(8) {
				case 0:
					if r.IntN(4) == 0 {
						lo, hi = key(2000), key(2001)
					}
					part.DeleteRange(lo, hi)
					want.DeleteRange(lo, hi)
				case 1:
					part.Delete(lo)
					want.Delete(lo)
				case 2:
					k, v := key(counters), AppendCounter(nil, int64(r.IntN(9)-4), []byte("payload"))
					part.Add(k, v)
					want.Add(k, v)
				case 3:
					k := key(counters)
					part.Delete(k)
					want.Delete(k)
				case 4:
					lo, hi := AppendPrefix(nil, counters, uint8(r.IntN(3))), AppendPrefix(nil, counters, 3)
					part.DeleteRange(lo, hi)
					want.DeleteRange(lo, hi)
				default:
					v := randomBytes(r)
					part.Put(lo, v)
					want.Put(lo, v)
				}
				if r.IntN(10) == 0 {
					part.handOver()
				}
			}
			part.HandOver()
			for _, b := range []*Batch{g.Batch(), want} {
				if err := b.Commit(); err != nil {
					t.Fatal(err)
				}
			}
			g.Done()
			if pick(r, false, false, true) {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open()
				gatherer = s.NewGatherer()
			}
			if got, want := allOf(t, s), allOf(t, plain); got != want {
				t.Fatalf("round %d: the state is\n%s\nand should be\n%s", round, got, want)
			}
		}
		for _, s := range []*Store{s, plain} {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// An epoch of megabytes makes tables of some size, those of a large table apart from the others, and its
// memory is that of the next one.
func TestIngestMakesTables(t *testing.T) {
	s, err := Open(InMemory())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gatherer := s.NewGatherer()
	const keys = 40_000
	for epoch := range byte(3) {
		g := gatherer.New(0)
		b := g.Part()
		for _, id := range []TableID{2000, 2001, 2002} {
			st, n := NewState(id), keys
			if id == 2001 {
				n = 10
			}
			for i := range n {
				st.Put(b, uint8(i), binary.BigEndian.AppendUint32(nil, uint32(i)), bytes.Repeat([]byte{epoch}, 500))
			}
		}
		b.HandOver()
		if n := len(g.Batch().full); n < 3 {
			t.Fatalf("%d chunks", n)
		}
		if err := g.Batch().Commit(); err != nil {
			t.Fatal(err)
		}
		g.Done()
	}
	if n := len(gatherer.spare); n < 4 || n > 8 {
		t.Errorf("%d chunks are kept", n)
	}
	m, tables := s.db.Metrics(), uint64(0)
	for _, l := range m.Levels {
		tables += l.TablesIngested
	}
	if tables != 3*5 || m.WAL.BytesWritten > 1<<20 { // two, one, two
		t.Errorf("%d tables, %d bytes in the log", tables, m.WAL.BytesWritten)
	}
	for _, id := range []TableID{2000, 2001, 2002} {
		it := s.Iter(TableRange(id))
		n := 0
		for ok := it.First(); ok; ok = it.Next() {
			if n++; len(it.Value()) != 500 || it.Value()[7] != 2 {
				t.Fatalf("table %d: %x", id, it.Value())
			}
		}
		if err := it.Close(); err != nil || n != keys && n != 10 {
			t.Errorf("table %d has %d keys: %v", id, n, err)
		}
	}
}

// A batch that can't be written stays whole, with nothing of it in the store or on the disk, and can be
// committed again; what a crash leaves is removed.
func TestIngestFails(t *testing.T) {
	var full atomic.Bool
	fs := vfs.NewMem()
	disk := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpFileWrite && strings.HasSuffix(op.Path, "2"+newTable) {
			return syscall.ENOSPC
		}
		return nil
	}))
	s, err := Open(Options{Dir: "db", Logger: quiet, ReserveBytes: -1}.On(disk).Ingest(100))
	if err != nil {
		t.Fatal(err)
	}
	s.ingester.table = 1000
	before := allOf(t, s)
	g := s.NewGatherer().New(0)
	part := g.Part()
	for i := range 100 {
		NewState(2000).Put(part, 0, []byte{byte(i)}, make([]byte, 100))
		part.handOver()
	}
	part.HandOver()
	full.Store(true)
	wantCode(t, g.Batch().Commit(), codeDiskFull, "no space left")
	newTables := func() (n int) {
		names, err := fs.List("db")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, newTable) {
				n++
			}
		}
		return n
	}
	if n := newTables(); n > 0 || allOf(t, s) != before {
		t.Errorf("%d files, and the state is\n%s", n, allOf(t, s))
	}
	full.Store(false)
	if err := g.Batch().Commit(); err != nil {
		t.Fatal(err)
	}
	after := allOf(t, s)
	if n := strings.Count(after, "\n") - strings.Count(before, "\n"); n != 100 {
		t.Errorf("%d keys", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := fs.Create("db/8"+newTable, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	s = openMem(t, fs)
	defer s.Close()
	if n := newTables(); n > 0 || allOf(t, s) != after {
		t.Errorf("%d files after a restart, and the state is\n%s", n, allOf(t, s))
	}
}

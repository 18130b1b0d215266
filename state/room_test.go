package state

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// While flushes fail, commits wait once enough of them are in memory. Nothing else waits with them: not
// what syncs, nor who reads, nor the clock, by which the flush is tried again. When the disk works again,
// the commits go on, and nothing is lost.
func TestCommitsWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const memTable, committers = 256 << 10, 3
		var broken atomic.Bool
		var commits atomic.Int64
		s, err := Open(Options{Dir: "db", Logger: quiet, MemTableBytes: memTable, ReserveBytes: -1,
			fs: errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if broken.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
					return syscall.EIO
				}
				return nil
			}))})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		st := func() *State { return NewState(2000) }
		key := func(c, i int) []byte { return binary.BigEndian.AppendUint32([]byte{byte(c)}, uint32(i)) }
		synctest.Wait() // what Open began has ended
		broken.Store(true)
		const each = 100
		done := make(chan error, committers)
		for c := range committers {
			go func() {
				st := st()
				for i := range each {
					b := s.NewBatch()
					st.Put(b, 0, key(c, i), make([]byte, 32<<10))
					st.DeleteRange(b, 1, 1, key(c, i), key(c, i+1)) // flushed soon, by the clock
					commit := b.Commit
					if i%2 == 0 {
						commit = b.CommitNoSync
					}
					if err := commit(); err != nil {
						done <- err
						return
					}
					commits.Add(1)
				}
				done <- nil
			}()
		}
		time.Sleep(time.Minute)
		if n := commits.Load() * 32 << 10; n < memTable || n > (memTables+1)*memTable {
			t.Errorf("%d bytes were committed before commits waited", n)
		}
		if err := s.Sync(); err != nil {
			t.Error(err)
		}
		if err := s.Snapshot().Close(); err != nil {
			t.Error(err)
		}
		broken.Store(false)
		for range committers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		look := st().Lookup(s)
		defer look.Close()
		for c := range committers {
			for i := range each {
				if v, ok := look.Get(0, key(c, i)); !ok || len(v) != 32<<10 {
					t.Fatalf("write %d of committer %d is lost", i, c)
				}
			}
		}
	})
}

// A start without room for the files that it begins is refused before it has begun one.
func TestStartOnAFullDisk(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem()}
	fs.free.Store(1 << 30)
	s := openMem(t, fs)
	dir := s.dir
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := func() string {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	before := files()
	fs.free.Store(startBytes - 1)
	for range 3 {
		_, err := Open(Options{Dir: dir, fs: fs, Logger: quiet})
		wantCode(t, err, codeDiskFull, "only 1048575 bytes are free")
	}
	if now := files(); now != before {
		t.Errorf("files %s, were %s", now, before)
	}
	fs.free.Store(startBytes) // too little for commits, but enough to read
	if s, err := Open(Options{Dir: dir, fs: fs, Logger: quiet}); err != nil {
		t.Error(err)
	} else if err := s.Close(); err != nil {
		t.Error(err)
	}
}

package state

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// A compaction whose input can't be read is tried again at a pace that leaves the machine alone, while
// commits and other reads go on, and is logged once. It comes to its end when the input is there again.
func TestFailingCompaction(t *testing.T) {
	for name, harm := range map[string]func(op errorfs.Op) error{
		"read": func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileReadAt {
				return syscall.EIO
			}
			return nil
		},
		"open": func(op errorfs.Op) error {
			if op.Kind == errorfs.OpOpen {
				return syscall.EIO
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			var failing atomic.Bool
			disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
				if failing.Load() && strings.HasSuffix(op.Path, ".sst") {
					return harm(op)
				}
				return nil
			}))
			synctest.Test(t, func(t *testing.T) {
				checkPaced(t, disk, func() { failing.Store(true) }, func() { failing.Store(false) })
			})
		})
	}
	t.Run("checksum", func(t *testing.T) {
		disk := &flippingFS{FS: vfs.NewMem()}
		synctest.Test(t, func(t *testing.T) {
			checkPaced(t, disk, func() { disk.on.Store(true) }, func() { disk.on.Store(false) })
		})
	})
}

// checkPaced is for a bubble of synctest, where only pauses take time.
func checkPaced(t *testing.T, disk vfs.FS, begin, end func()) {
	var log bytes.Buffer
	s, err := Open(Options{Dir: "db", Logger: slog.New(slog.NewTextHandler(&log, nil)), fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	begin()
	for range 8 {
		commitKeys(t, s, strings.Repeat("v", 10_000), "a", "z")
		if err := s.db.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	began := time.Now()
	for range 100 {
		commitKeys(t, s, "v", "k")
	}
	if took := time.Since(began); took > 0 {
		t.Errorf("100 commits waited %v", took)
	}
	if n := s.db.Metrics().Compact.FailedCount; n == 0 || n > 40 {
		t.Errorf("%d tries", n)
	}
	end()
	time.Sleep(10 * time.Second)
	if n := s.db.Metrics().Levels[0].TablesCount; n > 0 {
		t.Errorf("%d tables were not compacted", n)
	}
	s.Close()
	if n := strings.Count(log.String(), "it is tried again"); n != 1 {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// flippingFS damages what is read of tables, behind their first block.
type flippingFS struct {
	vfs.FS
	on atomic.Bool
}

func (f *flippingFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return file, err
	}
	return &flippedTable{file, f}, nil
}

type flippedTable struct {
	vfs.File
	fs *flippingFS
}

func (t *flippedTable) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.File.ReadAt(p, off)
	if t.fs.on.Load() && off == 0 && n > 0 { // a block of data
		p[n/2] ^= 1
	}
	return n, err
}

var _ io.ReaderAt = (*flippedTable)(nil)

package state

import (
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble tries a flush or a compaction that failed again at once, thousands of times a second, and
// knows no pause between. What it does first in a try is to open or to read a table, or to create
// one: there it waits a moment. Nothing else waits, but for reads that fail themselves.

// breathe waits a moment when a flush or a compaction has just failed: the disk is full, say, or a
// table is damaged. It must not be called under Pebble's locks.
func (e *events) breathe() {
	if time.Now().UnixNano()-e.failed.Load() < int64(time.Second) {
		time.Sleep(100 * time.Millisecond)
	}
}

// breatheReading is breathe for a read that failed, unless Pebble may hold its locks over it: it looks
// into the tables that ingested ones overlap. Those who ingest try again at their own pace.
func (e *events) breatheReading() {
	if e.ingests.Load() == 0 {
		e.breathe()
	}
}

// pacedFS lets new tables, and reads of tables that fail, wait a moment behind a failure. Damage that
// only a checksum shows waits in events.corruption.
type pacedFS struct {
	vfs.FS
	events *events
}

// Unwrap lets Pebble find the operating system's file system.
func (f *pacedFS) Unwrap() vfs.FS { return f.FS }

func (f *pacedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") {
		f.events.breathe()
	}
	return f.FS.Create(name, category)
}

func (f *pacedFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.Open(name, opts...)
	switch {
	case !strings.HasSuffix(name, ".sst"):
	case err != nil:
		f.events.breatheReading()
	default:
		file = &pacedTable{file, f.events}
	}
	return file, err
}

// pacedTable is an open table.
type pacedTable struct {
	vfs.File
	events *events
}

func (t *pacedTable) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.File.ReadAt(p, off)
	if err != nil {
		t.events.breatheReading()
	}
	return n, err
}

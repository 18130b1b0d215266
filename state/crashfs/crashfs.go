// Package crashfs is Pebble's file system in memory that a machine may lose its power over, for tests.
package crashfs

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a vfs.MemFS that can be cloned while files are linked in it. MemFS (v2.1.7) takes its lock for
// reading twice in Link, and a clone that asks for it in between leaves all three of them, and then
// everybody, waiting for ever.
type FS struct {
	*vfs.MemFS
	linking *sync.Mutex
}

// New returns an empty file system.
func New() FS { return FS{vfs.NewCrashableMem(), new(sync.Mutex)} }

// Link implements vfs.FS.
func (f FS) Link(oldname, newname string) error {
	f.linking.Lock()
	defer f.linking.Unlock()
	return f.MemFS.Link(oldname, newname)
}

// CrashClone is the file system as it is found after a loss of power now.
func (f FS) CrashClone(cfg vfs.CrashCloneCfg) FS {
	f.linking.Lock()
	defer f.linking.Unlock()
	return FS{f.MemFS.CrashClone(cfg), new(sync.Mutex)}
}

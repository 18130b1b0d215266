// Package statetest has disks in memory, for tests of what stands on state: they lose what was not
// synced, and they fail.
package statetest

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/streamsql/streamsql/state"
	"github.com/streamsql/streamsql/state/crashfs"
)

// Disk is a disk. It is safe for concurrent use.
type Disk struct{ mem crashfs.FS }

// NewDisk returns an empty one.
func NewDisk() *Disk { return &Disk{crashfs.New()} }

// Op is what a store is about to do to a file.
type Op struct {
	Kind string // create, write, sync, rename, remove, read, …
	Path string
}

// Options places a store on the disk. before is called before each operation, by any goroutine; an
// error is the operation's.
func (d *Disk) Options(o state.Options, before func(Op) error) state.Options {
	if before == nil {
		return o.On(d.mem)
	}
	return o.On(errorfs.Wrap(d.mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		return before(Op{Kind: kinds[op.Kind], Path: op.Path})
	})))
}

var kinds = map[errorfs.OpKind]string{
	errorfs.OpCreate: "create", errorfs.OpReuseForWrite: "create", errorfs.OpLink: "link", errorfs.OpRename: "rename",
	errorfs.OpRemove: "remove", errorfs.OpRemoveAll: "remove", errorfs.OpMkdirAll: "mkdir", errorfs.OpLock: "lock",
	errorfs.OpFilePreallocate: "preallocate", errorfs.OpFileClose: "close",
	errorfs.OpFileWrite: "write", errorfs.OpFileWriteAt: "write", errorfs.OpFileFlush: "write",
	errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "sync", errorfs.OpFileSyncTo: "sync",
	errorfs.OpOpen: "open", errorfs.OpOpenDir: "open", errorfs.OpList: "list", errorfs.OpStat: "stat", errorfs.OpFileStat: "stat",
	errorfs.OpGetDiskUsage: "usage", errorfs.OpFileRead: "read", errorfs.OpFileReadAt: "read",
}

// Crash returns the disk as the machine finds it after a loss of power now: what was synced is
// there, and of everything else, block by block, about so many in a hundred. The old one goes on for
// whoever still uses it.
func (d *Disk) Crash(r *rand.Rand, keep int) *Disk {
	return &Disk{d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: r})}
}

// SetFree says how many bytes are free from now on.
func (d *Disk) SetFree(n uint64) {
	d.mem.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: n, TotalBytes: n})
}

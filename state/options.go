package state

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options says where and how to keep the state. Only Dir is required.
type Options struct {
	Dir           string
	CacheBytes    int64        // block cache, beside the memory tables; 0 = 64 MiB
	MemTableBytes int64        // one memory table, of which there are up to memTables; 0 = 16 MiB
	ReserveBytes  int64        // commits are refused (53100) while less than this is free on disk; 0 = 64 MiB, below 0 = none
	Logger        *slog.Logger // nil = slog.Default()

	chunkBytes int // tests replace it: batches of epochs that are larger become tables

	fs vfs.FS // tests replace it; nil = the operating system's
}

func (o Options) withDefaults() Options {
	if o.CacheBytes <= 0 {
		o.CacheBytes = 64 << 20
	}
	if o.MemTableBytes <= 0 {
		o.MemTableBytes = 16 << 20
	}
	if o.chunkBytes <= 0 {
		o.chunkBytes = int(min(maxChunkBytes, o.MemTableBytes/2))
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
	return o
}

// SplitBudget divides a node's memory budget: an eighth for the block cache, which serves cold state
// and point reads; a quarter for memory tables on their way to the disk, which the cache may
// use as long as they don't; half for the operators' own state. The last eighth is for what comes and
// goes: an epoch's writes, rows between operators.
func SplitBudget(total int64) (cache, memTable, operators int64) {
	// Bigger memory tables gain little, and make a restart replay a longer log.
	memTable = min(max(total/32, 2<<20), 32<<20)
	cache = max(total/8, 8<<20)
	operators = total / 2
	return cache, memTable, operators
}

// leastBatch is what transactions too large for a memory table may take of the cache, however small the
// budget, until they are flushed and nobody reads them any more. Epochs of that size become tables, which
// take nothing of it.
const leastBatch = 24 << 20

// formatVersion is the version of this package's own key and value formats. A directory of another
// version is refused; it is raised when a change can't be told apart by the per-value versions.
const formatVersion = 2

// pebbleOptions tunes the storage engine for epochs: bursts of a few MB written at once, point
// reads of cold keys, changelogs that are appended, read once and range-deleted.
func pebbleOptions(o Options, fs vfs.FS, lock *pebble.Lock, listener *pebble.EventListener, logger pebble.Logger, opened *atomic.Bool) *pebble.Options {
	po := &pebble.Options{
		FS:                 fs,
		Lock:               lock,
		Logger:             logger,
		EventListener:      listener,
		FormatMajorVersion: pebble.FormatNewest,
		Merger:             counters,
		// Pebble counts memory tables, and batches too large for one, as part of the cache: without room
		// for them a small cache holds nothing while there are writes, and each read of a filter is one of
		// the disk.
		CacheSize: o.CacheBytes + 2*memTables*o.MemTableBytes + leastBatch,

		// A flush follows once a memory table is full, so a restart replays a few of them, whatever the
		// size of the history. Commits that are too fast wait before they get here: see room.
		MemTableSize:                uint64(o.MemTableBytes),
		MemTableStopWritesThreshold: never,

		// Reads of L0 cost one probe a sublevel, and compacting it rewrites what lies below. Cells of a
		// busy group are in every flush, so that patience saves half of that.
		L0CompactionThreshold: 4,
		L0StopWritesThreshold: never,
		LBaseMaxBytes:         64 << 20,

		// pebble.Open waits for the compactions that it starts, so that a restart would take as long
		// as those of a large history do: none is due until it has returned.
		CompactionConcurrencyRange: func() (int, int) {
			if opened.Load() {
				return 1, 2
			}
			return 0, 2
		},

		// A closed window or a trimmed changelog is a range delete: give the space back soon,
		// also when writes have stopped.
		FlushDelayDeleteRange: 10 * time.Second,

		// Smooth writeback, so that the sync of a commit doesn't wait behind a burst of it.
		BytesPerSync:    1 << 20,
		WALBytesPerSync: 0, // each commit syncs
		MaxOpenFiles:    4096,
	}
	// Tables that are ingested above a memory table that they overlap could join it on its way to the disk.
	// What then fails, as a damaged table below them does, would fail in a flush, again and again without a
	// pause, and hold back everybody's writes; this way the commit fails.
	po.Experimental.DisableIngestAsFlushable = func() bool { return true }
	for i := range po.Levels {
		// A file's filter is read as a whole: files of the lower levels should not grow without bounds.
		po.TargetFileSizes[i] = min(int64(4<<20)<<i, 16<<20)
		l := &po.Levels[i]
		l.BlockSize = 8 << 10
		l.IndexBlockSize = 64 << 10
		// Ten bits a key are 1 % false positives. The last level has filters as well: Iter.Get uses
		// them, because a key that an operator asks for is often one it has never seen.
		l.FilterPolicy = bloom.FilterPolicy(10)
		// Cells that come back from the disk come one a block: what counts is how fast it is unpacked.
		l.Compression = func() *sstable.CompressionProfile { return sstable.FastestCompression }
	}
	// What is flushed is soon compacted, or trimmed: packing it is work for a moment.
	po.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	return po
}

// On places the state on a file system of Pebble's, in tests.
func (o Options) On(fs vfs.FS) Options {
	o.fs = fs
	return o
}

// Ingest makes batches of epochs larger than so many bytes tables, in tests.
func (o Options) Ingest(bytes int) Options {
	o.chunkBytes = bytes
	return o
}

// InMemory are the options of a store that lives in memory and is lost with the process.
func InMemory() Options { return Options{Dir: "state", ReserveBytes: -1, fs: vfs.NewMem()} }

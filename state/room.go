package state

import (
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// room makes commits wait while too much of those before them is in memory on its way to the disk, or in
// too many layers of tables. Pebble would make them wait as well, but with its mutex held, behind which
// every other commit then stands, and so does whoever flushes a table early. Nobody can give up waiting
// for a mutex; and a simulated clock stands still meanwhile, by which a flush that has failed waits until
// it is tried again.
//
// Room gets less only when a memory table is full, with which a new log begins, and more when a flush or
// a compaction ends. So a commit compares two numbers, and only the first one of a log asks Pebble.
type room struct {
	logs    atomic.Uint64 // begun
	roomy   atomic.Uint64 // how many logs were begun when there was room
	waiting atomic.Int64  // commits

	mu    sync.Mutex
	freed chan struct{} // closed at the next end of a flush or a compaction; nil = nobody waits for it
}

const (
	// memTables is how many full memory tables, or as many bytes in batches too large for one, may wait
	// for their flush before commits wait. They lie in memory, and a restart replays them: a job that is
	// faster than the disk does better with longer epochs than with a queue of them.
	memTables = 2
	// maxLayers is how many tables a read may have to look into above the sorted levels. It is only the
	// emergency brake: compactions begin long before.
	maxLayers = 24
	// never stands for Pebble's own limits.
	never = math.MaxInt16
)

// awaitRoom returns when there is room for another commit. Those that come at once may all find it.
func (s *Store) awaitRoom() {
	r := &s.room
	if r.logs.Load() == r.roomy.Load() {
		return
	}
	for waits := false; ; waits = true {
		logs, freed := r.logs.Load(), r.nextFreed() // before asking
		reason := s.full()
		if reason == "" {
			r.roomy.Store(logs)
			if waits && r.waiting.Add(-1) == 0 {
				s.events.post(slog.LevelInfo, "commits go on")
			}
			return
		}
		if !waits && r.waiting.Add(1) == 1 {
			s.events.post(slog.LevelWarn, "commits wait for the disk", "reason", reason)
		}
		<-freed
	}
}

// full says what there is too much of, nothing if there is room. Pebble counts the memory table that
// is being filled as a full one.
func (s *Store) full() (reason string) {
	m := s.db.Metrics()
	switch {
	case m.MemTable.Size >= uint64((memTables+1)*s.memTableBytes):
		return "memory tables are not flushed"
	case m.Levels[0].Sublevels >= maxLayers:
		return "tables are not compacted"
	}
	return ""
}

func (r *room) nextFreed() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.freed == nil {
		r.freed = make(chan struct{})
	}
	return r.freed
}

func (r *room) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.freed != nil {
		close(r.freed)
		r.freed = nil
	}
}

// listen lets Pebble tell of what makes room less or more. It calls with its own mutex held.
func (r *room) listen(l *pebble.EventListener) {
	l.WALCreated = func(pebble.WALCreateInfo) { r.logs.Add(1) }
	l.FlushEnd = func(pebble.FlushInfo) { r.free() }
	l.CompactionEnd = func(pebble.CompactionInfo) { r.free() }
}

package state

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// unsynced holds the commits that can be read but are not yet on disk: Pebble shows a write before
// its log is synced. Who is shown such a write and comes back after a crash may find an older state
// than it has seen. So snapshots wait for the commits that they may hold:
//
//	commit                     snapshot
//	open                       take it
//	apply: visible from here   none open? then what it holds is on disk
//	sync                       else wait until those open now have closed
//	close
//
// Commits that promise nothing (CommitNoSync) are not waited for.
type unsynced struct {
	count   atomic.Int64 // of commits; read without the lock by who finds none, which is nearly everybody
	mu      sync.Mutex
	commits map[chan struct{}]struct{}
}

// open is called before a commit is applied; the commit closes what it gets when it is on disk or
// has failed.
func (u *unsynced) open() chan struct{} {
	c := make(chan struct{})
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.commits == nil {
		u.commits = map[chan struct{}]struct{}{}
	}
	u.commits[c] = struct{}{}
	u.count.Add(1)
	return c
}

func (u *unsynced) close(c chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.commits, c)
	u.count.Add(-1)
	close(c)
}

// wait returns when the commits that are open at the call have closed.
func (u *unsynced) wait() {
	if u.count.Load() == 0 {
		return
	}
	u.mu.Lock()
	open := make([]chan struct{}, 0, len(u.commits))
	for c := range u.commits {
		open = append(open, c)
	}
	u.mu.Unlock()
	for _, c := range open {
		<-c
	}
}

// AwaitDurable returns when everything that could be read at the call is on disk, as far as its
// commit promises that. Snapshots have done so; who reads the Store itself and shows what it read
// to others calls it before.
func (s *Store) AwaitDurable() { s.unsynced.wait() }

// CommitThenSync makes the batch visible and empties it. It is durable when the function that it
// returns, which must be called, has returned nil; snapshots wait for that. In between the caller
// may give up locks, so that one sync serves several commits.
func (b *Batch) CommitThenSync() (sync func() error, err error) {
	s := b.store
	if err := b.admit(); err != nil {
		return nil, err
	}
	c := s.unsynced.open()
	if err := b.commit(pebble.NoSync); err != nil {
		s.unsynced.close(c)
		return nil, err
	}
	return func() error {
		defer s.unsynced.close(c)
		return s.Sync()
	}, nil
}

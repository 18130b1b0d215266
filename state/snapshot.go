package state

import "github.com/cockroachdb/pebble/v2"

// Snapshot is one committed state of everything on the node. It holds back the space of what is
// deleted meanwhile, so close it soon. It is safe for concurrent use.
type Snapshot struct {
	store *Store
	snap  *pebble.Snapshot
}

// Snapshot returns the state as of the last commit, which is on disk when it returns: no crash takes
// back what a snapshot has shown.
func (s *Store) Snapshot() *Snapshot {
	snap := s.db.NewSnapshot()
	s.unsynced.wait()
	return &Snapshot{store: s, snap: snap}
}

// Get implements Reader.
func (s *Snapshot) Get(key []byte) ([]byte, bool, error) { return s.AppendGet(nil, key) }

// AppendGet implements Reader.
func (s *Snapshot) AppendGet(dst, key []byte) ([]byte, bool, error) {
	return s.store.appendGet(s.snap, dst, key)
}

// Iter implements Reader.
func (s *Snapshot) Iter(lo, hi []byte) *Iter { return s.store.newIter(s.snap, lo, hi) }

// Close gives the snapshot up. Its iterators must be closed first. A second Close does nothing.
func (s *Snapshot) Close() error {
	if s.snap == nil {
		return nil
	}
	snap := s.snap
	s.snap = nil
	return s.store.wrap("close a snapshot", snap.Close())
}

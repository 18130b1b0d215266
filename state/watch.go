package state

import "sync"

// watches tells those who wait that a table has changed.
type watches struct {
	mu     sync.Mutex
	tables map[TableID][]chan struct{}
}

// Watch returns a channel that receives after every commit that wrote to the table or touched it;
// signals that are not picked up coalesce. Watch first, then read, then wait: no commit is missed.
func (s *Store) Watch(id TableID) (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	w := &s.watches
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tables == nil {
		w.tables = map[TableID][]chan struct{}{}
	}
	w.tables[id] = append(w.tables[id], c)
	return c, func() { w.remove(id, c) }
}

func (w *watches) remove(id TableID, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.tables[id][:0]
	for _, x := range w.tables[id] {
		if x != c {
			kept = append(kept, x)
		}
	}
	if len(kept) == 0 {
		delete(w.tables, id)
		return
	}
	clear(w.tables[id][len(kept):])
	w.tables[id] = kept
}

func (w *watches) signal(ids []TableID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		for _, c := range w.tables[id] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

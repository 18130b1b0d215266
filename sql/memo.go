package sql

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Memo remembers what was made of the last values asked for. It holds memoEntries at most, and begins
// anew when there are more: clients choose the values, and may choose ever new ones. The zero Memo is
// empty. It is safe for concurrent use, and made for values that come again, row by row: Load takes no
// lock, Store copies.
type Memo[K comparable, V any] struct {
	entries atomic.Pointer[map[K]V] // never changed; nil = none
	storing sync.Mutex
}

const memoEntries = 256

// Load returns what was made of k.
func (m *Memo[K, V]) Load(k K) (v V, ok bool) {
	if entries := m.entries.Load(); entries != nil {
		v, ok = (*entries)[k]
	}
	return v, ok
}

// Store remembers v for k.
func (m *Memo[K, V]) Store(k K, v V) {
	m.storing.Lock()
	defer m.storing.Unlock()
	entries := map[K]V{}
	if old := m.entries.Load(); old != nil && len(*old) < memoEntries {
		entries = maps.Clone(*old)
	}
	entries[k] = v
	m.entries.Store(&entries)
}

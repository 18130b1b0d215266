package engine

import (
	"context"
	"sync"

	"github.com/streamsql/streamsql/sql"
)

// lockTable gives exclusive locks on tables to writers, until their transaction ends: two
// statements that write one table run one after the other, as in PostgreSQL those that write one
// row do. Readers take none: they read a snapshot.
//
// A wait that would close a circle is refused with 40P01 at once.
type lockTable struct {
	mu      sync.Mutex
	held    map[uint32]*tableLock
	waiting map[*owner]uint32 // what each blocked owner waits for
}

type tableLock struct {
	by    *owner
	freed chan struct{} // closed when `by` lets go
}

// owner is who holds locks: a transaction.
type owner struct{ tables []uint32 }

func newLockTable() *lockTable {
	return &lockTable{held: map[uint32]*tableLock{}, waiting: map[*owner]uint32{}}
}

// lock waits until o owns the table.
func (l *lockTable) lock(ctx context.Context, o *owner, table uint32) error {
	for {
		l.mu.Lock()
		cur := l.held[table]
		if cur == nil {
			l.held[table] = &tableLock{by: o, freed: make(chan struct{})}
			o.tables = append(o.tables, table)
			l.mu.Unlock()
			return nil
		}
		if cur.by == o {
			l.mu.Unlock()
			return nil
		}
		if l.deadlock(o, cur.by) {
			l.mu.Unlock()
			return &sql.Error{Code: "40P01", Message: "deadlock detected", Hint: "Run the transaction again."}
		}
		l.waiting[o] = table
		l.mu.Unlock()
		select {
		case <-cur.freed:
			l.stopWaiting(o)
		case <-ctx.Done():
			l.stopWaiting(o)
			return context.Cause(ctx)
		}
	}
}

func (l *lockTable) stopWaiting(o *owner) {
	l.mu.Lock()
	delete(l.waiting, o)
	l.mu.Unlock()
}

// deadlock tells whether `holder` waits, through any chain, for something that o holds.
func (l *lockTable) deadlock(o, holder *owner) bool {
	for {
		table, blocked := l.waiting[holder]
		if !blocked {
			return false
		}
		next := l.held[table]
		if next == nil {
			return false
		}
		if next.by == o {
			return true
		}
		holder = next.by
	}
}

// release lets go of everything o holds but the first `keep` locks it took.
func (l *lockTable) release(o *owner, keep int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range o.tables[keep:] {
		if cur := l.held[t]; cur != nil && cur.by == o {
			delete(l.held, t)
			close(cur.freed)
		}
	}
	o.tables = o.tables[:keep]
}

// commitLock is a mutex for who commits while holding it: a commit may wait for a flush, and that for a
// clock. In simulated time the clock stands still while somebody waits for a sync.Mutex.
type commitLock chan struct{}

func newCommitLock() commitLock { return make(commitLock, 1) }

// Lock implements sync.Locker.
func (l commitLock) Lock() { l <- struct{}{} }

// Unlock implements sync.Locker.
func (l commitLock) Unlock() { <-l }

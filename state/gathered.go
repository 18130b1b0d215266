package state

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// Gathered is a batch that several goroutines fill at once, each through a part of its own. A part
// hands over its writes a piece at a time, so that an epoch of many megabytes lies in memory once and
// not also in the batches of the tasks that it comes from.
//
// The writes of a part stay in their order. Those of different parts must be of different keys.
type Gathered struct {
	mu    sync.Mutex
	store *Store
	batch *Batch
	room  int // bytes that the batch has memory for
}

const (
	// pieceBytes is what a part keeps to itself: Pebble uses the memory of batches of this size again.
	pieceBytes = 256 << 10
	// gatheredGrowth is by how much the batch grows when it is full: its memory is that of the system
	// only where something was written to it.
	gatheredGrowth = 4
)

// NewGathered returns an empty one with room for so many bytes.
func (s *Store) NewGathered(room int) *Gathered {
	return &Gathered{store: s, batch: s.newBatch(room), room: room}
}

func (s *Store) newBatch(room int) *Batch {
	return &Batch{store: s, b: s.db.NewBatch(pebble.WithInitialSizeBytes(max(room, 1<<10))), last: ^TableID(0)}
}

// Part returns an empty part. Whoever fills it calls HandOver once it is done.
func (g *Gathered) Part() *Batch {
	b := g.store.NewBatch()
	b.whole = g
	return b
}

// moveOn hands over what a part holds if that is a piece.
func (b *Batch) moveOn() {
	if b.whole != nil && b.b.Len() >= pieceBytes {
		b.handOver()
	}
}

// HandOver moves the rest of a part's writes to the batch that it is a part of. It can't be used after
// that.
func (b *Batch) HandOver() {
	b.handOver()
	must(b.b.Close())
	b.b, b.whole = nil, nil
}

func (b *Batch) handOver() {
	b.moved = b.Size()
	b.whole.add(b)
	b.b.Reset()
}

func (g *Gathered) add(part *Batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if need := g.batch.Size() + part.b.Len(); need > g.room {
		g.room = max(g.room*gatheredGrowth, need)
		larger := g.store.newBatch(g.room)
		larger.Merge(g.batch)
		must(g.batch.b.Close())
		g.batch = larger
	}
	g.batch.Merge(part)
}

// Batch is the whole, once every part was handed over.
func (g *Gathered) Batch() *Batch { return g.batch }

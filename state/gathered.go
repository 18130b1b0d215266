package state

import (
	"encoding/binary"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
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
	first int // bytes to get memory for with the first write: tasks may write nothing until the epoch's end
}

const (
	// pieceBytes is what a part keeps to itself: Pebble uses the memory of batches of this size again.
	pieceBytes = 256 << 10
	// largeValue is what goes to the whole by itself: a batch of a log, which is hardly worth a second copy.
	largeValue = pieceBytes / 16
	// gatheredGrowth is by how much the batch grows when it is full: its memory is that of the system
	// only where something was written to it.
	gatheredGrowth = 4
	// maxKept is how large the memory of a batch is at most that is used again.
	maxKept = 12 << 20
)

// NewGathered returns an empty one with room for so many bytes.
func (s *Store) NewGathered(room int) *Gathered {
	return &Gathered{store: s, batch: s.newBatch(0), first: room}
}

// newBatch makes a batch with memory of its own. It is not closed when it is done with: Pebble would give
// it, with its size and its options, to whoever wants a small one.
func (s *Store) newBatch(room int) *Batch {
	return &Batch{store: s, b: s.db.NewBatchWithSize(room, pebble.WithMaxRetainedSizeBytes(maxKept)), last: ^TableID(0), keeps: true}
}

// Reuse makes an empty one of g, whose batch was committed, with room for so many bytes. Memory that
// comes from the system for every epoch costs more than what is written to it.
func (g *Gathered) Reuse(room int) {
	g.room, g.first = cap(g.batch.b.Repr()), room
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

// putLarge puts a large value straight into the batch that the part belongs to.
func (b *Batch) putLarge(key, value []byte) {
	if !b.b.Empty() {
		b.handOver()
	}
	b.moved += b.whole.put(key, value)
}

func (g *Gathered) add(part *Batch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom(part.b.Len())
	g.batch.Merge(part)
}

func (g *Gathered) put(key, value []byte) (size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.makeRoom(len(key) + len(value) + recordOverhead)
	before := g.batch.Size()
	g.batch.Put(key, value)
	return g.batch.Size() - before
}

// recordOverhead is the most that a batch takes for a write beside its key and its value: a kind, two
// lengths, and the header of the batch that begins with it.
const recordOverhead = 1 + 2*binary.MaxVarintLen32 + batchrepr.HeaderLen

func (g *Gathered) makeRoom(size int) {
	need := g.batch.Size() + size
	if need <= g.room {
		return
	}
	smaller := g.batch
	if smaller.b.Empty() {
		g.room = max(g.first, need)
	} else {
		g.room = max(g.room*gatheredGrowth, need)
	}
	g.batch = g.store.newBatch(g.room)
	g.batch.Merge(smaller)
}

// Batch is the whole, once every part was handed over.
func (g *Gathered) Batch() *Batch { return g.batch }

package state

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// Gatherer makes the batches of one epoch after the other, in the same memory: memory that comes from the
// system for every epoch costs more than what is written to it. It is safe for concurrent use.
type Gatherer struct {
	store *Store
	mu    sync.Mutex
	spare []*pebble.Batch // empty chunks
}

// Gathered is a batch that several goroutines fill at once, each through a part of its own. A part
// hands over its writes a piece at a time, so that an epoch of many megabytes lies in memory once and
// not also in the batches of the tasks that it comes from.
//
// The writes of a part stay in their order. Those of different parts must be of different keys.
type Gathered struct {
	from  *Gatherer
	mu    sync.Mutex
	batch *Batch
	room  int // bytes that its last chunk has memory for
	first int // bytes to get memory for with the first write: tasks may write nothing until the epoch's end
}

const (
	// pieceBytes is what a part keeps to itself: Pebble uses the memory of batches of this size again.
	pieceBytes = 256 << 10
	// largeValue is what goes to the whole by itself: a batch of a log, which is hardly worth a second copy.
	largeValue = pieceBytes / 16
	// maxChunkBytes is what a batch grows to, by gatheredGrowth, before it gets another chunk. What needs
	// more than one is committed as tables. It holds an epoch of a log, which is deleted again before it
	// would be worth a table.
	maxChunkBytes  = 8 << 20
	gatheredGrowth = 4
)

// NewGatherer returns one without memory.
func (s *Store) NewGatherer() *Gatherer { return &Gatherer{store: s} }

// New returns an empty batch that is about to hold so many bytes.
func (r *Gatherer) New(room int) *Gathered {
	return &Gathered{from: r, batch: &Batch{store: r.store, b: r.store.newChunk(0), last: ^TableID(0), keeps: true}, first: room}
}

// newChunk makes memory that is not closed when it is done with: Pebble would give it, with its size and
// its options, to whoever wants a small batch.
func (s *Store) newChunk(room int) *pebble.Batch {
	return s.db.NewBatchWithSize(room, pebble.WithMaxRetainedSizeBytes(math.MaxInt))
}

// chunk takes memory for so many bytes: the smallest spare that has them. When none has, one of those
// that are too small goes for the new one.
func (r *Gatherer) chunk(room int) (c *pebble.Batch, has int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	best := len(r.spare) - 1
	for i, s := range r.spare {
		if n := cap(s.Repr()); n >= room && (has < room || n < has) {
			best, has = i, n
		}
	}
	if best >= 0 {
		c = r.spare[best]
		r.spare = slices.Delete(r.spare, best, best+1)
	}
	if has < room {
		return r.store.newChunk(room), room
	}
	return c, has
}

// Done gives back the memory of g, which was committed. Some that was not needed of late goes.
func (g *Gathered) Done() {
	used := append(g.batch.full, g.batch.b)
	r := g.from
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = append(used, r.spare[:min(len(r.spare), len(used))]...)
	// A value may be huge.
	r.spare = slices.DeleteFunc(r.spare, func(c *pebble.Batch) bool { return cap(c.Repr()) > 2*maxChunkBytes })
}

// Free gives up the memory that waits for the next batch.
func (r *Gatherer) Free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spare = nil
}

// Kept is how many bytes wait for the next batch.
func (r *Gatherer) Kept() (bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.spare {
		bytes += cap(c.Repr())
	}
	return bytes
}

// Part returns an empty part. Whoever fills it calls HandOver once it is done.
func (g *Gathered) Part() *Batch {
	b := g.from.store.NewBatch()
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

// makeRoom sees to it that the batch has memory for so many more bytes.
func (g *Gathered) makeRoom(size int) {
	b, most := g.batch, g.from.store.chunkBytes
	used := b.b.Len()
	switch need := used + size; {
	case need <= g.room:
	case b.b.Empty():
		b.b, g.room = g.from.chunk(max(min(g.first, most), need))
	case need <= most:
		smaller := b.b
		b.b, g.room = g.from.chunk(max(min(g.room*gatheredGrowth, most), need))
		must(b.b.Apply(smaller, nil))
	default:
		b.full = append(b.full, b.b)
		b.b, g.room = g.from.chunk(max(most, size))
	}
}

// Batch is the whole, once every part was handed over.
func (g *Gathered) Batch() *Batch { return g.batch }

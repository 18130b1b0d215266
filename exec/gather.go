package exec

import "github.com/streamsql/streamsql/exec/stream"

// gather joins batches: on their way into a state that is partly on disk, and those that are sorted.
// Groups are read back in the order of the store, so the more are asked for at once, the more of them
// share a block, and the less often a filter is read. Nothing comes out before the barrier anyway, so
// nothing is late for it.
type gather struct {
	parts []*stream.Batch
	rows  int
	bytes int
}

// gatherRows is how many rows are looked up at once. Fewer will do when they have as much text as fits a
// column: looking up so little of them costs nothing beside it.
const gatherRows = 8 * stream.TargetRows

// add keeps a batch, and returns what is kept once it is enough, else nil. A batch that is large by
// itself is not joined to those before: they might have no room in one column.
func (g *gather) add(b *stream.Batch) (enough *stream.Batch) {
	size := stream.BatchSize(b)
	if g.bytes+size >= 2*maxTextBytes {
		enough = g.take()
	}
	g.parts = append(g.parts, b)
	g.rows, g.bytes = g.rows+b.Rows, g.bytes+size
	if enough == nil && (g.rows >= gatherRows || g.bytes >= maxTextBytes) {
		return g.take()
	}
	return enough
}

// take returns what is kept, nil if that is nothing.
func (g *gather) take() *stream.Batch {
	if g.rows == 0 {
		return nil
	}
	b := g.parts[0]
	if len(g.parts) > 1 {
		b = stream.ConcatBatches(g.parts)
	}
	clear(g.parts)
	g.parts, g.rows, g.bytes = g.parts[:0], 0, 0
	return b
}

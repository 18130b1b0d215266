package exec

import (
	"time"

	"github.com/streamsql/streamsql/exec/stream"
)

const (
	// firstPortion is how many rows an operator of a query gets at first. For most, a few portions later
	// it is whole batches.
	firstPortion = 16
	// patience is how long an operator may be at work on a portion, as far as can be told before: who
	// cancels a statement waits for it.
	patience = 20 * time.Millisecond
)

// maxTextBytes is how much text a column may have that is made of a batch or of groups: what makes more
// is made in parts. It is a variable for tests.
var maxTextBytes = 64 << 20

// portions gives a query's operator the rows of a batch in portions. A batch of a heavy expression, such
// as a regular expression over long texts, takes seconds and gigabytes when it is computed as a whole;
// so it takes a portion's, and a cancel or a timeout ends it in the midst. Rows that are updates stay
// together.
func (l *link) portions(in int, b *stream.Batch) error {
	for lo := 0; lo < b.Rows; {
		if err := l.r.ctx.Err(); err != nil {
			return err
		}
		n := min(l.portion, b.Rows-lo)
		if b.Ops != nil {
			n = b.Rows
		}
		before := l.stats.Busy.Load()
		if err := l.give(in, stream.SliceBatch(b, lo, lo+n)); err != nil {
			return err
		}
		lo += n
		l.portion = nextPortion(l.portion, n, time.Duration(l.stats.Busy.Load()-before))
	}
	return nil
}

// nextPortion is how many rows to give after n rows that took so long: as many as patience allows, but
// only four times as many as were tried, for the next ones may be heavier.
func nextPortion(portion, n int, took time.Duration) int {
	if took < patience/4 {
		return max(portion, 4*n)
	}
	return max(1, int(int64(n)*int64(patience)/int64(took)))
}

// outgrown cuts b in two when what was just evaluated over it found no room in a column, and forgets
// that evaluation; else it is nil. Rows of one update stay together. Two rows are not cut: what they
// have no room for is an error of theirs.
func (t *Task) outgrown(b *stream.Batch) []*stream.Batch {
	if b.Rows <= 2 || !t.Eval.Failed() || !t.Eval.Outgrown() {
		return nil
	}
	t.Eval.Take()
	half := b.Rows / 2
	if b.Op(half-1) == stream.Delete && b.Op(half) == stream.Insert {
		half++
	}
	return []*stream.Batch{stream.SliceBatch(b, 0, half), stream.SliceBatch(b, half, b.Rows)}
}

func each(bs []*stream.Batch, fn func(*stream.Batch) error) error {
	for _, b := range bs {
		if err := fn(b); err != nil {
			return err
		}
	}
	return nil
}

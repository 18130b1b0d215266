// Package stream defines the three things that flow on an edge between operators, in order:
// batches of rows, watermarks and barriers; and Operator, which handles them.
//
//	source ──batch──batch──watermark──batch──barrier(7)──▶ operator ──▶ operator ──▶ exchange
//
// Invariants:
//   - A batch is immutable once emitted; whoever built it may not touch its memory again. Nobody
//     calls Release: memory is the garbage collector's. Builders and scratch space are reused instead.
//   - A watermark never goes back on an edge. After watermark w, a row with an event time ≤ w is late.
//   - Everything emitted before barrier N belongs to epoch N; everything after it to a later one.
//   - An update is a delete of the old row directly followed by the insert of the new one, both
//     with the same stream key.
package stream

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
)

// Row operations, the values of Batch.Ops.
const (
	Insert int8 = +1
	Delete int8 = -1
)

// TargetRows is how many rows a busy producer puts in a batch. A quiet one emits fewer: a batch is
// never held back to fill it.
const TargetRows = 4096

// Batch is rows in columns. The column types are those of sql.Type.Arrow for the edge's schema,
// which the planner knows; a batch does not carry it.
type Batch struct {
	Columns []arrow.Array // each of length Rows
	Ops     []int8        // Insert or Delete for each row; nil = all inserts
	Rows    int           // also right when there are no columns
}

// Op is the operation of row i.
func (b *Batch) Op(i int) int8 {
	if b.Ops == nil {
		return Insert
	}
	return b.Ops[i]
}

// Watermark is an event time in microseconds since 1970-01-01. Rows at or before it have been seen,
// save late ones.
type Watermark int64

// The bounds: nothing is known yet, and the input has ended.
const (
	MinWatermark Watermark = math.MinInt64
	MaxWatermark Watermark = math.MaxInt64
)

// Barrier ends an epoch.
type Barrier struct {
	Epoch uint64 // increases by one for each barrier of a job
	Stop  bool   // nothing follows: the job stops once this epoch is committed
}

// Output is where an operator sends what it produces: the next operator of its fragment, or an
// exchange. Batches of zero rows are not emitted.
type Output interface {
	Batch(b *Batch) error
	// Watermark forwards event time. The operator decides whether and when; an operator that
	// cannot bound its output forwards none. Forwarding one that is not above the last is a no-op.
	Watermark(w Watermark) error
}

// Operator is one step of a fragment. One goroutine drives it, so it has no locks. The task loop
// around it aligns barriers over the inputs, takes the minimum of their watermarks, measures, and
// (under the build tag invariants) checks what is emitted; an operator does none of this.
//
// Any error ends the job's run; the job restarts from its last committed epoch. An error of a
// single row is not returned but reported to the task as a dead letter.
type Operator interface {
	// Batch handles rows of input `in` (0 unless the operator has several inputs).
	Batch(in int, b *Batch, out Output) error
	// Watermark handles the minimum watermark over all inputs; it increases strictly.
	// MaxWatermark means that the input has ended: emit everything that is still held.
	Watermark(w Watermark, out Output) error
	// Barrier ends an epoch: emit the changes that are due on update and write dirty state to the
	// task's state batch. The loop forwards the barrier itself, afterwards.
	Barrier(b Barrier, out Output) error
}

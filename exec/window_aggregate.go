package exec

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// windowAggregate is GROUP BY with a window. Rows are kept by pane:
//
//   - If windows are emitted on close, a pane is a slice, and a window's rows are the merged states
//     of its slices: a row of HOP is folded once, whatever the number of its windows.
//   - If they are emitted on update, or if a call's states can't be merged, a pane is a window, so
//     that what a group was before an epoch is at hand without merging slices for every change.
//
// A pane is dropped when the last of its windows has closed.
//
// State: as groupAggregate, with the pane's end after the kind, so that closed panes are a range of
// each shard; and in the cell metaCell of the task's first shard what panes.go says.
type windowAggregate struct {
	task    *Task
	spec    *AggregateSpec
	partial bool
	w       windows
	shared  bool  // panes are slices of several windows
	closed  int64 // windows that end at or before this are closed
	panes   paneSet
	scratch *agg.Set
	cols    []arrow.Array
	batches int // since the memory was last looked at
	memory  *share
	gather  gather
	change  changeSize
}

var _ stream.Operator = (*windowAggregate)(nil)

func newWindowAggregate(t *Task, s *AggregateSpec, partial bool) (*windowAggregate, error) {
	a := &windowAggregate{task: t, spec: s, partial: partial, w: newWindows(s.Window), closed: math.MinInt64, scratch: s.newSet(), memory: t.Memory()}
	a.shared = s.OnClose && s.TwoPhase()
	a.panes.init(t, a)
	return a, a.panes.restore()
}

func (a *windowAggregate) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	if a.panes.spilled {
		b = a.gather.add(b)
	}
	return a.add(b)
}

// add adds rows to their panes; nil is none.
func (a *windowAggregate) add(b *stream.Batch) error {
	if b == nil {
		return nil
	}
	var late []int32
	if a.partial {
		late = a.assignSlices(stream.Values[int64](b.Columns[0]))
	} else {
		late = a.assignTimes(b)
	}
	if a.partial {
		n := 1 + len(a.spec.Keys)
		a.cols = append(a.cols[:0], b.Columns[1:n]...)
		a.panes.layout.enc.Encode(a.cols, b.Rows)
		a.scratch.Reset()
		a.scratch.Load(b.Columns[n:len(b.Columns)-2], b.Rows)
	}
	if len(late) > 0 {
		a.reportLate(b, late)
	}
	for _, p := range a.panes.takeTargets() {
		if err := a.fold(p, b); err != nil {
			return err
		}
	}
	if a.batches++; a.batches%8 == 0 && (a.memory.grown(a.panes.bytes()) || a.change.tooMany(a.panes.changed(), a.task)) {
		a.task.CloseEpoch()
	}
	return nil
}

// assignSlices gives rows that are slices' states to their panes, and returns the late ones.
func (a *windowAggregate) assignSlices(ends []int64) (late []int32) {
	for i, end := range ends {
		last := a.w.lastWindow(end)
		switch {
		case last <= a.closed:
			late = append(late, int32(i))
		case a.shared:
			a.panes.target(end, int32(i))
		default:
			a.target(end, last, int32(i))
		}
	}
	return late
}

// assignTimes is assignSlices for the rows themselves.
func (a *windowAggregate) assignTimes(b *stream.Batch) (late []int32) {
	valid := stream.Validity(b.Columns[a.w.time])
	for i, t := range stream.Values[int64](b.Columns[a.w.time]) {
		if !valid.Get(i) || !hasWindow(t) {
			continue
		}
		end := a.w.sliceEnd(t)
		last := a.w.lastWindow(end)
		switch {
		case last < a.w.firstWindow(end): // between two windows
		case last <= a.closed:
			late = append(late, int32(i))
		case a.shared:
			a.panes.target(end, int32(i))
		default:
			a.target(end, last, int32(i))
		}
	}
	return late
}

// target gives a row to each open window that holds its slice.
func (a *windowAggregate) target(sliceEnd, last int64, row int32) {
	for e := a.w.firstWindow(sliceEnd); e <= last; e += a.w.slide {
		if e > a.closed {
			a.panes.target(e, row)
		}
	}
}

// fold adds the pane's rows of b to it.
func (a *windowAggregate) fold(p *pane, b *stream.Batch) error {
	rows := p.rows
	p.rows = p.rows[:0]
	if !a.partial && len(rows) < b.Rows {
		b = stream.TakeBatch(b, rows)
		rows = nil
	}
	if !a.partial {
		a.cols = pickColumns(a.cols, b, a.spec.Keys)
		a.panes.layout.enc.Encode(a.cols, b.Rows)
		rows = int32Range(b.Rows)
	}
	ids, err := p.groups.resolveRows(a.cols, rows)
	if err != nil {
		return err
	}
	if a.spec.OnClose {
		p.groups.touch(ids)
	} else if err := p.changes.touch(ids); err != nil {
		return err
	}
	if a.partial {
		p.groups.set.Merge(ids, a.scratch, asIDs(rows))
		return nil
	}
	masks, err := a.panes.distinct.mask(p.values, b)
	if err != nil {
		return err
	}
	p.groups.set.Add(ids, b, masks)
	return nil
}

func (a *windowAggregate) reportLate(b *stream.Batch, rows []int32) {
	l := LateRows{Source: a.spec.Source, Watermark: stream.Watermark(a.closed - 1 + a.spec.Lateness.Microseconds())}
	for _, row := range rows {
		i := int(row)
		switch {
		case !a.partial:
			l.EventTimes = append(l.EventTimes, stream.Values[int64](b.Columns[a.w.time])[i])
			l.Rows = append(l.Rows, string(rowJSON(b, a.spec.Input, i)))
		case b.Columns[len(b.Columns)-1].IsNull(i):
			a.reportFolded(&l, b, i)
		default:
			l.EventTimes = append(l.EventTimes, stream.Values[int64](b.Columns[len(b.Columns)-2])[i])
			l.Rows = append(l.Rows, string(bytesAt(b.Columns[len(b.Columns)-1], i)))
		}
	}
	a.task.Late(l)
}

// reportFolded tells of rows that were folded together before it turned out that they are late: the
// task in front did not know how far event time was elsewhere. What is known is their slice, their
// keys and their number.
func (a *windowAggregate) reportFolded(l *LateRows, b *stream.Batch, i int) {
	n := a.scratch.RowCount(uint32(i))
	first := 1 + len(a.spec.Keys)
	known := stream.SliceBatch(&stream.Batch{Columns: b.Columns[:first:first], Rows: b.Rows}, i, i+1)
	known.Columns = append(known.Columns, stream.Int64s([]int64{n}, nil))
	schema := sql.Schema{{Name: "slice_end", Type: sql.TypeTimestamp}}
	for _, k := range a.spec.Keys {
		schema = append(schema, a.spec.Input[k])
	}
	schema = append(schema, sql.Column{Name: "rows", Type: sql.TypeInt8})
	l.EventTimes = append(l.EventTimes, stream.Values[int64](b.Columns[0])[i]-1)
	l.Rows = append(l.Rows, string(rowJSON(known, schema, 0)))
	l.Folded += n - 1
}

// Watermark closes windows. Rows that come later belong to windows that end after it, so the last
// instants of their windows, which is what goes on as event time, are after what is forwarded.
func (a *windowAggregate) Watermark(w stream.Watermark, out stream.Output) error {
	lateness := a.spec.Lateness.Microseconds()
	if closed := closedBy(w, lateness); closed > a.closed {
		// Rows that are kept are in time now, and with the next end of a slice perhaps no more.
		if !hasWindow(a.closed) || closed >= a.w.sliceEnd(a.closed) {
			if err := a.add(a.gather.take()); err != nil {
				return err
			}
		}
		if err := a.close(closed, out); err != nil {
			return err
		}
	}
	if w != stream.MaxWatermark {
		w -= stream.Watermark(lateness + windowTimeGap)
	}
	return out.Watermark(w)
}

// windowTimeGap is how long before its end a window's window_time is, in microseconds.
const windowTimeGap = 1000

func (a *windowAggregate) close(closed int64, out stream.Output) error {
	if a.spec.OnClose {
		for _, end := range a.panes.windows(a.closed, closed) {
			if err := a.emitWindow(end, out); err != nil {
				return err
			}
		}
	}
	a.closed = closed
	return a.panes.drop(func(p *pane) (bool, error) {
		if a.lastOf(p) > closed {
			return false, nil
		}
		if a.spec.OnClose {
			return true, nil
		}
		return true, p.changes.emit(out) // what the window ends with
	})
}

// lastOf is the end of the last window that the pane is part of.
func (a *windowAggregate) lastOf(p *pane) int64 {
	if a.shared {
		return a.w.lastWindow(p.end)
	}
	return p.end
}

// emitWindow sends the rows of a window that closes.
func (a *windowAggregate) emitWindow(end int64, out stream.Output) error {
	emit := func(cols []arrow.Array, set *agg.Set, ids []uint32) error {
		return a.emitRows(end, cols, set, ids, out)
	}
	panes := a.panes.of(end)
	if len(panes) == 1 {
		return panes[0].each(a.panes.first, a.panes.last, emit)
	}
	spilled := false
	for _, p := range panes {
		spilled = spilled || p.groups.spilled
	}
	// With groups on disk, merge a part of the key space at a time.
	first, last, step := int(a.panes.first), int(a.panes.last), state.Shards
	if spilled {
		step = 16
	}
	merged := a.panes.layout.newKeyed(nil, false)
	for lo := first; lo <= last; lo += step {
		hi := min(lo+step-1, last)
		merged.table.Reset()
		merged.set.Reset()
		for _, p := range panes {
			merged.set.Grow(p.groups.table.Len()) // at once: most groups are in most panes
			err := p.each(uint8(lo), uint8(hi), func(cols []arrow.Array, set *agg.Set, ids []uint32) error {
				a.panes.layout.enc.Encode(cols, len(ids))
				to := make([]uint32, len(ids))
				merged.table.Lookup(cols, to)
				merged.set.Grow(merged.table.Len())
				merged.set.Merge(to, set, ids)
				return nil
			})
			if err != nil {
				return err
			}
		}
		if err := merged.eachLive(emit); err != nil {
			return err
		}
	}
	return nil
}

// emitRows sends groups as rows of the window.
func (a *windowAggregate) emitRows(end int64, keys []arrow.Array, set *agg.Set, ids []uint32, out stream.Output) error {
	row, failed, err := a.row(end, keys, set, ids)
	if err != nil {
		return err
	}
	if len(failed) > 0 {
		if err := a.task.deadGroups(a.spec, row, failed); err != nil {
			return err
		}
		row = withoutFailed(row, failed)
	}
	return out.Batch(&stream.Batch{Columns: row, Rows: len(ids) - len(failed)})
}

// row puts the columns of a result together.
func (a *windowAggregate) row(end int64, keys []arrow.Array, set *agg.Set, ids []uint32) ([]arrow.Array, []agg.Failed, error) {
	results, failed, err := set.Results(ids)
	if err != nil {
		return nil, nil, err
	}
	t := a.spec.Input[a.w.time].Type
	row := append([]arrow.Array(nil), keys...)
	row = append(row, stream.Fixed(t, repeat(end-a.w.size, len(ids)), nil), stream.Fixed(t, repeat(end, len(ids)), nil))
	return append(row, results...), failed, nil
}

func repeat(v int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func (a *windowAggregate) Barrier(_ stream.Barrier, out stream.Output) error {
	if err := a.add(a.gather.take()); err != nil {
		return err
	}
	a.change.learn(a.panes.changed(), a.task)
	if !a.spec.OnClose {
		for _, p := range a.panes.sorted() {
			if err := p.changes.emit(out); err != nil {
				return err
			}
		}
	}
	if err := a.panes.stage(a.closed); err != nil {
		return err
	}
	a.memory.settle(a.panes.bytes())
	a.task.stats.StateBytes.Store(a.memory.held)
	return nil
}

func int32Range(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// asIDs is row numbers as group ids of a set that was loaded from the rows.
func asIDs(rows []int32) []uint32 {
	out := make([]uint32, len(rows))
	for i, r := range rows {
		out[i] = uint32(r)
	}
	return out
}

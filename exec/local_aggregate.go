package exec

import (
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// localAggregate folds rows by slice and key before the exchange, so that only partial states cross
// it. It holds them back until the barrier, or until the watermark is about to pass a slice's end:
// the operator behind the exchange has no use for them earlier. Where keys hardly repeat it does not
// fold: rows go on as states of their own, until it is tried again.
//
// State: none. It is empty after every barrier.
//
// Invariant: a partial state that may be late carries its row. A task may be ahead of the others in
// event time, so a row that is late here need not be late behind the exchange, whose watermark is
// the least of all tasks'. Such rows are not folded but sent on one by one, with what
// streamsql.late_rows needs; all others are in time there too.
type localAggregate struct {
	spec *AggregateSpec
	w    windows // if there is a window
	enc  *agg.Encoder
	key  sql.Schema // slice end and keys

	table *agg.Table
	set   *agg.Set
	alone *agg.Set // for rows sent one by one
	first int64    // the least slice end held
	late  int64    // rows of slices that end at or before this may be late
	rows  int      // that were folded into what is held
	apart int      // rows to come that are not worth folding

	cols []arrow.Array
	ends []int64
	ids  []uint32
}

var _ stream.Operator = (*localAggregate)(nil)

const (
	// maxLocalGroups bounds what is held back. It also keeps the table in the processor's cache.
	maxLocalGroups = 16384
	// foldingSample is how many rows say whether folding is worth its while.
	foldingSample = 4096
	// apartRows is how many rows go on one by one once it was not, until it is tried again: trying takes
	// a few hundredths of it.
	apartRows = 1 << 20
)

// NewLocalAggregate makes the first phase of an aggregation.
func NewLocalAggregate(s *AggregateSpec) Constructor {
	return func(*Task) (stream.Operator, error) {
		l := &localAggregate{spec: s, set: s.newSet(), alone: s.newSet(), first: math.MaxInt64, late: math.MinInt64}
		if s.Window != nil {
			l.w = newWindows(s.Window)
			l.key = sql.Schema{{Name: "slice_end", Type: sql.TypeTimestamp, NotNull: true}}
		}
		for _, k := range s.Keys {
			l.key = append(l.key, s.Input[k])
		}
		notNull := make([]bool, len(l.key))
		for i, c := range l.key {
			notNull[i] = c.NotNull
		}
		l.enc = agg.NewEncoder(l.key.Types(), notNull)
		l.table = agg.NewTable(l.enc)
		return l, nil
	}
}

func (l *localAggregate) Batch(_ int, b *stream.Batch, out stream.Output) error {
	l.cols = l.cols[:0]
	if l.spec.Window != nil {
		var err error
		if b, err = l.slice(b, out); err != nil || b.Rows == 0 {
			return err
		}
		// The column is read before the next batch overwrites ends; nothing keeps it.
		l.cols = append(l.cols, stream.Timestamps(l.ends, nil))
	}
	for _, k := range l.spec.Keys {
		l.cols = append(l.cols, b.Columns[k])
	}
	if l.apart > 0 && l.table.Len() == 0 {
		l.apart -= b.Rows
		return l.sendApart(b, out)
	}
	l.rows += b.Rows
	l.enc.Encode(l.cols, b.Rows)
	l.ids = resizeIDs(l.ids, b.Rows)
	l.table.Lookup(l.cols, l.ids)
	l.set.Grow(l.table.Len())
	l.set.Add(l.ids, b, nil)
	if l.table.Len() >= maxLocalGroups {
		return l.flush(out)
	}
	return nil
}

// slice computes the ends of the rows' slices. Rows without a slice are left out; those that may be
// late are sent on.
func (l *localAggregate) slice(b *stream.Batch, out stream.Output) (*stream.Batch, error) {
	times := stream.Values[int64](b.Columns[l.w.time])
	valid := stream.Validity(b.Columns[l.w.time])
	if cap(l.ends) < b.Rows {
		l.ends = make([]int64, b.Rows)
	}
	l.ends = l.ends[:b.Rows]
	least, odd := int64(math.MaxInt64), 0
	lo, hi := int64(0), int64(0) // the slice of the row before: most rows are in it too
	for i, t := range times {
		if t < lo || t >= hi {
			if !hasWindow(t) {
				l.ends[i] = math.MinInt64
				odd++
				continue
			}
			hi = l.w.sliceEnd(t)
			lo = hi - l.w.slice
			if hi <= l.late || l.w.lastWindow(hi) < l.w.firstWindow(hi) {
				odd++ // once for a run of rows will do
			} else {
				least = min(least, hi)
			}
		}
		l.ends[i] = hi
	}
	if odd == 0 && valid == nil {
		l.first = min(l.first, least)
		return b, nil
	}
	return l.sort(b, valid, out)
}

// sort parts the rows: with a slice and in time, perhaps late, and in no window.
func (l *localAggregate) sort(b *stream.Batch, valid stream.Bitmap, out stream.Output) (*stream.Batch, error) {
	var keep, late []int32
	ends := make([]int64, 0, b.Rows)
	for i, end := range l.ends {
		switch {
		case !valid.Get(i) || end == math.MinInt64 || l.w.lastWindow(end) < l.w.firstWindow(end):
		case end <= l.late:
			late = append(late, int32(i))
		default:
			keep, ends = append(keep, int32(i)), append(ends, end)
			l.first = min(l.first, end)
		}
	}
	if len(late) > 0 {
		if err := l.sendLate(stream.TakeBatch(b, late), pickInt64(l.ends, late), out); err != nil {
			return nil, err
		}
	}
	l.ends = append(l.ends[:0], ends...)
	return stream.TakeBatch(b, keep), nil
}

func pickInt64(vs []int64, idx []int32) []int64 {
	out := make([]int64, len(idx))
	for i, j := range idx {
		out[i] = vs[j]
	}
	return out
}

// partials is a state for each row.
func (l *localAggregate) partials(b *stream.Batch) []arrow.Array {
	ids := idRange(0, b.Rows)
	l.alone.Reset()
	l.alone.Grow(b.Rows)
	l.alone.Add(ids, b, nil)
	return l.alone.Partial(ids)
}

// sendApart sends a batch as if each of its rows were a group: where hardly two have the same key,
// finding groups here costs much and saves nothing behind the exchange. l.cols are the keys.
func (l *localAggregate) sendApart(b *stream.Batch, out stream.Output) error {
	cols := append([]arrow.Array(nil), l.cols...)
	if l.spec.Window != nil { // the next batch overwrites the ends
		cols[0] = stream.Timestamps(slices.Clone(l.ends), nil)
	}
	return out.Batch(&stream.Batch{Columns: l.inTime(append(cols, l.partials(b)...), b.Rows), Rows: b.Rows})
}

// inTime adds the columns that only late rows need.
func (l *localAggregate) inTime(cols []arrow.Array, n int) []arrow.Array {
	if l.spec.Window == nil {
		return cols
	}
	return append(cols, stream.Nulls(sql.TypeTimestamp, n), stream.Nulls(sql.TypeText, n))
}

// sendLate sends rows that may be late, each with itself as JSON: long ones in parts, since all their
// columns become one.
func (l *localAggregate) sendLate(b *stream.Batch, ends []int64, out stream.Output) error {
	if b.Rows > 1 && stream.BatchSize(b) > maxTextBytes {
		half := b.Rows / 2
		if err := l.sendLate(stream.SliceBatch(b, 0, half), ends[:half], out); err != nil {
			return err
		}
		return l.sendLate(stream.SliceBatch(b, half, b.Rows), ends[half:], out)
	}
	res := &stream.Batch{Columns: []arrow.Array{stream.Timestamps(ends, nil)}, Rows: b.Rows}
	for _, k := range l.spec.Keys {
		res.Columns = append(res.Columns, b.Columns[k])
	}
	rows := make([]string, b.Rows)
	for i := range rows {
		rows[i] = string(rowJSON(b, l.spec.Input, i))
	}
	times := stream.Timestamps(stream.Values[int64](b.Columns[l.w.time]), nil)
	res.Columns = append(append(res.Columns, l.partials(b)...), times, stream.Strings(rows, nil))
	return out.Batch(res)
}

// flush sends what is held.
func (l *localAggregate) flush(out stream.Output) error {
	n := l.table.Len()
	for lo := 0; lo < n; {
		ids := idRange(lo, min(lo+stream.TargetRows, n))
		ids = ids[:fit(l.table, l.set, ids)]
		lo += len(ids)
		res := &stream.Batch{Columns: l.inTime(append(l.table.Columns(ids), l.set.Partial(ids)...), len(ids)), Rows: len(ids)}
		if err := out.Batch(res); err != nil {
			return err
		}
	}
	if l.rows >= foldingSample && n > l.rows/2 {
		l.apart = apartRows
	}
	l.rows = 0
	l.table.Reset()
	l.set.Reset()
	l.first = math.MaxInt64
	return nil
}

// Watermark sends what a closing window may need before the watermark that closes it.
func (l *localAggregate) Watermark(w stream.Watermark, out stream.Output) error {
	if l.spec.Window == nil && w == stream.MaxWatermark || l.spec.Window != nil && l.first-1 <= int64(w) {
		if err := l.flush(out); err != nil {
			return err
		}
	}
	if l.spec.Window != nil {
		l.late = l.lateBefore(w)
	}
	return out.Watermark(w)
}

// lateBefore is the largest slice end of which all windows are closed at watermark w.
func (l *localAggregate) lateBefore(w stream.Watermark) int64 {
	closed := closedBy(w, l.spec.Lateness.Microseconds())
	if closed == math.MinInt64 || closed == math.MaxInt64 {
		return closed
	}
	// lastWindow(end) ≤ closed holds up to the slice before the first start of an open window.
	start := floor(closed-l.w.size-l.w.offset, l.w.slide) + l.w.offset + l.w.slide
	return start
}

func (l *localAggregate) Barrier(_ stream.Barrier, out stream.Output) error { return l.flush(out) }

// closedBy is the largest end of a window that watermark w closes: its last microsecond is
// end-1, and rows may come for lateness longer.
func closedBy(w stream.Watermark, lateness int64) int64 {
	switch {
	case w == stream.MaxWatermark:
		return math.MaxInt64
	case w <= -maxTime:
		return math.MinInt64
	}
	return int64(w) + 1 - lateness
}

package exec

import (
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// WindowKind is a window table function.
type WindowKind uint8

const (
	Tumble WindowKind = iota
	Hop
	// CUMULATE and SESSION would follow. CUMULATE's windows are runs of slices, so firstWindow, lastWindow
	// and paneSet.of are all it needs; a SESSION's bounds depend on the rows, so it is an operator.
)

// WindowSpec cuts event time into windows [start, start+Size). Starts are Slide apart, and one is at
// 1970-01-01 00:00 plus Offset. A row with a NULL or infinite event time is in no window.
type WindowSpec struct {
	Kind   WindowKind
	Time   int // the event-time column: a timestamp or timestamptz
	Size   time.Duration
	Slide  time.Duration // Hop; a Tumble's is its size
	Offset time.Duration
}

// windows is a WindowSpec in microseconds, cut into slices: the longest stretches of time that no
// window's bound divides. A window is a whole number of them, and rows are aggregated once per slice.
type windows struct {
	time                       int
	size, slide, offset, slice int64
}

func newWindows(s *WindowSpec) windows {
	w := windows{time: s.Time, size: s.Size.Microseconds(), slide: s.Slide.Microseconds(), offset: s.Offset.Microseconds()}
	if s.Kind == Tumble {
		w.slide = w.size
	}
	w.slice = gcd(w.size, w.slide)
	return w
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// sliceEnd is the end of the slice that holds t, which is t < end. The division rounds down, also
// before 1970.
func (w *windows) sliceEnd(t int64) int64 { return floor(t-w.offset, w.slice) + w.offset + w.slice }

// firstWindow is the end of the first window that holds the slice with this end.
func (w *windows) firstWindow(sliceEnd int64) int64 {
	start := floor(sliceEnd-w.size-w.offset+w.slide-1, w.slide) + w.offset
	return start + w.size
}

// lastWindow is the end of the last window that holds the slice with this end: once it is closed,
// rows of the slice are late and its state is not needed. If Slide > Size a slice may be in no
// window; then lastWindow < firstWindow.
func (w *windows) lastWindow(sliceEnd int64) int64 {
	return floor(sliceEnd-w.slice-w.offset, w.slide) + w.offset + w.size
}

// maxTime is beyond the timestamps that PostgreSQL has, and far enough from the infinities for
// window arithmetic not to overflow.
const maxTime = 1 << 62

// hasWindow tells whether event time t is finite.
func hasWindow(t int64) bool { return -maxTime < t && t < maxTime }

// floor is the largest multiple of m that is at most t.
func floor(t, m int64) int64 {
	r := t % m
	if r < 0 {
		r += m
	}
	return t - r
}

// windowAssign appends window_start, window_end and window_time to each row, once for each window
// that the row is in: the table functions TUMBLE and HOP by themselves. It is stateless.
type windowAssign struct {
	w    windows
	typ  sql.Type
	rows []int32
}

var _ stream.Operator = (*windowAssign)(nil)

// NewWindowAssign makes the operator; t is the type of the event-time column. window_time is the
// last instant of the window, as in Flink: its end less one millisecond.
func NewWindowAssign(s *WindowSpec, t sql.Type) Constructor {
	return func(*Task) (stream.Operator, error) { return &windowAssign{w: newWindows(s), typ: t}, nil }
}

func (a *windowAssign) Batch(_ int, b *stream.Batch, out stream.Output) error {
	times := stream.Values[int64](b.Columns[a.w.time])
	valid := stream.Validity(b.Columns[a.w.time])
	a.rows = a.rows[:0]
	starts, ends, last := make([]int64, 0, b.Rows), make([]int64, 0, b.Rows), make([]int64, 0, b.Rows)
	for i, t := range times {
		if !valid.Get(i) || !hasWindow(t) {
			continue
		}
		end := a.w.sliceEnd(t)
		for e := a.w.firstWindow(end); e <= a.w.lastWindow(end); e += a.w.slide {
			a.rows = append(a.rows, int32(i))
			starts, ends, last = append(starts, e-a.w.size), append(ends, e), append(last, e-1000)
		}
	}
	if len(a.rows) == 0 {
		return nil
	}
	res := stream.TakeBatch(b, a.rows)
	for _, col := range [][]int64{starts, ends, last} {
		res.Columns = append(res.Columns, stream.Fixed(a.typ, col, nil))
	}
	return out.Batch(res)
}

func (a *windowAssign) Watermark(w stream.Watermark, out stream.Output) error {
	return out.Watermark(w)
}

func (a *windowAssign) Barrier(stream.Barrier, stream.Output) error { return nil }

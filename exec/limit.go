package exec

import (
	"errors"

	"github.com/streamsql/streamsql/exec/stream"
)

// limit passes Limit rows after the first Offset ones: LIMIT without ORDER BY, for bounded queries.
type limit struct {
	skip, left int64 // left below 0 = all
	last       bool
}

var _ stream.Operator = (*limit)(nil)

// errEnough ends a bounded query early, and well.
var errEnough = errors.New("exec: the result is complete")

// NewLimit makes the operator; n below 0 is no limit. final tells that nothing follows but the
// client: the query then ends with the last row, and its sources are not read to their ends.
func NewLimit(n, offset int64, final bool) Constructor {
	return func(*Task) (stream.Operator, error) { return &limit{skip: offset, left: n, last: final}, nil }
}

func (l *limit) Batch(_ int, b *stream.Batch, out stream.Output) error {
	lo := min(l.skip, int64(b.Rows))
	l.skip -= lo
	hi := int64(b.Rows)
	if l.left >= 0 {
		hi = min(hi, lo+l.left)
		l.left -= hi - lo
	}
	if lo < hi {
		if err := out.Batch(stream.SliceBatch(b, int(lo), int(hi))); err != nil {
			return err
		}
	}
	if l.left == 0 && l.last {
		return errEnough
	}
	return nil
}

func (l *limit) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (l *limit) Barrier(stream.Barrier, stream.Output) error { return nil }

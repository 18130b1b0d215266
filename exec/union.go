package exec

import (
	"github.com/streamsql/streamsql/exec/stream"
)

// union passes on the rows of all its inputs: UNION ALL. It is the smallest operator with several
// inputs: `in` is the index of the Edge that a batch came over, and the watermark is already the
// least of all inputs. A join will look like it, with state for each side.
//
// If an input's stream key does not tell its rows from the others', the planner adds a column that
// does.
type union struct{}

var _ stream.Operator = union{}

// NewUnion makes the operator.
func NewUnion() Constructor {
	return func(*Task) (stream.Operator, error) { return union{}, nil }
}

func (union) Batch(_ int, b *stream.Batch, out stream.Output) error { return out.Batch(b) }

func (union) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (union) Barrier(stream.Barrier, stream.Output) error { return nil }

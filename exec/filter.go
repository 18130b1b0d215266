package exec

import (
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// filter passes the rows for which its predicate is true. It is stateless.
type filter struct {
	task *Task
	pred expr.Expr
	in   sql.Schema
	idx  []int32
}

var _ stream.Operator = (*filter)(nil)

// NewFilter makes the operator; in is the schema of its input. A row whose predicate fails becomes a
// dead letter.
func NewFilter(pred expr.Expr, in sql.Schema) Constructor {
	return func(t *Task) (stream.Operator, error) { return &filter{task: t, pred: pred, in: in}, nil }
}

func (f *filter) Batch(_ int, b *stream.Batch, out stream.Output) error {
	keep := expr.Eval(f.task.Eval, f.pred, b)
	if parts := f.task.outgrown(b); parts != nil {
		return each(parts, func(b *stream.Batch) error { return f.Batch(0, b, out) })
	}
	// A row with an error has NULL for its predicate, so it does not pass.
	if _, err := f.task.TakeErrors(b, f.in); err != nil {
		return err
	}
	return out.Batch(stream.Filter(b, keep, &f.idx))
}

func (f *filter) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (f *filter) Barrier(stream.Barrier, stream.Output) error { return nil }

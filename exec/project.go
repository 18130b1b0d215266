package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// project computes new columns. It is stateless.
type project struct {
	task  *Task
	exprs []expr.Expr
	in    sql.Schema
}

var _ stream.Operator = (*project)(nil)

// NewProject makes the operator; in is the schema of its input. A row for which an expression fails
// becomes a dead letter. The expressions must give the same value for a row when it is deleted as
// when it was inserted.
func NewProject(exprs []expr.Expr, in sql.Schema) Constructor {
	return func(t *Task) (stream.Operator, error) { return &project{t, exprs, in}, nil }
}

func (p *project) Batch(_ int, b *stream.Batch, out stream.Output) error {
	res := &stream.Batch{Columns: make([]arrow.Array, len(p.exprs)), Ops: b.Ops, Rows: b.Rows}
	for i, e := range p.exprs {
		res.Columns[i] = expr.Eval(p.task.Eval, e, b)
	}
	if parts := p.task.outgrown(b); parts != nil {
		return each(parts, func(b *stream.Batch) error { return p.Batch(0, b, out) })
	}
	errs, err := p.task.TakeErrors(b, p.in)
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		res = without(res, errs)
	}
	return out.Batch(res)
}

func (p *project) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (p *project) Barrier(stream.Barrier, stream.Output) error { return nil }

// without is b less the rows that have errors, which are ascending.
func without(b *stream.Batch, errs []expr.RowError) *stream.Batch {
	idx := make([]int32, 0, b.Rows-len(errs))
	for i := range b.Rows {
		if len(errs) > 0 && errs[0].Row == i {
			errs = errs[1:]
			continue
		}
		idx = append(idx, int32(i))
	}
	return stream.TakeBatch(b, idx)
}

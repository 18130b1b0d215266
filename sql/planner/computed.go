package planner

import (
	"context"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
)

// computedSource adds the generated columns of a relation to what its connector reads, before event
// time is taken from the rows: a watermark may well be over a generated column.
type computedSource struct {
	connectors.Source
	exprs []expr.Expr
	eval  expr.Context // copied for each reader
}

// computing wraps a source's Open so that its batches have the columns exprs, computed over those
// that it reads. nil eval: an empty context.
func computing(open func(context.Context) (connectors.Source, error), exprs []expr.Expr, eval *expr.Context) func(context.Context) (connectors.Source, error) {
	return func(ctx context.Context) (connectors.Source, error) {
		src, err := open(ctx)
		if err != nil {
			return nil, err
		}
		c := &computedSource{Source: src, exprs: exprs}
		if eval != nil {
			c.eval = *eval
		}
		return c, nil
	}
}

func (s *computedSource) Open(ctx context.Context, splits []connectors.Split) (connectors.Reader, error) {
	r, err := s.Source.Open(ctx, splits)
	if err != nil {
		return nil, err
	}
	return &computedReader{Reader: r, exprs: s.exprs, eval: s.eval}, nil
}

// computedReader computes columns over the chunks of another reader. A row for which that fails is
// a dead letter.
type computedReader struct {
	connectors.Reader
	exprs []expr.Expr
	eval  expr.Context
}

func (r *computedReader) Poll() (*connectors.Chunk, error) {
	c, err := r.Reader.Poll()
	if err != nil || c == nil || c.Batch == nil {
		return c, err
	}
	b := c.Batch
	out := &stream.Batch{Columns: make([]arrow.Array, len(r.exprs)), Ops: b.Ops, Rows: b.Rows}
	for i, e := range r.exprs {
		out.Columns[i] = expr.Eval(&r.eval, e, b)
	}
	if r.eval.Failed() {
		out = r.dropFailed(c, out)
	}
	c.Batch = out
	return c, nil
}

func (r *computedReader) dropFailed(c *connectors.Chunk, b *stream.Batch) *stream.Batch {
	failed := map[int]bool{}
	for _, e := range r.eval.Take() {
		failed[e.Row] = true
		c.Dead = append(c.Dead, connectors.DeadLetter{Time: time.Now(), Topic: c.Topic, Partition: c.Partition, Offset: -1,
			Code: e.Err.Code, Reason: e.Err.Message})
	}
	keep := make([]int32, 0, b.Rows)
	for i := range b.Rows {
		if !failed[i] {
			keep = append(keep, int32(i))
		}
	}
	return stream.TakeBatch(b, keep)
}

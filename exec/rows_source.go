package exec

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// Batches yields one batch after the other, and nil after the last.
type Batches func() (*stream.Batch, error)

// EachBatch yields batches that are at hand.
func EachBatch(batches []*stream.Batch) Batches {
	return func() (*stream.Batch, error) {
		if len(batches) == 0 {
			return nil, nil
		}
		b := batches[0]
		batches = batches[1:]
		return b, nil
	}
}

// rowsSource is a source of rows that need no connector: VALUES, a series, the rows of a system table. It
// has one split, whose offset counts batches.
type rowsSource struct {
	rows func() (Batches, error)
}

// NewRowsSource makes the source of a SourceSpec. rows is called when it is read, and must give the same
// batches every time. Each is asked for when the one before has been taken: what takes long is best
// spread over them, for the reading task looks in between whether it should end.
func NewRowsSource(rows func() (Batches, error)) connectors.Source {
	return rowsSource{rows}
}

func (rowsSource) Splits(context.Context, bool) ([]connectors.Split, error) {
	return []connectors.Split{{Topic: "rows", End: -1}}, nil
}

func (s rowsSource) Open(ctx context.Context, splits []connectors.Split) (connectors.Reader, error) {
	rows, err := s.rows()
	if err != nil {
		return nil, err
	}
	r := &rowsReader{rows: rows, next: splits[0].Start.Offset}
	for range r.next { // were read before a restart
		if _, err := rows(); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (rowsSource) Close() error { return nil }

type rowsReader struct {
	rows Batches
	next int64
	done bool
}

func (r *rowsReader) Ready() <-chan struct{} { return nil }

func (r *rowsReader) Poll() (*connectors.Chunk, error) {
	if r.done {
		return nil, nil
	}
	b, err := r.rows()
	if err != nil {
		return nil, err
	}
	c := &connectors.Chunk{Topic: "rows", Batch: b, Done: b == nil}
	if b != nil {
		r.next++
		c.Records = int64(b.Rows)
	}
	c.Next = connectors.Position{Offset: r.next, LeaderEpoch: -1}
	r.done = c.Done
	return c, nil
}

func (r *rowsReader) Add(connectors.Split) error { return nil }

func (r *rowsReader) Status() []connectors.SplitStatus {
	end := int64(-1)
	if r.done {
		end = r.next
	}
	return []connectors.SplitStatus{{Topic: "rows", Position: r.next, End: end}}
}

func (r *rowsReader) Close() error { return nil }

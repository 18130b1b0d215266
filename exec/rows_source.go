package exec

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// rowsSource is a source of rows at hand: VALUES, the rows of a system table. It has one split, whose
// offset counts batches.
type rowsSource struct {
	rows func(ctx context.Context) ([]*stream.Batch, error)
}

// NewRowsSource makes the source of a SourceSpec. rows is called when it is read, and must give the
// same rows every time.
func NewRowsSource(rows func(ctx context.Context) ([]*stream.Batch, error)) connectors.Source {
	return rowsSource{rows}
}

func (rowsSource) Splits(context.Context, bool) ([]connectors.Split, error) {
	return []connectors.Split{{Topic: "rows", End: -1}}, nil
}

func (s rowsSource) Open(ctx context.Context, splits []connectors.Split) (connectors.Reader, error) {
	batches, err := s.rows(ctx)
	if err != nil {
		return nil, err
	}
	r := &rowsReader{batches: batches, next: splits[0].Start.Offset, ready: make(chan struct{}, 1)}
	r.ready <- struct{}{}
	return r, nil
}

func (rowsSource) Close() error { return nil }

type rowsReader struct {
	batches []*stream.Batch
	next    int64
	done    bool
	ready   chan struct{}
}

func (r *rowsReader) Ready() <-chan struct{} { return r.ready }

func (r *rowsReader) Poll() (*connectors.Chunk, error) {
	if r.done {
		return nil, nil
	}
	c := &connectors.Chunk{Topic: "rows", Done: true, Next: connectors.Position{Offset: r.next, LeaderEpoch: -1}}
	if r.next < int64(len(r.batches)) {
		c.Batch = r.batches[r.next]
		r.next++
		c.Next.Offset, c.Done = r.next, r.next == int64(len(r.batches))
		c.Records = int64(c.Batch.Rows)
	}
	r.done = c.Done
	return c, nil
}

func (r *rowsReader) Add(connectors.Split) error { return nil }

func (r *rowsReader) Status() []connectors.SplitStatus {
	return []connectors.SplitStatus{{Topic: "rows", Position: r.next, End: int64(len(r.batches))}}
}

func (r *rowsReader) Close() error { return nil }

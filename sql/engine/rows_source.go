package engine

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// rowsSource is a bounded source of rows made on the spot: a system table, the rows of a COPY.
type rowsSource struct {
	rows func() ([]*stream.Batch, error)
}

var _ connectors.Source = (*rowsSource)(nil)

// Splits implements connectors.Source: there is one, which has no positions.
func (s *rowsSource) Splits(context.Context, bool) ([]connectors.Split, error) {
	return []connectors.Split{{End: 1}}, nil
}

// Open implements connectors.Source.
func (s *rowsSource) Open(context.Context, []connectors.Split) (connectors.Reader, error) {
	batches, err := s.rows()
	if err != nil {
		return nil, err
	}
	r := &rowsReader{batches: batches, ready: make(chan struct{}, 1)}
	r.ready <- struct{}{}
	return r, nil
}

// Close implements connectors.Source.
func (s *rowsSource) Close() error { return nil }

// rowsReader hands the batches over one by one.
type rowsReader struct {
	batches []*stream.Batch
	ready   chan struct{}
	done    bool
}

// Ready implements connectors.Reader.
func (r *rowsReader) Ready() <-chan struct{} { return r.ready }

// Poll implements connectors.Reader.
func (r *rowsReader) Poll() (*connectors.Chunk, error) {
	if r.done {
		return nil, nil
	}
	c := &connectors.Chunk{}
	if len(r.batches) > 0 {
		c.Batch = r.batches[0]
		c.Records = int64(c.Batch.Rows)
		r.batches = r.batches[1:]
	}
	if len(r.batches) == 0 {
		r.done = true
		c.Done, c.Next.Offset = true, 1
	}
	return c, nil
}

// Add implements connectors.Reader.
func (r *rowsReader) Add(connectors.Split) error {
	return sql.Errorf(sql.CodeInternal, "made-up rows have one split")
}

// Status implements connectors.Reader.
func (r *rowsReader) Status() []connectors.SplitStatus { return nil }

// Close implements connectors.Reader.
func (r *rowsReader) Close() error { return nil }

package json

import (
	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Encoder encodes rows as JSON objects.
type Encoder struct{}

var _ connectors.Encoder = (*Encoder)(nil)

// NewEncoder makes an encoder of the columns that are not metadata.
func NewEncoder(cols []connectors.Column, o *connectors.Options) (*Encoder, error) {
	readOptions(o)
	return nil, sql.Unsupported("writing format \"json\"", "")
}

// Bind looks at the batch's columns.
func (e *Encoder) Bind(b *stream.Batch) {}

// Append appends row i as an object.
func (e *Encoder) Append(dst []byte, i int) ([]byte, error) { return dst, nil }

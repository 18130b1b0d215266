package format

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// decoder puts the columns of a value and those of its metadata together.
type decoder struct {
	values     values
	metadata   []metadata
	fields     []int // where the value's columns are in a batch
	metadataAt []int // where the metadata's columns are
	columns    []arrow.Array
	rows       int
}

var _ connectors.Decoder = (*decoder)(nil)

func (d *decoder) Rows() int { return d.rows }

func (d *decoder) Decode(r *connectors.Record) error {
	for i := range d.metadata {
		if err := d.metadata[i].append(r); err != nil {
			d.undoMetadata()
			return err
		}
	}
	if err := d.values.Decode(r.Value); err != nil {
		d.undoMetadata()
		return err
	}
	d.rows++
	return nil
}

func (d *decoder) undoMetadata() {
	for i := range d.metadata {
		d.metadata[i].column.Truncate(d.rows)
	}
}

func (d *decoder) Flush() *stream.Batch {
	if d.rows == 0 {
		return nil
	}
	b := &stream.Batch{Columns: make([]arrow.Array, len(d.columns)), Rows: d.rows}
	for i, c := range d.values.Finish() {
		b.Columns[d.fields[i]] = c
	}
	for i := range d.metadata {
		b.Columns[d.metadataAt[i]] = d.metadata[i].column.Finish()
	}
	d.rows = 0
	return b
}

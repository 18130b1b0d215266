package state

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// RowDecoder turns encoded rows back into columns. It is used by one goroutine.
type RowDecoder struct {
	cols []decodedColumn
	out  []int // the index in cols of each needed column
	last int   // columns after this one are not looked at
	rows int
}

type decodedColumn struct {
	builder columnBuilder
	needed  bool
}

// NewRowDecoder makes a decoder for rows of the types. Its batches have the columns `needed`, as
// indexes into types, in that order; nil means all of them. The others are skipped over.
func NewRowDecoder(types []sql.Type, needed []int) *RowDecoder {
	if needed == nil {
		needed = make([]int, len(types))
		for i := range needed {
			needed[i] = i
		}
	}
	d := &RowDecoder{cols: make([]decodedColumn, len(types)), out: needed, last: -1}
	for i, t := range types {
		d.cols[i].builder = newColumnBuilder(t)
	}
	for _, i := range needed {
		d.cols[i].needed = true
		d.last = max(d.last, i)
	}
	return d
}

// Append decodes a row. After an error (XX001) the decoder is of no more use.
func (d *RowDecoder) Append(row []byte) error {
	header, n := binary.Uvarint(row)
	if n <= 0 || header&3 != rowVersion {
		return corrupt("row has an unknown format")
	}
	stored := int(header >> 2)
	if stored > len(row)*8 || n+(stored+7)/8 > len(row) {
		return corrupt("row is cut short")
	}
	nulls, src := row[n:], row[n+(stored+7)/8:]
	for i := 0; i <= d.last; i++ {
		c := &d.cols[i]
		if i >= stored || nulls[i>>3]>>(i&7)&1 != 0 {
			if c.needed {
				c.builder.null()
			}
			continue
		}
		if c.needed {
			src = c.builder.read(src)
		} else {
			src = c.builder.skip(src)
		}
		if src == nil {
			return corrupt("row is cut short in column %d of %d", i+1, stored)
		}
	}
	d.rows++
	return nil
}

// Rows is the number of rows held.
func (d *RowDecoder) Rows() int { return d.rows }

// Flush returns the rows held, nil when there are none, and starts anew.
func (d *RowDecoder) Flush() *stream.Batch {
	if d.rows == 0 {
		return nil
	}
	b := &stream.Batch{Columns: make([]arrow.Array, len(d.out)), Rows: d.rows}
	for i, c := range d.out {
		// A column asked for twice is one array.
		for j := range i {
			if d.out[j] == c {
				b.Columns[i] = b.Columns[j]
			}
		}
		if b.Columns[i] == nil {
			b.Columns[i] = d.cols[c].builder.finish()
		}
	}
	d.rows = 0
	return b
}

// DecodeRow decodes one row into single values, of the needed columns.
func (d *RowDecoder) DecodeRow(row []byte) ([]sql.Datum, error) {
	if err := d.Append(row); err != nil {
		return nil, err
	}
	b := d.Flush()
	out := make([]sql.Datum, len(d.out))
	for i, c := range d.out {
		out[i] = stream.Value(b.Columns[i], d.cols[c].builder.t, 0)
	}
	return out, nil
}

package wire

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

const (
	textFormat   = 0
	binaryFormat = 1
)

// formatOf is the format of item i by PostgreSQL's rule: no codes = all text, one = for all.
func formatOf(codes []int16, i int) (int16, error) {
	f := int16(textFormat)
	switch {
	case len(codes) == 1:
		f = codes[0]
	case i < len(codes):
		f = codes[i]
	}
	if f != textFormat && f != binaryFormat {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "unsupported format code: %d", f)
	}
	return f, nil
}

// rowWriter encodes batches as DataRow messages.
type rowWriter struct {
	columns sql.Schema
	formats []int16
	loc     *time.Location
	batch   *stream.Batch
	cells   []cell // bound to batch
}

func newRowWriter(columns sql.Schema, formats []int16, loc *time.Location) *rowWriter {
	w := &rowWriter{columns: columns, formats: make([]int16, len(columns)), loc: loc, cells: make([]cell, len(columns))}
	for i := range columns {
		if f, err := formatOf(formats, i); err == nil {
			w.formats[i] = f
		}
	}
	return w
}

func (w *rowWriter) description() *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(w.columns))}
	for i, c := range w.columns {
		d.Fields[i] = pgproto3.FieldDescription{Name: []byte(c.Name), DataTypeOID: c.Type.OID(), DataTypeSize: c.Type.Len(),
			TypeModifier: c.Type.Typmod(), Format: w.formats[i]}
	}
	return d
}

// bind prepares the columns of a batch for append.
func (w *rowWriter) bind(b *stream.Batch) {
	w.batch = b
	for i, c := range w.columns {
		if w.formats[i] == binaryFormat {
			w.cells[i] = binaryCell(b.Columns[i], c.Type)
		} else {
			w.cells[i] = textCell(b.Columns[i], c.Type, w.loc)
		}
	}
}

// append appends row i as a DataRow message.
func (w *rowWriter) append(dst []byte, i int) ([]byte, error) {
	start := len(dst) + 1
	dst = append(dst, 'D', 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(w.cells)))
	for c, f := range w.cells {
		if w.batch.Columns[c].IsNull(i) {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		var err error
		if dst, err = f(dst, i); err != nil {
			return dst[:start-1], err
		}
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	if n := len(dst) - start; n > maxRowBytes {
		return dst[:start-1], rowTooLarge(n)
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst, nil
}

func rowTooLarge(n int) error {
	return sql.Errorf("54000", "row of %d bytes is larger than a message can be", n)
}

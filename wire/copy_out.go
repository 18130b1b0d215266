package wire

import (
	"context"
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// binarySignature begins a COPY in binary format; flags and an empty header extension follow.
const binarySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// copyOut sends a COPY … TO STDOUT. A COPY of a SUBSCRIBE goes on until it is cancelled; each
// batch is sent as soon as it is there.
func (c *conn) copyOut(ctx context.Context, out *CopyOut) (int64, error) {
	defer out.Rows.Close()
	format := int16(textFormat)
	if out.Format.Format == "binary" {
		format = binaryFormat
	}
	codes := make([]uint16, len(out.Columns))
	for i := range codes {
		codes[i] = uint16(format)
	}
	c.drain()
	c.send(&pgproto3.CopyOutResponse{OverallFormat: byte(format), ColumnFormatCodes: codes})
	e := newCopyEncoder(out, c.session)
	head := e.header(nil)
	if len(head) > 0 && format == textFormat { // the binary one goes with the first row
		c.send(&pgproto3.CopyData{Data: head})
		head = nil
	}
	var n int64
	for {
		b, err := c.next(ctx, out.Rows)
		if err != nil {
			return n, err
		}
		if b == nil {
			break
		}
		e.bind(b)
		for i := range b.Rows {
			start := len(c.out)
			out := append(append(c.out, 'd', 0, 0, 0, 0), head...)
			head = nil
			if out, err = e.row(out, i); err != nil {
				return n, err
			}
			if len(out)-start > maxRowBytes {
				return n, rowTooLarge(len(out) - start)
			}
			binary.BigEndian.PutUint32(out[start+1:], uint32(len(out)-start-1))
			c.out = out
			if err := c.sent(); err != nil {
				return n, err
			}
		}
		n += int64(b.Rows)
	}
	if out.Format.Format == "binary" {
		c.send(&pgproto3.CopyData{Data: append(head, 0xff, 0xff)})
	}
	c.send(&pgproto3.CopyDone{})
	return n, nil
}

// copyEncoder writes rows in one of COPY's formats.
type copyEncoder struct {
	format  CopyFormat
	columns sql.Schema
	session Session
	batch   *stream.Batch
	cells   []cell
	scratch []byte
}

func newCopyEncoder(out *CopyOut, s Session) *copyEncoder {
	return &copyEncoder{format: out.Format, columns: out.Columns, session: s, cells: make([]cell, len(out.Columns))}
}

func (e *copyEncoder) header(dst []byte) []byte {
	if e.format.Format == "binary" {
		return append(dst, binarySignature...)
	}
	if !e.format.Header {
		return dst
	}
	for i, col := range e.columns {
		if i > 0 {
			dst = append(dst, e.format.Delimiter)
		}
		if e.format.Format == "csv" {
			dst = e.appendCSV(dst, []byte(col.Name), false)
		} else {
			dst = e.appendText(dst, []byte(col.Name))
		}
	}
	return append(dst, '\n')
}

func (e *copyEncoder) bind(b *stream.Batch) {
	e.batch = b
	for i, c := range e.columns {
		if e.format.Format == "binary" {
			e.cells[i] = binaryCell(b.Columns[i], c.Type)
		} else {
			e.cells[i] = textCell(b.Columns[i], c.Type, e.session.Location())
		}
	}
}

func (e *copyEncoder) row(dst []byte, i int) ([]byte, error) {
	bin := e.format.Format == "binary"
	if bin {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.cells)))
	}
	for c, f := range e.cells {
		if c > 0 && !bin {
			dst = append(dst, e.format.Delimiter)
		}
		if e.batch.Columns[c].IsNull(i) {
			if bin {
				dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			} else {
				dst = append(dst, e.format.Null...)
			}
			continue
		}
		var err error
		if e.scratch, err = f(e.scratch[:0], i); err != nil {
			return dst, err
		}
		switch e.format.Format {
		case "binary":
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(e.scratch)))
			dst = append(dst, e.scratch...)
		case "csv":
			dst = e.appendCSV(dst, e.scratch, len(e.cells) == 1)
		default:
			dst = e.appendText(dst, e.scratch)
		}
	}
	if !bin {
		dst = append(dst, '\n')
	}
	return dst, nil
}

// appendText escapes a value for the text format.
func (e *copyEncoder) appendText(dst, v []byte) []byte {
	for _, b := range v {
		switch b {
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\v':
			dst = append(dst, `\v`...)
		case '\\':
			dst = append(dst, `\\`...)
		default:
			if b == e.format.Delimiter {
				dst = append(dst, '\\')
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// appendCSV quotes a value where it must be: it looks like NULL, holds a special byte, or is the
// end-of-data mark alone on its line.
func (e *copyEncoder) appendCSV(dst, v []byte, single bool) []byte {
	f := &e.format
	quote := string(v) == f.Null || single && string(v) == `\.`
	for _, b := range v {
		if b == f.Delimiter || b == f.Quote || b == '\n' || b == '\r' {
			quote = true
		}
	}
	if !quote {
		return append(dst, v...)
	}
	dst = append(dst, f.Quote)
	for _, b := range v {
		if b == f.Quote || b == f.Escape {
			dst = append(dst, f.Escape)
		}
		dst = append(dst, b)
	}
	return append(dst, f.Quote)
}

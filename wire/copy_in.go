package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// copyBatchRows is how many rows are handed to the session at a time.
const copyBatchRows = 1024

// copyIn receives a COPY … FROM STDIN. On an error the rest of the data is read and thrown away, as
// the protocol wants, unless the pipeline's Sync skips it anyway.
func (c *conn) copyIn(ctx context.Context, in *CopyIn) (int64, error) {
	c.stopWatch() // from here on this goroutine reads the socket
	format := uint16(textFormat)
	if in.Format.Format == "binary" {
		format = binaryFormat
	}
	codes := make([]uint16, len(in.Columns))
	for i := range codes {
		codes[i] = format
	}
	c.send(&pgproto3.CopyInResponse{OverallFormat: byte(format), ColumnFormatCodes: codes})
	if err := c.flush(); err != nil {
		c.outErr = err
		return 0, errClientGone
	}
	l := &copyLoader{in: in, split: newCopySplitter(in, c.session.Location())}
	for {
		m, err := c.in.Receive()
		if err != nil {
			c.outErr = err
			return l.rows, errClientGone
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			if l.err == nil {
				l.err = l.feed(ctx, m.Data)
			}
			if l.err == nil && ctx.Err() != nil {
				l.err = context.Cause(ctx)
			}
		case *pgproto3.CopyDone:
			return l.finish(ctx)
		case *pgproto3.CopyFail:
			if l.err != nil {
				return l.rows, l.err
			}
			return l.rows, sql.Errorf(sql.CodeQueryCanceled, "COPY from stdin failed: %s", m.Message)
		case *pgproto3.Flush, *pgproto3.Sync: // drivers send these after Execute; they mean nothing here
		default:
			return l.rows, errors.Join(l.err, sql.Errorf(sql.CodeProtocolViolation, "unexpected message type during COPY from stdin"))
		}
	}
}

// copyLoader gathers parsed rows and hands them over.
type copyLoader struct {
	in    *CopyIn
	split copySplitter
	batch [][]sql.Datum
	rows  int64
	err   error
}

// copySplitter turns data, cut anywhere, into rows. end tells that no more comes.
type copySplitter interface {
	feed(data []byte, end bool, row func([]sql.Datum) error) error
}

func (l *copyLoader) feed(ctx context.Context, data []byte) error {
	return l.split.feed(data, false, func(r []sql.Datum) error { return l.add(ctx, r) })
}

func (l *copyLoader) add(ctx context.Context, r []sql.Datum) error {
	l.batch = append(l.batch, r)
	l.rows++
	if len(l.batch) < copyBatchRows {
		return nil
	}
	return l.write(ctx)
}

func (l *copyLoader) write(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	err := l.in.Write(ctx, l.batch)
	l.batch = nil
	return err
}

func (l *copyLoader) finish(ctx context.Context) (int64, error) {
	if l.err == nil {
		l.err = l.split.feed(nil, true, func(r []sql.Datum) error { return l.add(ctx, r) })
	}
	if l.err == nil {
		l.err = l.write(ctx)
	}
	if l.err == nil {
		l.err = l.in.Finish(ctx)
	}
	return l.rows, l.err
}

func newCopySplitter(in *CopyIn, loc *time.Location) copySplitter {
	switch in.Format.Format {
	case "binary":
		return &binarySplitter{columns: in.Columns}
	case "csv":
		return &csvSplitter{copyFields: copyFields{format: in.Format, columns: in.Columns, loc: loc}, skipHeader: in.Format.Header}
	}
	return &textSplitter{copyFields: copyFields{format: in.Format, columns: in.Columns, loc: loc}, skipHeader: in.Format.Header}
}

// copyFields parses the fields of a line.
type copyFields struct {
	format  CopyFormat
	columns sql.Schema
	loc     *time.Location
	line    int // 1-based, of the row being parsed
}

// field is one field of a line; null = it was the NULL string.
type field struct {
	text string
	null bool
}

func (f *copyFields) row(fields []field) ([]sql.Datum, error) {
	if len(fields) > len(f.columns) {
		return nil, f.locate(sql.Errorf("22P04", "extra data after last expected column"), "")
	}
	if len(fields) < len(f.columns) {
		return nil, f.locate(sql.Errorf("22P04", "missing data for column %q", f.columns[len(fields)].Name), "")
	}
	out := make([]sql.Datum, len(fields))
	for i, v := range fields {
		if v.null {
			continue
		}
		d, err := sql.ParseTextIn(f.columns[i].Type, v.text, sql.TextEnv{Loc: f.loc})
		if err != nil {
			return nil, f.locate(sql.AsError(err), f.columns[i].Name)
		}
		out[i] = d
	}
	return out, nil
}

func (f *copyFields) locate(e *sql.Error, column string) error {
	c := *e
	c.Detail = fmt.Sprintf("COPY, line %d", f.line)
	if column != "" {
		c.Detail += ", column " + column
	}
	c.Detail += "."
	return &c
}

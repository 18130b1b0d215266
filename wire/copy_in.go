package wire

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// copyBatchRows is how many rows are handed to the session at a time.
const copyBatchRows = 1024

// copyIn receives a COPY … FROM STDIN. An error is told at once, so that the client need not send the
// rest; what it sends of it nevertheless is skipped by handle: in a simple query as stray copy data, in
// a pipeline up to its Sync.
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
	c.drain()
	c.send(&pgproto3.CopyInResponse{OverallFormat: byte(format), ColumnFormatCodes: codes})
	if c.flush() != nil {
		return 0, errClientGone
	}
	l := &copyLoader{in: in, split: newCopySplitter(in, c.session.Location())}
	for {
		var m pgproto3.FrontendMessage
		err := c.hurried(ctx, c.raw.SetReadDeadline, 0, func() (err error) {
			m, err = c.in.receive()
			return err
		})
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil && !c.isEnding() {
			return l.rows, cause(ctx, ctx.Err())
		}
		if err != nil {
			c.receiveFailed(err)
			c.outErr = errGone
			return l.rows, errClientGone
		}
		switch m := m.(type) {
		case *pgproto3.CopyData:
			if err := l.feed(ctx, m.Data, false); err != nil {
				return l.rows, err
			}
			if ctx.Err() != nil {
				return l.rows, cause(ctx, ctx.Err())
			}
		case *pgproto3.CopyDone:
			return l.finish(ctx)
		case *pgproto3.CopyFail:
			return l.rows, sql.Errorf(sql.CodeQueryCanceled, "COPY from stdin failed: %s", m.Message)
		case *pgproto3.Flush, *pgproto3.Sync: // drivers send these behind an Execute; they mean nothing here
		case *pgproto3.Terminate:
			c.outErr = errGone
			return l.rows, errClientGone
		default:
			c.lost = true
			return l.rows, sql.Errorf(sql.CodeProtocolViolation, "unexpected message type 0x%02X during COPY from stdin", messageType(m))
		}
	}
}

func messageType(m pgproto3.FrontendMessage) byte {
	b, _ := m.Encode(nil) // what was decoded can be encoded
	return at(b, 0)
}

// copyLoader gathers parsed rows and hands them over.
type copyLoader struct {
	in    *CopyIn
	split copySplitter
	batch [][]sql.Datum
	rows  int64
}

// copySplitter turns data, cut anywhere, into rows. end tells that no more comes. It keeps nothing of
// data and nothing that row was given.
type copySplitter interface {
	feed(data []byte, end bool, row func([]sql.Datum) error) error
}

func (l *copyLoader) feed(ctx context.Context, data []byte, end bool) error {
	return l.split.feed(data, end, func(r []sql.Datum) error {
		l.batch = append(l.batch, r)
		l.rows++
		if len(l.batch) < copyBatchRows {
			return nil
		}
		return l.write(ctx)
	})
}

func (l *copyLoader) write(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	batch := l.batch
	l.batch = nil
	return l.in.Write(ctx, batch)
}

func (l *copyLoader) finish(ctx context.Context) (int64, error) {
	if err := l.feed(ctx, nil, true); err != nil {
		return l.rows, err
	}
	if err := l.write(ctx); err != nil {
		return l.rows, err
	}
	return l.rows, l.in.Finish(ctx)
}

func newCopySplitter(in *CopyIn, loc *time.Location) copySplitter {
	if in.Format.Format == "binary" {
		return &binarySplitter{columns: in.Columns}
	}
	return &lineSplitter{
		lines:  lineScanner{csv: in.Format.Format == "csv", quote: in.Format.Quote, escape: in.Format.Escape},
		format: in.Format, columns: in.Columns, loc: loc, header: in.Format.Header,
	}
}

// badCopy is an error of data that COPY's format does not allow.
func badCopy(format string, args ...any) *sql.Error { return sql.Errorf("22P04", format, args...) }

// inCopy says where in the data an error happened.
func inCopy(err error, line int, column string) error {
	where := fmt.Sprintf("COPY, line %d", line)
	if column != "" {
		where += ", column " + column
	}
	return &located{err, where}
}

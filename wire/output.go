package wire

import (
	"context"
	"errors"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

const (
	flushThreshold = 32 << 10         // bytes of output gathered before a write
	flushAfter     = time.Millisecond // what has gathered waits no longer for more rows
	maxPooled      = 128 << 10
	maxNotices     = 1000 // notices waiting for the connection's next message; more are dropped
)

// outputs holds the buffers of connections that have nothing to send: an idle one keeps none.
var outputs = sync.Pool{New: func() any {
	b := make([]byte, 0, flushThreshold+flushThreshold/4)
	return &b
}}

func (c *conn) releaseOutput() {
	if n := cap(c.out); n >= flushThreshold && n <= maxPooled {
		b := c.out[:0]
		outputs.Put(&b)
	}
	c.out = nil
}

// send encodes a message; it is written at flush, or when enough has gathered.
func (c *conn) send(m pgproto3.BackendMessage) {
	if c.out == nil {
		c.out = *outputs.Get().(*[]byte)
	}
	out, err := m.Encode(c.out)
	if err != nil {
		c.outErr = errors.Join(c.outErr, err)
		return
	}
	c.out = out
	if len(c.out) >= flushThreshold {
		_ = c.flush()
	}
}

// flush writes what has gathered. After a failure the connection is of no use any more: the error
// stays in outErr.
func (c *conn) flush() error {
	if c.outErr == nil && len(c.out) > 0 {
		c.outErr = c.hurried(c.statement, c.raw.SetWriteDeadline, c.srv.patience, func() error {
			_, err := c.nc.Write(c.out)
			return err
		})
	}
	if cap(c.out) > maxPooled {
		c.out = nil
	}
	c.out = c.out[:0]
	return c.outErr
}

// sent writes what has gathered if that is enough, and tells whether the client still takes it.
func (c *conn) sent() error {
	if len(c.out) < flushThreshold {
		return nil
	}
	if c.flush() != nil {
		return errClientGone
	}
	if c.statement != nil && c.statement.Err() != nil { // its rows may all be there already: nothing else would ask
		return cause(c.statement, c.statement.Err())
	}
	return nil
}

// next pulls a batch. When that takes a while, what has gathered for the client goes out meanwhile;
// when it does not, the batch's rows fill the same write. Rows that are Ready promise that Next returns
// at once.
func (c *conn) next(ctx context.Context, rows Rows) (*stream.Batch, error) {
	if r, ok := rows.(interface{ Ready() bool }); ok && r.Ready() {
		return rows.Next(ctx)
	}
	stop := c.flushLater()
	defer stop()
	return rows.Next(ctx)
}

// flushLater writes what has gathered if stop is not called soon. The connection's own goroutine must
// not touch its output until then.
func (c *conn) flushLater() (stop func()) {
	var mu sync.Mutex
	stopped := false
	timer := time.AfterFunc(flushAfter, func() {
		mu.Lock()
		defer mu.Unlock()
		if !stopped {
			c.drain()
			_ = c.flush()
		}
	})
	return func() {
		if !timer.Stop() {
			mu.Lock()
			stopped = true
			mu.Unlock()
		}
	}
}

func (c *conn) ready() {
	c.drain()
	c.mu.Lock()
	settings := c.settings
	c.settings = nil
	c.mu.Unlock()
	for _, m := range settings {
		c.send(m)
	}
	c.send(&pgproto3.ReadyForQuery{TxStatus: c.session.TxStatus()})
}

// fatal tells the client why the connection ends.
func (c *conn) fatal(e *sql.Error) {
	c.sendError("FATAL", e, "")
	_ = c.raw.SetWriteDeadline(time.Now().Add(endWithin))
	_ = c.flush()
}

func (c *conn) sendError(severity string, e *sql.Error, where string) {
	c.drain()
	m := &pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message,
		Detail: e.Detail, Hint: e.Hint, Where: where, Position: charPosition(c.query, e.Position)}
	if o := e.Object; o != nil {
		m.SchemaName, m.TableName, m.ColumnName, m.ConstraintName = o.Schema, o.Table, o.Column, o.Constraint
	}
	c.send(m)
}

// notice may be called from the goroutines of the running query; what it says goes out with the next
// message of the connection's own.
func (c *conn) notice(severity string, e *sql.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.notices) < maxNotices {
		c.notices = append(c.notices, &pgproto3.NoticeResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.Code,
			Message: e.Message, Detail: e.Detail, Hint: e.Hint})
	}
}

// parameterStatus tells a setting's value with the next ReadyForQuery, as PostgreSQL does: clients
// care for the last one.
func (c *conn) parameterStatus(name, value string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.settings {
		if m.Name == name {
			m.Value = value
			return
		}
	}
	c.settings = append(c.settings, &pgproto3.ParameterStatus{Name: name, Value: value})
}

// drain sends the notices that wait.
func (c *conn) drain() {
	c.mu.Lock()
	notices := c.notices
	c.notices = nil
	c.mu.Unlock()
	for _, m := range notices {
		c.send(m)
	}
}

// charPosition turns a 1-based byte offset into the 1-based character offset that clients expect.
func charPosition(src string, pos int) int32 {
	if pos <= 0 || pos > len(src)+1 {
		return 0
	}
	return int32(utf8.RuneCountInString(src[:pos-1])) + 1
}

// located is an error with where in the data it happened, which clients show as its context.
type located struct {
	error
	where string
}

func (l *located) Unwrap() error { return l.error }

func whereOf(err error) string {
	var l *located
	if errors.As(err, &l) {
		return l.where
	}
	return ""
}

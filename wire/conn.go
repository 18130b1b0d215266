package wire

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

var (
	errCanceled    = &sql.Error{Code: sql.CodeQueryCanceled, Message: "canceling statement due to user request"}
	errTimeout     = &sql.Error{Code: sql.CodeQueryCanceled, Message: "canceling statement due to statement timeout"}
	errTerminated  = &sql.Error{Code: sql.CodeAdminShutdown, Message: "terminating connection due to administrator command"}
	errClientGone  = &sql.Error{Code: sql.CodeConnectionFailure, Message: "client closed the connection"}
	flushThreshold = 32 << 10 // bytes of output gathered before a write
	watchAfter     = 100 * time.Millisecond
)

// conn is one client.
type conn struct {
	srv    *Server
	nc     net.Conn
	reader *bufio.Reader
	in     *pgproto3.Backend // reads only; what is written goes through out
	out    []byte            // messages encoded and not yet written
	outErr error             // the first failed write: nothing more is sent

	pid     uint32
	secret  [4]byte
	session Session

	ctx   context.Context // ends with the connection
	close func()

	mu     sync.Mutex              // guards what other goroutines touch
	cancel context.CancelCauseFunc // of the running statement; nil when idle
	ending bool
	queued []pgproto3.BackendMessage // notices and settings to tell with the next message

	statements map[string]*preparedStmt
	portals    map[string]*portal
	skip       bool   // after an error in a pipeline: ignore messages until Sync
	query      string // the source of the running statement, for error positions
	stopWatch  func() // ends the watch of the running statement's client
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, statements: map[string]*preparedStmt{}, portals: map[string]*portal{}}
	c.setConn(nc)
	c.in.SetMaxBodyLen(maxStartupMessageBytes)
	ctx, cancel := context.WithCancelCause(context.Background())
	c.ctx = ctx
	c.close = func() {
		cancel(errClientGone)
		for _, p := range c.portals {
			p.close()
		}
		if c.session != nil {
			c.session.Close()
		}
		s.unregister(c)
		_ = c.nc.Close()
	}
	return c
}

func (c *conn) setConn(nc net.Conn) {
	c.nc = nc
	c.reader = bufio.NewReaderSize(nc, 4096)
	c.in = pgproto3.NewBackend(c.reader, io.Discard)
}

// serve handles messages until the client leaves.
func (c *conn) serve() {
	c.in.SetMaxBodyLen(maxMessageBytes)
	for {
		m, err := c.in.Receive()
		if err != nil {
			c.receiveFailed(err)
			return
		}
		if _, bye := m.(*pgproto3.Terminate); bye {
			return
		}
		c.handle(m)
		if c.outErr != nil || c.isEnding() {
			if c.isEnding() {
				c.fatal(errTerminated)
			}
			return
		}
	}
}

func (c *conn) receiveFailed(err error) {
	switch {
	case c.isEnding():
		c.fatal(errTerminated)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isNetError(err), errors.Is(err, net.ErrClosed):
	default:
		c.fatal(sql.Errorf(sql.CodeProtocolViolation, "invalid message: %s", err))
	}
}

// handle runs one message. After an error inside a pipeline, messages are skipped up to Sync.
func (c *conn) handle(m pgproto3.FrontendMessage) {
	if _, sync := m.(*pgproto3.Sync); c.skip && !sync {
		if _, simple := m.(*pgproto3.Query); !simple {
			return
		}
	}
	var err error
	switch m := m.(type) {
	case *pgproto3.Query:
		c.skip = false
		c.simpleQuery(m.String)
		return
	case *pgproto3.Parse:
		err = c.parse(m)
	case *pgproto3.Bind:
		err = c.bind(m)
	case *pgproto3.Describe:
		err = c.describe(m)
	case *pgproto3.Execute:
		err = c.execute(m)
	case *pgproto3.Close:
		err = c.closeNamed(m)
	case *pgproto3.Flush:
		c.outErr = errors.Join(c.outErr, c.flush())
	case *pgproto3.Sync:
		c.skip = false
		if e := c.sync(); e != nil {
			c.sendError("ERROR", sql.AsError(e))
		}
		c.closePortalsOutsideTransaction()
		c.ready()
		c.outErr = errors.Join(c.outErr, c.flush())
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		// What a client sends after a COPY failed on our side.
	case *pgproto3.FunctionCall:
		err = sql.Unsupported("the fast-path function call", "Call the function in a SELECT.")
		c.ready()
	default:
		err = sql.Errorf(sql.CodeProtocolViolation, "unexpected message %T", m)
	}
	if err != nil {
		c.fail(err)
		c.skip = true
	}
}

// fail reports an error of a statement and rolls back what it was part of.
func (c *conn) fail(err error) {
	e := c.userError(err)
	c.sendError("ERROR", e)
	c.session.Fail()
	c.closePortalsOutsideTransaction()
}

// userError turns whatever a statement returned into what the client is told.
func (c *conn) userError(err error) *sql.Error {
	var e *sql.Error
	switch {
	case errors.As(err, &e):
		if e.Code == sql.CodeInternal {
			c.srv.log.Error("internal error", "error", err, "statement", c.query)
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.Is(err, context.Canceled):
		return errCanceled
	}
	c.srv.log.Error("internal error", "error", err, "statement", c.query)
	return sql.AsError(err)
}

func (c *conn) sync() error {
	err := c.session.Sync(c.ctx)
	if err != nil {
		c.session.Fail()
	}
	return err
}

// statement runs f as the statement that a cancel request or the timeout ends. When it takes long,
// the socket is watched as well, so that a client that has left does not keep it running.
func (c *conn) statement(f func(ctx context.Context) error) (err error) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	if t := c.session.StatementTimeout(); t > 0 {
		timer := time.AfterFunc(t, func() { cancel(errTimeout) })
		defer timer.Stop()
	}
	c.setCancel(cancel)
	defer c.setCancel(nil)
	c.stopWatch = c.watchClient(cancel)
	defer func() { c.stopWatch() }()
	defer func() {
		if p := recover(); p != nil {
			c.srv.log.Error("statement panicked", "panic", p, "statement", c.query, "stack", stack())
			err = sql.Errorf(sql.CodeInternal, "internal error: %v", p)
		}
	}()
	if err = f(ctx); err != nil && ctx.Err() != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
			return cause
		}
	}
	return err
}

// watchClient notices, by peeking at the socket, that the client has left. stop ends the watch and
// leaves the reader as it was.
func (c *conn) watchClient(cancel context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(watchAfter, func() {
		defer close(done)
		if _, err := c.reader.Peek(1); err != nil && !isNetError(err) {
			cancel(errClientGone)
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			if timer.Stop() {
				return
			}
			_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // wakes the Peek
			<-done
			if !c.isEnding() {
				_ = c.nc.SetReadDeadline(time.Time{})
			}
		})
	}
}

func (c *conn) setCancel(f context.CancelCauseFunc) {
	c.mu.Lock()
	c.cancel = f
	ending := c.ending
	c.mu.Unlock()
	if ending && f != nil {
		f(errTerminated)
	}
}

func (c *conn) cancelStatement(cause error) {
	c.mu.Lock()
	if c.cancel != nil {
		c.cancel(cause)
	}
	c.mu.Unlock()
}

// terminate ends the connection from another goroutine: a running statement is cancelled, an idle
// connection's read is woken.
func (c *conn) terminate() {
	c.mu.Lock()
	c.ending = true
	if c.cancel != nil {
		c.cancel(errTerminated)
	}
	c.mu.Unlock()
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}

func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

func (c *conn) queue(m pgproto3.BackendMessage) {
	c.mu.Lock()
	c.queued = append(c.queued, m)
	c.mu.Unlock()
}

// drain sends what was queued.
func (c *conn) drain() {
	c.mu.Lock()
	queued := c.queued
	c.queued = nil
	c.mu.Unlock()
	for _, m := range queued {
		c.send(m)
	}
}

// send encodes a message; it is written at flush, or when enough has gathered.
func (c *conn) send(m pgproto3.BackendMessage) {
	out, err := m.Encode(c.out)
	if err != nil {
		c.outErr = errors.Join(c.outErr, err)
		return
	}
	c.out = out
}

func (c *conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.nc.Write(c.out)
	if cap(c.out) > 4*flushThreshold {
		c.out = nil // an idle connection keeps no large buffer
	} else {
		c.out = c.out[:0]
	}
	return err
}

func (c *conn) ready() {
	c.drain()
	c.send(&pgproto3.ReadyForQuery{TxStatus: c.session.TxStatus()})
}

// fatal tells the client why the connection ends.
func (c *conn) fatal(e *sql.Error) {
	c.sendError("FATAL", e)
	_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	_ = c.flush()
}

func (c *conn) sendError(severity string, e *sql.Error) {
	c.drain()
	c.send(&pgproto3.ErrorResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message,
		Detail: e.Detail, Hint: e.Hint, Position: charPosition(c.query, e.Position)})
}

// notice may be called from the goroutines of the running query; what it says goes out with the next
// message of the connection's own.
func (c *conn) notice(severity string, e *sql.Error) {
	c.queue(&pgproto3.NoticeResponse{Severity: severity, SeverityUnlocalized: severity, Code: e.Code, Message: e.Message,
		Detail: e.Detail, Hint: e.Hint})
}

func (c *conn) parameterStatus(name, value string) {
	c.queue(&pgproto3.ParameterStatus{Name: name, Value: value})
}

// charPosition turns a 1-based byte offset into the 1-based character offset that clients expect.
func charPosition(src string, pos int) int32 {
	if pos <= 0 || pos > len(src)+1 {
		return 0
	}
	return int32(utf8.RuneCountInString(src[:pos-1])) + 1
}

// stack is the goroutine's stack on one line a frame, without the panic machinery's own.
func stack() string {
	return strings.TrimSpace(string(debug.Stack()))
}

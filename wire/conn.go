package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// conn is one client.
type conn struct {
	srv    *Server
	host   string    // the client's address without port
	since  time.Time // when it was accepted
	raw    net.Conn  // the socket
	nc     net.Conn  // raw, or TLS over it
	in     *receiver // nil until the start-up packet has been read
	out    []byte    // messages encoded and not yet written
	outErr error     // the first failed write or encoding: nothing more is sent

	pid     uint32
	secret  []byte
	session Session

	ctx context.Context // ends with the connection, and when the server ends it
	end context.CancelCauseFunc

	mu       sync.Mutex              // guards what other goroutines touch, and the order of read deadlines
	cancel   context.CancelCauseFunc // of the running statement; nil when idle
	ending   bool
	waiting  bool                        // for the client, in a statement: see hurried
	notices  []*pgproto3.NoticeResponse  // to tell with the next message
	settings []*pgproto3.ParameterStatus // changed, to tell with the next ReadyForQuery

	statements map[string]*preparedStmt
	portals    map[string]*portal
	lost       bool            // the client is out of step with the protocol: nothing it sends can be trusted
	doomed     bool            // a statement failed while the server ends the connection: FATAL says so, and no ReadyForQuery comes before it
	skip       bool            // after an error in a pipeline: ignore messages until Sync
	kept       int             // bytes of the sources of statements
	query      string          // the source of the running statement, for error positions
	running    Statement       // the last one that was parsed, for the log
	stopWatch  func()          // ends the watch of the running statement's client
	statement  context.Context // of the running statement; nil when there is none
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, host: hostOf(nc.RemoteAddr()), since: time.Now(), raw: nc, nc: nc, statements: map[string]*preparedStmt{}, portals: map[string]*portal{}}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	return c
}

// close gives up everything the connection holds.
func (c *conn) close() {
	defer c.nc.Close() // also when the session's end panics
	defer c.srv.unregister(c)
	c.end(errClientGone)
	for _, p := range c.portals {
		p.close()
	}
	if c.session != nil {
		c.session.Close()
	}
	if c.in != nil {
		c.in.drop()
	}
}

// reading sets how large messages may be from here on.
func (c *conn) reading(maxBytes int) {
	if c.in == nil {
		c.in = newReceiver(c.nc, &c.srv.large)
	}
	c.in.maxBytes = maxBytes
}

// serve handles messages until the client leaves.
func (c *conn) serve() {
	c.reading(maxMessageBytes)
	for {
		if len(c.out) == 0 { // idle, or as good as
			c.releaseOutput()
			c.in.release()
		}
		m, err := c.receiveIdle()
		if err != nil {
			c.receiveFailed(err)
			return
		}
		if _, bye := m.(*pgproto3.Terminate); bye {
			return
		}
		c.handle(m)
		switch {
		case c.isEnding():
			c.fatal(errTerminated)
			return
		case c.lost:
			c.fatal(sql.Errorf(sql.CodeProtocolViolation, "terminating connection because protocol synchronization was lost"))
			return
		}
		if c.outErr != nil {
			return
		}
	}
}

// receiveIdle waits for a message, for as long as the session lets its client be idle.
func (c *conn) receiveIdle() (pgproto3.FrontendMessage, error) {
	d := c.session.IdleTimeout()
	if d <= 0 {
		return c.in.receive()
	}
	c.setReadDeadline(time.Now().Add(d))
	m, err := c.in.receive()
	if errors.Is(err, os.ErrDeadlineExceeded) && !c.isEnding() {
		if c.session.TxStatus() == 'I' {
			return nil, errIdle
		}
		return nil, errIdleInTransaction
	}
	c.setReadDeadline(time.Time{})
	return m, err
}

// receiveFailed ends the connection with a word if that is of use.
func (c *conn) receiveFailed(err error) {
	var broken *sql.Error
	switch {
	case c.isEnding():
		c.fatal(errTerminated)
	case errors.As(err, &broken):
		c.fatal(broken)
		c.linger()
	}
}

// linger reads, for a moment, what the client still sends of a message that was refused: a connection
// that is closed with something unread is reset, and the client may lose the error.
func (c *conn) linger() {
	tcp, ok := c.raw.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(endWithin))
	_, _ = io.Copy(io.Discard, tcp) // until the client closes, too
}

// handle runs one message. After an error inside a pipeline, messages are skipped up to Sync.
func (c *conn) handle(m pgproto3.FrontendMessage) {
	if _, sync := m.(*pgproto3.Sync); c.skip && !sync {
		return
	}
	var err error
	switch m := m.(type) {
	case *pgproto3.Query:
		c.simpleQuery(m.String)
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
		_ = c.flush()
	case *pgproto3.Sync:
		c.skip = false
		c.sync()
	case *pgproto3.CopyData, *pgproto3.CopyDone, *pgproto3.CopyFail:
		// What a client still sends after its COPY has failed.
	case *pgproto3.FunctionCall:
		c.fail(sql.Unsupported("the fast-path function call", "Call the function in a SELECT."))
		c.endOfQuery()
	default:
		c.lost = true
	}
	if err != nil {
		c.fail(err)
		c.skip = true
		_ = c.flush() // a client that pipelines with Flush waits for this before it sends its Sync
	}
}

// sync ends a pipeline: the implicit transaction is committed, and its portals end with it.
func (c *conn) sync() {
	c.closePortalsOutsideTransaction()
	if err := c.session.Sync(c.ctx); err != nil {
		c.fail(err)
	}
	c.endOfQuery()
}

// endOfQuery tells the client that it is its turn.
func (c *conn) endOfQuery() {
	if c.lost || c.doomed {
		return
	}
	c.closePortalsOutsideTransaction()
	c.query = ""
	c.ready()
	_ = c.flush()
}

// fail reports an error of a statement and rolls back what it was part of.
func (c *conn) fail(err error) {
	if c.doomed = c.isEnding(); !c.doomed { // a connection that ends says so once, as FATAL
		e := c.userError(err)
		c.sendError("ERROR", e, whereOf(err))
	}
	c.closeStartedPortals()
	c.session.Fail()
	c.closePortalsOutsideTransaction()
}

// userError turns whatever a statement returned into what the client is told.
func (c *conn) userError(err error) *sql.Error {
	var e *sql.Error
	switch {
	case errors.As(err, &e):
		if e.Code == sql.CodeInternal {
			c.srv.log.Error("internal error", "error", err, "cause", e.Cause, "statement", c.shown())
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	case errors.Is(err, context.Canceled):
		return errCanceled
	}
	c.srv.log.Error("internal error", "error", err, "statement", c.shown())
	return sql.AsError(err)
}

// shown is the statement at work for the log. One that could not be parsed may hold a secret anywhere
// and is not shown.
func (c *conn) shown() string {
	if c.running == nil {
		return ""
	}
	return c.running.Shown()
}

// setReadDeadline bounds reading, unless the connection is being ended already.
func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		_ = c.raw.SetReadDeadline(t) // fails only when the socket is closed, which the next read tells
	}
}

// setDeadline bounds all reading and writing, unless the connection is being ended already.
func (c *conn) setDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending {
		_ = c.raw.SetDeadline(t) // fails only when the socket is closed, which the next read tells
	}
}

// stack is the goroutine's stack.
func stack() string { return strings.TrimSpace(string(debug.Stack())) }

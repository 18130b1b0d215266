package wire

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// What ends a statement from outside: a cancel request, the statement timeout, the end of the
// connection by the server, and the client's leaving.

var (
	errCanceled   = &sql.Error{Code: sql.CodeQueryCanceled, Message: "canceling statement due to user request"}
	errTimeout    = &sql.Error{Code: sql.CodeQueryCanceled, Message: "canceling statement due to statement timeout"}
	errTerminated = &sql.Error{Code: sql.CodeAdminShutdown, Message: "terminating connection due to administrator command"}
	errIdle       = &sql.Error{Code: "57P05", Message: "terminating connection due to idle-session timeout"}
	errClientGone = &sql.Error{Code: sql.CodeConnectionFailure, Message: "client closed the connection"}

	errIdleInTransaction = &sql.Error{Code: "25P03", Message: "terminating connection due to idle-in-transaction timeout"}
)

const (
	watchAfter = 100 * time.Millisecond // of a statement's life: shorter ones are not worth a watch
	endWithin  = time.Second            // what a client that reads nothing is given to take its last message
)

// interruptible runs f so that it can be ended from outside, and tells why it was. Panics of what f
// calls become errors.
func (c *conn) interruptible(f func(ctx context.Context) error) (err error) {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	c.setCancel(cancel)
	defer c.setCancel(nil)
	c.stopWatch = c.watchClient(cancel)
	defer func() { c.stopWatch() }()
	c.statement = ctx
	defer func() { c.statement = nil }()
	defer func() {
		if p := recover(); p != nil {
			c.srv.log.Error("statement panicked", "panic", p, "statement", c.shown(), "stack", stack())
			err = &sql.Error{Code: sql.CodeInternal, Message: "internal error"}
		}
	}()
	return cause(ctx, f(ctx))
}

// timed runs f as one statement under the statement timeout, which starts anew for each statement of
// a simple query.
func (c *conn) timed(ctx context.Context, f func(ctx context.Context) error) error {
	t := c.session.StatementTimeout()
	if t <= 0 {
		return f(ctx)
	}
	outer := c.statement
	ctx, cancel := context.WithTimeoutCause(ctx, t, errTimeout)
	defer cancel()
	c.statement = ctx
	defer func() { c.statement = outer }()
	return cause(ctx, f(ctx))
}

// cause is why ctx ended when err may be due to that, else err.
func cause(ctx context.Context, err error) error {
	var why *sql.Error
	if err != nil && ctx.Err() != nil && errors.As(context.Cause(ctx), &why) {
		return why
	}
	return err
}

// watchClient notices, by peeking at the socket, that the client has left while a statement runs,
// also behind some messages that it sent before. stop ends the watch and leaves the reader as it was; only
// then may the connection's own goroutine read again.
func (c *conn) watchClient(cancel context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	timer := time.AfterFunc(watchAfter, func() {
		defer close(done)
		r := c.in.r
		for n := r.Buffered() + 1; n <= r.Size(); n = r.Buffered() + 1 {
			if _, err := r.Peek(n); err != nil {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					cancel(errClientGone)
				}
				return
			}
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			if timer.Stop() {
				return
			}
			_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // wakes the Peek
			<-done
			c.mu.Lock() // so that terminate's own deadline is not lost
			if !c.ending {
				_ = c.raw.SetReadDeadline(time.Time{})
			}
			c.mu.Unlock()
		})
	}
}

// hurried runs f, which waits for the client to send or to take something. When the running
// statement ends meanwhile, by a timeout or a cancel request, the client is given that much patience
// and no more; set is the socket's method for the deadline.
func (c *conn) hurried(ctx context.Context, set func(time.Time) error, patience time.Duration, f func() error) error {
	if ctx == nil {
		return f()
	}
	c.setWaiting(true)
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.waiting && !c.ending {
			_ = set(time.Now().Add(patience)) // fails only when the socket is closed
		}
	})
	err := f()
	c.setWaiting(false)
	if !stop() {
		c.mu.Lock() // so that terminate's own deadline is not lost
		defer c.mu.Unlock()
		if !c.ending {
			_ = set(time.Time{})
		}
	}
	return err
}

func (c *conn) setWaiting(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = on
}

func (c *conn) setCancel(f context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = f
}

// cancelStatement ends the running statement, if there is one, from another goroutine.
func (c *conn) cancelStatement(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel(why)
	}
}

// terminate ends the connection from another goroutine: a running statement is cancelled, a waiting
// read is woken, and a write to a client that does not read is given up soon.
func (c *conn) terminate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return
	}
	c.ending = true
	c.end(errTerminated)
	_ = c.raw.SetReadDeadline(time.Unix(1, 0))
	_ = c.raw.SetWriteDeadline(time.Now().Add(endWithin))
}

func (c *conn) isEnding() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

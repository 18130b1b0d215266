package simtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// network carries everything in the world. Connections are pipes in memory; those that go through a
// link have its latency and share its faults.
type network struct{ kfake.VirtualNetwork }

var errCut = errors.New("the connection was cut")

// link is the network as one process sees it.
type link struct {
	net *network

	latency time.Duration // of a packet, at most

	mu      sync.Mutex
	r       *rand.Rand
	conns   map[*conn]bool
	dead    chan struct{} // closed when its process is: nothing goes through any more
	frozen  time.Time     // until when nothing moves
	cutting float64       // how likely it is that a read or a write cuts its connection
}

func (n *network) link(r *rand.Rand, latency time.Duration) *link {
	return &link{net: n, latency: latency, r: r, dead: make(chan struct{}), conns: map[*conn]bool{}}
}

// Dial is the process's way out.
func (l *link) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := l.pass(); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	pipe, err := l.net.DialContext(ctx, network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	c := &conn{Conn: pipe, link: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isDead() {
		_ = pipe.Close()
		return nil, errCut
	}
	l.conns[c] = true
	return c, nil
}

// pass waits as long as a packet takes; an error is that of a cut connection.
func (l *link) pass() error {
	l.mu.Lock()
	wait := time.Duration(l.r.Int64N(int64(l.latency) + 1))
	if until := time.Until(l.frozen); until > 0 {
		wait += until
	}
	cut := l.r.Float64() < l.cutting
	l.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-l.dead:
		}
	}
	if cut || l.isDead() {
		return errCut
	}
	return nil
}

func (l *link) isDead() bool {
	select {
	case <-l.dead:
		return true
	default:
		return false
	}
}

// cut ends all connections; for good when the process is dead.
func (l *link) cut(dead bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if dead && !l.isDead() {
		close(l.dead)
	}
	for c := range l.conns {
		_ = c.Conn.Close() // a pipe's never fails
	}
	clear(l.conns)
}

func (l *link) flaky(p float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cutting = p
}

// freeze holds up everything for a while, as if the process were stopped.
func (l *link) freeze(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = time.Now().Add(d)
}

type conn struct {
	net.Conn
	link *link
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil {
		err = c.link.pass()
	}
	return c.done(n, err)
}

func (c *conn) Write(p []byte) (int, error) {
	if err := c.link.pass(); err != nil {
		return c.done(0, err)
	}
	n, err := c.Conn.Write(p)
	return c.done(n, err)
}

// done closes what was cut: what it had brought is lost.
func (c *conn) done(n int, err error) (int, error) {
	if err == errCut {
		_ = c.Close()
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", errCut)}
	}
	return n, err
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

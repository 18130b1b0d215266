package wire

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// Limits on what one client may ask for, before and after it is authenticated.
const (
	DefaultMaxConnections  = 1000
	maxStartupTime         = 15 * time.Second // encryption and authentication included
	maxStartupMessageBytes = 10_000           // as in PostgreSQL
	maxMessageBytes        = 128 << 20        // of an authenticated client
	maxRowBytes            = 1 << 30          // of a row sent, as in PostgreSQL
	maxLargeBytes          = 512 << 20        // of the large messages of all clients together
	maxStatementBytes      = 16 << 20         // of a statement's text: parsed, it takes many times that
	minStarting            = 100              // clients that may be starting up however few may be connected
	reservedConnections    = 3                // for the owner, so that somebody can see what is wrong
	slowClient             = 10 * time.Second // what a client that reads nothing is given once its statement was cancelled
)

// Config is the server's settings.
type Config struct {
	Backend        Backend
	TLS            *tls.Config              // nil = TLS is answered with 'N'
	RequireTLS     bool                     // refuse clients that are not on loopback without TLS
	Trust          func(addr net.Addr) bool // who needs no password; nil = nobody
	MaxConnections int                      // 0 = DefaultMaxConnections
	Owner          string                   // the user for whom the last connections are kept; "" = nobody
	Logger         *slog.Logger
}

// Server accepts connections.
type Server struct {
	cfg  Config
	log  *slog.Logger
	auth *authLimiter

	large    largeMessages
	patience time.Duration // slowClient

	mu       sync.Mutex
	starting map[*conn]struct{} // accepted and not yet authenticated
	conns    map[uint32]*conn   // the others, by pid
	nextPID  uint32
	closed   bool
	ln       []net.Listener
	done     sync.WaitGroup
}

// NewServer makes a server; Serve starts it.
func NewServer(cfg Config) *Server {
	if cfg.MaxConnections == 0 {
		cfg.MaxConnections = DefaultMaxConnections
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, log: cfg.Logger, auth: newAuthLimiter(), patience: slowClient, starting: map[*conn]struct{}{}, conns: map[uint32]*conn{}, nextPID: 1}
}

// Serve accepts connections on ln until Shutdown, then returns nil.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ln.Close()
	}
	s.ln = append(s.ln, ln)
	s.mu.Unlock()
	for {
		nc, err := ln.Accept()
		if err != nil {
			s.mu.Lock()
			closed := s.closed
			s.mu.Unlock()
			if closed {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			s.log.Warn("accept failed", "error", err)
			time.Sleep(50 * time.Millisecond) // out of file descriptors, most likely: let some close
			continue
		}
		c := newConn(s, nc)
		if !s.admit(c) {
			_ = nc.Close()
			continue
		}
		go func() {
			defer s.done.Done()
			s.handle(c)
		}()
	}
}

// admit counts a new connection among those starting up. There may be only so many of them: whoever
// opens connections and says nothing must not use up memory and file descriptors. Nor must he keep
// others out: the one that makes room is of the address with the most.
func (s *Server) admit(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if len(s.starting) >= max(s.cfg.MaxConnections, minStarting) {
		out := s.crowded()
		s.log.Warn("too many clients starting up", "remote", out.raw.RemoteAddr())
		delete(s.starting, out)
		out.end(errClientGone)
		_ = out.raw.Close()
	}
	s.starting[c] = struct{}{}
	s.done.Add(1) // here, for Shutdown waits once closed is set
	return true
}

// crowded is the oldest connection starting up of the address that has the most.
func (s *Server) crowded() *conn {
	hosts := map[string]int{}
	for c := range s.starting {
		hosts[c.host]++
	}
	var out *conn
	for c := range s.starting {
		switch {
		case out == nil, hosts[c.host] > hosts[out.host], hosts[c.host] == hosts[out.host] && c.since.Before(out.since):
			out = c
		}
	}
	return out
}

func (s *Server) handle(c *conn) {
	defer c.close()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("connection panicked", "panic", p, "stack", stack())
			c.fatal(sql.Errorf(sql.CodeInternal, "internal error"))
		}
	}()
	if err := c.startup(); err != nil {
		if !errors.Is(err, errGone) {
			c.fatal(sql.AsError(err))
		}
		return
	}
	c.serve()
}

// register gives a user's started connection its pid and cancel key. It is refused when there are too many.
func (s *Server) register(c *conn, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return sql.Errorf("57P03", "the database system is shutting down")
	}
	reserved := 0
	if s.cfg.Owner != "" && user != s.cfg.Owner {
		reserved = min(reservedConnections, s.cfg.MaxConnections/10)
	}
	switch free := s.cfg.MaxConnections - len(s.conns); {
	case free <= 0:
		return sql.Errorf("53300", "sorry, too many clients already").
			WithHint("The limit is %d connections (--max-connections).", s.cfg.MaxConnections)
	case free <= reserved:
		return sql.Errorf("53300", "remaining connection slots are reserved for user %q", s.cfg.Owner).
			WithHint("The limit is %d connections (--max-connections).", s.cfg.MaxConnections)
	}
	for s.conns[s.nextPID] != nil || s.nextPID == 0 {
		s.nextPID++
	}
	c.pid = s.nextPID
	s.nextPID = (s.nextPID + 1) & 0x7fffffff
	if _, err := rand.Read(c.secret); err != nil {
		return err
	}
	delete(s.starting, c)
	s.conns[c.pid] = c
	return nil
}

func (s *Server) unregister(c *conn) {
	s.mu.Lock()
	delete(s.starting, c)
	if s.conns[c.pid] == c {
		delete(s.conns, c.pid)
	}
	s.mu.Unlock()
}

// cancelRequest cancels the running statement of the connection with this pid and key.
func (s *Server) cancelRequest(pid uint32, secret []byte) {
	s.mu.Lock()
	c := s.conns[pid]
	s.mu.Unlock()
	if c != nil && subtle.ConstantTimeCompare(c.secret, secret) == 1 {
		c.cancelStatement(errCanceled)
	}
}

// cancelBackend cancels or ends another connection on behalf of SQL.
func (s *Server) cancelBackend(pid uint32, terminate bool) bool {
	s.mu.Lock()
	c := s.conns[pid]
	s.mu.Unlock()
	if c == nil {
		return false
	}
	if terminate {
		c.terminate()
	} else {
		c.cancelStatement(errCanceled)
	}
	return true
}

// Connections is the number of clients connected now, those starting up left out.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown stops accepting, ends every connection with 57P01 and waits for them, at most until ctx ends.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	for _, ln := range s.ln {
		_ = ln.Close()
	}
	for _, c := range s.conns {
		c.terminate()
	}
	for c := range s.starting {
		c.terminate()
	}
	s.mu.Unlock()
	finished := make(chan struct{})
	go func() { s.done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-ctx.Done():
	}
}

// LoopbackOnly trusts clients on this machine.
func LoopbackOnly(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a streamsql process on a directory and a port that it keeps through its lives.
type server struct {
	binary string
	dir    string // its data
	log    string // file
	addr   string

	// mu is held by whoever does something to the process; a fault holds it from its beginning to
	// its end, so that the next one finds a server that runs.
	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

const startWait = 30 * time.Second

func newServer(binary, dir, log string) (*server, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &server{binary: binary, dir: dir, log: log, addr: ln.Addr().String()}, ln.Close()
}

// start runs the process and does not wait for it to answer.
func (s *server) start() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.binary, "serve", "--data-dir", s.dir, "--listen", s.addr, "--http", "", "--memory-budget", "256MiB")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, dieWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s (make build makes it): %w", s.binary, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its state tells how it ended
		close(done)
	}()
	s.cmd, s.done = cmd, done
	return nil
}

// Killed tells whether the process was ended by kill -9, if by nobody here, by somebody else.
func (s *server) Killed() bool { return s.ended() && killed(s.cmd.ProcessState) }

// Restart is start.
func (s *server) Restart() error { return s.start() }

// signal sends one to the process and, of those that end it, waits for the end. If somebody else was
// first to kill it, it is started again for a signal that it should survive.
func (s *server) signal(sig syscall.Signal) error {
	survives := sig == syscall.SIGSTOP || sig == syscall.SIGCONT
	if s.Killed() {
		if survives {
			return s.start()
		}
		return nil
	}
	if s.ended() {
		return fmt.Errorf("the server has ended by itself: %s; its log is %s", s.cmd.ProcessState, s.log)
	}
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if survives {
		return nil
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(20 * time.Second):
		return errors.Join(errors.New("the server did not end within 20 s of its signal"), s.cmd.Process.Signal(syscall.SIGABRT))
	}
}

// end stops the process in order, as nobody looks at how it ends.
func (s *server) end() error {
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // it may have been stopped when something failed
	if err := s.signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, s.cmd.Process.Kill())
	}
	return nil
}

func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// connect waits for the server to answer.
func (s *server) connect(ctx context.Context) (*pgx.Conn, error) {
	for deadline := time.Now().Add(startWait); ; {
		c, err := s.tryConnect(ctx)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the server does not answer: %w; its log is %s", err, s.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (s *server) tryConnect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return pgx.Connect(ctx, "postgres://chaos@"+s.addr+"/streamsql?sslmode=disable")
}

// exec runs statements that have to succeed.
func (s *server) exec(ctx context.Context, statements string) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.PgConn().Exec(ctx, statements).ReadAll()
	return err
}

// query is a statement's rows as text; NULL is "NULL".
func query(ctx context.Context, c *pgx.Conn, statement string) ([][]string, error) {
	results, err := c.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows [][]string
	for _, r := range results[len(results)-1].Rows {
		rows = append(rows, fields(r))
	}
	return rows, nil
}

func fields(row [][]byte) []string {
	out := make([]string, len(row))
	for i, v := range row {
		out[i] = string(v)
		if v == nil {
			out[i] = "NULL"
		}
	}
	return out
}

// rows is query on a connection of its own.
func (s *server) rows(ctx context.Context, statement string) ([][]string, error) {
	c, err := s.tryConnect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	return query(ctx, c, statement)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is a streamsql of its own, with a scratch directory.
type server struct {
	cmd  *exec.Cmd
	dir  string
	http string
	conn *pgx.Conn
}

func startServer(ctx context.Context, c *config) (s *server, err error) {
	s = &server{}
	if s.dir, err = os.MkdirTemp("", "streamsql-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	var listen string
	if listen, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.http, err = freeAddress(); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(c.server, "serve", "--data-dir", s.dir, "--listen", listen, "--http", s.http, "--log-level", "warn", "--pprof")
	s.cmd.Stderr = os.Stderr
	if err = s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s (make build makes it): %w", c.server, err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if s.conn, err = pgx.Connect(ctx, "postgres://bench@"+listen+"/streamsql?sslmode=disable"); err == nil {
			return s, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the server does not answer: %w", err)
		}
	}
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// profile writes the server's CPU profile over some seconds to a file.
func (s *server) profile(file string, seconds int) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.http, seconds))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s", resp.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}

// close stops the server and removes its directory.
func (s *server) close() error {
	if s.conn != nil {
		_ = s.conn.Close(context.Background()) // the server is about to close it anyway
	}
	var err error
	if s.cmd != nil && s.cmd.Process != nil {
		if err = s.cmd.Process.Signal(syscall.SIGTERM); err == nil {
			err = s.cmd.Wait()
		}
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

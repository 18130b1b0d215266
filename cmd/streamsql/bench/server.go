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
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/process"
)

// server is a streamsql in a process of its own, with default flags.
type server struct {
	binary, dir, addr, http string

	proc *process.Process
	conn *pgx.Conn
}

const startWait = 30 * time.Second

// startServer starts a server on an empty directory.
func (b *bench) startServer(ctx context.Context) (*server, error) {
	s := &server{binary: b.server, dir: filepath.Join(b.dir, b.name("server"))}
	var err error
	if s.addr, err = freeAddress(); err != nil {
		return nil, err
	}
	if s.http, err = freeAddress(); err != nil {
		return nil, err
	}
	b.last = s
	if err := s.start(ctx); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// start starts the process, also again after kill, and connects.
func (s *server) start(ctx context.Context) error {
	cmd := exec.Command(s.binary, "serve", "--data-dir", s.dir, "--listen", s.addr, "--http", s.http, "--log-level", "warn", "--pprof")
	cmd.Stderr = os.Stderr
	var err error
	if s.proc, err = process.Start(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		if s.conn, err = pgx.Connect(ctx, s.url()); err == nil {
			return nil
		}
		select {
		case <-s.proc.Exited():
			return s.proc.Wait(ctx)
		case <-ctx.Done():
			return fmt.Errorf("the server does not answer: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *server) url() string { return "postgres://bench@" + s.addr + "/streamsql?sslmode=disable" }

func (s *server) exec(ctx context.Context, statement string) error {
	_, err := s.conn.Exec(ctx, statement)
	return err
}

// awaitIdle waits until compactions have caught up with what was loaded, or for a minute: they are no
// part of what comes then.
func (s *server) awaitIdle(ctx context.Context) error {
	const period, busy = time.Second, 0.05 // of a core
	last, err := s.proc.Usage()
	for deadline := time.Now().Add(time.Minute); err == nil && time.Now().Before(deadline); {
		select {
		case <-time.After(period):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var now process.Usage
		if now, err = s.proc.Usage(); err == nil && (now.CPU-last.CPU).Seconds() < busy*period.Seconds() {
			return nil
		}
		last = now
	}
	return err
}

// kill ends the process as a crash would.
func (s *server) kill() {
	s.proc.Kill()
	_ = s.conn.Close(context.Background()) // nobody is at the other end
}

// close ends the process and removes its directory.
func (s *server) close() {
	if s.conn != nil {
		_ = s.conn.Close(context.Background()) // the server is about to close it anyway
	}
	if s.proc != nil {
		s.proc.Stop()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
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

// diskBytes is what the server's directory takes.
func (s *server) diskBytes() (int64, error) {
	var sum int64
	err := filepath.WalkDir(s.dir, func(_ string, d os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) { // compactions delete files meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

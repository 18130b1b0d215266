// Package pgtest runs a PostgreSQL server for tests: a cluster of its own in a temporary directory, on
// a free port of the loopback, gone when the test is over.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }    // optional: one server for the package
//	pg := pgtest.Shared(t); conn := pg.Conn(t)
//	pg, err := pgtest.Run(); defer pg.Close()                  // for a program
//
// What is committed survives Kill but not a power cut (fsync is off). The collation is C and the time
// zone UTC, so that results are the same everywhere. PostgreSQL refuses to run as root; root starts it as the user postgres or nobody.
package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL server of one test or test package.
type Server struct {
	Port int

	settings []string // besides those of all tests: name=value

	bin  string // directory of the binaries
	dir  string // the data directory
	cred *syscall.Credential
	cmd  *exec.Cmd
	log  bytes.Buffer
	done chan struct{} // closed when cmd has ended
}

// Start makes and starts a server that ends with the test.
func Start(tb testing.TB) *Server {
	tb.Helper()
	s, err := Run()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

var shared struct {
	sync.Mutex
	server *Server
	main   bool
}

// Shared returns the one server of a test package that uses Main, started on first use; without
// Main it is Start.
func Shared(tb testing.TB) *Server {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		return Start(tb)
	}
	if shared.server == nil {
		s, err := Run()
		if err != nil {
			tb.Fatal(err)
		}
		shared.server = s
	}
	return shared.server
}

// Main runs a package's tests and ends its shared server. Use it in TestMain.
func Main(m *testing.M) int {
	shared.main = true
	defer func() {
		if shared.server != nil {
			shared.server.Close()
		}
	}()
	return m.Run()
}

// URL is the connection string of the superuser.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.Port)
}

// Conn opens a connection that is closed with the test.
func (s *Server) Conn(tb testing.TB) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), s.URL())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// Stop shuts the server down in order; Restart brings it back with its data and port.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill is kill -9 of all its processes.
func (s *Server) Kill() error {
	for _, pid := range s.Processes()[1:] {
		_ = syscall.Kill(pid, syscall.SIGKILL) // a session may have ended meanwhile
	}
	return s.end(syscall.SIGKILL)
}

// Restart starts a stopped or killed server again.
func (s *Server) Restart() error { return s.run() }

// Killed tells whether the server has been ended by kill -9, of the postmaster.
func (s *Server) Killed() bool {
	select {
	case <-s.done:
		status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false
	}
}

// Backup copies the data of a stopped server to a directory, which the caller removes; Restore puts such
// a copy in their place.
func (s *Server) Backup() (dir string, err error) {
	dir = s.dir + ".backup"
	return dir, copyTree(s.dir, dir)
}

// Restore replaces the data of a stopped server.
func (s *Server) Restore(dir string) error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	return copyTree(dir, s.dir)
}

// copyTree keeps owners and modes: PostgreSQL looks at them.
func copyTree(from, to string) error {
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the data: %w\n%s", err, out)
	}
	return nil
}

// WriteFile writes a file to the data directory, readable by the server alone.
func (s *Server) WriteFile(name string, data []byte) error {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil || s.cred == nil {
		return err
	}
	return os.Chown(path, int(s.cred.Uid), int(s.cred.Gid))
}

func (s *Server) end(sig syscall.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(20 * time.Second):
		return fmt.Errorf("PostgreSQL did not stop:\n%s", s.log.String())
	}
}

// Processes are the postmaster and, where the system tells, its children: sessions and helpers.
func (s *Server) Processes() []int {
	return append([]int{s.cmd.Process.Pid}, children(s.cmd.Process.Pid)...)
}

// Close ends the server and removes its data.
func (s *Server) Close() {
	if s.cmd != nil {
		s.cmd.Process.Signal(syscall.SIGQUIT) // an error means that it has ended already
		<-s.done
	}
	os.RemoveAll(s.dir)
}

// Run makes and starts a server, which the caller closes. A setting, name=value, replaces that of tests.
func Run(settings ...string) (*Server, error) {
	s := &Server{settings: settings}
	var err error
	if s.bin, err = findBinaries(); err != nil {
		return nil, err
	}
	if s.cred, err = unprivileged(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, err
	}
	if s.cred != nil {
		if err := os.Chown(s.dir, int(s.cred.Uid), int(s.cred.Gid)); err != nil {
			return nil, err
		}
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	initdb := []string{"--pgdata", s.dir, "--username=postgres", "--auth=trust", "--no-sync",
		"--encoding=UTF8", "--locale=C", "--no-instructions"}
	// Unicode's upper and lower case, where the system has that locale.
	if _, err := s.command("initdb", append(initdb, "--lc-ctype=C.UTF-8")...).CombinedOutput(); err != nil {
		if out, err := s.command("initdb", initdb...).CombinedOutput(); err != nil {
			os.RemoveAll(s.dir)
			return nil, fmt.Errorf("initdb: %w\n%s", err, out)
		}
	}
	if err := s.run(); err != nil {
		os.RemoveAll(s.dir)
		return nil, err
	}
	return s, nil
}

// run starts the server process and waits until it takes connections.
func (s *Server) run() error {
	s.log.Reset()
	args := []string{"-D", s.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port),
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "timezone=UTC", "-c", "log_timezone=UTC",
		"-c", "wal_level=logical", "-c", "shared_buffers=32MB", "-c", "jit=off"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.cmd = s.command("postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		cmd.Wait()
		close(done)
	}(s.cmd, s.done)
	deadline := time.Now().Add(30 * time.Second)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		conn, err := pgx.Connect(ctx, s.URL())
		cancel()
		if err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-s.done:
			return fmt.Errorf("PostgreSQL ended at start:\n%s", s.log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		}
	}
}

// command is one of PostgreSQL's programs, run as the unprivileged user.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.cred}
	dieWithParent(cmd.SysProcAttr)
	return cmd
}

// Program is a client that came with the server, such as pgbench, run as whoever runs this process.
func (s *Server) Program(name string, args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(s.bin, name), args...)
}

// findBinaries looks in PATH and where Debian and Red Hat put the versions; the newest wins.
func findBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	var found []string
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		paths, _ := filepath.Glob(pattern) // the patterns are well-formed
		found = append(found, paths...)
	}
	if len(found) == 0 {
		return "", errors.New("this test needs PostgreSQL: install the package postgresql (apt-get install postgresql), or put initdb in PATH")
	}
	sort.Strings(found)
	return filepath.Dir(found[len(found)-1]), nil
}

// unprivileged is who runs PostgreSQL when the tests run as root; nil = whoever runs them.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

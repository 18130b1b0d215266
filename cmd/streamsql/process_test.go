package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// runAsStreamSQL makes the test binary be the server: what is killed is a real process.
const runAsStreamSQL = "TEST_RUN_AS_STREAMSQL"

func TestMain(m *testing.M) {
	if os.Getenv(runAsStreamSQL) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, os.Args[1:]))
	}
	os.Exit(m.Run())
}

const processWait = 20 * time.Second

// process is a server in a process of its own, on a port and a directory that it keeps.
type process struct {
	t    testing.TB
	args []string
	addr string

	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newProcess prepares a server; start starts it.
func newProcess(t testing.TB, dir string, args ...string) *process {
	p := &process{t: t, addr: freeAddress(t)}
	p.args = append([]string{"serve", "--data-dir", dir, "--listen", p.addr, "--http", ""}, args...)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			log := p.log.String()
			t.Logf("log of the server:\n%s", log[max(0, len(log)-8000):])
		}
	})
	return p
}

func freeAddress(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start runs the process and does not wait for it.
func (p *process) start() {
	p.t.Helper()
	cmd := exec.Command(os.Args[0], p.args...)
	cmd.Env = append(os.Environ(), runAsStreamSQL+"=1")
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state tells how it ended
		close(done)
	}()
	p.cmd, p.done = cmd, done
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// connect waits for the server to answer.
func (p *process) connect(opts ...func(*pgx.ConnConfig)) *pgx.Conn {
	p.t.Helper()
	deadline := time.Now().Add(processWait)
	for {
		c, err := p.tryConnect(opts...)
		if err == nil {
			return c
		}
		select {
		case <-p.done:
			p.t.Fatalf("the server ended: %v\n%s", p.cmd.ProcessState, p.log.String())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("connect: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *process) tryConnect(opts ...func(*pgx.ConnConfig)) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	cfg, err := pgx.ParseConfig(p.url())
	if err != nil {
		return nil, err
	}
	for _, o := range opts {
		o(cfg)
	}
	return pgx.ConnectConfig(ctx, cfg)
}

func (p *process) url() string {
	return fmt.Sprintf("postgres://test@%s/streamsql?sslmode=disable", p.addr)
}

// exec runs statements that have to succeed.
func (p *process) exec(statements string) {
	p.t.Helper()
	c := p.connect()
	defer c.Close(context.Background())
	if _, err := c.PgConn().Exec(context.Background(), statements).ReadAll(); err != nil {
		p.t.Fatalf("%s: %v", statements, err)
	}
}

// rows is a query's answer as text, a|b|c; an error when the server is not to be asked.
func (p *process) rows(query string) ([]string, error) {
	c, err := p.tryConnect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), processWait)
	defer cancel()
	defer c.Close(ctx)
	results, err := c.PgConn().Exec(ctx, query).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var out []string
	for _, r := range results[len(results)-1].Rows {
		fields := make([]string, len(r))
		for i, v := range r {
			fields[i] = string(v)
			if v == nil {
				fields[i] = "NULL"
			}
		}
		out = append(out, strings.Join(fields, "|"))
	}
	return out, nil
}

package simtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/sql/engine"
	"github.com/streamsql/streamsql/state"
	"github.com/streamsql/streamsql/state/statetest"
	"github.com/streamsql/streamsql/wire"
)

// server is one life of the server under test: from a start to a crash or a stop.
type server struct {
	w    *world
	link *link // to Kafka
	disk *statetest.Disk
	port int

	engine *engine.Engine
	wire   *wire.Server
	client *link // clients of it

	mu        sync.Mutex
	r         *rand.Rand
	countdown int             // disk operations until the crash; 0 = none is due
	failing   float64         // how likely it is that an operation on a table's file fails
	failures  int             // how often one may fail
	left      *statetest.Disk // what the crash left of the disk; nil before
	crashed   chan struct{}
}

// The memory tables are small, so that flushes and compactions happen all the time.
const memTable = 128 << 10

// boot starts a server on the disk. It crashes at a disk operation of that number, while it starts or
// later, when that is not 0. A server that crashed while it started is returned as well.
func (w *world) boot(disk *statetest.Disk, countdown int) (*server, error) {
	w.port++
	s := &server{w: w, disk: disk, port: w.port, r: w.rand(), countdown: countdown, crashed: make(chan struct{})}
	s.link, s.client = w.net.link(w.rand(), 400*time.Microsecond), w.net.link(w.rand(), 0)
	opts := disk.Options(state.Options{Dir: "state", MemTableBytes: memTable, CacheBytes: 1 << 20, Logger: w.log}, s.before)
	opts = opts.Ingest([]int{500, 4000, memTable / 2}[s.r.IntN(3)])
	e, err := engine.Open(engine.Config{StateOptions: &opts, Connectors: []connectors.Connector{kafka.Connector{Dial: s.link.Dial}},
		Parallelism: 1 + s.r.IntN(3), Logger: w.log, Version: "simulated", DeadLetterAge: 1000 * time.Hour, DeadLetterBytes: 1 << 30})
	if err != nil {
		return s, fmt.Errorf("start the server: %w", err)
	}
	s.engine = e
	ln, err := w.net.Listen("tcp", s.addr())
	if err != nil {
		return s, err
	}
	s.wire = wire.NewServer(wire.Config{Backend: e, Trust: func(net.Addr) bool { return true }, Logger: w.log})
	go func() { _ = s.wire.Serve(ln) }() // it ends with the server
	return s, nil
}

func (s *server) addr() string { return fmt.Sprintf("localhost:%d", s.port) }

// before is called before each disk operation. It must not sleep: somebody may wait for the caller's
// lock, and then the world's clock stands still.
func (s *server) before(op statetest.Op) error {
	s.mu.Lock()
	yields := s.r.IntN(3)
	crash := false
	switch op.Kind {
	case "create", "write", "sync", "rename", "remove", "link":
		if s.countdown > 0 {
			s.countdown--
			crash = s.countdown == 0
		}
	}
	fails := s.failures > 0 && failable[op.Kind] && strings.HasSuffix(op.Path, ".sst") && s.r.Float64() < s.failing
	if fails {
		s.failures--
	}
	full := s.r.IntN(2) == 0
	s.mu.Unlock()
	if crash {
		s.crash()
	}
	for range yields {
		runtime.Gosched()
	}
	switch {
	case fails && full && op.Kind != "read":
		return syscall.ENOSPC
	case fails:
		return syscall.EIO
	}
	return nil
}

var failable = map[string]bool{"write": true, "create": true, "sync": true, "read": true}

// crash cuts the power: first the process is cut off from the world, so that nobody hears of what the
// disk does not hold; then the disk is what it is. What is left of the process does no harm.
func (s *server) crash() {
	s.link.cut(true)
	s.client.cut(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left != nil {
		return
	}
	keep := []int{0, 20, 50, 80, 100, 100}[s.r.IntN(6)] // 100: the process was killed, the machine was not
	s.left = s.disk.Crash(s.r, keep)
	close(s.crashed)
}

// bury ends what is left of a crashed or stopped server and returns the disk.
func (s *server) bury(ctx context.Context) (*statetest.Disk, error) {
	if s.wire != nil {
		hurry, cancel := context.WithCancel(ctx)
		cancel()
		s.wire.Shutdown(hurry)
	}
	var err error
	if s.engine != nil {
		err = s.engine.Close(ctx)
	}
	s.link.cut(true)
	s.client.cut(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left != nil {
		return s.left, nil
	}
	return s.disk, err
}

// arm makes the server crash at a later disk operation.
func (s *server) arm(countdown int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.countdown = countdown
}

// fail makes some operations on tables fail.
func (s *server) fail(likely float64, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing, s.failures = likely, times
}

// connect opens a session.
func (s *server) connect(ctx context.Context) (*pgconn.PgConn, error) {
	cfg, err := pgconn.ParseConfig("postgres://test@" + s.addr() + "/streamsql?sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = s.client.Dial
	cfg.LookupFunc = func(context.Context, string) ([]string, error) { return []string{"localhost"}, nil }
	return pgconn.ConnectConfig(ctx, cfg)
}

// query runs statements in a session of their own and returns the last one's rows, as a|b|c.
func (s *server) query(ctx context.Context, text string) ([]string, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	return run(ctx, c, text)
}

func run(ctx context.Context, c *pgconn.PgConn, text string) ([]string, error) {
	results, err := c.Exec(ctx, text).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	last := results[len(results)-1]
	rows := make([]string, len(last.Rows))
	for i, row := range last.Rows {
		fields := make([]string, len(row))
		for j, v := range row {
			fields[j] = string(v)
			if v == nil {
				fields[j] = "NULL"
			}
		}
		rows[i] = strings.Join(fields, "|")
	}
	return rows, last.Err
}

// Command load puts weight on the state of jobs: an engine in this process, fed with rows that are
// made up as fast as they are taken, so that what it measures is grouping, state, views and the store,
// without decoding and without a broker. Its memory is the process's.
//
//	load -query keys -keys 10000000 -rows 20000000 -budget 512MiB
//	load -query keys -keys 10000000 -dir DIR -rows 40000000 -kill     ends as kill -9 does
//	load -query keys -keys 10000000 -dir DIR -rows 41000000           goes on: time to the first result
//	load -soak 10m -rate 100000 -step 10ms                            is anything growing?
//
// It ends with 1 when a result is not what the rows give, or when a limit is passed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	_ "net/http/pprof" // when asked for
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql/engine"
	"github.com/streamsql/streamsql/wire"
)

// config is what the flags say.
type config struct {
	query       string
	keys, rows  int64
	rate        int64
	step        time.Duration
	budget      int64
	maxMemory   int64
	dir         string
	kill        bool
	soak        time.Duration
	pprof       string
	every       time.Duration
	parallelism int
	timeout     time.Duration
}

func main() {
	var c config
	flag.StringVar(&c.query, "query", "keys", "one of "+strings.Join(queryNames(), ", "))
	flag.Int64Var(&c.keys, "keys", 1_000_000, "distinct keys")
	flag.Int64Var(&c.rows, "rows", 10_000_000, "rows in all")
	flag.Int64Var(&c.rate, "rate", 0, "rows a second, 0 = as fast as they are taken")
	flag.DurationVar(&c.step, "step", time.Millisecond, "event time between rows")
	flag.Int64Var(&c.budget, "budget", 512, "memory budget, MiB")
	flag.Int64Var(&c.maxMemory, "max-memory", 0, "fail when the process ever held more, MiB; 0 = no limit")
	flag.StringVar(&c.dir, "dir", "", "data directory; none = a scratch one")
	flag.BoolVar(&c.kill, "kill", false, "end without any order once the rows are committed")
	flag.DurationVar(&c.soak, "soak", 0, "run steady jobs for so long, and see whether anything grows")
	flag.StringVar(&c.pprof, "pprof", "", "address for Go's profiles")
	flag.DurationVar(&c.every, "every", 0, "print a line every so often")
	flag.IntVar(&c.parallelism, "parallelism", 0, "tasks a fragment, 0 = one a core")
	flag.DurationVar(&c.timeout, "timeout", 30*time.Minute, "give up after this long")
	flag.Parse()
	c.budget <<= 20
	c.maxMemory <<= 20
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := run(ctx, &c); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *config) error {
	if c.pprof != "" {
		go func() { fmt.Fprintln(os.Stderr, http.ListenAndServe(c.pprof, nil)) }()
	}
	if c.dir == "" {
		dir, err := os.MkdirTemp("", "streamsql-load-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.dir = dir
	}
	n, err := open(ctx, c)
	if err != nil {
		return err
	}
	if c.soak > 0 {
		n.gen.rows = math.MaxInt64 / 4
		err = n.soak(ctx)
	} else {
		err = n.measure(ctx)
	}
	return errors.Join(err, n.close())
}

// node is the engine under load.
type node struct {
	c      *config
	gen    *generator
	engine *engine.Engine
	wire   *wire.Server
	conn   *pgx.Conn
	began  time.Time
}

func open(ctx context.Context, c *config) (*node, error) {
	n := &node{c: c, began: time.Now(), gen: &generator{keys: c.keys, rows: c.rows, splits: 4, step: c.step, rate: c.rate}}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	n.engine, err = engine.Open(engine.Config{DataDir: c.dir, MemoryBudget: c.budget, Connectors: []connectors.Connector{n.gen},
		Logger: log, Parallelism: c.parallelism, Version: "load"})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, n.engine.Close(ctx))
	}
	n.wire = wire.NewServer(wire.Config{Backend: n.engine, Trust: wire.LoopbackOnly, Logger: log})
	go func() { _ = n.wire.Serve(ln) }() // it ends with the node
	if n.conn, err = pgx.Connect(ctx, "postgres://load@"+ln.Addr().String()+"/streamsql?sslmode=disable"); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *node) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.wire.Shutdown(ctx)
	return n.engine.Close(ctx)
}

func (n *node) exec(ctx context.Context, statements ...string) error {
	for _, st := range statements {
		if _, err := n.conn.Exec(ctx, st); err != nil {
			return fmt.Errorf("%s: %w", st, err)
		}
	}
	return nil
}

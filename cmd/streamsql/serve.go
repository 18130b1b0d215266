package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/peterbourgon/ff/v4"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine"
	"github.com/streamsql/streamsql/wire"
)

// settings are the flags of serve and dev.
type settings struct {
	dataDir         string
	listen          string
	http            string
	pprof           bool
	tlsCert, tlsKey string
	insecure        bool
	memoryBudget    string
	maxConnections  int
	parallelism     int
	logLevel        string
	logFormat       string
	shutdownTimeout time.Duration
	deadLetterAge   time.Duration
	deadLetterSize  string
	sinkBacklog     string
	secretsDir      string
}

func (s *settings) register(fs *ff.FlagSet, dataDir string) {
	fs.StringVar(&s.dataDir, 'd', "data-dir", dataDir, "directory of all state; one server at a time uses it")
	fs.StringVar(&s.listen, 'l', "listen", "127.0.0.1:4566", "address for PostgreSQL clients")
	fs.StringVar(&s.http, 0, "http", "127.0.0.1:4567", "address for the console, /metrics, /healthz and /readyz; empty = none")
	fs.BoolVar(&s.pprof, 0, "pprof", "serve Go's profiles under /debug/pprof on the HTTP address")
	fs.StringVar(&s.tlsCert, 0, "tls-cert", "", "certificate chain (PEM) for PostgreSQL clients")
	fs.StringVar(&s.tlsKey, 0, "tls-key", "", "private key (PEM) of the certificate")
	fs.BoolVar(&s.insecure, 0, "insecure", "listen beyond loopback without TLS and passwords")
	fs.StringVar(&s.memoryBudget, 0, "memory-budget", "60%", "memory for state and caches: a size, or a share of the machine")
	fs.IntVar(&s.maxConnections, 0, "max-connections", wire.DefaultMaxConnections, "clients at a time")
	fs.IntVar(&s.parallelism, 0, "parallelism", 0, "tasks a fragment of a job; 0 = one a core")
	fs.StringVar(&s.logLevel, 0, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&s.logFormat, 0, "log-format", "text", "text or json")
	fs.DurationVar(&s.shutdownTimeout, 0, "shutdown-timeout", 1500*time.Millisecond, "how long jobs may take for their last commit on SIGTERM")
	fs.DurationVar(&s.deadLetterAge, 0, "dead-letter-age", 7*24*time.Hour, "how long dead letters and late rows are kept")
	fs.StringVar(&s.sinkBacklog, 0, "sink-backlog", "16GiB", "how far a sink may be behind its job before the job waits")
	fs.StringVar(&s.deadLetterSize, 0, "dead-letter-size", "1GiB", "how much of them is kept")
	fs.StringVar(&s.secretsDir, 0, "secrets-dir", "", "directory with a file for each SECRET that statements name")
	fs.StringVar(new(string), 0, "config", "", "file with a line `flag value` for each flag")
}

func serveCommand() *ff.Command {
	fs := ff.NewFlagSet("serve")
	var s settings
	s.register(fs, "streamsql-data")
	return &ff.Command{Name: "serve", Usage: "streamsql serve --data-dir DIR [flags]", ShortHelp: "run the server", Flags: fs,
		Exec: noArguments(func(ctx context.Context) error {
			srv, err := start(ctx, &s)
			if err != nil {
				return err
			}
			return srv.wait(ctx)
		})}
}

// server is a running server: engine, PostgreSQL listener, HTTP listener.
type server struct {
	s      *settings
	log    *slog.Logger
	engine *engine.Engine
	wire   *wire.Server
	ln     net.Listener
	http   *http.Server
	failed chan error
}

// start opens everything; when it returns, clients can connect.
func start(ctx context.Context, s *settings) (*server, error) {
	began := time.Now()
	log, err := newLogger(s)
	if err != nil {
		return nil, err
	}
	slog.SetDefault(log) // what has no logger of its own keeps to the level and format, too
	if s.maxConnections < 1 {
		return nil, fmt.Errorf("--max-connections must be at least 1, not %d", s.maxConnections)
	}
	if s.parallelism < 0 || s.parallelism > 256 {
		return nil, fmt.Errorf("--parallelism must be from 0 to 256, not %d", s.parallelism)
	}
	budget, err := memoryBudget(s.memoryBudget)
	if err != nil {
		return nil, err
	}
	backlog, err := parseBytes(s.sinkBacklog)
	if err != nil {
		return nil, err
	}
	deadBytes, err := parseBytes(s.deadLetterSize)
	if err != nil {
		return nil, err
	}
	srv := &server{s: s, log: log, failed: make(chan error, 2)}
	tlsConfig, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if srv.ln, err = net.Listen("tcp", s.listen); err != nil {
		return nil, fmt.Errorf("listen for PostgreSQL clients: %w", err)
	}
	srv.engine, err = openEngine(ctx, engine.Config{DataDir: s.dataDir, MemoryBudget: budget, Connectors: allConnectors(), Logger: log,
		Parallelism: s.parallelism, Version: version, Producer: producer, DeadLetterAge: s.deadLetterAge, DeadLetterBytes: deadBytes, SinkBacklog: backlog,
		Secret: s.secret})
	if err != nil {
		return nil, errors.Join(err, srv.ln.Close())
	}
	if err := s.checkExposure(srv.ln.Addr(), srv.engine.HasUsers()); err != nil {
		srv.close(context.Background())
		return nil, err
	}
	trust := wire.LoopbackOnly
	if s.insecure {
		trust = func(net.Addr) bool { return true }
	}
	srv.wire = wire.NewServer(wire.Config{Backend: srv.engine, TLS: tlsConfig, RequireTLS: !s.insecure, Trust: trust, MaxConnections: s.maxConnections, Owner: engine.OwnerName, Logger: log})
	go func() { srv.failed <- srv.wire.Serve(srv.ln) }()
	if err := srv.startHTTP(); err != nil {
		srv.close(context.Background())
		return nil, err
	}
	log.Info("ready", "listen", srv.ln.Addr().String(), "http", s.http, "data_dir", s.dataDir, "version", version, "took", time.Since(began).Round(time.Millisecond))
	return srv, nil
}

// errStopped ends a start that was told to stop.
var errStopped = errors.New("stopped while the data directory was opened")

// openEngine opens the engine, or leaves that alone when ctx ends: it may be waiting for room on the
// disk. The process ends then, and what is in the directory is what a crash would leave.
func openEngine(ctx context.Context, cfg engine.Config) (*engine.Engine, error) {
	var e *engine.Engine
	var err error
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		e, err = engine.Open(cfg)
	}()
	select {
	case <-opened:
		return e, err
	case <-ctx.Done():
		return nil, errStopped
	}
}

// checkExposure refuses to be reachable from elsewhere without TLS and passwords.
func (s *settings) checkExposure(addr net.Addr, hasUsers bool) error {
	tcp, ok := addr.(*net.TCPAddr)
	if s.insecure || ok && tcp.IP.IsLoopback() {
		return nil
	}
	if s.tlsCert == "" || !hasUsers {
		return &sql.Error{Code: sql.CodeInvalidParameter,
			Message: fmt.Sprintf("refusing to listen on %s, which is reachable from other machines, without TLS and passwords", s.listen),
			Hint:    "Give --tls-cert and --tls-key and create a user with a password first (CREATE USER … PASSWORD '…' over loopback), or say --insecure."}
	}
	return nil
}

func (s *settings) tlsConfig() (*tls.Config, error) {
	if s.tlsCert == "" && s.tlsKey == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// wait serves until ctx ends or a listener fails, then stops in order: clients, jobs, state.
func (srv *server) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		srv.log.Info("stopping")
	case err = <-srv.failed:
	}
	srv.close(context.Background())
	return err
}

func (srv *server) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, srv.s.shutdownTimeout)
	defer cancel()
	if srv.http != nil {
		_ = srv.http.Close() // scrapes that are cut off don't matter
	}
	if srv.wire != nil {
		srv.wire.Shutdown(ctx)
	} else {
		_ = srv.ln.Close() // nobody was let in yet
	}
	if err := srv.engine.Close(ctx); err != nil {
		srv.log.Error("state not closed cleanly", "error", err)
	}
	srv.log.Info("stopped")
}

func newLogger(s *settings) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch s.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return nil, fmt.Errorf("--log-format must be text or json, not %q", s.logFormat)
}

// describe is an error as the command line shows it, with its hint.
func describe(err error) string {
	var e *sql.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	text := err.Error()
	if e.Detail != "" {
		text += "\nDETAIL: " + e.Detail
	}
	if e.Hint != "" {
		text += "\nHINT: " + e.Hint
	}
	return text
}

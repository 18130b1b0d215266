package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql/engine"
	"github.com/streamsql/streamsql/state"
	"github.com/streamsql/streamsql/state/statetest"
)

// TestReadyWithinASecond starts on empty directories: a machine that is busy with other things may
// be slow once, not three times.
func TestReadyWithinASecond(t *testing.T) {
	var best time.Duration
	for range 3 {
		p := newProcess(t, t.TempDir())
		began := time.Now()
		p.start()
		p.connect().Close(context.Background())
		took := time.Since(began)
		p.kill()
		if best == 0 || took < best {
			best = took
		}
	}
	t.Logf("ready after %v", best)
	if best > time.Second {
		t.Errorf("ready after %v", best)
	}
}

// TestSecondServerIsRefused: one server at a time has the directory, and the other says why it ends.
func TestSecondServerIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := newProcess(t, dir)
	first.start()
	first.exec("CREATE TABLE t (a INT)")
	second := newProcess(t, dir)
	second.start()
	select {
	case <-second.done:
	case <-time.After(processWait):
		t.Fatal("a second server runs on the same directory")
	}
	if code, log := second.cmd.ProcessState.ExitCode(), second.log.String(); code != 1 || !strings.Contains(log, "another") || !strings.Contains(log, dir) {
		t.Errorf("exit code %d: %s", code, log)
	}
	first.exec("INSERT INTO t VALUES (1)")
}

// TestLoggerIsTheDefault: connectors log without a logger of their own.
func TestLoggerIsTheDefault(t *testing.T) {
	before := slog.Default()
	defer slog.SetDefault(before)
	if _, err := start(t.Context(), &settings{logLevel: "warn", logFormat: "json"}); err == nil { // without connections
		t.Fatal("started")
	}
	if _, ok := slog.Default().Handler().(*slog.JSONHandler); !ok || slog.Default().Enabled(t.Context(), slog.LevelInfo) {
		t.Errorf("the default logger is a %T", slog.Default().Handler())
	}
}

// TestStopWhileOpening: a start that waits for its disk ends when it is told to.
func TestStopWhileOpening(t *testing.T) {
	waits, wait := make(chan struct{}), make(chan struct{})
	defer close(wait)
	var once sync.Once
	opts := statetest.NewDisk().Options(state.Options{}, func(statetest.Op) error {
		once.Do(func() { close(waits) })
		<-wait
		return syscall.ENOSPC
	})
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-waits; stop() }()
	if _, err := openEngine(ctx, engine.Config{StateOptions: &opts}); err != errStopped {
		t.Fatal(err)
	}
}

// TestBackupCommand: a server started on the copy has what the first one had.
func TestBackupCommand(t *testing.T) {
	first := newProcess(t, t.TempDir())
	first.start()
	first.exec("CREATE TABLE t (a INT); INSERT INTO t VALUES (7)")
	dir := filepath.Join(t.TempDir(), "copy")
	if code := run(t.Context(), []string{"backup", "--server", first.url(), dir}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if code := run(t.Context(), []string{"backup", "--server", first.url(), dir}); code != 1 {
		t.Errorf("into a directory that is not empty: exit code %d", code)
	}
	first.exec("INSERT INTO t VALUES (8)")
	second := newProcess(t, dir)
	second.start()
	second.connect().Close(context.Background())
	if rows, err := second.rows("SELECT a FROM t"); err != nil || len(rows) != 1 || rows[0] != "7" {
		t.Errorf("the copy holds %v, %v", rows, err)
	}
}

// TestTermCommitsAndStops: SIGTERM ends a server with running jobs within two seconds, and what it
// was told is there afterwards.
func TestTermCommitsAndStops(t *testing.T) {
	broker, err := devbroker.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	kafkatest.CreateTopic(t, broker.Addr(), "in", 2)
	p := newProcess(t, t.TempDir())
	p.start()
	p.exec(strings.ReplaceAll(`
		CREATE TABLE src (v INT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json');
		CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(v) AS s FROM src;
		CREATE SINK copies AS SELECT v FROM src WITH (connector = 'kafka', topic = 'out', properties.bootstrap.servers = '$BROKER', format = 'json');
		CREATE TABLE t (a INT); INSERT INTO t VALUES (1)`, "$BROKER", broker.Addr()))
	kafkatest.Produce(t, broker.Addr(), "in", 0, `{"v":1}`, `{"v":2}`)
	subscriber := p.connect() // and a client that waits for ever
	go subscriber.Exec(context.Background(), "SUBSCRIBE TO sums")
	await(t, func() string { return p.expect("SELECT n, s FROM sums", "2|3") })

	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(processWait):
		t.Fatal("the server does not stop")
	}
	took := time.Since(began)
	if took > 2*time.Second || p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("stopped after %v: %v", took, p.cmd.ProcessState)
	}
	t.Logf("stopped after %v", took)
	p.start()
	p.connect().Close(context.Background())
	for query, want := range map[string]string{"SELECT a FROM t": "1", "SELECT n, s FROM sums": "2|3"} {
		if diff := p.expect(query, want); diff != "" {
			t.Error(diff)
		}
	}
}

// expect compares a query's rows, in their order; empty = they are right.
func (p *process) expect(query string, want ...string) string {
	got, err := p.rows(query)
	if err != nil {
		return err.Error()
	}
	if !slices.Equal(got, want) {
		return fmt.Sprintf("%s: got %q, want %q", query, got, want)
	}
	return ""
}

// TestPagesForThisMachine: the console is not for other machines, nor for other sites in a browser here.
func TestPagesForThisMachine(t *testing.T) {
	page := here(func(w http.ResponseWriter, _ *http.Request) {})
	for _, tt := range []struct {
		remote, host string
		want         int
	}{
		{"127.0.0.1:9", "localhost:4567", 200}, {"127.0.0.1:9", "127.0.0.1:4567", 200}, {"[::1]:9", "[::1]:4567", 200}, {"127.0.0.1:9", "localhost", 200},
		{"10.0.0.7:9", "localhost:4567", 403}, {"127.0.0.1:9", "evil.example:4567", 403}, {"127.0.0.1:9", "10.0.0.1:4567", 403},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.Host = tt.remote, tt.host
		if page(w, r); w.Code != tt.want {
			t.Errorf("%s for %s: %d", tt.remote, tt.host, w.Code)
		}
	}
}

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// awaySource is a source that can't be reached for some time, and then has nothing.
type awaySource struct {
	*memoryTarget
	mu    sync.Mutex
	why   string // "" = it is there
	tries int
}

func (a *awaySource) Name() string { return "away" }
func (a *awaySource) Source(context.Context, connectors.Relation, []int) (connectors.Source, error) {
	return a, nil
}

func (a *awaySource) set(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.why, a.tries = why, 0
}

func (a *awaySource) tried(times int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tries < times {
		return fmt.Errorf("tried %d times", a.tries)
	}
	return nil
}

func (a *awaySource) Splits(context.Context, bool) ([]connectors.Split, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tries++
	if a.why != "" {
		return nil, sql.Errorf(sql.CodeConnectionFailure, "%s", a.why)
	}
	return []connectors.Split{{Topic: "t", End: -1}}, nil
}

func (a *awaySource) Open(context.Context, []connectors.Split) (connectors.Reader, error) {
	return quietReader{}, nil
}

type quietReader struct{}

func (quietReader) Ready() <-chan struct{}           { return nil }
func (quietReader) Poll() (*connectors.Chunk, error) { return nil, nil }
func (quietReader) Add(connectors.Split) error       { return nil }
func (quietReader) Close() error                     { return nil }
func (quietReader) Status() []connectors.SplitStatus { return []connectors.SplitStatus{{Topic: "t"}} }

// logBuffer keeps a server's log.
type logBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// lines are the messages about a job, in order.
func (l *logBuffer) lines() (out []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.all.String()) {
		if _, m, ok := strings.Cut(line, `msg="job `); ok {
			out = append(out, m[:strings.Index(m, `"`)])
		}
	}
	return out
}

// newLoggingNode starts a server whose log can be read.
func newLoggingNode(t *testing.T, c connectors.Connector) (*node, *logBuffer) {
	log := &logBuffer{}
	n := &node{t: t, dir: t.TempDir(), connectors: []connectors.Connector{c},
		change: func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(log, nil)) }}
	n.start()
	t.Cleanup(n.stop)
	return n, log
}

// A job whose source is away says so once for each reason, is not restarted by trying, and forgets the
// reason when it goes on.
func TestWaitingIsNoRestart(t *testing.T) {
	away := &awaySource{memoryTarget: &memoryTarget{}, why: "connection refused"}
	n, log := newLoggingNode(t, away)
	n.exec("CREATE TABLE src (v text) WITH (connector = 'away')")
	n.exec("CREATE MATERIALIZED VIEW counts AS SELECT v, count(*) AS n FROM src GROUP BY v")
	eventually(t, testWait, func() error { return away.tried(3) })
	away.set("no route to host")
	eventually(t, testWait, func() error { return away.tried(1) })
	eventually(t, testWait, func() error {
		return n.differs("SELECT state || ' ' || restarts || ' ' || last_error FROM streamsql.jobs", "waiting 0 no route to host")
	})
	away.set("")
	eventually(t, testWait, func() error {
		return errors.Join(n.differs("SELECT state FROM streamsql.jobs", "running"), n.differs("SELECT last_error FROM streamsql.jobs", "NULL"),
			n.differs("SELECT last_error_at FROM streamsql.jobs", "NULL"))
	})
	if got, err := n.metric("streamsql_job_restarts_total", "counts"); err != nil || got != 0 {
		t.Errorf("%v restarts: %v", got, err)
	}
	eventually(t, testWait, func() error {
		if got, want := fmt.Sprint(log.lines()), "[waits waits goes on]"; got != want {
			return fmt.Errorf("logged %s, want %s", got, want)
		}
		return nil
	})
}

// ALTER JOB … RESUME tries at once what a job would be tried for later. By itself, it would be tried so
// often only after half a minute.
func TestResumeTriesAtOnce(t *testing.T) {
	away := &awaySource{memoryTarget: &memoryTarget{}, why: "connection refused"}
	n := newNode(t, "", away)
	n.exec("CREATE TABLE src (v text) WITH (connector = 'away')")
	n.exec("CREATE MATERIALIZED VIEW counts AS SELECT v, count(*) AS n FROM src GROUP BY v")
	eventually(t, testWait, func() error {
		n.exec("ALTER JOB counts RESUME")
		return away.tried(15)
	})
}

// That a target is away, and that it is back, is in the log.
func TestTargetThatIsAwayIsLogged(t *testing.T) {
	m := &memoryTarget{}
	n, log := newLoggingNode(t, m)
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	m.locked(func() { m.fail = errors.New("away") })
	n.exec("INSERT INTO src VALUES ('a')")
	logged := func(want string) {
		t.Helper()
		eventually(t, testWait, func() error {
			if got := fmt.Sprint(log.lines()); got != want {
				return fmt.Errorf("logged %s, want %s", got, want)
			}
			return nil
		})
	}
	logged("[waits]")
	m.locked(func() { m.fail = nil })
	logged("[waits goes on]")
}

package engine

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/wire"
)

const testWait = 20 * time.Second // for what happens in the background

// node is a server under test: an engine behind the real protocol, and the broker it reads.
type node struct {
	t      testing.TB
	dir    string
	broker string
	addr   string

	connectors []connectors.Connector

	e       *Engine
	wire    *wire.Server
	crashes int
	change  func(*Config) // of a test that needs another configuration
}

// startBroker starts an embedded broker, which ends with the test.
func startBroker(t testing.TB) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func newNode(t testing.TB, broker string, more ...connectors.Connector) *node {
	n := &node{t: t, dir: t.TempDir(), broker: broker, connectors: append(more, kafka.Connector{})}
	n.start()
	t.Cleanup(func() { n.stop() })
	return n
}

// config is what the binary gives an engine, with two tasks a fragment: exchanges are in the way.
func (n *node) config() Config {
	return Config{DataDir: n.dir, Connectors: n.connectors, Parallelism: 2, Version: "test",
		Logger: slog.New(slog.NewTextHandler(logTo{n.t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Producer: func(r connectors.Relation) (RecordProducer, error) {
			p, err := kafka.NewProducer(r)
			if err != nil {
				return nil, err
			}
			return p, nil
		}}
}

// logTo shows the log with the test that fails. What comes after its end is lost.
type logTo struct{ t testing.TB }

func (l logTo) Write(p []byte) (int, error) {
	if l.t.Context().Err() == nil {
		l.t.Log(strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}

func (n *node) start() {
	n.t.Helper()
	cfg := n.config()
	if n.change != nil {
		n.change(&cfg)
	}
	e, err := Open(cfg)
	if err != nil {
		n.t.Fatalf("open the engine: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.e, n.addr = e, ln.Addr().String()
	n.wire = wire.NewServer(wire.Config{Backend: e, Trust: wire.LoopbackOnly})
	go func(w *wire.Server) { _ = w.Serve(ln) }(n.wire) // it ends with the node
}

// hangUp ends all connections.
func (n *node) hangUp() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.wire.Shutdown(ctx)
}

// stop ends the node in order.
func (n *node) stop() {
	if n.e == nil {
		return
	}
	n.hangUp()
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	if err := n.e.Close(ctx); err != nil {
		n.t.Errorf("close the engine: %v", err)
	}
	n.e = nil
}

// crash ends the node without a last epoch. What it goes on with is a copy of the directory made
// before the store could put anything in order: what was in memory alone is gone.
func (n *node) crash() {
	n.t.Helper()
	n.hangUp()
	n.e.jobs.mu.Lock()
	n.e.jobs.closing = true
	n.e.jobs.mu.Unlock()
	n.e.stop()
	n.e.jobs.done.Wait()
	n.crashes++
	copied := filepath.Join(n.t.TempDir(), "crash"+strconv.Itoa(n.crashes))
	if err := os.CopyFS(copied, os.DirFS(n.dir)); err != nil {
		n.t.Fatalf("copy the state: %v", err)
	}
	<-n.e.trimmed
	n.e.events.close()
	if err := n.e.store.Close(); err != nil {
		n.t.Errorf("close the crashed store: %v", err)
	}
	n.e, n.dir = nil, copied
}

// connect opens a connection that speaks the simple protocol; notices go to f.
func (n *node) connect(f func(*pgconn.Notice)) *pgconn.PgConn {
	n.t.Helper()
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("postgres://test@%s/streamsql?sslmode=disable", n.addr))
	if err != nil {
		n.t.Fatal(err)
	}
	cfg.OnNotice = func(_ *pgconn.PgConn, notice *pgconn.Notice) {
		if f != nil {
			f(notice)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		n.t.Fatalf("connect: %v", err)
	}
	return c
}

// exec runs statements that have to succeed, in a connection of their own.
func (n *node) exec(sql string) [][]string {
	n.t.Helper()
	c := n.connect(nil)
	defer c.Close(context.Background())
	rows, err := simpleQuery(c, sql)
	if err != nil {
		n.t.Fatalf("%s: %v", sql, err)
	}
	return rows
}

// differs is an error when the single value of a query is not what is wanted.
func (n *node) differs(query, want string) error {
	n.t.Helper()
	if got := n.exec(query); len(got) != 1 || got[0][0] != want {
		return fmt.Errorf("%s: got %v, want %s", query, got, want)
	}
	return nil
}

// simpleQuery returns the rows of the last statement, in text; NULL is NULL.
func simpleQuery(c *pgconn.PgConn, sql string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*testWait)
	defer cancel()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	last := results[len(results)-1]
	rows := make([][]string, len(last.Rows))
	for i, r := range last.Rows {
		for _, v := range r {
			rows[i] = append(rows[i], fieldText(v))
		}
	}
	return rows, last.Err
}

func fieldText(v []byte) string {
	if v == nil {
		return "NULL"
	}
	return strings.ReplaceAll(string(v), "\n", `\n`)
}

// eventually tries until f returns nil.
func eventually(t testing.TB, wait time.Duration, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", wait, err)
		}
	}
}

// checkpoint waits until what all that was produced and inserted comes to is committed and in the views,
// and until no job has had anything more to commit or to deliver for a while.
func (n *node) checkpoint() {
	n.t.Helper()
	eventually(n.t, testWait, n.caughtUp)
	n.exec("FLUSH")
	const still = 300 * time.Millisecond // longer than a source that is idle holds a watermark back
	before, since := n.exec(jobEpochs), time.Now()
	eventually(n.t, testWait, func() error {
		if behind := n.exec("SELECT name FROM streamsql.jobs WHERE undelivered_bytes > 0"); len(behind) > 0 {
			return fmt.Errorf("sinks have something to deliver still: %v", behind)
		}
		now := n.exec(jobEpochs)
		if fmt.Sprint(now) != fmt.Sprint(before) {
			before, since = now, time.Now()
		}
		if time.Since(since) < still {
			return fmt.Errorf("jobs are committing still: %v", now)
		}
		return nil
	})
}

const jobEpochs = "SELECT name, epoch, delivered_epoch FROM streamsql.jobs ORDER BY name"

// caughtUp tells which job has not committed what its topics hold yet.
func (n *node) caughtUp() error {
	admin := kadm.NewClient(kafkatest.Client(n.t, n.broker))
	defer admin.Close()
	for _, j := range n.e.jobs.list() {
		if st := j.status(); st.state == jobPaused || st.state == jobFinished {
			continue
		}
		j.mu.Lock()
		meta := j.meta
		j.mu.Unlock()
		stats := j.stats()
		if len(stats.Sources) == 0 {
			return fmt.Errorf("job %s has no sources yet: %+v", j.obj.Name, j.status())
		}
		for _, src := range stats.Sources {
			if len(src.Splits) == 0 {
				return fmt.Errorf("job %s does not read %s yet", j.obj.Name, src.Name)
			}
			if n.ownLog(src.Splits[0].Topic) {
				continue // FLUSH waits for that
			}
			committed, err := exec.ReadSplits(n.e.store, meta, src.ID)
			if err != nil {
				return err
			}
			at := map[int32]int64{}
			for _, sp := range committed {
				at[sp.Partition] = sp.Start.Offset
			}
			topic := src.Splits[0].Topic
			ends, err := admin.ListEndOffsets(n.t.Context(), topic)
			if err != nil {
				return err
			}
			for p, end := range ends[topic] {
				if at[p] < end.Offset {
					return fmt.Errorf("job %s is at %d of %d in %s/%d", j.obj.Name, at[p], end.Offset, topic, p)
				}
			}
		}
	}
	return nil
}

// ownLog tells whether it is a table's or a view's changelog that sources name so, and not a topic.
func (n *node) ownLog(topic string) bool {
	return slices.ContainsFunc(n.e.catalog.Load().All(catalog.Table, catalog.MaterializedView), func(o *catalog.Object) bool {
		return o.Rows() && logName(o) == topic
	})
}

// pick is one of the values.
func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

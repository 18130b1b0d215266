package engine

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// silent is a server that takes connections and says nothing.
func silent(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = nc.Close() })
		}
	}()
	return ln.Addr().String()
}

// TestStatementsEnd: whatever a statement waits for or is busy with, a timeout and a cancel request end it soon.
func TestStatementsEnd(t *testing.T) {
	n := newNode(t, "")
	quiet := silent(t)
	with := fmt.Sprintf("WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '%s', format = 'json')", quiet)
	n.exec("CREATE TABLE t (k INT PRIMARY KEY, v INT); INSERT INTO t SELECT i, i FROM generate_series(1, 10) AS s(i); CREATE TABLE src (v INT) " + with)
	holder := n.connect(nil)
	defer holder.Close(context.Background())
	if _, err := simpleQuery(holder, "BEGIN; UPDATE t SET v = 0 WHERE k = 1"); err != nil {
		t.Fatal(err)
	}
	// Some work for each row: seconds of it.
	const busy = "generate_series(1, 400000) AS a(i) WHERE length(md5(repeat(i::text, 700))) > 7"
	for _, tt := range []struct{ name, before, statement string }{
		{"sleep", "", "SELECT pg_sleep(60)"},
		{"busy", "", "SELECT count(*) FROM " + busy},
		{"rows", "", "SELECT i FROM " + busy},
		{"sort", "", "SELECT i FROM " + busy + " ORDER BY md5(i::text)"},
		{"Kafka", "", "SELECT count(*) FROM src"},
		{"lock", "", "DELETE FROM t WHERE k = 1"},
		{"lock of a COPY", "", "COPY t FROM STDIN"},
		{"COPY out", "", "COPY (SELECT i FROM " + busy + ") TO STDOUT"},
		{"SUBSCRIBE", "", "SUBSCRIBE TO t"},
		{"COPY of a SUBSCRIBE", "", "COPY (SUBSCRIBE TO t) TO STDOUT"},
		{"FETCH", "BEGIN; DECLARE c CURSOR FOR SELECT count(*) FROM " + busy, "FETCH c"},
		{"FETCH of a stream", "BEGIN; DECLARE c CURSOR FOR SELECT * FROM src", "FETCH c"},
		{"cursor WITH HOLD", "", "DECLARE h CURSOR WITH HOLD FOR SELECT count(*) FROM " + busy},
		{"EXECUTE", "PREPARE p AS SELECT count(*) FROM " + busy, "EXECUTE p"},
		{"CREATE TABLE AS", "", "CREATE TABLE u AS SELECT i FROM " + busy},
		{"INSERT SELECT", "", "CREATE TABLE w (i INT); INSERT INTO w SELECT i FROM " + busy},
		{"sink", "", "CREATE SINK s FROM t " + strings.Replace(with, "format", "type = 'upsert', primary_key = 'k', format", 1)},
		{"INSERT into a topic", "", "INSERT INTO src VALUES (1)"},
	} {
		for _, how := range []string{"timeout", "cancel"} {
			c := n.connect(nil)
			if tt.before != "" {
				if _, err := simpleQuery(c, tt.before); err != nil && !strings.Contains(err.Error(), "already exists") {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
			limit, want := 300*time.Millisecond, "statement timeout"
			if how == "timeout" {
				if _, err := simpleQuery(c, "SET statement_timeout = 300"); err != nil {
					t.Fatal(err)
				}
			} else {
				want = "user request"
				timer := time.AfterFunc(limit, func() { _ = c.CancelRequest(context.Background()) })
				defer timer.Stop()
			}
			start := time.Now()
			err := runToEnd(c, tt.statement)
			took := time.Since(start)
			if err == nil || !strings.Contains(err.Error(), "57014") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v after %v", tt.name, how, err, took)
			}
			if took > limit+8*time.Second {
				t.Errorf("%s: the %s took %v", tt.name, how, took)
			}
			_ = c.Close(context.Background())
		}
	}
}

// TestSeriesAreMadeAsTheyAreRead: a timeout ends a long series in its midst, when little of it was made.
func TestSeriesAreMadeAsTheyAreRead(t *testing.T) {
	c := newNode(t, "").connect(nil)
	defer c.Close(context.Background())
	for _, statement := range []string{
		"SELECT count(*) FROM generate_series(1, 10000000)",
		"SELECT count(*) FROM generate_series(1.0, 10000000)",
		"SELECT count(*) FROM generate_series(TIMESTAMP '2024-01-01', '2024-04-25', INTERVAL '1 second')",
	} {
		if _, err := simpleQuery(c, "SET statement_timeout = '50ms'"); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := runToEnd(c, statement)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "57014") {
			t.Errorf("%s: %v", statement, err)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > 100<<20 { // the whole is half a gigabyte
			t.Errorf("%s: %d bytes were allocated", statement, made)
		}
	}
}

// TestHeavyBatchEnds: neither does a timeout wait for a batch of which each row is much work, nor is
// memory taken for all of its rows.
func TestHeavyBatchEnds(t *testing.T) {
	c := newNode(t, "").connect(nil)
	defer c.Close(context.Background())
	if _, err := simpleQuery(c, "SET statement_timeout = '100ms'"); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := runToEnd(c, "SELECT count(*) FROM generate_series(1, 4000) AS a(i) WHERE length(md5(repeat(i::text, 100000))) > 7")
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "57014") {
		t.Error(err)
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > 500<<20 { // the texts of a batch are 1.5 GB
		t.Errorf("%d bytes were allocated", made)
	}
}

// runToEnd runs a statement, also a COPY that sends nothing.
func runToEnd(c *pgconn.PgConn, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	switch {
	case strings.HasSuffix(statement, "FROM STDIN"):
		_, err := c.CopyFrom(ctx, strings.NewReader("1\t1\n"), statement)
		return err
	case strings.HasSuffix(statement, "TO STDOUT"):
		_, err := c.CopyTo(ctx, discard{}, statement)
		return err
	}
	_, err := c.Exec(ctx, statement).ReadAll()
	return err
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

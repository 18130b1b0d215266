package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/exec"
)

// TestLargeTexts: a job whose expressions make more text of a batch than a column should hold computes
// it in parts; a row whose text no column can hold is a dead letter, and a query's error.
func TestLargeTexts(t *testing.T) {
	n := newNode(t, "")
	n.exec(`CREATE TABLE src (id INT PRIMARY KEY, n INT NOT NULL);
		CREATE MATERIALIZED VIEW v AS SELECT id, right(repeat(lpad(id::text, 1000, 'x'), n), 3) AS r FROM src`)
	n.exec("INSERT INTO src SELECT i, 1000 FROM generate_series(101, 200) AS a(i); INSERT INTO src VALUES (1, 300000)")
	n.checkpoint()
	for query, want := range map[string]string{
		"SELECT count(*) FROM v":                                                                                "100",
		"SELECT count(*) FROM v WHERE r = id::text":                                                             "100",
		"SELECT count(*) FROM streamsql.dead_letters WHERE code = '54000'":                                      "1",
		"SELECT count(*) FROM streamsql.jobs WHERE name = 'v' AND state = 'running'":                            "1",
		"SELECT count(*) FROM src WHERE n < 5000 AND right(repeat(lpad(id::text, 1000, 'x'), n), 3) = id::text": "100",
	} {
		if err := n.differs(query, want); err != nil {
			t.Error(err)
		}
	}
	// What was cut or refused when it came is when it goes.
	n.exec("UPDATE src SET n = n + 1; DELETE FROM src WHERE id = 200 OR id = 1")
	n.checkpoint()
	if err := n.differs("SELECT count(*) FROM v WHERE r = id::text", "99"); err != nil {
		t.Error(err)
	}
	c := n.connect(nil)
	defer c.Close(context.Background())
	var pg *pgconn.PgError
	_, err := simpleQuery(c, "SELECT length(repeat(lpad(id::text, 1000, 'x'), n * 300)) FROM src")
	if !errors.As(err, &pg) || pg.Code != "54000" || strings.Contains(pg.Message, "panic") {
		t.Error(err)
	}
}

// TestSortWithoutMemory: a sort that exceeds its part of the budget ends its query and no more, and one
// that needs few of the rows does with little.
func TestSortWithoutMemory(t *testing.T) {
	n := newNode(t, "")
	n.e.memory = exec.NewMemory(1 << 20)
	const sorted = "SELECT repeat(md5(i::text), 100) AS r FROM generate_series(1, 5000) AS a(i) ORDER BY r"
	c := n.connect(nil)
	defer c.Close(context.Background())
	var pg *pgconn.PgError
	if _, err := simpleQuery(c, sorted); !errors.As(err, &pg) || pg.Code != "53200" || pg.Hint == "" {
		t.Error(err)
	}
	if err := n.differs("SELECT count(*) FROM ("+sorted+" LIMIT 20) AS s WHERE length(r) = 3200", "20"); err != nil {
		t.Error(err)
	}
}

// TestTransactionsWithoutMemory: what transactions write and do not commit is bounded, together, and given
// back when they end.
func TestTransactionsWithoutMemory(t *testing.T) {
	n := newNode(t, "")
	n.e.memory = exec.NewMemory(16 << 20)
	n.exec("CREATE TABLE t (k INT PRIMARY KEY, v TEXT)")
	insert := func(from, to int) string {
		return fmt.Sprintf("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series(%d, %d) AS a(i)", from, to)
	}
	a, b := n.connect(nil), n.connect(nil)
	defer a.Close(context.Background())
	defer b.Close(context.Background())
	refused := func(c *pgconn.PgConn, sql string) {
		t.Helper()
		var pg *pgconn.PgError
		if _, err := simpleQuery(c, sql); !errors.As(err, &pg) || pg.Code != "53200" || pg.Hint == "" {
			t.Errorf("%s: %v", sql, err)
		}
	}
	done := func(c *pgconn.PgConn, sql string) {
		t.Helper()
		if _, err := simpleQuery(c, sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
	refused(a, insert(1, 100_000))
	done(a, "BEGIN; "+insert(1, 8000)+"; SAVEPOINT s")
	refused(a, insert(8001, 100_000))
	done(a, "ROLLBACK TO s")
	done(b, "CREATE TABLE u (k INT PRIMARY KEY, v TEXT)")
	refused(b, strings.Replace(insert(1, 12_000), "INTO t", "INTO u", 1)) // fits alone
	done(a, "COMMIT")
	done(b, strings.Replace(insert(1, 12_000), "INTO t", "INTO u", 1))
	if held := n.e.txBytes.Load(); held != 0 {
		t.Errorf("%d bytes are held still", held)
	}
	if err := n.differs("SELECT count(*) FROM (SELECT k FROM t UNION ALL SELECT k FROM u) AS a", "20000"); err != nil {
		t.Error(err)
	}
}

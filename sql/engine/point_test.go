package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestPointQueries: a query of one row by its key answers as the same query that needs a graph does,
// inside and outside of transactions, and sees what its transaction wrote.
func TestPointQueries(t *testing.T) {
	n := newNode(t, "")
	n.exec("CREATE TABLE t (a INT, b TEXT, c NUMERIC(10,2), d TIMESTAMPTZ, e TEXT[], PRIMARY KEY (a, b));" +
		"INSERT INTO t SELECT i, 'b' || i % 3, CASE WHEN i % 5 > 0 THEN i / 4.0 END, TIMESTAMPTZ '2024-01-01 00:00Z' + i * INTERVAL '1 hour', ARRAY['x', 'y' || i] FROM generate_series(1, 60) AS s(i);" +
		"CREATE TABLE k (id BIGINT PRIMARY KEY, v INT, w INT GENERATED ALWAYS AS (v * 2) STORED);" +
		"INSERT INTO k SELECT i, i * 10 FROM generate_series(1, 60) AS s(i); CREATE VIEW kv AS SELECT id, w + 1 AS w1 FROM k WHERE v > 100")
	c := n.connect(nil)
	defer c.Close(context.Background())
	ask := func(q string) string {
		rows, err := simpleQuery(c, q)
		return fmt.Sprint(rows, err)
	}
	const point, graph = "%d", "any(array[%d])"
	queries := []string{
		"SELECT v FROM k WHERE id = KEY", "SELECT * FROM k WHERE KEY = id", "SELECT v + 1, v / (id - 7), upper('x') FROM k WHERE id = KEY AND v > 30",
		"SELECT w1 FROM kv WHERE id = KEY", "SELECT id, id, v FROM k WHERE id = KEY AND v <> 100", "SELECT FROM k WHERE id = KEY",
		"SELECT c, d, e FROM t WHERE a = KEY AND b = 'b1'", "SELECT a, b, c IS NULL AS n FROM t WHERE b = 'b2' AND a = KEY AND c IS NULL",
		"SELECT x.v FROM (SELECT v, id AS i FROM k) AS x WHERE x.i = KEY", "SELECT v FROM k WHERE id = KEY LIMIT 1", "SELECT now() > d FROM t WHERE a = KEY AND b = 'b0'",
	}
	r := rand.New(rand.NewPCG(1, 2))
	check := func(when string) {
		t.Helper()
		for range 40 {
			q, key := queries[r.IntN(len(queries))], r.IntN(80)
			got, want := ask(strings.ReplaceAll(q, "KEY", fmt.Sprintf(point, key))), ask(strings.ReplaceAll(strings.ReplaceAll(q, "KEY = id", "id = KEY"), "KEY", fmt.Sprintf(graph, key)))
			if got != want {
				t.Errorf("%s: %s of %d\n got %s\nwant %s", when, q, key, got, want)
			}
		}
	}
	check("at first")
	n.exec("UPDATE k SET v = v + 1 WHERE id % 2 = 0; DELETE FROM k WHERE id = 9")
	check("after an update")
	for _, begin := range []string{"BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"} {
		ask(begin)
		ask("SELECT count(*) FROM k")
		n.exec("UPDATE k SET v = v + 5 WHERE id > 30")
		check("in a transaction, others having written")
		ask("UPDATE k SET v = -1 WHERE id < 20; DELETE FROM k WHERE id = 21; INSERT INTO k (id, v) VALUES (77, 770)")
		check("in a transaction that has written")
		ask("ROLLBACK")
		check("after it")
	}
	if got := ask("SELECT v FROM k WHERE id = NULL"); got != "[] <nil>" {
		t.Error(got)
	}
	if got := ask("SELECT 1 / (v - v) FROM k WHERE id = 5"); !strings.Contains(got, "22012") {
		t.Error(got)
	}
	ask("DROP TABLE t; CREATE TABLE t (a INT, b TEXT, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 'b1')")
	if got := ask("SELECT a FROM t WHERE a = 1 AND b = 'b1'"); got != "[[1]] <nil>" {
		t.Error(got)
	}
}

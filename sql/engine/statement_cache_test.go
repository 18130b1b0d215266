package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestWithoutKey: what is not plainly one number among names is left alone.
func TestWithoutKey(t *testing.T) {
	for src, want := range map[string]int64{
		"SELECT a FROM t WHERE k = 7": 7, "SELECT a1, b_2 FROM s.t3 WHERE k=123456789;": 123456789, "select * from t where 7 = k": 7, "SELECT 0": 0,
		"SELECT a FROM t": -1, "SELECT a FROM t WHERE k = 1234567890": -1, "SELECT a FROM t WHERE k = -7": -1, "SELECT a FROM t WHERE k = 7.5": -1,
		"SELECT a FROM t WHERE k = .5": -1, "SELECT a FROM t WHERE k = 7e2": -1, "SELECT 1 FROM t WHERE k = 7": -1, "SELECT a FROM t WHERE k = $1": -1,
		"SELECT a FROM t WHERE k = '7'": -1, `SELECT "a" FROM t WHERE k = 7`: -1, "SELECT a FROM t -- 7": -1, "SELECT a FROM t /* 7 */": -1, "SELECT a FROM é WHERE k = 7": -1,
		"SELECT 7a": -1, "SELECT 0x1f": -1, "SELECT a FROM t WHERE k = 7::text": -1, "SELECT a[7] FROM t": -1,
	} {
		text, key, ok := withoutKey(src)
		if ok != (want >= 0) || ok && (key != want || text.before+fmt.Sprint(key)+text.after != src) {
			t.Errorf("%s: %q %d %v", src, text, key, ok)
		}
	}
}

// TestStatementCache: a statement that was planned before is planned anew when it would mean
// something else now, and a number is taken for a key only where it is one.
func TestStatementCache(t *testing.T) {
	n := newNode(t, "")
	n.exec("CREATE TABLE t (k INT PRIMARY KEY, v INT, at TIMESTAMPTZ); INSERT INTO t SELECT i, i * 10, '2024-01-01 00:00Z' FROM generate_series(1, 20) AS s(i);" +
		"CREATE VIEW seven AS SELECT v, 7 AS x FROM t WHERE k = 7; CREATE SCHEMA other; CREATE TABLE other.t (k INT PRIMARY KEY, v INT); INSERT INTO other.t VALUES (5, -5)")
	c := n.connect(nil)
	defer c.Close(context.Background())
	for _, step := range [][2]string{
		{"SELECT v FROM t WHERE k = 5", "[[50]]"}, {"SELECT v FROM t WHERE k = 6", "[[60]]"}, {"SELECT v FROM t WHERE k = 99", "[]"},
		{"SELECT v FROM seven WHERE x = 7", "[[70]]"}, {"SELECT v FROM seven WHERE x = 8", "[]"},
		{"SELECT v, k FROM t WHERE v = 50", "[[50 5]]"}, {"SELECT v, k FROM t WHERE v = 60", "[[60 6]]"},
		{"SELECT at FROM t WHERE k = 5", "[[2024-01-01 00:00:00+00]]"}, {"SET TimeZone = 'Europe/Berlin'", "[]"}, {"SELECT at FROM t WHERE k = 5", "[[2024-01-01 01:00:00+01]]"},
		{"SET search_path = other, public", "[]"}, {"SELECT v FROM t WHERE k = 5", "[[-5]]"},
		{"BEGIN", "[]"}, {"SET LOCAL search_path = public", "[]"}, {"SELECT v FROM t WHERE k = 5", "[[50]]"}, {"COMMIT", "[]"}, {"SELECT v FROM t WHERE k = 5", "[[-5]]"},
		{"BEGIN", "[]"}, {"DROP TABLE other.t", "[]"}, {"SELECT v FROM t WHERE k = 5", "[[50]]"}, {"ROLLBACK", "[]"}, {"SELECT v FROM t WHERE k = 5", "[[-5]]"},
		{"ALTER TABLE other.t ADD COLUMN w INT", ""}, {"SELECT v FROM t WHERE k = 5", "[[-5]]"}, {"SELECT v FROM t WHERE k = 6", "[]"},
	} {
		rows, err := simpleQuery(c, step[0])
		if got := fmt.Sprint(rows); step[1] != "" && (err != nil || got != step[1]) {
			t.Errorf("%s: %s %v, want %s", step[0], got, err, step[1])
		}
	}
}

// TestStatementCacheExtended: a prepared statement with a key in its text keeps its own key, also when it has to be planned anew.
func TestStatementCacheExtended(t *testing.T) {
	n := newNode(t, "")
	n.exec("CREATE TABLE t (k INT PRIMARY KEY, v INT); INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 20) AS s(i)")
	ctx := context.Background()
	c, err := pgx.Connect(ctx, fmt.Sprintf("postgres://test@%s/streamsql?sslmode=disable", n.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	for i := 1; i <= 5; i++ {
		if _, err := c.Prepare(ctx, fmt.Sprint("s", i), fmt.Sprint("SELECT v FROM t WHERE k = ", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, ddl := range []string{"", "CREATE TABLE u (a INT)", "DROP TABLE u"} {
		n.exec("SELECT 1; " + ddl)
		for i := 5; i >= 1; i-- {
			var v, w int
			if err := c.QueryRow(ctx, fmt.Sprint("s", i)).Scan(&v); err != nil || v != i*10 {
				t.Errorf("after %q: %d of %d, %v", ddl, v, i, err)
			}
			if err := c.QueryRow(ctx, "SELECT v FROM t WHERE k = $1", i).Scan(&w); err != nil || w != v {
				t.Errorf("after %q: %d of %d, %v", ddl, w, i, err)
			}
		}
	}
}

//go:build integration

package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// postgresNode is a node with a database to write to.
type postgresNode struct {
	*node
	pg   *pgtest.Server
	with string // the options that name the database
}

func newPostgresNode(t *testing.T, pg *pgtest.Server, setup string) *postgresNode {
	p := &postgresNode{node: newNode(t, "", postgres.New()), pg: pg, with: "connector = 'postgres', url = '" + pg.URL() + "'"}
	p.target(setup)
	return p
}

// target runs statements in the database and returns the last one's rows, printed.
func (p *postgresNode) target(text string) string {
	p.t.Helper()
	rows, err := p.tryTarget(text)
	if err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return rows
}

func (p *postgresNode) tryTarget(text string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	c, err := pgx.Connect(ctx, p.pg.URL())
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	rows, err := simpleQuery(c.PgConn(), text)
	var out []string
	for _, r := range rows {
		out = append(out, strings.Join(r, "|"))
	}
	return strings.Join(out, " "), err
}

// awaitTarget waits until a query of the database has an answer.
func (p *postgresNode) awaitTarget(query, want string) {
	p.t.Helper()
	eventually(p.t, testWait, func() error {
		got, err := p.tryTarget(query)
		if err != nil || got != want {
			jobs := p.exec("SELECT name, state, last_error FROM streamsql.jobs")
			return fmt.Errorf("%s: got %s, %v, want %s; jobs: %v", query, got, err, want, jobs)
		}
		return nil
	})
}

// fails runs a statement that must not succeed.
func (p *postgresNode) fails(code, text string, words ...string) {
	p.t.Helper()
	c := p.connect(nil)
	defer c.Close(context.Background())
	_, err := simpleQuery(c, text)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.Code != code {
		p.t.Errorf("%s: %v, want %s", text, err, code)
		return
	}
	for _, w := range words {
		if all := e.Message + "\n" + e.Detail + "\n" + e.Hint; !strings.Contains(all, w) {
			p.t.Errorf("%s: %q is not in: %s", text, w, all)
		}
	}
}

func TestPostgresSink(t *testing.T) {
	p := newPostgresNode(t, pgtest.Shared(t), "CREATE TABLE totals (category text PRIMARY KEY, n bigint, total numeric CHECK (total < 1000))")
	p.exec("CREATE TABLE orders (id int PRIMARY KEY, category text, amount numeric)")
	p.exec("CREATE SINK totals_sink AS SELECT category, count(*) AS n, sum(amount) AS total FROM orders GROUP BY category WITH (" + p.with + ", table = 'totals', primary_key = 'category')")
	p.exec("INSERT INTO orders VALUES (1, 'a', 1.5), (2, 'b', 2), (3, 'a', 3)")
	p.awaitTarget("SELECT * FROM totals ORDER BY 1", "a|2|4.5 b|1|2")
	p.exec("DELETE FROM orders WHERE category = 'b'")
	p.exec("UPDATE orders SET amount = 10 WHERE id = 1")
	p.awaitTarget("SELECT * FROM totals ORDER BY 1", "a|2|13")
	p.exec("INSERT INTO orders VALUES (4, 'c', 1001), (5, 'd', 5)")
	p.awaitTarget("SELECT * FROM totals ORDER BY 1", "a|2|13 d|1|5")
	eventually(t, testWait, func() error {
		return p.differs("SELECT code || ' ' || convert_from(payload, 'UTF8') FROM streamsql.dead_letters", `23514 {"category":"c","n":1,"total":1001}`)
	})
	p.exec("UPDATE orders SET amount = 999 WHERE id = 4")
	p.awaitTarget("SELECT * FROM totals ORDER BY 1", "a|2|13 c|1|999 d|1|5")
	if got := p.target("SELECT count(*) FROM streamsql.sinks WHERE sink LIKE 'totals_sink-%'"); got != "1" {
		t.Errorf("%s rows of bookkeeping", got)
	}
	p.exec("DROP SINK totals_sink")
	if got := p.target("SELECT count(*) FROM streamsql.sinks WHERE sink LIKE 'totals_sink-%'"); got != "0" {
		t.Errorf("%s rows of bookkeeping after DROP", got)
	}
}

func TestPostgresTable(t *testing.T) {
	p := newPostgresNode(t, pgtest.Shared(t), "CREATE SCHEMA marts; CREATE ROLE loader LOGIN PASSWORD 'pa:ss/w@rd'; GRANT ALL ON SCHEMA marts TO loader; GRANT ALL ON DATABASE postgres TO loader; CREATE SCHEMA foreign_")
	url := strings.Replace(strings.TrimSuffix(p.pg.URL(), "?sslmode=disable"), "postgres@", "loader:pa%3Ass%2Fw%40rd@", 1)
	p.exec("CREATE TABLE src (id int PRIMARY KEY, v text)")
	p.exec("CREATE TABLE out (id int, v text, PRIMARY KEY (id)) WITH (connector = 'jdbc', url = 'jdbc:" + strings.Replace(url, "postgres:", "postgresql:", 1) + "', 'table-name' = 'marts.out', create_table = true, bookkeeping.schema = 'marts')")
	p.fails("42501", "CREATE SINK no FROM src WITH (connector = 'postgres', url = '"+url+"', table = 'marts.out', primary_key = 'id', bookkeeping.schema = 'foreign_')", "GRANT", `TO "loader"`)
	p.exec("INSERT INTO out SELECT id, v FROM src")
	p.exec("INSERT INTO out VALUES (1, 'given')")
	p.exec("INSERT INTO src VALUES (1, 'flows'), (2, 'b')")
	p.awaitTarget("SELECT * FROM marts.out ORDER BY id", "1|flows 2|b")
	p.fails("0A000", "SELECT * FROM out", "reading a table of PostgreSQL is not supported")
	p.fails("0A000", "CREATE MATERIALIZED VIEW mv AS SELECT * FROM out")
	p.fails("0A000", "CREATE SOURCE s (id int) WITH (connector = 'postgres', url = '"+url+"', table = 'marts.out')")
	p.fails("42P01", "CREATE TABLE x (id int) WITH ("+p.with+", table = 'Out')", "does not exist", "create_table")
	p.fails("42703", "CREATE TABLE x (id int, w text) WITH ("+p.with+", table = 'marts.out')", `column "w"`)
	p.fails("42804", "CREATE TABLE x (id bigint, v text) WITH ("+p.with+", table = 'marts.out')", "integer", "CAST(id AS integer)")
	p.fails("42P10", "CREATE TABLE x (id int, v text, PRIMARY KEY (v)) WITH ("+p.with+", table = 'marts.out')", "unique index")
	p.fails("23502", "CREATE TABLE x (v text) WITH ("+p.with+", table = 'marts.out')", `column "id"`, "not written")
	p.fails("08006", "CREATE TABLE x (v text) WITH (connector = 'postgres', url = 'postgres://u:sesame@127.0.0.1:1/db', table = 'marts.out')", "127.0.0.1:1")
	p.fails("22023", "CREATE TABLE x (v text) WITH (connector = 'postgres', url = 'mysql://u:sesame@h/db', table = 'marts.out')")

	shown := fmt.Sprint(p.exec("SHOW CREATE TABLE out"))
	if strings.Contains(shown, "pa%3A") || !strings.Contains(shown, "loader:********@127.0.0.1") {
		t.Errorf("SHOW CREATE TABLE: %s", shown)
	}
	rows := p.target("SELECT count(*) FROM marts.sinks WHERE sink LIKE 'insert_out%'")
	p.exec("BEGIN; CREATE SINK gone FROM src WITH (" + p.with + ", bookkeeping.schema = 'marts', table = 'marts.out', type = 'upsert', primary_key = 'id'); ROLLBACK")
	p.exec("DROP TABLE out CASCADE")
	if got := p.target("SELECT count(*) FROM marts.sinks WHERE sink LIKE 'insert_out%' OR sink LIKE 'gone-%'"); rows != "1" || got != "0" {
		t.Errorf("%s rows of bookkeeping, %s after DROP", rows, got)
	}
}

// The database is away: the job goes on, its log grows, and nothing is lost.
func TestPostgresAway(t *testing.T) {
	p := newPostgresNode(t, pgtest.Start(t), "CREATE TABLE away (id int PRIMARY KEY, v text)")
	p.exec("CREATE TABLE src (id int PRIMARY KEY, v text)")
	p.exec("CREATE SINK away FROM src WITH (" + p.with + ", table = 'away', primary_key = 'id')")
	p.exec("INSERT INTO src SELECT i, 'x' FROM generate_series(1, 1000) i")
	p.awaitTarget("SELECT count(*) FROM away", "1000")
	if err := p.pg.Kill(); err != nil {
		t.Fatal(err)
	}
	p.exec("INSERT INTO src SELECT i, 'y' FROM generate_series(1001, 2000) i")
	p.exec("DELETE FROM src WHERE id <= 500")
	eventually(t, testWait, func() error {
		return p.differs("SELECT state, last_error LIKE '%127.0.0.1%refused%' FROM streamsql.jobs", "waiting")
	})
	epoch := p.exec("SELECT epoch FROM streamsql.jobs")[0][0]
	p.crash()
	p.start() // while the database is still away
	p.exec("UPDATE src SET v = 'z' WHERE id = 1500")
	eventually(t, testWait, func() error {
		if got := p.exec("SELECT epoch, state FROM streamsql.jobs")[0]; got[0] == epoch || got[1] != "waiting" {
			return fmt.Errorf("epoch %s, %s", got[0], got[1])
		}
		return nil
	})
	if err := p.pg.Restart(); err != nil {
		t.Fatal(err)
	}
	p.awaitTarget("SELECT count(*), min(id), max(id), string_agg(v, '') FILTER (WHERE id = 1500) FROM away", "1500|501|2000|z")
}

// At least once: rows are in the table when their epoch ends, and with a key each is there once.
func TestPostgresAtLeastOnce(t *testing.T) {
	p := newPostgresNode(t, pgtest.Shared(t), "CREATE TABLE least (id int PRIMARY KEY, v text CHECK (v <> 'bad'))")
	p.exec("CREATE TABLE src (id int PRIMARY KEY, v text)")
	p.exec("CREATE SINK least FROM src WITH (" + p.with + ", table = 'least', primary_key = 'id', sink.delivery-guarantee = 'at-least-once')")
	p.exec("INSERT INTO src VALUES (1, 'a'), (2, 'b'), (3, 'bad')")
	p.awaitTarget("SELECT string_agg(id || v, ' ' ORDER BY id) FROM least", "1a 2b")
	p.exec("UPDATE src SET v = 'A' WHERE id = 1")
	p.exec("DELETE FROM src WHERE id = 2")
	p.awaitTarget("SELECT string_agg(id || v, ' ' ORDER BY id) FROM least", "1A")
	eventually(t, testWait, func() error {
		return p.differs("SELECT count(*) FROM streamsql.dead_letters WHERE code = '23514'", "1")
	})
}

// A database that is restored to an older state, under a job that runs and under one that starts,
// gets nothing more, and the error says so.
func TestPostgresRestored(t *testing.T) {
	p := newPostgresNode(t, pgtest.Start(t), "CREATE TABLE kept (id int PRIMARY KEY)")
	p.exec("CREATE TABLE src (id int PRIMARY KEY)")
	p.exec("CREATE SINK kept FROM src WITH (" + p.with + ", table = 'kept', primary_key = 'id')")
	p.exec("INSERT INTO src VALUES (1)")
	p.awaitTarget("SELECT count(*) FROM kept", "1")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(p.pg.Stop())
	dir, err := p.pg.Backup()
	must(err)
	defer os.RemoveAll(dir)
	must(p.pg.Restart())
	p.exec("INSERT INTO src VALUES (2)")
	p.awaitTarget("SELECT count(*) FROM kept", "2")
	must(p.pg.Stop())
	must(p.pg.Restore(dir))
	must(p.pg.Restart())
	p.exec("INSERT INTO src VALUES (3)")
	refused := func() {
		t.Helper()
		eventually(t, testWait, func() error {
			return p.differs("SELECT last_error LIKE '%were delivered before%restored to an older state%' FROM streamsql.jobs", "t")
		})
		if got := p.target("SELECT count(*), max(id) FROM kept"); got != "1|1" {
			t.Errorf("the restored table holds %s", got)
		}
	}
	refused()
	p.crash()
	p.start()
	refused()
	p.target("DELETE FROM streamsql.sinks")
	p.exec("ALTER JOB kept RESUME")
	eventually(t, testWait, func() error {
		return p.differs("SELECT last_error LIKE '%is gone%restored%' FROM streamsql.jobs", "t")
	})
	p.exec("ALTER JOB kept ACCEPT TARGET")
	p.awaitTarget("SELECT string_agg(id::text, ',' ORDER BY id) FROM kept", "1,3") // 2 is in no log any more
}

// Everything breaks at random moments: the database is killed, its sessions are ended in the middle of
// what they do, the server crashes. In the end the table holds what the source holds, and each refused
// row is one dead letter.
func TestPostgresCrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	p := newPostgresNode(t, pgtest.Start(t), "CREATE TABLE put (id int PRIMARY KEY, v int CHECK (v <> 13)); CREATE TABLE log (id int, v int CHECK (v <> 13))")
	p.exec("CREATE TABLE src (id int PRIMARY KEY, v int)")
	p.exec("CREATE SINK put FROM src WITH (" + p.with + ", table = 'put', primary_key = 'id', checkpoint_interval = '20ms')")
	p.exec("CREATE TABLE events (id int, v int) APPEND ONLY")
	p.exec("CREATE SINK log FROM events WITH (" + p.with + ", table = 'log', checkpoint_interval = '20ms')")
	id, bad := 0, 0
	for round := range 12 {
		for range 20 {
			var values []string
			for range 1 + r.IntN(40) {
				id++
				v := r.IntN(60)
				if v == 13 {
					bad++
				}
				values = append(values, fmt.Sprintf("(%d, %d)", id, v))
			}
			p.exec("INSERT INTO src VALUES " + strings.Join(values, ", "))
			p.exec("INSERT INTO events VALUES " + strings.Join(values, ", "))
			if r.IntN(2) == 0 {
				p.exec(fmt.Sprintf("DELETE FROM src WHERE id %% 7 = %d AND v <> 13", r.IntN(7)))
			}
			if r.IntN(4) == 0 { // in the middle of a transaction, or not; the database may be away
				_, _ = p.tryTarget("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'streamsql'")
			}
		}
		switch round % 4 {
		case 0:
			if err := p.pg.Kill(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			if err := p.pg.Restart(); err != nil {
				t.Fatal(err)
			}
		case 1, 3:
			time.Sleep(time.Duration(r.IntN(40)) * time.Millisecond)
			p.crash()
			p.start()
		}
	}
	want := p.exec("SELECT count(*), sum(id), sum(v) FROM src WHERE v <> 13")[0]
	p.awaitTarget("SELECT count(*), sum(id), sum(v) FROM put", strings.Join(want, "|"))
	want = p.exec("SELECT count(*), count(*), sum(id), sum(v) FROM events WHERE v <> 13")[0]
	p.awaitTarget("SELECT count(*), count(DISTINCT id), sum(id), sum(v) FROM log", strings.Join(want, "|"))
	eventually(t, testWait, func() error {
		return p.differs("SELECT count(*) FROM streamsql.dead_letters WHERE code = '23514'", fmt.Sprint(2*bad))
	})
}

//go:build integration

package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
)

func TestUpsert(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE upsert (k bigint PRIMARY KEY, v text)")
	r := b.relation("upsert-1", "upsert", 1, "k int8, v text")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 1, changes(r, "+ 1 a", "+ 2 b", "+ 3 c"))
	// An insert before the delete of what it replaces, a key that comes and goes, one that is not there.
	b.deliver(s, 4, changes(r, "+ 1 A", "- 1 a", "- 2 b", "+ 9 x"), changes(r, "- 9 x", "- 8 none", "- 3 c", "+ 3 _"))
	b.holds("SELECT * FROM upsert ORDER BY k", "1|A", "3|NULL")
	b.holds("SELECT epoch, target FROM streamsql.sinks WHERE sink = 'upsert-1'", "4|public.upsert")
	// A stream without deletes: the row that came last stays, also when it was there before.
	b.deliver(s, 5, changes(r, "+ 7 on", "+ 7 off", "+ 7 on"))
	b.deliver(s, 6)
	b.holds("SELECT v FROM upsert WHERE k = 7", "on")
	b.delivered(s, 6)
	if err := b.c.Forget(b.context(), r); err != nil {
		t.Fatal(err)
	}
	b.holds("SELECT count(*) FROM streamsql.sinks WHERE sink = 'upsert-1'", "0")
}

func TestAppend(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE append (id serial, v text, k bigint)")
	r := b.relation("append-1", "append", 0, "k int8, v text")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 1, changes(r, "+ 1 a", "+ 1 a"), changes(r, "+ _ _"))
	b.holds("SELECT * FROM append ORDER BY id", "1|a|1", "2|a|1", "3|NULL|NULL")
	_, err := tryDeliver(b.context(), s, 2, changes(r, "- 1 a"))
	wantError(t, err, sql.CodeInternal, "a delete reached the append-only sink")
	b.delivered(s, 1)
}

// A table in which every column is part of the key, with names that need quotes, in a schema of its own.
func TestNamesAndKeys(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), `CREATE SCHEMA "Other.one"; CREATE TABLE "Other.one"."My ""Table""" ("K 1" int, "select" text, UNIQUE ("select", "K 1"))`)
	r := b.relation("names'-\\1", `My "Table"`, 2, "a int4, b text", "schema", "Other.one")
	r.Columns[0].Name, r.Columns[1].Name = "K 1", "select"
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 1, changes(r, "+ 1 a", "+ 2 b"))
	b.deliver(s, 2, changes(r, "- 1 a", "+ 2 b"))
	b.holds(`SELECT * FROM "Other.one"."My ""Table"""`, "2|b")
	quoted := b.relation("names-2", `"Other.one"."My ""Table"""`, 2, "a int4, b text")
	quoted.Columns[0].Name, quoted.Columns[1].Name = "K 1", "select"
	b.delivered(b.sink(quoted), 0)
	if !slices.Contains(b.rows("SELECT sink FROM streamsql.sinks"), "names'-\\1") {
		t.Error("the sink's name is not kept as it is")
	}
}

// Rows that PostgreSQL refuses are dead letters, with their SQLSTATE; the others are written.
func TestRefusedRows(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), `CREATE TABLE picky (k bigint PRIMARY KEY, v varchar(3) NOT NULL CHECK (v <> 'no'), u numeric(3) UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION grumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'huh' THEN RAISE 'grumble'; END IF; RETURN NEW; END $$;
CREATE TRIGGER grumble BEFORE INSERT OR UPDATE ON picky FOR EACH ROW EXECUTE FUNCTION grumble();
CREATE TABLE picky_copy (LIKE picky INCLUDING ALL);
CREATE TRIGGER grumble BEFORE INSERT OR UPDATE ON picky_copy FOR EACH ROW EXECUTE FUNCTION grumble();
CREATE TABLE child (k bigint REFERENCES picky);`)
	lines := []string{"+ 1 a 1", "+ 2 long 2", "+ 3 no 3", "+ 4 _ 4", "+ 5 e 5000", "+ 6 f 1", "+ 7 huh 7", "+ _ h 8", "+ 9 a\x00b 9", "+ 10 ok 10"}
	want := []string{`22001 {"k":2,"v":"long","u":2}`, `23514 {"k":3,"v":"no","u":3}`, `23502 {"k":4,"v":null,"u":4}`, `22003 {"k":5,"v":"e","u":5000}`,
		`23505 {"k":6,"v":"f","u":1}`, `P0001 {"k":7,"v":"huh","u":7}`, `23502 {"k":null,"v":"h","u":8}`, `22021 {"k":9,"v":"a\u0000b","u":9}`}
	for _, table := range []string{"picky", "picky_copy"} {
		keys := 0
		if table == "picky" {
			keys = 1
		}
		r := b.relation(table+"-1", table, keys, "k int8, v text, u numeric")
		s := b.sink(r)
		b.delivered(s, 0)
		got := b.deliver(s, 1, changes(r, lines...))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s refused\n%s\nwant\n%s", table, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		b.holds("SELECT k, v, u FROM "+table+" ORDER BY k", "1|a|1", "10|ok|10")
		b.delivered(s, 1)
	}
	r := b.relation("picky-1", "picky", 1, "k int8, v text, u numeric")
	s := b.open(r)
	b.delivered(s, 1)
	// The new row is refused: the old one is no more all the same.
	if got := b.deliver(s, 2, changes(r, "- 1 a 1", "+ 1 long 1")); len(got) != 1 {
		t.Errorf("refused %q", got)
	}
	b.holds("SELECT k FROM picky ORDER BY k", "10")
	b.exec("INSERT INTO child VALUES (10)")
	if got := b.deliver(s, 3, changes(r, "- 10 ok 10")); len(got) != 1 || !strings.HasPrefix(got[0], "23503 ") {
		t.Errorf("refused %q", got)
	}

	fail := b.relation("picky-fail", "picky_copy", 0, "k int8, v text, u numeric", "on-error", "fail")
	f := b.sink(fail)
	b.delivered(f, 0)
	_, err := tryDeliver(b.context(), f, 1, changes(fail, "+ 20 x 20", "+ 21 long 21"))
	wantError(t, err, "22001", "value too long", "on-error")
	b.delivered(f, 0)
	skip := b.relation("picky-skip", "picky_copy", 0, "k int8, v text, u numeric", "on-error", "skip")
	k := b.sink(skip)
	b.delivered(k, 0)
	if got := b.deliver(k, 1, changes(skip, "+ 20 x 20", "+ 21 long 21")); len(got) != 0 {
		t.Errorf("refused %q", got)
	}
	b.holds("SELECT k FROM picky_copy WHERE k >= 20", "20")
}

// Many rows of which a few are refused.
func TestRefusedAmongMany(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE many (k bigint PRIMARY KEY, v text CHECK (v <> 'bad')); CREATE TABLE many_copy (LIKE many INCLUDING ALL)")
	var lines, want []string
	for i := range 20_000 {
		v := "v"
		if i%3001 == 17 {
			v = "bad"
			want = append(want, fmt.Sprintf(`23514 {"k":%d,"v":"bad"}`, i))
		}
		lines = append(lines, fmt.Sprintf("+ %d %s", i, v))
	}
	for keys, table := range []string{"many_copy", "many"} {
		r := b.relation(table+"-1", table, keys, "k int8, v text")
		s := b.sink(r)
		b.delivered(s, 0)
		if got := b.deliver(s, 1, changes(r, lines...)); !slices.Equal(got, want) {
			t.Errorf("refused %q", got)
		}
		b.holds("SELECT count(*), sum(k) FROM "+table, fmt.Sprintf("%d|%d", 20_000-len(want), sumExcept(20_000, 3001, 17)))
	}
}

func sumExcept(n, every, at int) (sum int) {
	for i := range n {
		if i%every != at {
			sum += i
		}
	}
	return sum
}

// Keys that are equal to PostgreSQL and not to us fall on each other; the row that came last stays.
func TestKeysEqualToPostgreSQLAlone(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE loose (k numeric PRIMARY KEY, v text); CREATE TABLE rounded (k numeric(9,1) PRIMARY KEY, v text)")
	for _, table := range []string{"loose", "rounded"} {
		r := b.relation(table+"-1", table, 1, "k numeric, v text")
		s := b.sink(r)
		b.delivered(s, 0)
		b.deliver(s, 1, changes(r, "+ 1.0 a", "+ 1.00 b", "+ 2.04 c"))
		b.deliver(s, 2, changes(r, "- 2.04 c"))
		b.holds("SELECT v FROM "+table, "b")
		b.deliver(s, 3, changes(r, "+ 1.0 a", "+ 1.00 b", "+ 1.0 c"))
		b.holds("SELECT v FROM "+table, "c")
	}
}

// A server that is started later takes a sink over; the older one stops, and stays stopped.
func TestFencing(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE fenced (k bigint PRIMARY KEY, v text)")
	r := b.relation("fenced-1", "fenced", 1, "k int8, v text")
	old := b.sink(r)
	b.delivered(old, 0)
	b.deliver(old, 1, changes(r, "+ 1 old"))

	server := b.c
	b.c = New()
	young := b.open(r)
	b.delivered(young, 1)
	_, err := tryDeliver(b.context(), old, 2, changes(r, "+ 2 old"))
	wantError(t, err, sql.CodeObjectNotInState, "another server delivers", "fenced")
	b.deliver(young, 2, changes(r, "+ 2 young"))
	again, err := server.Sink(b.context(), r, nil) // the job of the older server starts again
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	_, _, err = again.Delivered(b.context())
	wantError(t, err, sql.CodeObjectNotInState, "another server delivers")
	b.deliver(young, 3, changes(r, "+ 3 young"))
	b.holds("SELECT v FROM fenced ORDER BY k", "old", "young", "young")
}

// A server that was started on an old copy of the data finds the target ahead of its job. It takes
// nothing away from the one that goes on, until it is told to.
func TestTargetThatIsAheadIsLeft(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE ahead (k bigint PRIMARY KEY, v text)")
	r := b.relation("ahead-1", "ahead", 1, "k int8, v text")
	goesOn := b.sink(r)
	b.delivered(goesOn, 0)
	b.deliver(goesOn, 1, changes(r, "+ 1 a"))
	b.deliver(goesOn, 2, changes(r, "+ 2 b"))
	b.c = New()
	r.Epoch = 1
	copied := b.open(r)
	b.delivered(copied, 2)
	_, err := tryDeliver(b.context(), copied, 3, changes(r, "+ 3 copied"))
	wantError(t, err, sql.CodeObjectNotInState, "holds epoch 2")
	b.deliver(goesOn, 3, changes(r, "+ 3 c"))
	if err := copied.(connectors.Marker).Mark(b.context(), 1); err != nil {
		t.Fatal(err)
	}
	b.deliver(copied, 2, changes(r, "+ 4 copied"))
	_, err = tryDeliver(b.context(), goesOn, 4, changes(r, "+ 5 c"))
	wantError(t, err, sql.CodeObjectNotInState, "ahead")
	b.holds("SELECT v FROM ahead ORDER BY k", "a", "b", "c", "copied")
}

// The old server is in the middle of its transaction when it is replaced: the new one waits for the outcome.
func TestFencingInTransaction(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE midway (k bigint PRIMARY KEY, v text)")
	r := b.relation("midway-1", "midway", 1, "k int8, v text")
	old := b.sink(r)
	b.delivered(old, 0)
	b.exec("BEGIN; LOCK TABLE midway")
	ended := make(chan error, 1)
	go func() {
		_, err := tryDeliver(context.Background(), old, 1, changes(r, "+ 1 old"))
		ended <- err
	}()
	b.waitFor("SELECT count(*) FROM pg_locks WHERE NOT granted", "1")
	b.c = New()
	young := b.open(r)
	claimed := make(chan error, 1)
	go func() {
		at, _, err := young.Delivered(context.Background())
		if err == nil && at != 1 {
			err = fmt.Errorf("at epoch %d", at)
		}
		claimed <- err
	}()
	select {
	case err := <-claimed:
		t.Fatalf("claimed while the transaction goes on: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	b.exec("COMMIT")
	if err := errors.Join(<-ended, <-claimed); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) waitFor(query, want string) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := b.rows(query)
		if len(got) == 1 && got[0] == want {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: %q, want %s", query, got, want)
		}
	}
}

// The database is another than it was: nothing is delivered, and the error says so.
func TestBookkeepingLost(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE lost (k bigint PRIMARY KEY, v text)")
	r := b.relation("lost-1", "lost", 1, "k int8, v text", "bookkeeping.schema", "Keep here")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 3, changes(r, "+ 1 a"))
	b.exec(`UPDATE "Keep here".sinks SET epoch = 2`) // as after a restore
	_, err := tryDeliver(b.context(), s, 4, changes(r, "+ 2 b"))
	wantError(t, err, sql.CodeObjectNotInState, "up to 2, but those up to 3 were delivered before", "restored")
	_, _, err = s.Delivered(b.context())
	wantError(t, err, sql.CodeObjectNotInState, "up to 2, but those up to 3 were delivered before")
	b.exec(`DELETE FROM "Keep here".sinks`)
	_, err = tryDeliver(b.context(), s, 4, changes(r, "+ 2 b"))
	wantError(t, err, sql.CodeObjectNotInState, "is gone", "restored")
	_, _, err = s.Delivered(b.context())
	wantError(t, err, sql.CodeObjectNotInState, "is gone")
	b.exec(`DROP SCHEMA "Keep here" CASCADE`)
	_, _, err = s.Delivered(b.context())
	wantError(t, err, sql.CodeObjectNotInState, "is gone")
	b.holds("SELECT k FROM lost", "1")
	if err := b.c.Forget(b.context(), r); err != nil {
		t.Error(err)
	}
}

// A target can be taken as it is, and a mark be renewed by the server that owns it alone.
func TestMark(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE marked (k bigint PRIMARY KEY, v text)")
	r := b.relation("marked-1", "marked", 1, "k int8, v text")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 3, changes(r, "+ 1 a"))
	if err := s.(connectors.Marker).Mark(b.context(), 3); err != nil {
		t.Fatal(err)
	}
	b.exec("DELETE FROM streamsql.sinks WHERE sink = 'marked-1'")
	_, _, err := s.Delivered(b.context()) // it knows no better yet
	if err != nil {
		t.Fatal(err)
	}
	_, err = tryDeliver(b.context(), s, 4, changes(r, "+ 2 b"))
	wantError(t, err, sql.CodeObjectNotInState, "is gone", "ACCEPT TARGET")
	if err := s.(connectors.Marker).Mark(b.context(), 3); err != nil {
		t.Fatal(err)
	}
	b.deliver(s, 4, changes(r, "+ 2 b"))
	b.c = New()
	b.delivered(b.open(r), 4)
	wantError(t, s.(connectors.Marker).Mark(b.context(), 4), sql.CodeObjectNotInState, "another server delivers")
	b.holds("SELECT k FROM marked ORDER BY k", "1", "2")
}

// The table changes under a sink that runs.
func TestAlteredTable(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE altered (k bigint, v text)")
	r := b.relation("altered-1", "altered", 0, "k int8, v text")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 1, changes(r, "+ 1 a"))
	b.exec("ALTER TABLE altered ALTER k TYPE float8") // as wide: COPY takes the bytes
	_, err := tryDeliver(b.context(), s, 2, changes(r, "+ 2 b"))
	wantError(t, err, sql.CodeSerializationFailure, "has been altered")
	_, err = tryDeliver(b.context(), s, 2, changes(r, "+ 2 b"))
	wantError(t, err, sql.CodeDatatypeMismatch, "double precision")
	b.exec("ALTER TABLE altered ALTER k TYPE numeric")
	b.delivered(s, 1)
	b.deliver(s, 2, changes(r, "+ 2 b"))
	b.exec("ALTER TABLE altered ALTER k TYPE int8")
	_, err = tryDeliver(b.context(), s, 3, changes(r, "+ 3 c"))
	wantError(t, err, codeBinaryForm)
	b.delivered(s, 2)
	b.deliver(s, 3, changes(r, "+ 3 c"))
	b.holds("SELECT * FROM altered ORDER BY k", "1|a", "2|b", "3|c")
	b.exec("DROP TABLE altered")
	_, err = tryDeliver(b.context(), s, 4, changes(r, "+ 4 d"))
	wantError(t, err, sql.CodeUndefinedTable)
}

func TestWriter(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE written (k bigint PRIMARY KEY, v varchar(3))")
	open := func(r connectors.Relation) connectors.Writer {
		w, err := b.c.Writer(b.context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.Close() })
		return w
	}
	r := b.relation("written-1", "written", 1, "k int8, v text")
	w := open(r)
	for _, c := range [][]string{{"+ 1 a", "+ 2 b"}, {"+ 1 A", "+ 3 long"}, {"- 1 a"}} { // the delete comes after what replaces the row
		if dead, err := w.Write(b.context(), changes(r, c...)); err != nil || len(dead) > 0 {
			t.Fatal(dead, err)
		}
	}
	dead, err := w.Flush(b.context())
	if err != nil || len(dead) != 1 || dead[0].Code != sql.CodeStringTooLong {
		t.Fatal(dead, err)
	}
	if _, err := w.Write(b.context(), changes(r, "+ 4 d")); err != nil {
		t.Fatal(err)
	}
	if dead, err := w.Flush(b.context()); err != nil || len(dead) > 0 {
		t.Fatal(dead, err)
	}
	b.holds("SELECT * FROM written ORDER BY k", "1|A", "2|b", "4|d")

	r.Job = "" // a statement: all or nothing
	w = open(r)
	if _, err := w.Write(b.context(), changes(r, "+ 5 e", "+ 6 long")); err != nil {
		t.Fatal(err)
	}
	_, err = w.Flush(b.context())
	wantError(t, err, sql.CodeStringTooLong)
	b.holds("SELECT count(*) FROM written", "3")
}

// Rows that exchange unique values, that pass them on, or that take one that becomes free, end as the
// query has them; a value that somebody else keeps is refused, and so is an exchange whose deletes are
// not known.
func TestUniqueValuesChangeHands(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE hands (k bigint PRIMARY KEY, v text UNIQUE)")
	r := b.relation("hands-1", "hands", 1, "k int8, v text")
	s := b.sink(r)
	b.delivered(s, 0)
	b.deliver(s, 1, changes(r, "+ 1 a", "+ 2 b", "+ 3 c", "+ 4 d", "+ 5 e"))
	got := b.deliver(s, 2, changes(r, "+ 6 c", "- 1 a", "+ 1 b", "- 2 b", "+ 2 a", "- 3 c", "+ 3 d", "- 4 d", "+ 4 x", "+ 7 e"))
	if want := []string{`23505 {"k":7,"v":"e"}`}; !slices.Equal(got, want) {
		t.Errorf("refused %q, want %q", got, want)
	}
	b.holds("SELECT * FROM hands ORDER BY k", "1|b", "2|a", "3|d", "4|x", "5|e", "6|c")
	if got := b.deliver(s, 3, changes(r, "+ 1 a", "+ 2 b")); len(got) != 2 {
		t.Errorf("refused %q", got)
	}
	b.holds("SELECT * FROM hands WHERE k < 3 ORDER BY k", "1|b", "2|a")
}

// Rows of a megabyte: a statement takes some of them, the refused ones are found among them, and the
// memory for them is given back.
func TestWideRows(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TABLE wide (k bigint PRIMARY KEY, v text CHECK (v NOT LIKE 'bad%')); CREATE TABLE wide_log (LIKE wide INCLUDING CONSTRAINTS)")
	long := strings.Repeat("0123456789abcdef", 1<<16)
	var lines []string
	for i := range 70 {
		word := "ok"
		if i%30 == 29 {
			word = "bad"
		}
		lines = append(lines, fmt.Sprintf("+ %d %s%s", i, word, long))
	}
	for _, table := range []string{"wide", "wide_log"} {
		keys := 0
		if table == "wide" {
			keys = 1
		}
		r := b.relation(table+"-1", table, keys, "k int8, v text")
		s := b.sink(r)
		b.delivered(s, 0)
		got := b.deliver(s, 1, changes(r, lines...))
		if len(got) != 2 || len(got[0]) < len(long) {
			t.Errorf("%d rows were refused", len(got))
		}
		b.holds("SELECT count(*), sum(length(v)) FROM "+table, fmt.Sprintf("68|%d", 68*(2+len(long))))
		if kept := cap(s.(*sink).rows.data); kept > keptBytes {
			t.Errorf("%d bytes are kept", kept)
		}
	}
}

func TestPortion(t *testing.T) {
	rows := []row{{to: 2 * statementBytes}, {to: statementBytes / 2}, {to: statementBytes / 2}, {to: 1}}
	for i, want := range []int{1, 2, 2, 1} {
		if got := portion(rows[i:], 3); got != want {
			t.Errorf("portion of the rows from %d: %d, want %d", i, got, want)
		}
	}
	if got := portion(make([]row, 5), 3); got != 3 {
		t.Errorf("portion of empty rows: %d", got)
	}
}

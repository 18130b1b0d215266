package parser

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// TestKeywords compares our division of keywords with PostgreSQL's.
func TestKeywords(t *testing.T) {
	if testing.Short() {
		return
	}
	conn := pgtest.Shared(t).Conn(t)
	rows, err := conn.Query(context.Background(), "select word, catcode::text, barelabel from pg_get_keywords()")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; rows.Next(); n++ {
		var w, category string
		var bare bool
		if err := rows.Scan(&w, &category, &bare); err != nil {
			t.Fatal(err)
		}
		if reserved.has(w) != (category == "R") || typeFunc.has(w) != (category == "T") || asLabel.has(w) == bare {
			t.Errorf("%s: category %s, bare label %t", w, category, bare)
		}
	}
	if all := len(reserved) + len(typeFunc); rows.Err() != nil || n < all {
		t.Errorf("%d keywords, %v", n, rows.Err())
	}
}

// TestPositions: every node points at what PostgreSQL would point at.
func TestPositions(t *testing.T) {
	const src = "SELECT é, a + b::int, f(x) IS NULL, NOT t.y IN (1) FROM s.t AS u WHERE p LIKE 'z'; DROP TABLE q"
	stmts, err := Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{ // what a node of this text points at
		"a + b::int4": "+ b", "b::int4": "::int", "f(x) IS NULL": "IS NULL", "f(x)": "f(x)", "NOT (t.y IN (1))": "NOT",
		"t.y IN (1)": "IN", "t.y": "t.y", "p LIKE 'z'": "LIKE", "s.t AS u": "s.t", "DROP TABLE q": "DROP", `"é"`: "é",
	}
	for _, s := range stmts {
		ast.Walk(s.Node, func(n ast.Node) bool {
			if _, ok := n.(*ast.Target); ok {
				return true // prints like its expression
			}
			text := ast.SQL(n)
			if at, ok := want[text]; ok && n.Pos() >= 0 {
				if !strings.HasPrefix(src[n.Pos():], at) {
					t.Errorf("%s is at %q", text, src[n.Pos():])
				}
				delete(want, text)
			}
			return true
		})
	}
	for text := range want {
		t.Errorf("no node %s", text)
	}
	if got := src[stmts[1].Start:stmts[1].End]; got != "DROP TABLE q" {
		t.Errorf("second statement is %q", got)
	}
}

// TestSame: two spellings of one thing make one tree.
func TestSame(t *testing.T) {
	for _, pair := range [][2]string{
		{"SELECT x::int", "SELECT CAST(x AS INTEGER)"},
		{"SELECT * FROM TUMBLE(t, ts, INTERVAL '5' MINUTE)", "SELECT * FROM TABLE(TUMBLE(SIZE => INTERVAL '5' MINUTES, DATA => TABLE t, TIMECOL => DESCRIPTOR(ts)))"},
		{"SELECT a != b", "SELECT a <> b"},
		{"SELECT trim(LEADING 'x' FROM a), substring(a FROM 2 FOR 3)", `SELECT ltrim(a, 'x'), "substring"(a, 2, 3)`},
		{"SELECT a LIKE ANY (b)", "SELECT a ~~ SOME (b)"},
		{"((SELECT 1))", "SELECT 1"},
		{"TABLE t", "SELECT * FROM t"},
		{"SELECT 1 EMIT FINAL", "SELECT 1 EMIT ON WINDOW CLOSE"},
		{"BEGIN", "BEGIN WORK"},
		{"SELECT `a``b`", "SELECT \"a`b\""},
	} {
		a, err := ParseOne(pair[0])
		b, err2 := ParseOne(pair[1])
		if err != nil || err2 != nil || !ast.Equal(a, b) {
			t.Errorf("%s\n%v %v\n%s\n%s", pair, err, err2, ast.SQL(a), ast.SQL(b))
		}
	}
	a, _ := ParseOne("SELECT a - (b - c)")
	b, _ := ParseOne("SELECT a - b - c")
	if ast.Equal(a, b) {
		t.Error("Equal takes different trees for the same")
	}
}

// TestLimits: hostile sources are errors, not crashes, and messages stay short.
func TestLimits(t *testing.T) {
	for name, src := range map[string]string{
		"parentheses": "SELECT " + strings.Repeat("(", 100_000) + "1",
		"closed":      "SELECT " + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"not":         "SELECT " + strings.Repeat("NOT ", 100_000) + "true",
		"minus":       "SELECT " + strings.Repeat("- ", 100_000) + "1",
		"case":        "SELECT " + strings.Repeat("CASE WHEN ", 100_000),
		"queries":     strings.Repeat("SELECT (", 100_000),
		"joins":       "SELECT * FROM " + strings.Repeat("a JOIN ", 100_000) + "b",
		"types":       "SELECT x::" + strings.Repeat("ARRAY<", 100_000) + "INT",
		"arrays":      "SELECT ARRAY" + strings.Repeat("[", 100_000),
		"explain":     strings.Repeat("EXPLAIN ", 100_000) + "SELECT 1",
		"plus":        "SELECT 1" + strings.Repeat(" + 1", 20_000),
		"unions":      "SELECT 1" + strings.Repeat(" UNION SELECT 1", 20_000),
		"left joins":  "SELECT * FROM a" + strings.Repeat(" CROSS JOIN b", 20_000),
		"casts":       "SELECT 1" + strings.Repeat("::int", 20_000),
		"collates":    "SELECT a" + strings.Repeat(" COLLATE x", 20_000),
		"pattern":     "SELECT * FROM t MATCH_RECOGNIZE (PATTERN " + strings.Repeat("(", 100_000),
	} {
		_, err := Parse(src)
		var e *sql.Error
		if !errors.As(err, &e) || e.Code != sql.CodeStatementTooComplex {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := Parse("SELECT '" + strings.Repeat("ü", 1_000_000))
	if err == nil || len(err.Error()) > 2000 {
		t.Errorf("the message is %d bytes long", len(err.Error()))
	}
	if _, err := Parse("SELECT a" + strings.Repeat(" OR a = 1", 4_900) + ", '" + strings.Repeat("x", 1<<20) + "'"); err != nil {
		t.Error(err)
	}
	for _, src := range []string{"SELECT '\xff'", "SELECT \x00"} {
		if _, err := Parse(src); err == nil || !strings.HasPrefix(answer(err), "22021 ") {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestConcurrent(t *testing.T) {
	entries := corpus(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, e := range entries {
				if _, err := Parse(e.sql); err != nil {
					t.Errorf("%s: %v", e.name, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestParseParts(t *testing.T) {
	x, err := ParseExpr("a + 1 > b")
	if err != nil || ast.SQL(x) != "(a + 1) > b" {
		t.Errorf("%v %s", err, ast.SQL(x))
	}
	for src, want := range map[string]string{
		"timestamp(3) with time zone": "timestamptz(3)", "row(a integer, \"B\" text[])": "ROW<a int4, \"B\" text[]>",
		"map(text, bigint)": "MAP<text, int8>", "character varying(3)[]": "varchar(3)[]", `"char"`: `"char"`,
		"double precision": "float8", "char": "bpchar(1)", "interval day to second(3)": "interval day to second(3)",
	} {
		typ, err := ParseType(src)
		if err != nil || ast.SQL(typ) != want {
			t.Errorf("%s: %v %s", src, err, ast.SQL(typ))
		}
	}
	for _, src := range []string{"", "a b", "a;"} {
		if _, err := ParseExpr(src); err == nil {
			t.Errorf("%q is an expression", src)
		}
	}
	if _, err := ParseOne("SELECT 1; SELECT 2"); err == nil {
		t.Error("two statements are one")
	}
	if stmts, err := Parse(" ; -- nothing\n;"); err != nil || len(stmts) != 0 {
		t.Errorf("%v %v", stmts, err)
	}
}

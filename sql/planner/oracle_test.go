package planner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// The oracle's tables: t has no key, u has one. Both hold NULLs and duplicates.
const oracleTables = `
CREATE TABLE t (id int, k text, v int, n numeric(10,2), d date, ts timestamp);
CREATE TABLE u (id int PRIMARY KEY, w int);
CREATE VIEW tv AS SELECT id, v > 10 AS big FROM t;
CREATE VIEW tk AS SELECT k, sum(v) AS total FROM t GROUP BY k, v % 2;
`

const oracleRows = `
INSERT INTO t SELECT i % 20, (ARRAY['a','b','c','abc',NULL])[1 + i * 7 % 5], CASE WHEN i % 6 = 0 THEN NULL ELSE (i * 37) % 61 - 20 END,
  (i * 1234 % 777) / 10.0, DATE '2024-01-01' + i * 11 % 90, TIMESTAMP '2024-01-01' + i * INTERVAL '3 hours 7 minutes' FROM generate_series(1, 60) i;
INSERT INTO u SELECT i, NULLIF(i * 5 % 11, 3) FROM generate_series(1, 12) i;
`

// known are statements for which the answers differ on purpose.
var known = map[string]string{
	`SELECT k COLLATE "nope" FROM t`:                                  "a hint tells which collations there are",
	"SELECT k FROM t ORDER BY k USING ===":                            "USING is refused before its operator is looked up",
	"INSERT INTO t (id) VALUES (1) ON CONFLICT DO UPDATE SET k = 'x'": "the position is the end of ON CONFLICT, not its beginning",
	"SELECT id FROM t, u":                                             "joins are refused, after names are resolved",
	"SELECT (SELECT nope FROM t)":                                     "subqueries as expressions are refused before they are looked into",
	"SELECT sum(v) FROM t GROUP BY ()":                                "grouping sets are refused",
	"SELECT":                                                          "a batch without columns has no rows to compare",
}

// TestLikePostgres runs the statements of testdata/oracle against PostgreSQL and here: what fails
// must fail alike, with code, words, hint and position; queries must have the same columns, and
// their rows must be the same, in the same order where there is an ORDER BY.
func TestLikePostgres(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	conn := pgtest.Shared(t).Conn(t)
	ctx := context.Background()
	for _, s := range []string{"DROP SCHEMA public CASCADE; CREATE SCHEMA public", oracleTables, oracleRows} {
		if _, err := conn.Exec(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	catalog := newTestCatalog()
	if err := catalog.defineAll(oracleTables); err != nil {
		t.Fatal(err)
	}
	db := &memoryTables{rows: map[string][][]sql.Datum{}}
	for _, name := range []string{"t", "u"} {
		db.load(t, conn, catalog.relations[name])
	}
	for _, file := range []string{"errors.sql", "queries.sql"} {
		src, err := os.ReadFile("testdata/oracle/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, stmt := range strings.Split(string(src), ";\n") {
			if stmt = strings.TrimSpace(stmt); stmt == "" {
				continue
			}
			if _, ok := known[stmt]; ok {
				continue
			}
			want, got := postgresAnswer(ctx, conn, stmt), ourAnswer(catalog, db, stmt)
			if want != got {
				t.Errorf("%s\nPostgreSQL:\n%s\nhere:\n%s", stmt, want, got)
			}
		}
	}
}

// postgresAnswer prints an error, or columns and rows.
func postgresAnswer(ctx context.Context, conn *pgx.Conn, stmt string) string {
	d, err := conn.Prepare(ctx, "", stmt)
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return answerError(&sql.Error{Code: e.Code, Message: e.Message, Hint: e.Hint, Position: int(e.Position)})
	}
	if err != nil {
		return err.Error()
	}
	if len(d.ParamOIDs) > 0 || !strings.Contains("SELECT VALUES WITH (SELECT", strings.Fields(stmt)[0]) {
		return "ok"
	}
	var lines []string
	rows, err := conn.Query(ctx, stmt, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return err.Error()
	}
	for rows.Next() {
		cells := make([]string, len(rows.RawValues()))
		for i, v := range rows.RawValues() {
			if cells[i] = string(v); v == nil {
				cells[i] = "NULL"
			}
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	if errors.As(rows.Err(), &e) {
		return answerError(&sql.Error{Code: e.Code, Message: e.Message})
	}
	var cols sql.Schema
	for _, f := range d.Fields {
		t, ok := sql.TypeByOID(f.DataTypeOID)
		if !ok {
			return fmt.Sprintf("unknown type %d", f.DataTypeOID)
		}
		cols = append(cols, sql.Column{Name: f.Name, Type: t})
	}
	return answerRows(stmt, cols, lines)
}

func answerError(e *sql.Error) string {
	return fmt.Sprintf("%s at %d: %s (%s)", e.Code, e.Position, e.Message, e.Hint)
}

func answerRows(stmt string, cols sql.Schema, lines []string) string {
	if strings.LastIndex(stmt, "ORDER BY") <= strings.LastIndex(stmt, ")") {
		slices.Sort(lines)
	}
	head := make([]string, len(cols))
	for i, c := range cols {
		head[i] = c.Name + " " + c.Type.BaseName()
	}
	return strings.Join(head, ", ") + "\n" + strings.Join(lines, "\n")
}

// ourAnswer plans a statement and, if it is a query without parameters, runs it.
func ourAnswer(c *testCatalog, db *memoryTables, src string) string {
	p, err := planStatement(c, src)
	if err != nil {
		return answerError(sql.AsError(err))
	}
	if p == nil || len(p.Params) > 0 {
		return "ok"
	}
	rows, err := db.run(p, 2, nil)
	if err != nil {
		e := *sql.AsError(err)
		e.Hint, e.Position = "", 0
		return answerError(&e)
	}
	types := p.Schema().Types()
	lines := make([]string, len(rows))
	for i, row := range rows {
		cells := make([]string, len(p.Columns))
		for j := range cells {
			if cells[j] = "NULL"; row[j] != nil {
				cells[j] = sql.FormatText(types[j], row[j])
			}
		}
		lines[i] = strings.Join(cells, "|")
	}
	return answerRows(src, p.Columns, lines)
}

// planStatement plans for a result now; nil for what has none.
func planStatement(c *testCatalog, src string) (*Plan, error) {
	stmt, err := parser.ParseOne(src)
	if err != nil {
		return nil, err
	}
	env := testEnv(c)
	switch s := stmt.(type) {
	case *ast.Query:
		return PlanQuery(env, s, Purpose{Target: Batch})
	case *ast.Insert:
		_, err = PlanInsert(env, s, Purpose{Target: Batch})
	case *ast.Update:
		_, err = PlanUpdate(env, s)
	case *ast.Delete:
		_, err = PlanDelete(env, s)
	}
	return nil, err
}

// memoryTables are relations in memory, for running plans.
type memoryTables struct {
	rows map[string][][]sql.Datum // by relation: all its columns
}

// load copies a table from PostgreSQL.
func (m *memoryTables) load(t *testing.T, conn *pgx.Conn, rel *Relation) {
	t.Helper()
	rows, err := conn.Query(context.Background(), "SELECT * FROM "+rel.Name, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row := make([]sql.Datum, len(rel.Columns))
		for i, v := range rows.RawValues() {
			if v == nil {
				continue
			}
			if row[i], err = sql.ParseText(rel.Columns[i].Type, string(v)); err != nil {
				t.Fatal(err)
			}
		}
		if len(rows.RawValues()) < len(row) { // the hidden key
			row[len(row)-1] = int64(len(m.rows[rel.Name]))
		}
		m.rows[rel.Name] = append(m.rows[rel.Name], row)
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
}

// open is Runtime.Open. A range is applied to the rows, as a store would.
func (m *memoryTables) open(s *Scan) (*exec.SourceSpec, int, error) {
	types := make([]sql.Type, len(s.Columns))
	for i, c := range s.Columns {
		types[i] = s.Relation.Columns[c].Type
	}
	var picked [][]sql.Datum
	for _, row := range m.rows[s.Relation.Name] {
		if !s.Range.holds(s.Relation, row) {
			continue
		}
		out := make([]sql.Datum, len(s.Columns))
		for i, c := range s.Columns {
			out[i] = row[c]
		}
		picked = append(picked, out)
	}
	batches := batchesOf(types, picked)
	return &exec.SourceSpec{Open: func(context.Context) (connectors.Source, error) { return rowsOf(batches), nil }}, 0, nil
}

func rowsOf(batches []*stream.Batch) connectors.Source {
	return exec.NewRowsSource(func() (exec.Batches, error) { return exec.EachBatch(batches), nil })
}

func (r *KeyRange) holds(rel *Relation, row []sql.Datum) bool {
	if r == nil {
		return true
	}
	compare := func(i int, v sql.Datum) int {
		col := rel.Key[i]
		return sql.CompareDatum(rel.Columns[col].Type, row[col], v)
	}
	for i, v := range r.Prefix {
		if compare(i, v) != 0 {
			return false
		}
	}
	inside := func(b *KeyBound, sign int) bool {
		if b == nil {
			return true
		}
		c := compare(len(r.Prefix), b.Value) * sign
		return c > 0 || c == 0 && b.Inclusive
	}
	return !r.Empty && inside(r.Lo, 1) && inside(r.Hi, -1)
}

// run runs a bounded plan.
func (m *memoryTables) run(p *Plan, parallelism int, params []sql.Datum) ([][]sql.Datum, error) {
	eval := expr.Context{Location: time.UTC}
	g, err := p.Graph(&Runtime{Parallelism: parallelism, Params: params, Context: &eval, Open: m.open})
	if err != nil {
		return nil, err
	}
	types := p.Schema().Types()
	var rows [][]sql.Datum
	err = exec.RunQuery(context.Background(), g, exec.QueryEnv{Eval: eval}, func(b *stream.Batch) error {
		for i := range b.Rows {
			row := make([]sql.Datum, len(types))
			for j, t := range types {
				row[j] = stream.Value(b.Columns[j], t, i)
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows, err
}

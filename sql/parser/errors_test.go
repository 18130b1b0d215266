package parser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the golden files from PostgreSQL's answers")

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const errorsGolden = "testdata/errors.golden"

// differences are the statements that this dialect treats otherwise than PostgreSQL does, with what
// it says: "" if it takes them.
var differences = map[string]string{
	"SELECT `a` FROM t": "", // Flink's quotes
}

func badStatements(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, f := range []string{"bad.txt", "bad_more.txt"} {
		data, err := os.ReadFile("testdata/corpus/" + f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")...)
	}
	return out
}

// answer is the error of a statement on one line: SQLSTATE, position in bytes from 1, message.
func answer(err error) string {
	var e *sql.Error
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		return fmt.Sprintf("%s %d %s", e.Code, e.Position, strconv.Quote(e.Message))
	case errors.As(err, &pg):
		return fmt.Sprintf("%s %d %s", pg.Code, pg.Position, strconv.Quote(pg.Message))
	}
	return err.Error()
}

// TestErrors compares code, position and message of every bad statement with PostgreSQL's, which are
// in the golden file.
func TestErrors(t *testing.T) {
	data, err := os.ReadFile(errorsGolden)
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string]string{}
	for _, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		want, stmt, _ := strings.Cut(line, "\t")
		golden[stmt] = want
	}
	for _, stmt := range badStatements(t) {
		_, err := Parse(stmt)
		got, want := answer(err), golden[stmt]
		if own, ok := differences[stmt]; ok {
			if want = own; own == "" {
				want = "ok"
			}
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", stmt, got, want)
		}
	}
}

// TestErrorsPostgres checks the golden file against a server.
func TestErrorsPostgres(t *testing.T) {
	if testing.Short() {
		return // the golden file stands in for the server
	}
	conn := pgtest.Shared(t).Conn(t)
	var out strings.Builder
	for _, stmt := range badStatements(t) {
		_, err := conn.PgConn().Exec(context.Background(), stmt).ReadAll()
		var pg *pgconn.PgError
		if !errors.As(err, &pg) {
			t.Fatalf("%s: PostgreSQL says %v", stmt, err)
		}
		pg.Position = int32(byteOffset(stmt, int(pg.Position)))
		fmt.Fprintf(&out, "%s\t%s\n", answer(pg), stmt)
		conn.Exec(context.Background(), "rollback")
	}
	if *rewrite {
		if err := os.WriteFile(errorsGolden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := os.ReadFile(errorsGolden); err != nil || string(data) != out.String() {
		t.Errorf("%s is not what PostgreSQL says; run with -rewrite: %v", errorsGolden, err)
	}
}

// byteOffset turns a position in characters into one in bytes; both count from 1.
func byteOffset(s string, pos int) int {
	n := 0
	for i := 1; i < pos && n < len(s); i++ {
		_, size := utf8.DecodeRuneInString(s[n:])
		n += size
	}
	if pos == 0 {
		return 0
	}
	return n + 1
}

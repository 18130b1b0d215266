//go:build integration

package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// bench is a target under test.
type bench struct {
	t    testing.TB
	pg   *pgtest.Server
	conn *pgx.Conn
	c    *Connector
}

func newBench(t testing.TB, pg *pgtest.Server, ddl string) *bench {
	b := &bench{t: t, pg: pg, conn: pg.Conn(t), c: New()}
	b.exec(ddl)
	return b
}

func (b *bench) exec(text string, args ...any) {
	b.t.Helper()
	if _, err := b.conn.Exec(context.Background(), text, args...); err != nil {
		b.t.Fatalf("%s: %v", text, err)
	}
}

// holds compares a query's rows, printed, with those wanted.
func (b *bench) holds(query string, want ...string) {
	b.t.Helper()
	if got := b.rows(query); !slices.Equal(got, want) {
		b.t.Errorf("%s:\n got %q\nwant %q", query, got, want)
	}
}

func (b *bench) rows(query string) []string {
	b.t.Helper()
	rows, err := b.conn.Query(context.Background(), query, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		b.t.Fatal(err)
	}
	var got []string
	for rows.Next() {
		var parts []string
		for _, v := range rows.RawValues() {
			text := "NULL"
			if v != nil {
				text = string(v)
			}
			parts = append(parts, text)
		}
		got = append(got, strings.Join(parts, "|"))
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return got
}

// relation is a relation of columns "k int8, v text", whose first keys are the key.
func (b *bench) relation(job, table string, keys int, columns string, options ...string) connectors.Relation {
	r := connectors.Relation{Name: "r", Job: job, Epoch: 1000, Options: map[string]string{"connector": "postgres", "url": b.pg.URL(), "table": table}}
	for i, c := range strings.Split(columns, ", ") {
		name, typ, _ := strings.Cut(c, " ")
		r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: name, Type: testTypes[typ]}})
		if i < keys {
			r.Key = append(r.Key, i)
		}
	}
	for i := 0; i < len(options); i += 2 {
		r.Options[options[i]] = options[i+1]
	}
	return r
}

var testTypes = map[string]sql.Type{"int8": sql.TypeInt8, "text": sql.TypeText, "int4": sql.TypeInt4, "numeric": sql.TypeNumeric}

// sink checks a relation and binds it.
func (b *bench) sink(r connectors.Relation) connectors.Sink {
	b.t.Helper()
	if err := b.c.Check(b.context(), r, nil); err != nil {
		b.t.Fatal(err)
	}
	return b.open(r)
}

func (b *bench) open(r connectors.Relation) connectors.Sink {
	b.t.Helper()
	s, err := b.c.Sink(b.context(), r, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	return s
}

func (b *bench) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bench) delivered(s connectors.Sink, want uint64) {
	b.t.Helper()
	if got, marked, err := s.Delivered(b.context()); err != nil || !marked || got != want {
		b.t.Fatalf("delivered %d, %v, %v; want %d", got, marked, err, want)
	}
}

// deliver delivers rows and returns the codes and payloads of those refused.
func (b *bench) deliver(s connectors.Sink, epoch uint64, batches ...*stream.Batch) []string {
	b.t.Helper()
	refused, err := tryDeliver(b.context(), s, epoch, batches...)
	if err != nil {
		b.t.Fatalf("deliver epoch %d: %v", epoch, err)
	}
	return refused
}

func tryDeliver(ctx context.Context, s connectors.Sink, epoch uint64, batches ...*stream.Batch) (refused []string, err error) {
	err = s.Deliver(ctx, epoch, batches, func(letters []connectors.DeadLetter) error {
		for _, l := range letters {
			refused = append(refused, l.Code+" "+string(l.Payload))
		}
		return nil
	})
	return refused, err
}

// changes makes a batch of lines such as "+ 1 a": an operation, and a value for each column; _ is NULL.
func changes(r connectors.Relation, lines ...string) *stream.Batch {
	b := &stream.Batch{Rows: len(lines)}
	builders := make([]*stream.Builder, len(r.Columns))
	for i, c := range r.Columns {
		builders[i] = stream.NewBuilder(c.Type)
	}
	for _, l := range lines {
		words := strings.Split(l, " ")
		op := stream.Insert
		if words[0] == "-" {
			op = stream.Delete
		}
		b.Ops = append(b.Ops, op)
		for i, c := range r.Columns {
			var d sql.Datum
			if words[i+1] != "_" {
				var err error
				if d, err = sql.ParseText(c.Type, words[i+1]); err != nil {
					panic(fmt.Sprint(l, err))
				}
			}
			builders[i].Append(d)
		}
	}
	for _, c := range builders {
		b.Columns = append(b.Columns, c.Finish())
	}
	return b
}

func wantError(t testing.TB, err error, code string, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %s", code)
		return
	}
	e := sql.AsError(err)
	text := e.Message + "\n" + e.Detail + "\n" + e.Hint
	if e.Code != code {
		t.Errorf("got %s: %s, want %s", e.Code, text, code)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in: %s", w, text)
		}
	}
}

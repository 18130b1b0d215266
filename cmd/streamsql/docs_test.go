package main

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/examples/queries"
	"github.com/streamsql/streamsql/exec/expr"
	sqlparser "github.com/streamsql/streamsql/sql/parser"
)

// docFiles are the pages whose SQL is run, each against a server of its own.
var docFiles = []string{"README.md", "docs/sql.md", "docs/connectors/kafka.md"}

// sqlBlock is a fenced block of SQL: ```sql, or ```sql error for one that has to fail.
var sqlBlock = regexp.MustCompile("(?ms)^```sql( error)?\n(.*?)^```")

// TestDocs runs every SQL block of the pages, in order, as a reader would paste them.
func TestDocs(t *testing.T) {
	for _, file := range docFiles {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := readDoc(t, file)
			dev := startTestDev(t)
			conn := connect(t, dev)
			blocks := sqlBlock.FindAllStringSubmatch(text, -1)
			if len(blocks) == 0 {
				t.Fatal("no SQL")
			}
			for _, b := range blocks {
				err := runBlock(t.Context(), conn, strings.ReplaceAll(b[2], queries.Broker, dev.broker.Addr()))
				switch {
				case err != nil && b[1] == "":
					t.Errorf("%v, in\n%s", err, b[2])
				case err == nil && b[1] != "":
					t.Errorf("no error, in\n%s", b[2])
				}
			}
		})
	}
}

// startTestDev starts dev on free ports, with its samples.
func startTestDev(t *testing.T) *dev {
	t.Helper()
	d := &devSettings{kafka: "127.0.0.1:0", settings: settings{dataDir: t.TempDir(), listen: "127.0.0.1:0", memoryBudget: "256MiB",
		deadLetterSize: "1GiB", sinkBacklog: "16GiB", logLevel: "error", logFormat: "text", shutdownTimeout: time.Second, maxConnections: 10}}
	dev, err := startDev(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.stop(); err != nil {
			t.Error(err)
		}
	})
	return dev
}

func connect(t *testing.T, dev *dev) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("postgres://demo@%s/streamsql?sslmode=disable", dev.ln.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// runBlock runs the statements one by one, as psql does. A subscription has no end: it is followed
// for a moment and cancelled.
func runBlock(ctx context.Context, conn *pgx.Conn, src string) error {
	stmts, err := sqlparser.Parse(src)
	if err != nil {
		return err
	}
	for _, st := range stmts {
		if err := runStatement(ctx, conn, src[st.Start:st.End]); err != nil {
			return err
		}
	}
	return nil
}

func runStatement(ctx context.Context, conn *pgx.Conn, text string) error {
	wait := 30 * time.Second
	follows := strings.HasPrefix(text, "COPY (SUBSCRIBE")
	if follows {
		wait = 300 * time.Millisecond
	}
	timer := time.AfterFunc(wait, func() { _ = conn.PgConn().CancelRequest(ctx) }) // else the statement's error tells
	defer timer.Stop()
	var err error
	if strings.HasPrefix(text, "COPY") {
		_, err = conn.PgConn().CopyTo(ctx, io.Discard, text)
	} else {
		_, err = conn.PgConn().Exec(ctx, text).ReadAll()
	}
	if e, ok := err.(*pgconn.PgError); ok && e.Code == "57014" && follows {
		return nil
	}
	return err
}

func readDoc(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocsNameFunctions sees that the SQL reference has every function. Those that only tools call
// are covered there by a sentence.
func TestDocsNameFunctions(t *testing.T) {
	text := readDoc(t, "docs/sql.md")
	words := map[string]bool{}
	for _, w := range regexp.MustCompile(`[a-z_0-9]+`).FindAllString(text, -1) {
		words[w] = true
	}
	forTools := regexp.MustCompile(`^(pg_|has_|to_reg|txid_|streamsql_|.*_description$|current_|session_user$|user$|set_config$|dexp$|dsqrt$|similar_to_escape$|jsonb_(contains|exists)$)`)
	for f := range expr.Functions {
		name := f.Name
		if name[0] < 'a' || name[0] > 'z' || words[name] || forTools.MatchString(name) {
			continue
		}
		if words["json_"+strings.TrimPrefix(name, "jsonb_")] {
			continue // "the same for jsonb"
		}
		t.Errorf("docs/sql.md does not name the function %s", name)
	}
}

// optionFiles read WITH options.
var optionFiles = []string{"connectors/kafka/options.go", "connectors/kafka/client.go", "connectors/format/json/json.go", "connectors/format/format.go"}

// TestDocsNameOptions sees that the page on Kafka has every option that the connector reads.
func TestDocsNameOptions(t *testing.T) {
	text := readDoc(t, "docs/connectors/kafka.md")
	option := regexp.MustCompile(`^(properties|scan|sink|json|value|watermark|topic|dlq|late|isolation)\.[a-z0-9.-]*[a-z0-9]$|^key\.f[a-z]+$|^on-[a-z-]+$|^allowed-lateness$`)
	for _, file := range optionFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			name, err := strconv.Unquote(lit.Value)
			if err == nil && option.MatchString(name) && !strings.HasSuffix(name, "serializer") && !strings.Contains(text, "`"+name+"`") {
				t.Errorf("docs/connectors/kafka.md does not name the option %s", name)
			}
			return true
		})
	}
}

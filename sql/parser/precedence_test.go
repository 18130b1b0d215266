package parser

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/seedtest"
)

var (
	seed  = flag.Int64("seed", 0, "seed of the random expressions; 0: of the clock")
	exprs = flag.Int("exprs", 2000, "number of random expressions")
)

const precedenceGolden = "testdata/precedence.golden"

// probes are the expressions of prec.txt.
func probes(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/corpus/prec.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// parenthesised is our reading of a statement with parentheses around every operation, or our error.
func parenthesised(src string) string {
	stmt, err := ParseOne(src)
	if err != nil {
		return answer(err)
	}
	enclose(reflect.ValueOf(&stmt))
	return ast.SQL(stmt)
}

// enclose replaces the operations under v, inner ones first, by literals that print as their text in
// parentheses.
func enclose(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			enclose(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			enclose(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			enclose(v.Index(i))
		}
	}
	if !v.CanSet() {
		return
	}
	switch x := v.Interface().(type) {
	case *ast.Binary, *ast.Unary, *ast.IsTest, *ast.IsDistinct, *ast.Between, *ast.In, *ast.Like, *ast.Quantified,
		*ast.Collate, *ast.AtTimeZone:
		v.Set(reflect.ValueOf(&ast.Literal{Kind: ast.Number, Value: "(" + ast.SQL(x.(ast.Node)) + ")"}))
	}
}

// TestPrecedence compares our reading of the probes with the golden file, where each is one that
// PostgreSQL takes for the same expression.
func TestPrecedence(t *testing.T) {
	data, err := os.ReadFile(precedenceGolden)
	if err != nil {
		t.Fatal(err)
	}
	if got := readings(t); got != string(data) {
		t.Errorf("got\n%s\nwant\n%s", got, data)
	}
}

func readings(t *testing.T) string {
	var out strings.Builder
	for _, src := range probes(t) {
		fmt.Fprintf(&out, "%s\t%s\n", src, parenthesised("SELECT "+src+" FROM t"))
	}
	return out.String()
}

// TestPrecedencePostgres takes the probes and random expressions to PostgreSQL, as written and as we
// read them with all parentheses. It must store the same view for both, or fail with the same error:
// the types in it ("operator does not exist: boolean + integer") tell the shape of the tree.
func TestPrecedencePostgres(t *testing.T) {
	if testing.Short() {
		return // TestPrecedence stands in for it
	}
	conn := pgtest.Shared(t).Conn(t)
	if _, err := conn.Exec(context.Background(), `create temp table t (a int, b int, c int, d int, x bool, y bool,
		z bool, s text, u text, j jsonb, ts timestamp, tz timestamptz, arr int[], n numeric, f float8)`); err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(precedenceGolden, []byte(readings(t)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if *seed == 0 {
		*seed = int64(seedtest.Seed(t))
	}
	g := &generator{rand.New(rand.NewSource(*seed))}
	all := probes(t)
	for range *exprs {
		all = append(all, g.expr(1+g.Intn(6)))
	}
	outcomes := map[string]int{}
	for _, src := range all {
		src = "SELECT " + src + " FROM t"
		read := parenthesised(src)
		want := storedView(t, conn, src)
		outcomes[strings.Fields(want)[0]]++
		got := read
		if !strings.HasPrefix(read, "42601 ") {
			got = storedView(t, conn, read)
		}
		if got != want {
			t.Errorf("seed %d: %s\nread as %s\n got %s\nwant %s", *seed, src, read, got, want)
		}
	}
	t.Logf("%d expressions; PostgreSQL's answers: %v", len(all), outcomes)
	if len(all) > 500 && outcomes["SELECT"] < len(all)/5 {
		t.Errorf("only %d of %d expressions are well typed", outcomes["SELECT"], len(all))
	}
}

// storedView is PostgreSQL's definition of the view of a query, or its error; the position only of a
// syntax error, as the others are in texts that differ.
func storedView(t *testing.T, conn *pgx.Conn, query string) string {
	t.Helper()
	const prefix = "drop view if exists v; create temp view v as "
	results, err := conn.PgConn().Exec(context.Background(), prefix+query+"; select pg_get_viewdef('v')").ReadAll()
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return strings.TrimSpace(string(results[len(results)-1].Rows[0][0]))
	case !errors.As(err, &pg):
		t.Fatal(err)
	case pg.Code != "42601":
		pg.Position = 0
	default:
		pg.Position -= int32(len(prefix))
	}
	return answer(pg)
}

// generator makes chains of operands and operators without asking whether the types fit, though it
// prefers one kind of operand at a time so that they often do.
type generator struct{ *rand.Rand }

func (g *generator) pick(list ...string) string { return list[g.Intn(len(list))] }

var (
	boolOperands = []string{"x", "y", "z", "true", "(a = b)"}
	intOperands  = []string{"a", "b", "c", "d", "7", "arr[1]", "arr[a + 1]", "length(s)", "n", "f"}
	textOperands = []string{"s", "u", "'abc'", "s::varchar(3)", "lower(s)"}
	anyOperands  = []string{"a", "x", "s", "j", "ts", "tz", "arr", "n", "f", "a::text", "s::int", "'1'", "null"}

	boolOps = []string{"and", "or", "and", "or", "=", "<>", "<", ">=", "is distinct from", "is not distinct from"}
	intOps  = []string{"+", "-", "*", "/", "%", "^", "&", "|", "#", "<<", ">>", "+", "*", "-", "=", "<", "is distinct from"}
	textOps = []string{"||", "||", "~", "!~*", "like", "not ilike", "similar to", "<", "=", "~~", "operator(pg_catalog.||)"}
	anyOps  = []string{"+", "-", "*", "^", "||", "->", "->>", "#>", "@>", "=", "<>", "<", "and", "or", "like", "~",
		"is distinct from", "at time zone", "operator(pg_catalog.+)", "<=", "&&", "|", "%"}
)

// expr is a chain of n operands.
func (g *generator) expr(n int) string {
	operands, ops := anyOperands, anyOps
	switch g.Intn(8) {
	case 0, 1, 2:
		operands, ops = boolOperands, boolOps
	case 3, 6:
		operands, ops = intOperands, intOps
	case 4:
		operands, ops = textOperands, textOps
	}
	return g.chain(n, operands, ops)
}

func (g *generator) chain(n int, operands, ops []string) string {
	var sb strings.Builder
	sb.WriteString(g.operand(operands))
	for k := range n - 1 {
		kind := g.Intn(9)
		if &operands[0] == &intOperands[0] || &operands[0] == &textOperands[0] {
			kind += 3 * g.Intn(2) * min(1, n-2-k) // a predicate in the middle seldom fits
		}
		switch kind {
		case 0:
			fmt.Fprintf(&sb, " %sbetween %s%s and %s", g.pick("", "not "), g.pick("", "symmetric "), g.operand(operands), g.operand(operands))
		case 1:
			fmt.Fprintf(&sb, " %sin (%s, %s)", g.pick("", "not "), g.operand(operands), g.operand(operands))
		case 2:
			sb.WriteString(g.pick(" is null", " is not null", " isnull", " notnull", " is true", " is not unknown"))
		case 3:
			fmt.Fprintf(&sb, " %s %s(array[%s])", g.pick("=", "<", "<>", "like", "~"), g.pick("any", "all"), g.pick(operands...))
		default:
			fmt.Fprintf(&sb, " %s %s", g.pick(ops...), g.operand(operands))
			if strings.HasSuffix(sb.String(), "'abc'") && g.Intn(3) == 0 {
				sb.WriteString(" escape '!'")
			}
		}
	}
	return sb.String()
}

// operand is one with a prefix or suffix now and then.
func (g *generator) operand(operands []string) string {
	x := g.pick(operands...)
	if g.Intn(3) > 0 {
		return x
	}
	switch g.Intn(9) {
	case 0:
		x = "not " + x
	case 1:
		x = g.pick("-", "- ", "+ ", "- - ") + x
	case 2:
		x = g.pick("@ ", "~ ", "|/ ") + x
	case 3:
		x = "(" + g.chain(1+g.Intn(3), operands, anyOps) + ")"
	case 4:
		x += g.pick("::text", "::int", "::numeric::text", "::bool")
	case 5:
		x += ` collate "C"`
	case 6:
		x = "case when x then " + x + " else " + g.pick(operands...) + " end"
	case 7:
		x += " at time zone " + g.pick("s", "'UTC'", "interval '1' hour")
	case 8:
		x = "coalesce(" + x + ", " + g.chain(2, operands, anyOps) + ")"
	}
	return x
}

package expr

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
)

var (
	oracleN    = flag.Int("oracle.n", 5000, "comparisons with PostgreSQL")
	oracleSeed = flag.Uint64("oracle.seed", 0, "seed of the comparisons with PostgreSQL; 0 = a new one")
	oracleFn   = flag.String("oracle.fn", "", "compare mostly this function or operator")
	oracleAll  = flag.Bool("oracle.all", false, "report every difference, not only the first of a kind")
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// oracleRows is how many rows each expression is evaluated over.
const oracleRows = 40

// TestOracle compares random typed expressions over random rows with what PostgreSQL answers: the
// type, the value in text, and the SQLSTATE of what fails, at planning and per row. The generator is
// in oracle_gen_test.go, the known differences are in oracle_known_test.go.
func TestOracle(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	seed := *oracleSeed
	if seed == 0 {
		seed = seedtest.Seed(t)
	}
	t.Logf("seed: -oracle.seed=%d", seed)
	o := newOracle(t, seed)
	for o.compared < *oracleN {
		o.round(60)
	}
	t.Logf("%d comparisons over %d expressions: %d values, %d row errors, %d planning errors; %d known differences",
		o.compared, o.exprs, o.values, o.rowErrors, o.planErrors, o.known)
}

type oracle struct {
	t    *testing.T
	conn *pgx.Conn
	gen  *generator
	data *stream.Batch
	loc  *time.Location

	exprs, compared, values, rowErrors, planErrors, known int
	seen                                                  map[string]bool
}

func newOracle(t *testing.T, seed uint64) *oracle {
	o := &oracle{t: t, conn: pgtest.Shared(t).Conn(t), seen: map[string]bool{}}
	o.gen = &generator{r: rand.New(rand.NewPCG(seed, 1))}
	o.exec(`SET statement_timeout = '60s'`)
	o.exec(evalFunction)
	return o
}

// evalFunction evaluates expressions over the rows of t: all rows at once, or row by row with the
// errors caught.
const evalFunction = `
CREATE OR REPLACE FUNCTION pg_temp.ev(exprs text[], OUT n int, OUT vals text[], OUT errs text[]) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE v text; k int;
BEGIN
  FOR i IN 1..array_length(exprs, 1) LOOP
    n := i;
    BEGIN
      EXECUTE format('SELECT array_agg(num_nulls(x)::text || concat(x) ORDER BY id) FROM (SELECT id, (%s) AS x FROM t OFFSET 0) s', exprs[n]) INTO vals;
      errs := NULL;
    EXCEPTION WHEN OTHERS THEN
      vals := '{}'; errs := '{}';
      FOR k IN 1..(SELECT count(*) FROM t) LOOP
        BEGIN
          EXECUTE format('SELECT num_nulls(x)::text || concat(x) FROM (SELECT (%s) AS x FROM t WHERE id = %s OFFSET 0) s', exprs[n], k) INTO v;
          vals[k] := v; errs[k] := '';
        EXCEPTION WHEN OTHERS THEN
          vals[k] := ''; errs[k] := SQLSTATE || ' ' || SQLERRM;
        END;
      END LOOP;
    END;
    RETURN NEXT;
  END LOOP;
END $$`

func (o *oracle) exec(q string, args ...any) {
	o.t.Helper()
	if _, err := o.conn.Exec(context.Background(), q, args...); err != nil {
		o.t.Fatalf("%s: %v", q, err)
	}
}

// load fills the table t, here and there, with new random rows.
func (o *oracle) load() {
	zone := []string{"UTC", "Europe/Berlin", "America/New_York"}[o.gen.r.IntN(3)]
	o.exec("SET timezone = '" + zone + "'")
	o.loc, _ = time.LoadLocation(zone)
	o.exec("DROP TABLE IF EXISTS t")
	ddl := []string{"id int"}
	for _, c := range oracleColumns {
		ddl = append(ddl, c.Name+" "+c.Type.String())
	}
	o.exec("CREATE TABLE t (" + strings.Join(ddl, ", ") + ")")

	o.data = &stream.Batch{Rows: oracleRows}
	texts := make([][]string, len(oracleColumns))
	for i, c := range oracleColumns {
		b := stream.NewBuilder(c.Type)
		for range oracleRows {
			text := "NULL"
			var d sql.Datum
			for o.gen.r.IntN(8) != 0 {
				s := o.gen.value(c.Type)
				var err error
				if d, err = sql.ParseTextIn(c.Type, s, sql.TextEnv{Loc: o.loc}); err == nil {
					text = sql.QuoteLiteral(s)
					break
				}
			}
			b.Append(d)
			texts[i] = append(texts[i], text)
		}
		o.data.Columns = append(o.data.Columns, b.Finish())
	}
	for row := range oracleRows {
		values := []string{fmt.Sprint(row + 1)}
		for i := range oracleColumns {
			values = append(values, texts[i][row])
		}
		o.exec("INSERT INTO t VALUES (" + strings.Join(values, ", ") + ")")
	}
}

// round loads rows and compares n expressions over them.
func (o *oracle) round(n int) {
	o.load()
	var batch []node
	for len(batch) < n {
		e := o.gen.root()
		if e.skip || hasFailingConstant(e.expr) {
			continue
		}
		o.exprs++
		if o.planned(e) {
			batch = append(batch, e)
		}
	}
	o.run(batch)
}

// run compares what expressions give over the rows.
func (o *oracle) run(batch []node) {
	texts := make([]string, len(batch))
	for i, e := range batch {
		texts[i] = e.sql
	}
	rows, err := o.conn.Query(context.Background(), "SELECT n, vals, errs FROM pg_temp.ev($1)", texts)
	if err != nil {
		o.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var i int
		var vals, errs []string
		if err := rows.Scan(&i, &vals, &errs); err != nil {
			o.t.Fatal(err)
		}
		o.evaluated(batch[i-1], vals, errs)
	}
	if err := rows.Err(); err != nil {
		o.t.Fatal(err)
	}
}

// planned compares the type, or the error of planning; it tells whether there is something to run.
func (o *oracle) planned(e node) bool {
	desc, err := o.conn.PgConn().Prepare(context.Background(), "", "SELECT "+e.sql+" FROM t", nil)
	if err == nil && e.err == nil {
		got, want := e.expr.Type(), desc.Fields[0].DataTypeOID
		if got.Kind != sql.Record && got.OID() != want && !(got.Kind == sql.Unknown && want == sql.TypeText.OID()) {
			o.compared++
			o.differ(e, "type", fmt.Sprintf("got %s (%d), want OID %d", got, got.OID(), want), "")
			return false
		}
		return true
	}
	o.compared++
	o.planErrors++
	if err == nil { // folding of constants, after Prepare, is a part of planning too
		_, err = o.conn.Exec(context.Background(), "SELECT "+e.sql+" FROM t")
	}
	var pgErr *pgconn.PgError
	if err != nil && !errors.As(err, &pgErr) {
		o.t.Fatal(err)
	}
	if pgErr != nil { // functions are called by their full names there
		pgErr.Message = strings.ReplaceAll(pgErr.Message, "pg_catalog.", "")
	}
	switch {
	case err == nil:
		o.differ(e, "plan", "got "+describe(e.err)+", want success", sql.AsError(e.err).Code)
	case e.err == nil:
		o.differ(e, "plan", "got success, want "+pgErr.Code+" "+pgErr.Message, pgErr.Code)
	case !e.deep && sql.AsError(e.err).Message != pgErr.Message && sql.AsError(e.err).Code == pgErr.Code:
		o.differ(e, "message", "got "+describe(e.err)+", want "+pgErr.Message, pgErr.Code)
	case sql.AsError(e.err).Code != pgErr.Code && !e.deep: // which of several errors comes first may differ
		o.differ(e, "plan", "got "+describe(e.err)+", want "+pgErr.Code+" "+pgErr.Message, pgErr.Code)
	}
	return false
}

func (o *oracle) evaluated(e node, vals, errs []string) {
	c := &Context{Location: o.loc}
	folded := Fold(e.expr)
	arr := Eval(c, folded, o.data)
	got := map[int]*sql.Error{}
	for _, re := range c.Take() {
		got[re.Row] = re.Err
	}
	for i := range oracleRows {
		o.compared++
		want := ""
		if len(errs) > i {
			want = errs[i]
		}
		var have string
		if got[i] == nil {
			have = textOf(arr, e.expr.Type(), i, o.loc)
		}
		switch {
		case want != "" && got[i] != nil:
			o.rowErrors++
			if !e.deep && got[i].Code == want[:5] && got[i].Message != want[6:] {
				o.differ(e, "message", fmt.Sprintf("row %d: got %s, want %s\n%s", i, describe(got[i]), want, o.row(e, i)), want[:5])
			}
			if got[i].Code != want[:5] {
				o.differ(e, "error", fmt.Sprintf("row %d: got %s, want %s\n%s", i, describe(got[i]), want, o.row(e, i)), want[:5])
			}
		case want != "":
			o.differ(e, "error", fmt.Sprintf("row %d: got %s, want error %s\n%s", i, have, want, o.row(e, i)), want[:5])
		case got[i] != nil:
			o.differ(e, "value", fmt.Sprintf("row %d: got error %s, want %s\n%s", i, describe(got[i]), vals[i], o.row(e, i)), got[i].Code)
		default:
			o.values++
			if have != vals[i] && !sameFloat(e.expr.Type(), have, vals[i], e.inexact) {
				o.differ(e, "value", fmt.Sprintf("row %d: got %s, want %s\n%s", i, have, vals[i], o.row(e, i)), "")
			}
		}
	}
}

// textOf is the value as evalFunction gives it: 1 for NULL, or 0 and the text.
func textOf(arr arrow.Array, t sql.Type, i int, loc *time.Location) string {
	if arr.IsNull(i) {
		return "1"
	}
	return "0" + string(sql.AppendTextIn(nil, t, stream.Value(arr, t, i), loc))
}

func describe(err error) string {
	e := sql.AsError(err)
	return strings.TrimSpace(e.Code + " " + e.Message + " " + e.Detail)
}

// row shows the columns that the expression reads.
func (o *oracle) row(e node, i int) string {
	var b strings.Builder
	for _, c := range Columns(e.expr) {
		fmt.Fprintf(&b, "    %s = %s\n", oracleColumns[c].Name, textOf(o.data.Columns[c], oracleColumns[c].Type, i, o.loc))
	}
	return b.String()
}

// differ reports a difference unless it is a known one; of each kind, only the first.
func (o *oracle) differ(e node, what, details, code string) {
	if knownDifference(e, what, details, code) {
		o.known++
		return
	}
	kind := what + code + e.root
	if o.seen[kind] && !*oracleAll {
		return
	}
	o.seen[kind] = true
	o.t.Errorf("%s: %s  (%s)\n  %s", what, e.sql, o.loc, details)
}

// hasFailingConstant tells whether a part of e without columns fails: PostgreSQL fails at planning
// then, even where no row gets to it.
func hasFailingConstant(e Expr) bool {
	if e == nil {
		return false
	}
	return !Walk(e, func(e Expr) bool {
		if len(Columns(e)) > 0 {
			return true
		}
		_, err := EvalDatum(&Context{}, e)
		return err == nil
	})
}

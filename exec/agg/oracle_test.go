package agg

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// The aggregates are compared with PostgreSQL's over random rows in a few groups: folded at once,
// with rows added and deleted again, and merged from two halves by way of their partial states.

type oracleCase struct {
	typ   sql.Type
	funcs []string
	value func(r *rand.Rand) string
}

var oracleCases = []oracleCase{
	{sql.TypeInt2, numberFuncs, pickOf("0", "1", "-1", "32767", "-32768", "7", "12", "100")},
	{sql.TypeInt4, numberFuncs, func(r *rand.Rand) string { return strconv.Itoa(int(int32(r.Uint32()) >> r.IntN(32))) }},
	{sql.TypeInt8, numberFuncs, func(r *rand.Rand) string { return strconv.FormatInt(int64(r.Uint64())>>r.IntN(64), 10) }},
	{sql.FixedNumeric(10, 2), numberFuncs, decimals(8, 2)},
	{sql.FixedNumeric(30, 5), numberFuncs, decimals(25, 5)},
	{sql.FixedNumeric(60, 20), numberFuncs, decimals(40, 20)},
	{sql.TypeNumeric, numberFuncs, func(r *rand.Rand) string {
		if r.IntN(12) == 0 {
			return []string{"NaN", "Infinity", "-Infinity"}[r.IntN(3)]
		}
		return decimals(1+r.IntN(20), r.IntN(12))(r)
	}},
	{sql.TypeFloat8, numberFuncs, func(r *rand.Rand) string {
		if r.IntN(30) == 0 {
			return []string{"NaN", "Infinity", "-Infinity"}[r.IntN(3)]
		}
		return strconv.FormatFloat(r.NormFloat64()*1000, 'g', -1, 64)
	}},
	{sql.TypeBool, []string{"bool_and", "bool_or", "every", "count", "array_agg"}, pickOf("true", "false")},
	{sql.TypeText, []string{"min", "max", "count", "array_agg", "string_agg"}, pickOf("", "a", "b", "ä", "zebra", "a longer string than a word", "A")},
	{sql.TypeDate, []string{"min", "max", "count"}, pickOf("2024-01-31", "1969-12-31", "infinity", "0044-03-15 BC")},
	{sql.TypeTimestamp, []string{"min", "max", "count", "array_agg"}, pickOf("2024-01-31 10:00", "1969-12-31 23:59:59.999999", "-infinity")},
	{sql.TypeInterval, []string{"min", "max", "count"}, pickOf("1 day", "2 mons", "-3:00", "1 year 2 days 00:00:01.5")},
	{sql.TypeTime, []string{"min", "max"}, pickOf("10:00", "00:00:00.000001", "24:00")},
}

var numberFuncs = []string{"count", "sum", "avg", "min", "max", "stddev", "stddev_pop", "variance", "var_pop", "array_agg"}

func pickOf(vs ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return vs[r.IntN(len(vs))] }
}

func decimals(whole, scale int) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		var sb strings.Builder
		if r.IntN(2) == 0 {
			sb.WriteByte('-')
		}
		digits := 1 + r.IntN(whole)
		for i := range digits + scale {
			if i == digits {
				sb.WriteByte('.')
			}
			sb.WriteByte(byte('0' + r.IntN(10)))
		}
		return sb.String()
	}
}

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

func TestAggregatesEqualPostgreSQL(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	seed := seedtest.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	conn := pgtest.Shared(t).Conn(t)
	for _, c := range oracleCases {
		for round := range 12 {
			rows := oracleRows(r, c, []int{0, 1, 3, 40}[round%4])
			for _, name := range c.funcs {
				for _, distinct := range []bool{false, name != "array_agg" && name != "string_agg" && round%2 == 0 && c.typ.Kind != sql.Float8} {
					if name == "array_agg" && c.typ.Kind == sql.Float8 {
						continue // text of floats differs in nothing but is compared as numbers below
					}
					want := map[int]string{}
					q := oracleQuery(name, c.typ, distinct, rows)
					res, err := conn.Query(context.Background(), q)
					if err != nil {
						t.Fatal(err)
					}
					for res.Next() {
						var g int
						var v *string
						if err := res.Scan(&g, &v); err != nil {
							t.Fatal(err)
						}
						want[g] = "NULL"
						if v != nil {
							want[g] = *v
						}
					}
					if res.Err() != nil {
						t.Fatalf("%s: %v", q, res.Err())
					}
					checkAggregate(t, r, c, name, distinct, rows, want, q)
				}
			}
		}
	}
}

type oracleRow struct {
	group int
	text  *string
}

func oracleRows(r *rand.Rand, c oracleCase, n int) []oracleRow {
	rows := make([]oracleRow, n)
	for i := range rows {
		rows[i].group = r.IntN(3)
		if r.IntN(6) > 0 {
			s := c.value(r)
			rows[i].text = &s
		}
	}
	return rows
}

func oracleQuery(name string, typ sql.Type, distinct bool, rows []oracleRow) string {
	vals := []string{"(NULL::int, NULL::int, NULL::text)"}
	for i, r := range rows {
		s := "NULL"
		if r.text != nil {
			s = sql.QuoteLiteral(*r.text)
		}
		vals = append(vals, fmt.Sprintf("(%d, %d, %s)", i, r.group, s))
	}
	arg := "x"
	if name == "string_agg" {
		arg = "x, ', '"
	}
	if distinct {
		arg = "DISTINCT " + arg
	} else {
		arg += " ORDER BY id"
	}
	return fmt.Sprintf("SELECT g, CASE WHEN a IS NOT NULL THEN concat(a) END FROM (SELECT g, %s(%s) AS a FROM (SELECT id, g, s::%s AS x FROM (VALUES %s) v(id, g, s)) q WHERE g IS NOT NULL GROUP BY g) r",
		name, arg, typ, strings.Join(vals, ","))
}

func checkAggregate(t *testing.T, r *rand.Rand, c oracleCase, name string, distinct bool, rows []oracleRow, want map[int]string, q string) {
	t.Helper()
	types, args := []sql.Type{c.typ}, []int{0}
	if name == "string_agg" {
		types, args = append(types, sql.TypeText), append(args, 1)
	}
	f, err := Lookup(name, types, false)
	if err != nil {
		t.Fatal(err)
	}
	if distinct { // what the operator's distincts would pass on
		rows = firstOfEach(rows)
	}
	call := []Call{{Func: f, Args: args, Filter: -1}}
	inputs := []sql.Type{c.typ, sql.TypeText}
	all := []uint32{0, 1, 2}

	plain := NewSet(call, inputs, false)
	plain.Grow(3)
	add(plain, c.typ, rows, nil)
	compareResults(t, "plain", plain, f, want, all, q)

	retract := NewSet(call, inputs, true)
	retract.Grow(3)
	noise := oracleRows(r, c, 10)
	add(retract, c.typ, noise[:5], nil)
	add(retract, c.typ, rows, nil)
	add(retract, c.typ, noise[5:], nil)
	deletes := make([]int8, len(noise))
	for i := range deletes {
		deletes[i] = stream.Delete
	}
	if c.typ.Kind != sql.Float8 && !f.order { // floats round; array_agg may delete an equal value
		add(retract, c.typ, noise, deletes)
		compareResults(t, "retract", retract, f, want, all, q)
	}

	retracts := !f.order // else array_agg has the values in their own order
	merged, half := NewSet(call, inputs, retracts), NewSet(call, inputs, retracts)
	merged.Grow(3)
	k := len(rows) / 2
	for _, part := range [][]oracleRow{rows[:k], rows[k:]} {
		half.Reset()
		half.Grow(3)
		add(half, c.typ, part, nil)
		loaded := NewSet(call, inputs, retracts)
		loaded.Load(half.Partial(all), 3)
		merged.Merge(all, loaded, all)
	}
	compareResults(t, "merged", merged, f, want, all, q)
}

func firstOfEach(rows []oracleRow) (out []oracleRow) {
	seen := map[string]bool{}
	for _, r := range rows {
		key := fmt.Sprint(r.group, "NULL")
		if r.text != nil {
			key = fmt.Sprint(r.group, "=", *r.text)
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}

func add(s *Set, typ sql.Type, rows []oracleRow, ops []int8) {
	b := stream.NewBuilder(typ)
	ids, delims := make([]uint32, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		ids[i], delims[i] = uint32(r.group), ", "
		if r.text == nil {
			b.Append(nil)
			continue
		}
		d, err := sql.ParseText(typ, *r.text)
		if err != nil {
			panic(err)
		}
		b.Append(d)
	}
	s.Add(ids, &stream.Batch{Columns: []arrow.Array{b.Finish(), stream.Strings(delims, nil)}, Ops: ops, Rows: len(rows)}, nil)
}

func compareResults(t *testing.T, how string, s *Set, f *Func, want map[int]string, ids []uint32, q string) {
	t.Helper()
	cols, failed, err := s.Results(ids)
	if err != nil || len(failed) > 0 {
		t.Errorf("%s %s: %v %v", how, q, failed, err)
		return
	}
	if !arrow.TypeEqual(cols[0].DataType(), f.Result.Arrow()) {
		t.Fatalf("%s is %s, not %s", f.Name, cols[0].DataType(), f.Result)
	}
	for g, w := range want {
		got := "NULL"
		if d := stream.Value(cols[0], f.Result, g); d != nil {
			got = sql.FormatText(f.Result, d)
		}
		if got == w || f.Result.Kind == sql.Float8 && closeTo(got, w) {
			continue
		}
		t.Errorf("%s: group %d is %s, PostgreSQL has %s\n%s", how, g, got, w, q)
	}
}

// closeTo allows for the order in which floats are added.
func closeTo(a, b string) bool {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	return x == y || math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y), 1)
}

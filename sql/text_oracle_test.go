package sql_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// tryInput is a server function: the text output of s read as a type, or the error.
const tryInput = `CREATE FUNCTION pg_temp.try_input(typ text, s text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; d text;
BEGIN
  IF typ LIKE '%char(5)' THEN -- a cast would cut what is too long
    EXECUTE format('SELECT %sin(%L, 0, 9)::text', CASE typ WHEN 'char(5)' THEN 'bpchar' ELSE 'varchar' END, s) INTO r;
  ELSE
    EXECUTE format('SELECT (%L::%s)::text', s, typ) INTO r;
  END IF;
  RETURN r;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RETURN SQLSTATE || ': ' || SQLERRM || coalesce(nullif(' / ' || d, ' / '), '');
END $$`

// TestTextAgainstPostgres compares input and output of all types with PostgreSQL's, over random,
// extreme and mangled texts.
func TestTextAgainstPostgres(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	ctx := context.Background()
	conn := pgtest.Shared(t).Conn(t)
	if _, err := conn.Exec(ctx, "SET timezone = 'UTC'; "+tryInput); err != nil {
		t.Fatal(err)
	}
	const perType = 4000
	total := 0
	for _, g := range textGenerators() {
		typ, err := parseTypeName(g.typ)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(7, uint64(len(g.typ))))
		var in []string
		for len(in) < perType {
			s := g.make(r)
			if r.IntN(4) == 0 {
				s = mangle(r, s)
			}
			in = append(in, s)
		}
		rows, err := conn.Query(ctx, "SELECT pg_temp.try_input($1, s) FROM unnest($2::text[]) WITH ORDINALITY u(s, i) ORDER BY i",
			pgx.QueryExecModeSimpleProtocol, g.typ, in)
		if err != nil {
			t.Fatal(err)
		}
		want, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		differ := 0
		for i, s := range in {
			total++
			got := ourText(typ, s)
			if got != want[i] && !knownTextDifference(typ, s, got, want[i]) {
				if differ++; differ <= 5 {
					t.Errorf("%s %q\n got %s\nwant %s", g.typ, s, got, want[i])
				}
			}
		}
		if differ > 0 {
			t.Errorf("%s: %d of %d differ", g.typ, differ, len(in))
		}
	}
	t.Logf("%d comparisons", total)
}

func ourText(typ sql.Type, s string) string {
	d, err := sql.ParseText(typ, s)
	if err != nil {
		e := sql.AsError(err)
		text := e.Code + ": " + e.Message
		if e.Detail != "" {
			text += " / " + e.Detail
		}
		return text
	}
	if d, ok := d.(string); ok && typ.Kind == sql.Char {
		return strings.TrimRight(d, " ") // as char::text does
	}
	if b, ok := d.(bool); ok {
		return fmt.Sprint(b) // as boolean::text does
	}
	return sql.FormatText(typ, d)
}

// knownTextDifference lists what the SQL reference documents.
func knownTextDifference(typ sql.Type, s, got, want string) bool {
	mangledDate := typ.Kind == sql.Date || typ.Kind == sql.Time || typ.Kind == sql.Timestamp || typ.Kind == sql.Timestamptz
	switch {
	case mangledDate && (strings.HasPrefix(got, "22") && strings.HasPrefix(want, "22") || posixZone.MatchString(s) || strings.Contains(s, "/")):
		return true // both refuse it; or a POSIX zone such as x27, which only PostgreSQL takes
	case typ.Kind == sql.Array && strings.HasPrefix(got, "22") && strings.HasPrefix(want, "22"):
		return true // which of several faults of a literal is named
	case typ.Kind == sql.Interval && strings.HasPrefix(got, "22007"):
		return strings.Contains(s, "PTT") || strings.Contains(s, "- ") // PTT1H and "30- secs" by accident
	case typ.Kind == sql.Array && (strings.HasPrefix(got, "22023: time zone") || strings.HasPrefix(got, "22008: timestamp out of range: \"294")), typ.Kind == sql.Int2Vector:
		return strings.Contains(got+want, "22")
	case typ.Kind == sql.JSONB && strings.HasPrefix(got, "22003: value overflows"):
		return strings.HasPrefix(want, "22P02") // of two faults the other one
	case typ.Kind == sql.Numeric && strings.ContainsAny(s, " \t\n"):
		return strings.HasPrefix(got, "22P02") // 1e +5, with a space, by an accident of strtol
	case strings.HasPrefix(got, "0A000"):
		return true // multi-dimensional arrays and lower bounds
	case typ.Kind == sql.Timestamp || typ.Kind == sql.Timestamptz:
		// Timestamps end in January 294247, thirty years before PostgreSQL's.
		return strings.HasPrefix(got, "22008: timestamp out of range") && strings.HasPrefix(want, "294")
	case typ.IsFixed():
		return strings.Contains(got, "cannot hold NaN")
	}
	return false
}

var posixZone = regexp.MustCompile(`(?i)[a-z/]+[-+]?[0-9.]`)

func parseTypeName(s string) (sql.Type, error) {
	name, mods, found := strings.Cut(s, "(")
	if !found {
		return sql.TypeFromName(s, nil)
	}
	var values []int32
	for _, m := range strings.Split(strings.TrimSuffix(mods, ")"), ",") {
		var v int32
		fmt.Sscan(m, &v)
		values = append(values, v)
	}
	return sql.TypeFromName(name, values)
}

// mangle breaks a text a little.
func mangle(r *rand.Rand, s string) string {
	const alphabet = "0123456789+-.:, eETZPYx/{}[]()\"\\\t'_"
	for range 1 + r.IntN(2) {
		i := r.IntN(len(s) + 1)
		switch c := string(alphabet[r.IntN(len(alphabet))]); r.IntN(3) {
		case 0:
			s = s[:i] + c + s[i:]
		case 1:
			s = s[:i]
		case 2:
			if i < len(s) && s[i] < 0x80 {
				s = s[:i] + c + s[i+1:]
			}
		}
	}
	return strings.ToValidUTF8(s, "?")
}

type textGenerator struct {
	typ  string
	make func(r *rand.Rand) string
}

func textGenerators() []textGenerator {
	return []textGenerator{
		{"boolean", oneOf("t", "f", "true", "FALSE", "yes", "no", "on", "off", "1", "0", " y ", "o", "of", "", "tru")},
		{"smallint", integers(16)}, {"integer", integers(32)}, {"bigint", integers(64)}, {"oid", integers(33)},
		{"real", floats}, {"double precision", floats}, {"numeric", floats},
		{"numeric(10,2)", floats}, {"numeric(5,5)", floats}, {"numeric(38,10)", floats},
		{"varchar(5)", texts}, {"char(5)", texts}, {"name", texts}, {"bytea", byteas}, {"uuid", uuids},
		{"date", timestamps}, {"time", timestamps}, {"time(2)", timestamps}, {"timestamp", timestamps},
		{"timestamp(3)", timestamps}, {"timestamptz", timestamps}, {"timestamptz(0)", timestamps},
		{"interval", intervals}, {"json", jsons}, {"jsonb", jsons},
		{"integer[]", arrays(integers(32))}, {"text[]", arrays(texts)}, {"timestamp[]", arrays(timestamps)},
		{"int2vector", oneOf("1 2 3", "", " 4  5 ", "-1")},
	}
}

func oneOf(texts ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return texts[r.IntN(len(texts))] }
}

func integers(bits int) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		v := r.Int64() >> r.IntN(64)
		switch r.IntN(4) {
		case 0:
			v = int64(1)<<(bits-1) + int64(r.IntN(5)) - 2
		case 1:
			v = -v
		case 2:
			v = -(int64(1) << (bits - 1)) + int64(r.IntN(5)) - 2
		}
		return oneOf("", "", "", " ", "+")(r) + fmt.Sprint(v) + oneOf("", "", "\n")(r)
	}
}

func floats(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return oneOf("NaN", "inf", "-Infinity", "0", "-0", "1e400", "1e-400", "4.9e-324", "1e38", "3.5e38",
			"1e-46", ".5", "5.", ".", "1e", "1.7976931348623157e308", "999999.5", "1e131071", "1e131072",
			"1e-16383", "1e-16384", "99999999.995", "0.000005", "12345.678e-2", "1e15", "1e14", "123456", "1234567")(r)
	case 1:
		return fmt.Sprint(math.Float64frombits(r.Uint64()))
	case 2:
		return fmt.Sprint(math.Float32frombits(r.Uint32()))
	case 3:
		return fmt.Sprint(math.Ldexp(1, r.IntN(2098)-1074))
	case 4:
		return fmt.Sprintf("%d.%d", r.Int64()>>r.IntN(64), r.Int64N(1e6))
	case 5:
		return fmt.Sprintf("%s%d%d.%de%d", oneOf("", "-", " ")(r), r.Int64(), r.Int64(), r.Int64(), r.IntN(80)-40)
	}
	return fmt.Sprintf("%v", float64(r.IntN(2000000)-1000000)/1000)
}

func texts(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(9) {
		b.WriteString(oneOf("a", "b", " ", "ä", "€", "1", "null", `"`, `\`, ",", "{", "}", "x y")(r))
	}
	if r.IntN(20) == 0 {
		return strings.Repeat("äx", 40)
	}
	return b.String()
}

func byteas(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return fmt.Sprintf(`\x%x`, r.Uint64())
	}
	return oneOf("abc", `a\\b`, `\001\377`, `\400`, `a\`, `\x`, `\x 01 02 `, `\x0`, "ä")(r)
}

func uuids(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf(oneOf("%016x%016x", "%016X%016X", "{%016x%016x}", "%x-%x")(r), a, b)
}

func timestamps(r *rand.Rand) string {
	if r.IntN(10) == 0 {
		return oneOf("epoch", "infinity", "-infinity", "+infinity", "J2451187", "J2451187.5", "4713-01-01 BC", "4714-11-24 BC",
			"4714-11-23 BC", "294276-12-31", "294277-01-01", "5874897-12-31", "5874898-01-01", "Jan 8, 1999",
			"8 January 1999", "January 8 99 BC", "1999-Jan-08", "08-Jan-99", "99-Jan-08", "1999.008", "allballs",
			"04:05 AM", "12:00 PM", "13:00 PM", "24:00:00", "24:00:01", "23:59:60", "1/8/1999", "01/02/03",
			"18/1/1999", "19990108", "990108", "19990108T040506", "040506", "040506.789", "0405", "2000-01-01T10",
			"20000101 1011", "1999-01-08 04:05:06 America/New_York", "1999-01-08 04:05:06 CET DST", "Friday",
			"2000-366", "2000.366", "2001-366", "20011225T040506.789-07", "12:34:56 Europe/Berlin")(r)
	}
	date := oneOf("%04d-%02d-%02d", "%04d-%02d-%02d", "%d-%d-%d", "%04d%02d%02d", "%04d/%02d/%02d")(r)
	years := []int{r.IntN(3000), 1900 + r.IntN(200), r.IntN(300000), r.IntN(100)}
	s := fmt.Sprintf(date, years[r.IntN(len(years))], 1+r.IntN(12), 1+r.IntN(oneLess(r, 31)))
	if r.IntN(4) > 0 {
		s += oneOf(" ", "T", "  ", " ")(r) + fmt.Sprintf("%02d:%02d", r.IntN(24), r.IntN(60))
		if r.IntN(3) > 0 {
			s += fmt.Sprintf(":%02d", r.IntN(60)) + oneOf("", ".5", ".123456", ".1234567", ".9999999", ".0000005", ".00", ".")(r)
		}
		s += oneOf("", "", "", "Z", " UTC", "+02", "-0330", "+05:30", "-12:00:01", " PST", " europe/berlin", "+16", " PM", " xyz")(r)
	}
	if r.IntN(10) == 0 {
		s += " BC"
	}
	return s
}

// oneLess makes the last days of a month rare but possible.
func oneLess(r *rand.Rand, n int) int {
	if r.IntN(5) == 0 {
		return n
	}
	return n - 3
}

func intervals(r *rand.Rand) string {
	if r.IntN(8) == 0 {
		return oneOf("P1Y2M3DT4H5M6S", "P-1Y-2M3DT-4H5M-6.7S", "P0001-02-03T04:05:06", "PT1.5H", "P1.5Y", "P2W", "P",
			"PT", "1-2", "-1-2", "1-2 3 4:05:06", "@ 1 minute", "1 day ago", "178956970 years", "178956971 years",
			"2147483648 days", "-2147483648 days", "9223372036854775807 us", "9223372036854775808 us", "1.5 months",
			"0.1 years", "1 millennium 1 century 1 decade", "1:02:03.4567891", "02:03", "1 02:03:04", "1.5", "-.5",
			"00:00:00", "-00:00:01", "1 year -1 mons", "1.23456789 weeks", "2 hours ago 3 days", "P19990108", "1 day 1 day",
			"P1M2W3D", "PT010203", "P1-2T3:4", "1 mon -1 day +01:00:00")(r)
	}
	var parts []string
	for _, unit := range []string{"year", "years", "mons", "month", "weeks", "days", "d", "hours", "min", "secs", "ms", "us"} {
		if r.IntN(5) > 0 {
			continue
		}
		n := fmt.Sprint(r.IntN(2000) - 1000)
		switch r.IntN(6) {
		case 0:
			n += fmt.Sprintf(".%d", r.IntN(1000000))
		case 1:
			n = fmt.Sprint(r.Int64() >> r.IntN(64))
		}
		parts = append(parts, n+oneOf(" ", "")(r)+unit)
	}
	if r.IntN(3) == 0 {
		parts = append(parts, fmt.Sprintf("%s%d:%02d:%02d%s", oneOf("", "-", "+")(r), r.IntN(100), r.IntN(62), r.IntN(62), oneOf("", ".5", ".1234567")(r)))
	}
	return strings.Join(parts, " ")
}

func jsons(r *rand.Rand) string { return randomJSON(r, 3) }

func randomJSON(r *rand.Rand, depth int) string {
	space := oneOf("", "", " ", "\n")
	switch n := r.IntN(8); {
	case n == 0 && depth > 0, n == 1 && depth > 0:
		var members []string
		for range r.IntN(5) {
			key := oneOf("a", "b", "aa", "", "ä", `\n`, `\u0041`, `x\"`)(r)
			members = append(members, space(r)+`"`+key+`"`+space(r)+":"+randomJSON(r, depth-1))
		}
		return "{" + strings.Join(members, ",") + space(r) + "}"
	case n == 2 && depth > 0:
		var members []string
		for range r.IntN(4) {
			members = append(members, randomJSON(r, depth-1))
		}
		return "[" + strings.Join(members, ",") + space(r) + "]"
	case n < 5:
		return oneOf("0", "-0", "1.50", "1e5", "-1.5E-3", "12345678901234567890.5", "01", "1.", "-", "+1", ".5", "1e")(r)
	}
	return space(r) + oneOf("true", "false", "null", `"a\"b"`, `"\u00e4\ud83d\ude00"`, `"\ud83d"`, `"\u0000"`, `"\x"`,
		`"tab\t/\/"`, `"\u001f\u007f"`, "tru", `"`, "\"a\nb\"", "'a'", `"é€"`)(r)
}

func arrays(elem func(*rand.Rand) string) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		var elems []string
		for range r.IntN(4) {
			s := elem(r)
			switch r.IntN(4) {
			case 0:
				s = `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
			case 1:
				s = "NULL"
			}
			elems = append(elems, s)
		}
		return oneOf("", "", "", " ", "[1:2]=")(r) + "{" + strings.Join(elems, oneOf(",", ", ")(r)) + "}"
	}
}

package expr

import (
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// eval calls a function with texts of types: "'2024-01-31'::date".
func eval(t *testing.T, c *Context, name string, args ...string) (string, error) {
	t.Helper()
	es := make([]Expr, len(args))
	for i, a := range args {
		n := argument(a[:strings.LastIndex(a+"::", "::")], "")
		if _, typ, ok := strings.Cut(a, "::"); ok {
			n = argument(a[:strings.Index(a, "::")], strings.TrimSuffix(typ, "::"))
		}
		if n.err != nil {
			t.Fatal(n.err)
		}
		es[i] = n.expr
	}
	e, err := Call(name, es)
	if err != nil {
		return "", err
	}
	d, err := EvalDatum(c, e)
	if err != nil || d == nil {
		return "NULL", err
	}
	return string(sql.AppendTextIn(nil, e.Type(), d, c.Location)), nil
}

// TestFlinkFunctions are those that PostgreSQL can't be asked about.
func TestFlinkFunctions(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now, _ := sql.ParseTimestamp("2024-07-01 10:11:12.345678")
	c := &Context{Now: now, Location: berlin}
	for _, tc := range []struct{ call, want string }{
		{"now()", "2024-07-01 12:11:12.345678+02"},
		{"proctime()", "2024-07-01 12:11:12.345678+02"},
		{"current_timestamp(2::integer)", "2024-07-01 12:11:12.35+02"},
		{"localtimestamp(0::integer)", "2024-07-01 12:11:12"},
		{"localtime()", "12:11:12.345678"},
		{"current_date()", "2024-07-01"},
		{"age('2024-06-30 22:00'::timestamp)", "02:00:00"},
		{"to_timestamp('2024-01-31 10:00:00'::text)", "2024-01-31 10:00:00"},
		{"to_timestamp('nonsense'::text)", "NULL"},
		{"to_timestamp_ltz(1700000000000::bigint, 3::integer)", "2023-11-14 23:13:20+01"},
		{"to_timestamp_ltz(1700000000::bigint, 0::integer)", "2023-11-14 23:13:20+01"},
		{"to_timestamp_ltz(1::bigint, 2::integer)", "22023"},
		{"to_timestamp_ltz(9223372036854775807::bigint, 0::integer)", "22008"},
		{"date_format('2024-01-05 09:08:07.65'::timestamp, 'yyyy-MM-dd HH:mm:ss.SSS'::text)", "2024-01-05 09:08:07.650"},
		{"date_format('2024-01-05 19:08:07'::timestamp, 'EEE d MMM yy h:mm a'::text)", "Fri 5 Jan 24 7:08 PM"},
		{"date_format('2024-01-05 19:08:07'::timestamp, 'Q'::text)", "0A000"},
		{"current_user()", "0A000"},
		{"pg_typeof(1::bigint)", "bigint"},
	} {
		name, args, _ := strings.Cut(strings.TrimSuffix(tc.call, ")"), "(")
		var list []string
		if args != "" {
			for _, a := range splitOutside(args, ',') {
				list = append(list, strings.TrimSpace(a))
			}
		}
		got, err := eval(t, c, name, list...)
		if err != nil {
			got = sql.AsError(err).Code
		}
		if got != tc.want {
			t.Errorf("%s = %s, want %s", tc.call, got, tc.want)
		}
	}
}

// TestUnsupportedPatterns: what RE2 lacks is refused, and when a statement is planned if it can be.
func TestUnsupportedPatterns(t *testing.T) {
	text := Column(0, "t", sql.TypeText)
	check := func(code string, e Expr, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err := CheckPattern(e); err != nil {
			got = sql.AsError(err).Code
		}
		if got != code {
			t.Errorf("%s: %q, want %q", e, got, code)
		}
	}
	for pattern, code := range map[string]string{
		`(a)\1`: "0A000", `a(?=b)`: "0A000", `(?<!a)b`: "0A000", `\mé`: "0A000", `a\M`: "", `\mab`: "", `(?i)a`: "",
		`(`: "", // an error of the rows
	} {
		p := Literal(pattern, sql.TypeText)
		for _, op := range []string{"~", "~*", "!~", "!~*"} {
			e, err := Operator(op, text, p)
			check(code, e, err)
		}
		for _, name := range []string{"regexp_like", "regexp_match", "regexp_split_to_array", "regexp_count", "regexp_substr", "substring"} {
			e, err := Call(name, []Expr{text, p})
			check(code, e, err)
		}
		e, err := Call("regexp_replace", []Expr{text, p, text})
		check("", e, err) // not all but the text are constants
		e, err = Call("regexp_replace", []Expr{text, p, lit("x")})
		check(code, e, err)
		e, err = Call("regexp_match", []Expr{text, p, lit("q")}) // it is a text to look for
		check("", e, err)
		e, err = Operator("~", text, text)
		check("", e, err)
	}
	e, err := Call("regexp_match", []Expr{text, lit("a"), lit("b")}) // basic regular expressions
	check("0A000", e, err)
}

// FuzzRegex: translation neither panics nor makes anything that Go refuses but PostgreSQL would take
// for valid syntax of the kinds that are supported.
func FuzzRegex(f *testing.F) {
	for _, s := range splitOutside(words["pattern"], '|') {
		f.Add(s, "foobar")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		re, err := compileRegex(pattern, regexOptions{})
		if err != nil {
			return
		}
		last := -1
		re.findAll(text, 0, func(m []int) bool {
			if m[0] < last || m[1] < m[0] || m[1] > len(text) {
				t.Fatalf("%q in %q: match %v after %d", pattern, text, m, last)
			}
			last = m[1]
			return true
		})
	})
}

// FuzzTemplates: no template makes to_char, to_date or format panic.
func FuzzTemplates(f *testing.F) {
	for _, list := range []string{words["time"], words["number"], words["format"]} {
		for _, s := range splitOutside(list, '|') {
			f.Add(s, int64(1234567), "2024")
		}
	}
	f.Fuzz(func(t *testing.T, template string, n int64, text string) {
		ts := sql.TimestampValue(n % int64(sql.MaxTimestamp/4))
		_, _ = appendTimestampTemplate(nil, ts, template, time.UTC, true)
		_, _ = appendIntervalTemplate(nil, nil, sql.IntervalValue{Micros: n, Days: int32(n), Months: int32(n >> 32)}, template)
		_, _ = intToChar(n, template, 64)
		_, _ = floatToChar(float64(n)/7, template, 15)
		_, _ = numericToChar(nil, new(sql.Decimal).SetFinite(n, -3), template)
		_, _ = toTimestamp(&Context{}, text, template)
		_, _ = appendJavaFormat(nil, ts, template)
	})
}

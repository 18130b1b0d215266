package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/sql"
)

// functionCases are functions whose arguments have a language of their own (templates, patterns,
// units, paths), with argument lists that speak it: a column's name, or 'literals' to choose from
// divided by |. The generator of oracle_gen_test.go would give them nothing but errors.
var functionCases = []struct{ name, args string }{
	{"extract", "@unit, p1"}, {"extract", "@unit, z1"}, {"extract", "@unit, r1"}, {"extract", "@unit, a1"}, {"extract", "@unit, h1"},
	{"date_part", "@unit, p1"}, {"date_part", "@unit, z1"}, {"date_part", "@unit, r1"}, {"date_part", "@unit, a1"},
	{"date_trunc", "@unit, p1"}, {"date_trunc", "@unit, z1"}, {"date_trunc", "@unit, r1"}, {"date_trunc", "@unit, z1, @zone"},
	{"timezone", "@zone, p1"}, {"timezone", "@zone, z1"},
	{"date_bin", "'1 hour'|'15 minutes'|'7 days'|'00:00:00.000007'|'-1 day'::interval, p1, p2"},
	{"to_char", "p1, @time"}, {"to_char", "z1, @time"}, {"to_char", "r1, @time"},
	{"to_char", "i1, @number"}, {"to_char", "l1, @number"}, {"to_char", "m1, @number"}, {"to_char", "m2, @number"}, {"to_char", "n1, @number"}, {"to_char", "d1, @number"}, {"to_char", "f1, @number"},
	{"to_date", "@date"}, {"to_timestamp", "@date"},
	{"make_date", "@small, @small, @small"}, {"make_time", "@small, @small, @float"}, {"make_timestamp", "@year, @small, @small, @small, @small, @float"},
	{"make_timestamptz", "@year, @small, @small, @small, @small, @float"}, {"make_interval", "@small, @small, @small, i1, i2, @small, d1"},
	{"to_timestamp", "d1"}, {"age", "p1, p2"}, {"age", "z1, z2"},
	{"regexp_match", "@subject, @pattern"}, {"regexp_match", "@subject, @pattern, @flags"}, {"regexp_replace", "@subject, @pattern, @replacement"},
	{"regexp_replace", "@subject, @pattern, @replacement, @flags"}, {"regexp_replace", "@subject, @pattern, @replacement, @small"},
	{"regexp_replace", "@subject, @pattern, @replacement, @small, @small"}, {"regexp_split_to_array", "@subject, @pattern"},
	{"regexp_count", "@subject, @pattern"}, {"regexp_count", "@subject, @pattern, @small, @flags"}, {"regexp_like", "@subject, @pattern, @flags"}, {"regexp_substr", "@subject, @pattern, @small, @small"},
	{"~", "@subject, @pattern"}, {"~*", "@subject, @pattern"}, {"!~", "@subject, @pattern"}, {"substring", "@subject, @pattern"},
	{"similar_to_escape", "@similar"}, {"substring", "@subject, @similar, '#'"},
	{"format", "@format, t1, i1, p1"}, {"format", "@format, t1"}, {"concat_ws", "t1, t2, i1, b1, m1, p1"}, {"quote_literal", "t1"}, {"quote_ident", "'a'|'A'|'select'|'a b'|'\"'|'1a'|'_x'|''"},
	{"encode", "y1, 'hex'|'base64'|'escape'|'x'"}, {"decode", "'YWJj'|'YQ=='|'YQ='|'YW'|'=a'|'a b c='|'!', 'base64'"}, {"decode", `'\\001a'|'a\\'|'\\\\'|'\\x41', 'escape'`}, {"decode", "'0a fF'|'0'|'0g', 'hex'"},
	{"split_part", "'a,b,,c'|'abc'|',', ','|'b'|'', @small"}, {"overlay", "t1, t2, @small, @small"}, {"substring", "t1, @small, @small"}, {"substr", "y1, @small, @small"},
	{"lpad", "t1, @small, t2"}, {"rpad", "t1, @small, t2"}, {"left", "t1, @small"}, {"right", "t1, @small"}, {"translate", "t1, 'abc'|'ab日', 'XY'|'日本語'|''"}, {"chr", "@small"}, {"chr", "'128512'|'1114112'|'55296'|'-1'|'0'::integer"},
	{"string_to_array", "'a,b,,c'|'a'|'', ','|''|NULL, 'a'|''|NULL"},
	{"->", "j1, 'a'|'b'|'cc'|'x'"}, {"->>", "j1, 'a'|'b'|'cc'|'1'"}, {"->", "j1, @small"}, {"->>", "j1, @small"}, {"->", "o1, 'a'|'b'"}, {"->>", "o1, @small"},
	{"#>", "j1, @path"}, {"#>>", "j1, @path"}, {"#>>", "o1, @path"}, {"#-", "j1, @path"}, {"-", "j1, 'a'|'b'"}, {"-", "j1, @small"}, {"-", "j1, @path"}, {"?", "j1, 'a'|'b'|''"}, {"?|", "j1, @path"}, {"?&", "j1, @path"},
	{"@>", "j1, j2"}, {"@>", "j1, '{\"a\": 1}'|'[1]'|'1'|'[]'|'{}'|'\"a\"'::jsonb"}, {"||", "j1, j2"}, {"jsonb_set", "j1, @path, j2"}, {"jsonb_set", "j1, @path, j2, false"}, {"jsonb_insert", "j1, @path, j2"}, {"jsonb_insert", "j1, @path, j2, true"},
	{"jsonb_extract_path", "j1, 'a'|'b'|'0', 'c'|'1'|'-1'"}, {"jsonb_extract_path_text", "j1, 'a'|'b'"}, {"jsonb_pretty", "j1"}, {"jsonb_strip_nulls", "j1"}, {"json_strip_nulls", "o1"}, {"jsonb_array_length", "j1"}, {"jsonb_typeof", "j1"}, {"json_typeof", "o1"},
	{"jsonb_build_object", "'a'|'b'|NULL, j1, t1, p1"}, {"json_build_object", "'a', x1, t1, m1"}, {"jsonb_build_array", "i1, t1, z1, n1, d1, x2, b1, r1, u1"}, {"json_build_array", "f1, d1, n1, a1, j1, o1, y1, h1"},
	{"to_json", "x2"}, {"to_jsonb", "x3"}, {"to_jsonb", "d1"}, {"to_jsonb", "t1"}, {"to_json", "z1"}, {"to_json", "p1"}, {"to_json", "a1"}, {"array_to_json", "x1, true"},
	{"array_position", "x1, i1"}, {"array_position", "x1, i1, @small"}, {"array_positions", "x2, t1"}, {"array_remove", "x1, i1"}, {"array_replace", "x2, t1, t2"}, {"array_to_string", "x2, ','|NULL, '*'|NULL"}, {"array_append", "x1, i1"}, {"array_cat", "x1, x1"}, {"array_length", "x1, @small"}, {"trim_array", "x1, @small"},
	{"width_bucket", "d1, -10::float8, 10::float8, @small"}, {"width_bucket", "m1, m2, n1, @small"}, {"round", "m1, @small"}, {"round", "n1, @small"}, {"trunc", "n1, @small"}, {"log", "n1, n2"}, {"ln", "n1"}, {"exp", "m2"}, {"sqrt", "n1"}, {"power", "m2, '2'|'-3'|'0.5'|'0'::numeric"}, {"log", "m3"}, {"gcd", "n1, n2"}, {"lcm", "m1, m2"}, {"factorial", "'0'|'5'|'33'|'-1'::bigint"}, {"div", "n1, m2"}, {"mod", "m1, m2"}, {"gcd", "i1, i2"}, {"lcm", "l1, l2"},
	{"pg_size_pretty", "l1"}, {"to_hex", "i1"}, {"to_hex", "l1"}, {"starts_with", "t1, t2"}, {"initcap", "t1"}, {"md5", "t1"}, {"sha256", "y1"}, {"convert_from", "y1, 'UTF8'"},
}

// words are what @names in functionCases stand for.
var words = map[string]string{
	"unit":        "'microseconds'|'ms'|'second'|'minute'|'hour'|'day'|'week'|'month'|'quarter'|'year'|'decade'|'century'|'millennium'|'julian'|'isoyear'|'dow'|'isodow'|'doy'|'epoch'|'timezone'|'timezone_hour'|'timezone_minute'|'YEAR'|'x'",
	"zone":        "'UTC'|'Europe/Berlin'|'america/new_york'|'EST'|'+02'|'UTC-3'|'CEST'|'Asia/Kathmandu'|'nowhere'",
	"small":       "'-3'|'-1'|'0'|'1'|'2'|'3'|'5'|'12'|'30'::integer",
	"year":        "'2024'|'-44'|'1'|'9999'|'0'|'294276'::integer",
	"float":       "'0'|'1.5'|'59.9999999'|'60'|'-1'|'NaN'::double precision",
	"subject":     "'foobarbaz'|'abcabc'|'a1b22c333'|''|E'one\\ntwo'|'aaa'|'Hello World'|'x.y.z'|'äöü'|'foo  bar'",
	"pattern":     `'o+'|'b(.)(.)'|'^a'|'z$'|'[0-9]+'|'(a|ab)(c|bcd)'|'a*'|'a*?'|'\\d{2,}'|'\\w+'|'\\s+'|''|'x|y|'|'[[:alpha:]]+'|'[^a-c]'|'(?i)HELLO'|'***=x.y'|'\\mfoo'|'bar\\M'|'\\yWorld'|'o{2}'|'('|'a{1'|'[a'|'*a'|'a**'|'\\'|'\\.'|'^two'|'.'|'(b)?a'|'\\Aone'|'e$'|'two\\Z'|'[]a]'|'[a\\-z]'|'a{,2}'|'{a'`,
	"flags":       "''|'g'|'i'|'gi'|'n'|'x'|'z'|'c'|'s'",
	"replacement": `'X'|'[\\&]'|'\\1-\\2'|'\\\\'|''|'\\'|'\\9'`,
	"similar":     `'%foo%'|'a_c%'|'(a|b)+'|'foo#"bar#"baz'|'[a-c]*'|'a.b'|'%#"o_b#"%'|'\\%'|'x{2}'`,
	"format":      `'%s %I %L'|'%2$s-%1$s'|'%%'|'%10s|'|'%-5s|'|'%s'|'%x'|'%'|'%1$s %s %s'|'%*s'|'%0$s'|'%L'`,
	"path":        "'{a}'|'{b,c}'|'{b,c,0}'|'{0}'|'{-1}'|'{}'|'{1,a}'|'{a,x}'|'{NULL}'|'{5}'|'{cc}'::text[]",
	"time":        `'YYYY-MM-DD HH24:MI:SS.US'|'FMMonth FMDD, YYYY'|'Day DD Mon YY'|'HH12:MI AM'|'Y,YYY J Q WW W IW IYYY ID D DDD'|'DDth "of" month'|'TZ OF TZH:TZM'|'CC BC'|'RM rm'|'MS FF1 FF3 FF6'|'SSSSS'|'IDDD IYY IY I'|'YYY Y'|'FMHH24 FMSS'|'\\"x\\"'|'dy DY Dy A.M. p.m. b.c.'|'HH:MI'|'"quo""te" YYYY'|''|'FMYYYY FMMM'|'MONth'|'TH'|'YYYYth'`,
	"number":      `'999'|'000'|'9,999.99'|'FM999.99'|'S999'|'999S'|'MI999'|'999MI'|'PL999'|'SG999'|'999PR'|'RN'|'FMRN'|'9.9EEEE'|'99V99'|'L999'|'999D99'|'9G999'|'099.9'|'FM0.9'|'9.9'|'FM9.9'|'B999'|'999th'|'FM999MI'|'x999'|'99999999999999999999.99999'|'FM990.00'|'0.00'|'9.9.9'|'SS9'|'9PR9'|'.99'|'FM.99'|'FM999,999,999PR'|'FMS999'|'99 99'`,
	"date":        `'2024-01-31', 'YYYY-MM-DD'|'20240131', 'YYYYMMDD'|'31 Jan 2024', 'DD Mon YYYY'|'January 31, 2024', 'Month DD, YYYY'|'05:06:07 PM', 'HH12:MI:SS AM'|'2024-01-31 13:14:15.678', 'YYYY-MM-DD HH24:MI:SS.MS'|'2024 060', 'YYYY DDD'|'24-1-5', 'YY-MM-DD'|'2024-13-01', 'YYYY-MM-DD'|'2024-02-30', 'YYYY-MM-DD'|'x', 'YYYY'|'2024-05-06 +02', 'YYYY-MM-DD TZH'|'2006-42-3', 'IYYY-IW-ID'|'44-03-15 BC', 'YYYY-MM-DD BC'|'2451187', 'J'|'  2024  5 ', 'YYYY MM'|'1,234', 'Y,YYY'|'2024/01/31', 'YYYY-MM-DD'|'202', 'YYYYMMDD'|'13:00', 'HH12:MI'|'15 XII 2020', 'DD RM YYYY'|'99', 'YY'|'069', 'YYY'|'21 5', 'CC Y'|'3000-01-01 12:30', 'FXYYYY-MM-DD HH24:MI'|'2024-01-31T10:11', 'YYYY-MM-DD"T"HH24:MI'|'', 'YYYY'|'2024 Q2', 'YYYY "Q"Q'|'Monday 5', 'Day DD'`,
}

// TestFunctionsAgainstPostgres compares the functions of functionCases, with every choice of their
// literals over all rows.
func TestFunctionsAgainstPostgres(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	o := newOracle(t, 11)
	o.load()
	var batch []node
	flush := func() {
		o.run(batch)
		batch = nil
	}
	for _, c := range functionCases {
		lists := argumentLists(c.args)
		o.gen.r.Shuffle(len(lists), func(i, j int) { lists[i], lists[j] = lists[j], lists[i] })
		for _, args := range lists[:min(len(lists), maxArgumentLists)] {
			e := o.gen.apply(&Function{Name: c.name}, args)
			e.root = c.name + " " + c.args
			o.exprs++
			if e.skip || !o.planned(e) {
				continue
			}
			if batch = append(batch, e); len(batch) == 200 {
				flush()
			}
		}
	}
	flush()
	t.Logf("%d comparisons over %d expressions: %d values, %d row errors, %d planning errors; %d known differences",
		o.compared, o.exprs, o.values, o.rowErrors, o.planErrors, o.known)
}

// maxArgumentLists bounds how many argument lists of a case are tried.
const maxArgumentLists = 250

// argumentLists are all the argument lists that a template of functionCases stands for.
func argumentLists(template string) [][]node {
	if name, ok := strings.CutPrefix(template, "@date"); ok && name == "" {
		var out [][]node
		for _, pair := range splitOutside(words["date"], '|') {
			out = append(out, argumentLists(pair)...)
		}
		return out
	}
	lists := [][]node{nil}
	for _, arg := range splitOutside(template, ',') {
		var next [][]node
		for _, choice := range choices(strings.TrimSpace(arg)) {
			for _, l := range lists {
				next = append(next, append(append([]node(nil), l...), choice))
			}
		}
		lists = next
	}
	return lists
}

// choices are the nodes that one argument stands for.
func choices(arg string) []node {
	typ := ""
	if name, ok := strings.CutPrefix(arg, "@"); ok {
		arg = words[name]
	}
	if i := strings.LastIndex(arg, "::"); i >= 0 {
		arg, typ = arg[:i], arg[i+2:]
	}
	var out []node
	for _, text := range splitOutside(arg, '|') {
		out = append(out, argument(strings.TrimSpace(text), typ))
	}
	return out
}

func argument(text, typ string) node {
	for i, c := range oracleColumns {
		if c.Name == text {
			return node{sql: text, expr: Column(i, text, c.Type), root: "column"}
		}
	}
	n := node{sql: text, root: "literal"}
	switch {
	case text == "NULL":
		n.expr = Literal(nil, sql.TypeUnknown)
	case text == "true" || text == "false":
		n.expr = Literal(text == "true", sql.TypeBool)
	case text[0] == '\'':
		s := strings.ReplaceAll(text[1:len(text)-1], `\\`, `\`)
		n.sql, n.expr = sql.QuoteLiteral(s), Literal(s, sql.TypeUnknown)
	case strings.HasPrefix(text, "E'"):
		s := strings.ReplaceAll(text[2:len(text)-1], `\n`, "\n")
		n.sql, n.expr = sql.QuoteLiteral(s), Literal(s, sql.TypeUnknown)
	default:
		n.expr = Literal(text, sql.TypeUnknown)
		n.sql = "'" + text + "'"
	}
	if typ != "" {
		t, err := sql.TypeFromName(typ, nil)
		if err == nil {
			n.expr, n.err = CastTo(n.expr, t, Explicit)
		}
		n.sql = fmt.Sprintf("(%s)::%s", n.sql, typ)
	}
	return n
}

// splitOutside splits at a character outside quotes.
func splitOutside(s string, sep byte) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

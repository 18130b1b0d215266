package expr

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// inexactFunctions give floats whose last digits are the C library's; they are not nested in others.
var inexactFunctions = set(`^ |/ ||/ exp dexp dsqrt ln log log10 power pow sqrt cbrt sin cos tan cot asin acos atan atan2 sinh cosh
	tanh asinh acosh atanh sind cosd tand cotd asind acosd atand atan2d degrees radians`)

// sizeFunctions take integers that are sizes of their result.
var sizeFunctions = set(`repeat lpad rpad factorial ^ power pow array_fill generate_series << >>`)

// notInPostgres are functions of Flink's, and those whose syntax PostgreSQL has in its grammar; age of
// one argument, which depends on the day; and what asks about the session or the catalog.
var notInPostgres = set(`localtime localtimestamp current_time current_timestamp current_date to_timestamp_ltz date_format
	to_timestamp(text) to_timestamp(text,text,text) age(timestampwithouttimezone) age(timestampwithtimezone)
	set_config current_setting current_schema current_schemas current_database current_user session_user`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// value is the text of a random value of type t, extremes and oddities often among them.
func (g *generator) value(t sql.Type) string {
	r := g.r
	if list, ok := oddValues[t.Kind]; ok && r.IntN(3) == 0 {
		return pick(g, list)
	}
	switch t.Kind {
	case sql.Bool:
		return pick(g, []string{"t", "f"})
	case sql.Int2, sql.Int4, sql.Int8:
		if r.IntN(2) == 0 {
			return fmt.Sprint(r.IntN(21) - 10)
		}
		width := map[sql.Kind]int{sql.Int2: 16, sql.Int4: 32, sql.Int8: 64}[t.Kind]
		return fmt.Sprint(int64(r.Uint64()) >> (64 - width + r.IntN(width)))
	case sql.Float4, sql.Float8:
		if r.IntN(2) == 0 {
			return fmt.Sprint(float64(r.IntN(4001)-2000) / 8)
		}
		return fmt.Sprintf("%.6g", (r.Float64()-0.5)*math.Pow(10, float64(r.IntN(40)-20)))
	case sql.Numeric:
		return g.numeric(t)
	case sql.Text, sql.Varchar, sql.Char, sql.Name, sql.Unknown:
		return g.text(t)
	case sql.Bytea:
		b := make([]byte, r.IntN(6))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return `\x` + hex.EncodeToString(b)
	case sql.Date:
		return g.date()
	case sql.Time:
		return g.clock()
	case sql.Timestamp:
		return g.date() + " " + g.clock()
	case sql.Timestamptz:
		return g.date() + " " + g.clock() + pick(g, []string{"", "+00", "+02", "-05:30", "+14"})
	case sql.Interval:
		return g.interval()
	case sql.UUID:
		return fmt.Sprintf("%08x-0000-4000-8000-%012x", r.IntN(4), r.IntN(4))
	case sql.JSON, sql.JSONB:
		return g.json(2)
	case sql.Array:
		elems := make([]string, r.IntN(4))
		for i := range elems {
			if elems[i] = "NULL"; r.IntN(5) > 0 {
				elems[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(g.value(*t.Elem)) + `"`
			}
		}
		return "{" + strings.Join(elems, ",") + "}"
	}
	panic("no values of " + t.String())
}

var oddValues = map[sql.Kind][]string{
	sql.Int2:    {"0", "1", "-1", "32767", "-32768", "2", "100"},
	sql.Int4:    {"0", "1", "-1", "2147483647", "-2147483648", "65536", "7"},
	sql.Int8:    {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "4294967296", "3037000500"},
	sql.Float4:  {"0", "-0", "1", "NaN", "Infinity", "-Infinity", "3.4028235e38", "1e-45", "0.5", "2.5", "-1.5", "16777217"},
	sql.Float8:  {"0", "-0", "1", "NaN", "Infinity", "-Infinity", "1.7976931348623157e308", "5e-324", "0.5", "2.5", "-1.5", "9007199254740993", "1e15", "1e-5"},
	sql.Numeric: {"0", "0.00", "1", "-1", "1.0", "0.5", "-2.5", "99999.99999", "0.000001", "10", "100.00", "12345678.90"},
	sql.Text:    {"", " ", "a", "abc", "ABC", "%", "_", `\`, "a%b", "12", "-7", "1.5", "true", "ä", "日本語", "😀", "x'y", "  pad  ", "2024-02-29", "NULL", "Hello World"},
	sql.Date:    {"0001-01-01", "9999-12-31", "0001-12-31 BC", "4713-01-01 BC", "5874897-12-31", "infinity", "-infinity", "1970-01-01", "2000-02-29", "1999-12-31", "2024-12-30"},
	sql.Time:    {"00:00:00", "23:59:59.999999", "24:00:00", "12:00:00", "00:00:00.000001"},
	sql.Timestamp: {"0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "infinity", "-infinity", "1970-01-01 00:00:00", "4713-01-01 00:00:00 BC",
		"290000-12-31 23:59:59.999999", "2024-02-29 12:34:56.789", "2000-01-01 00:00:00", "1969-12-31 23:59:59.999999", "0044-03-15 10:00:00 BC"},
	sql.Timestamptz: {"0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", "infinity", "-infinity", "1970-01-01 00:00:00+00",
		"2024-03-31 01:00:00+00", "2024-03-31 00:59:59.999999+00", "2024-10-27 00:30:00+00", "2024-10-27 01:30:00+00", "2000-01-01 00:00:00+00", "2024-03-10 07:30:00+00"},
	sql.Interval: {"0", "1 day", "-1 day", "1 month", "1 year 2 mons 3 days 04:05:06.789", "24:00:00", "30 days", "-1 mons +30 days", "00:00:00.000001",
		"178000000 years", "1 day -00:00:01", "-00:00:00.5", "100 years"},
	sql.JSONB: {"null", "true", "1", "-0.50", "1e5", `""`, `"abc"`, "[]", "{}", `[1, "a", null, [2]]`, `{"a": 1, "b": {"c": [1, 2]}}`, `{"a": null}`, `"true"`},
}

func (g *generator) numeric(t sql.Type) string {
	r := g.r
	if t.Precision == 0 {
		switch r.IntN(8) {
		case 0:
			return pick(g, []string{"NaN", "Infinity", "-Infinity", "1e30", "-123456789012345678901234567890.123456789", "1e-30",
				"18446744073709551616", "9223372036854775808", "0.00000000000000000001", "99999999999999999999.5", "4999.99995"})
		case 1:
			return g.digits(40) + "." + g.digits(30)
		}
		return pick(g, []string{"", "-"}) + g.digits(6) + pick(g, []string{"", ".", ".5", "." + g.digits(4)})
	}
	whole := t.Precision - t.Scale
	return pick(g, []string{"", "-"}) + g.digits(int(whole)) + "." + g.digits(int(t.Scale))
}

// digits is up to n digits, at least one.
func (g *generator) digits(n int) string {
	b := make([]byte, 1+g.r.IntN(n))
	for i := range b {
		b[i] = byte('0' + g.r.IntN(10))
	}
	return string(b)
}

func (g *generator) text(t sql.Type) string {
	max := 8
	if t.Precision > 0 {
		max = int(t.Precision)
	}
	if g.r.IntN(3) == 0 {
		if s := pick(g, oddValues[sql.Text]); len([]rune(s)) <= max {
			return s
		}
	}
	var b strings.Builder
	for range g.r.IntN(max + 1) {
		b.WriteString(pick(g, []string{"a", "b", "A", "B", "c", " ", "1", "2", "_", "%", "é", "ß", "日", ".", ",", "x"}))
	}
	return b.String()
}

func (g *generator) pattern() string {
	var b strings.Builder
	for range g.r.IntN(6) {
		b.WriteString(pick(g, []string{"%", "%", "_", "a", "b", "A", `\`, `\%`, `\_`, "日", "1"}))
	}
	return b.String()
}

func (g *generator) date() string {
	return fmt.Sprintf("%04d-%02d-%02d", pick(g, []int{1, 99, 1582, 1900, 1969, 1999, 2000, 2023, 2024, 2024, 2038, 9999}), g.r.IntN(12)+1, g.r.IntN(28)+1)
}

func (g *generator) clock() string {
	s := fmt.Sprintf("%02d:%02d:%02d", g.r.IntN(24), g.r.IntN(60), g.r.IntN(60))
	if g.r.IntN(2) == 0 {
		s += "." + g.digits(6)
	}
	return s
}

func (g *generator) interval() string {
	var parts []string
	for _, unit := range []string{"years", "mons", "days"} {
		if g.r.IntN(2) == 0 {
			parts = append(parts, fmt.Sprint(g.r.IntN(61)-30, " ", unit))
		}
	}
	if len(parts) == 0 || g.r.IntN(2) == 0 {
		parts = append(parts, pick(g, []string{"", "-"})+g.clock())
	}
	return strings.Join(parts, " ")
}

func (g *generator) json(depth int) string {
	n := g.r.IntN(6)
	if depth == 0 {
		n %= 4
	}
	switch n {
	case 0:
		return pick(g, []string{"null", "true", "false"})
	case 1, 2:
		return fmt.Sprint(g.r.IntN(20)-10) + pick(g, []string{"", ".0", ".50"})
	case 3:
		return pick(g, []string{`"a"`, `"b"`, `""`, `"日本"`, `"a\nb"`, `"\""`, `"12"`})
	case 4:
		elems := make([]string, g.r.IntN(4))
		for i := range elems {
			elems[i] = g.json(depth - 1)
		}
		return "[" + strings.Join(elems, ", ") + "]"
	}
	var fields []string
	for _, k := range []string{"a", "b", "cc", "1"} {
		if g.r.IntN(2) == 0 {
			fields = append(fields, fmt.Sprintf("%q: %s", k, g.json(depth-1)))
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

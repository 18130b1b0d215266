package expr

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// The known differences from PostgreSQL, each with its reason. Besides these, the values leave out
// timestamps of the years 294247 to 294276, which PostgreSQL has and we don't: ours count
// microseconds from 1970, its own from 2000.
var knownDifferences = []struct {
	reason string
	is     func(e node, what, details, code string) bool
}{
	{"numeric(p,s) holds no NaN: an Arrow decimal has none", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "cannot hold NaN")
	}},
	{"PostgreSQL 15 lets differences of timestamps beyond 292,000 years, and make_interval, wrap around", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "got error 22008 interval out of range")
	}},
	{"of several operands that fail, another may be reported: PostgreSQL swaps those of interval + timestamp and the like", func(e node, what, details, _ string) bool {
		return e.deep && what == "error" && !strings.Contains(details, "want error") && e.root != "column"
	}},
	{"the year 294276 cannot be made by make_timestamp either", func(e node, _, details, _ string) bool {
		return strings.HasPrefix(e.root, "make_timestamp") && strings.Contains(details, "out of range: 294276")
	}},
	{"age of an infinite timestamp is 22008; PostgreSQL 15 computes with the largest integer", func(e node, _, details, _ string) bool {
		return strings.Contains(e.sql, "age(") && strings.Contains(strings.ToLower(e.sql+details), "infinity")
	}},
	{"ISO weeks of intervals of millions of years, where PostgreSQL's day count overflows", func(e node, _, _, _ string) bool {
		return strings.Contains(e.sql, "r1, 'IDDD")
	}},
	{"POSIX time zones with daylight saving, such as x2y, are not recognized", func(_ node, _, details, _ string) bool {
		return posixZone.MatchString(details)
	}},
	{"the basic regular expressions of flag b are 0A000", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, `regular expression option "b"`)
	}},
	{"to_timestamp of an untyped literal is Flink's of a text, not PostgreSQL's of seconds", func(e node, _, _, _ string) bool {
		return strings.Contains(e.sql, "to_timestamp('") || strings.Contains(e.sql, "to_timestamp(NULL)")
	}},
	{"trunc of an untyped literal is not ambiguous, as there is no macaddr", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "function trunc(unknown) is not unique")
	}},
	{"convert_from and convert_to know UTF8 only", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "encoding name")
	}},
	{"width_bucket between the largest doubles overflows in PostgreSQL 15", func(e node, _, details, _ string) bool {
		return strings.Contains(e.sql, "width_bucket") && largeDouble.MatchString(e.sql+details)
	}},
	{"width_bucket of numerics rounds a quotient up to the next bucket in PostgreSQL 15", func(e node, what, _, _ string) bool {
		return what == "value" && strings.Contains(e.sql, "width_bucket(")
	}},
	{"concat and concat_ws may have nothing to join", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "function concat")
	}},
	{"there is no anonymous row type to read a literal as", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "input of anonymous composite types") || strings.Contains(details, "row_to_json(unknown")
	}},
	{"Flink's to_timestamp of a text", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "function to_timestamp(")
	}},
	{"@>, <@ and && are not ambiguous for untyped literals, as there are no range types", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "want 42725 operator is not unique: ")
	}},
	{"an interval of millennia as a time zone wraps around in PostgreSQL", func(e node, what, _, _ string) bool {
		return what == "value" && strings.Contains(e.sql, "timezone((r")
	}},
	{"an array's type counts its dimensions: integer[] and integer[][] are two types", func(_ node, what, details, _ string) bool {
		return what == "plan" && strings.Contains(details, "[][]")
	}},
}

func knownDifference(e node, what, details, code string) bool {
	for _, k := range knownDifferences {
		if k.is(e, what, details, code) {
			return true
		}
	}
	return false
}

// sameFloat allows for the last digits of functions that C libraries compute each in their own way;
// Go's math.Pow may be off in the 13th.
func sameFloat(t sql.Type, a, b string, inexact bool) bool {
	if !inexact || t.Kind != sql.Float8 && t.Kind != sql.Float4 {
		return false
	}
	x, errX := strconv.ParseFloat(strings.TrimPrefix(a, "0"), 64)
	y, errY := strconv.ParseFloat(strings.TrimPrefix(b, "0"), 64)
	if errX != nil || errY != nil || a[0] != b[0] {
		return false
	}
	return math.Abs(x-y) <= 1e-12*math.Max(math.Abs(x), math.Abs(y))
}

var posixZone = regexp.MustCompile(`time zone ".*[0-9].*" not recognized`)

var largeDouble = regexp.MustCompile(`e\+?308`)

package expr

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// The known differences from PostgreSQL, each with its reason.
var knownDifferences = []struct {
	reason string
	is     func(e node, what, details, code string) bool
}{
	{"numeric(p,s) holds no NaN: an Arrow decimal has none", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "cannot hold NaN")
	}},
	{"timestamps end in January 294247, where microseconds since 1970 leave an int64; PostgreSQL's 30 years later", func(_ node, _, details, _ string) bool {
		return strings.Contains(details, "out of range") && lastYears.MatchString(details)
	}},
	{"of several operands that fail, another may be reported: PostgreSQL swaps those of interval + timestamp and the like", func(e node, what, details, _ string) bool {
		return e.deep && what == "error" && !strings.Contains(details, "want error") && e.root != "column"
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

var lastYears = regexp.MustCompile(`\b294(24[6-9]|2[567]\d)-`)

// sameFloat allows for the last digits of functions that C libraries compute each in their own way.
func sameFloat(t sql.Type, a, b string, inexact bool) bool {
	if !inexact || t.Kind != sql.Float8 && t.Kind != sql.Float4 {
		return false
	}
	x, errX := strconv.ParseFloat(strings.TrimPrefix(a, "0"), 64)
	y, errY := strconv.ParseFloat(strings.TrimPrefix(b, "0"), 64)
	if errX != nil || errY != nil || a[0] != b[0] {
		return false
	}
	return math.Abs(x-y) <= 1e-13*math.Max(math.Abs(x), math.Abs(y))
}

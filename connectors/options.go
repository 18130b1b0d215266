package connectors

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// Options reads the WITH options of a relation. Every getter names an option that is known; Err
// then reports an option that nobody asked for, with the nearest known name as a hint, or else the
// first wrong value. So what a connector reads is, by construction, what it accepts:
//
//	o := connectors.NewOptions(r.Options)
//	topic := o.Required("topic")
//	start := o.Enum("scan.startup.mode", "earliest", "earliest", "latest")
//	props := o.Prefix("properties.")
//	if err := o.Err(); err != nil {
//
// Keys are lower case. A getter that finds a wrong value returns the default.
type Options struct {
	values map[string]string
	known  map[string]bool
	err    *sql.Error
}

// NewOptions reads values, which it does not change. The option `connector` is known to all.
func NewOptions(values map[string]string) *Options {
	return &Options{values: values, known: map[string]bool{"connector": true}}
}

// Has makes key known and tells whether it is set.
func (o *Options) Has(key string) bool {
	_, ok := o.lookup(key)
	return ok
}

// String returns the option's value, or def when it is not set.
func (o *Options) String(key, def string) string {
	if v, ok := o.lookup(key); ok {
		return v
	}
	return def
}

// Required returns the option's value; it is an error when it is not set or empty.
func (o *Options) Required(key string) string {
	v, ok := o.lookup(key)
	if !ok || v == "" {
		o.fail(sql.Errorf(sql.CodeInvalidParameter, "option %q is required", key))
	}
	return v
}

// Bool accepts PostgreSQL's spellings: true, on, yes, 1 and their opposites.
func (o *Options) Bool(key string, def bool) bool {
	v, ok := o.lookup(key)
	if !ok {
		return def
	}
	switch strings.ToLower(v) {
	case "true", "on", "yes", "1":
		return true
	case "false", "off", "no", "0":
		return false
	}
	o.fail(sql.Errorf(sql.CodeInvalidParameter, "option %q requires a Boolean value, not %q", key, v))
	return def
}

// Int accepts an integer from low to high.
func (o *Options) Int(key string, def, low, high int64) int64 {
	v, ok := o.lookup(key)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		o.fail(sql.Errorf(sql.CodeInvalidParameter, "option %q requires an integer, not %q", key, v))
		return def
	}
	return o.within(key, v, n, def, low, high)
}

// Enum returns the one of values that the option equals but for case.
func (o *Options) Enum(key, def string, values ...string) string {
	v, ok := o.lookup(key)
	if !ok {
		return def
	}
	for _, e := range values {
		if strings.EqualFold(e, v) {
			return e
		}
	}
	err := sql.Errorf(sql.CodeInvalidParameter, "invalid value for option %q: %q", key, v)
	if n := Nearest(v, values); n != "" {
		err = err.WithHint("Did you mean %q?", n)
	} else {
		err = err.WithHint("Valid values are %s.", strings.Join(values, ", "))
	}
	o.fail(err)
	return def
}

// Duration accepts "100 ms", "5s", "1 min", "1h30m", "2 days"; a bare number is milliseconds, as
// in Kafka's properties.
func (o *Options) Duration(key string, def time.Duration) time.Duration {
	v, ok := o.lookup(key)
	if !ok {
		return def
	}
	d, ok := parseDuration(v)
	if !ok {
		o.fail(sql.Errorf(sql.CodeInvalidParameter, "option %q requires a duration, not %q", key, v).
			WithHint("Write a number and a unit: ms, s, min, h or d."))
		return def
	}
	return d
}

// Size accepts a number of bytes from low to high: "1048576", "512 kB", "16mb", "1 GiB", with units
// of 1024 as in PostgreSQL.
func (o *Options) Size(key string, def, low, high int64) int64 {
	v, ok := o.lookup(key)
	if !ok {
		return def
	}
	n, ok := parseSize(v)
	if !ok {
		o.fail(sql.Errorf(sql.CodeInvalidParameter, "option %q requires a size in bytes, not %q", key, v).
			WithHint("Write a number and a unit: B, kB, MB, GB or TB."))
		return def
	}
	return o.within(key, v, n, def, low, high)
}

// Prefix makes every key that starts with prefix known and returns them without it.
func (o *Options) Prefix(prefix string) map[string]string {
	m := map[string]string{}
	for k, v := range o.values {
		if strings.HasPrefix(k, prefix) {
			o.known[k] = true
			m[k[len(prefix):]] = v
		}
	}
	return m
}

// Fail records an error that the caller found in the options' meaning; Err reports the first.
func (o *Options) Fail(err *sql.Error) { o.fail(err) }

// ValueErr is the first wrong value among those that were asked for: for a reader of a few options
// that leaves the others to somebody else.
func (o *Options) ValueErr() error {
	if o.err != nil {
		return o.err
	}
	return nil
}

// Err is the first unknown option, in alphabetical order, or else the first wrong value: a misspelt
// option is more likely the mistake than the one that it was meant to be is missing.
func (o *Options) Err() error {
	var unknown []string
	for k := range o.values {
		if !o.known[k] {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 {
		return o.ValueErr()
	}
	key := slices.Min(unknown)
	err := sql.Errorf(sql.CodeInvalidParameter, "unrecognized option %q", key)
	names := make([]string, 0, len(o.known))
	for k := range o.known {
		names = append(names, k)
	}
	if n := Nearest(key, names); n != "" {
		err = err.WithHint("Did you mean %q?", n)
	}
	return err
}

func (o *Options) lookup(key string) (string, bool) {
	o.known[key] = true
	v, ok := o.values[key]
	return v, ok
}

func (o *Options) fail(err *sql.Error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *Options) within(key, text string, n, def, low, high int64) int64 {
	if n < low || n > high {
		o.fail(sql.Errorf(sql.CodeInvalidParameter, "%s is outside the valid range for option %q (%d .. %d)", text, key, low, high))
		return def
	}
	return n
}

var durationUnits = map[string]time.Duration{
	"": time.Millisecond, "ns": time.Nanosecond, "us": time.Microsecond, "µs": time.Microsecond,
	"ms": time.Millisecond, "milli": time.Millisecond, "millisecond": time.Millisecond,
	"s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour, "d": 24 * time.Hour, "day": 24 * time.Hour,
}

// ParseDuration reads a duration as the options do: numbers with units (5s, 1 min, 1h30m), or
// milliseconds.
func ParseDuration(v string) (time.Duration, error) {
	d, ok := parseDuration(v)
	if !ok {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "%q is not a duration", v).WithHint("Write it like 500 ms, 10 s or 1 h.")
	}
	return d, nil
}

// parseDuration reads numbers with units, one after the other.
func parseDuration(v string) (total time.Duration, ok bool) {
	rest := strings.TrimSpace(v)
	for rest != "" {
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		f, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, false
		}
		rest = strings.TrimSpace(rest[n:])
		n = strings.IndexAny(rest, "0123456789. ")
		if n < 0 {
			n = len(rest)
		}
		name := strings.ToLower(rest[:n])
		unit, known := durationUnits[name]
		if !known {
			if unit, known = durationUnits[strings.TrimSuffix(name, "s")]; !known {
				return 0, false
			}
		}
		d := f*float64(unit) + float64(total)
		if d >= math.MaxInt64 {
			return 0, false
		}
		total, ok, rest = time.Duration(d), true, strings.TrimSpace(rest[n:])
	}
	return total, ok
}

func parseSize(v string) (int64, bool) {
	v = strings.ToLower(strings.TrimSpace(v))
	n := strings.TrimRight(v, "abcdefghijklmnopqrstuvwxyz ")
	var shift uint
	switch strings.TrimSpace(v[len(n):]) {
	case "", "b", "byte", "bytes":
	case "k", "kb", "kib":
		shift = 10
	case "m", "mb", "mib":
		shift = 20
	case "g", "gb", "gib":
		shift = 30
	case "t", "tb", "tib":
		shift = 40
	default:
		return 0, false
	}
	i, err := strconv.ParseInt(n, 10, 64)
	if err != nil || i < 0 || i > math.MaxInt64>>shift {
		return 0, false
	}
	return i << shift, true
}

// Nearest returns the candidate that word is most likely a misspelling of, or "" when none is near.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+2
	for _, c := range candidates {
		d := editDistance(strings.ToLower(word), strings.ToLower(c))
		if d < bestDistance || d == bestDistance && best != "" && c < best {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours from a to b.
func editDistance(a, b string) int {
	prev, cur, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range cur {
		cur[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(next[j-1]+1, cur[j]+1, cur[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], prev[j-2]+1)
			}
		}
		prev, cur, next = cur, next, prev
	}
	return cur[len(b)]
}

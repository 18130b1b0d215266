package sql

import "time"

// TextEnv is what reading a value from text depends on besides the text.
type TextEnv struct {
	Loc *time.Location        // the session's time zone; nil = UTC
	Now func() TimestampValue // the transaction's start, for 'now' and 'today'; nil = the wall clock
}

// ParseText reads a value of type t as PostgreSQL's type input does, modifiers included, in UTC.
func ParseText(t Type, s string) (Datum, error) { return ParseTextIn(t, s, TextEnv{}) }

// ParseTextIn is ParseText in an environment. Errors are PostgreSQL's: 22P02, 22003, 22007, 22008,
// 22001, 22023.
func ParseTextIn(t Type, s string, env TextEnv) (Datum, error) { return nil, Unsupported("text", "") }

// AppendText appends PostgreSQL's text output of d, with timestamptz in UTC. d is not nil: NULL
// has no text form of its own.
func AppendText(dst []byte, t Type, d Datum) []byte { return AppendTextIn(dst, t, d, nil) }

// AppendTextIn is AppendText with timestamptz printed in loc.
func AppendTextIn(dst []byte, t Type, d Datum, loc *time.Location) []byte { return dst }

// FormatText is AppendText as a string.
func FormatText(t Type, d Datum) string { return string(AppendText(nil, t, d)) }

// ParseTimestamp reads a timestamp without time zone at full precision; a zone in it is ignored,
// as in PostgreSQL. ISO 8601 forms are read without allocating.
func ParseTimestamp(s string) (TimestampValue, error) { return 0, Unsupported("text", "") }

// ParseTimestamptz reads a timestamp with time zone; one without a zone is read in env.Loc.
func ParseTimestamptz(s string, env TextEnv) (TimestampValue, error) {
	return 0, Unsupported("text", "")
}

// ParseDate reads a date.
func ParseDate(s string) (DateValue, error) { return 0, Unsupported("text", "") }

// ParseTime reads a time of day.
func ParseTime(s string) (TimeValue, error) { return 0, Unsupported("text", "") }

// ParseInterval reads an interval in any of PostgreSQL's input forms.
func ParseInterval(s string) (IntervalValue, error) { return IntervalValue{}, Unsupported("text", "") }

// IntervalFields is the qualifier of an interval literal, as in INTERVAL '5' MINUTE: the largest
// and the smallest unit. The zero value is no qualifier.
type IntervalFields struct{ From, To IntervalUnit }

// IntervalUnit is a unit of an interval qualifier.
type IntervalUnit uint8

// The units from large to small; NoUnit is the absence of one.
const (
	NoUnit IntervalUnit = iota
	Year
	Month
	Day
	Hour
	Minute
	Second
)

// ParseIntervalFields reads an interval literal with a qualifier and seconds rounded to digits
// (6 = no rounding).
func ParseIntervalFields(s string, f IntervalFields, digits int) (IntervalValue, error) {
	return IntervalValue{}, Unsupported("text", "")
}

// ParseNumeric reads a numeric of any precision: digits, NaN, Infinity.
func ParseNumeric(s string) (*Decimal, error) { return nil, Unsupported("text", "") }

// AppendNumericText appends d as PostgreSQL prints it: no exponent, all fractional digits.
func AppendNumericText(dst []byte, d *Decimal) []byte { return dst }

// AppendFloat appends a double precision (bits 64) or a real (bits 32) in its shortest form that
// reads back the same, as PostgreSQL prints it: 1e+20, NaN, Infinity.
func AppendFloat(dst []byte, f float64, bits int) []byte { return dst }

// AppendTimestamp appends t as PostgreSQL prints it: 2024-01-31 10:00:00.5, infinity.
func AppendTimestamp(dst []byte, t TimestampValue) []byte { return dst }

// AppendTimestamptz appends t in loc with its offset: 2024-01-31 10:00:00+01.
func AppendTimestamptz(dst []byte, t TimestampValue, loc *time.Location) []byte { return dst }

// AppendDate appends d: 2024-01-31, 0044-03-15 BC, infinity.
func AppendDate(dst []byte, d DateValue) []byte { return dst }

// AppendTime appends t: 10:00:00.5.
func AppendTime(dst []byte, t TimeValue) []byte { return dst }

// AppendInterval appends iv in IntervalStyle postgres: 1 year 2 mons 3 days 04:05:06.
func AppendInterval(dst []byte, iv IntervalValue) []byte { return dst }

// ParseJSONB checks s and returns it in jsonb's canonical form: keys by length, then bytes;
// duplicates removed, the last wins; numbers exact, as numeric prints them.
func ParseJSONB(s string) (canonical string, err error) { return "", Unsupported("text", "") }

// CheckJSON checks that s is valid JSON, with PostgreSQL's errors.
func CheckJSON(s string) error { return Unsupported("text", "") }

// LookupZone finds a time zone by name (Europe/Berlin), abbreviation (EST) or POSIX-like offset
// (+02, UTC+2). The error is 22023 time zone "x" not recognized.
func LookupZone(name string) (*time.Location, error) { return nil, Unsupported("text", "") }

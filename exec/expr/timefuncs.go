package expr

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// timeFunctions are the functions over dates, times and intervals but extract, date_trunc, to_char
// and their like, which have files of their own.
func timeFunctions() []Function {
	date, tim, ts, tz, iv := sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval
	text, int4, int8, float8, boolean := sql.TypeText, sql.TypeInt4, sql.TypeInt8, sql.TypeFloat8, sql.TypeBool
	fns := []Function{
		{Name: "age", Args: types(ts, ts), Result: iv, Kernel: Row2(func(_ *Context, a, b sql.TimestampValue) (sql.IntervalValue, error) { return sql.Age(a, b) })},
		{Name: "age", Args: types(tz, tz), Result: iv, Volatility: Stable, Kernel: Row2(func(c *Context, a, b sql.TimestampValue) (sql.IntervalValue, error) {
			return sql.Age(localTime(c, a), localTime(c, b))
		})},
		{Name: "age", Args: types(ts), Result: iv, Volatility: Stable, Kernel: Row1(func(c *Context, t sql.TimestampValue) (sql.IntervalValue, error) {
			return sql.Age(today(c), t)
		})},
		{Name: "age", Args: types(tz), Result: iv, Volatility: Stable, Kernel: Row1(func(c *Context, t sql.TimestampValue) (sql.IntervalValue, error) {
			return sql.Age(today(c), localTime(c, t))
		})},
		{Name: "isfinite", Args: types(date), Result: boolean, Kernel: Pure1(sql.DateValue.Finite)},
		{Name: "isfinite", Args: types(ts), Result: boolean, Kernel: Pure1(sql.TimestampValue.Finite)},
		{Name: "isfinite", Args: types(tz), Result: boolean, Kernel: Pure1(sql.TimestampValue.Finite)},
		{Name: "isfinite", Args: types(iv), Result: boolean, Kernel: Pure1(func(sql.IntervalValue) bool { return true })},
		{Name: "justify_hours", Args: types(iv), Result: iv, Kernel: Row1(func(_ *Context, v sql.IntervalValue) (sql.IntervalValue, error) { return v.JustifyHours() })},
		{Name: "justify_days", Args: types(iv), Result: iv, Kernel: Row1(func(_ *Context, v sql.IntervalValue) (sql.IntervalValue, error) { return v.JustifyDays() })},
		{Name: "justify_interval", Args: types(iv), Result: iv, Kernel: Row1(func(_ *Context, v sql.IntervalValue) (sql.IntervalValue, error) { return v.JustifyInterval() })},
		{Name: "make_date", Args: types(int4, int4, int4), Result: date, Kernel: Row3(makeDate)},
		{Name: "make_time", Args: types(int4, int4, float8), Result: tim, Kernel: Row3(makeTime)},
		{Name: "make_timestamp", Args: types(int4, int4, int4, int4, int4, float8), Result: ts, Kernel: RowN(makeTimestamp)},
		{Name: "make_timestamptz", Args: types(int4, int4, int4, int4, int4, float8), Result: tz, Volatility: Stable, Kernel: RowN(makeTimestamptz)},
		{Name: "make_timestamptz", Args: types(int4, int4, int4, int4, int4, float8, text), Result: tz, Volatility: Stable, Kernel: RowN(makeTimestamptz)},
		{Name: "to_timestamp", Args: types(float8), Result: tz, Kernel: Row1(timestampOfEpoch)},
		{Name: "to_timestamp", Args: types(text), Result: ts, Volatility: Stable, Kernel: Row1(parseTimestampText)},
		{Name: "to_timestamp_ltz", Args: types(int8, int4), Result: tz, Kernel: Row2(timestampOfUnits)},
		{Name: "timezone", Args: types(text, ts), Result: tz, Kernel: Row2(fromZone)},
		{Name: "timezone", Args: types(text, tz), Result: ts, Kernel: Row2(toZone)},
		{Name: "timezone", Args: types(iv, ts), Result: tz, Kernel: Row2(fromOffset)},
		{Name: "timezone", Args: types(iv, tz), Result: ts, Kernel: Row2(toOffset)},
	}
	intervalArgs := types(int4, int4, int4, int4, int4, int4, float8)
	for n := range len(intervalArgs) + 1 {
		fns = append(fns, Function{Name: "make_interval", Args: intervalArgs[:n], Result: iv, Kernel: RowN(makeInterval)})
	}
	return append(fns, clockFunctions()...)
}

// clockFunctions tell the time. In a job, now() is the start of the epoch that a row is handled in.
func clockFunctions() []Function {
	date, tim, ts, tz, int4 := sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInt4
	now := func(c *Context) (sql.TimestampValue, error) { return c.Now, nil }
	local := func(c *Context) (sql.TimestampValue, error) { return localTime(c, c.Now), nil }
	fns := []Function{
		{Name: "clock_timestamp", Result: tz, Volatility: Volatile, Kernel: Row0(func(*Context) (sql.TimestampValue, error) {
			return sql.TimestampValue(time.Now().UnixMicro()), nil
		})},
		{Name: "current_date", Result: date, Volatility: Stable, Kernel: Row0(func(c *Context) (sql.DateValue, error) { return sql.DateOf(localTime(c, c.Now)), nil })},
		{Name: "localtime", Result: tim, Volatility: Stable, Kernel: Row0(func(c *Context) (sql.TimeValue, error) { return timeOfDay(localTime(c, c.Now)) })},
		{Name: "localtime", Args: types(int4), Result: tim, Volatility: Stable, Kernel: Row1(func(c *Context, p int32) (sql.TimeValue, error) {
			t, err := timeOfDay(localTime(c, c.Now))
			return sql.Type{Kind: sql.Time, Precision: min(p, 6) + 1}.FitTime(t), err
		})},
		{Name: "localtimestamp", Result: ts, Volatility: Stable, Kernel: Row0(local)},
		{Name: "localtimestamp", Args: types(int4), Result: ts, Volatility: Stable, Kernel: Row1(func(c *Context, p int32) (sql.TimestampValue, error) {
			return roundClock(localTime(c, c.Now), p), nil
		})},
		{Name: "current_timestamp", Args: types(int4), Result: tz, Volatility: Stable, Kernel: Row1(func(c *Context, p int32) (sql.TimestampValue, error) {
			return roundClock(c.Now, p), nil
		})},
	}
	for _, name := range []string{"now", "current_timestamp", "transaction_timestamp", "statement_timestamp", "proctime"} {
		fns = append(fns, Function{Name: name, Result: tz, Volatility: Stable, Kernel: Row0(now)})
	}
	return fns
}

func roundClock(t sql.TimestampValue, digits int32) sql.TimestampValue {
	return sql.Type{Kind: sql.Timestamp, Precision: max(min(digits, 6), 0) + 1}.FitTimestamp(t)
}

// today is the midnight that started the day in the session's time zone, on its wall clock.
func today(c *Context) sql.TimestampValue {
	local := localTime(c, c.Now)
	_, us := sql.SplitTimestamp(local)
	return local - sql.TimestampValue(us)
}

func badDate(y, m, d int64) error {
	return sql.Errorf(sql.CodeDatetimeOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
}

// makeDate takes a negative year for one BC.
func makeDate(_ *Context, y, m, d int32) (sql.DateValue, error) {
	year := int(y)
	if y < 0 {
		year++
	}
	if y == math.MinInt32 {
		year-- // for the message, where PostgreSQL's negation overflows
	}
	if y == 0 || m < 1 || m > 12 || d < 1 || int(d) > sql.DaysInMonth(year, int(m)) {
		return 0, badDate(int64(year), int64(m), int64(d))
	}
	days := sql.DaysFromCivil(year, int(m), int(d))
	if days < int64(sql.MinDate) || days > int64(sql.MaxDate) {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "date out of range: %d-%02d-%02d", year, m, d)
	}
	return sql.DateValue(days), nil
}

// makeTime rounds the seconds to microseconds; 24:00 and second 60 are taken.
func makeTime(_ *Context, h, m int32, s float64) (sql.TimeValue, error) {
	bad := sql.Errorf(sql.CodeDatetimeOverflow, "time field value out of range: %d:%02d:%s", h, m, shortSeconds(s))
	us := int64(math.RoundToEven(s * sql.MicrosPerSecond))
	if math.IsNaN(s) || math.Abs(s) > 61 || h < 0 || m < 0 || m > 59 || us < 0 || us > 60*sql.MicrosPerSecond ||
		h > 24 || h == 24 && (m > 0 || us > 0) {
		return 0, bad
	}
	t := (int64(h)*60+int64(m))*60_000_000 + us
	if t > sql.MicrosPerDay {
		return 0, bad
	}
	return sql.TimeValue(t), nil
}

// cFloat is C's %g, and shortSeconds its %02g.
func cFloat(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return string(sql.AppendFloat(nil, f, 64))
	}
	text := strconv.FormatFloat(f, 'g', 6, 64)
	mantissa, exponent, hasExponent := strings.Cut(text, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if hasExponent {
		return mantissa + "e" + exponent
	}
	return mantissa
}

func shortSeconds(s float64) string {
	text := cFloat(s)
	return strings.Repeat("0", max(2-len(text), 0)) + text
}

func makeTimestamp(c *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	n := func(i int) int32 { return int32(args[i].(int64)) }
	y, m, d := n(0), n(1), n(2)
	date, err := makeDate(c, y, m, d)
	if err != nil {
		return nil, badDate(int64(y), int64(m), int64(d))
	}
	t, err := makeTime(c, n(3), n(4), args[5].(float64))
	if err != nil {
		return nil, err
	}
	at, ok := sql.TimestampFromDays(int64(date), int64(t))
	if !ok {
		return nil, sql.Errorf(sql.CodeDatetimeOverflow, "timestamp out of range: %d-%02d-%02d %d:%02d:%s", y, m, d, n(3), n(4), shortSeconds(args[5].(float64)))
	}
	return at, nil
}

func makeTimestamptz(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	local, err := makeTimestamp(c, in, args)
	if err != nil {
		return nil, err
	}
	loc := c.Location
	if len(args) > 6 {
		if loc, err = sql.LookupZone(args[6].(string)); err != nil {
			return nil, err
		}
	}
	at, ok := sql.FromLocal(local.(sql.TimestampValue), loc)
	if !ok {
		return nil, errTimestampRange
	}
	return at, nil
}

// makeInterval is make_interval(years, months, weeks, days, hours, mins, secs).
func makeInterval(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	var n [6]int64
	secs := 0.0
	for i, d := range args {
		if i < len(n) {
			n[i] = d.(int64)
		} else {
			secs = d.(float64)
		}
	}
	tooLarge := sql.Errorf(sql.CodeDatetimeOverflow, "interval out of range")
	months, days := n[0]*12+n[1], n[2]*7+n[3]
	us := math.RoundToEven(secs * sql.MicrosPerSecond)
	if math.IsNaN(secs) || math.IsInf(secs, 0) || math.Abs(us) >= 1<<63 ||
		months != int64(int32(months)) || days != int64(int32(days)) {
		return nil, tooLarge
	}
	clock := (n[4]*3600 + n[5]*60) * sql.MicrosPerSecond // at most 2^31 hours: fits
	sum := clock + int64(us)
	if (clock < 0) == (us < 0) && (sum < 0) != (clock < 0) {
		return nil, tooLarge
	}
	return sql.IntervalValue{Micros: sum, Days: int32(days), Months: int32(months)}, nil
}

// timestampOfEpoch is to_timestamp(seconds since 1970).
func timestampOfEpoch(_ *Context, seconds float64) (sql.TimestampValue, error) {
	switch {
	case math.IsNaN(seconds):
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "timestamp cannot be NaN")
	case math.IsInf(seconds, 1):
		return sql.TimestampInfinity, nil
	case math.IsInf(seconds, -1):
		return sql.TimestampNegInfinity, nil
	}
	outOfRange := sql.Errorf(sql.CodeDatetimeOverflow, "timestamp out of range: \"%s\"", cFloat(seconds))
	// The rounding is PostgreSQL's, which counts from 2000 in floating point.
	const pgEpoch = sql.PostgresEpochDays * 86400
	us := math.RoundToEven((seconds - pgEpoch) * sql.MicrosPerSecond)
	if math.Abs(us) >= 1<<63-pgEpoch*sql.MicrosPerSecond {
		return 0, outOfRange
	}
	t := sql.TimestampValue(int64(us) + pgEpoch*sql.MicrosPerSecond)
	if !t.InRange() {
		return 0, outOfRange
	}
	return t, nil
}

// parseTimestampText is Flink's to_timestamp(text): a text that is no timestamp is NULL.
func parseTimestampText(c *Context, s string) (sql.TimestampValue, error) {
	t, err := sql.ParseTimestampIn(s, sql.TextEnv{Loc: c.Location, Now: func() sql.TimestampValue { return c.Now }})
	if err != nil {
		return 0, Null
	}
	return t, nil
}

// timestampOfUnits is Flink's to_timestamp_ltz(n, precision): n seconds (0), milliseconds (3) or
// microseconds (6) since 1970.
func timestampOfUnits(_ *Context, n int64, precision int32) (sql.TimestampValue, error) {
	if precision != 0 && precision != 3 && precision != 6 {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "to_timestamp_ltz precision %d must be 0, 3 or 6", precision)
	}
	unit := pow10[6-precision]
	if n > math.MaxInt64/unit || n < math.MinInt64/unit || !sql.TimestampValue(n*unit).InRange() {
		return 0, errTimestampRange
	}
	return sql.TimestampValue(n * unit), nil
}

// fromZone is zone's wall clock t as an instant; toZone is the reverse.
func fromZone(_ *Context, zone string, t sql.TimestampValue) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	loc, err := sql.LookupZone(zone)
	if err != nil {
		return 0, err
	}
	return shiftFrom(t, loc)
}

func shiftFrom(t sql.TimestampValue, loc *time.Location) (sql.TimestampValue, error) {
	at, ok := sql.FromLocal(t, loc)
	if !ok {
		return 0, errTimestampRange
	}
	return at, nil
}

func toZone(_ *Context, zone string, t sql.TimestampValue) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	loc, err := sql.LookupZone(zone)
	if err != nil {
		return 0, err
	}
	return shiftTo(t, loc)
}

func shiftTo(t sql.TimestampValue, loc *time.Location) (sql.TimestampValue, error) {
	local := sql.ToLocal(t, loc)
	if !local.InRange() {
		return 0, errTimestampRange
	}
	return local, nil
}

// intervalZone is the zone of a constant offset, east of UTC.
func intervalZone(iv sql.IntervalValue) (*time.Location, error) {
	if iv.Months != 0 || iv.Days != 0 {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "interval time zone \"%s\" must not include months or days",
			sql.FormatText(sql.TypeInterval, iv))
	}
	return sql.FixedOffset(int(iv.Micros / sql.MicrosPerSecond)), nil
}

func fromOffset(_ *Context, iv sql.IntervalValue, t sql.TimestampValue) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	loc, err := intervalZone(iv)
	if err != nil {
		return 0, err
	}
	return shiftFrom(t, loc)
}

func toOffset(_ *Context, iv sql.IntervalValue, t sql.TimestampValue) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	loc, err := intervalZone(iv)
	if err != nil {
		return 0, err
	}
	return shiftTo(t, loc)
}

package sql

import "time"

// Text output of dates and times, and the fast paths of their input: the ISO 8601 forms that
// streams are full of. Everything else goes to datetime_parse.go.

// appendPadded appends v with at least width digits.
func appendPadded(dst []byte, v, width int) []byte {
	if width == 2 && v < 100 {
		return append(dst, byte('0'+v/10), byte('0'+v%10))
	}
	if width == 4 && v >= 1000 && v < 10000 {
		return append(dst, byte('0'+v/1000), byte('0'+v/100%10), byte('0'+v/10%10), byte('0'+v%10))
	}
	for limit := 10; width > 1; width-- {
		if v < limit {
			for range width - 1 {
				dst = append(dst, '0')
			}
			break
		}
		limit *= 10
	}
	return appendInt(dst, int64(v))
}

// appendCivilDate appends the date without its era; a year BC is counted from 1.
func appendCivilDate(dst []byte, y, m, d int) []byte {
	if y <= 0 {
		y = 1 - y
	}
	dst = append(appendPadded(dst, y, 4), '-')
	dst = append(appendPadded(dst, m, 2), '-')
	return appendPadded(dst, d, 2)
}

func appendEra(dst []byte, y int) []byte {
	if y <= 0 {
		return append(dst, " BC"...)
	}
	return dst
}

// appendMicros appends a point and the fraction without trailing zeros; nothing for 0.
func appendMicros(dst []byte, us int) []byte {
	if us == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := 100_000; us > 0; unit /= 10 {
		dst = append(dst, byte('0'+us/unit))
		us %= unit
	}
	return dst
}

// AppendDate appends d: 2024-01-31, 0044-03-15 BC, infinity.
func AppendDate(dst []byte, d DateValue) []byte {
	switch d {
	case DateInfinity:
		return append(dst, "infinity"...)
	case DateNegInfinity:
		return append(dst, "-infinity"...)
	}
	y, m, day := CivilFromDays(int64(d))
	return appendEra(appendCivilDate(dst, y, m, day), y)
}

// AppendTime appends t: 10:00:00.5.
func AppendTime(dst []byte, t TimeValue) []byte {
	h, m, s, us := splitTime(int64(t))
	dst = append(appendPadded(dst, h, 2), ':')
	dst = append(appendPadded(dst, m, 2), ':')
	return appendMicros(appendPadded(dst, s, 2), us)
}

// AppendTimestamp appends t as PostgreSQL prints it: 2024-01-31 10:00:00.5, infinity.
func AppendTimestamp(dst []byte, t TimestampValue) []byte {
	dst, y := appendDateTime(dst, t, ' ')
	return appendEra(dst, y)
}

// AppendTimestampISO appends t in ISO 8601: 2024-01-31T10:00:00.5. Infinities are as in SQL.
func AppendTimestampISO(dst []byte, t TimestampValue) []byte {
	dst, y := appendDateTime(dst, t, 'T')
	return appendEra(dst, y)
}

// AppendTimestamptz appends t in loc with its offset: 2024-01-31 10:00:00+01.
func AppendTimestamptz(dst []byte, t TimestampValue, loc *time.Location) []byte {
	if !t.Finite() {
		return AppendTimestamp(dst, t)
	}
	off := ZoneOffset(t, loc)
	dst, y := appendDateTime(dst, t+TimestampValue(off)*MicrosPerSecond, ' ')
	return appendEra(AppendOffset(dst, off), y)
}

// AppendTimestamptzISO is AppendTimestamptz with a T and hours and minutes in the offset, as JSON
// has it: 2024-01-31T10:00:00+01:00.
func AppendTimestamptzISO(dst []byte, t TimestampValue, loc *time.Location) []byte {
	if !t.Finite() {
		return AppendTimestamp(dst, t)
	}
	off := ZoneOffset(t, loc)
	dst, y := appendDateTime(dst, t+TimestampValue(off)*MicrosPerSecond, 'T')
	start := len(dst)
	dst = AppendOffset(dst, off)
	if len(dst)-start == 3 {
		dst = append(dst, ":00"...)
	}
	return appendEra(dst, y)
}

// AppendOffset appends a UTC offset given in seconds east: +02, -03:30, +00:53:28.
func AppendOffset(dst []byte, off int) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	dst = appendPadded(append(dst, sign), off/3600, 2)
	if off%3600 != 0 {
		dst = appendPadded(append(dst, ':'), off/60%60, 2)
		if off%60 != 0 {
			dst = appendPadded(append(dst, ':'), off%60, 2)
		}
	}
	return dst
}

func appendDateTime(dst []byte, t TimestampValue, sep byte) (out []byte, year int) {
	switch t {
	case TimestampInfinity:
		return append(dst, "infinity"...), 1
	case TimestampNegInfinity:
		return append(dst, "-infinity"...), 1
	}
	days, micros := SplitTimestamp(t)
	y, m, d := CivilFromDays(days)
	dst = append(appendCivilDate(dst, y, m, d), sep)
	return AppendTime(dst, TimeValue(micros)), y
}

// isoTimestamp is what scanISO found.
type isoTimestamp struct {
	days   int64
	micros int64 // of the day
	offset int   // seconds east of UTC
	zoned  bool
	timed  bool // there was a time of day
}

// scanISO reads YYYY-MM-DD, then optionally a space or T and HH:MM[:SS[.ffffff]], then optionally Z
// or ±HH[[:]MM]. ok is false for everything else, valid or not: the general parser decides then. It
// does not allocate.
func scanISO(s string) (ts isoTimestamp, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return ts, false
	}
	y, ok1 := digits2(s[0:])
	y2, ok2 := digits2(s[2:])
	m, ok3 := digits2(s[5:])
	d, ok4 := digits2(s[8:])
	y = y*100 + y2
	if !ok1 || !ok2 || !ok3 || !ok4 || y == 0 || m < 1 || m > 12 || d < 1 || d > DaysInMonth(y, m) {
		return ts, false
	}
	ts.days = DaysFromCivil(y, m, d)
	if len(s) == 10 {
		return ts, true
	}
	if s[10] != ' ' && s[10] != 'T' {
		return ts, false
	}
	micros, rest, ok := scanISOTime(s[11:])
	if !ok {
		return ts, false
	}
	ts.micros, ts.timed = micros, true
	if rest == "" {
		return ts, true
	}
	ts.zoned = true
	ts.offset, ok = scanISOOffset(rest)
	return ts, ok
}

func scanISOTime(s string) (micros int64, rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, s, false
	}
	h, ok1 := digits2(s)
	m, ok2 := digits2(s[3:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, s, false
	}
	micros = int64(h*3600+m*60) * MicrosPerSecond
	s = s[5:]
	if s == "" || s[0] != ':' {
		return micros, s, true
	}
	if len(s) < 3 {
		return 0, s, false
	}
	sec, ok := digits2(s[1:])
	if !ok || sec > 59 {
		return 0, s, false
	}
	micros += int64(sec) * MicrosPerSecond
	s = s[3:]
	if s == "" || s[0] != '.' {
		return micros, s, true
	}
	frac, i := int64(0), 1
	for unit := int64(100_000); i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		if unit == 0 {
			return 0, s, false // more than six digits: leave the rounding to the general parser
		}
		frac += int64(s[i]-'0') * unit
		unit /= 10
	}
	return micros + frac, s[i:], i > 1
}

func scanISOOffset(s string) (seconds int, ok bool) {
	if s == "Z" {
		return 0, true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	h, ok := digits2(s[1:])
	if !ok || h > 15 {
		return 0, false
	}
	m := 0
	switch rest := s[3:]; {
	case rest == "":
	case len(rest) == 2:
		m, ok = digits2(rest)
	case len(rest) == 3 && rest[0] == ':':
		m, ok = digits2(rest[1:])
	default:
		return 0, false
	}
	if !ok || m > 59 {
		return 0, false
	}
	seconds = h*3600 + m*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// digits2 reads two digits.
func digits2(s string) (v int, ok bool) {
	if len(s) < 2 {
		return 0, false
	}
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

// ParseTimestamp reads a timestamp without time zone at full precision; a zone in it is ignored,
// as in PostgreSQL. ISO 8601 forms are read without allocating.
func ParseTimestamp(s string) (TimestampValue, error) { return ParseTimestampIn(s, TextEnv{}) }

// ParseTimestampIn is ParseTimestamp with an environment for 'now' and 'today'.
func ParseTimestampIn(s string, env TextEnv) (TimestampValue, error) {
	if ts, ok := scanISO(s); ok {
		return TimestampValue(ts.days*MicrosPerDay + ts.micros), nil
	}
	return parseAnyTimestamp(s, env, TypeTimestamp)
}

// ParseTimestamptz reads a timestamp with time zone; one without a zone is read in env.Loc.
func ParseTimestamptz(s string, env TextEnv) (TimestampValue, error) {
	if ts, ok := scanISO(s); ok {
		t := TimestampValue(ts.days*MicrosPerDay + ts.micros)
		if ts.zoned {
			return t - TimestampValue(ts.offset)*MicrosPerSecond, nil
		}
		t, _ = FromLocal(t, env.Loc) // years 1 to 9999 are in range anywhere
		return t, nil
	}
	return parseAnyTimestamp(s, env, TypeTimestamptz)
}

// ParseDate reads a date.
func ParseDate(s string) (DateValue, error) { return ParseDateIn(s, TextEnv{}) }

// ParseDateIn is ParseDate with an environment for 'today'.
func ParseDateIn(s string, env TextEnv) (DateValue, error) {
	if ts, ok := scanISO(s); ok {
		return DateValue(ts.days), nil
	}
	return parseAnyDate(s, env)
}

// ParseTimeIn reads a time of day; the environment is for 'now'.
func ParseTimeIn(s string, env TextEnv) (TimeValue, error) {
	if micros, rest, ok := scanISOTime(s); ok && rest == "" {
		return TimeValue(micros), nil
	}
	return parseAnyTime(s, env)
}

// FitTimestamp rounds to the digits of a timestamp(p), halves away from 2000-01-01 as PostgreSQL,
// whose timestamps count from there.
func (t Type) FitTimestamp(v TimestampValue) TimestampValue {
	p, ok := t.TimePrecision()
	if !ok || p >= 6 || !v.Finite() {
		return v
	}
	const epoch = PostgresEpochDays * MicrosPerDay
	unit := microUnits[p]
	pg := int64(v) - epoch
	if pg >= 0 {
		pg = (pg + unit/2) / unit * unit
	} else {
		pg = -((-pg + unit/2) / unit * unit)
	}
	return TimestampValue(pg + epoch)
}

// FitTime rounds to the digits of a time(p).
func (t Type) FitTime(v TimeValue) TimeValue {
	p, ok := t.TimePrecision()
	if !ok || p >= 6 {
		return v
	}
	unit := microUnits[p]
	return TimeValue((int64(v) + unit/2) / unit * unit)
}

// microUnits is the microseconds of a unit in the n-th fractional digit.
var microUnits = [...]int64{1_000_000, 100_000, 10_000, 1000, 100, 10, 1}

package sql

import "time"

// Calendar arithmetic is done on integers in the proleptic Gregorian calendar: a day is a count
// from 1970-01-01, a timestamp is microseconds from its midnight. Years are astronomical (year 0
// is 1 BC), as inside PostgreSQL. Nothing here allocates, and time.Time appears only where a time
// zone has to be looked up.

// The finite range starts at PostgreSQL's Julian day 0, 24 November 4714 BC. Dates end with the
// year 5874897 as PostgreSQL's do. Timestamps end where microseconds since 1970 leave an int64,
// 294247-01-10, thirty years before PostgreSQL's, which count from 2000.
const (
	MinDate      DateValue      = -2440588
	MaxDate      DateValue      = 2145042905
	MinTimestamp TimestampValue = TimestampValue(MinDate) * MicrosPerDay
	MaxTimestamp TimestampValue = TimestampInfinity - 1

	maxTimestampDays = int64(MaxTimestamp) / MicrosPerDay

	// PostgresEpochDays is 2000-01-01, the zero of PostgreSQL's binary dates and timestamps.
	PostgresEpochDays = 10957
)

// Finite tells whether d is neither infinity.
func (d DateValue) Finite() bool { return d != DateInfinity && d != DateNegInfinity }

// Finite tells whether t is neither infinity.
func (t TimestampValue) Finite() bool { return t != TimestampInfinity && t != TimestampNegInfinity }

// InRange tells whether t is within PostgreSQL's finite timestamps.
func (t TimestampValue) InRange() bool { return t >= MinTimestamp && t <= MaxTimestamp }

// Civil is a timestamp taken apart. Month and Day start at 1; Year is astronomical.
type Civil struct {
	Year, Month, Day     int
	Hour, Minute, Second int
	Micro                int
}

// DaysFromCivil counts the days from 1970-01-01. A month outside 1..12 or a day outside the month
// is carried over. The algorithm is Howard Hinnant's days_from_civil.
func DaysFromCivil(y, m, d int) int64 {
	if m < 1 || m > 12 {
		y += floorDiv(m-1, 12)
		m = (m - 1) - floorDiv(m-1, 12)*12 + 1
	}
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400                     // [0, 399]
	doy := (153*(m-3)+2)/5 + d - 1         // day of a year that starts in March
	doe := yoe*365 + yoe/4 - yoe/100 + doy // [0, 146096]
	return int64(era)*146097 + int64(doe) - 719468
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (y, m, d int) {
	days += 719468
	era := days / 146097
	if days < 0 {
		era = (days - 146096) / 146097
	}
	doe := int(days - era*146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	y = yoe + int(era)*400
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// SplitTimestamp parts a finite timestamp into days and microseconds of the day.
func SplitTimestamp(t TimestampValue) (days, micros int64) {
	days = int64(t) / MicrosPerDay
	micros = int64(t) - days*MicrosPerDay
	if micros < 0 {
		days--
		micros += MicrosPerDay
	}
	return days, micros
}

// CivilFromTimestamp takes a finite timestamp apart, as if in UTC.
func CivilFromTimestamp(t TimestampValue) Civil {
	days, micros := SplitTimestamp(t)
	y, m, d := CivilFromDays(days)
	c := Civil{Year: y, Month: m, Day: d}
	c.Hour, c.Minute, c.Second, c.Micro = splitTime(micros)
	return c
}

// TimestampFromCivil is the inverse of CivilFromTimestamp; ok is false when the result is not a
// finite timestamp. Fields may be out of their usual range and are carried over.
func TimestampFromCivil(c Civil) (t TimestampValue, ok bool) {
	days := DaysFromCivil(c.Year, c.Month, c.Day)
	micros := ((int64(c.Hour)*60+int64(c.Minute))*60+int64(c.Second))*MicrosPerSecond + int64(c.Micro)
	return TimestampFromDays(days, micros)
}

// TimestampFromDays puts days and microseconds together; ok is false when the result is not a
// finite timestamp.
func TimestampFromDays(days, micros int64) (t TimestampValue, ok bool) {
	if days < int64(MinDate)-1 || days > maxTimestampDays+1 {
		return 0, false
	}
	if days > maxTimestampDays-1 { // near the end the product itself may overflow
		days--
		micros += MicrosPerDay
		base := days * MicrosPerDay
		if micros > int64(MaxTimestamp)-base {
			return 0, false
		}
		return TimestampValue(base + micros), true
	}
	t = TimestampValue(days*MicrosPerDay + micros)
	return t, t.InRange()
}

// DateOf is the date of a timestamp; infinities stay.
func DateOf(t TimestampValue) DateValue {
	switch t {
	case TimestampInfinity:
		return DateInfinity
	case TimestampNegInfinity:
		return DateNegInfinity
	}
	days, _ := SplitTimestamp(t)
	return DateValue(days)
}

// TimestampOf is the midnight that starts d; infinities stay.
func TimestampOf(d DateValue) (TimestampValue, error) {
	switch {
	case d == DateInfinity:
		return TimestampInfinity, nil
	case d == DateNegInfinity:
		return TimestampNegInfinity, nil
	case int64(d) > maxTimestampDays:
		return 0, Errorf(CodeDatetimeOverflow, "date out of range for timestamp")
	}
	return TimestampValue(int64(d) * MicrosPerDay), nil
}

// Weekday is 0 for Sunday to 6 for Saturday.
func Weekday(days int64) int {
	w := int((days + 4) % 7)
	if w < 0 {
		w += 7
	}
	return w
}

// DaysInMonth is the length of a month of an astronomical year.
func DaysInMonth(y, m int) int {
	if m == 2 && IsLeapYear(y) {
		return 29
	}
	return monthDays[m-1]
}

// IsLeapYear tells whether the astronomical year y has a 29 February.
func IsLeapYear(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

var monthDays = [12]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// ISOWeek is the ISO 8601 week (1..53) of a day and the astronomical year that week belongs to.
func ISOWeek(days int64) (year, week int) {
	monday := days - int64((Weekday(days)+6)%7)
	year, _, _ = CivilFromDays(monday + 3) // the week's Thursday decides its year
	return year, int((monday+3-DaysFromCivil(year, 1, 1))/7) + 1
}

// DaysFromISOWeek is the Monday of an ISO week.
func DaysFromISOWeek(year, week int) int64 {
	jan4 := DaysFromCivil(year, 1, 4) // always in week 1
	return jan4 - int64((Weekday(jan4)+6)%7) + int64(week-1)*7
}

// splitTime takes microseconds of a day apart; 24:00 gives hour 24.
func splitTime(micros int64) (h, m, s, us int) {
	sec := int(micros / MicrosPerSecond)
	return sec / 3600, sec / 60 % 60, sec % 60, int(micros - int64(sec)*MicrosPerSecond)
}

// ToLocal is the wall clock in loc at the instant t.
func ToLocal(t TimestampValue, loc *time.Location) TimestampValue {
	if isUTC(loc) || !t.Finite() {
		return t
	}
	return t + TimestampValue(ZoneOffset(t, loc))*MicrosPerSecond
}

// FromLocal is the instant at which the wall clock in loc shows t; ok is false when that is no
// finite timestamp. As in PostgreSQL, a time skipped by a jump forward is read with the offset
// before the jump, and one that occurs twice is the later, standard one.
func FromLocal(t TimestampValue, loc *time.Location) (instant TimestampValue, ok bool) {
	if isUTC(loc) || !t.Finite() {
		return t, true
	}
	off := localOffset(t, loc)
	r := t - TimestampValue(off)*MicrosPerSecond
	if off < 0 && r < t || off > 0 && r > t {
		return 0, false // wrapped around
	}
	return r, r.InRange()
}

// ZoneOffset is loc's offset east of UTC, in seconds, at the instant t.
func ZoneOffset(t TimestampValue, loc *time.Location) int {
	if isUTC(loc) || !t.Finite() {
		return 0
	}
	_, off := zoneTime(t, loc).Zone()
	return off
}

// ZoneAbbreviation is the name of loc's offset at the instant t, for example CEST.
func ZoneAbbreviation(t TimestampValue, loc *time.Location) string {
	if isUTC(loc) || !t.Finite() {
		return "UTC"
	}
	name, _ := zoneTime(t, loc).Zone()
	return name
}

// localOffset is the offset to read the wall clock t with.
func localOffset(t TimestampValue, loc *time.Location) int {
	// Offsets a day to either side bracket any jump near t.
	before := ZoneOffset(t-MicrosPerDay, loc)
	after := ZoneOffset(t+MicrosPerDay, loc)
	if before == after {
		return before
	}
	// The jump happens at one instant; find on which side t lies with each offset.
	beforeFits := ZoneOffset(t-TimestampValue(before)*MicrosPerSecond, loc) == before
	afterFits := ZoneOffset(t-TimestampValue(after)*MicrosPerSecond, loc) == after
	switch {
	case beforeFits && !afterFits:
		return before
	case afterFits:
		return after
	}
	return before
}

func zoneTime(t TimestampValue, loc *time.Location) time.Time {
	return time.UnixMicro(int64(t)).In(loc)
}

func isUTC(loc *time.Location) bool { return loc == nil || loc == time.UTC }

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

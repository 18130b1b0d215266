package sql

import (
	"cmp"
	"math"
	"math/bits"
	"time"
)

// Interval arithmetic as PostgreSQL has it: months, days and microseconds are kept apart, because
// a month has no fixed number of days and a day no fixed number of hours. They meet only where an
// interval is compared (30 days, 24 hours), justified, multiplied or divided.

const (
	daysPerMonth  = 30
	monthsPerYear = 12
	secondsPerDay = 86400
)

func intervalOutOfRange() *Error { return Errorf(CodeDatetimeOverflow, "interval out of range") }

func addInt64(a, b int64) (int64, bool) {
	s := a + b
	return s, (a < 0) != (b < 0) || (s < 0) == (a < 0)
}

func mulInt64(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(absU64(a), absU64(b))
	neg := (a < 0) != (b < 0)
	if hi != 0 || lo > 1<<63 || lo == 1<<63 && !neg {
		return 0, false
	}
	if neg {
		return int64(-lo), true
	}
	return int64(lo), true
}

func absU64(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

// makeInterval checks that days and months fit.
func makeInterval(months, days, micros int64, ok bool) (IntervalValue, error) {
	if !ok || months != int64(int32(months)) || days != int64(int32(days)) {
		return IntervalValue{}, intervalOutOfRange()
	}
	return IntervalValue{Micros: micros, Days: int32(days), Months: int32(months)}, nil
}

// AddInterval is t + iv in loc (nil for a timestamp without time zone): months first, with the day
// kept within the month, then days, both on the wall clock, then microseconds. 22008 on overflow.
func AddInterval(t TimestampValue, iv IntervalValue, loc *time.Location) (TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	ok := true
	if iv.Months != 0 {
		t, ok = moveDay(t, loc, func(day int64) int64 { return AddMonths(day, int(iv.Months)) })
	}
	if ok && iv.Days != 0 {
		t, ok = moveDay(t, loc, func(day int64) int64 { return day + int64(iv.Days) })
	}
	sum, fits := addInt64(int64(t), iv.Micros)
	if t = TimestampValue(sum); !ok || !fits || !t.InRange() {
		return 0, Errorf(CodeDatetimeOverflow, "timestamp out of range")
	}
	return t, nil
}

// moveDay is t on another day at the same time by the clocks of loc; ok is false when that is not a
// finite timestamp.
func moveDay(t TimestampValue, loc *time.Location, move func(day int64) int64) (moved TimestampValue, ok bool) {
	days, micros := SplitTimestamp(ToLocal(t, loc))
	if t, ok = TimestampFromDays(move(days), micros); !ok {
		return 0, false
	}
	return FromLocal(t, loc)
}

// AddMonths moves a day by months; a day that the month lacks becomes its last.
func AddMonths(days int64, months int) int64 {
	y, m, d := CivilFromDays(days)
	m += months
	y += floorDiv(m-1, monthsPerYear)
	m = m - floorDiv(m-1, monthsPerYear)*monthsPerYear
	return DaysFromCivil(y, m, min(d, DaysInMonth(y, m)))
}

// Age is a - b as years, months, days and time, PostgreSQL's age(a, b), on the wall clock.
func Age(a, b TimestampValue) (IntervalValue, error) {
	if !a.Finite() || !b.Finite() {
		return IntervalValue{}, Errorf(CodeDatetimeOverflow, "timestamp out of range")
	}
	neg := a < b
	if neg {
		a, b = b, a
	}
	ca, cb := CivilFromTimestamp(a), CivilFromTimestamp(b)
	_, ma := SplitTimestamp(a)
	_, mb := SplitTimestamp(b)
	months := (ca.Year-cb.Year)*12 + ca.Month - cb.Month
	days, micros := ca.Day-cb.Day, ma-mb
	if micros < 0 {
		micros += MicrosPerDay
		days--
	}
	if days < 0 { // borrow the days of the earlier date's month
		days += DaysInMonth(cb.Year, cb.Month)
		months--
	}
	iv := IntervalValue{Micros: micros, Days: int32(days), Months: int32(months)}
	if neg {
		return iv.Neg()
	}
	return iv, nil
}

// JustifyHours turns 24 hours into a day.
func (iv IntervalValue) JustifyHours() (IntervalValue, error) {
	days, micros := int64(iv.Days)+iv.Micros/MicrosPerDay, iv.Micros%MicrosPerDay
	if days > 0 && micros < 0 {
		micros += MicrosPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= MicrosPerDay
		days++
	}
	return makeInterval(int64(iv.Months), days, micros, true)
}

// JustifyDays turns 30 days into a month.
func (iv IntervalValue) JustifyDays() (IntervalValue, error) {
	months, days := int64(iv.Months)+int64(iv.Days/daysPerMonth), int64(iv.Days%daysPerMonth)
	if months > 0 && days < 0 {
		days += daysPerMonth
		months--
	} else if months < 0 && days > 0 {
		days -= daysPerMonth
		months++
	}
	return makeInterval(months, days, iv.Micros, true)
}

// JustifyInterval does both, and gives all parts one sign.
func (iv IntervalValue) JustifyInterval() (IntervalValue, error) {
	days, micros := int64(iv.Days)+iv.Micros/MicrosPerDay, iv.Micros%MicrosPerDay
	months := int64(iv.Months) + days/daysPerMonth
	days %= daysPerMonth
	if months > 0 && (days < 0 || days == 0 && micros < 0) {
		days += daysPerMonth
		months--
	} else if months < 0 && (days > 0 || days == 0 && micros > 0) {
		days -= daysPerMonth
		months++
	}
	if days > 0 && micros < 0 {
		micros += MicrosPerDay
		days--
	} else if days < 0 && micros > 0 {
		micros -= MicrosPerDay
		days++
	}
	return makeInterval(months, days, micros, true)
}

// Compare orders intervals as if a month were 30 days and a day 24 hours; -1, 0 or 1.
func (iv IntervalValue) Compare(o IntervalValue) int {
	ah, al := iv.Key()
	bh, bl := o.Key()
	return cmp.Or(cmp.Compare(ah, bh), cmp.Compare(al, bl))
}

// Add is iv + o.
func (iv IntervalValue) Add(o IntervalValue) (IntervalValue, error) {
	micros, ok := addInt64(iv.Micros, o.Micros)
	return makeInterval(int64(iv.Months)+int64(o.Months), int64(iv.Days)+int64(o.Days), micros, ok)
}

// Sub is iv - o.
func (iv IntervalValue) Sub(o IntervalValue) (IntervalValue, error) {
	micros := iv.Micros - o.Micros
	ok := (iv.Micros < 0) == (o.Micros < 0) || (micros < 0) == (iv.Micros < 0)
	return makeInterval(int64(iv.Months)-int64(o.Months), int64(iv.Days)-int64(o.Days), micros, ok)
}

// Neg is -iv.
func (iv IntervalValue) Neg() (IntervalValue, error) {
	return makeInterval(-int64(iv.Months), -int64(iv.Days), -iv.Micros, iv.Micros != math.MinInt64)
}

// Mul is iv * f: fractions of months spill into days, fractions of days into microseconds.
func (iv IntervalValue) Mul(f float64) (IntervalValue, error) {
	return iv.scale(func(v float64) float64 { return v * f })
}

// Div is iv / f; 22012 when f is 0.
func (iv IntervalValue) Div(f float64) (IntervalValue, error) {
	if f == 0 {
		return IntervalValue{}, Errorf(CodeDivisionByZero, "division by zero")
	}
	return iv.scale(func(v float64) float64 { return v / f })
}

// scale applies by to each part. The fraction of a month becomes days of which a month has 30, and
// what is left of a day, seconds; both are rounded to microseconds first, so that binary fractions
// such as 0.1 don't show.
func (iv IntervalValue) scale(by func(float64) float64) (IntervalValue, error) {
	months, days := by(float64(iv.Months)), by(float64(iv.Days))
	if !fitsInt32(months) || !fitsInt32(days) {
		return IntervalValue{}, intervalOutOfRange()
	}
	wholeMonths, wholeDays := int32(months), int32(days)
	monthDays := roundMicro((months - float64(wholeMonths)) * daysPerMonth)
	spill := roundMicro((days - float64(wholeDays) + monthDays - float64(int64(monthDays))) * secondsPerDay)
	extra := int64(monthDays)
	if math.Abs(spill) >= secondsPerDay {
		whole := int64(spill / secondsPerDay)
		extra += whole
		spill -= float64(whole * secondsPerDay)
	}
	micros := math.RoundToEven(by(float64(iv.Micros)) + spill*MicrosPerSecond)
	if !(micros >= -1<<63 && micros < 1<<63) {
		return IntervalValue{}, intervalOutOfRange()
	}
	return makeInterval(int64(wholeMonths), int64(wholeDays)+extra, int64(micros), true)
}

func fitsInt32(f float64) bool { return f >= math.MinInt32 && f < math.MaxInt32+1 }

// roundMicro rounds to six decimals.
func roundMicro(f float64) float64 {
	return math.RoundToEven(f*MicrosPerSecond) / MicrosPerSecond
}

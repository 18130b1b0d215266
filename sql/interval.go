package sql

import (
	"math"
	"time"
)

// AddInterval is t + iv in loc (nil for a timestamp without time zone): months first, with the day
// kept within the month, then days, both on the wall clock, then microseconds. 22008 on overflow.
func AddInterval(t TimestampValue, iv IntervalValue, loc *time.Location) (TimestampValue, error) {
	return 0, Unsupported("interval", "")
}

// Age is a - b as years, months, days and time, PostgreSQL's age(a, b), on the wall clock.
func Age(a, b TimestampValue) IntervalValue { return IntervalValue{} }

// JustifyHours turns 24 hours into a day.
func (iv IntervalValue) JustifyHours() (IntervalValue, error) { return iv, nil }

// JustifyDays turns 30 days into a month.
func (iv IntervalValue) JustifyDays() (IntervalValue, error) { return iv, nil }

// JustifyInterval does both, and gives all parts one sign.
func (iv IntervalValue) JustifyInterval() (IntervalValue, error) { return iv, nil }

// Compare orders intervals as if a month were 30 days and a day 24 hours; -1, 0 or 1.
func (iv IntervalValue) Compare(o IntervalValue) int { return 0 }

// Add is iv + o.
func (iv IntervalValue) Add(o IntervalValue) (IntervalValue, error) { return iv, nil }

// Sub is iv - o.
func (iv IntervalValue) Sub(o IntervalValue) (IntervalValue, error) { return iv, nil }

// Neg is -iv.
func (iv IntervalValue) Neg() (IntervalValue, error) { return iv, nil }

// Mul is iv * f: fractions of months spill into days, fractions of days into microseconds.
func (iv IntervalValue) Mul(f float64) (IntervalValue, error) { return iv, nil }

// Div is iv / f; 22012 when f is 0.
func (iv IntervalValue) Div(f float64) (IntervalValue, error) { return iv, nil }

var _ = math.MaxInt64

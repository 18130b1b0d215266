package expr

import "github.com/streamsql/streamsql/sql"

// datetimeOperators are + - * / over dates, times, timestamps and intervals.
func datetimeOperators() []Function {
	date, tim, ts, tz, iv := sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval
	fns := []Function{
		{Name: "-", Args: []sql.Type{date, date}, Result: sql.TypeInt4, Kernel: Row2(subDates)},
		{Name: "-", Args: []sql.Type{date, sql.TypeInt4}, Result: date, Kernel: Row2(func(_ *Context, d sql.DateValue, n int32) (sql.DateValue, error) {
			return addDays(d, -int64(n))
		})},
		{Name: "-", Args: []sql.Type{date, iv}, Result: ts, Kernel: Row2(func(_ *Context, d sql.DateValue, v sql.IntervalValue) (sql.TimestampValue, error) {
			return addToDate(d, v, -1)
		})},
		{Name: "-", Args: []sql.Type{tim, tim}, Result: iv, Kernel: Pure2(func(a, b sql.TimeValue) sql.IntervalValue {
			return sql.IntervalValue{Micros: int64(a - b)}
		})},
		{Name: "-", Args: []sql.Type{tim, iv}, Result: tim, Kernel: Pure2(func(t sql.TimeValue, v sql.IntervalValue) sql.TimeValue {
			return wrapDay(int64(t) - v.Micros%sql.MicrosPerDay)
		})},
		{Name: "-", Args: []sql.Type{ts, ts}, Result: iv, Kernel: Row2(subTimestamps)},
		{Name: "-", Args: []sql.Type{tz, tz}, Result: iv, Kernel: Row2(subTimestamps)},
		{Name: "-", Args: []sql.Type{ts, iv}, Result: ts, Kernel: Row2(subFromTimestamp)},
		{Name: "-", Args: []sql.Type{tz, iv}, Result: tz, Volatility: Stable, Kernel: Row2(subFromTimestamptz)},
		{Name: "-", Args: []sql.Type{iv, iv}, Result: iv, Kernel: Row2(func(_ *Context, a, b sql.IntervalValue) (sql.IntervalValue, error) { return a.Sub(b) })},
		{Name: "-", Args: []sql.Type{iv}, Result: iv, Kernel: Row1(func(_ *Context, a sql.IntervalValue) (sql.IntervalValue, error) { return a.Neg() })},
		{Name: "+", Args: []sql.Type{iv, iv}, Result: iv, Kernel: Row2(func(_ *Context, a, b sql.IntervalValue) (sql.IntervalValue, error) { return a.Add(b) })},
		{Name: "/", Args: []sql.Type{iv, sql.TypeFloat8}, Result: iv, Kernel: Row2(func(_ *Context, a sql.IntervalValue, f float64) (sql.IntervalValue, error) { return a.Div(f) })},
	}
	fns = append(fns, commutative("+", date, sql.TypeInt4, date, Immutable, func(_ *Context, d sql.DateValue, n int32) (sql.DateValue, error) {
		return addDays(d, int64(n))
	})...)
	fns = append(fns, commutative("+", date, tim, ts, Immutable, addDateTime)...)
	fns = append(fns, commutative("+", date, iv, ts, Immutable, func(_ *Context, d sql.DateValue, v sql.IntervalValue) (sql.TimestampValue, error) {
		return addToDate(d, v, 1)
	})...)
	fns = append(fns, commutative("+", tim, iv, tim, Immutable, func(_ *Context, t sql.TimeValue, v sql.IntervalValue) (sql.TimeValue, error) {
		return wrapDay(int64(t) + v.Micros%sql.MicrosPerDay), nil
	})...)
	fns = append(fns, commutative("+", ts, iv, ts, Immutable, func(_ *Context, t sql.TimestampValue, v sql.IntervalValue) (sql.TimestampValue, error) {
		return sql.AddInterval(t, v, nil)
	})...)
	fns = append(fns, commutative("+", tz, iv, tz, Stable, func(c *Context, t sql.TimestampValue, v sql.IntervalValue) (sql.TimestampValue, error) {
		return sql.AddInterval(t, v, c.Location)
	})...)
	return append(fns, commutative("*", iv, sql.TypeFloat8, iv, Immutable, func(_ *Context, v sql.IntervalValue, f float64) (sql.IntervalValue, error) {
		return v.Mul(f)
	})...)
}

// commutative makes the operator and its mirror image.
func commutative[A, B, R any](op string, a, b, result sql.Type, v Volatility, fn func(*Context, A, B) (R, error)) []Function {
	return []Function{
		{Name: op, Args: []sql.Type{a, b}, Result: result, Volatility: v, Kernel: Row2(fn)},
		{Name: op, Args: []sql.Type{b, a}, Result: result, Volatility: v,
			Kernel: Row2(func(c *Context, y B, x A) (R, error) { return fn(c, x, y) })},
	}
}

var errDateRange = sql.Errorf(sql.CodeDatetimeOverflow, "date out of range")

func addDays(d sql.DateValue, n int64) (sql.DateValue, error) {
	if !d.Finite() {
		return d, nil
	}
	sum := int64(d) + n
	if sum < int64(sql.MinDate) || sum > int64(sql.MaxDate) {
		return 0, errDateRange
	}
	return sql.DateValue(sum), nil
}

func subDates(_ *Context, a, b sql.DateValue) (int32, error) {
	if !a.Finite() || !b.Finite() {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "cannot subtract infinite dates")
	}
	return int32(a - b), nil
}

func addDateTime(_ *Context, d sql.DateValue, t sql.TimeValue) (sql.TimestampValue, error) {
	at, err := sql.TimestampOf(d)
	if err != nil || !at.Finite() {
		return at, err
	}
	if at += sql.TimestampValue(t); !at.InRange() {
		return 0, errTimestampRange
	}
	return at, nil
}

// addToDate is d ± v as a timestamp.
func addToDate(d sql.DateValue, v sql.IntervalValue, sign int) (sql.TimestampValue, error) {
	at, err := sql.TimestampOf(d)
	if err != nil {
		return 0, err
	}
	if sign < 0 {
		return subFromTimestamp(nil, at, v)
	}
	return sql.AddInterval(at, v, nil)
}

func subFromTimestamp(_ *Context, t sql.TimestampValue, v sql.IntervalValue) (sql.TimestampValue, error) {
	return sql.AddInterval(t, negated(v), nil)
}

func subFromTimestamptz(c *Context, t sql.TimestampValue, v sql.IntervalValue) (sql.TimestampValue, error) {
	return sql.AddInterval(t, negated(v), c.Location)
}

// negated wraps around for the smallest parts, as PostgreSQL 15's timestamp_mi_interval does.
func negated(v sql.IntervalValue) sql.IntervalValue {
	return sql.IntervalValue{Micros: -v.Micros, Days: -v.Days, Months: -v.Months}
}

// subTimestamps is a - b in days and time; hours from 24 on become days.
func subTimestamps(_ *Context, a, b sql.TimestampValue) (sql.IntervalValue, error) {
	if !a.Finite() || !b.Finite() {
		return sql.IntervalValue{}, sql.Errorf(sql.CodeDatetimeOverflow, "cannot subtract infinite timestamps")
	}
	us := int64(a - b)
	if a > b != (us > 0) && a != b {
		return sql.IntervalValue{}, sql.Errorf(sql.CodeDatetimeOverflow, "interval out of range")
	}
	return sql.IntervalValue{Days: int32(us / sql.MicrosPerDay), Micros: us % sql.MicrosPerDay}, nil
}

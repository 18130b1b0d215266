package expr

import "github.com/streamsql/streamsql/sql"

// pgEpoch is 2000-01-01, from which PostgreSQL counts; rounding goes away from it.
const pgEpoch sql.TimestampValue = 946_684_800 * sql.MicrosPerSecond

// roundMicros rounds to `digits` of a second, halves away from zero.
func roundMicros(us int64, digits int) int64 {
	unit := pow10[6-digits]
	if us >= 0 {
		return (us + unit/2) / unit * unit
	}
	return -((-us + unit/2) / unit * unit)
}

func roundTimestamp(t sql.TimestampValue, digits int) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	return pgEpoch + sql.TimestampValue(roundMicros(int64(t-pgEpoch), digits)), nil
}

func dateToTimestamp(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(_ *Context, d sql.DateValue) (sql.TimestampValue, error) { return sql.TimestampOf(d) })
}

func dateToTimestamptz(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(dateInZone)
}

// dateInZone is midnight of d in the session's time zone.
func dateInZone(c *Context, d sql.DateValue) (sql.TimestampValue, error) {
	t, err := sql.TimestampOf(d)
	if err != nil {
		return 0, err
	}
	return timestampInZone(c, t)
}

// timestampInZone is the instant when clocks of the session's time zone show t.
func timestampInZone(c *Context, t sql.TimestampValue) (sql.TimestampValue, error) {
	if !t.Finite() {
		return t, nil
	}
	at, ok := sql.FromLocal(t, c.Location)
	if !ok {
		return 0, errTimestampRange
	}
	return at, nil
}

var errTimestampRange = sql.Errorf(sql.CodeDatetimeOverflow, "timestamp out of range")

func timestampToDate(_, _ sql.Type, _ CastContext) Kernel { return Pure1(sql.DateOf) }

func timestamptzToDate(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(c *Context, t sql.TimestampValue) (sql.DateValue, error) {
		return sql.DateOf(localTime(c, t)), nil
	})
}

// localTime is what clocks in the session's time zone show at t.
func localTime(c *Context, t sql.TimestampValue) sql.TimestampValue {
	if !t.Finite() {
		return t
	}
	return sql.ToLocal(t, c.Location)
}

func timestampToTimestamptz(_, _ sql.Type, _ CastContext) Kernel { return Row1(timestampInZone) }

func timestamptzToTimestamp(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(c *Context, t sql.TimestampValue) (sql.TimestampValue, error) {
		return localTime(c, t), nil
	})
}

func timestampToTime(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(_ *Context, t sql.TimestampValue) (sql.TimeValue, error) { return timeOfDay(t) })
}

func timestamptzToTime(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(c *Context, t sql.TimestampValue) (sql.TimeValue, error) { return timeOfDay(localTime(c, t)) })
}

// timeOfDay is NULL for an infinite timestamp.
func timeOfDay(t sql.TimestampValue) (sql.TimeValue, error) {
	if !t.Finite() {
		return 0, Null
	}
	_, micros := sql.SplitTimestamp(t)
	return sql.TimeValue(micros), nil
}

func timeToInterval(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(t sql.TimeValue) sql.IntervalValue { return sql.IntervalValue{Micros: int64(t)} })
}

func intervalToTime(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(iv sql.IntervalValue) sql.TimeValue { return wrapDay(iv.Micros) })
}

// wrapDay brings microseconds into a day, as time arithmetic does.
func wrapDay(us int64) sql.TimeValue {
	if us %= sql.MicrosPerDay; us < 0 {
		us += sql.MicrosPerDay
	}
	return sql.TimeValue(us)
}

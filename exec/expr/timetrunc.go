package expr

import (
	"time"

	"github.com/streamsql/streamsql/sql"
)

// truncFunctions are date_trunc and date_bin.
func truncFunctions() []Function {
	text, ts, tz, iv := sql.TypeText, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval
	return []Function{
		{Name: "date_trunc", Args: types(text, ts), Result: ts, Kernel: truncKernel(sql.TypeTimestamp)},
		{Name: "date_trunc", Args: types(text, tz), Result: tz, Volatility: Stable, Kernel: truncKernel(sql.TypeTimestamptz)},
		{Name: "date_trunc", Args: types(text, tz, text), Result: tz, Volatility: Stable, Kernel: Row3(func(_ *Context, unit string, t sql.TimestampValue, zone string) (sql.TimestampValue, error) {
			if !t.Finite() {
				return t, nil
			}
			loc, err := sql.LookupZone(zone)
			if err != nil {
				return 0, err
			}
			u, err := parseTruncUnit(unit, sql.TypeTimestamptz)
			if err != nil {
				return 0, err
			}
			return truncTimestamptz(unit, u, t, loc)
		})},
		{Name: "date_trunc", Args: types(text, iv), Result: iv, Kernel: Row2(truncInterval)},
		{Name: "date_bin", Args: types(iv, ts, ts), Result: ts, Kernel: Row3(dateBin)},
		{Name: "date_bin", Args: types(iv, tz, tz), Result: tz, Kernel: Row3(dateBin)},
	}
}

// clockUnits are the microseconds of the units up to a day; 0 for others.
var clockUnits = [zoneMinutes + 1]int64{
	microsecond: 1, millisecond: 1000, second: 1_000_000, minute: 60_000_000, hour: 3_600_000_000, day: sql.MicrosPerDay,
}

// truncate cuts a finite wall-clock time; ok is false for a unit that can't be cut to.
func truncate(t sql.TimestampValue, u timeUnit) (r sql.TimestampValue, ok bool) {
	days, us := sql.SplitTimestamp(t)
	if size := clockUnits[u]; size > 0 {
		return t - sql.TimestampValue(us%size), true
	}
	y, m, _ := sql.CivilFromDays(days)
	switch u {
	case week:
		days -= int64(sql.Weekday(days)+6) % 7
		return sql.TimestampValue(days * sql.MicrosPerDay), true
	case month:
	case quarter:
		m = (m-1)/3*3 + 1
	case year:
		m = 1
	case decade: // of the years as written: the one of 1 BC to 10 BC starts with -10
		m = 1
		if y > 0 {
			y = y / 10 * 10
		} else {
			y = -((8 - (y - 1)) / 10) * 10
		}
	case century, millennium:
		size := 100
		if u == millennium {
			size = 1000
		}
		m = 1
		if y > 0 {
			y = (y+size-1)/size*size - size + 1
		} else {
			y = -((size - 1 - (y - 1)) / size * size) + 1
		}
	default:
		return 0, false
	}
	return sql.TimestampValue(sql.DaysFromCivil(y, m, 1) * sql.MicrosPerDay), true
}

// parseTruncUnit is parseUnit without the fields that are no lengths of time.
func parseTruncUnit(unit string, t sql.Type) (timeUnit, error) {
	u, err := parseUnit(unit, t)
	if err == nil && u > millennium && u < zoneSeconds {
		return noUnit, unitNotRecognized(unit, t)
	}
	return u, err
}

// truncKernel looks the unit, nearly always a constant, up once.
func truncKernel(typ sql.Type) Kernel {
	return rows(func(c *Context, in *Input) func(int) (sql.TimestampValue, error) {
		names, at := reader[string](in.Args[0]), reader[sql.TimestampValue](in.Args[1])
		unit, name := noUnit, ""
		return func(i int) (sql.TimestampValue, error) {
			t := at(i)
			if !t.Finite() {
				return t, nil
			}
			if s := names(i); unit == noUnit || s != name {
				u, err := parseTruncUnit(s, typ)
				if err != nil {
					return 0, err
				}
				unit, name = u, s
			}
			if typ.Kind == sql.Timestamp {
				return truncChecked(name, unit, t, typ)
			}
			return truncTimestamptz(name, unit, t, c.Location)
		}
	})
}

// truncChecked is truncate with its errors; name is the unit's, as it was written.
func truncChecked(name string, u timeUnit, t sql.TimestampValue, typ sql.Type) (sql.TimestampValue, error) {
	r, ok := truncate(t, u)
	if !ok {
		return 0, unitNotSupported(name, typ)
	}
	if !r.InRange() {
		return 0, errTimestampRange
	}
	return r, nil
}

// truncTimestamptz cuts what clocks in loc show. Below a day the offset stays; the midnight that a
// larger unit starts with is looked up anew.
func truncTimestamptz(name string, u timeUnit, t sql.TimestampValue, loc *time.Location) (sql.TimestampValue, error) {
	local := sql.ToLocal(t, loc)
	r, err := truncChecked(name, u, local, sql.TypeTimestamptz)
	if err != nil {
		return 0, err
	}
	if u < day {
		return t - (local - r), nil
	}
	at, ok := sql.FromLocal(r, loc)
	if !ok {
		return 0, errTimestampRange
	}
	return at, nil
}

func truncInterval(_ *Context, unit string, iv sql.IntervalValue) (sql.IntervalValue, error) {
	u, err := parseTruncUnit(unit, sql.TypeInterval)
	if err != nil {
		return iv, err
	}
	if size := clockUnits[u]; size > 0 && u < day {
		iv.Micros -= iv.Micros % size
		return iv, nil
	}
	months := int32(0)
	switch u {
	case day:
		iv.Micros = 0
		return iv, nil
	case month:
		months = 1
	case quarter:
		months = 3
	case year:
		months = 12
	case decade:
		months = 120
	case century:
		months = 1200
	case millennium:
		months = 12000
	case week:
		return iv, unitNotSupported(unit, sql.TypeInterval).(*sql.Error).WithDetail("Months usually have fractional weeks.")
	default:
		return iv, unitNotSupported(unit, sql.TypeInterval)
	}
	return sql.IntervalValue{Months: iv.Months / months * months}, nil
}

// dateBin is the start of the bin that t is in: bins are stride long and one starts at origin.
func dateBin(_ *Context, stride sql.IntervalValue, t, origin sql.TimestampValue) (sql.TimestampValue, error) {
	switch {
	case !t.Finite():
		return t, nil
	case !origin.Finite():
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "origin out of range")
	case stride.Months != 0:
		return 0, sql.Errorf(sql.CodeFeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
	}
	size := int64(stride.Days)*sql.MicrosPerDay + stride.Micros
	if size <= 0 {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "stride must be greater than zero")
	}
	diff := int64(t) - int64(origin)
	if (t < origin) != (diff < 0) {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "interval out of range")
	}
	rest := diff % size
	if rest < 0 {
		rest += size
	}
	r := t - sql.TimestampValue(rest)
	if !r.InRange() {
		return 0, errTimestampRange
	}
	return r, nil
}

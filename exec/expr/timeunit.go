package expr

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// timeUnit is a field of a date, time or interval, as extract and date_trunc name them.
type timeUnit uint8

const (
	noUnit timeUnit = iota
	microsecond
	millisecond
	second
	minute
	hour
	day
	week
	month
	quarter
	year
	decade
	century
	millennium
	julian
	isoYear
	dayOfWeek
	isoDayOfWeek
	dayOfYear
	epoch
	zoneSeconds
	zoneHours
	zoneMinutes
)

// timeUnits are the names PostgreSQL takes; longer ones are compared by their first ten letters.
var timeUnits = func() map[string]timeUnit {
	m := map[string]timeUnit{}
	for unit, names := range map[timeUnit]string{
		microsecond: "us usec usecs usecond useconds microsecond microseconds",
		millisecond: "ms msec msecs msecond mseconds millisecond milliseconds",
		second:      "s sec secs second seconds", minute: "m min mins minute minutes", hour: "h hr hrs hour hours",
		day: "d day days", week: "w week weeks", month: "mon mons month months", quarter: "qtr quarter",
		year: "y yr yrs year years", decade: "dec decs decade decades", century: "c cent century centuries",
		millennium: "mil mils millennium millennia", julian: "j jd julian", isoYear: "isoyear", dayOfWeek: "dow",
		isoDayOfWeek: "isodow", dayOfYear: "doy", epoch: "epoch", zoneSeconds: "timezone",
		zoneHours: "timezone_hour", zoneMinutes: "timezone_minute",
	} {
		for _, name := range strings.Fields(names) {
			m[cutUnit(name)] = unit
		}
	}
	// These two share their first ten letters: they are told apart by the whole word.
	delete(m, cutUnit("timezone_hour"))
	m["timezone_hour"], m["timezone_h"] = zoneHours, zoneHours
	m["timezone_minute"], m["timezone_m"] = zoneMinutes, zoneMinutes
	return m
}()

func cutUnit(s string) string { return s[:min(len(s), 10)] }

// parseUnit finds the unit of a name for a value of type t. Error: 22023.
func parseUnit(name string, t sql.Type) (timeUnit, error) {
	lower := strings.ToLower(name)
	if u, ok := timeUnits[cutUnit(lower)]; ok {
		return u, nil
	}
	return noUnit, unitNotRecognized(name, t)
}

func unitNotRecognized(name string, t sql.Type) error {
	return sql.Errorf(sql.CodeInvalidParameter, "unit \"%s\" not recognized for type %s", strings.ToLower(name), t.BaseName())
}

func unitNotSupported(name string, t sql.Type) error {
	return sql.Errorf(sql.CodeFeatureNotSupported, "unit \"%s\" not supported for type %s", strings.ToLower(name), t.BaseName())
}

package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// toTimestampFunctions read dates and times by a template.
func toTimestampFunctions() []Function {
	text := sql.TypeText
	return []Function{
		{Name: "to_timestamp", Args: types(text, text), Result: sql.TypeTimestamptz, Volatility: Stable, Kernel: Row2(toTimestamp)},
		{Name: "to_date", Args: types(text, text), Result: sql.TypeDate, Volatility: Stable, Kernel: Row2(toDate)},
	}
}

func toTimestamp(c *Context, s, template string) (sql.TimestampValue, error) {
	r := templateReader{src: s, rest: s}
	civil, err := r.read(template)
	if err != nil {
		return 0, err
	}
	t, ok := sql.TimestampFromCivil(civil)
	if !ok {
		return 0, errTimestampRange
	}
	if r.zoned {
		t -= sql.TimestampValue(r.offset) * sql.MicrosPerSecond
	} else if t, ok = sql.FromLocal(t, c.Location); !ok {
		return 0, errTimestampRange
	}
	if !t.InRange() {
		return 0, errTimestampRange
	}
	return t, nil
}

func toDate(_ *Context, s, template string) (sql.DateValue, error) {
	r := templateReader{src: s, rest: s}
	civil, err := r.read(template)
	if err != nil {
		return 0, err
	}
	days := sql.DaysFromCivil(civil.Year, civil.Month, civil.Day)
	if days < int64(sql.MinDate) || days > int64(sql.MaxDate) {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "date out of range: \"%s\"", s)
	}
	return sql.DateValue(days), nil
}

// templateReader reads a text by a template. Fields that were not read are 0.
type templateReader struct {
	src, rest string
	exact     bool // FX: white space and separators must match
	skipped   int  // characters skipped beyond what the template accounts for

	year, yearDigits, century        int
	month, day, dayOfYear, weekday   int
	hour, minute, second, micro      int
	dayseconds, julianDay, weekOfDay int
	week, isoWeek                    int
	bc, pm, halfDay, isoFields       bool
	zoned                            bool
	offset, zoneSign                 int
	set                              map[string]int // values of the numeric fields, for conflicts
}

func (r *templateReader) read(template string) (sql.Civil, error) {
	nodes, exact := parseTemplate(template, timeKeywords, true)
	r.exact, r.set = exact, map[string]int{}
	for i, n := range nodes {
		if r.rest == "" {
			break // what the text lacks at its end keeps its default
		}
		if !r.exact && (n.key != "" || i == 0) {
			r.skipSpace()
		}
		if n.key == "" {
			r.plain(n.text)
			continue
		}
		if err := r.field(n, nodes[i+1:]); err != nil {
			return sql.Civil{}, err
		}
	}
	return r.result()
}

func (r *templateReader) skipSpace() {
	for r.rest != "" && (r.rest[0] == ' ' || r.rest[0] >= '\t' && r.rest[0] <= '\r') {
		r.rest = r.rest[1:]
		r.skipped++
	}
}

func isTemplateSeparator(c byte) bool {
	return c > 0x20 && c < 0x7f && !isASCIILetter(c) && !isASCIIDigit(c)
}

// plain matches a character of the template that is no field: a separator matches any one separator
// or space, or nothing; other text stands for one character, whatever it is.
func (r *templateReader) plain(text string) {
	if r.rest == "" {
		return
	}
	c := text[0]
	switch {
	case c == ' ' || isTemplateSeparator(c):
		if r.exact {
			r.drop()
			return
		}
		r.skipped--
		if r.rest[0] == ' ' || isTemplateSeparator(r.rest[0]) {
			r.rest = r.rest[1:]
			r.skipped++
		}
	case !r.exact && r.skipped > 0:
		r.skipped--
	default:
		r.drop()
	}
}

func (r *templateReader) drop() {
	_, n := utf8.DecodeRuneInString(r.rest)
	r.rest = r.rest[n:]
}

func (r *templateReader) bad(key, got, detail string) error {
	return sql.Errorf(sql.CodeInvalidDatetime, "invalid value \"%s\" for \"%s\"", got, key).WithDetail("%s", detail)
}

// number reads an integer of at most width digits; of any length if no digit follows in the template.
func (r *templateReader) number(n templateNode, width int, rest []templateNode) (int, error) {
	for r.rest != "" && r.rest[0] == ' ' {
		r.rest = r.rest[1:]
	}
	source := r.rest
	if !n.fill && !endsNumber(n, rest) {
		if len(source) < width {
			return 0, sql.Errorf(sql.CodeInvalidDatetime, "source string too short for \"%s\" formatting field", n.key).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(source)).
				WithHint(`If your source string is not fixed-width, try using the "FM" modifier.`)
		}
		source = source[:width]
	}
	end := 0
	if end < len(source) && (source[end] == '-' || source[end] == '+') {
		end++
	}
	for end < len(source) && isASCIIDigit(source[end]) {
		end++
	}
	text := source[:end]
	if text == "" || text == "-" || text == "+" {
		return 0, r.bad(n.key, r.rest[:min(width, len(r.rest))], "Value must be an integer.")
	}
	if !n.fill && !endsNumber(n, rest) && end < width {
		return 0, r.bad(n.key, source, "Field requires "+strconv.Itoa(width)+" characters, but only "+strconv.Itoa(end)+" could be parsed.").(*sql.Error).
			WithHint(`If your source string is not fixed-width, try using the "FM" modifier.`)
	}
	v, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "value for \"%s\" in source string is out of range", n.key).
			WithDetail("Value must be in the range %d to %d.", -1<<31, 1<<31-1)
	}
	r.rest = r.rest[end:]
	if n.ordinal != "" {
		r.rest = r.rest[min(2, len(r.rest)):]
	}
	return int(v), nil
}

// endsNumber tells whether what follows in the template can't be a digit.
func endsNumber(n templateNode, rest []templateNode) bool {
	if n.ordinal != "" || len(rest) == 0 {
		return true
	}
	if next := rest[0]; next.key == "" {
		return !isASCIIDigit(next.text[0])
	}
	switch key := strings.ToUpper(rest[0].key); key {
	case "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "DAY", "DY", "MON", "MONTH", "P.M.", "PM", "RM", "TZ", "OF", "TZH":
		return true
	}
	return false
}

// store sets a numeric field; a second, different value is a conflict.
func (r *templateReader) store(key string, dst *int, v int) error {
	if old, ok := r.set[key]; ok && old != v {
		return sql.Errorf(sql.CodeInvalidDatetime, "conflicting values for \"%s\" field in formatting string", key).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	r.set[key] = v
	*dst = v
	return nil
}

func (r *templateReader) field(n templateNode, rest []templateNode) error {
	key := strings.ToUpper(n.key)
	switch key {
	case "A.M.", "P.M.", "AM", "PM":
		which, err := r.word(n, "a.m.", "p.m.", "am", "pm")
		r.halfDay, r.pm = true, which%2 == 1
		return err
	case "A.D.", "B.C.", "AD", "BC":
		which, err := r.word(n, "a.d.", "b.c.", "ad", "bc")
		r.bc = which%2 == 1
		return err
	case "MONTH", "MON":
		names := monthNames
		if key == "MON" {
			names = shortNames(monthNames)
		}
		which, err := r.word(n, names...)
		if err != nil {
			return err
		}
		return r.store("MM", &r.month, which+1)
	case "DAY", "DY":
		names := dayNames
		if key == "DY" {
			names = shortNames(dayNames)
		}
		which, err := r.word(n, names...)
		r.weekday = which + 1
		return err
	case "RM":
		which, err := r.word(n, romanMonth...)
		if err != nil {
			return err
		}
		return r.store("MM", &r.month, which+1)
	case "TZ", "OF":
		return sql.Errorf(sql.CodeFeatureNotSupported, "formatting field \"%s\" is only supported in to_char", n.key)
	case "TZH":
		return r.zoneHours(n, rest)
	case "Y,YYY":
		return r.groupedYear(n)
	}
	return r.numberField(n, key, rest)
}

func shortNames(names []string) []string {
	out := make([]string, len(names))
	for i, s := range names {
		out[i] = s[:3]
	}
	return out
}

// word reads one of the words in any case, the longest that fits.
func (r *templateReader) word(n templateNode, words ...string) (int, error) {
	best, length := -1, 0
	for i, w := range words {
		if len(w) > length && len(r.rest) >= len(w) && strings.EqualFold(r.rest[:len(w)], w) {
			best, length = i, len(w)
		}
	}
	if best < 0 {
		got := r.rest
		if i := strings.IndexAny(got, " \t\n"); i >= 0 {
			got = got[:i]
		}
		return 0, r.bad(n.key, got, "The given value did not match any of the allowed values for this field.")
	}
	r.rest = r.rest[length:]
	return best, nil
}

// numberFields are the fields that are plain integers, and their width.
var numberFields = map[string]int{
	"HH": 2, "HH12": 2, "HH24": 2, "MI": 2, "SS": 2, "SSSSS": 5, "SSSS": 5, "DDD": 3, "IDDD": 3, "DD": 2, "D": 1, "ID": 1,
	"WW": 2, "IW": 2, "W": 1, "Q": 1, "CC": 2, "YYYY": 4, "IYYY": 4, "YYY": 3, "IYY": 3, "YY": 2, "IY": 2, "Y": 1, "I": 1,
	"J": 7, "MM": 2, "MS": 3, "US": 6, "FF1": 1, "FF2": 2, "FF3": 3, "FF4": 4, "FF5": 5, "FF6": 6, "TZM": 2,
}

func (r *templateReader) numberField(n templateNode, key string, rest []templateNode) error {
	before := len(r.rest)
	v, err := r.number(n, numberFields[key], rest)
	if err != nil {
		return err
	}
	digits := before - len(r.rest)
	switch key {
	case "HH", "HH12":
		r.halfDay = true
		return r.store("HH", &r.hour, v)
	case "HH24":
		return r.store("HH", &r.hour, v)
	case "MI":
		return r.store(key, &r.minute, v)
	case "SS":
		return r.store(key, &r.second, v)
	case "SSSSS", "SSSS":
		return r.store("SSSS", &r.dayseconds, v)
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		for ; digits < 6; digits++ { // 5 of MS is half a second: it is a fraction
			v *= 10
		}
		return r.store(key, &r.micro, v)
	case "DDD", "IDDD":
		r.isoFields = key == "IDDD"
		return r.store("DDD", &r.dayOfYear, v)
	case "DD":
		return r.store(key, &r.day, v)
	case "D":
		return r.store(key, &r.weekday, v)
	case "ID":
		return r.store(key, &r.weekday, v%7+1)
	case "WW":
		return r.store(key, &r.week, v)
	case "IW":
		return r.store(key, &r.isoWeek, v)
	case "W":
		return r.store(key, &r.weekOfDay, v)
	case "CC":
		return r.store(key, &r.century, v)
	case "J":
		return r.store(key, &r.julianDay, v)
	case "MM":
		return r.store(key, &r.month, v)
	case "TZM":
		r.zoned = true
		if r.zoneSign < 0 {
			v = -v
		}
		r.offset += v * 60
	case "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "I":
		r.yearDigits = len(key)
		return r.store("Y", &r.year, fullYear(v, digits, len(key)))
	}
	return nil
}

// fullYear puts a year of fewer than four digits next to 2020.
func fullYear(v, digits, width int) int {
	if width == 4 || digits >= 4 {
		return v
	}
	switch {
	case v < 70:
		return v + 2000
	case v < 100:
		return v + 1900
	case v < 520:
		return v + 2000
	case v < 1000:
		return v + 1000
	}
	return v
}

func (r *templateReader) groupedYear(n templateNode) error {
	thousands, rest, ok := strings.Cut(r.rest, ",")
	t, err := strconv.Atoi(thousands)
	if !ok || err != nil || len(rest) < 3 {
		return sql.Errorf(sql.CodeInvalidDatetime, "invalid input string for \"%s\"", n.key)
	}
	y, err := strconv.Atoi(rest[:3])
	if err != nil {
		return sql.Errorf(sql.CodeInvalidDatetime, "invalid input string for \"%s\"", n.key)
	}
	r.rest, r.yearDigits = rest[3:], 4
	return r.store("Y", &r.year, t*1000+y)
}

func (r *templateReader) zoneHours(n templateNode, rest []templateNode) error {
	r.zoned, r.zoneSign = true, 1
	if r.rest != "" && strings.IndexByte("+- ", r.rest[0]) >= 0 {
		if r.rest[0] == '-' {
			r.zoneSign = -1
		}
		r.rest = r.rest[1:]
	}
	h, err := r.number(n, 2, rest)
	r.offset += r.zoneSign * h * 3600
	return err
}

func (r *templateReader) outOfRange() error {
	return sql.Errorf(sql.CodeDatetimeOverflow, "date/time field value out of range: \"%s\"", r.src)
}

// result puts the fields together.
func (r *templateReader) result() (sql.Civil, error) {
	c := sql.Civil{Year: r.year, Month: 1, Day: 1, Hour: r.hour, Minute: r.minute, Second: r.second, Micro: r.micro}
	if _, ok := r.set["SSSS"]; ok {
		c.Hour, c.Minute, c.Second = r.dayseconds/3600, r.dayseconds/60%60, r.dayseconds%60
		if r.dayseconds < 0 || r.dayseconds >= 86400 {
			return c, r.outOfRange()
		}
	}
	if r.halfDay {
		if c.Hour < 1 || c.Hour > 12 {
			return c, sql.Errorf(sql.CodeInvalidDatetime, "hour \"%d\" is invalid for the 12-hour clock", c.Hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if c.Hour %= 12; r.pm {
			c.Hour += 12
		}
	}
	c.Year = r.fullYear()
	r.date(&c)
	if c.Month < 1 || c.Month > 12 || c.Day < 1 || c.Day > sql.DaysInMonth(c.Year, c.Month) ||
		c.Hour < 0 || c.Hour > 23 || c.Minute < 0 || c.Minute > 59 || c.Second < 0 || c.Second > 59 ||
		c.Micro < 0 || c.Micro > 999_999 || r.offset > 15*3600+59*60 || r.offset < -15*3600-59*60 {
		return c, r.outOfRange()
	}
	return c, nil
}

// fullYear is the astronomical year of the year, the century and the era. Without any it is 1 BC, as
// in PostgreSQL.
func (r *templateReader) fullYear() int {
	y := r.year
	switch {
	case r.century != 0 && r.yearDigits > 0 && r.yearDigits <= 2:
		// The year's last two digits, within the century.
		y = y % 100
		if r.century < 0 {
			y = (r.century+1)*100 - y + 1
		} else if y == 0 {
			y = r.century * 100
		} else {
			y += (r.century - 1) * 100
		}
	case r.century != 0 && r.yearDigits == 0:
		y = (r.century-1)*100 + 1
		if r.century < 0 {
			y = r.century*100 + 1
		}
	}
	if y < 0 && !r.bc || y > 0 && r.bc {
		if y > 0 {
			y = -y
		}
		return y + 1
	}
	if y < 0 { // negative and BC
		return -y
	}
	return y
}

// date sets month and day from whichever fields were given.
func (r *templateReader) date(c *sql.Civil) {
	setDays := func(days int64) { c.Year, c.Month, c.Day = sql.CivilFromDays(days) }
	if r.month != 0 || r.set["MM"] != 0 {
		c.Month = r.month
	}
	if _, ok := r.set["DD"]; ok {
		c.Day = r.day
	}
	switch _, julian := r.set["J"]; {
	case julian:
		setDays(int64(r.julianDay) + int64(sql.MinDate))
	case r.isoWeek != 0:
		monday := sql.DaysFromISOWeek(c.Year, r.isoWeek)
		if r.weekday > 0 {
			monday += int64((r.weekday + 5) % 7) // Sunday, 1, is the last
		}
		setDays(monday)
	case r.dayOfYear != 0 && r.isoFields:
		setDays(sql.DaysFromISOWeek(c.Year, 1) + int64(r.dayOfYear) - 1)
	case r.dayOfYear != 0 && r.month == 0:
		setDays(sql.DaysFromCivil(c.Year, 1, 1) + int64(r.dayOfYear) - 1)
	case r.week != 0:
		setDays(sql.DaysFromCivil(c.Year, 1, 1) + int64(r.week-1)*7)
	case r.weekOfDay != 0:
		c.Day = (r.weekOfDay-1)*7 + 1
	}
}

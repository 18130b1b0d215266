package expr

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// timeKeywords of to_char for dates and times; a longer one stands before its prefixes.
var timeKeywords = strings.Fields(`A.D. A.M. a.d. a.m. B.C. b.c. P.M. p.m. Y,YYY y,yyy
	SSSSS SSSS sssss ssss MONTH Month month IDDD iddd HH24 HH12 hh24 hh12 IYYY iyyy YYYY yyyy
	FF1 FF2 FF3 FF4 FF5 FF6 ff1 ff2 ff3 ff4 ff5 ff6 DAY Day day DDD ddd IYY iyy MON Mon mon TZH TZM tzh tzm YYY yyy
	AD AM ad am BC bc CC cc DD DY Dy dd dy HH hh ID IW IY id iw iy MI MM MS mi mm ms OF of PM pm RM rm
	SS ss TZ tz US us WW ww YY yy D d I i J j Q q W w Y y`)

var (
	monthNames = strings.Fields("January February March April May June July August September October November December")
	dayNames   = strings.Fields("Sunday Monday Tuesday Wednesday Thursday Friday Saturday")
	romanMonth = strings.Fields("I II III IV V VI VII VIII IX X XI XII")
)

// toCharTimeFunctions are to_char over timestamps and intervals, and Flink's date_format.
func toCharTimeFunctions() []Function {
	text := sql.TypeText
	return []Function{
		{Name: "to_char", Args: types(sql.TypeTimestamp, text), Result: text, Volatility: Stable, Kernel: Append2(func(_ *Context, dst []byte, t sql.TimestampValue, template string) ([]byte, error) {
			return appendTimestampTemplate(dst, t, template, nil, false)
		})},
		{Name: "to_char", Args: types(sql.TypeTimestamptz, text), Result: text, Volatility: Stable, Kernel: Append2(func(c *Context, dst []byte, t sql.TimestampValue, template string) ([]byte, error) {
			return appendTimestampTemplate(dst, t, template, c.Location, true)
		})},
		{Name: "to_char", Args: types(sql.TypeInterval, text), Result: text, Volatility: Stable, Kernel: Append2(appendIntervalTemplate)},
		{Name: "date_format", Args: types(sql.TypeTimestamp, text), Result: text, Kernel: Append2(func(_ *Context, dst []byte, t sql.TimestampValue, pattern string) ([]byte, error) {
			return appendJavaFormat(dst, t, pattern)
		})},
		{Name: "date_format", Args: types(sql.TypeTimestamptz, text), Result: text, Volatility: Stable, Kernel: Append2(func(c *Context, dst []byte, t sql.TimestampValue, pattern string) ([]byte, error) {
			return appendJavaFormat(dst, sql.ToLocal(t, c.Location), pattern)
		})},
	}
}

// templateTime is what a template prints: a moment or an interval, taken apart.
type templateTime struct {
	sql.Civil
	days     int64 // since 1970
	yearDay  int
	interval bool
	zoned    bool
	zone     string
	offset   int // seconds east
}

// timeTemplates holds the templates parsed; there are few in a program, as a rule.
var timeTemplates sql.Memo[string, []templateNode]

func timeTemplate(s string) []templateNode {
	if nodes, ok := timeTemplates.Load(s); ok {
		return nodes
	}
	nodes, _ := parseTemplate(strings.Clone(s), timeKeywords, true)
	if len(s) < 256 {
		timeTemplates.Store(strings.Clone(s), nodes)
	}
	return nodes
}

func appendTimestampTemplate(dst []byte, t sql.TimestampValue, template string, loc *time.Location, zoned bool) ([]byte, error) {
	if !t.Finite() || template == "" {
		return dst, Null
	}
	v := templateTime{zoned: zoned}
	if zoned {
		v.zone, v.offset = sql.ZoneAbbreviation(t, loc), sql.ZoneOffset(t, loc)
		t = sql.ToLocal(t, loc)
	}
	v.Civil = sql.CivilFromTimestamp(t)
	v.days, _ = sql.SplitTimestamp(t)
	v.yearDay = int(v.days-sql.DaysFromCivil(v.Year, 1, 1)) + 1
	return v.appendNodes(dst, timeTemplate(template))
}

func appendIntervalTemplate(_ *Context, dst []byte, iv sql.IntervalValue, template string) ([]byte, error) {
	if template == "" {
		return dst, Null
	}
	us := iv.Micros
	v := templateTime{interval: true, Civil: sql.Civil{
		Year: int(iv.Months / 12), Month: int(iv.Months % 12), Day: int(iv.Days),
		Hour: int(us / 3_600_000_000), Minute: int(us / 60_000_000 % 60), Second: int(us / 1_000_000 % 60), Micro: int(us % 1_000_000),
	}}
	v.yearDay = (v.Year*12+v.Month)*30 + v.Day
	v.days = sql.DaysFromCivil(v.Year, v.Month, v.Day) // as if the parts were a date: for J and the ISO week
	return v.appendNodes(dst, timeTemplate(template))
}

func (v *templateTime) appendNodes(dst []byte, nodes []templateNode) ([]byte, error) {
	for _, n := range nodes {
		if n.key == "" {
			dst = append(dst, n.text...)
			continue
		}
		start := len(dst)
		var err error
		if dst, err = v.appendKey(dst, n); err != nil {
			return dst, err
		}
		if n.ordinal != "" {
			if text := dst[start:]; len(text) > 0 && isASCIIDigit(text[len(text)-1]) {
				dst = append(dst, ordinalSuffix(string(text), n.ordinal)...)
			}
		}
	}
	return dst, nil
}

// number appends n padded with zeros to width, or not at all with FM.
func (n templateNode) number(dst []byte, v, width int) []byte {
	if n.fill {
		width = 0
	}
	return appendZeros(dst, v, width)
}

// appendZeros is fmt's %0*d without its allocations.
func appendZeros(dst []byte, v, width int) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
		width--
	}
	for limit := 10; width > 1; width, limit = width-1, limit*10 {
		if v < limit {
			dst = append(dst, "00000000"[:width-1]...)
			break
		}
	}
	return strconv.AppendInt(dst, int64(v), 10)
}

// signed is number with room for a sign beyond the width.
func (n templateNode) signed(dst []byte, v, width int) []byte {
	if v < 0 {
		width++
	}
	return n.number(dst, v, width)
}

// name appends a word in the capitals of the keyword, padded to width unless FM.
func (n templateNode) name(dst []byte, word string, width int) []byte {
	switch {
	case n.key == strings.ToUpper(n.key):
		word = strings.ToUpper(word)
	case n.key == strings.ToLower(n.key):
		word = strings.ToLower(word)
	}
	if n.fill {
		width = 0
	}
	return appendFill(append(dst, word...), " ", width-len(word))
}

var errIntervalTemplate = sql.Errorf(sql.CodeInvalidDatetime, "invalid format specification for an interval value").
	WithHint("Intervals are not tied to specific calendar dates.")

func (v *templateTime) appendKey(dst []byte, n templateNode) ([]byte, error) {
	key := strings.ToUpper(n.key)
	switch key {
	case "A.M.", "P.M.":
		return n.meridiem(dst, v.Hour, "A.M.", "P.M."), nil
	case "AM", "PM":
		return n.meridiem(dst, v.Hour, "AM", "PM"), nil
	case "HH", "HH12":
		h := v.Hour % 12
		if h == 0 {
			h = 12
		}
		if v.Hour < 0 && h == 12 {
			return n.number(dst, h, 3), nil
		}
		return n.signed(dst, h, 2), nil
	case "HH24":
		return n.signed(dst, v.Hour, 2), nil
	case "MI":
		return n.signed(dst, v.Minute, 2), nil
	case "SS":
		return n.signed(dst, v.Second, 2), nil
	case "MS", "FF3":
		return appendZeros(dst, v.Micro/1000, 3), nil
	case "US", "FF6":
		return appendZeros(dst, v.Micro, 6), nil
	case "FF1":
		return appendZeros(dst, v.Micro/100000, 1), nil
	case "FF2":
		return appendZeros(dst, v.Micro/10000, 2), nil
	case "FF4":
		return appendZeros(dst, v.Micro/100, 4), nil
	case "FF5":
		return appendZeros(dst, v.Micro/10, 5), nil
	case "SSSSS", "SSSS":
		return appendZeros(dst, int(v.Hour*3600+v.Minute*60+v.Second), 0), nil
	case "DDD":
		return n.number(dst, v.yearDay, 3), nil
	case "DD":
		return n.number(dst, v.Day, 2), nil
	case "MM":
		return n.signed(dst, v.Month, 2), nil
	case "WW":
		return n.number(dst, (v.yearDay-1)/7+1, 2), nil
	case "W":
		return appendZeros(dst, int((v.Day-1)/7+1), 0), nil
	case "Q":
		if v.Month == 0 {
			return dst, nil
		}
		return appendZeros(dst, int((v.Month-1)/3+1), 0), nil
	case "RM":
		return v.appendRoman(dst, n), nil
	case "CC", "Y,YYY", "YYYY", "YYY", "YY", "Y":
		return v.appendYear(dst, n, key, v.Year), nil
	case "IDDD", "IW", "IYYY", "IYY", "IY", "I":
		return v.appendISOKey(dst, n, key), nil
	case "J":
		return appendZeros(dst, int(v.days-int64(sql.MinDate)), 0), nil
	}
	if v.interval {
		return dst, errIntervalTemplate
	}
	return v.appendDateKey(dst, n, key), nil
}

// appendDateKey is for the keywords that an interval has nothing for.
func (v *templateTime) appendDateKey(dst []byte, n templateNode, key string) []byte {
	weekday := sql.Weekday(v.days)
	switch key {
	case "A.D.", "B.C.":
		return n.era(dst, v.Year, "A.D.", "B.C.")
	case "AD", "BC":
		return n.era(dst, v.Year, "AD", "BC")
	case "MONTH":
		return n.name(dst, monthNames[v.Month-1], 9)
	case "MON":
		return n.name(dst, monthNames[v.Month-1][:3], 0)
	case "DAY":
		return n.name(dst, dayNames[weekday], 9)
	case "DY":
		return n.name(dst, dayNames[weekday][:3], 0)
	case "D":
		return fmt.Appendf(dst, "%d", weekday+1)
	case "ID":
		return fmt.Appendf(dst, "%d", (weekday+6)%7+1)
	case "TZ":
		if v.zoned {
			return n.name(dst, v.zone, 0)
		}
	case "TZH":
		sign, off := signAndAbs(v.offset)
		return fmt.Appendf(dst, "%c%02d", sign, off/3600)
	case "TZM":
		_, off := signAndAbs(v.offset)
		return fmt.Appendf(dst, "%02d", off/60%60)
	case "OF":
		sign, off := signAndAbs(v.offset)
		dst = fmt.Appendf(dst, "%c%02d", sign, off/3600)
		if off%3600 >= 60 {
			dst = fmt.Appendf(dst, ":%02d", off/60%60)
		}
	}
	return dst
}

func (v *templateTime) appendISOKey(dst []byte, n templateNode, key string) []byte {
	isoYear, isoWeek := sql.ISOWeek(v.days)
	switch key {
	case "IDDD":
		return n.number(dst, int(v.days-sql.DaysFromISOWeek(isoYear, 1))+1, 3)
	case "IW":
		return n.number(dst, isoWeek, 2)
	}
	return v.appendYear(dst, n, strings.ReplaceAll(strings.Replace(key, "I", "Y", 1), "I", "Y"), isoYear)
}

func signAndAbs(n int) (byte, int) {
	if n < 0 {
		return '-', -n
	}
	return '+', n
}

func (n templateNode) meridiem(dst []byte, hour int, am, pm string) []byte {
	if hour%24 >= 12 {
		am = pm
	}
	return n.name(dst, am, 0)
}

func (n templateNode) era(dst []byte, year int, ad, bc string) []byte {
	if year <= 0 {
		ad = bc
	}
	return n.name(dst, ad, 0)
}

// appendYear prints the last digits of a year, or the century. A year BC is counted from 1.
func (v *templateTime) appendYear(dst []byte, n templateNode, key string, year int) []byte {
	if key == "CC" {
		century := year / 100
		if !v.interval {
			century = countedYears(year, 100)
		}
		if century <= 99 && century >= -99 {
			return n.signed(dst, century, 2)
		}
		return fmt.Appendf(dst, "%d", century)
	}
	if year <= 0 && !v.interval {
		year = 1 - year
	}
	number := n.number
	if v.Year < 0 && v.interval { // room for the sign, if the calendar year has one
		number = n.signed
	}
	switch key {
	case "Y,YYY":
		return fmt.Appendf(dst, "%d,%03d", year/1000, year%1000)
	case "YYYY":
		return number(dst, year, 4)
	case "YYY":
		return number(dst, year%1000, 3)
	case "YY":
		return number(dst, year%100, 2)
	}
	return number(dst, year%10, 1)
}

func (v *templateTime) appendRoman(dst []byte, n templateNode) []byte {
	if v.Month == 0 && v.Year == 0 {
		return dst
	}
	m := v.Month
	if m == 0 { // of an interval in whole years
		m = 12
		if v.Year < 0 {
			m = 1
		}
	} else if m < 0 {
		m += 13
	}
	return n.name(dst, romanMonth[m-1], 4)
}

// appendJavaFormat is date_format with the usual letters of Java's patterns.
func appendJavaFormat(dst []byte, t sql.TimestampValue, pattern string) ([]byte, error) {
	if !t.Finite() {
		return dst, Null
	}
	c := sql.CivilFromTimestamp(t)
	days, _ := sql.SplitTimestamp(t)
	for i := 0; i < len(pattern); {
		ch, n := pattern[i], 1
		for i+n < len(pattern) && pattern[i+n] == ch {
			n++
		}
		letter := i
		i += n
		switch {
		case ch == '\'':
			end := strings.IndexByte(pattern[letter+1:], '\'')
			if end < 0 {
				return dst, sql.Errorf(sql.CodeInvalidParameter, "unterminated quote in date_format pattern \"%s\"", pattern)
			}
			dst = append(dst, pattern[letter+1:letter+1+end]...)
			i = letter + end + 2
			if end == 0 {
				dst = append(dst, '\'')
			}
		case !isASCIILetter(ch):
			dst = append(dst, pattern[letter:i]...)
		default:
			var ok bool
			if dst, ok = appendJavaField(dst, c, days, ch, n); !ok {
				return dst, sql.Errorf(sql.CodeFeatureNotSupported, "date_format letter \"%c\" is not supported", ch)
			}
		}
	}
	return dst, nil
}

func appendJavaField(dst []byte, c sql.Civil, days int64, letter byte, n int) ([]byte, bool) {
	v := 0
	switch letter {
	case 'y', 'u':
		if v = c.Year; n == 2 {
			v %= 100
		}
	case 'M':
		if n >= 3 {
			return append(dst, cutName(monthNames[c.Month-1], n)...), true
		}
		v = c.Month
	case 'd':
		v = c.Day
	case 'H':
		v = c.Hour
	case 'h':
		v = (c.Hour+11)%12 + 1
	case 'm':
		v = c.Minute
	case 's':
		v = c.Second
	case 'S':
		digits := fmt.Sprintf("%06d000", c.Micro)
		return append(dst, digits[:min(n, 9)]...), true
	case 'E':
		return append(dst, cutName(dayNames[sql.Weekday(days)], n)...), true
	case 'a':
		return templateNode{key: "AM"}.meridiem(dst, c.Hour, "AM", "PM"), true
	case 'D':
		v = int(days-sql.DaysFromCivil(c.Year, 1, 1)) + 1
	default:
		return dst, false
	}
	return appendZeros(dst, v, n), true
}

func cutName(name string, n int) string {
	if n >= 4 {
		return name
	}
	return name[:3]
}

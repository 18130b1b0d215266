package sql

import (
	"math"
	"strconv"
	"strings"
)

// IntervalFields is the qualifier of an interval literal, as in INTERVAL '5' MINUTE: the largest
// and the smallest unit. The zero value is no qualifier.
type IntervalFields struct{ From, To IntervalUnit }

// IntervalUnit is a unit of an interval qualifier.
type IntervalUnit uint8

// The units from large to small; NoUnit is the absence of one.
const (
	NoUnit IntervalUnit = iota
	Year
	Month
	Day
	Hour
	Minute
	Second
)

// ParseInterval reads an interval in any of PostgreSQL's input forms.
func ParseInterval(s string) (IntervalValue, error) {
	return ParseIntervalFields(s, IntervalFields{}, 6)
}

// ParseIntervalFields reads an interval literal with a qualifier and seconds rounded to digits
// (6 = no rounding).
func ParseIntervalFields(s string, f IntervalFields, digits int) (IntervalValue, error) {
	p := intervalParser{qualifier: f}
	fault := p.parse(s)
	if fault == faultFormat && strings.HasPrefix(trimSpace(s), "P") {
		p = intervalParser{qualifier: f}
		fault = p.parseISO(trimSpace(s)[1:])
	}
	if fault != faultNone {
		return IntervalValue{}, dateTimeError(fault, s, TypeInterval)
	}
	if !p.addMonths(int64(p.years), monthsPerYear) {
		return IntervalValue{}, intervalOutOfRange()
	}
	return f.fit(p.IntervalValue, digits), nil
}

// fit drops what is smaller than the qualifier's smallest unit.
func (f IntervalFields) fit(iv IntervalValue, digits int) IntervalValue {
	smallest := f.To
	if smallest == NoUnit {
		smallest = f.From
	}
	unit := int64(1)
	switch smallest {
	case Year:
		return IntervalValue{Months: iv.Months / 12 * 12}
	case Month:
		return IntervalValue{Months: iv.Months}
	case Day:
		return IntervalValue{Months: iv.Months, Days: iv.Days}
	case Hour:
		unit = 3600 * MicrosPerSecond
	case Minute:
		unit = 60 * MicrosPerSecond
	}
	iv.Micros = iv.Micros / unit * unit
	if digits < 6 {
		u := microUnits[digits]
		half := u / 2
		if iv.Micros < 0 {
			half = -half
		}
		iv.Micros = (iv.Micros + half) / u * u
	}
	return iv
}

// intervalUnit is a unit inside an interval literal.
type intervalUnit uint8

const (
	unitNone intervalUnit = iota
	unitMicrosecond
	unitMillisecond
	unitSecond
	unitMinute
	unitHour
	unitDay
	unitWeek
	unitMonth
	unitYear
	unitDecade
	unitCentury
	unitMillennium
	unitAgo
	unitSkip
)

// unitScales is how many microseconds, days or months a unit has.
var unitScales = [...]int64{
	unitMicrosecond: 1, unitMillisecond: 1000, unitSecond: MicrosPerSecond, unitMinute: 60 * MicrosPerSecond,
	unitHour: 3600 * MicrosPerSecond, unitDay: 1, unitWeek: 7, unitMonth: 1, unitYear: 12,
	unitDecade: 120, unitCentury: 1200, unitMillennium: 12000,
}

var intervalWords = func() map[string]intervalUnit {
	m := map[string]intervalUnit{"ago": unitAgo, "at": unitSkip, "on": unitSkip}
	for unit, words := range map[intervalUnit]string{
		unitMicrosecond: "us usec usecs usecond useconds microsecon",
		unitMillisecond: "ms msec msecs msecond mseconds millisecon",
		unitSecond:      "s sec secs second seconds",
		unitMinute:      "m min mins minute minutes",
		unitHour:        "h hr hrs hour hours",
		unitDay:         "d day days",
		unitWeek:        "w week weeks",
		unitMonth:       "mon mons month months",
		unitYear:        "y yr yrs year years",
		unitDecade:      "dec decs decade decades",
		unitCentury:     "c cent century centuries",
		unitMillennium:  "mil mils millennia millennium",
	} {
		for _, w := range strings.Fields(words) {
			m[cutToken(w)] = unit
		}
	}
	return m
}()

// intervalParser adds up the parts of an interval.
type intervalParser struct {
	IntervalValue
	years     int32 // apart from Months until the end: the two overflow with different errors
	qualifier IntervalFields
	seen      uint16 // a bit for each unit that has been given
}

// parse reads the fields from right to left, so that units are known before their numbers.
func (p *intervalParser) parse(s string) dateTimeFault {
	fields, ok := splitDateTime(s)
	if !ok || len(fields) == 0 {
		return faultFormat
	}
	unit, ago := unitNone, false
	for i := len(fields) - 1; i >= 0; i-- {
		f := fields[i]
		fault := faultNone
		switch f.kind {
		case timeField:
			fault = p.clock(f.text, 1)
			unit = unitDay
		case zoneField:
			if strings.IndexByte(f.text, ':') > 0 {
				sign := int64(1)
				if f.text[0] == '-' {
					sign = -1
				}
				if p.clock(f.text[1:], sign) == faultNone {
					unit = unitDay
					continue
				}
			}
			unit, fault = p.number(f.text, unit)
		case dateField, numberField:
			unit, fault = p.number(f.text, unit)
		default:
			u, known := intervalWords[cutToken(f.text)]
			switch {
			case !known:
				return faultFormat
			case u == unitAgo:
				ago, unit = true, u
			case u != unitSkip:
				unit = u
			}
		}
		if fault != faultNone {
			return fault
		}
	}
	if p.seen == 0 {
		return faultFormat
	}
	if ago {
		if p.Micros == math.MinInt64 || p.Days == math.MinInt32 || p.Months == math.MinInt32 || p.years == math.MinInt32 {
			return faultRange
		}
		p.Micros, p.Days, p.Months, p.years = -p.Micros, -p.Days, -p.Months, -p.years
	}
	return faultNone
}

// mark notes that the units have been given; each may be given once.
func (p *intervalParser) mark(units ...intervalUnit) bool {
	bits := uint16(0)
	for _, u := range units {
		bits |= 1 << u
	}
	if p.seen&bits != 0 {
		return false
	}
	p.seen |= bits
	return true
}

// clock reads hh:mm:ss as a part of the interval.
func (p *intervalParser) clock(s string, sign int64) dateTimeFault {
	c, ok := parseClock(s, p.qualifier == IntervalFields{Minute, Second})
	if !ok {
		return faultFormat
	}
	if c.min > 59 || c.sec > 60 {
		return faultRange
	}
	if !p.mark(unitHour, unitMinute, unitSecond, unitMillisecond, unitMicrosecond) {
		return faultFormat
	}
	rest := (int64(c.min)*60+int64(c.sec))*MicrosPerSecond + int64(c.micro)
	if !p.addMicros(c.hour*sign, unitScales[unitHour]) || !p.addMicros(rest*sign, 1) {
		return faultRange
	}
	return faultNone
}

// defaultUnit is the unit of a number without one, from the qualifier.
func (p *intervalParser) defaultUnit() intervalUnit {
	last := p.qualifier.To
	if last == NoUnit {
		last = p.qualifier.From
	}
	switch last {
	case Year:
		return unitYear
	case Month:
		return unitMonth
	case Day:
		return unitDay
	case Hour:
		return unitHour
	case Minute:
		return unitMinute
	}
	return unitSecond
}

// number reads a number of the unit to its right; SQL's years-months is one too. It returns the unit
// of a number further left that has none.
func (p *intervalParser) number(s string, unit intervalUnit) (intervalUnit, dateTimeFault) {
	if unit == unitNone {
		unit = p.defaultUnit()
	}
	if unit == unitAgo || isLetter(s[0]) {
		return unit, faultFormat
	}
	end := 1
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	if s[0] == '.' {
		end = 0
	}
	var val int64
	if end > 0 {
		v, err := strconv.ParseInt(s[:end], 10, 64)
		if err != nil {
			return unit, faultRange
		}
		val = v
	}
	frac := 0.0
	switch rest := s[end:]; {
	case rest == "":
	case rest[0] == '-':
		months, err := strconv.Atoi(rest[1:])
		if err != nil || !isDigit(rest[1]) {
			return unit, faultFormat
		}
		if months >= 12 {
			return unit, faultRange
		}
		if s[0] == '-' {
			months = -months
		}
		if val > math.MaxInt64/12 || val < math.MinInt64/12 {
			return unit, faultRange
		}
		val, unit = val*12+int64(months), unitMonth
	case rest[0] == '.':
		f, ok := fractionOf(rest)
		if !ok {
			return unit, faultFormat
		}
		if frac = f; s[0] == '-' {
			frac = -f
		}
	default:
		return unit, faultFormat
	}
	return p.add(unit, val, frac)
}

// fractionOf reads a point and the digits after it.
func fractionOf(s string) (float64, bool) {
	if s == "." {
		return 0, true
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !strings.ContainsAny(s, "ex_")
}

func (p *intervalParser) add(unit intervalUnit, val int64, frac float64) (next intervalUnit, fault dateTimeFault) {
	next, ok, once := unit, false, true
	switch unit {
	case unitMicrosecond, unitMillisecond, unitMinute, unitHour:
		ok = p.addMicros(val, unitScales[unit]) && p.addFracMicros(frac, unitScales[unit])
		once = p.mark(unit)
		if unit == unitHour {
			next = unitDay // 1 02:03
		}
	case unitSecond:
		ok = p.addMicros(val, unitScales[unit]) && p.addFracMicros(frac, unitScales[unit])
		if frac == 0 {
			once = p.mark(unit)
		} else {
			once = p.mark(unit, unitMillisecond, unitMicrosecond)
		}
	case unitDay:
		ok = p.addDays(val, 1) && p.addFracMicros(frac, MicrosPerDay)
		once = p.mark(unit)
	case unitWeek:
		ok = p.addDays(val, 7) && p.addFracDays(frac, 7)
		once = p.mark(unit)
	case unitMonth:
		ok = p.addMonths(val, 1) && p.addFracDays(frac, 30)
		once = p.mark(unit)
	default:
		scale := unitScales[unit]
		ok = p.addYears(val, scale/monthsPerYear) && p.addMonths(int64(math.RoundToEven(frac*float64(scale))), 1)
		once = p.mark(unit)
	}
	switch {
	case !ok:
		return next, faultRange
	case !once:
		return next, faultFormat
	}
	return next, faultNone
}

func (p *intervalParser) addMicros(val, scale int64) bool {
	product, ok1 := mulInt64(val, scale)
	sum, ok2 := addInt64(p.Micros, product)
	p.Micros = sum
	return ok1 && ok2
}

func (p *intervalParser) addDays(val, scale int64) bool {
	product, ok := mulInt64(val, scale)
	sum, ok2 := addInt64(int64(p.Days), product)
	p.Days = int32(sum)
	return ok && ok2 && int64(p.Days) == sum
}

func (p *intervalParser) addMonths(val, scale int64) bool {
	product, ok := mulInt64(val, scale)
	sum, ok2 := addInt64(int64(p.Months), product)
	p.Months = int32(sum)
	return ok && ok2 && int64(p.Months) == sum
}

func (p *intervalParser) addYears(val, scale int64) bool {
	product, ok := mulInt64(val, scale)
	sum, ok2 := addInt64(int64(p.years), product)
	p.years = int32(sum)
	return ok && ok2 && int64(p.years) == sum
}

// addFracMicros adds a fraction of a unit of scale microseconds.
func (p *intervalParser) addFracMicros(frac float64, scale int64) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	whole := int64(frac)
	switch frac -= float64(whole); {
	case frac > 0.5:
		whole++
	case frac < -0.5:
		whole--
	}
	return p.addMicros(whole, 1)
}

// addFracDays adds a fraction of a unit of scale days; what is left below a day spills over.
func (p *intervalParser) addFracDays(frac float64, scale int64) bool {
	if frac == 0 {
		return true
	}
	frac *= float64(scale)
	whole := int64(frac)
	return p.addDays(whole, 1) && p.addFracMicros(frac-float64(whole), MicrosPerDay)
}

// AppendInterval appends iv in IntervalStyle postgres: 1 year 2 mons 3 days 04:05:06.
func AppendInterval(dst []byte, iv IntervalValue) []byte {
	start, negative := len(dst), false
	for _, part := range [...]struct {
		v    int64
		name string
	}{{int64(iv.Months / 12), " year"}, {int64(iv.Months % 12), " mon"}, {int64(iv.Days), " day"}} {
		if part.v == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if negative && part.v > 0 {
			dst = append(dst, '+')
		}
		dst = append(appendInt(dst, part.v), part.name...)
		if part.v != 1 {
			dst = append(dst, 's')
		}
		negative = part.v < 0
	}
	if iv.Micros == 0 && len(dst) > start {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	u := uint64(iv.Micros)
	if iv.Micros < 0 {
		dst, u = append(dst, '-'), -u
	} else if negative {
		dst = append(dst, '+')
	}
	sec := u / MicrosPerSecond
	dst = append(appendPadded(dst, int(sec/3600), 2), ':')
	dst = append(appendPadded(dst, int(sec/60%60), 2), ':')
	return appendMicros(appendPadded(dst, int(sec%60), 2), int(u%MicrosPerSecond))
}

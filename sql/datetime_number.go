package sql

import (
	"math"
	"strconv"
	"strings"
)

func (p *dateTimeParser) numberField(s string) (fieldSet, dateTimeFault) {
	if p.nextJulian {
		p.nextJulian = false
		return p.julianDay(s)
	}
	if p.nextIsTime {
		p.nextIsTime = false
		got, fault := p.digits(s, p.set|hasDate)
		if fault == faultNone && got != hasTime {
			fault = faultFormat
		}
		return got, fault
	}
	dot := strings.IndexByte(s, '.')
	switch {
	case p.timeOnly:
		if dot >= 0 && dot <= 2 {
			return 0, faultFormat
		}
		return p.digits(s, p.set|hasDate)
	case dot >= 0 && p.set&hasDate == 0:
		return p.date(s)
	case dot > 2, dot < 0 && len(s) >= 6 && (p.set&hasDate == 0 || p.set&hasTime == 0):
		return p.digits(s, p.set)
	}
	return p.number(s, p.set)
}

// julianDay reads the number after J, with a fraction as the time of day.
func (p *dateTimeParser) julianDay(s string) (fieldSet, dateTimeFault) {
	whole, frac, point := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 32)
	if err != nil {
		return 0, faultRange
	}
	p.Year, p.Month, p.Day = CivilFromDays(n + int64(MinDate))
	p.julian = true
	got := hasDate
	if point {
		f, err := strconv.ParseFloat("0."+frac+"0", 64)
		if err != nil {
			return 0, faultFormat
		}
		p.Hour, p.Minute, p.Second, p.Micro = splitTime(int64(math.RoundToEven(f * MicrosPerDay)))
		got |= hasTime
	}
	return got, faultNone
}

// number reads one number that is a year, a month or a day by its place and length.
func (p *dateTimeParser) number(s string, set fieldSet) (fieldSet, dateTimeFault) {
	whole, _, point := strings.Cut(s, ".")
	if whole == "" {
		return 0, faultFormat
	}
	v, err := strconv.ParseInt(whole, 10, 32)
	if err != nil {
		return 0, faultRange
	}
	val := int(v)
	if point {
		if len(whole) > 2 {
			return p.digits(s, set|hasDate)
		}
		if !p.fraction(s[len(whole):]) {
			return 0, faultFormat
		}
	}
	if len(s) == 3 && set&hasDate == hasYear && val >= 1 && val <= 366 {
		p.yearDay = val
		return hasYearDay | hasMonth | hasDay, faultNone
	}
	got := fieldSet(0)
	switch set & hasDate {
	case 0:
		got = hasMonth
		if len(s) >= 3 {
			got = hasYear
		}
	case hasYear, hasDay:
		got = hasMonth
	case hasMonth:
		got = hasDay
		if p.textMonth && len(s) >= 3 {
			got = hasYear
		}
	case hasYear | hasMonth:
		got = hasDay
		if p.textMonth && len(s) >= 3 && p.shortYear { // 08-Jan-1999: the first number was the day
			p.Day, p.Year, p.shortYear = p.Year, val, false
			return hasDay, faultNone
		}
	case hasMonth | hasDay:
		got = hasYear
	default:
		return p.digits(s, set)
	}
	switch got {
	case hasYear:
		p.Year, p.shortYear = val, len(s) <= 2
	case hasMonth:
		p.Month = val
	case hasDay:
		p.Day = val
	}
	return got, faultNone
}

// digits reads numbers run together: 20240131, 100000, 1000, 100000.5.
func (p *dateTimeParser) digits(s string, set fieldSet) (fieldSet, dateTimeFault) {
	n := len(s)
	if dot := strings.IndexByte(s, '.'); dot >= 0 {
		if !p.fraction(s[dot:]) {
			return 0, faultFormat
		}
		s, n = s[:dot], dot
	} else if set&hasDate != hasDate && n >= 6 {
		year, err := strconv.ParseInt(s[:n-4], 10, 32)
		if err != nil {
			return 0, faultRange
		}
		p.Year, p.Month, p.Day = int(year), atoi(s[n-4:n-2]), atoi(s[n-2:])
		p.shortYear = n == 6
		return hasDate, faultNone
	}
	if set&hasTime == 0 && (n == 6 || n == 4) {
		p.Hour, p.Minute, p.Second = atoi(s[:2]), atoi(s[2:4]), 0
		if n == 6 {
			p.Second = atoi(s[4:])
		}
		return hasTime, faultNone
	}
	return 0, faultFormat
}

// atoi reads a few digits.
func atoi(s string) (v int) {
	for i := 0; i < len(s); i++ {
		v = v*10 + int(s[i]-'0')
	}
	return v
}

// clock reads hh:mm[:ss[.ffffff]].
func (p *dateTimeParser) clock(s string) (fieldSet, dateTimeFault) {
	c, ok := parseClock(s, false)
	if !ok {
		return 0, faultFormat
	}
	if c.hour > 1<<30 || c.min > 59 || c.sec > 60 {
		return 0, faultRange
	}
	p.Hour, p.Minute, p.Second, p.Micro = int(c.hour), c.min, c.sec, c.micro
	return hasTime, faultNone
}

type clock struct {
	hour            int64
	min, sec, micro int
}

// parseClock reads h:m, h:m:s and m:s.f; minuteToSecond makes m:s of the first.
func parseClock(s string, minuteToSecond bool) (c clock, ok bool) {
	h, rest, _ := strings.Cut(s, ":")
	m, sec, more := strings.Cut(rest, ":")
	frac := ""
	if !more {
		if dot := strings.IndexByte(m, '.'); dot >= 0 || minuteToSecond {
			if dot >= 0 {
				m, frac = m[:dot], m[dot:]
			}
			h, m, sec, more = "0", h, m, true
		}
	} else if dot := strings.IndexByte(sec, '.'); dot >= 0 {
		sec, frac = sec[:dot], sec[dot:]
	}
	c.hour, ok = leadingInt(h)
	min, ok2 := leadingInt(m)
	s64, ok3 := leadingInt(sec)
	if !ok || !ok2 || !ok3 {
		return c, false
	}
	c.min, c.sec = int(min), int(s64)
	if frac != "" {
		c.micro, ok = parseFraction(frac)
		return c, ok
	}
	return c, true
}

// leadingInt reads digits; none at all are 0, as in "10:".
func leadingInt(s string) (int64, bool) {
	if s == "" {
		return 0, true
	}
	v, err := strconv.ParseInt(s, 10, 64)
	return v, err == nil
}

func (p *dateTimeParser) fraction(s string) (ok bool) {
	p.Micro, ok = parseFraction(s)
	return ok
}

// parseFraction reads a point and digits as microseconds, rounded: up to a whole second.
func parseFraction(s string) (micros int, ok bool) {
	if s == "." {
		return 0, true
	}
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return int(math.RoundToEven(f * MicrosPerSecond)), err == nil
}

// parseDisplacement reads a numeric zone: +hh, +hhmm, +hh:mm, +hh:mm:ss. The result is seconds east.
func parseDisplacement(s string) (offset int, fault dateTimeFault) {
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, faultFormat
	}
	var v [3]int
	rest, n := s[1:], 0
	for ; n < 3; n++ {
		end := 0
		for end < len(rest) && isDigit(rest[end]) {
			end++
		}
		if end > 9 {
			return 0, faultZone
		}
		v[n] = atoi(rest[:end])
		rest = rest[end:]
		if n == 0 && rest == "" && end > 2 { // run together
			v[0], v[1] = v[0]/100, v[0]%100
		}
		if rest == "" || rest[0] != ':' || n == 2 {
			break
		}
		rest = rest[1:]
	}
	if v[0] > 15 || v[1] > 59 || v[2] > 59 {
		return 0, faultZone
	}
	if rest != "" {
		return 0, faultFormat
	}
	offset = v[0]*3600 + v[1]*60 + v[2]
	if s[0] == '-' {
		offset = -offset
	}
	return offset, faultNone
}

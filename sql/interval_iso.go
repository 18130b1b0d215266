package sql

import (
	"strconv"
	"strings"
)

// parseISO reads ISO 8601 after its P: 1Y2M3DT4H5M6S, 0001-02-03T04:05:06, 1W.
func (p *intervalParser) parseISO(s string) dateTimeFault {
	inTime, any := false, false
	if s == "" {
		return faultFormat
	}
	for s != "" {
		if s[0] == 'T' {
			if inTime {
				return faultFormat
			}
			inTime, any = true, false
			s = s[1:]
			continue
		}
		val, frac, rest, ok := isoNumber(s)
		if !ok {
			return faultFormat
		}
		if rest == "" || !isLetter(rest[0]) || rest[0] == 'T' && !any {
			if any {
				return faultFormat
			}
			tail, fault := p.isoAlternative(s, inTime)
			if fault != faultNone || tail == "" {
				return fault
			}
			s = tail
			continue
		}
		unit := isoUnit(rest[0], inTime)
		if unit == unitNone {
			return faultFormat
		}
		if _, fault := p.add(unit, val, frac); fault != faultNone {
			return fault
		}
		any, s = true, rest[1:]
	}
	return faultNone
}

func isoUnit(c byte, inTime bool) intervalUnit {
	if inTime {
		switch c {
		case 'H':
			return unitHour
		case 'M':
			return unitMinute
		case 'S':
			return unitSecond
		}
		return unitNone
	}
	switch c {
	case 'Y':
		return unitYear
	case 'M':
		return unitMonth
	case 'W':
		return unitWeek
	case 'D':
		return unitDay
	}
	return unitNone
}

// isoNumber reads a signed decimal number in two parts.
func isoNumber(s string) (whole int64, frac float64, rest string, ok bool) {
	i := 0
	if s[0] == '-' || s[0] == '+' {
		i++
	}
	from := i
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	digits := s[:i]
	if i < len(s) && s[i] == '.' {
		j := i + 1
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if j == i+1 && i == from {
			return 0, 0, s, false
		}
		frac, _ = fractionOf(s[i:j])
		i = j
	} else if i == from {
		return 0, 0, s, false
	}
	if s[0] == '-' {
		frac = -frac
	}
	if len(digits) == from {
		return 0, frac, s[i:], true
	}
	whole, err := strconv.ParseInt(digits, 10, 64)
	return whole, frac, s[i:], err == nil
}

// isoAlternative reads Y-M-D, Y-M, YYYYMMDD, h:m:s or hhmmss, and returns what follows.
func (p *intervalParser) isoAlternative(s string, inTime bool) (tail string, fault dateTimeFault) {
	end, sep, units := len(s), "-", [...]intervalUnit{unitYear, unitMonth, unitDay}
	if inTime {
		sep, units = ":", [...]intervalUnit{unitHour, unitMinute, unitSecond}
	} else if t := strings.IndexByte(s, 'T'); t >= 0 {
		end = t
	}
	part, tail := s[:end], s[end:]
	pieces := strings.Split(part[1:], sep) // a sign in front is no separator
	pieces[0] = part[:1] + pieces[0]
	if len(pieces) > 3 {
		return "", faultFormat
	}
	if len(pieces) == 1 && len(part) == 8 && !inTime {
		pieces = []string{part[:4], part[4:6], part[6:]}
	} else if len(pieces) == 1 && len(part) >= 6 && inTime {
		pieces = []string{part[:2], part[2:4], part[4:]}
	}
	for i, piece := range pieces {
		if piece == "" {
			return "", faultFormat
		}
		val, frac, rest, ok := isoNumber(piece)
		if !ok || rest != "" {
			return "", faultFormat
		}
		if _, fault := p.add(units[i], val, frac); fault != faultNone {
			return "", fault
		}
	}
	return tail, faultNone
}

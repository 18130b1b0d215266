package limits

import "bytes"

// order is what the windowed query needs of a record.
type order struct {
	category      []byte
	cents, millis int64
}

// scan reads a flat JSON object without escapes and spaces: what the generator writes, no more.
func (o *order) scan(b []byte) bool {
	for i := 1; i < len(b); i++ {
		nameEnd := bytes.IndexByte(b[i+1:], '"')
		if b[i] != '"' || nameEnd < 0 {
			return false
		}
		name := b[i+1 : i+1+nameEnd]
		i += nameEnd + 3
		if i >= len(b) {
			return false
		}
		var value []byte
		if b[i] == '"' {
			end := bytes.IndexByte(b[i+1:], '"')
			if end < 0 {
				return false
			}
			value = b[i+1 : i+1+end]
			i += end + 2
		} else {
			end := i
			for end < len(b) && b[end] != ',' && b[end] != '}' {
				end++
			}
			value, i = b[i:end], end
		}
		switch string(name) {
		case "category":
			o.category = value
		case "amount":
			o.cents = digits(value)
		case "event_time":
			o.millis = millis(value)
		}
		if i >= len(b) || b[i] == '}' {
			return o.category != nil
		}
	}
	return false
}

// digits reads a number with two decimals as hundredths.
func digits(b []byte) (v int64) {
	for _, c := range b {
		if c != '.' {
			v = v*10 + int64(c-'0')
		}
	}
	return v
}

// millis reads YYYY-MM-DD HH:MM:SS.mmm as milliseconds since 1970; the calendar is that of
// https://howardhinnant.github.io/date_algorithms.html#days_from_civil.
func millis(b []byte) int64 {
	if len(b) != len("2006-01-02 15:04:05.000") {
		return 0
	}
	year, month, day := digits(b[0:4]), digits(b[5:7]), digits(b[8:10])
	if month <= 2 {
		year, month = year-1, month+12
	}
	days := 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 719469
	return ((days*24+digits(b[11:13]))*60+digits(b[14:16]))*60_000 + digits(b[17:19])*1000 + digits(b[20:23])
}

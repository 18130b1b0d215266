package sql

import "strings"

// The general reading of dates, times and intervals goes in two steps, as in PostgreSQL: the text
// is cut into fields by their shape (here), and the fields are given their meaning from left to
// right (datetime_parse.go) or from right to left (interval_parse.go). The grammar has no other
// definition than this; PostgreSQL's manual describes it in appendix B.

type fieldKind uint8

const (
	numberField  fieldKind = iota // 20240131, 5, 5.5, .5
	dateField                     // 2024-01-31, 31.1.2024, jan-31, europe/berlin
	timeField                     // 10:00:00.5
	zoneField                     // +02, -03:30, and signed numbers
	stringField                   // jan, today, utc
	specialField                  // -infinity
)

type field struct {
	kind fieldKind
	text string // in lower case
}

// maxDateTimeFields bounds the fields of one literal, and maxDateTimeLen its length.
const (
	maxDateTimeFields = 25
	maxDateTimeLen    = 128
)

// scanner cuts a literal into fields.
type scanner struct {
	s   string
	pos int
}

func (sc *scanner) peek() byte {
	if sc.pos < len(sc.s) {
		return sc.s[sc.pos]
	}
	return 0
}

func (sc *scanner) skip(ok func(byte) bool) {
	for sc.pos < len(sc.s) && ok(sc.s[sc.pos]) {
		sc.pos++
	}
}

// splitDateTime cuts s into fields; ok is false when a character fits nowhere.
func splitDateTime(s string) (fields []field, ok bool) {
	if len(s) > maxDateTimeLen {
		return nil, false
	}
	sc := scanner{s: strings.ToLower(s)}
	for {
		sc.skip(isSpace)
		c := sc.peek()
		start := sc.pos
		var f field
		switch {
		case sc.pos == len(sc.s):
			return fields, true
		case isDigit(c):
			f.kind = sc.number()
			f.text = sc.s[start:sc.pos]
		case c == '.':
			sc.pos++
			sc.skip(isDigit)
			f = field{numberField, sc.s[start:sc.pos]}
		case isLetter(c):
			f.kind = sc.word()
			f.text = sc.s[start:sc.pos]
		case c == '+' || c == '-':
			if f, ok = sc.signed(); !ok {
				return nil, false
			}
		case c > ' ' && c < 0x7f: // other punctuation is ignored
			sc.pos++
			continue
		default:
			return nil, false
		}
		if len(fields) == maxDateTimeFields {
			return nil, false
		}
		fields = append(fields, f)
	}
}

// number reads what starts with a digit.
func (sc *scanner) number() fieldKind {
	sc.skip(isDigit)
	delim := sc.peek()
	switch delim {
	case ':':
		sc.skip(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' })
		return timeField
	case '-', '/', '.':
	default:
		return numberField
	}
	sc.pos++
	if !isDigit(sc.peek()) { // a month in letters
		sc.skip(func(c byte) bool { return isDigit(c) || isLetter(c) || c == delim })
		return dateField
	}
	sc.skip(isDigit)
	if sc.peek() == delim {
		sc.skip(func(c byte) bool { return isDigit(c) || c == delim })
		return dateField
	}
	if delim == '.' {
		return numberField
	}
	return dateField
}

// word reads what starts with a letter: a word, or a date or zone name with punctuation inside.
func (sc *scanner) word() fieldKind {
	start := sc.pos
	sc.skip(isLetter)
	joined := false
	switch c := sc.peek(); {
	case c == '-' || c == '/' || c == '.':
		joined = true
	case c == '+' || isDigit(c):
		_, known := dateWords[cutToken(sc.s[start:sc.pos])]
		joined = !known
	}
	if !joined {
		return stringField
	}
	sc.skip(func(c byte) bool {
		return isDigit(c) || isLetter(c) || strings.IndexByte("+-/_.:", c) >= 0
	})
	return dateField
}

func (sc *scanner) signed() (field, bool) {
	start := sc.pos
	sc.pos++
	from := sc.pos
	sc.skip(isSpace)
	sign := sc.s[start:from]
	body := sc.pos
	kind := zoneField
	switch c := sc.peek(); {
	case isDigit(c):
		sc.skip(func(c byte) bool { return isDigit(c) || c == ':' || c == '.' || c == '-' })
	case isLetter(c):
		kind = specialField
		sc.skip(isLetter)
	default:
		return field{}, false
	}
	if body == from {
		return field{kind, sc.s[start:sc.pos]}, true
	}
	return field{kind, sign + sc.s[body:sc.pos]}, true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isLetter is what dates take for a letter: PostgreSQL looks at bytes there, and those of longer
// characters are none.
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// isAlpha is what JSON takes for one in a bad token.
func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 }

// cutToken cuts a word to the length that PostgreSQL's token tables compare.
func cutToken(s string) string { return s[:min(len(s), 10)] }

// dateWord is what a word in a date or time means.
type dateWord struct {
	kind  dateWordKind
	value int
}

type dateWordKind uint8

const (
	wordIgnored dateWordKind = iota + 1 // at, on
	wordNamed                           // now, today, infinity …: value is one of the named* constants
	wordMonth                           // value 1 to 12
	wordWeekday                         // checked by nobody, as in PostgreSQL
	wordAMPM                            // value 0 or 12
	wordEra                             // value 1 = BC
	wordUnit                            // j, y …: value is one of the unit* constants
	wordDST                             // "dst" after a zone
	wordTime                            // the T of ISO 8601
)

const (
	namedNow = iota
	namedYesterday
	namedToday
	namedTomorrow
	namedEpoch
	namedLate  // infinity
	namedEarly // -infinity
	namedZulu  // allballs: 00:00:00 UTC
)

const (
	unitJulian = iota
	unitOther
)

var dateWords = func() map[string]dateWord {
	m := map[string]dateWord{
		"at": {wordIgnored, 0}, "on": {wordIgnored, 0}, "now": {wordNamed, namedNow},
		"yesterday": {wordNamed, namedYesterday}, "today": {wordNamed, namedToday},
		"tomorrow": {wordNamed, namedTomorrow}, "epoch": {wordNamed, namedEpoch},
		"infinity":  {wordNamed, namedLate},
		"-infinity": {wordNamed, namedEarly}, "allballs": {wordNamed, namedZulu},
		"am": {wordAMPM, 0}, "pm": {wordAMPM, 12}, "ad": {wordEra, 0}, "bc": {wordEra, 1},
		"j": {wordUnit, unitJulian}, "jd": {wordUnit, unitJulian}, "julian": {wordUnit, unitJulian},
		"dst": {wordDST, 3600}, "t": {wordTime, 0},
	}
	for _, u := range strings.Fields("d h m mm s y dow doy isodow isoyear") {
		m[u] = dateWord{wordUnit, unitOther}
	}
	months := strings.Fields("january february march april may june july august september october november december")
	for i, name := range months {
		m[cutToken(name)] = dateWord{wordMonth, i + 1}
		m[name[:3]] = dateWord{wordMonth, i + 1}
	}
	m["sept"] = dateWord{wordMonth, 9}
	days := strings.Fields("sunday monday tuesday wednesday thursday friday saturday")
	for i, name := range days {
		m[name] = dateWord{wordWeekday, i}
		m[name[:3]] = dateWord{wordWeekday, i}
	}
	m["tues"], m["thur"], m["thurs"], m["weds"] = m["tue"], m["thu"], m["thu"], m["wed"]
	return m
}()

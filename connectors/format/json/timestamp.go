package json

import (
	"bytes"
	"math"
	"unsafe"

	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// timestamp reads timestamps with and without time zone in SQL's and ISO 8601's form; other forms
// that PostgreSQL takes go through the sql package. As in PostgreSQL, a timestamp without time zone
// ignores a zone, and one with time zone takes UTC where there is none.
type timestamp struct {
	column.Fixed[int64]
	zoned  bool
	digits int   // of a fraction that need no rounding: p of timestamp(p)
	unit   int64 // microseconds in the last of them

	// The last date seen and its midnight, and the last second: they repeat.
	date     uint64 // its first eight bytes, "2026-01-"; 0 = none
	day      uint16 // its last two
	midnight int64
	second   [3]uint64 // the words of "2026-01-31 10:00:00" at 0, 8 and 11; 0 = none
	start    int64     // of it
}

func newTimestamp(t sql.Type) *timestamp {
	c := &timestamp{Fixed: *column.New(t).(*column.Fixed[int64]), zoned: t.Kind == sql.Timestamptz, digits: 6, unit: 1}
	if digits, ok := t.TimePrecision(); ok && digits < 6 {
		c.digits, c.unit = digits, int64(pow10[6-digits])
	}
	return c
}

func (c *timestamp) read(in *input, s []byte, i int) int {
	if s[i] != '"' {
		return c.readNumber(in, s, i)
	}
	if v, end := c.fixedLayout(s, i+1); end > 0 {
		c.Push(v)
		return end
	}
	text, end := in.unquote(s, i)
	if end < 0 {
		return -1
	}
	d, err := parseDatetime(c.Type, text)
	if err != nil {
		return in.failWith(err)
	}
	c.Push(int64(d.(sql.TimestampValue)))
	return end
}

// parseDatetime reads a date or time in any of PostgreSQL's spellings but those that depend on the
// clock: a record means the same whenever it is read, after a crash too.
func parseDatetime(t sql.Type, text []byte) (sql.Datum, error) {
	d, err := sql.ParseText(t, unsafe.String(unsafe.SliceData(text), len(text)))
	if err != nil {
		return nil, err
	}
	for _, word := range []string{"now", "today", "tomorrow", "yesterday"} {
		if bytes.Contains(bytes.ToLower(text), []byte(word)) {
			return nil, sql.Errorf(sql.CodeInvalidDatetime, "\"%s\" depends on the clock: a record needs a time of its own", text)
		}
	}
	return d, nil
}

// fixedLayout reads "2026-01-31 10:00:00", with a T for the space, with up to nine digits of a
// fraction and with a zone as Z or ±hh[[:]mm], up to and over the closing quote. Its end is 0 if
// the text is anything else, an impossible date or time included.
func (c *timestamp) fixedLayout(s []byte, i int) (micros int64, end int) {
	const layout = len("2026-01-31 10:00:00")
	if len(s) < i+layout+1 {
		return 0, 0
	}
	second := [3]uint64{word(s, i), word(s, i+8), word(s, i+11)}
	if second != c.second && !c.newSecond(second) {
		return 0, 0
	}
	micros = c.start
	i += layout
	digits := 0
	if i+4 < len(s) && s[i] == '.' && s[i+4] == '"' && c.digits >= 3 { // milliseconds, most often
		a, b, d := s[i+1]-'0', s[i+2]-'0', s[i+3]-'0'
		if a > 9 || b > 9 || d > 9 {
			return 0, 0
		}
		return micros + (int64(a)*100+int64(b)*10+int64(d))*1000, i + 5
	}
	if s[i] == '.' {
		fraction := 0
		for i++; i < len(s) && s[i]-'0' <= 9; i++ {
			fraction = fraction*10 + int(s[i]-'0')
			digits++
		}
		if digits == 0 || digits > 9 || i == len(s) {
			return 0, 0
		}
		micros += fractionMicros(fraction, digits)
	}
	if s[i] != '"' {
		var offset int64
		if offset, i = zone(s, i); i == 0 {
			return 0, 0
		}
		if c.zoned {
			micros -= offset
		}
	}
	if digits > c.digits {
		micros = round(micros, c.unit)
	}
	return micros, i + 1
}

// newSecond remembers a second, given by its words, if it is one.
func (c *timestamp) newSecond(w [3]uint64) bool {
	if date, day := w[0], uint16(w[1]); (date != c.date || day != c.day) && !c.newDate(date, day) {
		return false
	}
	if sep := byte(w[1] >> 16); sep != ' ' && sep != 'T' {
		return false
	}
	micros, ok := clock(w[2])
	if ok {
		c.second, c.start = w, c.midnight+micros
	}
	return ok
}

// newDate remembers a date, if it is one.
func (c *timestamp) newDate(date uint64, day uint16) bool {
	x := date ^ 0x2d30302d30303030 // "0000-00-"
	d := day ^ 0x3030
	const dashes, digits = 0xff0000ff00000000, 0x00f0f000f0f0f0f0
	if x&dashes != 0 || (x|(x+0x0006060006060606))&digits != 0 || (d|(d+0x0606))&0xf0f0 != 0 {
		return false
	}
	at := func(shift int) int { return int(x>>shift&15)*10 + int(x>>(shift+8)&15) }
	year, month, dom := at(0)*100+at(16), at(40), int(d&15)*10+int(d>>8)
	if year == 0 || month == 0 || month > 12 || dom == 0 || dom > sql.DaysInMonth(year, month) {
		return false
	}
	c.date, c.day, c.midnight = date, day, sql.DaysFromCivil(year, month, dom)*sql.MicrosPerDay
	return true
}

// clock reads "hh:mm:ss" from a word: microseconds since midnight.
func clock(w uint64) (int64, bool) {
	x := w ^ 0x30303a30303a3030 // "00:00:00"
	const colons, digits = 0x0000ff0000ff0000, 0xf0f000f0f000f0f0
	if x&colons|(x|(x+0x0606000606000606))&digits != 0 {
		return 0, false
	}
	at := func(shift int) int64 { return int64(x>>shift&15)*10 + int64(x>>(shift+8)&15) }
	h, m, s := at(0), at(24), at(48)
	return ((h*60+m)*60 + s) * sql.MicrosPerSecond, h < 24 && m < 60 && s < 60
}

// fractionMicros is 0.fraction seconds, of so many digits. Beyond six it rounds as PostgreSQL
// does, which has the fraction as a double.
func fractionMicros(fraction, digits int) int64 {
	if digits <= 6 {
		return int64(fraction) * int64(pow10[6-digits])
	}
	return int64(math.RoundToEven(float64(fraction) / floatPow10[digits] * 1e6))
}

// zone reads Z or ±hh, ±hhmm, ±hh:mm, which must end at a closing quote: its offset from UTC in
// microseconds and the index of the quote, or 0.
func zone(s []byte, i int) (offset int64, quote int) {
	if s[i] == 'Z' || s[i] == 'z' {
		return 0, quoteAt(s, i+1)
	}
	if s[i] != '+' && s[i] != '-' {
		return 0, 0
	}
	two := func(j int) int64 {
		if j+1 >= len(s) || s[j]-'0' > 9 || s[j+1]-'0' > 9 {
			return -1
		}
		return int64(s[j]-'0')*10 + int64(s[j+1]-'0')
	}
	h, m, j := two(i+1), int64(0), i+3
	if j < len(s) && s[j] != '"' {
		if s[j] == ':' {
			j++
		}
		m = two(j)
		j += 2
	}
	if h < 0 || h > 15 || m < 0 || m > 59 {
		return 0, 0
	}
	offset = (h*60 + m) * 60 * sql.MicrosPerSecond
	if s[i] == '-' {
		offset = -offset
	}
	return offset, quoteAt(s, j)
}

func quoteAt(s []byte, i int) int {
	if i < len(s) && s[i] == '"' {
		return i
	}
	return 0
}

// round rounds to units half away from 2000-01-01, from where PostgreSQL counts.
func round(micros, unit int64) int64 {
	if micros%unit == 0 {
		return micros
	}
	const epoch = 10957 * sql.MicrosPerDay
	micros -= epoch
	if micros >= 0 {
		return (micros+unit/2)/unit*unit + epoch
	}
	return -((-micros+unit/2)/unit)*unit + epoch
}

// readNumber reads the number of units since 1970 where an option says which.
func (c *timestamp) readNumber(in *input, s []byte, i int) int {
	if s[i] > '9' || in.epochUnit == 0 {
		if end := in.mismatch(s, i, c.Type); s[i] > '9' || in.malformed() {
			return end
		}
		return in.fail(sql.CodeInvalidText, "cannot read a number as type %s without the option \"json.epoch-unit\"", c.Type)
	}
	mant, exp, digits, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	mant, ok := whole(mant, exp, digits)
	v := int64(mant) * in.epochUnit
	if s[i] == '-' {
		v = -v
	}
	if !ok || mant > math.MaxInt64/uint64(in.epochUnit) || !sql.TimestampValue(v).InRange() {
		return in.fail(sql.CodeDatetimeOverflow, "timestamp out of range: \"%s\"", clip(s[i:end]))
	}
	c.Push(round(v, c.unit))
	return end
}

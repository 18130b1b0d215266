package sql

import (
	"strings"
	"time"
)

// fieldSet is which parts of a date and time have been read.
type fieldSet uint16

const (
	hasYear fieldSet = 1 << iota
	hasMonth
	hasDay
	hasYearDay
	hasTime
	hasZone
	hasDSTMod
	hasWeekday
	hasAMPM
	hasEra
	hasNamed

	hasDate = hasYear | hasMonth | hasDay
)

// dateTimeParser gives meaning to the fields of a date and time. The DateStyle is ISO, MDY: of
// 01/02/2024 the month comes first.
type dateTimeParser struct {
	Civil
	set         fieldSet
	yearDay     int
	textMonth   bool // the month was a word
	shortYear   bool // the year had one or two digits
	bc          bool
	julian      bool
	hours12     int // -1, or what AM and PM add
	offset      int // east of UTC, with hasZone
	zone        *time.Location
	named       int // with hasNamed
	nextIsTime  bool
	nextJulian  bool
	timeOnly    bool    // of type time: numbers are times
	fields      []field // all of them
	unknownZone string  // with faultZoneName
}

// dateTimeFault is why a literal is wrong.
type dateTimeFault uint8

const (
	faultNone dateTimeFault = iota
	faultFormat
	faultRange
	faultMonthDay // out of range, maybe because month and day are the wrong way round
	faultZone     // a displacement out of range
	faultZoneName // no such zone
)

// dateTimeError is the error of fault in s, which was to be of type t.
func dateTimeError(fault dateTimeFault, s string, t Type) *Error {
	switch fault {
	case faultRange, faultMonthDay:
		err := Errorf(CodeDatetimeOverflow, "date/time field value out of range: \"%s\"", s)
		if t.Kind == Interval {
			return Errorf("22015", "interval field value out of range: \"%s\"", s)
		}
		if fault == faultMonthDay {
			return err.WithHint(`Perhaps you need a different "datestyle" setting.`)
		}
		return err
	case faultZone:
		return Errorf("22009", "time zone displacement out of range: \"%s\"", s)
	}
	name := strings.TrimSuffix(t.BaseName(), " without time zone")
	return Errorf(CodeInvalidDatetime, "invalid input syntax for type %s: \"%s\"", name, s)
}

// error is dateTimeError with what the parser knows.
func (p *dateTimeParser) error(fault dateTimeFault, s string, t Type) *Error {
	if fault == faultZoneName {
		return unknownZone(p.unknownZone)
	}
	return dateTimeError(fault, s, t)
}

func parseAnyTimestamp(s string, env TextEnv, t Type) (TimestampValue, error) {
	p := dateTimeParser{hours12: -1}
	if fault := p.parse(s); fault != faultNone {
		return 0, p.error(fault, s, t)
	}
	outOfRange := Errorf(CodeDatetimeOverflow, "timestamp out of range: \"%s\"", s)
	if p.set&hasNamed != 0 && p.named != namedZulu {
		return p.namedTimestamp(env, t, outOfRange)
	}
	if p.set&hasDate != hasDate {
		return 0, dateTimeError(faultFormat, s, t)
	}
	ts, ok := TimestampFromCivil(p.Civil)
	if !ok {
		return 0, outOfRange
	}
	if t.Kind == Timestamptz {
		if ts, ok = p.toInstant(ts, env); !ok {
			return 0, outOfRange
		}
	}
	return ts, nil
}

// toInstant reads the wall clock ts in the zone that was given, or in the session's.
func (p *dateTimeParser) toInstant(ts TimestampValue, env TextEnv) (TimestampValue, bool) {
	switch {
	case p.zone != nil:
		return FromLocal(ts, p.zone)
	case p.set&hasZone != 0:
		r := ts - TimestampValue(p.offset)*MicrosPerSecond
		return r, r.InRange()
	}
	return FromLocal(ts, env.Loc)
}

// namedTimestamp is 'now', 'today' and the like; a time of day may follow the days.
func (p *dateTimeParser) namedTimestamp(env TextEnv, t Type, outOfRange error) (TimestampValue, error) {
	switch p.named {
	case namedLate:
		return TimestampInfinity, nil
	case namedEarly:
		return TimestampNegInfinity, nil
	case namedEpoch:
		return 0, nil
	}
	local := ToLocal(env.now(), env.Loc)
	if p.named != namedNow {
		days, _ := SplitTimestamp(local)
		days += int64(p.named - namedToday)
		local = TimestampValue(days*MicrosPerDay) + TimestampValue(p.timeOfDay())
	}
	if t.Kind == Timestamp {
		return local, nil
	}
	ts, ok := p.toInstant(local, env)
	if !ok {
		return 0, outOfRange
	}
	return ts, nil
}

func (p *dateTimeParser) timeOfDay() TimeValue {
	return TimeValue((int64(p.Hour)*3600+int64(p.Minute)*60+int64(p.Second))*MicrosPerSecond + int64(p.Micro))
}

func parseAnyDate(s string, env TextEnv) (DateValue, error) {
	p := dateTimeParser{hours12: -1}
	if fault := p.parse(s); fault != faultNone {
		return 0, p.error(fault, s, TypeDate)
	}
	if p.set&hasNamed != 0 && p.named != namedZulu {
		ts, err := p.namedTimestamp(env, TypeTimestamp, nil)
		return DateOf(ts), err
	}
	if p.set&hasDate != hasDate {
		return 0, dateTimeError(faultFormat, s, TypeDate)
	}
	days := DaysFromCivil(p.Year, p.Month, p.Day)
	if days < int64(MinDate) || days > int64(MaxDate) {
		return 0, Errorf(CodeDatetimeOverflow, "date out of range: \"%s\"", s)
	}
	return DateValue(days), nil
}

func parseAnyTime(s string, env TextEnv) (TimeValue, error) {
	p := dateTimeParser{hours12: -1, timeOnly: true}
	if fault := p.parse(s); fault != faultNone {
		return 0, p.error(fault, s, TypeTime)
	}
	if p.set&hasNamed != 0 && p.named == namedNow {
		_, micros := SplitTimestamp(ToLocal(env.now(), env.Loc))
		return TimeValue(micros), nil
	}
	if p.set&hasTime == 0 || p.set&hasNamed != 0 && p.named != namedZulu || p.zone != nil && p.set&hasDate != hasDate {
		return 0, dateTimeError(faultFormat, s, TypeTime)
	}
	return p.timeOfDay(), nil
}

// parse reads the fields of s and checks them together.
func (p *dateTimeParser) parse(s string) dateTimeFault {
	fields, ok := splitDateTime(s)
	if !ok || len(fields) == 0 {
		return faultFormat
	}
	p.fields = fields
	for i, f := range fields {
		got, fault := p.field(f, i)
		if fault != faultNone {
			return fault
		}
		if got&p.set != 0 {
			return faultFormat
		}
		p.set |= got
	}
	return p.check()
}

// field reads one field and returns the parts it gave.
func (p *dateTimeParser) field(f field, i int) (fieldSet, dateTimeFault) {
	switch f.kind {
	case dateField:
		return p.dateField(f.text, i)
	case timeField:
		p.nextIsTime = false
		got, fault := p.clock(f.text)
		if fault == faultNone && (p.Hour > 24 || p.Hour == 24 && (p.Minute|p.Second|p.Micro) != 0) {
			fault = faultRange
		}
		return got, fault
	case zoneField:
		off, fault := parseDisplacement(f.text)
		p.offset = off
		return hasZone, fault
	case numberField:
		return p.numberField(f.text)
	}
	return p.wordField(f.text, p.fields[i+1:])
}

// dateMayStart tells whether a date may stand at field i of a time: first, before the time itself or
// with a zone's name at the end.
func (p *dateTimeParser) dateMayStart(i int) bool {
	return i == 0 && len(p.fields) >= 2 &&
		(p.fields[1].kind == timeField || p.fields[len(p.fields)-1].kind == dateField)
}

func (p *dateTimeParser) dateField(s string, i int) (fieldSet, dateTimeFault) {
	if p.nextJulian {
		return 0, faultFormat
	}
	wantsDate := p.set&(hasMonth|hasDay) != hasMonth|hasDay && !p.nextIsTime
	if p.timeOnly {
		wantsDate = p.dateMayStart(i)
	}
	if wantsDate {
		return p.date(s)
	}
	if isDigit(s[0]) || p.nextIsTime { // a run-together time with a zone: 040506-08
		p.nextIsTime = false
		dash := strings.IndexByte(s, '-')
		if dash < 0 || p.set&hasTime != 0 {
			return 0, faultFormat
		}
		off, fault := parseDisplacement(s[dash:])
		if fault != faultNone {
			return 0, fault
		}
		p.offset = off
		set := p.set
		if p.timeOnly {
			set |= hasDate
		}
		got, fault := p.digits(s[:dash], set)
		return got | hasZone, fault
	}
	p.unknownZone = s
	return p.namedZone(s, faultZoneName)
}

func (p *dateTimeParser) namedZone(s string, fault dateTimeFault) (fieldSet, dateTimeFault) {
	loc, err := LookupZone(s)
	if err != nil {
		return 0, fault
	}
	p.zone = loc
	return hasZone, faultNone
}

// date reads a date with delimiters inside: numbers and at most one month as a word.
func (p *dateTimeParser) date(s string) (fieldSet, dateTimeFault) {
	var parts [maxDateTimeFields]string
	n := 0
	for i := 0; i < len(s); {
		for i < len(s) && !isDigit(s[i]) && !isLetter(s[i]) {
			i++
		}
		if i == len(s) || n == len(parts) {
			return 0, faultFormat
		}
		start, class := i, isLetter
		if isDigit(s[i]) {
			class = isDigit
		}
		for i < len(s) && class(s[i]) {
			i++
		}
		parts[n] = s[start:i]
		n++
		i++
	}
	got := fieldSet(0)
	for i, part := range parts[:n] { // the month's name first: it decides what the numbers are
		if !isLetter(part[0]) {
			continue
		}
		w, ok := dateWords[cutToken(part)]
		parts[i] = ""
		if ok && w.kind == wordIgnored {
			continue
		}
		if !ok || w.kind != wordMonth || (p.set|got)&hasMonth != 0 {
			return 0, faultFormat
		}
		p.Month, p.textMonth = w.value, true
		got |= hasMonth
	}
	for _, part := range parts[:n] {
		if part == "" {
			continue
		}
		add, fault := p.number(part, p.set|got)
		if fault != faultNone {
			return 0, fault
		}
		if got&add != 0 {
			return 0, faultFormat
		}
		got |= add
	}
	if (p.set|got)&^(hasYearDay|hasZone|hasTime|hasWeekday|hasEra|hasAMPM) != hasDate {
		return 0, faultFormat
	}
	return got, faultNone
}

func (p *dateTimeParser) wordField(s string, rest []field) (fieldSet, dateTimeFault) {
	if off, loc, ok := zoneAbbreviation(s); ok {
		p.offset, p.zone = off, loc
		return hasZone, faultNone
	}
	w, ok := dateWords[cutToken(s)]
	if !ok {
		return p.namedZone(s, faultFormat)
	}
	switch w.kind {
	case wordNamed:
		p.named = w.value
		switch w.value {
		case namedZulu:
			p.Hour, p.Minute, p.Second, p.Micro, p.offset = 0, 0, 0, 0, 0
			return hasTime | hasZone, faultNone
		case namedNow:
			return hasNamed | hasDate | hasTime | hasZone, faultNone
		case namedToday, namedTomorrow, namedYesterday:
			return hasNamed | hasDate, faultNone
		}
		return hasNamed | hasDate | hasTime | hasZone, faultNone
	case wordMonth:
		return p.wordMonth(w.value)
	case wordWeekday:
		return hasWeekday, faultNone
	case wordAMPM:
		p.hours12 = w.value
		return hasAMPM, faultNone
	case wordEra:
		p.bc = w.value == 1
		return hasEra, faultNone
	case wordDST:
		p.offset += w.value
		return hasDSTMod, faultNone
	case wordUnit:
		p.nextJulian = w.value == unitJulian
		if !p.nextJulian && len(rest) > 0 {
			return 0, faultFormat // PostgreSQL had y2024m01d31 once; at the end a unit is ignored
		}
	case wordTime:
		if p.set&hasDate != hasDate && !p.timeOnly || len(rest) == 0 || rest[0].kind > timeField {
			return 0, faultFormat
		}
		p.nextIsTime = true
	}
	return 0, faultNone
}

func (p *dateTimeParser) wordMonth(m int) (got fieldSet, fault dateTimeFault) {
	got = hasMonth
	if p.set&hasMonth != 0 && !p.textMonth && p.set&hasDay == 0 && p.Month >= 1 && p.Month <= 31 {
		p.Day = p.Month // 31 Jan: the number before was the day
		got = hasDay
	}
	p.Month, p.textMonth = m, true
	return got, faultNone
}

// check validates the fields together and settles the era, short years and AM and PM.
func (p *dateTimeParser) check() dateTimeFault {
	if p.set&hasYear != 0 && !p.julian && p.set&hasNamed == 0 {
		switch {
		case p.bc && p.Year <= 0:
			return faultRange
		case p.bc:
			p.Year = 1 - p.Year
		case p.shortYear && p.Year < 70:
			p.Year += 2000
		case p.shortYear && p.Year < 100:
			p.Year += 1900
		case !p.shortYear && p.Year <= 0:
			return faultRange
		}
	}
	if p.set&hasYearDay != 0 {
		p.Year, p.Month, p.Day = CivilFromDays(DaysFromCivil(p.Year, 1, 1) + int64(p.yearDay) - 1)
	}
	if p.set&hasNamed == 0 {
		if p.set&hasMonth != 0 && (p.Month < 1 || p.Month > 12) ||
			p.set&hasDay != 0 && (p.Day < 1 || p.Day > 31) {
			return faultMonthDay
		}
		if p.set&hasDate == hasDate && p.Day > DaysInMonth(p.Year, p.Month) {
			return faultRange
		}
	}
	if p.hours12 >= 0 {
		switch {
		case p.Hour > 12:
			return faultRange
		case p.Hour == 12:
			p.Hour = p.hours12
		default:
			p.Hour += p.hours12
		}
	}
	if p.Hour > 24 || p.Minute > 59 || p.Second > 60 ||
		p.Hour == 24 && (p.Minute|p.Second|p.Micro) != 0 {
		return faultRange
	}
	return faultNone
}

package expr

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// extractFunctions are extract(field, source), a numeric, and date_part, the same as a double.
func extractFunctions() []Function {
	var fns []Function
	// date_part takes a date for a timestamp, extract does not.
	fns = append(fns,
		Function{Name: "extract", Args: types(sql.TypeText, sql.TypeDate), Result: sql.TypeNumeric, Kernel: extractNumeric},
		Function{Name: "date_part", Args: types(sql.TypeText, sql.TypeDate), Result: sql.TypeFloat8, Kernel: extractFloat,
			passAs: types(sql.TypeText, sql.TypeTimestamp)})
	for _, t := range []sql.Type{sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval} {
		v := Immutable
		if t.Kind == sql.Timestamptz {
			v = Stable
		}
		fns = append(fns,
			Function{Name: "extract", Args: types(sql.TypeText, t), Result: sql.TypeNumeric, Volatility: v, Kernel: extractNumeric},
			Function{Name: "date_part", Args: types(sql.TypeText, t), Result: sql.TypeFloat8, Volatility: v, Kernel: extractFloat})
	}
	return fns
}

// part is a field's value: n / 10^scale, an infinity, or NULL.
type part struct {
	n        int64
	scale    int32
	infinite int // -1, 0, 1
	null     bool
	// The Julian day of a timestamp, marked by scale -1, is n days and this fraction of one.
	micros int64
	// wide: hi continues n above 64 bits, for the epoch of long intervals.
	wide bool
	hi   int64
	// float is what date_part gives where PostgreSQL computes it in floating point from the start.
	float    float64
	hasFloat bool
}

// partReader binds the source of an extract to a function from row and unit to the part.
func partReader(c *Context, v Vector) func(i int, u timeUnit) (part, bool) {
	switch v.Type.Kind {
	case sql.Date:
		at := reader[sql.DateValue](v)
		return func(i int, u timeUnit) (part, bool) { return datePart(at(i), u) }
	case sql.Time:
		at := reader[sql.TimeValue](v)
		return func(i int, u timeUnit) (part, bool) { return timePart(at(i), u) }
	case sql.Interval:
		at := reader[sql.IntervalValue](v)
		return func(i int, u timeUnit) (part, bool) { return intervalPart(at(i), u) }
	case sql.Timestamp:
		at := reader[sql.TimestampValue](v)
		return func(i int, u timeUnit) (part, bool) { return timestampPart(at(i), u) }
	}
	at := reader[sql.TimestampValue](v)
	return func(i int, u timeUnit) (part, bool) {
		t := at(i)
		switch u {
		case epoch:
			return timestampPart(t, u)
		case zoneSeconds, zoneHours, zoneMinutes:
			if !t.Finite() {
				return part{null: true}, true
			}
			return zonePart(sql.ZoneOffset(t, c.Location), u), true
		}
		return timestampPart(sql.ToLocal(t, c.Location), u)
	}
}

func zonePart(offset int, u timeUnit) part {
	switch u {
	case zoneHours:
		offset /= 3600
	case zoneMinutes:
		offset = offset / 60 % 60
	}
	return part{n: int64(offset)}
}

// extractRows computes the parts row by row. The unit, nearly always a constant, is looked up once.
func extractRows(c *Context, in *Input, put func(p part), skip func()) {
	unitName, at := reader[string](in.Args[0]), partReader(c, in.Args[1])
	unit, name := noUnit, ""
	for i := range in.Rows {
		if !in.Valid.Get(i) {
			skip()
			continue
		}
		if s := unitName(i); unit == noUnit || s != name {
			u, err := parseUnit(s, in.Args[1].Type)
			if err != nil {
				in.Fail(c, i, err)
				skip()
				continue
			}
			unit, name = u, s
		}
		p, ok := at(i, unit)
		switch {
		case !ok:
			in.Fail(c, i, unitNotSupported(name, in.Args[1].Type))
			skip()
		case p.null:
			in.Null(i)
			skip()
		default:
			put(p)
		}
	}
}

func extractNumeric(c *Context, in *Input) arrow.Array {
	w := newNumericWriter(in.Result, in.Rows)
	var d, fraction sql.Decimal
	extractRows(c, in, func(p part) {
		switch {
		case p.infinite != 0:
			setInfinite(&d, p.infinite < 0)
			w.append(&d)
		case p.scale < 0:
			julianDecimal(&d, &fraction, p)
			w.append(&d)
		case p.wide:
			wideDecimal(&d, p)
			w.append(&d)
		default:
			mag, negative := uint64(p.n), p.n < 0
			if negative {
				mag = -mag
			}
			w.appendUint64(negative, mag, p.scale)
		}
	}, w.skip)
	return w.finish(in.Valid)
}

// julianDecimal is the day plus its fraction, at the scale that numeric division gives it.
func julianDecimal(d, fraction *sql.Decimal, p part) {
	var a, b sql.Decimal
	a.SetFinite(p.micros, 0)
	b.SetFinite(sql.MicrosPerDay, 0)
	_ = divDecimal(fraction, &a, &b)
	a.SetFinite(p.n, 0)
	addDecimal(d, &a, fraction, false)
}

func wideDecimal(d *sql.Decimal, p part) {
	lo, hi, negative := uint64(p.n), uint64(p.hi), p.hi < 0
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	d.Coeff.SetUint64(hi)
	d.Coeff.Lsh(&d.Coeff, 64)
	var low apd.BigInt
	d.Coeff.Add(&d.Coeff, low.SetUint64(lo))
	d.Form, d.Negative, d.Exponent = apd.Finite, negative, -p.scale
}

func extractFloat(c *Context, in *Input) arrow.Array {
	out := make([]float64, 0, in.Rows)
	extractRows(c, in, func(p part) {
		switch {
		case p.infinite != 0:
			out = append(out, math.Inf(p.infinite))
		case p.scale < 0:
			out = append(out, float64(p.n)+float64(p.micros)/sql.MicrosPerDay)
		default:
			f := p.float
			if !p.hasFloat {
				f = float64(p.n) / float64(pow10[p.scale])
			}
			out = append(out, f)
		}
	}, func() { out = append(out, 0) })
	return stream.Float64s(out, in.Valid)
}

// infinitePart is a field of an infinite date or timestamp: what grows with time is infinite too,
// what goes in circles is NULL.
func infinitePart(u timeUnit, sign int) (part, bool) {
	switch u {
	case year, decade, century, millennium, julian, isoYear, epoch:
		return part{infinite: sign}, true
	case noUnit:
		return part{}, false
	}
	return part{null: true}, true
}

func signOf(positive bool) int {
	if positive {
		return 1
	}
	return -1
}

func datePart(d sql.DateValue, u timeUnit) (part, bool) {
	switch u {
	case microsecond, millisecond, second, minute, hour, zoneSeconds, zoneHours, zoneMinutes:
		return part{}, false
	}
	if !d.Finite() {
		return infinitePart(u, signOf(d > 0))
	}
	switch u {
	case julian:
		return part{n: int64(d) - int64(sql.MinDate)}, true
	case epoch:
		return part{n: int64(d) * 86400}, true
	}
	return dayPart(int64(d), u)
}

// dayPart is a field of a calendar day.
func dayPart(days int64, u timeUnit) (part, bool) {
	y, m, d := sql.CivilFromDays(days)
	n := 0
	switch u {
	case day:
		n = d
	case month:
		n = m
	case quarter:
		n = (m-1)/3 + 1
	case week:
		_, n = sql.ISOWeek(days)
	case year:
		n = historicalYear(y)
	case decade:
		n = floorDiv(y, 10)
	case century:
		n = countedYears(y, 100)
	case millennium:
		n = countedYears(y, 1000)
	case isoYear:
		n, _ = sql.ISOWeek(days)
		n = historicalYear(n)
	case dayOfWeek:
		n = sql.Weekday(days)
	case isoDayOfWeek:
		n = (sql.Weekday(days)+6)%7 + 1
	case dayOfYear:
		n = int(days-sql.DaysFromCivil(y, 1, 1)) + 1
	default:
		return part{}, false
	}
	return part{n: int64(n)}, true
}

// historicalYear has no year 0: -1 is 1 BC.
func historicalYear(y int) int {
	if y <= 0 {
		return y - 1
	}
	return y
}

// countedYears is the number of a century or millennium, of which there is no 0th.
func countedYears(y, unit int) int {
	if y > 0 {
		return (y + unit - 1) / unit
	}
	return -((unit - 1 - (y - 1)) / unit)
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// clockPart is a field of the time of day.
func clockPart(us int64, u timeUnit) (part, bool) {
	switch u {
	case microsecond:
		return part{n: us % 60_000_000}, true
	case millisecond:
		return part{n: us % 60_000_000, scale: 3}, true
	case second:
		return part{n: us % 60_000_000, scale: 6}, true
	case minute:
		return part{n: us / 60_000_000 % 60}, true
	case hour:
		return part{n: us / 3_600_000_000}, true
	}
	return part{}, false
}

func timePart(t sql.TimeValue, u timeUnit) (part, bool) {
	if u == epoch {
		return part{n: int64(t), scale: 6}, true
	}
	return clockPart(int64(t), u)
}

func timestampPart(t sql.TimestampValue, u timeUnit) (part, bool) {
	if !t.Finite() {
		return infinitePart(u, signOf(t > 0))
	}
	days, us := sql.SplitTimestamp(t)
	switch u {
	case epoch:
		return part{n: int64(t), scale: 6}, true
	case julian:
		return part{n: days - int64(sql.MinDate), micros: us, scale: -1}, true
	}
	if p, ok := clockPart(us, u); ok {
		return p, ok
	}
	return dayPart(days, u)
}

func intervalSeconds(iv sql.IntervalValue) float64 {
	f := float64(iv.Micros) / sql.MicrosPerSecond
	f += 365.25 * 86400 * float64(iv.Months/12)
	f += 30 * 86400 * float64(iv.Months%12)
	return f + 86400*float64(iv.Days)
}

func intervalPart(iv sql.IntervalValue, u timeUnit) (part, bool) {
	years := int64(iv.Months / 12)
	n := int64(0)
	switch u {
	case microsecond, millisecond, second, minute, hour:
		return clockPart(iv.Micros, u)
	case day:
		n = int64(iv.Days)
	case month:
		n = int64(iv.Months % 12)
	case quarter:
		n = int64(iv.Months%12)/3 + 1
	case year:
		n = years
	case decade:
		n = years / 10
	case century:
		n = years / 100
	case millennium:
		n = years / 1000
	case epoch:
		// A year is 365.25 days here, and a month outside of one 30.
		quarterDays := 1461*years + 120*int64(iv.Months%12) + 4*int64(iv.Days)
		hi, lo := bits.Mul64(uint64(quarterDays), 21600*sql.MicrosPerSecond)
		if quarterDays < 0 {
			hi -= 21600 * sql.MicrosPerSecond
		}
		lo, carry := bits.Add64(lo, uint64(iv.Micros), 0)
		top := int64(hi) + iv.Micros>>63 + int64(carry)
		return part{n: int64(lo), hi: top, wide: top != int64(lo)>>63, scale: 6,
			float: intervalSeconds(iv), hasFloat: true}, true
	default:
		return part{}, false
	}
	return part{n: n}, true
}

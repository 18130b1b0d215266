package json

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// day is a date's text, kept because the next one is most often the same.
type day struct {
	days  int64
	text  [10]byte // 2026-01-31
	known bool
}

// at returns the text of the day, or nil when its year does not have four digits.
func (d *day) at(days int64) []byte {
	if !d.known || d.days != days {
		y, m, dom := sql.CivilFromDays(days)
		if y < 1 || y > 9999 {
			return nil
		}
		b := append2(append2(d.text[:0], y/100), y%100)
		b = append2(append(b, '-'), m)
		append2(append(b, '-'), dom)
		d.days, d.known = days, true
	}
	return d.text[:]
}

// append2 appends a number of two digits.
func append2(dst []byte, v int) []byte { return append(dst, '0'+byte(v/10), '0'+byte(v%10)) }

// dateWriter writes dates as 2026-01-31; far ones and infinities as PostgreSQL prints them.
type dateWriter struct {
	nullable
	values []int32
	day    day
}

func (w *dateWriter) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Values[int32](arr)
}

func (w *dateWriter) append(dst []byte, i int) []byte {
	dst = append(dst, '"')
	if text := w.day.at(int64(w.values[i])); text != nil {
		dst = append(dst, text...)
	} else {
		dst = sql.AppendDate(dst, sql.DateValue(w.values[i]))
	}
	return append(dst, '"')
}

// timestampWriter writes timestamps in SQL's form, 2026-01-31 10:00:00.5, or in ISO 8601's with a
// T; those with time zone in UTC with a Z. Both are Flink's. Far ones and infinities are written
// as PostgreSQL prints them.
type timestampWriter struct {
	nullable
	values []int64
	zoned  bool
	iso    bool
	day    day
}

func (w *timestampWriter) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Values[int64](arr)
}

func (w *timestampWriter) append(dst []byte, i int) []byte {
	dst = append(dst, '"')
	t := sql.TimestampValue(w.values[i])
	days, micros := sql.SplitTimestamp(t)
	date := w.day.at(days)
	if date == nil || !t.Finite() {
		if w.zoned {
			return append(sql.AppendTimestamptz(dst, t, nil), '"')
		}
		return append(sql.AppendTimestamp(dst, t), '"')
	}
	dst = append(dst, date...)
	if w.iso {
		dst = append(dst, 'T')
	} else {
		dst = append(dst, ' ')
	}
	seconds := int(micros / sql.MicrosPerSecond)
	dst = append2(dst, seconds/3600)
	dst = append2(append(dst, ':'), seconds/60%60)
	dst = append2(append(dst, ':'), seconds%60)
	if rest := int(micros % sql.MicrosPerSecond); rest != 0 {
		dst = append(dst, '.')
		for unit := 100_000; rest != 0; unit /= 10 {
			dst = append(dst, '0'+byte(rest/unit))
			rest %= unit
		}
	}
	if w.zoned {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}

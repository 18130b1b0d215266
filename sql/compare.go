package sql

import (
	"bytes"
	"cmp"
	"math/bits"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// CompareDatum orders two values of type t as PostgreSQL's btree does; -1, 0 or 1. NULLs are equal
// to each other and above everything else. Text is ordered by its bytes (collation "C").
func CompareDatum(t Type, a, b Datum) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	}
	switch t.Kind {
	case Bool:
		return cmp.Compare(btoi(a.(bool)), btoi(b.(bool)))
	case Int2, Int4, Int8, OID, Regclass, Regtype, Regproc, Regnamespace:
		return cmp.Compare(a.(int64), b.(int64))
	case Float4, Float8:
		return CompareFloat(a.(float64), b.(float64))
	case Numeric:
		return CompareNumeric(a.(*Decimal), b.(*Decimal))
	case Char:
		return cmp.Compare(TrimChar(a.(string)), TrimChar(b.(string)))
	case Bytea:
		return bytes.Compare(a.([]byte), b.([]byte))
	case Date:
		return cmp.Compare(a.(DateValue), b.(DateValue))
	case Time:
		return cmp.Compare(a.(TimeValue), b.(TimeValue))
	case Timestamp, Timestamptz:
		return cmp.Compare(a.(TimestampValue), b.(TimestampValue))
	case Interval:
		return a.(IntervalValue).Compare(b.(IntervalValue))
	case UUID:
		x, y := a.(UUIDValue), b.(UUIDValue)
		return bytes.Compare(x[:], y[:])
	case JSONB:
		return CompareJSONB(a.(string), b.(string))
	case Array:
		return compareLists(*t.Elem, a.([]Datum), b.([]Datum))
	case Int2Vector:
		return compareLists(TypeInt2, a.([]Datum), b.([]Datum))
	case OIDVector:
		return compareLists(TypeOID, a.([]Datum), b.([]Datum))
	case Row, Record:
		x, y := a.(RowValue), b.(RowValue)
		for i, f := range t.Fields {
			if c := CompareDatum(f.Type, x[i], y[i]); c != 0 {
				return c
			}
		}
		return 0
	case Map:
		x, y := a.(MapValue), b.(MapValue)
		for i := 0; i < len(x) && i < len(y); i++ {
			if c := CompareDatum(*t.Key, x[i].Key, y[i].Key); c != 0 {
				return c
			}
			if c := CompareDatum(*t.Elem, x[i].Value, y[i].Value); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(x), len(y))
	}
	return cmp.Compare(a.(string), b.(string))
}

// CompareFloat orders floats as PostgreSQL does: NaN equals itself and is above everything else,
// and -0 equals 0.
func CompareFloat[T float32 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return btoi(a != a) - btoi(b != b)
}

// CompareNumeric orders numerics: -Infinity, finite values, Infinity, NaN.
func CompareNumeric(a, b *Decimal) int {
	if a.Form != apd.Finite || b.Form != apd.Finite {
		return cmp.Compare(numericRank(a), numericRank(b))
	}
	as, bs := a.Sign(), b.Sign()
	if as != bs || as == 0 {
		return cmp.Compare(as, bs)
	}
	if a.Exponent == b.Exponent {
		return as * a.Coeff.CmpAbs(&b.Coeff)
	}
	// Compare magnitudes first, so that 1e100000 against 1 multiplies nothing out.
	if c := cmp.Compare(wholeDigits(a), wholeDigits(b)); c != 0 {
		return as * c
	}
	var x apd.BigInt
	if a.Exponent > b.Exponent {
		x.Mul(&a.Coeff, PowerOfTen(a.Exponent-b.Exponent))
		return as * x.CmpAbs(&b.Coeff)
	}
	x.Mul(&b.Coeff, PowerOfTen(b.Exponent-a.Exponent))
	return as * a.Coeff.CmpAbs(&x)
}

func wholeDigits(d *Decimal) int64 { return d.NumDigits() + int64(d.Exponent) }

func numericRank(d *Decimal) int {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return -1
	case d.Form == apd.Finite:
		return 0
	case d.Form == apd.Infinite:
		return 1
	}
	return 2
}

// Key is iv in microseconds, of 30-day months and 24-hour days, as a 128-bit number. Intervals
// with equal keys are equal.
func (iv IntervalValue) Key() (hi int64, lo uint64) {
	days := int64(iv.Months)*30 + int64(iv.Days)
	h, lo := bits.Mul64(uint64(days), MicrosPerDay)
	if days < 0 {
		h -= MicrosPerDay
	}
	lo, carry := bits.Add64(lo, uint64(iv.Micros), 0)
	return int64(h) + iv.Micros>>63 + int64(carry), lo
}

// TrimChar cuts the padding of a char(n), which does not count in comparisons.
func TrimChar(s string) string { return strings.TrimRight(s, " ") }

func compareLists(elem Type, a, b []Datum) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := CompareDatum(elem, a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

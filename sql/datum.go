package sql

import "github.com/cockroachdb/apd/v3"

// Datum is a single value outside a column: a literal, a parameter, a row of a table being
// written, a cell being printed. nil is NULL. The Go type follows the SQL type:
//
//	Bool                     bool
//	Int2, Int4, Int8, OIDs   int64
//	Float4, Float8           float64
//	Numeric                  *apd.Decimal (finite: -Exponent is the display scale; NaN and Infinite too)
//	Text, Varchar, Char, Name, InternalChar, JSON, JSONB, Unknown   string
//	Bytea                    []byte
//	Date                     DateValue      days since 1970-01-01
//	Time                     TimeValue      microseconds since midnight, 24:00 included
//	Timestamp                TimestampValue microseconds since 1970-01-01 00:00 (UTC for Timestamptz)
//	Timestamptz              TimestampValue
//	Interval                 IntervalValue
//	UUID                     UUIDValue
//	Array, Int2Vector, OIDVector   []Datum
//	Row, Record              RowValue
//	Map                      MapValue
type Datum any

type (
	// DateValue counts days since 1970-01-01; the extremes of int32 are ±infinity.
	DateValue int32
	// TimeValue counts microseconds since midnight, 0 to 86,400,000,000.
	TimeValue int64
	// TimestampValue counts microseconds since 1970-01-01; the extremes of int64 are ±infinity.
	TimestampValue int64
	// UUIDValue is a UUID's 16 bytes.
	UUIDValue [16]byte
	// RowValue is a row's fields in order.
	RowValue []Datum
	// MapValue is a map's entries in the order they were given; keys are never nil.
	MapValue []MapEntry
	// MapEntry is one entry of a MapValue.
	MapEntry struct{ Key, Value Datum }
	// IntervalValue is PostgreSQL's interval: the three parts are independent.
	IntervalValue struct {
		Micros int64
		Days   int32
		Months int32
	}
	// Decimal is the value of a Numeric.
	Decimal = apd.Decimal
)

// The infinities, and the bounds of finite timestamps as PostgreSQL has them.
const (
	DateInfinity         DateValue      = 1<<31 - 1
	DateNegInfinity      DateValue      = -1 << 31
	TimestampInfinity    TimestampValue = 1<<63 - 1
	TimestampNegInfinity TimestampValue = -1 << 63

	MicrosPerSecond = 1_000_000
	MicrosPerDay    = 86_400 * MicrosPerSecond
)

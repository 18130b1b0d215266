// Package column has the typed buffers that decoders fill row by row. A buffer becomes an Arrow
// array without being copied, and starts anew with the size that was needed last.
//
// Invariants:
//   - A row is appended by Push, Append or Null, one call a row.
//   - Truncate undoes rows, also in the children of nested columns.
//   - What Finish returned is never written to again.
package column

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Column collects the values of a column of one type.
type Column interface {
	Len() int
	// Null appends a NULL.
	Null()
	// Append appends d, a value of the column's type; nil is NULL. It is the general way, for what
	// is not in a hot loop.
	Append(d sql.Datum) error
	// Truncate undoes all rows from n on.
	Truncate(n int)
	// Finish returns the rows and starts anew.
	Finish() arrow.Array
}

// New makes an empty column of type t.
func New(t sql.Type) Column {
	switch t.Kind {
	case sql.Bool:
		return NewBool()
	case sql.Int2:
		return NewFixed(t, func(d sql.Datum) int16 { return int16(d.(int64)) })
	case sql.Int4:
		return NewFixed(t, func(d sql.Datum) int32 { return int32(d.(int64)) })
	case sql.Float4:
		return NewFixed(t, func(d sql.Datum) float32 { return float32(d.(float64)) })
	case sql.Float8:
		return NewFixed(t, func(d sql.Datum) float64 { return d.(float64) })
	case sql.Date:
		return NewFixed(t, func(d sql.Datum) int32 { return int32(d.(sql.DateValue)) })
	case sql.Time:
		return NewFixed(t, func(d sql.Datum) int64 { return int64(d.(sql.TimeValue)) })
	case sql.Timestamp, sql.Timestamptz:
		return NewFixed(t, func(d sql.Datum) int64 { return int64(d.(sql.TimestampValue)) })
	case sql.Interval:
		return NewFixed(t, func(d sql.Datum) sql.IntervalValue { return d.(sql.IntervalValue) })
	case sql.UUID:
		return NewFixed(t, func(d sql.Datum) sql.UUIDValue { return d.(sql.UUIDValue) })
	case sql.Numeric:
		switch {
		case t.Precision == 0:
			return NewBytes(t)
		case t.Precision <= 18:
			return NewFixed(t, func(d sql.Datum) int64 { return unscaled(d, t.Scale).Int64() })
		case t.Precision <= 38:
			return NewFixed(t, func(d sql.Datum) decimal128.Num { return decimal128.FromBigInt(unscaled(d, t.Scale)) })
		}
		return NewFixed(t, func(d sql.Datum) decimal256.Num { return decimal256.FromBigInt(unscaled(d, t.Scale)) })
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return NewList(t, New(elem(t)))
	case sql.Map:
		return NewMap(t, New(*t.Key), New(*t.Elem))
	case sql.Row, sql.Record:
		fields := make([]Column, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = New(f.Type)
		}
		return NewRow(t, fields)
	}
	if t.Kind == sql.Int8 || t.IsOID() {
		return NewFixed(t, func(d sql.Datum) int64 { return d.(int64) })
	}
	return NewBytes(t)
}

func elem(t sql.Type) sql.Type {
	switch t.Kind {
	case sql.Int2Vector:
		return sql.TypeInt2
	case sql.OIDVector:
		return sql.TypeInt8
	}
	return *t.Elem
}

// validity is a column's validity while it is filled: nil until the first NULL, and set past the
// last row. So a value that is not NULL costs nothing here.
type validity struct{ bits stream.Bitmap }

func (v *validity) null(row int) {
	if row >= len(v.bits)*8 {
		v.grow(max(row+1, len(v.bits)*8*2))
	}
	v.bits.Clear(row)
}

// grow makes room for rows bits, and sets the new ones.
func (v *validity) grow(rows int) {
	bits := stream.FullBitmap(rows)
	copy(bits, v.bits)
	v.bits = bits
}

// truncate forgets that rows from n to last were NULL.
func (v *validity) truncate(n, last int) {
	for i := n; i < min(last, len(v.bits)*8); i++ {
		v.bits.Set(i)
	}
}

func (v *validity) finish(rows int) stream.Bitmap {
	if v.bits == nil {
		return nil
	}
	if rows > len(v.bits)*8 {
		v.grow(rows)
	}
	bits := v.bits
	v.bits = nil
	return bits
}

// room says how large the buffers of the next batch should be: a little larger than the largest of
// those before, so that a steady stream fills them without growing them, although a batch ends where
// a record batch of Kafka does. The largest is forgotten by and by, and one huge batch does not make
// the next one huge.
type room struct{ largest int }

func (r *room) after(n, most int) int {
	r.largest = max(n, r.largest-r.largest/16)
	return min(r.largest+r.largest/16+8, most)
}

// The most rows and bytes that room is made for beforehand.
const (
	mostRows = 2 * stream.TargetRows
	mostData = 1 << 20
)

// maxData bounds the bytes of a column in one batch: offsets are int32.
const maxData = math.MaxInt32

func tooLarge() error {
	return sql.Errorf("54000", "a batch of rows exceeds %d bytes in one column", maxData)
}

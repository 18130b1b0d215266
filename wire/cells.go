package wire

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// cell appends row i of a column, which is not NULL there. It is made once for a column of a batch;
// those of the scalar types read the column without making a datum of the value.
type cell func(dst []byte, i int) ([]byte, error)

// printed is a cell that cannot fail.
func printed(f func(dst []byte, i int) []byte) cell {
	return func(dst []byte, i int) ([]byte, error) { return f(dst, i), nil }
}

// textCell makes the cell of a column in text format; loc is what timestamptz is printed in.
func textCell(col arrow.Array, t sql.Type, loc *time.Location) cell {
	switch a := col.(type) {
	case *array.String:
		return printed(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.Int64:
		if t.Kind == sql.Regtype { // printed as the type's name
			return printed(func(dst []byte, i int) []byte { return sql.AppendText(dst, t, a.Value(i)) })
		}
		return printed(func(dst []byte, i int) []byte { return strconv.AppendInt(dst, a.Value(i), 10) })
	case *array.Int32:
		return printed(func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(a.Value(i)), 10) })
	case *array.Int16:
		return printed(func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(a.Value(i)), 10) })
	case *array.Float64:
		return printed(func(dst []byte, i int) []byte { return sql.AppendFloat(dst, a.Value(i), 64) })
	case *array.Float32:
		return printed(func(dst []byte, i int) []byte { return sql.AppendFloat(dst, float64(a.Value(i)), 32) })
	case *array.Boolean:
		return printed(func(dst []byte, i int) []byte { return append(dst, "ft"[b2i(a.Value(i))]) })
	case *array.Timestamp:
		if t.Kind == sql.Timestamptz {
			return printed(func(dst []byte, i int) []byte { return sql.AppendTimestamptz(dst, sql.TimestampValue(a.Value(i)), loc) })
		}
		return printed(func(dst []byte, i int) []byte { return sql.AppendTimestamp(dst, sql.TimestampValue(a.Value(i))) })
	case *array.Date32:
		return printed(func(dst []byte, i int) []byte { return sql.AppendDate(dst, sql.DateValue(a.Value(i))) })
	case *array.Time64:
		return printed(func(dst []byte, i int) []byte { return sql.AppendTime(dst, sql.TimeValue(a.Value(i))) })
	}
	switch t.Kind {
	case sql.Numeric:
		d := new(sql.Decimal)
		return printed(func(dst []byte, i int) []byte {
			stream.DecimalAt(col, t, i, d)
			return sql.AppendNumericText(dst, d)
		})
	case sql.Bytea:
		a := col.(*array.Binary)
		return printed(func(dst []byte, i int) []byte { return sql.AppendBytea(dst, a.Value(i)) })
	case sql.UUID:
		v := stream.Values[sql.UUIDValue](col)
		return printed(func(dst []byte, i int) []byte { return sql.AppendUUID(dst, v[i]) })
	case sql.Interval:
		v := stream.Values[sql.IntervalValue](col)
		return printed(func(dst []byte, i int) []byte { return sql.AppendInterval(dst, v[i]) })
	}
	return printed(func(dst []byte, i int) []byte { return sql.AppendTextIn(dst, t, stream.Value(col, t, i), loc) })
}

// binaryCell makes the cell of a column in binary format. PostgreSQL counts dates and timestamps from
// 2000-01-01.
func binaryCell(col arrow.Array, t sql.Type) cell {
	be := binary.BigEndian
	switch a := col.(type) {
	case *array.String:
		if t.Kind == sql.JSONB {
			return printed(func(dst []byte, i int) []byte { return append(append(dst, 1), a.Value(i)...) }) // 1 is the format's version
		}
		return printed(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case *array.Int64:
		if t.IsOID() {
			return printed(func(dst []byte, i int) []byte { return be.AppendUint32(dst, uint32(a.Value(i))) })
		}
		return printed(func(dst []byte, i int) []byte { return be.AppendUint64(dst, uint64(a.Value(i))) })
	case *array.Int32:
		return printed(func(dst []byte, i int) []byte { return be.AppendUint32(dst, uint32(a.Value(i))) })
	case *array.Int16:
		return printed(func(dst []byte, i int) []byte { return be.AppendUint16(dst, uint16(a.Value(i))) })
	case *array.Float64:
		return printed(func(dst []byte, i int) []byte { return be.AppendUint64(dst, math.Float64bits(a.Value(i))) })
	case *array.Float32:
		return printed(func(dst []byte, i int) []byte { return be.AppendUint32(dst, math.Float32bits(a.Value(i))) })
	case *array.Boolean:
		return printed(func(dst []byte, i int) []byte { return append(dst, byte(b2i(a.Value(i)))) })
	case *array.Timestamp:
		return printed(func(dst []byte, i int) []byte {
			v := sql.TimestampValue(a.Value(i))
			if v.Finite() {
				v -= sql.PostgresEpochDays * sql.MicrosPerDay
			}
			return be.AppendUint64(dst, uint64(v))
		})
	case *array.Date32:
		return printed(func(dst []byte, i int) []byte {
			v := sql.DateValue(a.Value(i))
			if v.Finite() {
				v -= sql.PostgresEpochDays
			}
			return be.AppendUint32(dst, uint32(v))
		})
	case *array.Time64:
		return printed(func(dst []byte, i int) []byte { return be.AppendUint64(dst, uint64(a.Value(i))) })
	}
	switch t.Kind {
	case sql.Numeric:
		d := new(sql.Decimal)
		return func(dst []byte, i int) ([]byte, error) {
			stream.DecimalAt(col, t, i, d)
			return sql.AppendBinary(dst, t, d)
		}
	case sql.Bytea:
		a := col.(*array.Binary)
		return printed(func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) })
	case sql.UUID:
		v := stream.Values[sql.UUIDValue](col)
		return printed(func(dst []byte, i int) []byte { return append(dst, v[i][:]...) })
	}
	return func(dst []byte, i int) ([]byte, error) { return sql.AppendBinary(dst, t, stream.Value(col, t, i)) }
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

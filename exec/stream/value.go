package stream

import (
	"encoding/binary"
	"math"
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/streamsql/streamsql/sql"
)

// Value is row i of a column of type t. It is for single values; hot loops use Values and the like.
func Value(arr arrow.Array, t sql.Type, i int) sql.Datum {
	if arr.IsNull(i) {
		return nil
	}
	switch t.Kind {
	case sql.Bool:
		return arr.(*array.Boolean).Value(i)
	case sql.Int2:
		return int64(arr.(*array.Int16).Value(i))
	case sql.Int4:
		return int64(arr.(*array.Int32).Value(i))
	case sql.Int8, sql.OID, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		return arr.(*array.Int64).Value(i)
	case sql.Float4:
		return float64(arr.(*array.Float32).Value(i))
	case sql.Float8:
		return arr.(*array.Float64).Value(i)
	case sql.Numeric:
		d := new(sql.Decimal)
		DecimalAt(arr, t, i, d)
		return d
	case sql.Bytea:
		return append([]byte{}, arr.(*array.Binary).Value(i)...)
	case sql.Date:
		return sql.DateValue(arr.(*array.Date32).Value(i))
	case sql.Time:
		return sql.TimeValue(arr.(*array.Time64).Value(i))
	case sql.Timestamp, sql.Timestamptz:
		return sql.TimestampValue(arr.(*array.Timestamp).Value(i))
	case sql.Interval:
		return Values[sql.IntervalValue](arr)[i]
	case sql.UUID:
		return Values[sql.UUIDValue](arr)[i]
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		offsets, elems := ListValues(arr)
		out := make([]sql.Datum, 0, offsets[i+1]-offsets[i])
		for j := offsets[i]; j < offsets[i+1]; j++ {
			out = append(out, Value(elems, ElemType(t), int(j)))
		}
		return out
	case sql.Row, sql.Record:
		s := arr.(*array.Struct)
		out := make(sql.RowValue, len(t.Fields))
		for j, f := range t.Fields {
			out[j] = Value(s.Field(j), f.Type, i)
		}
		return out
	case sql.Map:
		m := arr.(*array.Map)
		offsets := listOffsets(arr)
		out := make(sql.MapValue, 0, offsets[i+1]-offsets[i])
		for j := int(offsets[i]); j < int(offsets[i+1]); j++ {
			out = append(out, sql.MapEntry{Key: Value(m.Keys(), *t.Key, j), Value: Value(m.Items(), *t.Elem, j)})
		}
		return out
	}
	return string([]byte(arr.(*array.String).Value(i))) // a copy: a datum outlives its batch
}

// ElemType is the type of the elements of an array or a vector.
func ElemType(t sql.Type) sql.Type {
	switch t.Kind {
	case sql.Int2Vector:
		return sql.TypeInt2
	case sql.OIDVector:
		return sql.TypeOID
	}
	return *t.Elem
}

// DecimalAt reads row i of a numeric column of either storage into d; the row is not NULL.
func DecimalAt(arr arrow.Array, t sql.Type, i int, d *sql.Decimal) {
	switch arr := arr.(type) {
	case *array.Decimal64:
		setDecimal(d, int64(arr.Value(i)), t.Scale)
	case *array.Decimal128:
		v := arr.Value(i)
		if hi := v.HighBits(); hi == int64(v.LowBits())>>63 {
			setDecimal(d, int64(v.LowBits()), t.Scale)
			return
		}
		setBigDecimal(d, v.BigInt(), t.Scale)
	case *array.Decimal256:
		setBigDecimal(d, arr.Value(i).BigInt(), t.Scale)
	case *array.Binary:
		sql.DecodeNumeric(arr.Value(i), d)
	}
}

func setDecimal(d *sql.Decimal, v int64, scale int32) {
	d.SetFinite(v, 0)
	shiftScale(d, scale)
}

func setBigDecimal(d *sql.Decimal, v *big.Int, scale int32) {
	*d = sql.Decimal{Negative: v.Sign() < 0}
	d.Coeff.SetMathBigInt(v.Abs(v))
	shiftScale(d, scale)
}

// shiftScale gives d the column's scale. PostgreSQL has columns of a negative one, numeric(3,-2);
// their values have display scale 0.
func shiftScale(d *sql.Decimal, scale int32) {
	d.Exponent = -scale
	if scale < 0 {
		sql.Rescale(d, d, 0)
	}
}

// Builder builds a column of any type value by value. It is for convenience, not for hot loops.
type Builder struct {
	t       sql.Type
	rows    int
	nulls   int
	valid   Bitmap
	data    []byte     // fixed-width values, text, or booleans as bits
	offsets []int32    // variable-width types, arrays and maps
	kids    []*Builder // array: elements. map: keys, values. row: fields
}

// NewBuilder makes a builder for columns of type t.
func NewBuilder(t sql.Type) *Builder {
	b := &Builder{t: t}
	switch t.Kind {
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		b.kids = []*Builder{NewBuilder(ElemType(t))}
	case sql.Map:
		b.kids = []*Builder{NewBuilder(*t.Key), NewBuilder(*t.Elem)}
	case sql.Row, sql.Record:
		for _, f := range t.Fields {
			b.kids = append(b.kids, NewBuilder(f.Type))
		}
	}
	b.reset()
	return b
}

func (b *Builder) reset() {
	b.rows, b.nulls, b.valid, b.data, b.offsets = 0, 0, nil, nil, nil
	switch b.t.Arrow().(type) {
	case *arrow.StringType, *arrow.BinaryType, *arrow.ListType, *arrow.MapType:
		b.offsets = []int32{0}
	}
}

// Append adds a row; nil is NULL. d has the Go type that sql.Datum lays down for the column's type;
// a fixed numeric is rescaled, and must fit.
func (b *Builder) Append(d sql.Datum) {
	if b.rows&63 == 0 {
		b.valid = append(b.valid, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	if d == nil {
		b.nulls++
		b.valid.Clear(b.rows)
	}
	b.appendValue(d)
	b.rows++
	if b.offsets != nil {
		end := len(b.data)
		if len(b.kids) > 0 {
			end = b.kids[0].rows
		}
		b.offsets = append(b.offsets, int32(end))
	}
}

func (b *Builder) appendValue(d sql.Datum) {
	le := binary.LittleEndian
	switch b.t.Kind {
	case sql.Bool:
		if b.rows&63 == 0 {
			b.data = append(b.data, 0, 0, 0, 0, 0, 0, 0, 0)
		}
		v, _ := d.(bool)
		Bitmap(b.data).SetTo(b.rows, v)
	case sql.Int2:
		v, _ := d.(int64)
		b.data = le.AppendUint16(b.data, uint16(v))
	case sql.Int4:
		v, _ := d.(int64)
		b.data = le.AppendUint32(b.data, uint32(v))
	case sql.Int8, sql.OID, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		v, _ := d.(int64)
		b.data = le.AppendUint64(b.data, uint64(v))
	case sql.Float4:
		v, _ := d.(float64)
		b.data = le.AppendUint32(b.data, math.Float32bits(float32(v)))
	case sql.Float8:
		v, _ := d.(float64)
		b.data = le.AppendUint64(b.data, math.Float64bits(v))
	case sql.Numeric:
		v, _ := d.(*sql.Decimal)
		b.appendDecimal(v)
	case sql.Date:
		v, _ := d.(sql.DateValue)
		b.data = le.AppendUint32(b.data, uint32(v))
	case sql.Time:
		v, _ := d.(sql.TimeValue)
		b.data = le.AppendUint64(b.data, uint64(v))
	case sql.Timestamp, sql.Timestamptz:
		v, _ := d.(sql.TimestampValue)
		b.data = le.AppendUint64(b.data, uint64(v))
	case sql.Interval:
		v, _ := d.(sql.IntervalValue)
		b.data = le.AppendUint64(b.data, uint64(v.Micros))
		b.data = le.AppendUint32(b.data, uint32(v.Days))
		b.data = le.AppendUint32(b.data, uint32(v.Months))
	case sql.UUID:
		v, _ := d.(sql.UUIDValue)
		b.data = append(b.data, v[:]...)
	case sql.Bytea:
		v, _ := d.([]byte)
		b.data = append(b.data, v...)
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		v, _ := d.([]sql.Datum)
		for _, e := range v {
			b.kids[0].Append(e)
		}
	case sql.Map:
		v, _ := d.(sql.MapValue)
		for _, e := range v {
			b.kids[0].Append(e.Key)
			b.kids[1].Append(e.Value)
		}
	case sql.Row, sql.Record:
		v, _ := d.(sql.RowValue)
		for i, k := range b.kids {
			if v == nil {
				k.Append(nil)
			} else {
				k.Append(v[i])
			}
		}
	default:
		v, _ := d.(string)
		b.data = append(b.data, v...)
	}
}

func (b *Builder) appendDecimal(v *sql.Decimal) {
	if !b.t.IsFixed() {
		if v != nil {
			b.data = sql.AppendNumeric(b.data, v)
		}
		return
	}
	var unscaled big.Int
	if v != nil {
		var d sql.Decimal
		sql.Rescale(&d, v, b.t.Scale)
		unscaled.Set(d.Coeff.MathBigInt())
		if d.Negative {
			unscaled.Neg(&unscaled)
		}
	}
	le := binary.LittleEndian
	switch {
	case b.t.Precision <= 18:
		b.data = le.AppendUint64(b.data, uint64(unscaled.Int64()))
	case b.t.Precision <= 38:
		n := decimal128.FromBigInt(&unscaled)
		b.data = le.AppendUint64(b.data, n.LowBits())
		b.data = le.AppendUint64(b.data, uint64(n.HighBits()))
	default:
		for _, w := range decimal256.FromBigInt(&unscaled).Array() {
			b.data = le.AppendUint64(b.data, w)
		}
	}
}

// Finish returns the column and empties the builder for the next one.
func (b *Builder) Finish() arrow.Array {
	valid := b.valid
	if b.nulls == 0 {
		valid = nil
	}
	kids := make([]arrow.Array, len(b.kids))
	for i, k := range b.kids {
		kids[i] = k.Finish()
	}
	var out arrow.Array
	switch b.t.Kind {
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		out = Lists(b.t, b.offsets, kids[0], valid)
	case sql.Map:
		out = Maps(b.t, b.offsets, kids[0], kids[1], valid)
	case sql.Row, sql.Record:
		out = Rows(b.t, b.rows, kids, valid)
	default:
		if b.offsets != nil {
			out = Bytes(b.t, b.offsets, b.data, valid)
		} else {
			out = makeArray(b.t.Arrow(), b.rows, valid, buffer(bytesOf(b.data)))
		}
	}
	b.reset()
	return out
}

package postgres

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// encoder appends the values of a column in PostgreSQL's binary form.
type encoder interface {
	// bind takes the column that the rows of append are of.
	bind(arr arrow.Array)
	// append appends row i, which is not NULL.
	append(dst []byte, i int) ([]byte, error)
}

// rowEncoder appends rows as COPY has them: the number of fields, and each with its length before it.
type rowEncoder struct {
	fields []encoder
	valid  []stream.Bitmap
	starts []int // where each field of the last row begins, with its length
}

func newRowEncoder(columns []connectors.Column, to []column) (*rowEncoder, error) {
	e := &rowEncoder{valid: make([]stream.Bitmap, len(to)), starts: make([]int, len(to)+1)}
	for i, c := range to {
		f, err := newEncoder(columns[i].Type, c.wire)
		if err != nil {
			return nil, err
		}
		e.fields = append(e.fields, f)
	}
	return e, nil
}

func (e *rowEncoder) bind(b *stream.Batch) {
	for i, f := range e.fields {
		e.valid[i] = stream.Validity(b.Columns[i])
		f.bind(b.Columns[i])
	}
}

// append appends row i of the bound batch. On an error, field is the one that failed.
func (e *rowEncoder) append(dst []byte, i int) (out []byte, field int, err error) {
	be := binary.BigEndian
	dst = be.AppendUint16(dst, uint16(len(e.fields)))
	for n, f := range e.fields {
		at := len(dst)
		e.starts[n] = at
		dst = be.AppendUint32(dst, nullLength)
		if e.valid[n] != nil && !e.valid[n].Get(i) {
			continue
		}
		if dst, err = f.append(dst, i); err != nil {
			return dst, n, err
		}
		be.PutUint32(dst[at:], uint32(len(dst)-at-4))
	}
	e.starts[len(e.fields)] = len(dst)
	return dst, 0, nil
}

const nullLength = math.MaxUint32

// newEncoder makes the encoder of values of type t in the form of type wire.
func newEncoder(t, wire sql.Type) (encoder, error) {
	switch {
	case wire.Kind == sql.JSON || wire.Kind == sql.JSONB:
		if t.Kind == sql.JSON || t.Kind == sql.JSONB {
			return &bytesEncoder{version: wire.Kind == sql.JSONB}, nil
		}
		inner, err := format.NewEncoder("json", []connectors.Column{{Column: sql.Column{Name: "v", Type: t}}}, nil)
		return &documentEncoder{inner: inner, version: wire.Kind == sql.JSONB}, err
	case t.Kind == sql.Array && wire.Kind == sql.Text:
		return &textEncoder{typ: t}, nil
	case t.IsString() || t.Kind == sql.Bytea:
		return &bytesEncoder{}, nil
	}
	switch t.Kind {
	case sql.Bool:
		return &boolEncoder{}, nil
	case sql.Int2:
		return newIntEncoder[int16](wire), nil
	case sql.Int4:
		return newIntEncoder[int32](wire), nil
	case sql.Int8:
		return newIntEncoder[int64](wire), nil
	case sql.Float4:
		return &floatEncoder[float32]{wide: wire.Kind == sql.Float8}, nil
	case sql.Float8:
		return &floatEncoder[float64]{wide: true}, nil
	case sql.Numeric:
		if t.Precision > 0 && t.Precision <= 18 && t.Scale >= 0 {
			return &decimalEncoder{scale: int(t.Scale)}, nil
		}
	case sql.Date:
		return &dateEncoder{}, nil
	case sql.Time:
		return newIntEncoder[int64](sql.TypeInt8), nil
	case sql.Timestamp, sql.Timestamptz:
		return &timestampEncoder{}, nil
	case sql.Interval:
		return &intervalEncoder{}, nil
	case sql.UUID:
		return &uuidEncoder{}, nil
	}
	return &generalEncoder{typ: t, wire: wire}, nil
}

type boolEncoder struct{ values stream.Bitmap }

func (e *boolEncoder) bind(arr arrow.Array) { e.values = stream.Bools(arr) }
func (e *boolEncoder) append(dst []byte, i int) ([]byte, error) {
	if e.values.Get(i) {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

// intEncoder writes integers to columns that are as wide or wider.
type intEncoder[T int16 | int32 | int64] struct {
	values []T
	width  int // bytes; 0 = as a numeric
}

func newIntEncoder[T int16 | int32 | int64](wire sql.Type) *intEncoder[T] {
	return &intEncoder[T]{width: map[sql.Kind]int{sql.Int2: 2, sql.Int4: 4, sql.Int8: 8}[wire.Kind]}
}

func (e *intEncoder[T]) bind(arr arrow.Array) { e.values = stream.Values[T](arr) }
func (e *intEncoder[T]) append(dst []byte, i int) ([]byte, error) {
	be, v := binary.BigEndian, int64(e.values[i])
	switch e.width {
	case 2:
		return be.AppendUint16(dst, uint16(v)), nil
	case 4:
		return be.AppendUint32(dst, uint32(v)), nil
	case 8:
		return be.AppendUint64(dst, uint64(v)), nil
	}
	return appendDecimal(dst, v, 0), nil
}

type floatEncoder[T float32 | float64] struct {
	values []T
	wide   bool
}

func (e *floatEncoder[T]) bind(arr arrow.Array) { e.values = stream.Values[T](arr) }
func (e *floatEncoder[T]) append(dst []byte, i int) ([]byte, error) {
	if e.wide {
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(e.values[i]))), nil
	}
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(e.values[i]))), nil
}

// decimalEncoder writes numerics of up to 18 digits.
type decimalEncoder struct {
	values []int64
	scale  int
}

func (e *decimalEncoder) bind(arr arrow.Array) { e.values = stream.Values[int64](arr) }
func (e *decimalEncoder) append(dst []byte, i int) ([]byte, error) {
	return appendDecimal(dst, e.values[i], e.scale), nil
}

// appendDecimal appends v / 10^scale, the scale being at most 18: how many digits of base 10000 there
// are, how many of them stand before the point less one, the sign, the scale, and the digits.
func appendDecimal(dst []byte, v int64, scale int) []byte {
	const negative = 0x4000
	sign, mag := uint16(0), uint64(v)
	if v < 0 {
		sign, mag = negative, -mag
	}
	var digits [10]uint16 // from the last one on
	n, fraction := 0, (scale+3)/4
	if odd := scale % 4; odd != 0 { // the last digit of the fraction is filled up with zeros
		unit := powers[odd]
		digits[0] = uint16(mag % unit * powers[4-odd])
		mag /= unit
		n = 1
	}
	for ; mag > 0 || n < fraction; n++ {
		digits[n] = uint16(mag % 10000)
		mag /= 10000
	}
	for n > 0 && digits[n-1] == 0 {
		n--
	}
	be := binary.BigEndian
	dst = be.AppendUint16(dst, uint16(n))
	dst = be.AppendUint16(dst, uint16(int16(n-fraction-1)))
	dst = be.AppendUint16(dst, sign)
	dst = be.AppendUint16(dst, uint16(scale))
	for n > 0 {
		n--
		dst = be.AppendUint16(dst, digits[n])
	}
	return dst
}

var powers = [...]uint64{1, 10, 100, 1000, 10000}

// bytesEncoder writes what is bytes already.
type bytesEncoder struct {
	offsets []int32
	data    []byte
	version bool // before a jsonb
}

func (e *bytesEncoder) bind(arr arrow.Array) { e.offsets, e.data = stream.BytesValues(arr) }
func (e *bytesEncoder) append(dst []byte, i int) ([]byte, error) {
	if e.version {
		dst = append(dst, 1)
	}
	return append(dst, e.data[e.offsets[i]:e.offsets[i+1]]...), nil
}

type dateEncoder struct{ values []int32 }

func (e *dateEncoder) bind(arr arrow.Array) { e.values = stream.Values[int32](arr) }
func (e *dateEncoder) append(dst []byte, i int) ([]byte, error) {
	v := sql.DateValue(e.values[i])
	if v.Finite() {
		v -= sql.PostgresEpochDays
	}
	return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
}

type timestampEncoder struct{ values []int64 }

func (e *timestampEncoder) bind(arr arrow.Array) { e.values = stream.Values[int64](arr) }
func (e *timestampEncoder) append(dst []byte, i int) ([]byte, error) {
	v := sql.TimestampValue(e.values[i])
	if v.Finite() {
		v -= sql.PostgresEpochDays * sql.MicrosPerDay
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

type intervalEncoder struct{ values []sql.IntervalValue }

func (e *intervalEncoder) bind(arr arrow.Array) { e.values = stream.Values[sql.IntervalValue](arr) }
func (e *intervalEncoder) append(dst []byte, i int) ([]byte, error) {
	be, v := binary.BigEndian, e.values[i]
	dst = be.AppendUint64(dst, uint64(v.Micros))
	dst = be.AppendUint32(dst, uint32(v.Days))
	return be.AppendUint32(dst, uint32(v.Months)), nil
}

type uuidEncoder struct{ values []sql.UUIDValue }

func (e *uuidEncoder) bind(arr arrow.Array) { e.values = stream.Values[sql.UUIDValue](arr) }
func (e *uuidEncoder) append(dst []byte, i int) ([]byte, error) {
	return append(dst, e.values[i][:]...), nil
}

// generalEncoder writes what is rare or deep: arrays, and numerics of any size.
type generalEncoder struct {
	typ, wire sql.Type
	column    arrow.Array
}

func (e *generalEncoder) bind(arr arrow.Array) { e.column = arr }
func (e *generalEncoder) append(dst []byte, i int) ([]byte, error) {
	return sql.AppendBinary(dst, e.wire, stream.Value(e.column, e.typ, i))
}

// textEncoder writes arrays as text, for want of arrays of arrays in unnest.
type textEncoder struct {
	typ    sql.Type
	column arrow.Array
}

func (e *textEncoder) bind(arr arrow.Array) { e.column = arr }
func (e *textEncoder) append(dst []byte, i int) ([]byte, error) {
	return sql.AppendText(dst, e.typ, stream.Value(e.column, e.typ, i)), nil
}

// documentEncoder writes rows, maps and arrays of them as JSON.
type documentEncoder struct {
	inner   connectors.Encoder // of an object with the one member v
	version bool
	scratch []byte
}

func (e *documentEncoder) bind(arr arrow.Array) {
	e.inner.Bind(&stream.Batch{Columns: []arrow.Array{arr}, Rows: arr.Len()})
}

func (e *documentEncoder) append(dst []byte, i int) ([]byte, error) {
	object, err := e.inner.Append(e.scratch[:0], i)
	e.scratch = object
	if err != nil {
		return dst, err
	}
	if e.version {
		dst = append(dst, 1)
	}
	return append(dst, object[len(`{"v":`):len(object)-1]...), nil
}

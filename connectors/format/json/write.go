package json

import (
	"encoding/base64"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

type boolWriter struct {
	nullable
	values stream.Bitmap
}

func (w *boolWriter) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Bools(arr)
}

func (w *boolWriter) append(dst []byte, i int) []byte {
	return strconv.AppendBool(dst, w.values.Get(i))
}

type intWriter[T int16 | int32 | int64] struct {
	nullable
	values []T
}

func (w *intWriter[T]) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Values[T](arr)
}

func (w *intWriter[T]) append(dst []byte, i int) []byte {
	return strconv.AppendInt(dst, int64(w.values[i]), 10)
}

// floatWriter writes the shortest form that reads back the same. JSON has no NaN and no infinity:
// they are strings, which the decoder takes.
type floatWriter[T float32 | float64] struct {
	nullable
	values []T
	bits   int
}

func (w *floatWriter[T]) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Values[T](arr)
}

func (w *floatWriter[T]) append(dst []byte, i int) []byte {
	v := float64(w.values[i])
	if v-v != 0 {
		return append(sql.AppendFloat(append(dst, '"'), v, w.bits), '"')
	}
	return sql.AppendFloat(dst, v, w.bits)
}

// decimalWriter writes numeric(p,s) of up to 18 digits, with all fractional digits.
type decimalWriter struct {
	nullable
	values []int64
	scale  int
}

func (w *decimalWriter) bind(arr arrow.Array) {
	w.valid, w.values = stream.Validity(arr), stream.Values[int64](arr)
}

func (w *decimalWriter) append(dst []byte, i int) []byte {
	v := w.values[i]
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	// From the last digit to the first: a division by a constant each, and none by the unit.
	var digits [20]byte
	at, point := len(digits), len(digits)-w.scale
	for v > 0 || at >= point {
		if at == point && w.scale > 0 {
			at--
			digits[at] = '.'
		}
		at--
		digits[at] = '0' + byte(v%10)
		v /= 10
	}
	return append(dst, digits[at:]...)
}

// numericWriter writes any numeric; NaN and the infinities as strings.
type numericWriter struct {
	nullable
	column arrow.Array
	typ    sql.Type
	value  sql.Decimal // reused
}

func (w *numericWriter) bind(arr arrow.Array) { w.valid, w.column = stream.Validity(arr), arr }

func (w *numericWriter) append(dst []byte, i int) []byte {
	stream.DecimalAt(w.column, w.typ, i, &w.value)
	if w.value.Form != 0 {
		return append(sql.AppendNumericText(append(dst, '"'), &w.value), '"')
	}
	return sql.AppendNumericText(dst, &w.value)
}

// textWriter writes strings, or JSON as it is.
type textWriter struct {
	nullable
	offsets []int32
	data    []byte
	inline  bool
}

func (w *textWriter) bind(arr arrow.Array) {
	w.valid = stream.Validity(arr)
	w.offsets, w.data = stream.BytesValues(arr)
}

func (w *textWriter) append(dst []byte, i int) []byte {
	v := w.data[w.offsets[i]:w.offsets[i+1]]
	if w.inline {
		return append(dst, v...)
	}
	return appendString(dst, v)
}

// appendString appends v, which is UTF-8, in quotes. Only what must be is escaped.
func appendString(dst, v []byte) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for {
		n := beyondASCII(v, 0)
		dst = append(dst, v[:n]...)
		if n == len(v) {
			return append(dst, '"')
		}
		switch c := v[n]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		v = v[n+1:]
	}
}

// bytesWriter writes bytea in base64, as Flink does.
type bytesWriter struct {
	nullable
	offsets []int32
	data    []byte
}

func (w *bytesWriter) bind(arr arrow.Array) {
	w.valid = stream.Validity(arr)
	w.offsets, w.data = stream.BytesValues(arr)
}

func (w *bytesWriter) append(dst []byte, i int) []byte {
	v := w.data[w.offsets[i]:w.offsets[i+1]]
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v), '"')
}

// quotedWriter writes the text form of any other scalar as a string.
type quotedWriter struct {
	nullable
	column arrow.Array
	typ    sql.Type
}

func (w *quotedWriter) bind(arr arrow.Array) { w.valid, w.column = stream.Validity(arr), arr }

func (w *quotedWriter) append(dst []byte, i int) []byte {
	return append(sql.AppendText(append(dst, '"'), w.typ, stream.Value(w.column, w.typ, i)), '"')
}

type listWriter struct {
	nullable
	offsets []int32
	elem    writer
}

func (w *listWriter) bind(arr arrow.Array) {
	w.valid = stream.Validity(arr)
	offsets, elems := stream.ListValues(arr)
	w.offsets = offsets
	w.elem.bind(elems)
}

func (w *listWriter) append(dst []byte, i int) []byte {
	dst = append(dst, '[')
	for j := w.offsets[i]; j < w.offsets[i+1]; j++ {
		if j > w.offsets[i] {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, w.elem, int(j), w.elem.null(int(j)))
	}
	return append(dst, ']')
}

// mapWriter writes maps as objects; keys that are not text by their text form.
type mapWriter struct {
	nullable
	offsets []int32
	keys    arrow.Array
	keyType sql.Type
	value   writer
	scratch []byte
}

func (w *mapWriter) bind(arr arrow.Array) {
	w.valid = stream.Validity(arr)
	w.offsets, _ = stream.ListValues(arr)
	m := arr.(*array.Map)
	w.keys = m.Keys()
	w.value.bind(m.Items())
}

func (w *mapWriter) append(dst []byte, i int) []byte {
	dst = append(dst, '{')
	for j := w.offsets[i]; j < w.offsets[i+1]; j++ {
		if j > w.offsets[i] {
			dst = append(dst, ',')
		}
		w.scratch = sql.AppendText(w.scratch[:0], w.keyType, stream.Value(w.keys, w.keyType, int(j)))
		dst = append(appendString(dst, w.scratch), ':')
		dst = appendValue(dst, w.value, int(j), w.value.null(int(j)))
	}
	return append(dst, '}')
}

type rowWriter struct {
	nullable
	members members
}

func (w *rowWriter) bind(arr arrow.Array) {
	w.valid = stream.Validity(arr)
	s := arr.(*array.Struct)
	for j, m := range w.members.writers {
		m.bind(s.Field(j))
	}
}

func (w *rowWriter) append(dst []byte, i int) []byte { return w.members.append(dst, i) }

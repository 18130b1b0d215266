package json

import (
	"unsafe"

	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// value is a column that reads its own JSON form.
type value interface {
	column.Column
	// read appends the value at s[i], which exists and is not the literal null. See the package
	// comment for what it returns; after an error the column may hold part of the row.
	read(in *input, s []byte, i int) int
}

// newValue makes the column that reads values of type t.
func newValue(t sql.Type) value {
	switch t.Kind {
	case sql.Bool:
		return &boolean{*column.NewBool()}
	case sql.Int2:
		return &integer[int16]{*column.New(t).(*column.Fixed[int16])}
	case sql.Int4:
		return &integer[int32]{*column.New(t).(*column.Fixed[int32])}
	case sql.Int8:
		return &integer[int64]{*column.New(t).(*column.Fixed[int64])}
	case sql.Float4:
		return &float[float32]{*column.New(t).(*column.Fixed[float32])}
	case sql.Float8:
		return &float[float64]{*column.New(t).(*column.Fixed[float64])}
	case sql.Numeric:
		switch {
		case t.Precision > 0 && t.Precision <= 18:
			return newDecimal64(t)
		case t.Precision > 0 && t.Precision <= 38:
			return newDecimal128(t)
		}
	case sql.Text, sql.Varchar, sql.Name:
		return &text{*column.NewBytes(t), int(t.Precision)}
	case sql.JSON, sql.JSONB:
		return &document{*column.NewBytes(t)}
	case sql.Bytea:
		return &byteString{*column.NewBytes(t)}
	case sql.Timestamp, sql.Timestamptz:
		return newTimestamp(t)
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return newList(t)
	case sql.Map:
		return newMap(t)
	case sql.Row, sql.Record:
		return newRow(t)
	}
	return &general{column.New(t), t}
}

// general is a column of any scalar type, read through the text form that PostgreSQL would take.
type general struct {
	column.Column
	typ sql.Type
}

func (c *general) read(in *input, s []byte, i int) int { return in.general(s, i, c.Column, c.typ) }

// maxDigits are the digits of the longest numeric, before and after the point.
const maxDigits = 131072 + 16383 + 2

// general appends the scalar at i to c, by its text form. Strings may hold what the type's own
// JSON form does: a number in quotes is a number.
func (in *input) general(s []byte, i int, c column.Column, t sql.Type) int {
	var text []byte
	end := 0
	switch s[i] {
	case '"':
		if text, end = in.unquote(s, i); end < 0 {
			return -1
		}
	case '{', '[':
		return in.mismatch(s, i, t)
	default:
		if end = in.skip(s, i); end < 0 {
			return -1
		}
		if t.Kind == sql.Date || t.Kind == sql.Time {
			return in.mismatch(s, i, t)
		}
		// No type has more digits; a megabyte of them is not worth converting.
		if text = s[i:end]; len(text) > maxDigits {
			return in.fail(sql.CodeNumericOutOfRange, "value overflows numeric format")
		}
	}
	// The datum of a text type aliases its text, and Append copies it.
	var d sql.Datum
	var err error
	if t.Kind == sql.Date || t.Kind == sql.Time {
		d, err = parseDatetime(t, text)
	} else {
		d, err = sql.ParseText(t, unsafe.String(unsafe.SliceData(text), len(text)))
	}
	if err == nil {
		err = c.Append(d)
	}
	if err != nil {
		return in.failWith(err)
	}
	return end
}

// mismatch fails because the value at i is of a kind that type t does not take.
func (in *input) mismatch(s []byte, i int, t sql.Type) int {
	kind := "a number"
	switch s[i] {
	case '{':
		kind = "an object"
	case '[':
		kind = "an array"
	case '"':
		kind = "a string"
	case 't', 'f':
		kind = "a Boolean"
	}
	if in.skip(s, i) < 0 { // malformed comes first
		return -1
	}
	return in.fail(sql.CodeInvalidText, "cannot read %s as type %s", kind, t)
}

// boolean reads true and false, in quotes too.
type boolean struct{ column.Bool }

func (c *boolean) read(in *input, s []byte, i int) int {
	switch s[i] {
	case 't':
		c.Push(true)
		return in.literal(s, i, "true")
	case 'f':
		c.Push(false)
		return in.literal(s, i, "false")
	}
	return in.general(s, i, &c.Bool, sql.TypeBool)
}

// Package raw reads the whole value of a record into one column, and writes one column as the
// value: bytes as they are, any other type in its text form.
package raw

import (
	"bytes"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Decoder decodes values into at most one column: none when the query needs only metadata.
type Decoder struct {
	name    string
	typ     sql.Type
	notNull bool
	column  column.Column // nil = no column
}

// NewDecoder makes a decoder of cols. The format has no options.
func NewDecoder(cols []connectors.Column, _ *connectors.Options) (*Decoder, error) {
	if err := check(cols); err != nil {
		return nil, err
	}
	if len(cols) == 0 {
		return &Decoder{}, nil
	}
	c := cols[0]
	return &Decoder{name: c.Name, typ: c.Type, notNull: c.NotNull, column: column.New(c.Type)}, nil
}

func check(cols []connectors.Column) error {
	if len(cols) > 1 {
		return sql.Errorf(sql.CodeInvalidParameter, "format \"raw\" has one column, not %d", len(cols)).
			WithHint("Declare other columns as metadata.")
	}
	for _, c := range cols {
		switch c.Type.Kind {
		case sql.Array, sql.Row, sql.Map:
			return sql.Unsupported("column \""+c.Name+"\" of type "+c.Type.String()+" in format \"raw\"",
				"Declare the column as bytea or text.")
		}
	}
	return nil
}

// Decode appends one row, or none and says why. A null value is NULL.
func (d *Decoder) Decode(value []byte) *connectors.DecodeError {
	switch c := d.column.(type) {
	case nil:
		return nil
	case *column.Bytes:
		if d.typ.Kind == sql.Bytea && value != nil {
			c.Push(value)
			return nil
		}
	}
	if value == nil {
		if d.notNull {
			return connectors.NullViolation(d.name)
		}
		d.column.Null()
		return nil
	}
	if !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0 {
		return &connectors.DecodeError{Field: d.name, Code: "22021", Reason: `invalid byte sequence for encoding "UTF8"`}
	}
	v, err := sql.ParseText(d.typ, string(value))
	if err == nil {
		err = d.column.Append(v)
	}
	if err != nil {
		return connectors.NewDecodeError(d.name, err)
	}
	return nil
}

// Finish returns the columns held and starts anew.
func (d *Decoder) Finish() []arrow.Array {
	if d.column == nil {
		return nil
	}
	return []arrow.Array{d.column.Finish()}
}

// Encoder encodes the one column that is not metadata.
type Encoder struct {
	typ    sql.Type
	index  int
	column arrow.Array
}

var _ connectors.Encoder = (*Encoder)(nil)

// NewEncoder makes an encoder of cols, of which one is not metadata.
func NewEncoder(cols []connectors.Column, _ *connectors.Options) (*Encoder, error) {
	var fields []connectors.Column
	e := &Encoder{}
	for i, c := range cols {
		if c.Metadata == "" {
			fields = append(fields, c)
			e.typ, e.index = c.Type, i
		}
	}
	if len(fields) == 0 {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "format \"raw\" needs a column")
	}
	return e, check(fields)
}

// Bind looks at the batch's column.
func (e *Encoder) Bind(b *stream.Batch) { e.column = b.Columns[e.index] }

// Append appends the value of row i; NULL is empty.
func (e *Encoder) Append(dst []byte, i int) ([]byte, error) {
	switch d := stream.Value(e.column, e.typ, i).(type) {
	case nil:
		return dst, nil
	case []byte:
		return append(dst, d...), nil
	default:
		return sql.AppendText(dst, e.typ, d), nil
	}
}

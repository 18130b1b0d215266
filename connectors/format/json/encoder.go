package json

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Encoder encodes rows as JSON objects. A batch's columns are bound once; then every value is
// appended from its typed slice, without allocating.
type Encoder struct {
	members members
	indexes []int // of the members' columns in a batch
}

var _ connectors.Encoder = (*Encoder)(nil)

// NewEncoder makes an encoder of the columns that are not metadata.
func NewEncoder(cols []connectors.Column, o *connectors.Options) (*Encoder, error) {
	opt := readOptions(o)
	e := &Encoder{members: members{omitNulls: opt.omitNulls}}
	for i, c := range cols {
		if c.Metadata != "" {
			continue
		}
		name := c.Field()
		e.members.add(name, newWriter(c.Type, opt))
		e.indexes = append(e.indexes, i)
	}
	return e, nil
}

// Bind looks at the batch's columns.
func (e *Encoder) Bind(b *stream.Batch) {
	for j, i := range e.indexes {
		e.members.writers[j].bind(b.Columns[i])
	}
}

// Append appends row i of the bound batch as an object.
func (e *Encoder) Append(dst []byte, i int) ([]byte, error) { return e.members.append(dst, i), nil }

// members are the fields of an object, in order.
type members struct {
	keys      [][]byte // "amount":
	writers   []writer
	omitNulls bool
}

func (m *members) add(name string, w writer) {
	m.keys = append(m.keys, append(appendString(nil, []byte(name)), ':'))
	m.writers = append(m.writers, w)
}

func (m *members) append(dst []byte, i int) []byte {
	open := len(dst)
	dst = append(dst, '{')
	for j, w := range m.writers {
		null := w.null(i)
		if null && m.omitNulls {
			continue
		}
		if len(dst) > open+1 {
			dst = append(dst, ',')
		}
		dst = append(dst, m.keys[j]...)
		dst = appendValue(dst, w, i, null)
	}
	return append(dst, '}')
}

func appendValue(dst []byte, w writer, i int, null bool) []byte {
	if null {
		return append(dst, "null"...)
	}
	return w.append(dst, i)
}

// writer appends the values of a column of one type.
type writer interface {
	// bind takes the column that the rows of null and append are of.
	bind(arr arrow.Array)
	null(i int) bool
	// append appends row i, which is not NULL.
	append(dst []byte, i int) []byte
}

// newWriter makes the writer of values of type t.
func newWriter(t sql.Type, opt options) writer {
	switch t.Kind {
	case sql.Bool:
		return &boolWriter{}
	case sql.Int2:
		return &intWriter[int16]{}
	case sql.Int4:
		return &intWriter[int32]{}
	case sql.Int8:
		return &intWriter[int64]{}
	case sql.Float4:
		return &floatWriter[float32]{bits: 32}
	case sql.Float8:
		return &floatWriter[float64]{bits: 64}
	case sql.Numeric:
		if t.Precision > 0 && t.Precision <= 18 {
			return &decimalWriter{scale: int(t.Scale)}
		}
		return &numericWriter{typ: t}
	case sql.JSON, sql.JSONB:
		return &textWriter{inline: true}
	case sql.Bytea:
		return &bytesWriter{}
	case sql.Timestamp, sql.Timestamptz:
		return &timestampWriter{zoned: t.Kind == sql.Timestamptz, iso: opt.iso}
	case sql.Date:
		return &dateWriter{}
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return &listWriter{elem: newWriter(stream.ElemType(t), opt)}
	case sql.Map:
		return &mapWriter{keyType: *t.Key, value: newWriter(*t.Elem, opt)}
	case sql.Row, sql.Record:
		w := &rowWriter{members: members{omitNulls: opt.omitNulls}}
		for _, f := range t.Fields {
			w.members.add(f.Name, newWriter(f.Type, opt))
		}
		return w
	}
	if t.IsString() {
		return &textWriter{}
	}
	return &quotedWriter{typ: t}
}

// nullable is the part of a writer that knows which rows are NULL.
type nullable struct{ valid stream.Bitmap }

func (n *nullable) null(i int) bool { return n.valid != nil && !n.valid.Get(i) }

package format

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"unicode/utf8"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// metadata is a column filled from the record around the value.
type metadata struct {
	name   string
	column column.Column
	append func(r *connectors.Record) *connectors.DecodeError
}

// newMetadata makes the column for c. What each kind of metadata can be read as is listed here.
func newMetadata(c connectors.Column) (metadata, error) {
	m := metadata{name: c.Name, column: column.New(c.Type)}
	switch col := m.column.(type) {
	case *column.Fixed[int64]:
		m.append = integers(c, func(v int64) { col.Push(v) })
	case *column.Fixed[int32]:
		m.append = integers(c, func(v int64) { col.Push(int32(v)) })
	case *column.Bytes:
		m.append = bytesOf(c, col)
	case *column.Map:
		if c.Metadata == "headers" && sql.MapOf(sql.TypeText, sql.TypeBytea).Equal(c.Type) {
			m.append = func(r *connectors.Record) *connectors.DecodeError { return headerMap(c.Name, col, r.Headers) }
		}
	}
	if m.append == nil {
		return m, sql.Errorf(sql.CodeDatatypeMismatch, "metadata %q can't be read as type %s", c.Metadata, c.Type).
			WithHint("%s", metadataHint(c.Metadata))
	}
	return m, nil
}

func metadataHint(name string) string {
	switch name {
	case "key":
		return "Declare the column as bytea or text."
	case "topic":
		return "Declare the column as text."
	case "partition":
		return "Declare the column as integer."
	case "offset":
		return "Declare the column as bigint."
	case "timestamp":
		return "Declare the column as timestamp with time zone."
	case "headers":
		return "Declare the column as jsonb or map(text, bytea)."
	}
	return "Supported metadata are key, topic, partition, offset, timestamp and headers."
}

// integers reads metadata that are numbers.
func integers(c connectors.Column, push func(int64)) func(*connectors.Record) *connectors.DecodeError {
	kind := c.Type.Kind
	switch {
	case c.Metadata == "partition" && (kind == sql.Int4 || kind == sql.Int8):
		return func(r *connectors.Record) *connectors.DecodeError { push(int64(r.Partition)); return nil }
	case c.Metadata == "offset" && kind == sql.Int8:
		return func(r *connectors.Record) *connectors.DecodeError { push(r.Offset); return nil }
	case c.Metadata == "timestamp" && kind == sql.Int8:
		return func(r *connectors.Record) *connectors.DecodeError { push(r.Timestamp); return nil }
	case c.Metadata == "timestamp" && (kind == sql.Timestamp || kind == sql.Timestamptz):
		unit := int64(1000)
		if digits, ok := c.Type.TimePrecision(); ok {
			for ; digits < 3; digits++ {
				unit *= 10
			}
		}
		return func(r *connectors.Record) *connectors.DecodeError {
			micros := r.Timestamp * 1000
			push((micros + unit/2) / unit * unit)
			return nil
		}
	}
	return nil
}

// bytesOf reads metadata that are text or bytes.
func bytesOf(c connectors.Column, col *column.Bytes) func(*connectors.Record) *connectors.DecodeError {
	text := c.Type.Kind == sql.Text || c.Type.Kind == sql.Varchar && c.Type.Precision == 0
	switch {
	case c.Metadata == "topic" && text:
		return func(r *connectors.Record) *connectors.DecodeError { col.Push([]byte(r.Topic)); return nil }
	case c.Metadata == "key" && (text || c.Type.Kind == sql.Bytea):
		return func(r *connectors.Record) *connectors.DecodeError {
			switch {
			case r.Key == nil && c.NotNull:
				return connectors.NullViolation(c.Name)
			case r.Key == nil:
				col.Null()
			case text && !validText(r.Key):
				return badText(c.Name)
			default:
				col.Push(r.Key)
			}
			return nil
		}
	case c.Metadata == "headers" && (c.Type.Kind == sql.JSONB || c.Type.Kind == sql.JSON):
		return func(r *connectors.Record) *connectors.DecodeError { return headerJSON(c.Name, col, r.Headers) }
	}
	return nil
}

// validText tells whether b can be a text value: UTF-8 without NUL.
func validText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }

func badText(field string) *connectors.DecodeError {
	return &connectors.DecodeError{Field: field, Code: "22021", Reason: `invalid byte sequence for encoding "UTF8"`}
}

// headers walks the wire form: a count, then for each header the lengths and bytes of key and
// value, where a value of length -1 is null. It tells whether the form is sound.
func headers(b []byte, each func(key, value []byte)) bool {
	next := func(n int64) []byte {
		v := b[:n:n]
		b = b[n:]
		return v
	}
	length := func() (int64, bool) {
		n, w := binary.Varint(b)
		if w <= 0 || n > int64(len(b)-w) {
			return 0, false
		}
		b = b[w:]
		return n, true
	}
	if len(b) == 0 {
		return true
	}
	count, w := binary.Varint(b)
	if w <= 0 || count < 0 {
		return false
	}
	b = b[w:]
	for range count {
		n, ok := length()
		if !ok || n < 0 {
			return false
		}
		key := next(n)
		if n, ok = length(); !ok {
			return false
		}
		var value []byte
		if n >= 0 {
			value = next(n)
		}
		each(key, value)
	}
	return true
}

func headerMap(field string, col *column.Map, b []byte) *connectors.DecodeError {
	keys, values := col.Key.(*column.Bytes), col.Value.(*column.Bytes)
	text := true
	ok := headers(b, func(key, value []byte) {
		text = text && validText(key)
		keys.Push(key)
		if value == nil {
			values.Null()
		} else {
			values.Push(value)
		}
	})
	if !ok || !text {
		col.Truncate(col.Len())
		return badHeaders(field, ok)
	}
	col.Push()
	return nil
}

// headerJSON writes headers as an object: values that are text as strings, others as null or in
// base64. It is made canonical as jsonb; a header given twice keeps its last value.
func headerJSON(field string, col *column.Bytes, b []byte) *connectors.DecodeError {
	object := map[string]*string{}
	text := true
	ok := headers(b, func(key, value []byte) {
		text = text && validText(key)
		s := string(value)
		switch {
		case value == nil:
			object[string(key)] = nil
			return
		case !validText(value):
			s = base64.StdEncoding.EncodeToString(value)
		}
		object[string(key)] = &s
	})
	if !ok || !text {
		return badHeaders(field, ok)
	}
	raw, _ := json.Marshal(object)
	canonical, err := sql.ParseJSONB(string(raw))
	if err == nil {
		err = col.Append(canonical)
	}
	if err != nil {
		return connectors.NewDecodeError(field, err)
	}
	return nil
}

func badHeaders(field string, sound bool) *connectors.DecodeError {
	if sound {
		return badText(field)
	}
	return &connectors.DecodeError{Field: field, Code: "22P03", Reason: "malformed record headers"}
}

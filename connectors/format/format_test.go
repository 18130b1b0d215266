package format

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func metaColumn(name, metadata string, t sql.Type) connectors.Column {
	return connectors.Column{Column: sql.Column{Name: name, Type: t}, Metadata: metadata}
}

// headerBytes is the wire form of headers given as keys and values; a nil value is null.
func headerBytes(pairs ...any) []byte {
	b := binary.AppendVarint(nil, int64(len(pairs)/2))
	for _, p := range pairs {
		if p == nil {
			b = binary.AppendVarint(b, -1)
			continue
		}
		b = append(binary.AppendVarint(b, int64(len(p.(string)))), p.(string)...)
	}
	return b
}

// newDecoder makes one of all columns.
func newDecoder(name string, cols []connectors.Column, opts map[string]string) (connectors.Decoder, error) {
	needed := make([]int, len(cols))
	for i := range needed {
		needed[i] = i
	}
	return NewDecoder(name, cols, needed, opts)
}

func text(b *stream.Batch, cols []connectors.Column) string {
	var out strings.Builder
	for i := range b.Rows {
		for j, c := range cols {
			if j > 0 {
				out.WriteByte('|')
			}
			if v := stream.Value(b.Columns[j], c.Type, i); v == nil {
				out.WriteString("NULL")
			} else if m, ok := v.(sql.MapValue); ok {
				fmt.Fprint(&out, m)
			} else {
				out.WriteString(sql.FormatText(c.Type, v))
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestMetadata(t *testing.T) {
	cols := []connectors.Column{
		metaColumn("k", "key", sql.TypeText), metaColumn("id", "", sql.TypeInt4), metaColumn("p", "partition", sql.TypeInt4),
		metaColumn("o", "offset", sql.TypeInt8), metaColumn("ts", "timestamp", sql.TypeTimestamptz), metaColumn("kb", "key", sql.TypeBytea),
		metaColumn("topic", "topic", sql.TypeText), metaColumn("h", "headers", sql.TypeJSONB),
		metaColumn("m", "headers", sql.MapOf(sql.TypeText, sql.TypeBytea)), metaColumn("ts0", "timestamp", sql.Type{Kind: sql.Timestamp, Precision: 1}),
	}
	d, err := newDecoder("json", cols, nil)
	if err != nil {
		t.Fatal(err)
	}
	record := func(value string) *connectors.Record {
		return &connectors.Record{Key: []byte("key"), Value: []byte(value), Partition: 3, Offset: 1 << 40, Timestamp: 1767225600500, Topic: "t"}
	}
	first := record(`{"id":1}`)
	if err := d.Decode(first); err != nil {
		t.Fatal(err)
	}
	second := record(`{"id":2}`)
	second.Key, second.Headers = nil, headerBytes("b", "x", "a", nil, "c", "\xff", "b", "y")
	if err := d.Decode(second); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change      func(*connectors.Record)
		field, code string
	}{
		{func(r *connectors.Record) { r.Value = []byte(`{"id":"x"}`) }, "id", "22P02"},
		{func(r *connectors.Record) { r.Key = []byte("\xff") }, "k", "22021"},
		{func(r *connectors.Record) { r.Key = []byte("a\x00") }, "k", "22021"},
		{func(r *connectors.Record) { r.Headers = []byte{2, 20, 'a'} }, "h", "22P03"},
		{func(r *connectors.Record) { r.Headers = headerBytes("a\xff", "x") }, "h", "22021"},
		{func(r *connectors.Record) { r.Headers = headerBytes("a", "bc")[:4] }, "h", "22P03"},
	} {
		r := record(`{"id":3}`)
		c.change(r)
		var e *connectors.DecodeError
		if err := d.Decode(r); !errors.As(err, &e) || e.Field != c.field || e.Code != c.code {
			t.Errorf("%v, want %s at %s", err, c.code, c.field)
		}
	}
	if d.Rows() != 2 {
		t.Fatalf("%d rows", d.Rows())
	}
	want := `key|1|3|1099511627776|2026-01-01 00:00:00.5+00|\x6b6579|t|{}|[]|2026-01-01 00:00:01
NULL|2|3|1099511627776|2026-01-01 00:00:00.5+00|NULL|t|{"a": null, "b": "y", "c": "/w=="}|[{b [120]} {a <nil>} {c [255]} {b [121]}]|2026-01-01 00:00:01
`
	if got := text(d.Flush(), cols); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if d.Rows() != 0 || d.Flush() != nil {
		t.Error("rows are left after Flush")
	}
}

func TestMetadataTypes(t *testing.T) {
	for _, c := range []struct {
		metadata string
		typ      sql.Type
		hint     string
	}{
		{"key", sql.TypeInt4, "Declare the column as bytea or text."},
		{"offset", sql.TypeInt4, "Declare the column as bigint."},
		{"headers", sql.TypeText, "Declare the column as jsonb or map(text, bytea)."},
		{"headers", sql.MapOf(sql.TypeText, sql.TypeText), "Declare the column as jsonb or map(text, bytea)."},
		{"colour", sql.TypeText, "Supported metadata are key, topic, partition, offset, timestamp and headers."},
	} {
		_, err := newDecoder("json", []connectors.Column{metaColumn("c", c.metadata, c.typ)}, nil)
		var e *sql.Error
		if !errors.As(err, &e) || e.Code != sql.CodeDatatypeMismatch || e.Hint != c.hint {
			t.Errorf("%s as %s: %+v", c.metadata, c.typ, err)
		}
	}
}

func TestRawFormat(t *testing.T) {
	cols := []connectors.Column{metaColumn("v", "", sql.TypeInt4), metaColumn("o", "offset", sql.TypeInt8)}
	d, err := newDecoder("raw", cols, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, v := range []string{"17", "x", "-3", "\xff"} {
		if d.Decode(&connectors.Record{Value: []byte(v), Offset: int64(i)}) != nil {
			failed++
		}
	}
	if err := d.Decode(&connectors.Record{Offset: 9}); err != nil {
		t.Error(err)
	}
	if got := text(d.Flush(), cols); got != "17|0\n-3|2\nNULL|9\n" || failed != 2 {
		t.Errorf("%d failed, got\n%s", failed, got)
	}
}

func TestUnknownFormat(t *testing.T) {
	for name, want := range map[string]string{
		"jsn":     `22023 unrecognized format "jsn" Did you mean "json"?`,
		"avro":    `0A000 format "avro" is not supported Supported formats are json and raw.`,
		"unheard": `22023 unrecognized format "unheard" Supported formats are json and raw.`,
	} {
		_, err := NewDecoder(name, nil, nil, nil)
		e := sql.AsError(err)
		if got := e.Code + " " + e.Message + " " + e.Hint; got != want {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := NewEncoder(name, nil, nil); err == nil {
			t.Errorf("%s: an encoder", name)
		}
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		options map[string]string
		want    string // the format, and the error of making a decoder of it
	}{
		{map[string]string{"format": "JSON", "json.ignore-parse-errors": "true"}, "json <nil>"},
		{map[string]string{"value.format": "json", "value.json.ignore-parse-errors": "true"}, "json <nil>"},
		{map[string]string{"format": "json", "format.timestamptz.handling.mode": "milli"}, "json <nil>"},
		{map[string]string{"format": "json", "json.ignore-parse-error": "true"}, `json unrecognized option "json.ignore-parse-error"`},
		{map[string]string{"format": "json", "json.ignore-parse-errors": "perhaps"}, `json option "json.ignore-parse-errors" requires a Boolean value, not "perhaps"`},
		{map[string]string{"format": "json", "raw.x": "1"}, `unrecognized option "raw.x"`},
		{map[string]string{}, `option "format" is required`},
	} {
		o := connectors.NewOptions(c.options)
		name, opts := Read(o)
		got := ""
		if err := o.Err(); err != nil {
			got = err.Error()
		} else {
			_, err := NewDecoder(name, nil, nil, opts)
			got = fmt.Sprint(name, " ", err)
		}
		if got != c.want {
			t.Errorf("%v: %s, want %s", c.options, got, c.want)
		}
	}
}

// FuzzHeaders checks that no headers make the decoder read beyond them.
func FuzzHeaders(f *testing.F) {
	f.Add(headerBytes("a", "b", "c", nil))
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		headers(b, func(key, value []byte) { n += 1 + len(key) + len(value) })
		if n > len(b) {
			t.Fatalf("%d bytes out of %d", n, len(b))
		}
	})
}

// A field goes to the column of its name, whichever columns are read: never to one whose name differs in
// case only while another one's is the same.
func TestNamesThatDifferInCase(t *testing.T) {
	cols := []connectors.Column{{Column: sql.Column{Name: "k", Type: sql.TypeText}}, {Column: sql.Column{Name: "K", Type: sql.TypeText}}, {Column: sql.Column{Name: "orderid", Type: sql.TypeText}}}
	for _, needed := range [][]int{{0}, {1}, {2}, {0, 1}, {0, 2}, {0, 1, 2}} {
		d, err := NewDecoder("json", cols, needed, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(&connectors.Record{Value: []byte(`{"K": "upper", "orderId": "7"}`)}); err != nil {
			t.Fatal(err)
		}
		b := d.Flush()
		for i, n := range needed {
			if got, want := stream.Value(b.Columns[i], sql.TypeText, 0), []sql.Datum{nil, "upper", "7"}[n]; got != want {
				t.Errorf("of columns %v, %s is %v, want %v", needed, cols[n].Name, got, want)
			}
		}
	}
}

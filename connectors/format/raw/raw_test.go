package raw

import (
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		typ         sql.Type
		value, want string // want starts with ! and the SQLSTATE for an error
	}{
		{sql.TypeText, "any \x01 text é", "any \x01 text é"},
		{sql.TypeText, "", ""},
		{sql.TypeText, "\xff", "!22021"},
		{sql.TypeText, "a\x00", "!22021"},
		{sql.TypeBytea, "\xff\x00", "\xff\x00"},
		{sql.TypeInt8, "-17", "-17"},
		{sql.TypeInt2, "70000", "!22003"},
		{sql.FixedNumeric(10, 2), "1.005", "1.01"},
		{sql.TypeTimestamp, "2026-01-01T10:00:00Z", "2026-01-01 10:00:00"},
		{sql.TypeJSONB, `{"b":1,"a":2}`, `{"a": 2, "b": 1}`},
		{sql.TypeBool, "perhaps", "!22P02"},
	} {
		cols := []connectors.Column{{Column: sql.Column{Name: "v", Type: c.typ}}}
		d, err := NewDecoder(cols, nil)
		if err != nil {
			t.Fatal(err)
		}
		e, err := NewEncoder(cols, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode([]byte(c.value)); err != nil {
			if c.want != "!"+err.Code || err.Field != "v" {
				t.Errorf("%s %q: %+v, want %q", c.typ, c.value, err, c.want)
			}
			continue
		}
		e.Bind(&stream.Batch{Columns: d.Finish(), Rows: 1})
		if got, err := e.Append(nil, 0); err != nil || string(got) != c.want {
			t.Errorf("%s %q: %q %v, want %q", c.typ, c.value, got, err, c.want)
		}
	}
}

func TestNull(t *testing.T) {
	cols := []connectors.Column{{Column: sql.Column{Name: "v", Type: sql.TypeBytea, NotNull: true}}}
	d, _ := NewDecoder(cols, nil)
	if err := d.Decode(nil); err == nil || err.Code != sql.CodeNotNullViolation {
		t.Errorf("null: %v", err)
	}
	if err := d.Decode([]byte{}); err != nil {
		t.Errorf("empty: %v", err)
	}
}

func TestColumns(t *testing.T) {
	c := connectors.Column{Column: sql.Column{Name: "v", Type: sql.TypeText}}
	if _, err := NewDecoder([]connectors.Column{c, c}, nil); sql.AsError(err).Code != sql.CodeInvalidParameter {
		t.Errorf("two columns: %v", err)
	}
	c.Type = sql.ArrayOf(sql.TypeText)
	if _, err := NewDecoder([]connectors.Column{c}, nil); sql.AsError(err).Code != sql.CodeFeatureNotSupported {
		t.Errorf("an array: %v", err)
	}
	if _, err := NewEncoder(nil, nil); err == nil {
		t.Error("an encoder without a column")
	}
}

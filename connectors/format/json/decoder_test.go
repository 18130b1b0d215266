package json

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func newDecoder(t testing.TB, cols []connectors.Column, options ...string) *Decoder {
	t.Helper()
	m := map[string]string{}
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	o := connectors.NewOptions(m)
	var names []string
	for _, c := range cols {
		names = append(names, c.Field())
	}
	d, err := NewDecoder(cols, names, o)
	if err == nil {
		err = o.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func col(name string, t sql.Type) connectors.Column {
	return connectors.Column{Column: sql.Column{Name: name, Type: t}}
}

// rows prints what a decoder holds, a row a line.
func rows(d *Decoder, cols []connectors.Column) string {
	n := d.rows
	arrays := d.Finish()
	var out strings.Builder
	for i := range n {
		for j, c := range cols {
			if j > 0 {
				out.WriteByte('|')
			}
			out.WriteString(format(c.Type, stream.Value(arrays[j], c.Type, i)))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func format(t sql.Type, v sql.Datum) string {
	if v == nil {
		return "NULL"
	}
	return sql.FormatText(t, v)
}

func timestampOf(digits int32) sql.Type { return sql.Type{Kind: sql.Timestamp, Precision: digits + 1} }

var (
	varchar3  = sql.Type{Kind: sql.Varchar, Precision: 3}
	char3     = sql.Type{Kind: sql.Char, Precision: 3}
	point     = sql.RowOf(sql.Field{Name: "x", Type: sql.TypeInt4}, sql.Field{Name: "y", Type: sql.TypeText})
	pointList = sql.ArrayOf(point)
)

// TestValues reads one value into a column v. What is wanted starts with ! and the SQLSTATE when it
// is an error, followed by the field and by part of the reason.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		typ        sql.Type
		json, want string
	}{
		{sql.TypeInt4, `17`, `17`},
		{sql.TypeInt4, `-2147483648`, `-2147483648`},
		{sql.TypeInt4, `2147483648`, `!22003 v: value "2147483648" is out of range for type integer`},
		{sql.TypeInt4, `-2147483649`, `!22003 v: value "-2147483649" is out of range`},
		{sql.TypeInt2, `65537`, `!22003 v: value "65537" is out of range for type smallint`},
		{sql.TypeInt2, `-65535`, `!22003 v:`},
		{sql.TypeInt8, `9223372036854775807`, `9223372036854775807`},
		{sql.TypeInt8, `-9223372036854775808`, `-9223372036854775808`},
		{sql.TypeInt8, `9223372036854775808`, `!22003 v:`},
		{sql.TypeInt8, `-9223372036854775809`, `!22003 v:`},
		{sql.TypeInt8, `18446744073709551617`, `!22003 v:`},
		{sql.TypeInt8, `100000000000000000000000000`, `!22003 v:`},
		{sql.TypeInt4, `1e3`, `1000`},
		{sql.TypeInt4, `-1.50e1`, `-15`},
		{sql.TypeInt4, `0.0`, `0`},
		{sql.TypeInt4, `-0`, `0`},
		{sql.TypeInt4, `1.5`, `!22P02 v: invalid input syntax for type integer: "1.5"`},
		{sql.TypeInt4, `1e400000000000`, `!22P02 v: invalid input syntax for type integer`},
		{sql.TypeInt4, `" 17 "`, `17`},
		{sql.TypeInt4, `"x"`, `!22P02 v: invalid input syntax for type integer: "x"`},
		{sql.TypeInt4, `true`, `!22P02 v: invalid input syntax for type integer: "true"`},
		{sql.TypeInt4, `{"a":1}`, `!22P02 v: cannot read an object as type integer`},
		{sql.TypeInt4, `[1`, `!22032 v: invalid JSON: unexpected '}' at byte 7`},
		{sql.TypeInt4, `null`, `NULL`},
		{sql.TypeInt4, `01`, `!22032 v: invalid JSON: unexpected '1' at byte 6`},
		{sql.TypeInt4, `-`, `!22032 v: invalid JSON: unexpected '}'`},
		{sql.TypeInt4, `1.`, `!22032 v:`},
		{sql.TypeInt4, `1e`, `!22032 v:`},
		{sql.TypeInt4, `+1`, `!22032 v:`},
		{sql.TypeInt4, `nul`, `!22032 v:`},

		{sql.FixedNumeric(10, 2), `12.34`, `12.34`},
		{sql.FixedNumeric(10, 2), `-0.05`, `-0.05`},
		{sql.FixedNumeric(10, 2), `7`, `7.00`},
		{sql.FixedNumeric(10, 2), `1.005`, `1.01`},
		{sql.FixedNumeric(10, 2), `-1.005`, `-1.01`},
		{sql.FixedNumeric(10, 2), `1.00499999999999999`, `1.00`},
		{sql.FixedNumeric(10, 2), `1.00499999999999999999999999999999999`, `1.00`},
		{sql.FixedNumeric(10, 2), `1.234e1`, `12.34`},
		{sql.FixedNumeric(10, 2), `1e-30`, `0.00`},
		{sql.FixedNumeric(10, 2), `99999999.99`, `99999999.99`},
		{sql.FixedNumeric(10, 2), `99999999.995`, `!22003 v: numeric field overflow`},
		{sql.FixedNumeric(10, 2), `1e8`, `!22003 v: numeric field overflow`},
		{sql.FixedNumeric(10, 2), `1e19`, `!22003 v: numeric field overflow`},
		{sql.FixedNumeric(10, 2), `"12.34"`, `12.34`},
		{sql.FixedNumeric(18, 0), `999999999999999999`, `999999999999999999`},
		{sql.FixedNumeric(18, 18), `0.123456789012345678`, `0.123456789012345678`},
		{sql.FixedNumeric(18, 18), `0.1234567890123456785`, `0.123456789012345679`},
		{sql.FixedNumeric(30, 10), `12345678901234567890.12345678905`, `12345678901234567890.1234567891`},
		{sql.FixedNumeric(30, 10), `-123.5`, `-123.5000000000`},
		{sql.FixedNumeric(38, 2), `123456789012345678`, `123456789012345678.00`},
		{sql.FixedNumeric(20, 19), `12`, `!22003 v: numeric field overflow`},
		{sql.FixedNumeric(60, 20), `1234567890123456789012345678901234567890.5`, `1234567890123456789012345678901234567890.50000000000000000000`},
		{sql.TypeNumeric, `1.2300`, `1.2300`},
		{sql.TypeNumeric, `"NaN"`, `NaN`},
		{sql.TypeNumeric, `123456789012345678901234567890.1`, `123456789012345678901234567890.1`},

		{sql.TypeFloat8, `0.1`, `0.1`},
		{sql.TypeFloat8, `1e22`, `1e+22`},
		{sql.TypeFloat8, `-1.7976931348623157e308`, `-1.7976931348623157e+308`},
		{sql.TypeFloat8, `9007199254740993`, `9.007199254740992e+15`},
		{sql.TypeFloat8, `1e400`, `!22003 v: "1e400" is out of range for type double precision`},
		{sql.TypeFloat8, `"-Infinity"`, `-Infinity`},
		{sql.TypeFloat8, `-0.0`, `-0`},
		{sql.TypeFloat4, `0.1`, `0.1`},
		{sql.TypeFloat4, `16777217`, `1.6777216e+07`},
		{sql.TypeFloat4, `1e39`, `!22003 v: "1e39" is out of range for type real`},

		{sql.TypeBool, `true`, `t`},
		{sql.TypeBool, `false`, `f`},
		{sql.TypeBool, `"true"`, `t`},
		{sql.TypeBool, `tru`, `!22032 v:`},
		{sql.TypeBool, `"maybe"`, `!22P02 v: invalid input syntax for type boolean: "maybe"`},

		{sql.TypeText, `""`, ``},
		{sql.TypeText, `"books"`, `books`},
		{sql.TypeText, `"a\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00z"`, "a\"\\/\b\f\n\r\téé😀z"},
		{sql.TypeText, `"Ünïcödé, 漢字 and more than eight bytes"`, "Ünïcödé, 漢字 and more than eight bytes"},
		{sql.TypeText, `12.50`, `12.50`},
		{sql.TypeText, `true`, `true`},
		{sql.TypeText, `{"a": [1, 2]}`, `{"a": [1, 2]}`},
		{sql.TypeText, `"\u0000"`, `!22P05 v: unsupported Unicode escape sequence`},
		{sql.TypeText, `"\ud83d"`, `!22P05 v: unsupported Unicode escape sequence`},
		{sql.TypeText, `"\ud83d\u0041"`, `!22P05 v:`},
		{sql.TypeText, `"\ude00\ud83d"`, `!22P05 v:`},
		{sql.TypeText, `"\x41"`, `!22032 v: invalid JSON: invalid escape sequence at byte 6`},
		{sql.TypeText, `"\u00g0"`, `!22032 v: invalid JSON: invalid escape sequence`},
		{sql.TypeText, "\"a\tb\"", `!22032 v: invalid JSON: control character 0x09 in a string at byte 7`},
		{sql.TypeText, "\"a\xffb\"", `!22021 v: invalid byte sequence for encoding "UTF8"`},
		{sql.TypeText, "\"\xed\xa0\x80\"", `!22021 v:`},
		{sql.TypeText, "\"é\xc3\"", `!22021 v:`},
		{sql.TypeText, `"open`, `!22032 v: invalid JSON: unexpected end of input`},
		{varchar3, `"äöü"`, `äöü`},
		{varchar3, `"abcd"`, `!22001 v: value too long for type character varying(3)`},
		{varchar3, `1234`, `!22001 v:`},
		{char3, `"a"`, `a  `},

		{sql.TypeBytea, `"aGVsbG8="`, `\x68656c6c6f`},
		{sql.TypeBytea, `"\\x00ff"`, `\x00ff`},
		{sql.TypeBytea, `"?"`, `!22P02 v: invalid input syntax for type bytea: "?" is not base64`},
		{sql.TypeBytea, `5`, `!22P02 v: cannot read a number as type bytea`},

		{sql.TypeDate, `"2026-02-28"`, `2026-02-28`},
		{sql.TypeDate, `"2026-02-29"`, `!22008 v: date/time field value out of range: "2026-02-29"`},
		{sql.TypeDate, `20260228`, `!22P02 v: cannot read a number as type date`},
		{sql.TypeTime, `"10:11:12.5"`, `10:11:12.5`},
		{sql.TypeInterval, `"1 day 02:03"`, `1 day 02:03:00`},
		{sql.TypeUUID, `"6B6DE072-ada1-4ec6-b504-c270c7f388b1"`, `6b6de072-ada1-4ec6-b504-c270c7f388b1`},

		{sql.TypeJSON, `{"b": 1,  "a":2}`, `{"b": 1,  "a":2}`},
		{sql.TypeJSONB, `{"b": 1,  "a":2.0, "b":[null]}`, `{"a": 2.0, "b": [null]}`},
		{sql.TypeJSONB, `{"a":"\ud800"}`, `!22P02 v:`},
		{sql.TypeJSONB, `{"a":tru}`, `!22032 v:`},

		{sql.ArrayOf(sql.TypeInt4), `[1, null ,3]`, `{1,NULL,3}`},
		{sql.ArrayOf(sql.TypeInt4), `[]`, `{}`},
		{sql.ArrayOf(sql.TypeInt4), `[1,"x"]`, `!22P02 v[1]: invalid input syntax for type integer: "x"`},
		{sql.ArrayOf(sql.TypeInt4), `[1,]`, `!22032 v[1]:`},
		{sql.ArrayOf(sql.TypeInt4), `[1 2]`, `!22032 v:`},
		{sql.ArrayOf(sql.TypeInt4), `5`, `!22P02 v: cannot read a number as type integer[]`},
		{point, `{"y":"a","x":1}`, `(1,a)`},
		{point, `{"z":{}}`, `(,)`},
		{point, `{"x":1,"x":2}`, `(2,)`},
		{point, `{"x":1.5}`, `!22P02 v.x: invalid input`},
		{pointList, `[{"x":1},{"y":"b","x":2},null]`, `{"(1,)","(2,b)",NULL}`},
		{pointList, `[{"x":1},{"y":"b","x":"q"}]`, `!22P02 v[1].x: invalid input syntax for type integer: "q"`},
	} {
		d := newDecoder(t, []connectors.Column{col("v", c.typ)})
		for range 2 { // the second time the key is foreseen
			got := ""
			if err := d.Decode([]byte(`{"v":` + c.json + `}`)); err != nil {
				got = fmt.Sprintf("!%s %s: %s", err.Code, err.Field, err.Reason)
			} else {
				arr := d.Finish()[0]
				got = format(c.typ, stream.Value(arr, c.typ, 0))
			}
			if got != c.want && (c.want == "" || c.want[0] != '!' || !strings.HasPrefix(got, c.want)) {
				t.Errorf("%s from %s:\n got %s\nwant %s", c.typ, c.json, got, c.want)
			}
		}
	}
}

func TestTimestamps(t *testing.T) {
	tz := sql.TypeTimestamptz
	for _, c := range []struct {
		typ        sql.Type
		json, want string
	}{
		{sql.TypeTimestamp, `"2026-01-01 00:00:02.123"`, `2026-01-01 00:00:02.123`},
		{sql.TypeTimestamp, `"2026-01-01T00:00:02"`, `2026-01-01 00:00:02`},
		{sql.TypeTimestamp, `"1969-12-31T23:59:59.999999Z"`, `1969-12-31 23:59:59.999999`},
		{sql.TypeTimestamp, `"2026-01-01T10:00:00+02:00"`, `2026-01-01 10:00:00`},
		{sql.TypeTimestamp, `"2026-01-01 00:00:00.1234567"`, `2026-01-01 00:00:00.123457`},
		{sql.TypeTimestamp, `"2026-01-01 00:00:00.123456789"`, `2026-01-01 00:00:00.123457`},
		{sql.TypeTimestamp, `"2026-12-31 23:59:59.9999999"`, `2027-01-01 00:00:00`},
		{timestampOf(3), `"2026-01-01 00:00:00.1235"`, `2026-01-01 00:00:00.124`},
		{timestampOf(3), `"1999-12-31 23:59:59.1235"`, `1999-12-31 23:59:59.123`},
		{timestampOf(0), `"2026-01-01 00:00:00.5"`, `2026-01-01 00:00:01`},
		{tz, `"2026-01-01T10:00:00.5+02:00"`, `2026-01-01 08:00:00.5+00`},
		{tz, `"2026-01-01T10:00:00-0330"`, `2026-01-01 13:30:00+00`},
		{tz, `"2026-01-01 10:00:00+02"`, `2026-01-01 08:00:00+00`},
		{tz, `"2026-01-01 10:00:00Z"`, `2026-01-01 10:00:00+00`},
		{tz, `"2026-01-01 10:00:00"`, `2026-01-01 10:00:00+00`},
		// Not in the fixed layout: read as PostgreSQL does.
		{sql.TypeTimestamp, `"2026-01-01"`, `2026-01-01 00:00:00`},
		{sql.TypeTimestamp, `"2026-01-01 24:00:00"`, `2026-01-02 00:00:00`},
		{sql.TypeTimestamp, `"Jan 2 2026 3:04 PM"`, `2026-01-02 15:04:00`},
		{sql.TypeTimestamp, `"infinity"`, `infinity`},
		{sql.TypeTimestamp, `"\u0032026-01-01 00:00:00"`, `2026-01-01 00:00:00`},
		{sql.TypeTimestamp, `"2024-02-29 00:00:00"`, `2024-02-29 00:00:00`},
		{sql.TypeTimestamp, `"2026-02-29 00:00:00"`, `!22008 v: date/time field value out of range: "2026-02-29 00:00:00"`},
		{sql.TypeTimestamp, `"2026-13-01 00:00:00"`, `!22008 v:`},
		{sql.TypeTimestamp, `"2026-01-01 25:00:00"`, `!22008 v:`},
		{sql.TypeTimestamp, `"2026-01-01 24:30:00"`, `!22008 v:`},
		{sql.TypeTimestamp, `"2026-01-01 10:60:00"`, `!22008 v:`},
		{sql.TypeTimestamp, `"0000-01-01 00:00:00"`, `!22008 v:`},
		{sql.TypeTimestamp, `"2026-01-01 00:00:00 x"`, `!22007 v: invalid input syntax for type timestamp`},
		{sql.TypeTimestamp, `"yesterday"`, `!22007 v:`}, // what depends on the clock would change in a replay
		{sql.TypeTimestamptz, `"Now"`, `!22007 v:`},
		{sql.TypeDate, `"today"`, `!22007 v:`},
		{sql.TypeTimestamp, `1767225600000`, `!22P02 v: cannot read a number as type timestamp without time zone without the option "json.epoch-unit"`},
		{sql.TypeTimestamp, `true`, `!22P02 v: cannot read a Boolean`},
		{sql.TypeTimestamp, `"2026-01-01 00:00:0`, `!22032 v:`},
	} {
		d := newDecoder(t, []connectors.Column{col("v", c.typ)})
		got := ""
		if err := d.Decode([]byte(`{"v":` + c.json + `}`)); err != nil {
			got = fmt.Sprintf("!%s %s: %s", err.Code, err.Field, err.Reason)
		} else {
			got = format(c.typ, stream.Value(d.Finish()[0], c.typ, 0))
		}
		if got != c.want && (c.want[0] != '!' || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s from %s:\n got %s\nwant %s", c.typ, c.json, got, c.want)
		}
	}
}

// TestRecords decodes records, one a line, into (id integer NOT NULL, name text, at timestamp).
func TestRecords(t *testing.T) {
	cols := []connectors.Column{col("id", sql.TypeInt4), col("name", sql.TypeText), col("at", sql.TypeTimestamp)}
	cols[0].NotNull = true
	for _, c := range []struct{ name, records, want string }{
		{"missing and null", `{"id":1,"name":"a"}` + "\n" + `{"id":2,"name":null,"at":null}`, "1|a|NULL\n2|NULL|NULL\n"},
		{"unknown fields", `{"x":{"y":[1,{"z":null}]},"id":1,"w":"\u00e9\n"}`, "1|NULL|NULL\n"},
		{"white space", " { \"id\" : 1 , \"name\" :\t\"a\" } \n { \"id\" : 2 , \"name\" :\t\"b\" }\r", "1|a|NULL\n2|b|NULL\n"},
		{"other order", `{"id":1,"name":"a"}` + "\n" + `{"name":"b","id":2}` + "\n" + `{"id":3,"name":"c"}`, "1|a|NULL\n2|b|NULL\n3|c|NULL\n"},
		{"key twice", `{"id":1,"id":2,"name":"a","name":null}`, "2|NULL|NULL\n"},
		{"key twice, first wrong", `{"id":"x","name":"a", "id" : true, "id":2}`, "2|a|NULL\n"},
		{"other case", `{"ID":1,"Name":"a"}`, "1|a|NULL\n"},
		{"exact beats other case", `{"id":1,"ID":2}` + "\n" + `{"ID":2,"id":1}`, "1|NULL|NULL\n1|NULL|NULL\n"},
		{"escaped key", `{"\u0069d":1}` + "\n" + `{"\u0069d":2}`, "1|NULL|NULL\n2|NULL|NULL\n"},
		{"a key that starts like another", `{"id":1,"name":"a"}` + "\n" + `{"id":2,"names":"b"}`, "1|a|NULL\n2|NULL|NULL\n"},
		{"no value for NOT NULL", `{"name":"a"}`, "!23502 id: null value in column \"id\" violates not-null constraint\n"},
		{"null for NOT NULL", `{"id":null}`, "!23502 id: null value in column \"id\" violates not-null constraint\n"},
		{"errors undo the row", `{"id":1}` + "\n" + `{"name":"a","at":"2026-01-01","id":"x"}` + "\n" + `{"id":2,"name":"b"}` + "\n" + `{"id":3,"name":"c"`,
			"!22P02 id: invalid input syntax for type integer: \"x\"\n!22032 : invalid JSON: unexpected end of input at byte 18\n1|NULL|NULL\n2|b|NULL\n"},
		{"not an object", `[{"id":1}]` + "\n" + `17` + "\n" + `"a"` + "\n" + `nul`,
			strings.Repeat("!22P02 : the record is not a JSON object\n", 3) + "!22032 : invalid JSON: unexpected end of input at byte 3\n"},
		{"nothing", "\n   ", "!22032 : invalid JSON: unexpected end of input at byte 0\n!22032 : invalid JSON: unexpected end of input at byte 3\n"},
		{"more behind", `{"id":1}{}`, "!22032 : invalid JSON: unexpected '{' at byte 8\n"},
		{"commas", `{"id":1,}` + "\n" + `{,"id":1}` + "\n" + `{"id":1 "name":"a"}`,
			"!22032 : invalid JSON: unexpected '}' at byte 8\n!22032 : invalid JSON: unexpected ',' at byte 1\n!22032 : invalid JSON: unexpected '\"' at byte 8\n"},
		{"errors where nothing is needed", `{"id":1,"x":{"y":"` + "\xff" + `"}}` + "\n" + `{"id":1,"x":[01]}` + "\n" + `{"id":1,"x":"\q"}`,
			"!22021 x: invalid byte sequence for encoding \"UTF8\"\n!22032 x: invalid JSON: unexpected '1' at byte 14\n!22032 x: invalid JSON: invalid escape sequence at byte 13\n"},
		{"byte that starts nothing", "{\"id\":1,\xff", "!22032 : invalid JSON: unexpected byte 0xff at byte 8\n"},
	} {
		d := newDecoder(t, cols)
		got := ""
		for _, r := range strings.Split(c.records, "\n") {
			if err := d.Decode([]byte(r)); err != nil {
				got += fmt.Sprintf("!%s %s: %s\n", err.Code, err.Field, err.Reason)
			}
		}
		if got += rows(d, cols); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestTombstone(t *testing.T) {
	if err := newDecoder(t, nil).Decode(nil); err == nil || err.Code != "22004" {
		t.Errorf("a null value: %v", err)
	}
}

// TestGarbage checks that a megabyte of anything is one error, and soon.
func TestGarbage(t *testing.T) {
	d := newDecoder(t, []connectors.Column{col("v", sql.ArrayOf(sql.TypeJSONB)), col("t", sql.TypeText)})
	for name, record := range map[string]string{
		"brackets": strings.Repeat("[", 1<<20),
		"nested":   `{"v":[` + strings.Repeat("[", 1<<20),
		"objects":  strings.Repeat(`{"x":`, 1<<18),
		"quotes":   `{"t":"` + strings.Repeat(`\"`, 1<<19),
		"zeros":    string(make([]byte, 1<<20)),
		"number":   `{"x":` + strings.Repeat("9", 1<<20),
		"binary":   `{"t":"` + strings.Repeat("\x80", 1<<20) + `"}`,
	} {
		if err := d.Decode([]byte(record)); err == nil || len(err.Reason) > 300 {
			t.Errorf("%s: %.100v", name, err)
		}
	}
	if err := d.Decode([]byte(`{"t":"fine"}`)); err != nil || d.rows != 1 {
		t.Errorf("after garbage: %v, %d rows", err, d.rows)
	}
}

func TestDepth(t *testing.T) {
	d := newDecoder(t, nil)
	nested := func(n int) []byte {
		return []byte(`{"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	if err := d.Decode(nested(maxDepth)); err != nil {
		t.Error(err)
	}
	if err := d.Decode(nested(maxDepth + 1)); err == nil || !strings.Contains(err.Reason, "nested deeper than 1000") {
		t.Error(err)
	}
}

func TestDecodeOptions(t *testing.T) {
	cols := []connectors.Column{col("id", sql.TypeInt4), col("tags", sql.ArrayOf(sql.TypeInt4)), col("at", timestampOf(3)), col("p", point)}
	for _, c := range []struct {
		options            []string
		record, want, fail string
	}{
		{[]string{"json.ignore-parse-errors", "true"}, `{"id":"x","tags":[1,"y",3],"at":5,"p":{"x":"z","y":"b"}}`, "NULL|{1,NULL,3}|NULL|(,b)\n", ""},
		{[]string{"json.ignore-parse-errors", "true"}, `{"id":"x`, "", "id: invalid JSON: unexpected end of input at byte 8"},
		{[]string{"json.fail-on-missing-field", "true"}, `{"id":1,"tags":[],"at":null}`, "", "p: the record has no such field"},
		{[]string{"json.fail-on-missing-field", "true"}, `{"id":1,"tags":null,"at":null,"p":null}`, "1|NULL|NULL|NULL\n", ""},
		{[]string{"json.epoch-unit", "ms"}, `{"at":1767225600123}`, "NULL|NULL|2026-01-01 00:00:00.123|NULL\n", ""},
		{[]string{"json.epoch-unit", "s"}, `{"at":-1}`, "NULL|NULL|1969-12-31 23:59:59|NULL\n", ""},
		{[]string{"json.epoch-unit", "s"}, `{"at":1767225600.5}`, "", `at: timestamp out of range: "1767225600.5"`},
		{[]string{"json.epoch-unit", "s"}, `{"at":99999999999999999}`, "", `at: timestamp out of range: "99999999999999999"`},
		{[]string{"json.timestamptz.handling.mode", "micro"}, `{"at":1767225600123500}`, "NULL|NULL|2026-01-01 00:00:00.124|NULL\n", ""},
	} {
		d := newDecoder(t, cols, c.options...)
		err := d.Decode([]byte(c.record))
		if c.fail != "" {
			if err == nil || err.Error() != c.fail {
				t.Errorf("%v %s: %v, want %s", c.options, c.record, err, c.fail)
			}
			continue
		}
		if got := rows(d, cols); err != nil || got != c.want {
			t.Errorf("%v %s: %v %s, want %s", c.options, c.record, err, got, c.want)
		}
	}
}

// TestSimilarKeys foresees keys that differ only in the middle.
func TestSimilarKeys(t *testing.T) {
	cols := []connectors.Column{col("customer_first_name_x", sql.TypeText), col("customer_other_name_x", sql.TypeText)}
	d := newDecoder(t, cols)
	for _, r := range []string{`{"customer_first_name_x":"a"}`, `{"customer_other_name_x":"b"}`, `{"customer_first_name_x":"c","customer_other_name_x":"d"}`} {
		if err := d.Decode([]byte(r)); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(d, cols); got != "a|NULL\nNULL|b\nc|d\n" {
		t.Error(got)
	}
}

// TestLenientElements checks that an element that fails halfway leaves nothing behind.
func TestLenientElements(t *testing.T) {
	typ := sql.ArrayOf(sql.MapOf(sql.TypeInt4, sql.TypeText))
	d := newDecoder(t, []connectors.Column{col("v", typ)}, "json.ignore-parse-errors", "true")
	if err := d.Decode([]byte(`{"v":[{"1":"a"},{"2":"b","q":"c"},{"3":"d"}]}`)); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(stream.Value(d.Finish()[0], typ, 0)); got != "[[{1 a}] <nil> [{3 d}]]" {
		t.Error(got)
	}
}

// TestManyKeys checks that records whose keys are data do not make the decoder grow for ever, and
// still decode.
func TestManyKeys(t *testing.T) {
	cols := []connectors.Column{col("id", sql.TypeInt4)}
	d := newDecoder(t, cols)
	for i := range 3 * maxKeys {
		if err := d.Decode(fmt.Appendf(nil, `{"key-%d":1,"id":%d}`, i, i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.root.keys) > maxKeys {
		t.Errorf("%d keys", len(d.root.keys))
	}
	if got := rows(d, cols); !strings.HasSuffix(got, fmt.Sprintf("\n%d\n", 3*maxKeys-1)) {
		t.Errorf("last rows %s", got[len(got)-50:])
	}
}

// TestAllocations checks the promise of the hot path: nothing is allocated per record.
func TestAllocations(t *testing.T) {
	records, _ := orders(4096)
	d := newDecoder(t, orderColumns)
	all := func() {
		for _, r := range records {
			if err := d.Decode(r); err != nil {
				t.Fatal(err)
			}
		}
		d.Finish()
	}
	all()
	if allocs := testing.AllocsPerRun(5, all); allocs > 100 {
		t.Errorf("%v allocations for a batch of 4096 records", allocs)
	}
}

// TestFlush checks that rows do not depend on where batches end.
func TestFlush(t *testing.T) {
	records := bytes.Split([]byte(`{"a":1,"b":"x","c":[{"x":1}],"d":true}
{"a":null,"b":"y","c":[],"d":false}
{"a":"bad","b":"z","c":[{"x":7}]}
{"b":null,"c":[null,{"y":"q"}]}
{"a":3,"c":[{"x":"bad"}],"d":true}
{"a":4,"d":true,"c":null}`), []byte("\n"))
	cols := []connectors.Column{col("a", sql.TypeInt4), col("b", sql.TypeText), col("c", pointList), col("d", sql.TypeBool)}
	want := ""
	for every := range len(records) + 1 {
		d := newDecoder(t, cols)
		got := ""
		for round := range 40 { // past the sizes at which buffers and bitmaps grow
			for i, r := range records {
				d.Decode(r)
				if every > 0 && (round*len(records)+i)%every == 0 {
					got += rows(d, cols)
				}
			}
		}
		got += rows(d, cols)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("flushed every %d records:\n%s\nwant\n%s", every, got, want)
		}
	}
	if n := strings.Count(want, "\n"); n != 40*4 {
		t.Errorf("%d rows, want 160:\n%s", n, want[:200])
	}
}

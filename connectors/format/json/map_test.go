package json

import (
	"fmt"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func TestMaps(t *testing.T) {
	cols := []connectors.Column{col("m", sql.MapOf(sql.TypeText, sql.TypeInt4)), col("n", sql.MapOf(sql.TypeInt4, sql.TypeText))}
	d := newDecoder(t, cols)
	for _, r := range []string{
		`{"m":{"a":1,"b":null},"n":{"1":"x"}}`,
		`{"m":{}}`,
		`{"m":{"a":1,"b":2,"a":3},"n":{"2":"y","2":"z"}}`,
	} {
		if err := d.Decode([]byte(r)); err != nil {
			t.Errorf("%s: %v", r, err)
		}
	}
	for r, want := range map[string]string{
		`{"m":{"a":1,"b":"x"}}`: `m.b: invalid input syntax for type integer: "x"`,
		`{"n":{"q":"x"}}`:       `n: invalid input syntax for type integer: "q"`,
		`{"m":{"a":1`:           `m: invalid JSON: unexpected end of input at byte 11`,
		`{"m":[]}`:              `m: cannot read an array as type map(text, integer)`,
	} {
		if err := d.Decode([]byte(r)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", r, err, want)
		}
	}
	arrays := d.Finish()
	want := []string{
		`[{a 1} {b <nil>}] [{1 x}]`, `[] <nil>`, `[{b 2} {a 3}] [{2 z}]`,
	}
	for i, w := range want {
		got := fmt.Sprint(stream.Value(arrays[0], cols[0].Type, i), stream.Value(arrays[1], cols[1].Type, i))
		if got != w {
			t.Errorf("row %d: %s, want %s", i, got, w)
		}
	}
}

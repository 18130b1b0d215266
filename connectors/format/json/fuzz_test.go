package json

import (
	"bytes"
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// FuzzDecode compares the decoder with encoding/json: the same records are well-formed, and the
// fields have the same values.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"t":"a","i":1,"f":1.5,"n":2.345,"b":true}`, `{"t":"\u00e9\n\ud83d\ude00","i":-9223372036854775808}`,
		`{"t":{"x":[1,2,{}]},"u":[[],{},null,true,false,-0.5e+10,"\/"]}`, `{ "i" : 1e3 , "n":"7", "t":null }`,
		`{"t":"long enough for words \" \\ é 漢字 and so on"}`, `{"i":1.0,"f":1e-5,"I":2,"T":"x","t":"y"}`,
		`[1]`, `{}`, ``, `{"t":"\ud800"}`, `{"i":01}`, `{"a":1,}`, "{\"t\":\"\x00\"}", "{\"t\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, record []byte) { compare(t, record) })
}

// TestAgainstEncodingJSON runs the comparison over records made by breaking good ones.
func TestAgainstEncodingJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	good, _ := orders(50)
	good = append(good, []byte(`{"t":"\u00e9\n\ud83d\ude00 déjà","i":-17,"f":1.5e-3,"n":2.345,"b":true,"u":[[],{},null,{"x":"\"y"}]}`),
		[]byte(` { "u" : [ 1 , { } ] , "n" : 12.5E+1 , "i":"17" , "t" : 1.50 } `))
	const alphabet = "{}[]\",:\\0123456789.eE+-truefalsn \n\tux\x00\x1f\x7f\x80\xc3\xa9\xff"
	for range 60_000 {
		record := bytes.Clone(good[r.IntN(len(good))])
		for range r.IntN(4) {
			i := r.IntN(len(record))
			switch c := alphabet[r.IntN(len(alphabet))]; r.IntN(3) {
			case 0:
				record[i] = c
			case 1:
				record = append(record[:i], append([]byte{c}, record[i:]...)...)
			case 2:
				record = append(record[:i], record[min(len(record), i+r.IntN(5)):]...)
			}
			if len(record) == 0 {
				break
			}
		}
		compare(t, record)
	}
}

// FuzzLine decodes one record after another one.
func FuzzLine(f *testing.F) {
	f.Add([]byte(`{"t":"a","i":1,"f":1.5,"n":2.345,"b":true}`), []byte(`{"t":"a", "i":1,"n":2.345}`))
	f.Add([]byte(`{"t":"a","i":1}`), []byte(`{"x":1{"t":"a","i":1}`))
	f.Add([]byte(`{"a":"2026-01-31 10:00:00.123"}`), []byte(`{"a":"2026-01-31 10:00:00.1x3"}`))
	f.Fuzz(func(t *testing.T, first, record []byte) { afterAnother(t, first, record) })
}

// TestLine does so with records that are alike but for something broken or left out: what the decoder
// remembers of the records before must not be seen in the next.
func TestLine(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	good, _ := orders(50)
	good = append(good, []byte(`{"t":"a","i":1,"f":1.5,"n":2.345,"b":true}`), []byte(`{ "t" : "a", "i" : 1, "f":1.5 , "n":2.345,  "b":true }`),
		[]byte(`{"t":"a","i":1,"t":"b"}`), []byte(`{"i":1}`), []byte(`{}`))
	const alphabet = "{},\": x1\n"
	for range 20_000 {
		first := good[r.IntN(len(good))]
		record := bytes.Clone(first)
		switch r.IntN(3) {
		case 0: // another record altogether
			record = bytes.Clone(good[r.IntN(len(good))])
		case 1: // without some members
			members := strings.Split(strings.Trim(string(record), "{}"), ",")
			members = slices.DeleteFunc(members, func(string) bool { return r.IntN(3) == 0 })
			record = []byte("{" + strings.Join(members, ",") + "}")
		}
		for range r.IntN(3) {
			i, c := r.IntN(len(record)), alphabet[r.IntN(len(alphabet))]
			if r.IntN(2) == 0 {
				record[i] = c
			} else {
				record = slices.Insert(record, i, c)
			}
		}
		afterAnother(t, first, record)
	}
}

// afterAnother decodes record behind another one and by itself, which must be the same.
func afterAnother(t *testing.T, first, record []byte) {
	columns := append(slices.Clone(comparedColumns), col("event_time", sql.Type{Kind: sql.Timestamp, Precision: 4}), col("a", sql.TypeTimestamptz))
	result := func(d *Decoder) string {
		if err := d.Decode(record); err != nil {
			return err.Error()
		}
		out := ""
		for i, arr := range d.Finish() {
			out += format(columns[i].Type, stream.Value(arr, columns[i].Type, 0)) + "|"
		}
		return out
	}
	fresh, used := newDecoder(t, columns), newDecoder(t, columns)
	if used.Decode(first) == nil {
		used.Finish()
	}
	if want, got := result(fresh), result(used); got != want {
		t.Fatalf("%q after %q: %s, want %s", record, first, got, want)
	}
}

var comparedColumns = []connectors.Column{
	col("t", sql.TypeText), col("i", sql.TypeInt8), col("f", sql.TypeFloat8), col("n", sql.FixedNumeric(10, 2)), col("b", sql.TypeBool),
}

func compare(t *testing.T, record []byte) {
	if bytes.Count(record, []byte("["))+bytes.Count(record, []byte("{")) > maxDepth {
		return // encoding/json goes deeper
	}
	trimmed := bytes.TrimLeft(record, " \t\r\n")
	valid := json.Valid(record) && utf8.Valid(record) && trimmed[0] == '{'
	if err := newDecoder(t, nil).Decode(record); (err == nil) != valid {
		t.Fatalf("%q: valid is %v, got %v", record, valid, err)
	}
	var fields map[string]json.RawMessage
	if valid {
		if err := json.Unmarshal(record, &fields); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range comparedColumns {
		d := newDecoder(t, []connectors.Column{c})
		err := d.Decode(record)
		if !valid {
			if err == nil {
				t.Fatalf("%q: accepted for column %s", record, c.Name)
			}
			continue
		}
		if otherCase(fields, c.Name) {
			continue // which key counts is TestRecords' concern
		}
		want, known := expect(c.Type, fields[c.Name])
		if err != nil {
			if known && want != "error" {
				t.Fatalf("%q: column %s: %v, want %s", record, c.Name, err, want)
			}
			continue
		}
		first := format(c.Type, stream.Value(d.Finish()[0], c.Type, 0))
		if known && first != want {
			t.Fatalf("%q: column %s: %q, want %q", record, c.Name, first, want)
		}
		if err := d.Decode(record); err != nil {
			t.Fatalf("%q: the second time: %v", record, err)
		}
		if again := format(c.Type, stream.Value(d.Finish()[0], c.Type, 0)); again != first {
			t.Fatalf("%q: column %s: first %q, then %q", record, c.Name, first, again)
		}
	}
}

func otherCase(fields map[string]json.RawMessage, name string) bool {
	for key := range fields {
		if key != name && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// expect is the text of the value that raw gives a column, "error" if none; it is not known for
// numbers in quotes and the like.
func expect(typ sql.Type, raw json.RawMessage) (text string, known bool) {
	if raw == nil || string(raw) == "null" {
		return "NULL", true
	}
	if typ.Kind == sql.Text {
		if raw[0] != '"' {
			return string(raw), true
		}
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return "error", true
		}
		return s, !bytes.Contains(raw, []byte(`\u`)) // surrogates and U+0000 are refused
	}
	if typ.Kind == sql.Bool && (raw[0] == 't' || raw[0] == 'f') {
		return string(raw[:1]), true
	}
	rat, isNumber := new(big.Rat), raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9'
	if e := bytes.IndexAny(raw, "eE"); !isNumber || e >= 0 && len(raw)-e > 5 {
		return "", false
	}
	rat.SetString(string(raw))
	switch typ.Kind {
	case sql.Int8:
		if !rat.IsInt() || !rat.Num().IsInt64() {
			return "error", true
		}
		return rat.Num().String(), len(raw) < 20
	case sql.Float8:
		v, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || v == 0 && rat.Sign() != 0 { // PostgreSQL refuses underflow too
			return "error", true
		}
		return sql.FormatText(typ, v), true
	case sql.Numeric:
		// Half away from zero: FloatString rounds so.
		if s := rat.FloatString(2); len(strings.TrimLeft(s, "-")) <= 11 {
			return strings.TrimPrefix(s, map[bool]string{true: "-", false: ""}[s == "-0.00"]), true
		}
		return "error", true
	}
	return "", false
}

// TestScan compares the scanning by words with scanning by bytes, at every alignment.
func TestScan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	const alphabet = "ab#!~[] \"\\\x00\x1f\x7f\x80\xa2\xdc\xff"
	for range 200_000 {
		s := make([]byte, r.IntN(40))
		for i := range s {
			if s[i] = 'x'; r.IntN(6) == 0 {
				s[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		isSpecial := func(c byte) bool { return c == '"' || c == '\\' || c < 0x20 }
		start := r.IntN(len(s) + 1)
		want := start
		for want < len(s) && !isSpecial(s[want]) && s[want] < 0x80 {
			want++
		}
		if got := plain(s, start); got != want {
			t.Fatalf("plain(%q, %d) = %d, want %d", s, start, got, want)
		}
		for want < len(s) && !isSpecial(s[want]) {
			want++
		}
		if got := beyondASCII(s, start); got != want {
			t.Fatalf("beyondASCII(%q, %d) = %d, want %d", s, start, got, want)
		}
	}
}

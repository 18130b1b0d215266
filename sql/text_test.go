package sql

import (
	"math/rand/v2"
	"testing"
)

func TestCivil(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		days := r.Int64N(int64(MaxDate)-int64(MinDate)) + int64(MinDate)
		y, m, d := CivilFromDays(days)
		if back := DaysFromCivil(y, m, d); back != days || d < 1 || d > DaysInMonth(y, m) {
			t.Fatalf("%d -> %d-%d-%d -> %d", days, y, m, d, back)
		}
		if w := DaysFromCivil(y, m+14, d); w != DaysFromCivil(y+1+(m+1)/12, (m+1)%12+1, d) {
			t.Fatalf("months are not carried over: %d-%d-%d", y, m, d)
		}
	}
	if Weekday(0) != 4 || Weekday(-1) != 3 || Weekday(3) != 0 {
		t.Fatal("1970-01-01 was a Thursday")
	}
}

// TestText has input, output and error of single values; testdata would say no more.
func TestText(t *testing.T) {
	fixed := FixedNumeric(5, 2)
	row := RowOf(Field{"a", TypeInt4}, Field{"b", TypeText}, Field{"c", TypeText})
	for _, c := range []struct {
		typ  Type
		in   string
		want string // output, or SQLSTATE: message
	}{
		{TypeBool, " tr ", "t"},
		{TypeBool, "o", `22P02: invalid input syntax for type boolean: "o"`},
		{TypeInt4, " -42 ", "-42"},
		{TypeInt4, "x", `22P02: invalid input syntax for type integer: "x"`},
		{TypeInt4, "2147483648", `22003: value "2147483648" is out of range for type integer`},
		{TypeInt8, "-9223372036854775808", "-9223372036854775808"},
		{TypeInt8, "9223372036854775808", `22003: value "9223372036854775808" is out of range for type bigint`},
		{TypeFloat8, "1e20", "1e+20"},
		{TypeFloat8, "1e400", `22003: "1e400" is out of range for type double precision`},
		{TypeFloat8, "-inf", "-Infinity"},
		{TypeFloat4, "3.4e38", "3.4e+38"},
		{TypeFloat8, "123456789012345", "123456789012345"},
		{TypeFloat8, "1234567890123456", "1.234567890123456e+15"},
		{TypeNumeric, "-0.00", "0.00"},
		{TypeNumeric, "12.5e3", "12500"},
		{TypeNumeric, "1e-3", "0.001"},
		{TypeNumeric, "1_000", `22P02: invalid input syntax for type numeric: "1_000"`},
		{fixed, "123.455", "123.46"},
		{fixed, "999.995", "22003: numeric field overflow"},
		{Type{Kind: Varchar, Precision: 3}, "ab   ", "ab "},
		{Type{Kind: Varchar, Precision: 3}, "abcd", "22001: value too long for type character varying(3)"},
		{Type{Kind: Char, Precision: 4}, "äb", "äb  "},
		{TypeBytea, `a\\b\001`, `\x615c6201`},
		{TypeBytea, `\xa`, "22023: invalid hexadecimal data: odd number of digits"},
		{TypeUUID, "{A0EEBC99-9C0B4ef8bb6d-6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{TypeDate, "0044-03-15 BC", "0044-03-15 BC"},
		{TypeDate, "2023-02-29", `22008: date/time field value out of range: "2023-02-29"`},
		{TypeTimestamp, "2024-02-29T23:59:59.1234567Z", "2024-02-29 23:59:59.123457"},
		{TypeTimestamptz, "2024-02-29 23:59:59.5-03:30", "2024-03-01 03:29:59.5+00"},
		{TypeTimestamptz, "2024-01-01 00:00 EST", "2024-01-01 05:00:00+00"},
		{TypeTimestamp, "Jan 8 04:05:06 1999 PST", "1999-01-08 04:05:06"},
		{TypeTimestamp, "infinity", "infinity"},
		{TypeTimestamp, "x", `22007: invalid input syntax for type timestamp: "x"`},
		{TypeTime, "04:05 PM", "16:05:00"},
		{TypeInterval, "1 year 2 mons -3 days 04:05:06.7", "1 year 2 mons -3 days +04:05:06.7"},
		{TypeInterval, "P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"},
		{TypeInterval, "1.5 weeks ago", "-10 days -12:00:00"},
		{TypeJSONB, `{"bb":1e2, "a":[true,null,"\u00e4\n"], "bb":2.50}`, `{"a": [true, null, "ä\n"], "bb": 2.50}`},
		{TypeJSONB, `{"a":}`, "22P02: invalid input syntax for type json"},
		{ArrayOf(TypeText), `{1,NULL, "a b" ,"nu\"ll",null, x y }`, `{1,NULL,"a b","nu\"ll",NULL,"x y"}`},
		{ArrayOf(ArrayOf(TypeInt4)), `{{1,2},{3}}`, `{{1,2},{3}}`},
		{ArrayOf(TypeInt4), `{1`, `22P02: malformed array literal: "{1"`},
		{row, `(1,"a ""b\\",)`, `(1,"a ""b\\",)`},
		{row, `(1,2)`, `22P02: malformed record literal: "(1,2)"`},
		{MapOf(TypeText, TypeInt4), `{a=>1, "b c"=>NULL}`, `{a=>1,"b c"=>NULL}`},
	} {
		got := ""
		if d, err := ParseText(c.typ, c.in); err != nil {
			e := AsError(err)
			got = e.Code + ": " + e.Message
		} else {
			got = FormatText(c.typ, d)
		}
		if got != c.want {
			t.Errorf("%s %q\n got %s\nwant %s", c.typ, c.in, got, c.want)
		}
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 64)
	for name, f := range map[string]func(){
		"ParseTimestamp":  func() { _, _ = ParseTimestamp("2024-01-31T10:00:00.123456Z") },
		"ParseDate":       func() { _, _ = ParseDate("2024-01-31") },
		"AppendTimestamp": func() { buf = AppendTimestamp(buf[:0], 1234567890123456) },
		"AppendInterval":  func() { buf = AppendInterval(buf[:0], IntervalValue{123456789, 3, 14}) },
		"AppendFloat":     func() { buf = AppendFloat(buf[:0], 1234.5, 64) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

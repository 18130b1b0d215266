package sql

import (
	"bytes"
	"math"
	"testing"
)

// fuzzTypes are the types that the fuzz targets read and write.
var fuzzTypes = []Type{
	TypeBool, TypeInt2, TypeInt4, TypeInt8, TypeFloat4, TypeFloat8, TypeNumeric, FixedNumeric(10, 2), TypeText,
	{Kind: Varchar, Precision: 5}, {Kind: Char, Precision: 5}, TypeName, TypeBytea, TypeDate, TypeTime, TypeTimestamp,
	TypeTimestamptz, TypeInterval, TypeUUID, TypeJSON, TypeJSONB, TypeOID, ArrayOf(TypeText), ArrayOf(ArrayOf(TypeInt4)),
	MapOf(TypeText, TypeInterval), RowOf(Field{"a", TypeText}, Field{"b", ArrayOf(TypeTimestamp)}), {Kind: Int2Vector},
}

// FuzzParseText: no panic, and what was read prints to a text that reads back to the same.
func FuzzParseText(f *testing.F) {
	for i := range fuzzTypes {
		for _, s := range []string{"1", "t", "1e5", "2024-01-31 10:00:00.5 BC", "1 day -02:03:04", "P1Y2DT3S", `{"a": [1, "x"]}`,
			"{1,NULL}", "{{1},{2}}", `(a,"{""2024-01-01 00:00:00""}")`, `{a=>1}`, `\x00ff`, "Jan 8 99 PST", "J1.5", "+infinity"} {
			f.Add(byte(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, s string) {
		typ := fuzzTypes[int(kind)%len(fuzzTypes)]
		d, err := ParseText(typ, s)
		if err != nil {
			return
		}
		text := FormatText(typ, d)
		back, err := ParseText(typ, text)
		if err != nil {
			t.Fatalf("%s: %q prints as %q, which fails: %v", typ, s, text, err)
		}
		if again := FormatText(typ, back); again != text {
			t.Fatalf("%s: %q prints as %q, then as %q", typ, s, text, again)
		}
	})
}

// FuzzParseBinary: no panic, and what was read writes to a form that reads back to the same.
func FuzzParseBinary(f *testing.F) {
	for i, typ := range fuzzTypes {
		for _, s := range []string{"1", "t", "-12345.678", "2024-01-31 10:00:00.5", "1 day -02:03:04", `{"a": [1, "x"]}`,
			"{1,NULL}", "{{1},{2}}", `(a,)`, "NaN", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"} {
			if d, err := ParseText(typ, s); err == nil {
				b, _ := AppendBinary(nil, typ, d)
				f.Add(byte(i), b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		typ := fuzzTypes[int(kind)%len(fuzzTypes)]
		d, err := ParseBinary(typ, b)
		if err != nil {
			return
		}
		wire, err := AppendBinary(nil, typ, d)
		if err != nil {
			return // ragged arrays have no binary form
		}
		back, err := ParseBinary(typ, wire)
		if err != nil {
			t.Fatalf("%s: %x becomes %x, which fails: %v", typ, b, wire, err)
		}
		if again, _ := AppendBinary(nil, typ, back); !bytes.Equal(again, wire) {
			t.Fatalf("%s: %x becomes %x, then %x", typ, b, wire, again)
		}
	})
}

// FuzzFloat: the shortest text of a float reads back to the same float.
func FuzzFloat(f *testing.F) {
	f.Add(uint64(0x4340000000000001))
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		text := string(AppendFloat(nil, v, 64))
		if back, err := ParseFloat(text, 64); err != nil || math.Float64bits(back) != bits && v == v {
			t.Fatalf("%x: %s: %v %v", bits, text, back, err)
		}
	})
}

func TestBinaryNumericRoundTrip(t *testing.T) {
	for _, s := range []string{"0", "0.00", "1", "-1", "10000", "0.0001", "0.00010", "12345678901234567890.123456789", "1e100",
		"99990000", "-0.5", "1000000000000.0000000000001", "NaN", "Infinity", "-Infinity"} {
		d, err := ParseNumeric(s)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := AppendBinary(nil, TypeNumeric, d)
		back, err := ParseBinary(TypeNumeric, b)
		if err != nil || FormatText(TypeNumeric, back) != FormatText(TypeNumeric, d) {
			t.Errorf("%s: %x: %v %v", s, b, back, err)
		}
	}
}

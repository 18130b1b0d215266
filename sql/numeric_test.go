package sql

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// randomNumeric is the text of a numeric of up to 60 digits, NaN and the infinities among them.
func randomNumeric(r *rand.Rand) string {
	switch r.IntN(20) {
	case 0:
		return "NaN"
	case 1:
		return "Infinity"
	case 2:
		return "-Infinity"
	}
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	s := strings.TrimLeft(digits(1+r.IntN(30)), "0")
	if s == "" {
		s = "0"
	}
	if n := r.IntN(30); n > 0 {
		s += "." + digits(n)
	}
	if r.IntN(2) == 0 && strings.Trim(s, "0.") != "" {
		s = "-" + s
	}
	return s
}

// The binary form keeps value and scale, in the general reader and in that for small numbers.
func TestNumericEncoding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		text := randomNumeric(r)
		d, err := ParseNumeric(text)
		if err != nil {
			t.Fatal(err)
		}
		b := AppendNumeric(nil, d)
		var back Decimal
		DecodeNumeric(b, &back)
		if got := string(AppendNumericText(nil, &back)); got != text {
			t.Fatalf("%s comes back as %s", text, got)
		}
		if neg, mag, scale, ok := DecodeNumericUint64(b); ok {
			if again := AppendNumericUint64(nil, neg, mag, scale); string(again) != string(b) {
				t.Fatalf("%s has the forms %x and %x", text, b, again)
			}
		} else if d.Form == 0 && d.Coeff.IsUint64() {
			t.Fatalf("%s is not read as a small number", text)
		}
	}
}

func TestNumericEncodingDoesNotAllocate(t *testing.T) {
	d, _ := ParseNumeric("-123456789012345.6789")
	buf, back := make([]byte, 0, 32), new(Decimal)
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendNumeric(buf[:0], d)
		DecodeNumeric(buf, back)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func TestRescale(t *testing.T) {
	for _, test := range []struct {
		in    string
		scale int32
		want  string
	}{
		{"2.5", 0, "3"}, {"-2.5", 0, "-3"}, {"2.49", 0, "2"}, {"1", 2, "1.00"}, {"-0.004", 2, "0.00"},
		{"149", -2, "100"}, {"150", -2, "200"}, {"NaN", 2, "NaN"}, {"-Infinity", 0, "-Infinity"},
	} {
		d, _ := ParseNumeric(test.in)
		Rescale(d, d, test.scale)
		if test.scale < 0 {
			Rescale(d, d, 0)
		}
		if got := string(AppendNumericText(nil, d)); got != test.want {
			t.Errorf("%s at scale %d is %s, want %s", test.in, test.scale, got, test.want)
		}
	}
}

// Ordering is total and goes by value.
func TestCompareNumeric(t *testing.T) {
	order := []string{"-Infinity", "-1e40", "-10", "-1.50", "0", "0.000001", "1", "1.5", "1e30", "1e40", "Infinity", "NaN"}
	for i, a := range order {
		for j, b := range order {
			x, _ := ParseNumeric(a)
			y, _ := ParseNumeric(b)
			if got, want := CompareNumeric(x, y), min(max(i-j, -1), 1); got != want {
				t.Errorf("comparing %s with %s gives %d, want %d", a, b, got, want)
			}
		}
	}
	x, _ := ParseNumeric("1.50")
	y, _ := ParseNumeric("1.5")
	if CompareNumeric(x, y) != 0 {
		t.Error("1.50 and 1.5 differ")
	}
}

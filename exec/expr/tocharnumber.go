package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// numberKeywords of to_char for numbers.
var numberKeywords = strings.Fields("EEEE eeee FM fm MI mi PL pl PR pr RN rn SG sg SP sp TH th , . 0 9 B b C c D d G g L l S s V v")

// toCharNumberFunctions are to_char over numbers.
func toCharNumberFunctions() []Function {
	text := sql.TypeText
	return []Function{
		{Name: "to_char", Args: types(sql.TypeInt4, text), Result: text, Volatility: Stable, Kernel: Row2(func(_ *Context, n int32, t string) (string, error) { return intToChar(int64(n), t, 32) })},
		{Name: "to_char", Args: types(sql.TypeInt8, text), Result: text, Volatility: Stable, Kernel: Row2(func(_ *Context, n int64, t string) (string, error) { return intToChar(n, t, 64) })},
		{Name: "to_char", Args: types(sql.TypeFloat4, text), Result: text, Volatility: Stable, Kernel: Row2(func(_ *Context, f float32, t string) (string, error) { return floatToChar(float64(f), t, 6) })},
		{Name: "to_char", Args: types(sql.TypeFloat8, text), Result: text, Volatility: Stable, Kernel: Row2(func(_ *Context, f float64, t string) (string, error) { return floatToChar(f, t, 15) })},
		{Name: "to_char", Args: types(sql.TypeNumeric, text), Result: text, Volatility: Stable, Kernel: Row2(numericToChar)},
	}
}

type signPlace uint8

const (
	signNowhere signPlace = iota
	signBefore
	signAfter
)

// numberTemplate is a parsed template and what its keywords say together.
type numberTemplate struct {
	nodes                     []templateNode
	pre, post, multi          int // digits before and after the point, and after V
	zeroStart, zeroEnd        int
	decimal, zero, fill       bool
	minus, plus, bracket      bool
	roman, scientific, shifts bool // RN, EEEE, V
	locale                    signPlace
	signPre                   int // digits before the S
	hasSign, ordinal          bool
}

func templateSyntax(message string) error { return sql.Errorf(sql.CodeSyntaxError, "%s", message) }

func parseNumberTemplate(s string) (*numberTemplate, error) {
	t := &numberTemplate{}
	t.nodes, _ = parseTemplate(s, numberKeywords, false)
	for _, n := range t.nodes {
		if n.key == "" {
			continue
		}
		if t.scientific {
			return nil, templateSyntax(`"EEEE" must be the last pattern used`)
		}
		if err := t.add(strings.ToUpper(n.key)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *numberTemplate) add(key string) error {
	switch key {
	case "9":
		if t.bracket {
			return templateSyntax(`"9" must be ahead of "PR"`)
		}
		switch {
		case t.shifts:
			t.multi++
		case t.decimal:
			t.post++
		default:
			t.pre++
		}
	case "0":
		if t.bracket {
			return templateSyntax(`"0" must be ahead of "PR"`)
		}
		if !t.zero && !t.decimal {
			t.zero, t.zeroStart = true, t.pre+1
		}
		if t.decimal {
			t.post++
		} else {
			t.pre++
		}
		t.zeroEnd = t.pre + t.post
	case ".", "D":
		if t.decimal {
			return templateSyntax("multiple decimal points")
		}
		if t.shifts {
			return templateSyntax(`cannot use "V" and decimal point together`)
		}
		t.decimal = true
	case "FM":
		t.fill = true
	case "TH":
		t.ordinal = true
	case "S":
		return t.addSign()
	case "MI", "PL", "SG":
		if t.hasSign {
			return templateSyntax(`cannot use "S" and "` + key + `" together`)
		}
		t.minus, t.plus = t.minus || key != "PL", t.plus || key != "MI"
	case "PR":
		if t.hasSign || t.plus || t.minus {
			return templateSyntax(`cannot use "PR" and "S"/"PL"/"MI"/"SG" together`)
		}
		t.bracket = true
	case "RN":
		t.roman = true
	case "V":
		if t.decimal {
			return templateSyntax(`cannot use "V" and decimal point together`)
		}
		t.shifts = true
	case "EEEE":
		if t.fill || t.hasSign || t.bracket || t.minus || t.plus || t.roman || t.shifts {
			return templateSyntax(`"EEEE" is incompatible with other formats`).(*sql.Error).
				WithDetail(`"EEEE" may only be used together with digit and decimal point patterns.`)
		}
		t.scientific = true
	}
	return nil
}

func (t *numberTemplate) addSign() error {
	if t.hasSign {
		return templateSyntax(`cannot use "S" twice`)
	}
	if t.plus || t.minus || t.bracket {
		return templateSyntax(`cannot use "S" and "PL"/"MI"/"SG"/"PR" together`)
	}
	t.hasSign = true
	if t.decimal {
		t.locale = signAfter
	} else {
		t.locale, t.signPre = signBefore, t.pre
	}
	return nil
}

func intToChar(n int64, template string, bits int) (string, error) {
	t, err := parseNumberTemplate(template)
	if err != nil {
		return "", err
	}
	switch {
	case t.roman:
		if n != int64(int32(n)) {
			return "", outOfRange(sql.Int4)
		}
		return t.print(romanNumeral(n), false, 0), nil
	case t.scientific:
		if bits == 64 {
			return scientificDecimal(apd.New(n, 0), t.post), nil
		}
		return t.finish(scientificFloat(float64(n), t.post)), nil
	}
	if t.shifts {
		factor := math.Pow(10, float64(t.multi))
		if math.Abs(float64(n)*factor) >= math.MaxInt64 {
			return "", outOfRange(sql.Int8)
		}
		if n *= int64(factor); bits == 32 {
			n = int64(int32(n)) // PostgreSQL's integers wrap around here
		}
		t.pre += t.multi
	}
	text := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(text, "-")
	if t.post > 0 {
		digits += "." + strings.Repeat("0", t.post)
	}
	return t.printDigits(digits, n < 0), nil
}

func numericToChar(_ *Context, d *sql.Decimal, template string) (string, error) {
	t, err := parseNumberTemplate(template)
	if err != nil {
		return "", err
	}
	switch {
	case t.roman:
		var whole sql.Decimal
		sql.Rescale(&whole, d, 0)
		n, err := whole.Int64()
		if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
			if d.Form != apd.Finite {
				return "", sql.Errorf(sql.CodeFeatureNotSupported, "cannot convert %s to integer", map[bool]string{true: "NaN", false: "infinity"}[isNaN(d)])
			}
			return "", outOfRange(sql.Int4)
		}
		return t.print(romanNumeral(n), false, 0), nil
	case t.scientific:
		if d.Form != apd.Finite {
			return t.hashesScientific(), nil
		}
		return scientificDecimal(d, t.post), nil
	}
	var x sql.Decimal
	x.Set(d)
	if t.shifts {
		if x.Form == apd.Finite {
			var factor sql.Decimal
			factor.Coeff.Set(sql.PowerOfTen(int32(t.multi)))
			mulDecimal(&x, &x, &factor)
		}
		t.pre += t.multi
	}
	sql.Rescale(&x, &x, int32(t.post))
	text := sql.FormatText(sql.TypeNumeric, &x)
	return t.printDigits(strings.TrimPrefix(text, "-"), strings.HasPrefix(text, "-")), nil
}

// floatToChar prints no more digits than a float has.
func floatToChar(f float64, template string, significant int) (string, error) {
	t, err := parseNumberTemplate(template)
	if err != nil {
		return "", err
	}
	special := math.IsNaN(f) || math.IsInf(f, 0)
	switch {
	case t.roman:
		r := math.RoundToEven(f)
		if !(r >= 0 && r < 4000) {
			r = 0 // shown as hashes
		}
		return t.print(romanNumeral(int64(r)), false, 0), nil
	case t.scientific:
		if special {
			return t.hashesScientific(), nil
		}
		return t.finish(scientificFloat(f, t.post)), nil
	}
	if t.shifts {
		f *= math.Pow(10, float64(t.multi))
		if significant == 6 {
			f = float64(float32(f))
		}
		t.pre += t.multi
	}
	text := "NaN"
	switch {
	case math.IsInf(f, 0):
		text = "Infinity"
	case !math.IsNaN(f):
		text = strconv.FormatFloat(math.Abs(f), 'f', 0, 64)
	}
	if digits := len(text); digits >= significant {
		t.post = 0
	} else if digits+t.post > significant {
		t.post = significant - digits
	}
	if !special {
		text = strconv.FormatFloat(math.Abs(f), 'f', t.post, 64)
	}
	if special && t.ordinal && !t.decimal && !math.Signbit(f) && len(text) <= t.pre {
		return "", sql.Errorf(sql.CodeInvalidText, "\"%s\" is not a number", text)
	}
	return t.printDigits(text, math.Signbit(f) && !math.IsNaN(f)), nil
}

// scientificFloat has a space where a negative number has its sign.
func scientificFloat(f float64, post int) string {
	text := strconv.FormatFloat(f, 'e', post, 64)
	if f >= 0 && !strings.HasPrefix(text, "-") {
		return " " + text
	}
	return text
}

func scientificDecimal(d *sql.Decimal, post int) string {
	if isZero(d) {
		zero := " 0"
		if post > 0 {
			zero += "." + strings.Repeat("0", post)
		}
		return zero + "e+00"
	}
	exponent := int32(d.NumDigits()) + d.Exponent - 1
	var mantissa sql.Decimal
	mantissa.Set(d)
	mantissa.Exponent -= exponent
	sql.Rescale(&mantissa, &mantissa, int32(post))
	if mantissa.NumDigits() > int64(post)+1 { // 9.99 became 10.0
		exponent++
		mantissa.Set(d)
		mantissa.Exponent -= exponent
		sql.Rescale(&mantissa, &mantissa, int32(post))
	}
	text := sql.FormatText(sql.TypeNumeric, &mantissa)
	if !strings.HasPrefix(text, "-") {
		text = " " + text
	}
	return text + fmt.Sprintf("e%+03d", exponent)
}

// hashesScientific stands for what EEEE can't show.
func (t *numberTemplate) hashesScientific() string {
	text := " " + strings.Repeat("#", max(t.pre, 0)) + "." + strings.Repeat("#", t.post+4)
	return text
}

func (t *numberTemplate) finish(text string) string { return text }

// printDigits fits digits into the template: spaces in front, or hashes if they are too many.
func (t *numberTemplate) printDigits(digits string, negative bool) string {
	whole := strings.IndexByte(digits, '.')
	if whole < 0 {
		whole = len(digits)
	}
	spaces := 0
	if whole < t.pre {
		spaces = t.pre - whole
	} else if whole > t.pre {
		digits = strings.Repeat("#", t.pre) + "." + strings.Repeat("#", t.post)
	}
	return t.print(digits, negative, spaces)
}

// romanNumeral is n in Roman numerals, or hashes.
func romanNumeral(n int64) string {
	if n < 1 || n > 3999 {
		return strings.Repeat("#", 15)
	}
	var b strings.Builder
	for _, r := range []struct {
		value  int64
		letter string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for ; n >= r.value; n -= r.value {
			b.WriteString(r.letter)
		}
	}
	return b.String()
}

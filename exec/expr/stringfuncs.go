package expr

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// stringFunctions are functions over text. Positions count characters and start at 1.
func stringFunctions() []Function {
	text, int4, boolean := sql.TypeText, sql.TypeInt4, sql.TypeBool
	fns := []Function{
		{Name: "lower", Args: types(text), Result: text, Kernel: Append1(appendLower)},
		{Name: "upper", Args: types(text), Result: text, Kernel: Append1(appendUpper)},
		{Name: "initcap", Args: types(text), Result: text, Kernel: Append1(appendInitcap)},
		{Name: "reverse", Args: types(text), Result: text, Kernel: Append1(appendReversed)},
		{Name: "left", Args: types(text, int4), Result: text, Kernel: Append2(appendLeft)},
		{Name: "right", Args: types(text, int4), Result: text, Kernel: Append2(appendRight)},
		{Name: "lpad", Args: types(text, int4), Result: text, Kernel: Append2(func(c *Context, dst []byte, s string, n int32) ([]byte, error) { return appendLpad(c, dst, s, n, " ") })},
		{Name: "lpad", Args: types(text, int4, text), Result: text, Kernel: Append3(appendLpad)},
		{Name: "rpad", Args: types(text, int4), Result: text, Kernel: Append2(func(c *Context, dst []byte, s string, n int32) ([]byte, error) { return appendRpad(c, dst, s, n, " ") })},
		{Name: "rpad", Args: types(text, int4, text), Result: text, Kernel: Append3(appendRpad)},
		{Name: "repeat", Args: types(text, int4), Result: text, Kernel: Append2(appendRepeat)},
		{Name: "replace", Args: types(text, text, text), Result: text, Kernel: Append3(appendReplace)},
		{Name: "translate", Args: types(text, text, text), Result: text, Kernel: Append3(appendTranslate)},
		{Name: "split_part", Args: types(text, text, int4), Result: text, Kernel: Append3(appendSplitPart)},
		{Name: "strpos", Args: types(text, text), Result: int4, Kernel: Pure2(strpos)},
		{Name: "position", Args: types(text, text), Result: int4, Kernel: Pure2(strpos)},
		{Name: "starts_with", Args: types(text, text), Result: boolean, Kernel: Pure2(strings.HasPrefix)},
		{Name: "^@", Args: types(text, text), Result: boolean, Kernel: Pure2(strings.HasPrefix)},
		{Name: "overlay", Args: types(text, text, int4), Result: text, Kernel: Append3(appendOverlay)},
		{Name: "overlay", Args: types(text, text, int4, int4), Result: text, Kernel: Row4(overlay)},
		{Name: "ascii", Args: types(text), Result: int4, Kernel: Pure1(ascii)},
		{Name: "chr", Args: types(int4), Result: text, Kernel: Row1(chr)},
		{Name: "to_hex", Args: types(int4), Result: text, Kernel: Append1(func(_ *Context, dst []byte, n int32) ([]byte, error) { return appendHex(dst, uint64(uint32(n))), nil })},
		{Name: "to_hex", Args: types(sql.TypeInt8), Result: text, Kernel: Append1(func(_ *Context, dst []byte, n int64) ([]byte, error) { return appendHex(dst, uint64(n)), nil })},
		{Name: "string_to_array", Args: types(text, text), Result: sql.ArrayOf(text), CalledOnNull: true, Kernel: RowN(stringToArray)},
		{Name: "string_to_array", Args: types(text, text, text), Result: sql.ArrayOf(text), CalledOnNull: true, Kernel: RowN(stringToArray)},
	}
	for _, name := range []string{"length", "char_length", "character_length"} {
		fns = append(fns, Function{Name: name, Args: types(text), Result: int4, Kernel: Pure1(runeCount)})
	}
	for _, name := range []string{"substring", "substr"} {
		fns = append(fns,
			Function{Name: name, Args: types(text, int4), Result: text, Kernel: Append2(appendFrom)},
			Function{Name: name, Args: types(text, int4, int4), Result: text, Kernel: Append3(appendSubstring)})
	}
	for name, sides := range map[string][2]bool{"btrim": {true, true}, "ltrim": {true, false}, "rtrim": {false, true}} {
		fns = append(fns,
			Function{Name: name, Args: types(text), Result: text, Kernel: Append1(func(_ *Context, dst []byte, s string) ([]byte, error) {
				return append(dst, trimSet(s, " ", sides[0], sides[1])...), nil
			})},
			Function{Name: name, Args: types(text, text), Result: text, Kernel: Append2(func(_ *Context, dst []byte, s, set string) ([]byte, error) {
				return append(dst, trimSet(s, set, sides[0], sides[1])...), nil
			})})
	}
	return fns
}

// types is a short form for the lists of functions.
func types(ts ...sql.Type) []sql.Type { return ts }

func runeCount(s string) int32 { return int32(utf8.RuneCountInString(s)) }

func appendLower(_ *Context, dst []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return append(dst, strings.ToLower(s[i:])...), nil
		}
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst, nil
}

func appendUpper(_ *Context, dst []byte, s string) ([]byte, error) {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return append(dst, strings.ToUpper(s[i:])...), nil
		}
		c := s[i]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// appendInitcap puts the first letter of each word in upper case and the others in lower case; a
// word is letters and digits.
func appendInitcap(_ *Context, dst []byte, s string) ([]byte, error) {
	inWord := false
	for _, r := range s {
		if inWord {
			r = unicode.ToLower(r)
		} else {
			r = unicode.ToUpper(r)
		}
		dst = utf8.AppendRune(dst, r)
		inWord = unicode.IsLetter(r) || unicode.IsDigit(r)
	}
	return dst, nil
}

func appendReversed(_ *Context, dst []byte, s string) ([]byte, error) {
	for len(s) > 0 {
		_, n := utf8.DecodeLastRuneInString(s)
		dst = append(dst, s[len(s)-n:]...)
		s = s[:len(s)-n]
	}
	return dst, nil
}

// appendLeft takes the first n characters, or all but the last -n.
func appendLeft(_ *Context, dst []byte, s string, n int32) ([]byte, error) {
	if n < 0 {
		return append(dst, s[:offsetFromEnd(s, -int64(n))]...), nil
	}
	return append(dst, s[:charOffset(s, int(n))]...), nil
}

// appendRight takes the last n characters, or all but the first -n.
func appendRight(_ *Context, dst []byte, s string, n int32) ([]byte, error) {
	if n == math.MinInt32 { // as in PostgreSQL, where its negation is itself
		return append(dst, s...), nil
	}
	if n < 0 {
		return append(dst, s[charOffset(s, int(-n)):]...), nil
	}
	return append(dst, s[offsetFromEnd(s, int64(n)):]...), nil
}

// offsetFromEnd is the byte offset of the n-th character from the end, at least 0.
func offsetFromEnd(s string, n int64) int {
	end := len(s)
	for ; n > 0 && end > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return end
}

// substringBounds is the byte range of characters from `from` (1-based, may lie before the start) for
// length characters; hasLength false = up to the end.
func substringBounds(s string, from, length int64, hasLength bool) (lo, hi int, err error) {
	if hasLength && length < 0 {
		return 0, 0, sql.Errorf("22011", "negative substring length not allowed")
	}
	end := from + length
	from = max(from, 1)
	if hasLength && end <= from {
		return 0, 0, nil
	}
	lo = charOffset(s, int(from-1))
	if !hasLength {
		return lo, len(s), nil
	}
	return lo, lo + charOffset(s[lo:], int(end-from)), nil
}

func appendFrom(_ *Context, dst []byte, s string, from int32) ([]byte, error) {
	lo, hi, err := substringBounds(s, int64(from), 0, false)
	return append(dst, s[lo:hi]...), err
}

func appendSubstring(_ *Context, dst []byte, s string, from, length int32) ([]byte, error) {
	lo, hi, err := substringBounds(s, int64(from), int64(length), true)
	return append(dst, s[lo:hi]...), err
}

// trimSet cuts characters of set from the ends of s.
func trimSet(s, set string, left, right bool) string {
	if left {
		if set == " " {
			for len(s) > 0 && s[0] == ' ' {
				s = s[1:]
			}
		} else {
			s = strings.TrimLeft(s, set)
		}
	}
	if right {
		if set == " " {
			for len(s) > 0 && s[len(s)-1] == ' ' {
				s = s[:len(s)-1]
			}
		} else {
			s = strings.TrimRight(s, set)
		}
	}
	return s
}

// maxText bounds the texts that a function may make out of small ones, as PostgreSQL's 1 GB does.
const maxText = 1 << 28

var errTextTooLong = sql.Errorf("54000", "requested length too large")

// appendFill appends n characters of fill, repeated.
func appendFill(dst []byte, fill string, n int) []byte {
	for rest := fill; n > 0; n-- {
		if rest == "" {
			rest = fill
		}
		_, size := utf8.DecodeRuneInString(rest)
		dst = append(dst, rest[:size]...)
		rest = rest[size:]
	}
	return dst
}

// padding is how many characters s lacks to n, and s cut to n characters.
func padding(s string, n int32, fill string) (int, string, error) {
	if n <= 0 {
		return 0, "", nil
	}
	if int64(n) > maxText {
		return 0, "", errTextTooLong
	}
	missing := int(n) - utf8.RuneCountInString(s)
	if missing <= 0 {
		return 0, s[:charOffset(s, int(n))], nil
	}
	if fill == "" {
		return 0, s, nil
	}
	return missing, s, nil
}

func appendLpad(_ *Context, dst []byte, s string, n int32, fill string) ([]byte, error) {
	missing, s, err := padding(s, n, fill)
	return append(appendFill(dst, fill, missing), s...), err
}

func appendRpad(_ *Context, dst []byte, s string, n int32, fill string) ([]byte, error) {
	missing, s, err := padding(s, n, fill)
	return appendFill(append(dst, s...), fill, missing), err
}

func appendRepeat(_ *Context, dst []byte, s string, n int32) ([]byte, error) {
	if n > 0 && int64(n)*int64(len(s)) > maxText {
		return dst, errTextTooLong
	}
	for ; n > 0; n-- {
		dst = append(dst, s...)
	}
	return dst, nil
}

func appendReplace(_ *Context, dst []byte, s, from, to string) ([]byte, error) {
	if from == "" {
		return append(dst, s...), nil
	}
	for {
		i := strings.Index(s, from)
		if i < 0 {
			return append(dst, s...), nil
		}
		dst = append(append(dst, s[:i]...), to...)
		s = s[i+len(from):]
	}
}

// appendTranslate replaces each character of from by the one at its place in to, or drops it.
func appendTranslate(_ *Context, dst []byte, s, from, to string) ([]byte, error) {
	for _, r := range s {
		i := strings.IndexRune(from, r)
		if i < 0 {
			dst = utf8.AppendRune(dst, r)
			continue
		}
		rest := to[charOffset(to, utf8.RuneCountInString(from[:i])):]
		_, n := utf8.DecodeRuneInString(rest)
		dst = append(dst, rest[:n]...)
	}
	return dst, nil
}

// appendSplitPart takes the n-th part between separators, from the end if n is negative.
func appendSplitPart(_ *Context, dst []byte, s, sep string, n int32) ([]byte, error) {
	if n == 0 {
		return dst, sql.Errorf(sql.CodeInvalidParameter, "field position must not be zero")
	}
	if s == "" {
		return dst, nil
	}
	if sep == "" {
		if n == 1 || n == -1 {
			return append(dst, s...), nil
		}
		return dst, nil
	}
	if n < 0 {
		n += int32(strings.Count(s, sep)) + 2
		if n <= 0 {
			return dst, nil
		}
	}
	for ; n > 1; n-- {
		_, rest, found := strings.Cut(s, sep)
		if !found {
			return dst, nil
		}
		s = rest
	}
	part, _, _ := strings.Cut(s, sep)
	return append(dst, part...), nil
}

// strpos is the position of the first sub in s; 0 = none.
func strpos(s, sub string) int32 {
	i := strings.Index(s, sub)
	if i < 0 {
		return 0
	}
	return int32(utf8.RuneCountInString(s[:i])) + 1
}

func appendOverlay(c *Context, dst []byte, s, with string, from int32) ([]byte, error) {
	out, err := overlay(c, s, with, from, int32(utf8.RuneCountInString(with)))
	return append(dst, out...), err
}

// overlay replaces length characters of s by with.
func overlay(_ *Context, s, with string, from, length int32) (string, error) {
	if from <= 0 {
		return "", sql.Errorf("22011", "negative substring length not allowed")
	}
	end := int64(from) + int64(length)
	if end > 1<<31-1 {
		return "", outOfRange(sql.Int4)
	}
	lo, hi, err := substringBounds(s, 1, int64(from)-1, true)
	if err != nil {
		return "", err
	}
	tail := charOffset(s, int(max(end, 1)-1))
	return s[lo:hi] + with + s[tail:], nil
}

func ascii(s string) int32 {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return 0
	}
	return r
}

func chr(_ *Context, n int32) (string, error) {
	switch {
	case n < 0:
		return "", sql.Errorf(sql.CodeInvalidParameter, "character number must be positive")
	case n == 0:
		return "", sql.Errorf("54000", "null character not permitted")
	case n > unicode.MaxRune:
		return "", sql.Errorf("54000", "requested character too large for encoding: %d", n)
	case !utf8.ValidRune(n):
		return "", sql.Errorf("54000", "requested character not valid for encoding: %d", n)
	}
	return string(rune(n)), nil
}

func appendHex(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	shift := 60
	for shift > 0 && n>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&15])
	}
	return dst
}

// stringToArray splits at a separator, or into characters if it is NULL; a third argument is the
// text that stands for NULL.
func stringToArray(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	s := args[0].(string)
	var parts []string
	switch sep, ok := args[1].(string); {
	case s == "":
	case !ok:
		parts = strings.Split(s, "")
	case sep == "":
		parts = []string{s}
	default:
		parts = strings.Split(s, sep)
	}
	out := make([]sql.Datum, len(parts))
	for i, p := range parts {
		if len(args) < 3 || args[2] == nil || args[2].(string) != p {
			out[i] = p
		}
	}
	return out, nil
}

package json

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

// Strings are scanned eight bytes at a time: a byte of a word is special when it is a quote, a
// backslash, a control character or not ASCII. x-0x01 borrows into the top bit of a byte that is 0,
// and x-0x20 into that of one below 0x20. A borrow can spoil only bytes above one that is special
// already, and only the lowest is asked for.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	quotes = '"' * ones
	slants = '\\' * ones
	spaces = 0x20 * ones
)

// special marks the special bytes of w in their top bits; the lowest mark is exact.
func special(w uint64) uint64 {
	return (((w ^ quotes) - ones) | ((w ^ slants) - ones) | (w - spaces) | w) & highs
}

// word is the eight bytes of s from i on, as a little-endian number. The caller has made sure that
// they are there, 0 ≤ i ≤ len(s)-8: slices would cost another four instructions in each place of the
// hottest loop.
func word(s []byte, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), i))[:])
}

// plain returns the index of the first special byte of s from i on, or len(s).
func plain(s []byte, i int) int {
	for i <= len(s)-8 {
		if m := special(word(s, i)); m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(s) && s[i] >= 0x20 && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// beyondASCII returns the index of the first quote, backslash or control character from i on, or
// len(s). Its sums of seven-bit numbers carry into no other byte, so all marks are exact, also
// next to bytes above 0x7f.
func beyondASCII(s []byte, i int) int {
	const low = 0x7f * ones
	for i+8 <= len(s) {
		w := binary.LittleEndian.Uint64(s[i:])
		x := w & low
		if m := ^(((x^quotes)+low)&((x^slants)+low)&(x+0x60*ones) | w) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
		i += 8
	}
	for i < len(s) && s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}

// space returns the index of the first byte from i on that is not white space.
func space(s []byte, i int) int {
	for i < len(s) && s[i] <= ' ' && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// skip passes over a value.
func (in *input) skip(s []byte, i int) int { return in.skipAt(s, i, 0) }

func (in *input) skipAt(s []byte, i, depth int) int {
	switch s[i] {
	case '"':
		return in.skipString(s, i)
	case '{', '[':
		if depth == maxDepth {
			return in.fail(codeInvalidJSON, "invalid JSON: nested deeper than %d", maxDepth)
		}
		if s[i] == '{' {
			return in.skipObject(s, i, depth+1)
		}
		return in.skipArray(s, i, depth+1)
	case 't':
		return in.literal(s, i, "true")
	case 'f':
		return in.literal(s, i, "false")
	case 'n':
		return in.literal(s, i, "null")
	}
	_, _, _, end := number(s, i)
	if end < 0 {
		return in.syntax(s, -end-1)
	}
	return end
}

func (in *input) skipObject(s []byte, i, depth int) int {
	i = space(s, i+1)
	if i < len(s) && s[i] == '}' {
		return i + 1
	}
	for {
		if i = in.skipKey(s, i); i < 0 {
			return -1
		}
		if i = in.skipAt(s, i, depth); i < 0 {
			return -1
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		case i < len(s) && s[i] == '}':
			return i + 1
		default:
			return in.syntax(s, i)
		}
	}
}

// skipKey passes over a key and its colon, to the first byte of the value, which exists.
func (in *input) skipKey(s []byte, i int) int {
	if i >= len(s) || s[i] != '"' {
		return in.syntax(s, i)
	}
	if i = in.skipString(s, i); i < 0 {
		return -1
	}
	return in.colon(s, i)
}

// colon passes over the colon after a key, to the first byte of the value, which exists.
func (in *input) colon(s []byte, i int) int {
	if i = space(s, i); i >= len(s) || s[i] != ':' {
		return in.syntax(s, i)
	}
	if i = space(s, i+1); i >= len(s) {
		return in.syntax(s, i)
	}
	return i
}

func (in *input) skipArray(s []byte, i, depth int) int {
	i = space(s, i+1)
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	for {
		if i >= len(s) {
			return in.syntax(s, i)
		}
		if i = in.skipAt(s, i, depth); i < 0 {
			return -1
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		case i < len(s) && s[i] == ']':
			return i + 1
		default:
			return in.syntax(s, i)
		}
	}
}

// skipString passes over the string whose opening quote is at i.
func (in *input) skipString(s []byte, i int) int {
	i++
	for {
		if i = plain(s, i); i < len(s) && s[i] == '"' {
			return i + 1
		}
		if i = in.unusual(s, i); i < 0 {
			return -1
		}
	}
}

// unusual checks what plain stopped at, other than the closing quote, and passes over it: an
// escape, or text that is not ASCII.
func (in *input) unusual(s []byte, i int) int {
	switch {
	case i >= len(s):
		return in.syntax(s, i)
	case s[i] == '\\':
		n := escapeLen(s, i)
		if n == 0 {
			return in.fail(codeInvalidJSON, "invalid JSON: invalid escape sequence at byte %d", i)
		}
		return i + n
	case s[i] < 0x20:
		return in.fail(codeInvalidJSON, "invalid JSON: control character 0x%02x in a string at byte %d", s[i], i)
	}
	end := beyondASCII(s, i)
	if !utf8.Valid(s[i:end]) {
		return in.fail(codeInvalidEncoding, "invalid byte sequence for encoding \"UTF8\"")
	}
	return end
}

// escapeLen is the length of the escape sequence at i, or 0.
func escapeLen(s []byte, i int) int {
	if i+1 >= len(s) {
		return 0
	}
	switch s[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if hex4(s, i+2) >= 0 {
			return 6
		}
	}
	return 0
}

// hex4 is the number in the four hexadecimal digits at i, or -1.
func hex4(s []byte, i int) rune {
	if i+4 > len(s) {
		return -1
	}
	var r rune
	for _, c := range s[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// literal passes over word.
func (in *input) literal(s []byte, i int, word string) int {
	if len(s)-i >= len(word) && string(s[i:i+len(word)]) == word {
		return i + len(word)
	}
	for j := range word {
		if i+j >= len(s) || s[i+j] != word[j] {
			return in.syntax(s, i+j)
		}
	}
	return -1
}

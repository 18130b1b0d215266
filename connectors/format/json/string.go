package json

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unquote returns the string whose opening quote is at i, and the index behind it. The string
// aliases s or the scratch space: it is valid until the next call.
func (in *input) unquote(s []byte, i int) ([]byte, int) {
	i++
	start := i
	for {
		if i = plain(s, i); i < len(s) && s[i] == '"' {
			return s[start:i], i + 1
		}
		if i < len(s) && s[i] == '\\' {
			return in.unescape(s, start, i)
		}
		if i = in.unusual(s, i); i < 0 {
			return nil, -1
		}
	}
}

// unescape goes on with a string that starts at start and has its first escape at i.
func (in *input) unescape(s []byte, start, i int) ([]byte, int) {
	out := append(in.scratch[:0], s[start:i]...)
	for {
		if i < len(s) && s[i] == '\\' {
			var r rune
			if r, i = in.escape(s, i); i < 0 {
				return nil, -1
			}
			out = utf8.AppendRune(out, r)
		} else {
			end := i
			if end = in.unusual(s, i); end < 0 {
				return nil, -1
			}
			out = append(out, s[i:end]...)
			i = end
		}
		end := plain(s, i)
		out = append(out, s[i:end]...)
		if i = end; i < len(s) && s[i] == '"' {
			in.scratch = out
			return out, i + 1
		}
	}
}

// escape returns the character of the escape sequence at i, and the index behind it. What can't
// be text in a column is refused, as PostgreSQL does: U+0000 and halves of surrogate pairs.
func (in *input) escape(s []byte, i int) (rune, int) {
	n := escapeLen(s, i)
	if n == 0 {
		return 0, in.unusual(s, i)
	}
	if n == 2 {
		switch c := s[i+1]; c {
		case 'b':
			return '\b', i + 2
		case 'f':
			return '\f', i + 2
		case 'n':
			return '\n', i + 2
		case 'r':
			return '\r', i + 2
		case 't':
			return '\t', i + 2
		default:
			return rune(c), i + 2
		}
	}
	r := hex4(s, i+2)
	if utf16.IsSurrogate(r) {
		if escapeLen(s, i+6) == 6 && s[i+6] == '\\' {
			if pair := utf16.DecodeRune(r, hex4(s, i+8)); pair != utf8.RuneError {
				return pair, i + 12
			}
		}
		return 0, in.fail(codeNoText, "unsupported Unicode escape sequence: \\u%04x is half of a surrogate pair", r)
	}
	if r == 0 {
		return 0, in.fail(codeNoText, "unsupported Unicode escape sequence: \\u0000 cannot be converted to text")
	}
	return r, i + 6
}

package parser

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

type stringStyle uint8

const (
	plainString  stringStyle = iota
	escapeString             // E'…'
)

// stringConst reads a string constant whose quote is skip bytes ahead.
func (l *lexer) stringConst(skip int, style stringStyle) {
	start := l.i
	l.i += skip
	text, ok := l.quotedRun(start, '\'', style, "unterminated quoted string")
	if ok {
		l.add(str, text, start)
	}
}

func (l *lexer) bitConst(prefix, unterminated string) {
	start := l.i
	l.i++
	if text, ok := l.quotedRun(start, '\'', plainString, unterminated); ok {
		l.add(bits, prefix+text, start)
	}
}

func (l *lexer) quotedIdent() {
	start := l.i
	text, ok := l.quotedRun(start, l.src[l.i], plainString, "unterminated quoted identifier")
	if !ok {
		return
	}
	if text == "" {
		l.fail(start, "zero-length delimited identifier")
		return
	}
	l.add(quoted, text, start)
}

// quotedRun reads what is between the quote q at l.i and its end; a doubled q stands for one. A
// string goes on after white space with a newline in it: 'foo'⏎'bar' is 'foobar'. The token began
// at start.
func (l *lexer) quotedRun(start int, q byte, style stringStyle, unterminated string) (string, bool) {
	l.i++
	from := l.i
	var sb strings.Builder // what came before from
	for l.i < len(l.src) {
		switch c := l.src[l.i]; {
		case c == q && l.peek(1) == q:
			sb.WriteString(l.src[from : l.i+1])
			l.i += 2
			from = l.i
		case c == q:
			text := l.src[from:l.i]
			l.i++
			if q == '\'' && l.continued() {
				sb.WriteString(text)
				from = l.i
				continue
			}
			if sb.Len() > 0 {
				sb.WriteString(text)
				text = sb.String()
			}
			if style == escapeString && !utf8.ValidString(text) {
				l.badBytes(text, start)
				return "", false
			}
			return text, true
		case c == '\\' && style == escapeString && l.i+1 < len(l.src):
			sb.WriteString(l.src[from:l.i])
			if !l.escape(&sb, start) {
				return "", false
			}
			from = l.i
		default:
			l.i++
		}
	}
	l.fail(start, unterminated)
	return "", false
}

// continued skips to the inside of the next part of a string, if there is one.
func (l *lexer) continued() bool {
	i, newline := l.i, false
	for l.i < len(l.src) {
		switch c := l.src[l.i]; {
		case isSpace(c):
			newline = newline || c == '\n' || c == '\r'
			l.i++
			continue
		case c == '-' && l.peek(1) == '-':
			l.lineComment()
			continue
		case c == '\'' && newline:
			l.i++
			return true
		}
		break
	}
	l.i = i
	return false
}

func (l *lexer) badBytes(text string, start int) {
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
			l.err = sql.Errorf("22021", `invalid byte sequence for encoding "UTF8": 0x%02x`, text[i]).At(start)
			return
		}
	}
}

// escape decodes one backslash escape of an E'…' string.
func (l *lexer) escape(sb *strings.Builder, start int) bool {
	c := l.src[l.i+1]
	switch c {
	case 'b', 'f', 'n', 'r', 't':
		sb.WriteByte(map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c])
	case 'u', 'U':
		return l.unicodeEscape(sb)
	case 'x', '0', '1', '2', '3', '4', '5', '6', '7':
		from, limit, base := l.i+2, 2, 16
		if c != 'x' {
			from, limit, base = l.i+1, 3, 8
		}
		end := from
		for end < len(l.src) && end-from < limit && isDigit(l.src[end], base) {
			end++
		}
		if end == from { // \x without digits is an x
			sb.WriteByte('x')
			break
		}
		v, _ := strconv.ParseUint(l.src[from:end], base, 16)
		if byte(v) == 0 {
			l.err = sql.Errorf("22021", `invalid byte sequence for encoding "UTF8": 0x00`).At(start)
			return false
		}
		sb.WriteByte(byte(v))
		l.i = end
		return true
	default: // the character itself, which may be several bytes long
		_, n := utf8.DecodeRuneInString(l.src[l.i+1:])
		sb.WriteString(l.src[l.i+1 : l.i+1+n])
		l.i += 1 + n
		return true
	}
	l.i += 2
	return true
}

func isDigit(c byte, base int) bool {
	if base == 8 {
		return c-'0' < 8
	}
	return digit(c) || c|0x20-'a' < 6
}

// unicodeEscape decodes \uXXXX or \UXXXXXXXX, or two of them that are a surrogate pair. Errors are at
// the escape that is wrong.
func (l *lexer) unicodeEscape(sb *strings.Builder) bool {
	at := l.i
	r, ok := l.unicodeDigits()
	if ok && r >= 0xD800 && r < 0xDC00 {
		first := r
		at, r = l.i, 0
		if l.peek(0) == '\\' && (l.peek(1) == 'u' || l.peek(1) == 'U') {
			r, ok = l.unicodeDigits()
		} else {
			l.i = min(l.i+1, len(l.src))
		}
		if r = utf16.DecodeRune(first, r); ok && r == utf8.RuneError {
			l.fail(at, "invalid Unicode surrogate pair")
			return false
		}
	}
	switch {
	case !ok:
		l.err = sql.Errorf("22025", "invalid Unicode escape").At(at).
			WithHint(`Unicode escapes must be \uXXXX or \UXXXXXXXX.`)
	case utf16.IsSurrogate(r):
		l.fail(at, "invalid Unicode surrogate pair")
	case r == 0 || r > utf8.MaxRune:
		l.fail(at, "invalid Unicode escape value")
	default:
		sb.WriteRune(r)
		return true
	}
	return false
}

func (l *lexer) unicodeDigits() (rune, bool) {
	n := 4
	if l.src[l.i+1] == 'U' {
		n = 8
	}
	if l.i+2+n > len(l.src) {
		return 0, false
	}
	v, err := strconv.ParseUint(l.src[l.i+2:l.i+2+n], 16, 32)
	if err != nil {
		return 0, false
	}
	l.i += 2 + n
	return rune(min(v, utf8.MaxRune+1)), true
}

// unicodeConst reads U&'…' or U&"…" with an optional UESCAPE 'c'.
func (l *lexer) unicodeConst() {
	start := l.i
	l.i += 2
	k, unterminated := str, "unterminated quoted string"
	if l.src[l.i] == '"' {
		k, unterminated = quoted, "unterminated quoted identifier"
	}
	text, ok := l.quotedRun(start, l.src[l.i], plainString, unterminated)
	if !ok {
		return
	}
	end, escape := l.i, byte('\\')
	l.space()
	if w := l.src[l.i:]; len(w) > 7 && strings.EqualFold(w[:7], "uescape") && !identPart(w[7]) {
		l.i += 7
		if escape, ok = l.uescape(); !ok {
			return
		}
		end = l.i
	}
	l.i = end
	if text, ok = l.decodeUnicode(text, escape, start); ok {
		if text == "" && k == quoted {
			l.fail(start, "zero-length delimited identifier")
			return
		}
		l.add(k, text, start)
	}
}

func (l *lexer) uescape() (byte, bool) {
	l.space()
	start := l.i
	if l.peek(0) != '\'' {
		l.i = min(l.i+1, len(l.src))
		l.fail(start, "UESCAPE must be followed by a simple string literal")
		return 0, false
	}
	text, ok := l.quotedRun(start, '\'', plainString, "unterminated quoted string")
	if !ok {
		return 0, false
	}
	if len(text) != 1 || isDigit(text[0], 16) || strings.ContainsAny(text, "+'\"") || isSpace(text[0]) {
		l.fail(start, "invalid Unicode escape character")
		return 0, false
	}
	return text[0], true
}

// decodeUnicode decodes \XXXX and \+XXXXXX.
func (l *lexer) decodeUnicode(s string, escape byte, start int) (string, bool) {
	if strings.IndexByte(s, escape) < 0 {
		return s, true
	}
	var sb strings.Builder
	var high rune // the first half of a surrogate pair
	for i := 0; i < len(s); {
		if s[i] == escape && i+1 < len(s) && s[i+1] == escape && high == 0 {
			sb.WriteByte(escape)
			i += 2
			continue
		}
		if s[i] != escape && high == 0 {
			sb.WriteByte(s[i])
			i++
			continue
		}
		r, n := unicodeAt(s[i:], escape)
		if n == 0 && s[i] == escape {
			l.err = sql.Errorf(sql.CodeSyntaxError, "invalid Unicode escape").At(start + 3 + i).
				WithHint(`Unicode escapes must be \XXXX or \+XXXXXX.`)
			return "", false
		}
		switch pair := utf16.DecodeRune(high, r); {
		case high != 0 && pair != utf8.RuneError:
			sb.WriteRune(pair)
			high = 0
		case high != 0 || r >= 0xDC00 && r < 0xE000:
			l.err = sql.Errorf(sql.CodeSyntaxError, "invalid Unicode surrogate pair").At(start + 3 + i)
			return "", false
		case utf16.IsSurrogate(r):
			high = r
		case r == 0 || r > utf8.MaxRune:
			l.err = sql.Errorf(sql.CodeSyntaxError, "invalid Unicode escape value").At(start + 3 + i)
			return "", false
		default:
			sb.WriteRune(r)
		}
		i += n
	}
	if high != 0 {
		l.err = sql.Errorf(sql.CodeSyntaxError, "invalid Unicode surrogate pair").At(start + 3 + len(s))
		return "", false
	}
	return sb.String(), true
}

// unicodeAt reads the escape at the beginning of s; n is 0 if there is none.
func unicodeAt(s string, escape byte) (r rune, n int) {
	from, digits := 1, 4
	if len(s) > 1 && s[1] == '+' {
		from, digits = 2, 6
	}
	if s[0] != escape || len(s) < from+digits {
		return 0, 0
	}
	v, err := strconv.ParseUint(s[from:from+digits], 16, 32)
	if err != nil {
		return 0, 0
	}
	return rune(v), from + digits
}

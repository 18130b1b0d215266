package parser

import (
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// lexer splits a source into PostgreSQL 15's tokens. It differs in one thing: `x` is a quoted
// identifier, as in Flink, where PostgreSQL has an operator character.
type lexer struct {
	src  string
	i    int // next byte
	toks []token
	open []int32 // indexes of the brackets that are open
	err  *sql.Error
}

// lex returns the tokens of src; the last one is eof.
func lex(src string) ([]token, *sql.Error) {
	if err := checkEncoding(src); err != nil {
		return nil, err
	}
	l := &lexer{src: src, toks: make([]token, 0, len(src)/4+2)}
	for l.space(); l.i < len(src); l.space() {
		if l.err == nil {
			l.next()
		}
		if l.err != nil {
			return nil, l.err
		}
	}
	if l.err != nil {
		return nil, l.err
	}
	last := int32(len(l.toks))
	l.add(eof, "", len(src))
	for _, k := range l.open {
		l.toks[k].mate = last
	}
	return l.toks, nil
}

func checkEncoding(src string) *sql.Error {
	if utf8.ValidString(src) && strings.IndexByte(src, 0) < 0 {
		return nil
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRuneInString(src[i:])
		if r == utf8.RuneError && n == 1 || r == 0 {
			return sql.Errorf("22021", `invalid byte sequence for encoding "UTF8": 0x%02x`, src[i]).At(i)
		}
		i += n
	}
	return nil
}

func (l *lexer) add(k kind, text string, start int) {
	l.toks = append(l.toks, token{kind: k, text: text, pos: int32(start), end: int32(l.i)})
}

// fail reports a lexical error about the source from start to l.i.
func (l *lexer) fail(start int, msg string) {
	if l.err == nil {
		l.err = sql.Errorf(sql.CodeSyntaxError, "%s at or near \"%s\"", msg, clip(l.src[start:l.i])).At(start)
	}
}

// clip bounds what an error message quotes.
func clip(s string) string {
	const limit = 1024
	if len(s) <= limit {
		return s
	}
	cut := limit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// peek returns the byte n after the current one, 0 past the end.
func (l *lexer) peek(n int) byte {
	if l.i+n < len(l.src) {
		return l.src[l.i+n]
	}
	return 0
}

// space skips white space and comments.
func (l *lexer) space() {
	for l.i < len(l.src) {
		switch c := l.src[l.i]; {
		case isSpace(c):
			l.i++
		case c == '-' && l.peek(1) == '-':
			l.lineComment()
		case c == '/' && l.peek(1) == '*':
			if !l.blockComment() {
				return
			}
		default:
			return
		}
	}
}

func (l *lexer) lineComment() {
	for l.i < len(l.src) && l.src[l.i] != '\n' && l.src[l.i] != '\r' {
		l.i++
	}
}

func (l *lexer) blockComment() bool {
	start, depth := l.i, 0
	for l.i < len(l.src) {
		switch {
		case l.src[l.i] == '/' && l.peek(1) == '*':
			depth++
			l.i += 2
		case l.src[l.i] == '*' && l.peek(1) == '/':
			depth--
			l.i += 2
			if depth == 0 {
				return true
			}
		default:
			l.i++
		}
	}
	l.fail(start, "unterminated /* comment")
	return false
}

// next reads one token at l.i, which is not white space.
func (l *lexer) next() {
	c, n := l.src[l.i], l.peek(1)
	switch {
	case c == '\'':
		l.stringConst(0, plainString)
	case n == '\'' && (c == 'e' || c == 'E'):
		l.stringConst(1, escapeString)
	case n == '\'' && (c == 'n' || c == 'N'):
		l.stringConst(1, plainString)
	case n == '\'' && (c == 'b' || c == 'B'):
		l.bitConst("b", "unterminated bit string literal")
	case n == '\'' && (c == 'x' || c == 'X'):
		l.bitConst("x", "unterminated hexadecimal string literal")
	case (c == 'u' || c == 'U') && n == '&' && (l.peek(2) == '\'' || l.peek(2) == '"'):
		l.unicodeConst()
	case c == '"' || c == '`':
		l.quotedIdent()
	case c == '$':
		l.dollar()
	case identStart(c):
		l.ident()
	case digit(c) || c == '.' && digit(n):
		l.number()
	case isOpChar(c):
		l.operator()
	default:
		l.punctuation()
	}
}

func (l *lexer) ident() {
	start, upper := l.i, false
	for l.i < len(l.src) && identPart(l.src[l.i]) {
		upper = upper || l.src[l.i]-'A' < 26
		l.i++
	}
	text := l.src[start:l.i]
	if upper {
		text = foldASCII(text)
	}
	l.add(word, text, start)
}

// foldASCII folds as PostgreSQL does for UTF-8: other letters keep their case.
func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func (l *lexer) number() {
	start := l.i
	l.digits()
	// "1..2" is 1, then ".."
	if l.peek(0) == '.' && !(l.i > start && l.peek(1) == '.') {
		l.i++
		l.digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if !digit(l.peek(n)) {
			l.i += n
			l.fail(start, "trailing junk after numeric literal")
			return
		}
		l.i += n
		l.digits()
	}
	text := l.src[start:l.i]
	if identStart(l.peek(0)) {
		l.junk(start, "trailing junk after numeric literal")
		return
	}
	l.add(num, text, start)
}

func (l *lexer) digits() {
	for digit(l.peek(0)) {
		l.i++
	}
}

// junk fails at a token that runs on into a word.
func (l *lexer) junk(start int, msg string) {
	for l.i < len(l.src) && identPart(l.src[l.i]) {
		l.i++
	}
	l.fail(start, msg)
}

// dollar reads $1 or $tag$…$tag$.
func (l *lexer) dollar() {
	start := l.i
	l.i++
	if digit(l.peek(0)) {
		l.digits()
		text := l.src[start+1 : l.i]
		if identStart(l.peek(0)) {
			l.junk(start, "trailing junk after parameter")
			return
		}
		l.add(param, text, start)
		return
	}
	end := l.i
	for end < len(l.src) && (identStart(l.src[end]) || end > l.i && digit(l.src[end])) {
		end++
	}
	if end >= len(l.src) || l.src[end] != '$' {
		l.fail(start, "syntax error")
		return
	}
	tag, body := l.src[start:end+1], l.src[end+1:]
	n := strings.Index(body, tag)
	if n < 0 {
		l.i = len(l.src)
		l.fail(start, "unterminated dollar-quoted string")
		return
	}
	l.i = end + 1 + n + len(tag)
	l.add(str, body[:n], start)
}

func (l *lexer) operator() {
	start := l.i
	for l.i < len(l.src) && isOpChar(l.src[l.i]) {
		if c, n := l.src[l.i], l.peek(1); l.i > start && (c == '-' && n == '-' || c == '/' && n == '*') {
			break
		}
		l.i++
	}
	// An operator of several characters may end in + or - only if it has a character that no
	// standard operator has: so that "a=-1" is "=", "-1".
	if !strings.ContainsAny(l.src[start:l.i], "~!@#%^&|?") {
		for l.i-start > 1 && (l.src[l.i-1] == '+' || l.src[l.i-1] == '-') {
			l.i--
		}
	}
	text := l.src[start:l.i]
	if text == "!=" {
		text = "<>"
	}
	l.add(op, text, start)
}

func (l *lexer) punctuation() {
	start, k := l.i, int32(len(l.toks))
	c, n := l.src[l.i], l.peek(1)
	l.i++
	switch c {
	case '(', '[':
		l.open = append(l.open, k)
	case ')', ']':
		if last := len(l.open) - 1; last >= 0 {
			l.toks[l.open[last]].mate = k
			l.open = l.open[:last]
		}
	case ':':
		if n == ':' || n == '=' {
			l.i++
		}
	case ',', ';', '{', '}':
	case '.':
		if n == '.' {
			l.i++
		}
	default:
		l.fail(start, "syntax error")
		return
	}
	l.add(op, l.src[start:l.i], start)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }
func digit(c byte) bool   { return c-'0' < 10 }

func identStart(c byte) bool {
	return c-'a' < 26 || c-'A' < 26 || c == '_' || c >= utf8.RuneSelf
}

func identPart(c byte) bool { return identStart(c) || digit(c) || c == '$' }

func isOpChar(c byte) bool {
	switch c {
	case '~', '!', '@', '#', '^', '&', '|', '?', '+', '-', '*', '/', '%', '<', '>', '=':
		return true
	}
	return false
}

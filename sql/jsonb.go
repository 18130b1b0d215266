package sql

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A jsonb value is kept as text in the canonical form that PostgreSQL prints: ", " and ": " between
// things, object keys ordered by length and then bytes, of duplicate keys the last, numbers as
// numeric prints them (1e2 is 100, 1.0 stays 1.0), and no escapes in strings but the necessary ones.
// Equal values have equal texts, save for trailing zeros in numbers.

// maxJSONDepth bounds nesting; PostgreSQL's bound is its stack's size.
const maxJSONDepth = 6000

// ParseJSONB checks s and returns it in jsonb's canonical form.
func ParseJSONB(s string) (canonical string, err error) {
	p := jsonParser{src: s, out: make([]byte, 0, len(s)+len(s)/4)}
	if err := p.document(); err != nil {
		return "", err
	}
	return string(p.out), nil
}

// CheckJSON checks that s is valid JSON, with PostgreSQL's errors.
func CheckJSON(s string) error {
	p := jsonParser{src: s, check: true}
	return p.document()
}

// jsonParser reads JSON by recursive descent and writes the canonical form to out as it goes. An
// object's members are put in order once it is closed.
type jsonParser struct {
	src     string
	pos     int
	depth   int
	check   bool // only check: type json takes \u0000 and lone surrogates as they are
	out     []byte
	members []jsonMember // of all objects being read; each uses the end of the list
	scratch []byte
}

// jsonMember is a member that has been written: its key as out[key:keyEnd], quotes excluded, and
// the whole as out[key-1:end].
type jsonMember struct{ key, keyEnd, end int }

func (p *jsonParser) document() error {
	if err := p.value("JSON value"); err != nil {
		return err
	}
	p.space()
	if p.pos < len(p.src) {
		return p.unexpected("end of input")
	}
	return nil
}

func (p *jsonParser) space() {
	for p.pos < len(p.src) {
		switch p.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *jsonParser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *jsonParser) put(s string) {
	if !p.check {
		p.out = append(p.out, s...)
	}
}

// value reads a value; expected says what the grammar wants here, for the error.
func (p *jsonParser) value(expected string) error {
	p.space()
	switch c := p.peek(); {
	case c == '{' || c == '[':
		if p.depth++; p.depth > maxJSONDepth {
			return Errorf(CodeStatementTooComplex, "stack depth limit exceeded")
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.array()
	case c == '"':
		return p.string()
	case c == '-' || isDigit(c):
		return p.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(p.src[p.pos:], word) && p.tokenEnd() == p.pos+len(word) {
			p.pos += len(word)
			p.put(word)
			return nil
		}
	}
	return p.unexpected(expected)
}

func (p *jsonParser) array() error {
	p.pos++
	p.put("[")
	p.space()
	if p.peek() == ']' {
		p.pos++
		p.put("]")
		return nil
	}
	for {
		if err := p.value("JSON value"); err != nil {
			return err
		}
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.put(", ")
		case ']':
			p.pos++
			p.put("]")
			return nil
		default:
			return p.unexpected(`"," or "]"`)
		}
	}
}

func (p *jsonParser) object() error {
	p.pos++
	first, start := len(p.members), len(p.out)
	p.put("{")
	p.space()
	if p.peek() == '}' {
		p.pos++
		p.put("}")
		return nil
	}
	for expected := `string or "}"`; ; expected = "string" {
		p.space()
		if p.peek() != '"' {
			return p.unexpected(expected)
		}
		m := jsonMember{key: len(p.out) + 1}
		if err := p.string(); err != nil {
			return err
		}
		m.keyEnd = len(p.out) - 1
		p.space()
		if p.peek() != ':' {
			return p.unexpected(`":"`)
		}
		p.pos++
		p.put(": ")
		if err := p.value("JSON value"); err != nil {
			return err
		}
		m.end = len(p.out)
		p.members = append(p.members, m)
		p.space()
		switch p.peek() {
		case ',':
			p.pos++
			p.put(", ")
		case '}':
			p.pos++
			if !p.check {
				p.order(start, p.members[first:])
			}
			p.members = p.members[:first]
			p.put("}")
			return nil
		default:
			return p.unexpected(`"," or "}"`)
		}
	}
}

// compareKeys orders keys as jsonb does.
func compareKeys(a, b []byte) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}

// order puts the members that follow out[start] in order if they are not.
func (p *jsonParser) order(start int, members []jsonMember) {
	key := func(m jsonMember) []byte { return rawKey(p.out[m.key:m.keyEnd]) }
	ordered := true
	for i := 1; i < len(members) && ordered; i++ {
		ordered = compareKeys(key(members[i-1]), key(members[i])) < 0
	}
	if ordered {
		return
	}
	slices.SortStableFunc(members, func(a, b jsonMember) int { return compareKeys(key(a), key(b)) })
	p.scratch = p.scratch[:0]
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(key(m), key(members[i+1])) {
			continue // a later one has the same key
		}
		if len(p.scratch) > 0 {
			p.scratch = append(p.scratch, ", "...)
		}
		p.scratch = append(p.scratch, p.out[m.key-1:m.end]...)
	}
	p.out = append(p.out[:start+1], p.scratch...)
}

// rawKey undoes a key's escapes, which don't count in its order.
func rawKey(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	return []byte(unquoteJSON(`"` + string(b) + `"`))
}

func (p *jsonParser) number() error {
	start, plain := p.pos, true
	if p.peek() == '-' {
		p.pos++
	}
	ok := isDigit(p.peek())
	if p.peek() == '0' {
		p.pos++
	} else {
		p.digits()
	}
	if p.peek() == '.' {
		p.pos++
		ok = ok && isDigit(p.peek())
		p.digits()
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		plain = false
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		ok = ok && isDigit(p.peek())
		p.digits()
	}
	if !ok || p.pos < len(p.src) && isTokenByte(p.src[p.pos]) {
		return p.badToken(start)
	}
	text := p.src[start:p.pos]
	if p.check {
		return nil
	}
	if plain && text[0] != '-' && len(text) < 1000 {
		p.out = append(p.out, text...)
		return nil
	}
	d, err := ParseNumeric(text)
	if err != nil {
		return err
	}
	p.out = AppendNumericText(p.out, d)
	return nil
}

func (p *jsonParser) digits() {
	for isDigit(p.peek()) {
		p.pos++
	}
}

// string reads a string and writes it with the canonical escapes.
func (p *jsonParser) string() error {
	start := p.pos
	p.pos++
	p.put(`"`)
	from := p.pos
	for {
		if p.pos == len(p.src) {
			p.pos = start
			return p.badToken(start)
		}
		switch c := p.src[p.pos]; {
		case c == '"':
			p.put(p.src[from:p.pos])
			p.put(`"`)
			p.pos++
			return nil
		case c < ' ':
			return p.invalid("Character with value 0x%02x must be escaped.", c)
		case c == '\\':
			p.put(p.src[from:p.pos])
			if err := p.escape(start); err != nil {
				return err
			}
			from = p.pos
		default:
			p.pos++
		}
	}
}

// escape reads one escape; start is where the string begins.
func (p *jsonParser) escape(start int) error {
	p.pos++
	if p.pos == len(p.src) {
		return p.badToken(start)
	}
	c := p.src[p.pos]
	if c == 'u' {
		return p.unicodeEscape(start)
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		_, n := utf8.DecodeRuneInString(p.src[p.pos:])
		return p.invalid("Escape sequence \"\\%s\" is invalid.", p.src[p.pos:p.pos+n])
	}
	p.pos++
	if !p.check {
		p.out = appendJSONByte(p.out, "\"\\/\b\f\n\r\t"[i])
	}
	return nil
}

func (p *jsonParser) unicodeEscape(start int) error {
	r, err := p.hex4(start)
	if err != nil || p.check {
		return err
	}
	switch {
	case r == 0:
		return Errorf("22P05", "unsupported Unicode escape sequence").WithDetail(`\u0000 cannot be converted to text.`)
	case r >= 0xDC00 && r <= 0xDFFF:
		return p.invalid("Unicode low surrogate must follow a high surrogate.")
	case r >= 0xD800 && r <= 0xDBFF:
		if p.pos == len(p.src) {
			return p.badToken(start)
		}
		if !strings.HasPrefix(p.src[p.pos:], `\u`) {
			return p.invalid("Unicode low surrogate must follow a high surrogate.")
		}
		p.pos++
		low, err := p.hex4(start)
		if err != nil {
			return err
		}
		if low < 0xDC00 || low > 0xDFFF {
			return p.invalid("Unicode low surrogate must follow a high surrogate.")
		}
		r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
	}
	if r < utf8.RuneSelf {
		p.out = appendJSONByte(p.out, byte(r))
	} else {
		p.out = utf8.AppendRune(p.out, r)
	}
	return nil
}

// hex4 reads uXXXX.
func (p *jsonParser) hex4(start int) (rune, error) {
	p.pos++
	r := rune(0)
	for range 4 {
		if p.pos == len(p.src) {
			return 0, p.badToken(start)
		}
		d, ok := hexDigit(p.src[p.pos])
		if !ok {
			return 0, p.invalid(`"\u" must be followed by four hexadecimal digits.`)
		}
		r = r<<4 | rune(d)
		p.pos++
	}
	return r, nil
}

// AppendJSONString appends s as a JSON string with PostgreSQL's escapes.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			dst = appendJSONByte(append(dst, s[from:i]...), c)
			from = i + 1
		}
	}
	return append(append(dst, s[from:]...), '"')
}

func appendJSONByte(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	if c < ' ' {
		const hex = "0123456789abcdef"
		return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
	}
	return append(dst, c)
}

func isTokenByte(c byte) bool {
	return isDigit(c) || isAlpha(c) || c == '_' || c == '$'
}

// tokenEnd is where the token at pos ends: a run of word characters, or one character.
func (p *jsonParser) tokenEnd() int {
	end := p.pos
	for end < len(p.src) && isTokenByte(p.src[end]) {
		end++
	}
	if end == p.pos && end < len(p.src) {
		end++
	}
	return end
}

// unexpected is the error of a token that does not fit the grammar.
func (p *jsonParser) unexpected(expected string) error {
	if p.pos == len(p.src) {
		return p.invalid("The input string ended unexpectedly.")
	}
	token := p.src[p.pos:p.tokenEnd()]
	c := token[0]
	start, written := p.pos, len(p.out)
	switch {
	case c == '"' || c == '-' || isDigit(c):
		read := p.number
		if c == '"' {
			read = p.string
		}
		if err := read(); err != nil {
			return err
		}
		token, p.out = p.src[start:p.pos], p.out[:written]
	case strings.IndexByte("{}[],:", c) < 0 && token != "true" && token != "false" && token != "null":
		return p.invalid("Token \"%s\" is invalid.", token)
	}
	if expected == "end of input" {
		return p.invalid("Expected end of input, but found \"%s\".", token)
	}
	return p.invalid("Expected %s, but found \"%s\".", expected, token)
}

// badToken is the error of a token that starts at start and is malformed.
func (p *jsonParser) badToken(start int) error {
	end := p.pos
	for end < len(p.src) && isTokenByte(p.src[end]) {
		end++
	}
	if p.src[start] == '"' {
		end = len(p.src)
	}
	return p.invalid("Token \"%s\" is invalid.", p.src[start:end])
}

func (p *jsonParser) invalid(detail string, args ...any) error {
	return Errorf(CodeInvalidText, "invalid input syntax for type json").WithDetail(detail, args...)
}

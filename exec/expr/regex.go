package expr

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// PostgreSQL's advanced regular expressions are translated to Go's (RE2), whose matching time is
// linear: no pattern can stall a stream. What RE2 lacks, back references and look-around, is 0A000.
// A pattern without non-greedy quantifiers is matched leftmost-longest, as in PostgreSQL; one with
// them is matched as in Perl, where PostgreSQL lets the first quantifier decide for the whole.

// regexOptions are the letters of a flags argument or of an embedded (?…).
type regexOptions struct {
	insensitive bool
	newlineDot  bool // . and [^…] don't match a newline
	newlineLine bool // ^ and $ match around newlines
	expanded    bool
	literal     bool
	global      bool
}

// options reads option letters; g is only for functions that replace.
func (o *regexOptions) parse(flags string, allowGlobal bool) error {
	for _, r := range flags {
		switch r {
		case 'g':
			if !allowGlobal {
				return badRegexOption(r)
			}
			o.global = true
		case 'i':
			o.insensitive = true
		case 'c':
			o.insensitive = false
		case 'n', 'm':
			o.newlineDot, o.newlineLine = true, true
		case 's':
			o.newlineDot, o.newlineLine = false, false
		case 'p':
			o.newlineDot, o.newlineLine = true, false
		case 'w':
			o.newlineDot, o.newlineLine = false, true
		case 'x':
			o.expanded = true
		case 't':
			o.expanded = false
		case 'q':
			o.literal = true
		case 'e':
		case 'b':
			return sql.Unsupported("the basic regular expression option \"b\"", "Write an advanced regular expression.")
		default:
			return badRegexOption(r)
		}
	}
	return nil
}

func badRegexOption(r rune) error {
	return sql.Errorf(sql.CodeInvalidParameter, "invalid regular expression option: \"%c\"", r)
}

// regexTranslator rewrites one pattern.
type regexTranslator struct {
	src       string
	pos       int
	o         regexOptions
	out       strings.Builder
	parens    int
	groups    int // capturing ones so far
	nonGreedy bool
	// atom: something that a quantifier may follow has been written. quantified: a quantifier has.
	atom, quantified bool
	wordBefore       bool // the last atom was a literal word character
	wantWord         bool // \m: the next atom must be a literal word character
}

func (t *regexTranslator) translate() error {
	if err := t.director(); err != nil {
		return err
	}
	if t.o.literal {
		t.out.WriteString(regexp.QuoteMeta(t.src[t.pos:]))
		return nil
	}
	for t.pos < len(t.src) {
		if err := t.next(); err != nil {
			return err
		}
	}
	if t.parens > 0 {
		return badRegex("parentheses () not balanced")
	}
	if t.wantWord {
		return unsupportedRegex(`the constraint \m before anything but a word character`)
	}
	return nil
}

// director handles a pattern's leading ***= or ***: and the embedded options after it.
func (t *regexTranslator) director() error {
	if rest, ok := strings.CutPrefix(t.src, "***"); ok {
		switch {
		case strings.HasPrefix(rest, "="):
			t.o.literal, t.pos = true, 4
			return nil
		case strings.HasPrefix(rest, ":"):
			t.pos = 4
		default:
			return badRegex("quantifier operand invalid")
		}
	}
	rest := t.src[t.pos:]
	if len(rest) > 2 && rest[0] == '(' && rest[1] == '?' && rest[2] >= 'a' && rest[2] <= 'z' {
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return badRegex("invalid embedded option")
		}
		if err := t.o.parse(rest[2:end], false); err != nil {
			return badRegex("invalid embedded option")
		}
		t.pos += end + 1
	}
	return nil
}

func (t *regexTranslator) has(prefix string) bool { return strings.HasPrefix(t.src[t.pos:], prefix) }

// put writes an atom.
func (t *regexTranslator) put(s string) error {
	if t.wantWord {
		return unsupportedRegex(`the constraint \m before anything but a word character`)
	}
	t.out.WriteString(s)
	t.atom, t.quantified, t.wordBefore = true, false, false
	return nil
}

// putRune writes a literal character.
func (t *regexTranslator) putRune(r rune) error {
	word := r == '_' || r < utf8.RuneSelf && (isASCIILetter(byte(r)) || isASCIIDigit(byte(r)))
	if t.wantWord && word {
		t.wantWord = false
	}
	text := regexp.QuoteMeta(string(r))
	if r > utf8.MaxRune {
		text = `[^\x00-\x{10FFFF}]`
	}
	err := t.put(text)
	t.wordBefore = word
	return err
}

func isASCIILetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isASCIIDigit(c byte) bool  { return c >= '0' && c <= '9' }

// constraint writes something of no width, which can't be quantified.
func (t *regexTranslator) constraint(s string) {
	t.out.WriteString(s)
	t.atom, t.wordBefore = false, false
}

func (t *regexTranslator) next() error {
	c := t.src[t.pos]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return t.bracket()
	case '(':
		return t.open()
	case ')':
		if t.parens == 0 {
			return badRegex("parentheses () not balanced")
		}
		t.parens--
		t.pos++
		return t.put(")")
	case '*', '+', '?':
		return t.quantifier(string(c), 1)
	case '{':
		return t.bound()
	case '|':
		t.pos++
		t.constraint("|")
		return nil
	case '^', '$':
		t.pos++
		t.constraint(string(c))
		return nil
	case '.':
		t.pos++
		return t.put(".")
	}
	if t.o.expanded {
		if c == ' ' || c >= '\t' && c <= '\r' {
			t.pos++
			return nil
		}
		if c == '#' {
			end := strings.IndexByte(t.src[t.pos:], '\n')
			if end < 0 {
				end = len(t.src) - t.pos
			}
			t.pos += end
			return nil
		}
	}
	r, n := utf8.DecodeRuneInString(t.src[t.pos:])
	t.pos += n
	return t.putRune(r)
}

func (t *regexTranslator) open() error {
	switch {
	case t.has("(?#"):
		end := strings.IndexByte(t.src[t.pos:], ')')
		if end < 0 {
			return badRegex("parentheses () not balanced")
		}
		t.pos += end + 1
		return nil
	case t.has("(?:"):
		t.pos += 3
		t.constraint("(?:")
	case t.has("(?=") || t.has("(?!") || t.has("(?<=") || t.has("(?<!"):
		return unsupportedRegex("look-around")
	case t.has("(?"):
		return badRegex("quantifier operand invalid")
	default:
		t.pos++
		t.groups++
		t.constraint("(")
	}
	if t.wantWord {
		return unsupportedRegex(`the constraint \m before anything but a word character`)
	}
	t.parens++
	return nil
}

func (t *regexTranslator) quantifier(q string, n int) error {
	if !t.atom || t.quantified {
		return badRegex("quantifier operand invalid")
	}
	t.pos += n
	if t.has("?") {
		t.pos++
		q += "?"
		t.nonGreedy = true
	}
	t.out.WriteString(q)
	t.quantified, t.wordBefore = true, false
	return nil
}

// maxRepeat is the highest count of a bound.
const maxRepeat = 255

// bound reads {m}, {m,} or {m,n}; a brace before anything but a digit is itself.
func (t *regexTranslator) bound() error {
	rest := t.src[t.pos+1:]
	if rest == "" || !isASCIIDigit(rest[0]) {
		t.pos++
		return t.putRune('{')
	}
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		return badRegex("braces {} not balanced")
	}
	low, high, ranged := strings.Cut(rest[:end], ",")
	m, err := strconv.Atoi(low)
	if err != nil || m > maxRepeat {
		return badRegex("invalid repetition count(s)")
	}
	if ranged && high != "" {
		n, err := strconv.Atoi(high)
		if err != nil || n > maxRepeat || n < m {
			return badRegex("invalid repetition count(s)")
		}
	}
	return t.quantifier("{"+rest[:end]+"}", end+2)
}

// classEscapes are the escapes for classes of characters, outside brackets and inside.
var classEscapes = map[byte][2]string{
	'd': {`\d`, `\d`}, 's': {`[\s\v]`, `\s\v`}, 'w': {`[\pL\p{Nd}_]`, `\pL\p{Nd}_`},
	'D': {`\D`, ""}, 'S': {`[^\s\v]`, ""}, 'W': {`[^\pL\p{Nd}_]`, ""},
}

func (t *regexTranslator) escape() error {
	if t.pos+1 == len(t.src) {
		return badRegex(`invalid escape \ sequence`)
	}
	c := t.src[t.pos+1]
	if class, ok := classEscapes[c]; ok {
		t.pos += 2
		return t.put(class[0])
	}
	switch c {
	case 'A', 'Z', 'y', 'Y', 'm', 'M':
		return t.constraintEscape(c)
	}
	if c >= '1' && c <= '9' {
		if r, ok := t.octalEscape(); ok {
			return t.putRune(r)
		}
		return unsupportedRegex("a back reference")
	}
	r, err := t.charEscape()
	if err != nil {
		return err
	}
	return t.putRune(r)
}

// octalEscape reads what looks like a back reference but has more than one digit and is above the
// number of groups so far: it is one to three octal digits then.
func (t *regexTranslator) octalEscape() (rune, bool) {
	end, v := t.pos+1, 0
	for end < len(t.src) && isASCIIDigit(t.src[end]) {
		end++
	}
	if n, err := strconv.Atoi(t.src[t.pos+1 : end]); end == t.pos+2 || err == nil && n <= t.groups {
		return 0, false
	}
	for end = t.pos + 1; end < len(t.src) && end < t.pos+4 && t.src[end] >= '0' && t.src[end] <= '7'; end++ {
		next := v*8 + int(t.src[end]-'0')
		if next > 0xff {
			break
		}
		v = next
	}
	if end == t.pos+1 {
		return 0, false
	}
	t.pos = end
	return rune(v), true
}

func (t *regexTranslator) constraintEscape(c byte) error {
	t.pos += 2
	switch c {
	case 'A':
		t.constraint(`\A`)
	case 'Z':
		t.constraint(`\z`)
	case 'y':
		t.constraint(`\b`)
	case 'Y':
		t.constraint(`\B`)
	case 'm': // RE2 has no start of word; before a word character any boundary is one
		t.constraint(`\b`)
		t.wantWord = true
	case 'M':
		if !t.wordBefore {
			return unsupportedRegex(`the constraint \M after anything but a word character`)
		}
		t.constraint(`\b`)
	}
	return nil
}

// charEscape reads an escape for one character, with pos at the backslash.
func (t *regexTranslator) charEscape() (rune, error) {
	c := t.src[t.pos+1]
	t.pos += 2
	if !isASCIILetter(c) && !isASCIIDigit(c) {
		r, n := utf8.DecodeRuneInString(t.src[t.pos-1:])
		t.pos += n - 1
		return r, nil
	}
	if i := strings.IndexByte("abefnrtvB", c); i >= 0 {
		return []rune("\a\b\x1b\f\n\r\t\v\\")[i], nil
	}
	switch c {
	case 'c':
		if t.pos < len(t.src) {
			t.pos++
			return rune(t.src[t.pos-1] & 0x1f), nil
		}
	case 'u':
		return t.hexEscape(4, 4)
	case 'U':
		return t.hexEscape(8, 8)
	case 'x':
		return t.hexEscape(1, 255)
	case '0':
		r := rune(0)
		for n := 0; n < 2 && t.pos < len(t.src) && t.src[t.pos] >= '0' && t.src[t.pos] <= '7'; n++ {
			r = r*8 + rune(t.src[t.pos]-'0')
			t.pos++
		}
		return r, nil
	}
	return 0, badRegex(`invalid escape \ sequence`)
}

func (t *regexTranslator) hexEscape(least, most int) (rune, error) {
	end := t.pos
	for end < len(t.src) && end-t.pos < most && strings.IndexByte("0123456789abcdefABCDEF", t.src[end]) >= 0 {
		end++
	}
	v := uint32(0) // wraps around, as in PostgreSQL
	for i := t.pos; i < end; i++ {
		digit, _ := strconv.ParseUint(t.src[i:i+1], 16, 8)
		v = v<<4 | uint32(digit)
	}
	if end-t.pos < least || v > 0x7ffffffe {
		return 0, badRegex(`invalid escape \ sequence`)
	}
	t.pos = end
	return rune(v), nil // above Unicode's last it is a character that no text has
}

package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// posixClasses are the classes of [[:name:]], over Unicode.
var posixClasses = map[string]string{
	"alpha": `\pL`, "digit": `\d`, "alnum": `\pL\p{Nd}`, "upper": `\p{Lu}`, "lower": `\p{Ll}`, "space": `\s\v`,
	"blank": ` \t`, "punct": `[:punct:]`, "cntrl": `[:cntrl:]`, "graph": `[:graph:]`, "print": `[:print:]`,
	"xdigit": `[:xdigit:]`, "word": `\pL\p{Nd}_`,
}

// bracket translates a bracket expression.
func (t *regexTranslator) bracket() error {
	switch {
	case t.has("[[:<:]]"):
		t.pos += len("[[:<:]]") - 2
		return t.constraintEscape('m')
	case t.has("[[:>:]]"):
		t.pos += len("[[:>:]]") - 2
		return t.constraintEscape('M')
	}
	t.pos++
	var set strings.Builder
	set.WriteByte('[')
	if t.has("^") {
		t.pos++
		set.WriteByte('^')
		if t.o.newlineDot {
			set.WriteString(`\n`)
		}
	}
	for first := true; ; first = false {
		if t.pos == len(t.src) {
			return badRegex("brackets [] not balanced")
		}
		if t.has("]") && !first {
			t.pos++
			set.WriteByte(']')
			return t.put(set.String())
		}
		if err := t.bracketItem(&set); err != nil {
			return err
		}
	}
}

// bracketItem translates a class, a character or a range.
func (t *regexTranslator) bracketItem(set *strings.Builder) error {
	if t.has("[:") {
		end := strings.Index(t.src[t.pos+2:], ":]")
		if end < 0 {
			return badRegex("brackets [] not balanced")
		}
		class, ok := posixClasses[t.src[t.pos+2:t.pos+2+end]]
		if !ok {
			return badRegex("invalid character class")
		}
		set.WriteString(class)
		t.pos += end + 4
		return nil
	}
	if t.has(`\`) && t.pos+1 < len(t.src) {
		if class, ok := classEscapes[t.src[t.pos+1]]; ok {
			if class[1] == "" {
				return badRegex(`invalid escape \ sequence`)
			}
			set.WriteString(class[1])
			t.pos += 2
			return nil
		}
	}
	low, err := t.bracketChar()
	if err != nil {
		return err
	}
	set.WriteString(quoteInBracket(low))
	if !t.has("-") || t.has("-]") {
		return nil
	}
	t.pos++
	high, err := t.bracketChar()
	if err != nil {
		return err
	}
	if high < low {
		return badRegex("invalid character range")
	}
	set.WriteString("-" + quoteInBracket(high))
	return nil
}

// bracketChar reads one end of a range.
func (t *regexTranslator) bracketChar() (rune, error) {
	if t.pos == len(t.src) {
		return 0, badRegex("brackets [] not balanced")
	}
	for _, quote := range [...]string{".", "="} { // [.x.], [=x=]
		if !t.has("[" + quote) {
			continue
		}
		end := strings.Index(t.src[t.pos+2:], quote+"]")
		if end < 0 {
			return 0, badRegex("brackets [] not balanced")
		}
		r, n := utf8.DecodeRuneInString(t.src[t.pos+2:])
		if n != end {
			return 0, badRegex("invalid collating element")
		}
		t.pos += end + 4
		return r, nil
	}
	if t.has(`\`) {
		if t.pos+1 == len(t.src) {
			return 0, badRegex(`invalid escape \ sequence`)
		}
		return t.charEscape()
	}
	r, n := utf8.DecodeRuneInString(t.src[t.pos:])
	t.pos += n
	return r, nil
}

// quoteInBracket is a character as itself inside brackets.
func quoteInBracket(r rune) string {
	switch r {
	case '-', '^', ']', '[', '\\':
		return `\` + string(r)
	}
	return regexp.QuoteMeta(string(r))
}

package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// similarToRegex makes a regular expression of an SQL one: % and _ as in LIKE, | * + ? {} () [] as
// in POSIX, and the escape character before any of them. The result matches whole texts.
func similarToRegex(pattern, escape string) (string, error) {
	if utf8.RuneCountInString(escape) > 1 {
		return "", errEscapeLength
	}
	var b strings.Builder
	b.WriteString("^(?:")
	if err := similarBody(&b, pattern, escape); err != nil {
		return "", err
	}
	b.WriteString(")$")
	return b.String(), nil
}

var errSeparators = sql.Errorf("2200C", `SQL regular expression may not contain more than two escape-double-quote separators`)

// similarBody translates a pattern, or one of the parts that separators divide it into.
func similarBody(b *strings.Builder, pattern, escape string) error {
	// Brackets may nest, as in [[:alpha:]]; a closing one right at the start, or after ^, is itself.
	depth, start, separators, afterEscape := 0, 0, 0, false
	for _, r := range pattern {
		c := string(r)
		switch {
		case afterEscape:
			afterEscape = false
			if c != `"` || depth > 0 {
				b.WriteString(`\` + c)
				break
			}
			switch separators++; separators {
			case 1: // the text up to here matches as little as it can; what follows is the result
				b.WriteString("){1,1}?(")
			case 2:
				b.WriteString("){1,1}(?:")
			default:
				return errSeparators
			}
		case escape != "" && c == escape:
			afterEscape = true
		case depth > 0:
			if c == `\` {
				b.WriteString(`\`)
			}
			b.WriteString(c)
			if c == "]" && start > 2 {
				depth--
			} else if c == "[" {
				depth++
			}
			if c == "^" {
				start++
			} else {
				start = 3
			}
		case c == "[":
			b.WriteString(c)
			depth, start = 1, 1
		case c == "%":
			b.WriteString(".*")
		case c == "_":
			b.WriteString(".")
		case c == "(":
			b.WriteString("(?:")
		case strings.Contains(`\.^$`, c):
			b.WriteString(`\` + c)
		default:
			b.WriteString(c)
		}
	}
	return nil
}

// similarSubstring is substring(s similar pattern escape e): the part of s that the pattern's middle
// between the two separators matches, or all of it.
func similarSubstring(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	pattern, ok1 := args[1].(string)
	escape, ok2 := args[2].(string)
	if !ok1 || !ok2 {
		return nil, nil
	}
	if utf8.RuneCountInString(escape) > 1 && !in.Args[0].isNullConst() { // even if the text of a row is NULL
		return nil, errEscapeLength
	}
	s, ok := args[0].(string)
	if !ok {
		return nil, nil
	}
	regex, err := similarParts(pattern, escape)
	if err != nil {
		return nil, err
	}
	found, err := regexSubstring(nil, s, regex)
	if err == Null {
		return nil, nil
	}
	return found, err
}

// similarParts is the regular expression whose group is the pattern's middle.
func similarParts(pattern, escape string) (string, error) {
	parts := []string{pattern}
	if escape != "" {
		parts = strings.Split(pattern, escape+`"`)
	}
	if len(parts) > 3 {
		return "", errSeparators
	}
	if len(parts) != 3 {
		parts = []string{"", strings.Join(parts, ""), ""}
	}
	var b strings.Builder
	b.WriteString("^")
	for i, part := range parts {
		group := "(?:"
		if i == 1 {
			group = "("
		}
		var body strings.Builder
		if err := similarBody(&body, part, escape); err != nil {
			return "", err
		}
		text := body.String()
		if i == 0 { // the first part matches as little as it can
			text = strings.ReplaceAll(text, ".*", ".*?")
		}
		b.WriteString(group + text + ")")
	}
	b.WriteString("$")
	return b.String(), nil
}

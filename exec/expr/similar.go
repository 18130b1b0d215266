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

// similarBody translates a pattern, or one of the parts that an escape and a quote divide it into.
func similarBody(b *strings.Builder, pattern, escape string) error {
	inBracket, afterEscape := false, false
	for _, r := range pattern {
		c := string(r)
		switch {
		case afterEscape:
			afterEscape = false
			if c == `"` && !inBracket { // a separator of substring(… SIMILAR …)
				return sql.Errorf("2200C", `SQL regular expression may not contain more than two escape-double-quote separators`)
			}
			b.WriteString(`\` + c)
		case escape != "" && c == escape:
			afterEscape = true
		case inBracket:
			if c == `\` {
				b.WriteString(`\`)
			}
			b.WriteString(c)
			inBracket = c != "]"
		case c == "[":
			b.WriteString(c)
			inBracket = true
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
func similarSubstring(_ *Context, s, pattern, escape string) (string, error) {
	if utf8.RuneCountInString(escape) > 1 {
		return "", errEscapeLength
	}
	parts := []string{pattern}
	if escape != "" {
		parts = strings.Split(pattern, escape+`"`)
	}
	if len(parts) > 3 {
		return "", sql.Errorf("2200C", `SQL regular expression may not contain more than two escape-double-quote separators`)
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
	return regexSubstring(nil, s, b.String())
}

package expr

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// regexes holds the patterns compiled last.
var regexes sql.Memo[regexKey, *regex]

type regexKey struct {
	pattern string
	options regexOptions
}

// regex is a compiled pattern.
type regex struct {
	*regexp.Regexp
	// after matches one character and then the pattern, from the start of a text: the pattern at a
	// place inside a text, which Go's package has no way to ask for.
	after *regexp.Regexp
}

// find is the first match of s that starts at the byte offset from or later. What is before counts as
// context: ^ does not match at from.
func (re *regex) find(s string, from int) []int {
	if from == 0 {
		return re.FindStringSubmatchIndex(s)
	}
	for {
		_, before := utf8.DecodeLastRuneInString(s[:from])
		rest := s[from-before:]
		m := re.FindStringSubmatchIndex(rest)
		if m == nil {
			return nil
		}
		if m[0] == 0 { // starts too early; is there one right at from?
			if m = re.after.FindStringSubmatchIndex(rest); m == nil {
				if from == len(s) {
					return nil
				}
				_, n := utf8.DecodeRuneInString(s[from:])
				from += n
				continue
			}
			m[0] = before
		}
		for i := range m {
			if m[i] >= 0 {
				m[i] += from - before
			}
		}
		return m
	}
}

// findAll calls yield for the matches from an offset on, as PostgreSQL goes through them: a search
// starts where the last match ended, or a character further if that was empty.
func (re *regex) findAll(s string, from int, yield func(m []int) bool) {
	for from <= len(s) {
		m := re.find(s, from)
		if m == nil || !yield(m) {
			return
		}
		if from = m[1]; m[0] == m[1] {
			_, n := utf8.DecodeRuneInString(s[from:])
			from += max(n, 1)
		}
	}
}

// compileRegex translates and compiles a pattern. Errors: 2201B, 0A000.
func compileRegex(pattern string, o regexOptions) (*regex, error) {
	o.global = false
	if re, ok := regexes.Load(regexKey{pattern, o}); ok {
		return re, nil
	}
	re, err := newRegex(pattern, o)
	if err != nil {
		return nil, err
	}
	regexes.Store(regexKey{strings.Clone(pattern), o}, re)
	return re, nil
}

func newRegex(pattern string, o regexOptions) (*regex, error) {
	t := regexTranslator{src: pattern, o: o}
	if err := t.translate(); err != nil {
		return nil, err
	}
	flags := ""
	if t.o.insensitive {
		flags += "i"
	}
	if !t.o.newlineDot {
		flags += "s"
	}
	if t.o.newlineLine {
		flags += "m"
	}
	text := t.out.String()
	if flags != "" {
		text = "(?" + flags + ")" + text
	}
	re := &regex{}
	var err error
	if re.Regexp, err = regexp.Compile(text); err != nil {
		return nil, badRegex(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if re.after, err = regexp.Compile(`\A(?s:.)(?:` + text + `)`); err != nil {
		return nil, badRegex(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	if !t.nonGreedy {
		re.Longest()
		re.after.Longest()
	}
	return re, nil
}

func badRegex(why string) error {
	return sql.Errorf("2201B", "invalid regular expression: %s", why)
}

func unsupportedRegex(what string) error {
	return sql.Unsupported(what+" in a regular expression", "Patterns are matched in linear time, which rules it out.")
}

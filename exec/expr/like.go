package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Like is `e [NOT] [I]LIKE pattern [ESCAPE escape]`; escape is nil when not given.
func Like(e, pattern, escape Expr, not, insensitive bool) (Expr, error) {
	if escape != nil {
		var err error
		if pattern, err = Call("like_escape", []Expr{pattern, escape}); err != nil {
			return nil, err
		}
	}
	op := "~~"
	if insensitive {
		op += "*"
	}
	if not {
		op = "!" + op
	}
	return Operator(op, e, pattern)
}

var (
	errLikeEscapeEnd = sql.Errorf("22025", "LIKE pattern must not end with escape character")
	errEscapeLength  = sql.Errorf("22025", "invalid escape string").WithHint("Escape string must be empty or one character.")
)

// likeKernel matches the first argument against the second. A constant pattern is compiled once.
func likeKernel(insensitive, want bool) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		text, pattern := bytesReader(in.Args[0]), bytesReader(in.Args[1])
		out := stream.NewBitmap(in.Rows)
		var p likePattern
		compiled := false
		for i := range in.Rows {
			if !in.Valid.Get(i) {
				continue
			}
			if !compiled {
				p.compile(pattern(i), insensitive, in.Args[1].Type.Kind == sql.Bytea)
				compiled = in.Args[1].Const
			}
			ok, err := p.match(text(i))
			if err != nil {
				in.Fail(c, i, err)
			} else if ok == want {
				out.Set(i)
			}
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

// bytesReader reads text and bytea alike.
func bytesReader(v Vector) func(i int) string {
	if v.Type.Kind == sql.Bytea {
		b := reader[[]byte](v)
		return func(i int) string { return string(b(i)) }
	}
	return reader[string](v)
}

// likePattern is a compiled LIKE pattern. Patterns without _ inside and with % only at the ends, the
// usual ones, become a prefix, suffix, substring or equality test.
type likePattern struct {
	form    likeForm
	literal string // of the simple forms
	pattern string // of likeGeneral
	fold    bool
	bytes   bool // characters are bytes
}

type likeForm uint8

const (
	likeGeneral likeForm = iota
	likeEqual
	likePrefix
	likeSuffix
	likeContains
)

func (p *likePattern) compile(pattern string, fold, bytes bool) {
	if fold {
		pattern = strings.ToLower(pattern)
	}
	*p = likePattern{pattern: pattern, fold: fold, bytes: bytes}
	body := strings.Trim(pattern, "%")
	if strings.ContainsAny(body, `%_\`) || strings.ContainsAny(pattern, `\`) {
		return
	}
	starts, ends := strings.HasPrefix(pattern, "%"), strings.HasSuffix(pattern, "%")
	p.literal = body
	switch {
	case starts && ends:
		p.form = likeContains
	case starts:
		p.form = likeSuffix
	case ends:
		p.form = likePrefix
	default:
		p.form = likeEqual
	}
}

func (p *likePattern) match(s string) (bool, error) {
	if p.fold {
		s = strings.ToLower(s)
	}
	switch p.form {
	case likeEqual:
		return s == p.literal, nil
	case likePrefix:
		return strings.HasPrefix(s, p.literal), nil
	case likeSuffix:
		return strings.HasSuffix(s, p.literal), nil
	case likeContains:
		return strings.Contains(s, p.literal), nil
	}
	return p.general(s)
}

// general matches what the simple forms don't.
func (p *likePattern) general(s string) (bool, error) {
	r, err := p.matchFrom(s, p.pattern)
	return r == likeMatch, err
}

type likeResult uint8

const (
	likeMatch likeResult = iota
	likeMismatch
	likeAbort // nor will it match further on in the text: a % before need not try
)

// matchFrom walks text and pattern together, and tries the rest of the pattern at every position
// after a %. Like PostgreSQL's MatchText, it finds a bad escape only when it gets there.
func (p *likePattern) matchFrom(s, pat string) (likeResult, error) {
	for s != "" && pat != "" {
		switch pat[0] {
		case '%':
			return p.afterPercent(s, pat)
		case '_':
			s, pat = s[p.width(s):], pat[1:]
			continue
		case '\\':
			if pat = pat[1:]; pat == "" {
				return likeMismatch, errLikeEscapeEnd
			}
		}
		if pat[0] != s[0] {
			return likeMismatch, nil
		}
		s, pat = s[1:], pat[1:]
	}
	switch {
	case s != "":
		return likeMismatch, nil
	case strings.Trim(pat, "%") == "":
		return likeMatch, nil
	}
	return likeAbort, nil
}

// afterPercent matches a pattern that starts with %.
func (p *likePattern) afterPercent(s, pat string) (likeResult, error) {
	for pat != "" && (pat[0] == '%' || pat[0] == '_') {
		if pat[0] == '_' {
			if s == "" {
				return likeAbort, nil
			}
			s = s[p.width(s):]
		}
		pat = pat[1:]
	}
	if pat == "" {
		return likeMatch, nil
	}
	first := pat[0]
	if first == '\\' {
		if len(pat) < 2 {
			return likeMismatch, errLikeEscapeEnd
		}
		first = pat[1]
	}
	for s != "" {
		if s[0] == first {
			if r, err := p.matchFrom(s, pat); err != nil || r != likeMismatch {
				return r, err
			}
		}
		s = s[p.width(s):]
	}
	return likeAbort, nil
}

func (p *likePattern) width(s string) int {
	if p.bytes {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// likeEscape is like_escape: it rewrites a pattern with another escape character, or none, to one with a backslash.
func likeEscape(_ *Context, dst []byte, pattern, escape string) ([]byte, error) {
	return appendLikeEscape(dst, pattern, escape, utf8.RuneCountInString(escape))
}

// likeEscapeBytes takes bytes for characters.
func likeEscapeBytes(_ *Context, dst, pattern, escape []byte) ([]byte, error) {
	return appendLikeEscape(dst, string(pattern), string(escape), len(escape))
}

func appendLikeEscape(dst []byte, pattern, escape string, escapeChars int) ([]byte, error) {
	if escape == `\` {
		return append(dst, pattern...), nil
	}
	if escape == "" {
		return append(dst, strings.ReplaceAll(pattern, `\`, `\\`)...), nil
	}
	if escapeChars != 1 {
		return nil, errEscapeLength
	}
	after := false
	for pattern != "" {
		n := len(escape)
		isEscape := strings.HasPrefix(pattern, escape)
		if !isEscape {
			n = 1 // of a longer character, byte by byte is as good
		}
		switch {
		case isEscape && !after:
			dst = append(dst, '\\')
			after = true
		case pattern[0] == '\\':
			dst = append(dst, '\\')
			if !after {
				dst = append(dst, '\\')
			}
			after = false
		default:
			dst = append(dst, pattern[:n]...)
			after = false
		}
		pattern = pattern[n:]
	}
	return dst, nil
}

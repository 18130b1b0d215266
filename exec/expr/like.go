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

// general is the matcher with one point to go back to: the last % and where its tail was tried.
func (p *likePattern) general(s string) (bool, error) {
	pat := p.pattern
	si, pi := 0, 0
	backS, backP := -1, 0
	for si < len(s) || pi < len(pat) {
		if pi < len(pat) {
			switch c := pat[pi]; {
			case c == '%':
				pi++
				backS, backP = si, pi
				continue
			case c == '_' && si < len(s):
				pi++
				si += p.width(s[si:])
				continue
			case c == '\\' && pi+1 == len(pat):
				return false, errLikeEscapeEnd
			case c == '\\' && si < len(s) && pat[pi+1] == s[si]:
				pi += 2
				si++
				continue
			case c != '_' && c != '\\' && si < len(s) && c == s[si]:
				pi++
				si++
				continue
			}
			if si == len(s) { // the pattern wants more than there is
				return false, nil
			}
		}
		if backS < 0 || backS >= len(s) {
			return false, nil
		}
		backS += p.width(s[backS:])
		si, pi = backS, backP
	}
	return true, nil
}

func (p *likePattern) width(s string) int {
	if p.bytes {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// likeEscape rewrites a pattern with another escape character, or none, to one with a backslash.
func likeEscape[T string | []byte](_ *Context, dst []byte, patternT, escapeT T) ([]byte, error) {
	pattern, escape := string(patternT), string(escapeT)
	if escape == `\` {
		return append(dst, pattern...), nil
	}
	if escape == "" {
		return append(dst, strings.ReplaceAll(pattern, `\`, `\\`)...), nil
	}
	if utf8.RuneCountInString(escape) != 1 {
		return nil, errEscapeLength
	}
	after := false
	for i := 0; i < len(pattern); {
		_, n := utf8.DecodeRuneInString(pattern[i:])
		ch := pattern[i : i+n]
		i += n
		switch {
		case ch == escape && !after:
			dst = append(dst, '\\')
			after = true
		case ch == `\`:
			dst = append(dst, '\\')
			if !after {
				dst = append(dst, '\\')
			}
			after = false
		default:
			dst = append(dst, ch...)
			after = false
		}
	}
	return dst, nil
}

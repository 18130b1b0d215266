package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// regexFunctions are the operators ~ ~* !~ !~* and the functions over regular expressions.
func regexFunctions() []Function {
	text, int4, boolean, texts := sql.TypeText, sql.TypeInt4, sql.TypeBool, sql.ArrayOf(sql.TypeText)
	fns := []Function{
		{Name: "regexp_like", Args: types(text, text), Result: boolean, Kernel: regexMatchKernel(regexOptions{}, true)},
		{Name: "regexp_like", Args: types(text, text, text), Result: boolean, Kernel: RowN(regexpLike)},
		{Name: "substring", Args: types(text, text), Result: text, Kernel: Row2(regexSubstring)},
		{Name: "substring", Args: types(text, text, text), Result: text, CalledOnNull: true, Kernel: RowN(similarSubstring)},
		{Name: "similar_to_escape", Args: types(text), Result: text, Kernel: Row1(func(_ *Context, p string) (string, error) { return similarToRegex(p, `\`) })},
		{Name: "similar_to_escape", Args: types(text, text), Result: text, Kernel: Row2(func(_ *Context, p, e string) (string, error) { return similarToRegex(p, e) })},
	}
	for _, op := range []struct {
		name        string
		insensitive bool
		want        bool
	}{{"~", false, true}, {"~*", true, true}, {"!~", false, false}, {"!~*", true, false}} {
		for _, t := range []sql.Type{text, {Kind: sql.Char}, sql.TypeName} {
			fns = append(fns, Function{Name: op.name, Args: types(t, text), Result: boolean,
				Kernel: regexMatchKernel(regexOptions{insensitive: op.insensitive}, op.want)})
		}
	}
	for name, f := range map[string]struct {
		result sql.Type
		kernel Kernel
	}{
		"regexp_match":          {texts, RowN(regexpMatch)},
		"regexp_split_to_array": {texts, RowN(regexpSplit)},
	} {
		fns = append(fns,
			Function{Name: name, Args: types(text, text), Result: f.result, Kernel: f.kernel},
			Function{Name: name, Args: types(text, text, text), Result: f.result, Kernel: f.kernel})
	}
	for _, args := range [][]sql.Type{{}, {text}, {int4}, {int4, int4}, {int4, int4, text}} {
		fns = append(fns, Function{Name: "regexp_replace", Args: append(types(text, text, text), args...), Result: text, Kernel: RowN(regexpReplace)})
	}
	for _, args := range [][]sql.Type{{}, {int4}, {int4, text}} {
		fns = append(fns, Function{Name: "regexp_count", Args: append(types(text, text), args...), Result: int4, Kernel: RowN(regexpCount)})
	}
	for _, args := range [][]sql.Type{{}, {int4}, {int4, int4}, {int4, int4, text}, {int4, int4, text, int4}} {
		fns = append(fns, Function{Name: "regexp_substr", Args: append(types(text, text), args...), Result: text, Kernel: RowN(regexpSubstr)})
	}
	return fns
}

// Similar is `e [NOT] SIMILAR TO pattern [ESCAPE escape]`; escape is nil when not given.
func Similar(e, pattern, escape Expr, not bool) (Expr, error) {
	args := []Expr{pattern}
	if escape != nil {
		args = append(args, escape)
	}
	regex, err := Call("similar_to_escape", args)
	if err != nil {
		return nil, err
	}
	if not {
		return Operator("!~", e, regex)
	}
	return Operator("~", e, regex)
}

// regexMatchKernel matches the first argument against the second. A constant pattern is compiled once.
func regexMatchKernel(o regexOptions, want bool) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		text, pattern := reader[string](in.Args[0]), reader[string](in.Args[1])
		out := stream.NewBitmap(in.Rows)
		var re *regex
		for i := range in.Rows {
			if !in.Valid.Get(i) {
				continue
			}
			if re == nil || !in.Args[1].Const {
				var err error
				if re, err = compileRegex(pattern(i), o); err != nil {
					in.Fail(c, i, err)
					re = nil
					continue
				}
			}
			if re.MatchString(text(i)) == want {
				out.Set(i)
			}
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

// CheckPattern refuses e if it is a call with a constant pattern, or flags, that are not supported (0A000):
// when its statement is planned, and not for each of its rows. Whatever else is wrong with a pattern is an
// error of the rows that get there, as in PostgreSQL.
func CheckPattern(e Expr) error {
	c, ok := e.(*call)
	if !ok || !takesPattern(c.fn.Name) || len(c.args) < 2 || !c.args[0].Type().IsString() || !c.args[1].Type().IsString() {
		return nil
	}
	args := []Expr{Literal("", c.args[0].Type())}
	for _, a := range c.args[1:] {
		a = Fold(a)
		if d, ok := LiteralDatum(a); !ok || d == nil {
			return nil
		}
		args = append(args, a)
	}
	_, err := EvalDatum(&Context{}, c.with(args))
	if err != nil && sql.AsError(err).Code == sql.CodeFeatureNotSupported {
		return err
	}
	return nil
}

func takesPattern(name string) bool {
	switch name {
	case "~", "~*", "!~", "!~*", "substring":
		return true
	}
	return strings.HasPrefix(name, "regexp_")
}

// regexArg compiles args[1] with the flags of args[at], if there are any. The option g is for
// functions without a name here; others refuse it.
func regexArg(args []sql.Datum, at int, name string) (*regex, regexOptions, error) {
	var o regexOptions
	if at < len(args) {
		if err := o.parse(args[at].(string), true); err != nil {
			return nil, o, err
		}
	}
	if o.global && name != "" {
		err := sql.Errorf(sql.CodeInvalidParameter, "%s() does not support the \"global\" option", name)
		if name == "regexp_match" {
			err = err.WithHint("Use the regexp_matches function instead.")
		}
		return nil, o, err
	}
	re, err := compileRegex(args[1].(string), o)
	return re, o, err
}

func regexpLike(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	re, _, err := regexArg(args, 2, "regexp_like")
	if err != nil {
		return nil, err
	}
	return re.MatchString(args[0].(string)), nil
}

func regexpMatch(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	re, _, err := regexArg(args, 2, "regexp_match")
	if err != nil {
		return nil, err
	}
	s := args[0].(string)
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return nil, nil
	}
	if len(m) == 2 {
		return []sql.Datum{s[m[0]:m[1]]}, nil
	}
	out := make([]sql.Datum, 0, len(m)/2-1)
	for i := 2; i < len(m); i += 2 {
		if m[i] < 0 {
			out = append(out, nil)
		} else {
			out = append(out, s[m[i]:m[i+1]])
		}
	}
	return out, nil
}

func regexpSplit(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	re, _, err := regexArg(args, 2, "regexp_split_to_array")
	if err != nil {
		return nil, err
	}
	s, out, from := args[0].(string), []sql.Datum{}, 0
	re.findAll(s, 0, func(m []int) bool {
		if m[0] < len(s) && m[1] > from { // an empty match at an end or after another one splits nothing
			out = append(out, s[from:m[0]])
			from = m[1]
		}
		return true
	})
	return append(out, s[from:]), nil
}

// regexSubstring is the first match, or its first group if it has any.
func regexSubstring(_ *Context, s, pattern string) (string, error) {
	re, err := compileRegex(pattern, regexOptions{})
	if err != nil {
		return "", err
	}
	m := re.FindStringSubmatchIndex(s)
	if m == nil {
		return "", Null
	}
	if len(m) > 2 {
		m = m[2:]
	}
	if m[0] < 0 {
		return "", Null
	}
	return s[m[0]:m[1]], nil
}

// regexStart checks a start position argument and makes a byte offset of it.
func regexStart(s string, start sql.Datum) (int, error) {
	n := start.(int64)
	if n <= 0 {
		return 0, badParameter("start", n)
	}
	if int(n) > utf8.RuneCountInString(s)+1 {
		return len(s) + 1, nil // beyond any match
	}
	return charOffset(s, int(n-1)), nil
}

func badParameter(name string, n int64) error {
	return sql.Errorf(sql.CodeInvalidParameter, "invalid value for parameter \"%s\": %d", name, n)
}

// regexpReplace is regexp_replace(text, pattern, replacement [, flags] | [, start [, n [, flags]]]).
func regexpReplace(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	s, replacement := args[0].(string), args[2].(string)
	from, nth := 0, int64(1)
	flagsAt := 3
	if len(args) > 3 && in.Args[3].Type.Kind == sql.Int4 {
		var err error
		if from, err = regexStart(s, args[3]); err != nil {
			return nil, err
		}
		flagsAt = 5
		if len(args) > 4 {
			if nth = args[4].(int64); nth < 0 {
				return nil, badParameter("n", nth)
			}
		}
	} else if len(args) > 3 {
		if f := args[3].(string); f != "" && isASCIIDigit(f[0]) {
			return nil, sql.Errorf(sql.CodeInvalidParameter, "invalid regular expression option: \"%s\"", f[:1]).
				WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
		}
	}
	re, o, err := regexArg(args, flagsAt, "")
	if err != nil {
		return nil, err
	}
	if o.global && len(args) <= 4 {
		nth = 0
	}
	var out []byte
	last, i := 0, int64(0)
	re.findAll(s, from, func(m []int) bool {
		if i++; nth > 0 && i != nth {
			return true
		}
		out = append(out, s[last:m[0]]...)
		out = appendReplacement(out, replacement, s, m)
		last = m[1]
		return nth == 0
	})
	return string(append(out, s[last:]...)), nil
}

// appendReplacement appends a replacement with \1 to \9, \& and \\ filled in.
func appendReplacement(dst []byte, replacement, s string, m []int) []byte {
	for i := 0; i < len(replacement); i++ {
		c := replacement[i]
		if c != '\\' || i+1 == len(replacement) {
			dst = append(dst, c)
			continue
		}
		i++
		group := -1
		switch c := replacement[i]; {
		case c == '&':
			group = 0
		case c >= '1' && c <= '9':
			group = int(c - '0')
		case c == '\\':
			dst = append(dst, '\\')
			continue
		default:
			dst = append(dst, '\\', c)
			continue
		}
		if 2*group < len(m) && m[2*group] >= 0 {
			dst = append(dst, s[m[2*group]:m[2*group+1]]...)
		}
	}
	return dst
}

// regexpCount is regexp_count(text, pattern [, start [, flags]]).
func regexpCount(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s, from := args[0].(string), 0
	if len(args) > 2 {
		var err error
		if from, err = regexStart(s, args[2]); err != nil {
			return nil, err
		}
	}
	re, _, err := regexArg(args, 3, "regexp_count")
	if err != nil {
		return nil, err
	}
	n := int64(0)
	re.findAll(s, from, func([]int) bool { n++; return true })
	return n, nil
}

// regexpSubstr is regexp_substr(text, pattern [, start [, n [, flags [, group]]]]).
func regexpSubstr(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s, from, nth, group := args[0].(string), 0, int64(1), int64(0)
	var err error
	if len(args) > 2 {
		if from, err = regexStart(s, args[2]); err != nil {
			return nil, err
		}
	}
	if len(args) > 3 {
		if nth = args[3].(int64); nth <= 0 {
			return nil, badParameter("n", nth)
		}
	}
	if len(args) > 5 {
		if group = args[5].(int64); group < 0 {
			return nil, badParameter("subexpr", group)
		}
	}
	re, _, err := regexArg(args, 4, "regexp_substr")
	if err != nil {
		return nil, err
	}
	var found sql.Datum
	re.findAll(s, from, func(m []int) bool {
		if nth--; nth > 0 {
			return true
		}
		if group == 1 && len(m) == 2 {
			group = 0 // without groups the whole match counts as the first
		}
		if 2*group < int64(len(m)) && m[2*group] >= 0 {
			found = s[m[2*group]:m[2*group+1]]
		}
		return false
	})
	return found, nil
}

package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// formatFunctions put values of any type into texts: concat, format and the quoting functions.
func formatFunctions() []Function {
	text := sql.TypeText
	return []Function{
		{Name: "concat", Args: types(Any), Variadic: true, Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(concatAll)},
		{Name: "concat_ws", Args: types(text, Any), Variadic: true, Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(concatWS)},
		{Name: "format", Args: types(text, Any), Variadic: true, Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(formatText)},
		{Name: "quote_ident", Args: types(text), Result: text, Kernel: Pure1(sql.QuoteIdent)},
		{Name: "quote_literal", Args: types(text), Result: text, Kernel: Pure1(quoteLiteral)},
		{Name: "quote_literal", Args: types(AnyElement), Result: text, Volatility: Stable, Kernel: RowN(quoteAny)},
		{Name: "quote_nullable", Args: types(text), Result: text, CalledOnNull: true, Kernel: RowN(quoteNullable)},
		{Name: "quote_nullable", Args: types(AnyElement), Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(quoteNullable)},
	}
}

// outputText is the text of a value as the type's output function gives it.
func outputText(c *Context, t sql.Type, d sql.Datum) string {
	switch v := d.(type) {
	case string:
		return v
	case bool:
		if v {
			return "t"
		}
		return "f"
	}
	return string(sql.AppendTextIn(nil, t, d, c.Location))
}

func concatAll(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	return joinTexts(c, in.Args, args, ""), nil
}

func concatWS(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	return joinTexts(c, in.Args[1:], args[1:], args[0].(string)), nil
}

// joinTexts joins the arguments that are not NULL.
func joinTexts(c *Context, vs []Vector, args []sql.Datum, sep string) string {
	var b strings.Builder
	first := true
	for i, d := range args {
		if d == nil {
			continue
		}
		if !first {
			b.WriteString(sep)
		}
		first = false
		b.WriteString(outputText(c, vs[i].Type, d))
	}
	return b.String()
}

// quoteLiteral is sql.QuoteLiteral with PostgreSQL's blankless E form.
func quoteLiteral(s string) string { return sql.QuoteLiteral(s) }

func quoteAny(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if b, ok := args[0].(bool); ok { // quoted as ::text has it
		return quoteLiteral(strconv.FormatBool(b)), nil
	}
	return quoteLiteral(outputText(c, in.Args[0].Type, args[0])), nil
}

func quoteNullable(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return "NULL", nil
	}
	return quoteAny(c, in, args)
}

// formatSpec is one %[position$][flags][width]type of format().
type formatSpec struct {
	position int // 1-based; 0 = the next argument
	left     bool
	width    int
	widthArg int // position of the argument that is the width: -1 = the next, 0 = none
	verb     byte
}

// formatter walks through the arguments of format().
type formatter struct {
	c    *Context
	in   *Input
	args []sql.Datum // without the template
	next int         // index of the next argument
}

// formatText is format(template, args…) with %s, %I and %L.
func formatText(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	f := formatter{c: c, in: in, args: args[1:]}
	template, out := args[0].(string), []byte(nil)
	for {
		i := strings.IndexByte(template, '%')
		if i < 0 {
			return string(append(out, template...)), nil
		}
		out = append(out, template[:i]...)
		template = template[i+1:]
		if strings.HasPrefix(template, "%") {
			out, template = append(out, '%'), template[1:]
			continue
		}
		spec, rest, err := parseFormatSpec(template)
		if err != nil {
			return nil, err
		}
		if out, err = f.append(out, spec); err != nil {
			return nil, err
		}
		template = rest
	}
}

var errFormatEnd = sql.Errorf(sql.CodeInvalidParameter, "unterminated format() type specifier").
	WithHint(`For a single "%%" use "%%%%".`)

// parseFormatSpec reads what follows a percent sign.
func parseFormatSpec(s string) (spec formatSpec, rest string, err error) {
	n, tail, ok, err := formatNumber(s)
	if err != nil {
		return spec, "", err
	}
	if ok && strings.HasPrefix(tail, "$") {
		if n == 0 {
			return spec, "", sql.Errorf(sql.CodeInvalidParameter, "format specifies argument 0, but arguments are numbered from 1")
		}
		spec.position, s, ok = n, tail[1:], false
	} else if ok {
		spec.width, s = n, tail
	}
	if !ok {
		for strings.HasPrefix(s, "-") {
			spec.left, s = true, s[1:]
		}
		if strings.HasPrefix(s, "*") {
			s = s[1:]
			spec.widthArg = -1
			if n, tail, ok, err := formatNumber(s); err != nil {
				return spec, "", err
			} else if ok {
				if !strings.HasPrefix(tail, "$") {
					return spec, "", sql.Errorf(sql.CodeInvalidParameter, `width argument position must be ended by "$"`)
				}
				if n == 0 {
					return spec, "", sql.Errorf(sql.CodeInvalidParameter, "format specifies argument 0, but arguments are numbered from 1")
				}
				spec.widthArg, s = n, tail[1:]
			}
		} else if n, tail, ok, err := formatNumber(s); err != nil {
			return spec, "", err
		} else if ok {
			spec.width, s = n, tail
		}
	}
	if s == "" {
		return spec, "", errFormatEnd
	}
	spec.verb = s[0]
	if strings.IndexByte("sIL", spec.verb) < 0 {
		_, n := utf8.DecodeRuneInString(s)
		return spec, "", sql.Errorf(sql.CodeInvalidParameter, "unrecognized format() type specifier \"%s\"", s[:n]).
			WithHint(`For a single "%%" use "%%%%".`)
	}
	return spec, s[1:], nil
}

func formatNumber(s string) (n int, rest string, ok bool, err error) {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 0 {
		return 0, s, false, nil
	}
	v, err := strconv.ParseInt(s[:end], 10, 32)
	if err != nil {
		return 0, s, false, sql.Errorf(sql.CodeNumericOutOfRange, "number is out of range")
	}
	return int(v), s[end:], true, nil
}

// arg is the argument at a 1-based position, or the next for 0 and below.
func (f *formatter) arg(position int) (int, error) {
	i := position - 1
	if position <= 0 {
		i = f.next
	}
	if i >= len(f.args) {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "too few arguments for format()")
	}
	f.next = i + 1
	return i, nil
}

func (f *formatter) append(dst []byte, spec formatSpec) ([]byte, error) {
	if spec.widthArg != 0 {
		i, err := f.arg(spec.widthArg)
		if err != nil {
			return dst, err
		}
		if f.args[i] != nil {
			w, err := sql.ParseInteger(sql.TypeInt4, outputText(f.c, f.in.Args[i+1].Type, f.args[i]))
			if err != nil {
				return dst, err
			}
			spec.width = int(w)
		}
		if spec.width < 0 {
			spec.left, spec.width = true, -spec.width
		}
	}
	i, err := f.arg(spec.position)
	if err != nil {
		return dst, err
	}
	text := ""
	switch d := f.args[i]; {
	case d == nil && spec.verb == 'I':
		return dst, sql.Errorf("22004", "null values cannot be formatted as an SQL identifier")
	case d == nil && spec.verb == 'L':
		text = "NULL"
	case d == nil:
	default:
		text = outputText(f.c, f.in.Args[i+1].Type, d)
		if spec.verb == 'I' {
			text = sql.QuoteIdent(text)
		} else if spec.verb == 'L' {
			text = quoteLiteral(text)
		}
	}
	if spec.width > maxText {
		return dst, errTextTooLong
	}
	pad := spec.width - utf8.RuneCountInString(text)
	if spec.left {
		return appendFill(append(dst, text...), " ", pad), nil
	}
	return append(appendFill(dst, " ", pad), text...), nil
}

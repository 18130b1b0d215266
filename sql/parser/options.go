package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// options parses (name [=] [value], …): the list of WITH, ENCODE, COPY and EXPLAIN.
func (p *parser) options() []*ast.Option {
	p.expect("(")
	if p.accept(")") {
		return nil
	}
	var out []*ast.Option
	for first := true; first || p.accept(",") && !p.is(")"); first = false {
		out = append(out, p.option())
	}
	p.expect(")")
	return out
}

func (p *parser) option() *ast.Option {
	o := &ast.Option{Position: p.position(), Name: p.optionName()}
	p.accept("=")
	if !p.isAny(",", ")") {
		p.optionValue(o)
	}
	return o
}

// optionName reads 'properties.bootstrap.servers', or the same words without quotes.
func (p *parser) optionName() string {
	if p.tok().kind == str {
		return p.take(p.tok().text != "")
	}
	name := p.label()
	for p.isAny(".", "-") {
		name += p.tok().text
		p.skip(1)
		name += p.label()
	}
	return name
}

func (p *parser) optionValue(o *ast.Option) {
	sign := ""
	if p.tok().isAny("-", "+") && p.at(1).kind == num {
		sign = p.tok().text
		p.skip(1)
	}
	t := p.tok()
	switch t.kind {
	case str:
		o.Kind, o.Value = ast.OptionString, p.string()
	case num:
		o.Kind, o.Value = ast.OptionNumber, sign+p.number()
	case word, quoted:
		if p.is("secret") && p.at(1).isLabel() {
			p.skip(1)
			o.Kind, o.Value = ast.OptionSecret, p.anyName().String()
			return
		}
		o.Kind, o.Value = ast.OptionWord, p.anyName().String()
	default:
		switch {
		case p.is("("):
			o.Kind = ast.OptionList
			o.Args = parens(p, func() []string {
				return list(p, func() string { return p.take(p.tok().isLabel() || p.tok().kind == str && p.tok().text != "") })
			})
		case p.is("*"): // FORCE_QUOTE *
			p.skip(1)
			o.Kind, o.Value = ast.OptionWord, "*"
		default:
			p.fail()
		}
	}
}

// format parses FORMAT … ENCODE … (…).
func (p *parser) format() *ast.Format {
	f := &ast.Format{Position: p.position()}
	p.expect("format")
	f.Format = p.label()
	p.expect("encode")
	f.Encode = p.label()
	if p.is("(") {
		f.Options = p.options()
	}
	return f
}

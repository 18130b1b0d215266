package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// copy parses COPY table [(cols)] | (statement) FROM | TO … [WITH options].
func (p *parser) copy(pos ast.Position) ast.Stmt {
	x := &ast.Copy{Position: pos}
	p.accept("binary")
	if p.accept("(") {
		switch {
		case p.atSelect():
			x.Stmt = p.query()
		case p.isAny("insert", "update", "delete", "subscribe"):
			x.Stmt = p.statement()
		default:
			p.fail()
		}
		p.expect(")", "to")
	} else {
		x.Table = p.qualifiedName()
		if p.is("(") {
			x.Cols = p.names()
		}
		x.From = p.expectAny("from", "to") == "from"
	}
	p.copyTarget(x)
	p.accept("with")
	if p.is("(") {
		x.Options = p.options()
	} else {
		x.Options = p.oldCopyOptions()
	}
	if x.From && p.accept("where") {
		p.expr(&x.Where)
	}
	return x
}

func (p *parser) copyTarget(x *ast.Copy) {
	switch {
	case p.accept("program"):
		x.Program, x.Target = true, p.string()
	case p.tok().kind == str:
		x.Target = p.string()
	default: // PostgreSQL takes either word in either direction
		x.Stdio = true
		p.expectAny("stdin", "stdout")
	}
}

// oldCopyOptions parses the options of before PostgreSQL 9.0, in any order, into today's.
func (p *parser) oldCopyOptions() []*ast.Option {
	var out []*ast.Option
	for {
		o := &ast.Option{Position: p.position()}
		switch {
		case p.isAny("csv", "binary"):
			o.Name, o.Kind, o.Value = "format", ast.OptionWord, p.label()
		case p.isAny("header", "freeze"):
			o.Name, o.Kind, o.Value = p.label(), ast.OptionWord, "true"
		case p.is("delimiter"), p.is("null") && p.at(1).isAny("as") || p.is("null") && p.at(1).kind == str,
			p.is("quote"), p.is("escape"), p.is("encoding"):
			o.Name = p.label()
			p.accept("as")
			o.Kind, o.Value = ast.OptionString, p.string()
		case p.accept("force"):
			o.Name = "force_" + p.expectAny("quote", "not", "null")
			if o.Name == "force_not" {
				p.expect("null")
				o.Name = "force_not_null"
			}
			if o.Kind = ast.OptionList; p.accept("*") {
				o.Kind, o.Value = ast.OptionWord, "*"
			} else {
				o.Args = list(p, p.name)
			}
		default:
			return out
		}
		out = append(out, o)
	}
}

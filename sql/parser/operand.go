package parser

import (
	"strconv"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// operand parses what stands between two binary operators: everything that binds tighter than they
// do, and the prefix operators.
func (p *parser) operand() value {
	v := p.collated()
	for n := 0; !p.where.restricted && p.is("at", "time") && p.link(&n); {
		x := &ast.AtTimeZone{Position: p.position()}
		p.expect("at", "time", "zone")
		v.into(&x.X)
		p.collated().into(&x.Zone)
		v = value{x: x}
	}
	return v
}

func (p *parser) collated() value {
	v := p.unary()
	for n := 0; !p.where.restricted && p.is("collate") && p.at(1).isName() && p.link(&n); {
		x := &ast.Collate{Position: p.position()}
		p.skip(1)
		v.into(&x.X)
		x.Collation = p.qualifiedName()
		v = value{x: x}
	}
	return v
}

// anyName is a qualified name whose first part may be any label.
func (p *parser) anyName() ast.Name {
	n := ast.Name{p.label()}
	for p.accept(".") {
		n = append(n, p.label())
	}
	return n
}

// unary parses prefix operators. + and - take an operand; NOT and other operators reach further.
func (p *parser) unary() value {
	t := p.tok()
	x := &ast.Unary{Position: p.position(), Op: t.text}
	switch {
	case t.is("+"), t.is("-"):
		p.skip(1)
		if !p.enter() {
			return value{}
		}
		p.unary().into(&x.X)
		p.leave()
	case t.is("not") && !p.where.restricted:
		x.Op = "NOT"
		p.skip(1)
		p.chain(levelNot).into(&x.X)
	case t.kind == op && operatorLevel(t.text) == levelOther:
		p.skip(1)
		p.chain(levelOther).into(&x.X)
	case p.is("operator", "("):
		var o operator
		p.operatorName(&o)
		x.Op, x.Schema = o.name, o.schema
		p.chain(levelOther).into(&x.X)
	default:
		return p.primary()
	}
	return value{x: x}
}

// primary parses an operand without operators, then its ::type, [subscripts] and .fields.
func (p *parser) primary() value {
	t := p.tok()
	switch t.kind {
	case str:
		return p.postfix(p.literal(ast.String, t.text))
	case num:
		return p.postfix(p.literal(ast.Number, t.text))
	case bits:
		return p.postfix(p.literal(ast.Bits, t.text))
	case param:
		return p.postfix(p.param(t))
	case quoted:
		return p.postfix(p.nameOrCall())
	case word:
		return p.postfix(p.word(t))
	}
	if t.is("(") {
		return p.postfix(p.paren())
	}
	p.fail()
	return value{}
}

func (p *parser) literal(k ast.LiteralKind, v string) value {
	x := &ast.Literal{Position: p.position(), Kind: k, Value: v}
	p.skip(1)
	return value{x: x}
}

func (p *parser) param(t *token) value {
	n, err := strconv.ParseInt(t.text, 10, 32)
	if err != nil || n < 1 {
		p.failWith(sql.Errorf(sql.CodeUndefinedParameter, "there is no parameter $%s", clip(t.text)).At(p.pos()))
		return value{}
	}
	x := &ast.Param{Position: p.position(), N: int(n)}
	p.skip(1)
	return value{x: x}
}

// paren parses (query), (expr) or (a, b, …).
func (p *parser) paren() value {
	pos := p.position()
	if p.atQuery() {
		return value{x: &ast.Subquery{Position: pos, Query: p.parenQuery()}}
	}
	p.expect("(")
	v := p.full()
	if !p.is(",") {
		p.expect(")")
		return v
	}
	values := []value{v}
	for p.accept(",") {
		values = append(values, p.full())
	}
	p.expect(")")
	x := &ast.RowExpr{Position: pos, Items: make([]ast.Expr, len(values))}
	for k, v := range values {
		v.into(&x.Items[k])
	}
	return p.overlaps(x)
}

// overlaps parses `row OVERLAPS row`, which binds tighter than any operator as it wants rows only.
func (p *parser) overlaps(l *ast.RowExpr) value {
	if !p.is("overlaps") {
		return value{x: l}
	}
	x := &ast.Binary{Position: p.position(), Op: "OVERLAPS", L: l}
	p.skip(1)
	pos := p.position()
	p.accept("row")
	x.R = &ast.RowExpr{Position: pos, Items: p.parenExprs()}
	return value{x: x}
}

func (p *parser) postfix(v value) value {
	for n := 0; p.link(&n); {
		pos := p.position()
		switch {
		case p.is("::"):
			p.skip(1)
			x := &ast.Cast{Position: pos}
			v.into(&x.X)
			x.Type = p.typeName()
			v = value{x: x}
		case p.is("["):
			v = value{x: p.subscript(v)}
		case p.is("."):
			p.skip(1)
			x := &ast.Field{Position: pos}
			v.into(&x.X)
			if x.Star = p.accept("*"); !x.Star {
				x.Name = p.label()
			}
			v = value{x: x}
		default:
			return v
		}
	}
	return v
}

// subscript parses [i], [lo:hi], [:hi], [lo:] or [:] after v.
func (p *parser) subscript(v value) ast.Expr {
	x := &ast.Index{Position: p.position()}
	v.into(&x.X)
	p.expect("[")
	if !p.is(":") {
		p.expr(&x.Lo)
	}
	if x.Slice = p.accept(":"); x.Slice && !p.is("]") {
		p.expr(&x.Hi)
	}
	p.expect("]")
	return x
}

// word parses an operand that begins with an unquoted word.
func (p *parser) word(t *token) value {
	switch {
	case sqlValues.has(t.text), t.text == "current_schema" && !p.at(1).is("("):
		return value{x: p.sqlValue()}
	case reserved.has(t.text):
		return p.reservedWord(t)
	case typeWords.has(t.text) && p.typedLiteralAhead():
		return value{x: p.typedLiteral()}
	case p.at(1).is("("):
		if v, ok := p.specialCall(t); ok {
			return v
		}
	case t.is("map") && p.at(1).is("[") && p.mapAhead():
		return value{x: p.mapExpr()}
	case p.is("collation", "for", "("):
		x := &ast.Call{Position: p.position(), Name: ast.Name{"pg_collation_for"}}
		p.skip(2)
		x.Args = p.parenExprs()
		return value{x: x}
	case typeFunc.has(t.text) && p.at(1).kind != str:
		p.skip(1) // it can only be a function
		p.fail()
	}
	return p.nameOrCall()
}

func (p *parser) reservedWord(t *token) value {
	switch t.text {
	case "true", "false":
		return p.literal(ast.Bool, t.text)
	case "null":
		return p.literal(ast.Null, "")
	case "default":
		x := &ast.Default{Position: p.position()}
		p.skip(1)
		return value{x: x}
	case "case":
		return value{x: p.caseExpr()}
	case "cast":
		x := &ast.Cast{Position: p.position()}
		p.skip(1)
		p.expect("(")
		p.expr(&x.X)
		p.expect("as")
		x.Type = p.typeName()
		p.expect(")")
		return value{x: x}
	case "array":
		pos := p.position()
		p.skip(1)
		if p.is("(") {
			return value{x: &ast.ArrayQuery{Position: pos, Query: p.parenQuery()}}
		}
		return value{x: p.array(pos)}
	}
	p.fail()
	return value{}
}

// array parses [a, b] or [[a], [b]], which began at pos.
func (p *parser) array(pos ast.Position) ast.Expr {
	x := &ast.ArrayExpr{Position: pos}
	p.expect("[")
	switch {
	case p.is("["):
		if !p.enter() {
			return nil
		}
		x.Elems = list(p, func() ast.Expr { return p.array(p.position()) })
		p.leave()
	case !p.is("]"):
		x.Elems = p.exprs()
	}
	p.expect("]")
	return x
}

// mapAhead tells MAP[k, v, …] from the subscript map[i].
func (p *parser) mapAhead() bool {
	k, end := p.i+2, int(p.at(1).mate)
	for k < end && !p.toks[k].is(",") {
		k = min(max(k, int(p.toks[k].mate))+1, end)
	}
	return p.toks[k].is(",") || k == p.i+2
}

func (p *parser) mapExpr() ast.Expr {
	x := &ast.MapExpr{Position: p.position()}
	p.skip(2)
	if !p.is("]") {
		type pair struct{ key, value value }
		pairs := list(p, func() (kv pair) {
			kv.key = p.full()
			p.expect(",")
			kv.value = p.full()
			return kv
		})
		x.Keys, x.Values = make([]ast.Expr, len(pairs)), make([]ast.Expr, len(pairs))
		for k, kv := range pairs {
			kv.key.into(&x.Keys[k])
			kv.value.into(&x.Values[k])
		}
	}
	p.expect("]")
	return x
}

func (p *parser) caseExpr() ast.Expr {
	x := &ast.Case{Position: p.position()}
	p.expect("case")
	if !p.is("when") {
		p.expr(&x.Operand)
	}
	for first := true; first || p.is("when"); first = false {
		w := &ast.When{Position: p.position()}
		p.expect("when")
		p.expr(&w.Cond)
		p.expect("then")
		p.expr(&w.Result)
		x.Whens = append(x.Whens, w)
	}
	if p.accept("else") {
		p.expr(&x.Else)
	}
	p.expect("end")
	return x
}

// nameOrCall parses a.b.c, a.b.*, type 'literal' or f(…).
func (p *parser) nameOrCall() value {
	pos := p.position()
	n := ast.Name{p.label()}
	for p.accept(".") {
		if p.accept("*") {
			return value{x: &ast.Star{Position: pos, Qualifier: n}}
		}
		n = append(n, p.label())
	}
	args := p.is("(")
	literal := p.tok() // where type 'literal' and type(mods) 'literal' have it
	if args {
		literal = &p.toks[min(int(literal.mate)+1, len(p.toks)-1)]
	}
	switch {
	case literal.kind == str:
		x := &ast.Cast{Position: pos, Type: &ast.TypeName{Position: pos, Name: n}}
		p.modifiers(x.Type)
		p.literal(ast.String, p.tok().text).into(&x.X)
		return value{x: x}
	case args:
		return value{x: p.call(pos, n)}
	}
	return value{x: &ast.ColumnRef{Position: pos, Parts: n}}
}

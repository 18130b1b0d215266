package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// sqlValue parses CURRENT_TIMESTAMP and its kin, with a precision where one may stand. Flink writes
// () after some of them.
func (p *parser) sqlValue() ast.Expr {
	x := &ast.Call{Position: p.position(), SQLSyntax: true}
	x.Name = ast.Name{p.label()}
	if p.accept("(", ")") {
		return x
	}
	switch x.Name[0] {
	case "current_time", "current_timestamp", "localtime", "localtimestamp":
		if p.is("(") && p.at(1).kind == num {
			p.skip(1)
			x.Args = []ast.Expr{p.literal(ast.Number, p.tok().text).x}
			p.expect(")")
		}
	}
	return x
}

// specialCall parses the calls with a grammar of their own; t is followed by "(". It returns false
// for an ordinary call.
func (p *parser) specialCall(t *token) (value, bool) {
	pos := p.position()
	x := &ast.Call{Position: pos, Name: ast.Name{t.text}}
	switch t.text {
	case "row":
		p.skip(1)
		r := &ast.RowExpr{Position: pos}
		if !p.accept("(", ")") {
			r.Items = p.parenExprs()
		}
		return p.overlaps(r), true
	case "exists":
		p.skip(1)
		return value{x: &ast.Exists{Position: pos, Query: p.parenQuery()}}, true
	case "coalesce", "greatest", "least", "grouping":
		p.skip(1)
		x.Args, x.SQLSyntax = p.parenExprs(), true
	case "nullif":
		p.skip(2)
		x.SQLSyntax = true
		x.Args = p.fixedArgs(2)
	case "extract":
		p.extract(x)
	case "position":
		p.positionOf(x)
	case "overlay":
		p.overlay(x)
	case "substring":
		p.substring(x)
	case "trim":
		p.trim(x)
	default:
		return value{}, false
	}
	if !x.SQLSyntax {
		p.afterCall(x)
	}
	return value{x: x}, true
}

// fixedArgs parses n arguments and the closing parenthesis.
func (p *parser) fixedArgs(n int) []ast.Expr {
	out := make([]ast.Expr, n)
	for k := range out {
		if k > 0 {
			p.expect(",")
		}
		p.expr(&out[k])
	}
	p.expect(")")
	return out
}

// extract parses EXTRACT(field FROM x) as extract('field', x).
func (p *parser) extract(x *ast.Call) {
	p.skip(2)
	field := &ast.Literal{Position: p.position(), Kind: ast.String, Value: p.tok().text}
	p.take(p.tok().kind == str || p.tok().isName())
	p.expect("from")
	x.SQLSyntax = true
	x.Args = []ast.Expr{field, nil}
	p.expr(&x.Args[1])
	p.expect(")")
}

// positionOf parses POSITION(a IN b) as position(b, a).
func (p *parser) positionOf(x *ast.Call) {
	p.skip(2)
	x.SQLSyntax = true
	x.Args = make([]ast.Expr, 2)
	p.restricted(&x.Args[1])
	p.expect("in")
	p.restricted(&x.Args[0])
	p.expect(")")
}

// specialArgs parses the first argument of a call. If keyword ok follows it, the rest has a special
// form that the caller reads; else the arguments are ordinary ones and the call is complete.
func (p *parser) specialArgs(x *ast.Call, ok func() bool) (first value, special bool) {
	p.skip(1)
	if p.is("(", ")") {
		p.skip(2)
		return value{}, false
	}
	if t := p.at(2); p.at(1).isLabel() && (t.is("=>") || t.is(":=")) {
		p.skip(1)
		p.args(x)
		p.expect(")")
		return value{}, false
	}
	p.skip(1)
	first = p.full()
	if ok() {
		return first, true
	}
	values := []value{first}
	for p.accept(",") {
		values = append(values, p.full())
	}
	p.expect(")")
	x.Args = make([]ast.Expr, len(values))
	for k, v := range values {
		v.into(&x.Args[k])
	}
	return value{}, false
}

// overlay parses OVERLAY(a PLACING b FROM c [FOR d]) as overlay(a, b, c, d).
func (p *parser) overlay(x *ast.Call) {
	first, special := p.specialArgs(x, func() bool { return p.is("placing") })
	if !special {
		return
	}
	x.Args = make([]ast.Expr, 4)
	first.into(&x.Args[0])
	p.expect("placing")
	p.expr(&x.Args[1])
	p.expect("from")
	p.expr(&x.Args[2])
	if p.accept("for") {
		p.expr(&x.Args[3])
	} else {
		x.Args = x.Args[:3]
	}
	p.expect(")")
}

// substring parses SUBSTRING(s FROM a FOR b) as substring(s, a, b), without FROM with a = 1, and
// SUBSTRING(s SIMILAR p ESCAPE e) as substring(s, p, e).
func (p *parser) substring(x *ast.Call) {
	first, special := p.specialArgs(x, func() bool { return p.isAny("from", "for", "similar") })
	if !special {
		return
	}
	x.Args = make([]ast.Expr, 3)
	first.into(&x.Args[0])
	from, length := &x.Args[1], &x.Args[2]
	switch {
	case p.accept("similar"):
		p.expr(from)
		p.expect("escape")
		p.expr(length)
	case p.accept("from"):
		p.expr(from)
		if p.accept("for") {
			p.expr(length)
		} else {
			x.Args = x.Args[:2]
		}
	default:
		p.expect("for")
		p.expr(length)
		if p.accept("from") {
			p.expr(from)
		} else {
			*from = &ast.Literal{Kind: ast.Number, Value: "1"}
		}
	}
	p.expect(")")
}

// trim parses TRIM([BOTH|LEADING|TRAILING] [chars] [FROM] s) as btrim, ltrim or rtrim(s, chars).
func (p *parser) trim(x *ast.Call) {
	p.skip(2)
	switch p.acceptAny("both", "leading", "trailing") {
	case "leading":
		x.Name = ast.Name{"ltrim"}
	case "trailing":
		x.Name = ast.Name{"rtrim"}
	default:
		x.Name = ast.Name{"btrim"}
	}
	var values []value
	if !p.accept("from") {
		values = append(values, p.full())
		if p.accept("from") { // chars FROM s, …
			values = append(list(p, p.full), values...)
		} else if p.accept(",") {
			values = append(values, list(p, p.full)...)
		}
	} else {
		values = list(p, p.full)
	}
	p.expect(")")
	x.Args = make([]ast.Expr, len(values))
	for k, v := range values {
		v.into(&x.Args[k])
	}
}

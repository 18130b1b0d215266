package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// A suffix is an operator with everything but its left operand, which the fragment's tree gives
// it. One that ends in an open operand (LIKE x, not IN (…)) returns its own level: an operator of
// the same level can't follow, as these don't associate.

// isSuffix reads IS …, ISNULL or NOTNULL.
func (p *parser) isSuffix(it *item) level {
	pos := it.op.position
	if w := p.acceptAny("isnull", "notnull"); w != "" {
		it.test(&ast.IsTest{Position: pos, What: "NULL", Not: w == "notnull"})
		return levelNone
	}
	p.expect("is")
	not := p.accept("not")
	if p.accept("distinct", "from") {
		x := &ast.IsDistinct{Position: pos, Not: not}
		it.x, it.left = x, &x.L
		p.chain(levelIs).into(&x.R)
		return levelIs
	}
	it.test(&ast.IsTest{Position: pos, Not: not, What: p.isWhat()})
	return levelNone
}

func (it *item) test(x *ast.IsTest) { it.x, it.left = x, &x.X }

func (p *parser) isWhat() string {
	if p.is("distinct") { // without FROM
		p.skip(1)
		p.fail()
	}
	form := ""
	if p.at(1).is("normalized") {
		switch p.acceptAny("nfc", "nfd", "nfkc", "nfkd") {
		case "nfc":
			form = "NFC "
		case "nfd":
			form = "NFD "
		case "nfkc":
			form = "NFKC "
		case "nfkd":
			form = "NFKD "
		}
	}
	if form != "" || p.is("normalized") {
		p.expect("normalized")
		return form + "NORMALIZED"
	}
	switch p.expectAny("null", "true", "false", "unknown", "document") {
	case "null":
		return "NULL"
	case "true":
		return "TRUE"
	case "false":
		return "FALSE"
	case "unknown":
		return "UNKNOWN"
	}
	return "DOCUMENT"
}

// tightSuffix reads what binds tighter than any binary operator, where a suffix stands before it: in
// `a IN (b)::text` the whole is cast.
func (p *parser) tightSuffix(it *item) level {
	pos := it.op.position
	switch {
	case p.accept("::"):
		x := &ast.Cast{Position: pos}
		it.x, it.left = x, &x.X
		x.Type = p.typeName()
	case p.accept("collate"):
		x := &ast.Collate{Position: pos}
		it.x, it.left = x, &x.X
		x.Collation = p.qualifiedName()
	default:
		p.expect("at", "time", "zone")
		x := &ast.AtTimeZone{Position: pos}
		it.x, it.left = x, &x.X
		p.collated().into(&x.Zone)
	}
	return levelNone
}

// likeSuffix reads [NOT] BETWEEN, IN, LIKE, ILIKE or SIMILAR TO.
func (p *parser) likeSuffix(it *item) level {
	pos, not := it.op.position, p.accept("not")
	switch p.expectAny("between", "in", "like", "ilike", "similar") {
	case "between":
		x := &ast.Between{Position: pos, Not: not, Symmetric: p.accept("symmetric")}
		if !x.Symmetric {
			p.accept("asymmetric")
		}
		it.x, it.left = x, &x.X
		p.restricted(&x.Lo)
		p.expect("and")
		p.chain(levelLike).into(&x.Hi)
		return levelLike
	case "in":
		x := &ast.In{Position: pos, Not: not}
		it.x, it.left = x, &x.X
		if p.atQuery() {
			x.Query = p.parenQuery()
		} else {
			x.List = p.parenExprs()
		}
		return levelNone
	case "like":
		return p.like(it, ast.LikePattern, not)
	case "ilike":
		return p.like(it, ast.ILike, not)
	}
	p.expect("to")
	return p.like(it, ast.SimilarTo, not)
}

func (p *parser) like(it *item, kind ast.LikeKind, not bool) level {
	if kind != ast.SimilarTo && p.isAny("any", "some", "all") {
		name := "~~"
		if not {
			name = "!~~"
		}
		if kind == ast.ILike {
			name += "*"
		}
		p.quantified(it, name)
		return levelNone
	}
	x := &ast.Like{Position: it.op.position, Kind: kind, Not: not}
	it.x, it.left = x, &x.X
	p.chain(levelLike).into(&x.Pattern)
	if p.accept("escape") {
		p.chain(levelLike).into(&x.Escape)
	}
	return levelLike
}

// quantified reads ANY, SOME or ALL (array or query) after an operator.
func (p *parser) quantified(it *item, name string) {
	x := &ast.Quantified{Position: it.op.position, Op: name, Schema: it.op.schema}
	x.All = p.expectAny("any", "some", "all") == "all"
	it.x, it.left = x, &x.X
	if p.atQuery() {
		x.Query = p.parenQuery()
		return
	}
	p.expect("(")
	p.expr(&x.Array)
	p.expect(")")
}

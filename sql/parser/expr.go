package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// level is how tightly an operator binds: PostgreSQL's precedence table, loosest first.
//
// A chain of binary operators is left to TiDB's grammar. What this file needs levels for is where a
// construct ends that has its operand on the right and is no binary operator there: NOT x, @ x,
// a LIKE x, a BETWEEN x AND y, a IS DISTINCT FROM x take operators tighter than themselves.
type level uint8

const (
	levelNone     level = iota
	levelOr             // OR
	levelAnd            // AND
	levelNot            // NOT
	levelIs             // IS …, ISNULL, NOTNULL; does not associate
	levelCompare        // < > = <= >= <>; does not associate
	levelLike           // LIKE ILIKE SIMILAR BETWEEN IN; does not associate
	levelOther          // any other operator
	levelAdd            // + -
	levelMultiply       // * / %
	levelPower          // ^
	levelTight          // COLLATE, AT TIME ZONE, :: after a suffix; operands take their own
)

// operator is an operator as written.
type operator struct {
	position ast.Position
	name     string
	schema   string
}

// place is what an expression stands in, where that changes its grammar. Parentheses end it.
type place struct {
	// restricted: PostgreSQL's b_expr, without AND, OR, NOT, LIKE, IN, BETWEEN, COLLATE, AT TIME ZONE
	// and IS NULL, where those would be ambiguous.
	restricted bool
	// target: an item of a select list, which the name of an operator may end as an alias.
	target bool
}

// expr parses an expression (PostgreSQL's a_expr) into dst, which must not move.
func (p *parser) expr(dst *ast.Expr) { p.full().into(dst) }

func (p *parser) full() value { return p.chainIn(place{}, levelNone) }

// restricted parses PostgreSQL's b_expr into dst.
func (p *parser) restricted(dst *ast.Expr) {
	p.chainIn(place{restricted: true}, levelAnd).into(dst)
}

// target parses the expression of an item of a select list.
func (p *parser) targetExpr(dst *ast.Expr) {
	p.chainIn(place{target: true}, levelNone).into(dst)
}

func (p *parser) chainIn(at place, stop level) value {
	outer := p.where
	p.where = at
	v := p.chain(stop)
	p.where = outer
	return v
}

// exprs parses one or more expressions separated by commas.
func (p *parser) exprs() []ast.Expr {
	values := list(p, p.full)
	out := make([]ast.Expr, len(values))
	for k, v := range values {
		v.into(&out[k])
	}
	return out
}

func (p *parser) parenExprs() []ast.Expr { return parens(p, p.exprs) }

// chain parses operands and the operators between them, up to the first operator that binds no
// tighter than stop.
func (p *parser) chain(stop level) value {
	if !p.enter() {
		return value{}
	}
	defer p.leave()
	first := p.operand()
	var f *fragment
	links := 0
	compared := false   // a comparison is open on the left: another one can't follow
	closed := levelNone // level of the suffix just read whose right side is open: ditto
	for {
		l, o := p.peekOperator()
		if l <= stop {
			break
		}
		if l == closed || l == levelCompare && compared {
			p.fail()
			break
		}
		if f == nil {
			f = &fragment{items: append(make([]*item, 0, 4), &item{})}
			first.into(&f.items[0].x)
		}
		if !p.link(&links) {
			break
		}
		compared = compared && l >= levelCompare
		closed = p.extend(f, l, o)
		if f.items[len(f.items)-1].left == nil {
			compared = compared || l == levelCompare
		}
	}
	if f == nil {
		return first
	}
	p.fragments = append(p.fragments, f)
	return value{f: f}
}

// extend reads an operator of level l and what stands on its right. It returns l if that is a suffix
// which took all it could on the right, else levelNone.
func (p *parser) extend(f *fragment, l level, o operator) (closed level) {
	it := &item{level: l, op: o}
	f.items = append(f.items, it)
	switch l {
	case levelIs:
		return p.isSuffix(it)
	case levelLike:
		return p.likeSuffix(it)
	case levelTight:
		return p.tightSuffix(it)
	}
	if p.is("operator") {
		p.operatorName(&it.op)
	} else {
		p.skip(1)
	}
	if p.isAny("any", "some", "all") {
		p.quantified(it, it.op.name)
		return levelNone
	}
	p.operand().into(&it.x)
	return levelNone
}

// peekOperator tells which operator comes next; levelNone if none that can go on an expression.
func (p *parser) peekOperator() (level, operator) {
	t := p.tok()
	l := levelNone
	switch t.kind {
	case op:
		l = operatorLevel(t.text)
	case word:
		if !p.where.target || !t.isBareLabel() || !p.at(1).endsTarget() {
			l = p.wordLevel(t)
		}
	}
	return l, operator{position: ast.At(int(t.pos)), name: operatorName(t.text)}
}

// operatorName is the name of a binary operator in the tree.
func operatorName(text string) string {
	switch text {
	case "and":
		return "AND"
	case "or":
		return "OR"
	}
	return text
}

func operatorLevel(text string) level {
	switch text {
	case "+", "-":
		return levelAdd
	case "*", "/", "%":
		return levelMultiply
	case "^":
		return levelPower
	case "<", ">", "=", "<=", ">=", "<>":
		return levelCompare
	case "::":
		return levelTight
	case "(", ")", "[", "]", "{", "}", ",", ";", ".", "..", ":", ":=", "=>":
		return levelNone
	}
	return levelOther
}

// isOperator tells operators from punctuation.
func (t *token) isOperator() bool {
	l := operatorLevel(t.text)
	return t.kind == op && l != levelNone && l != levelTight
}

func (p *parser) wordLevel(t *token) level {
	switch t.text {
	case "operator":
		if p.at(1).is("(") {
			return levelOther
		}
	case "is":
		n := 1
		if p.at(n).is("not") {
			n++
		}
		if !p.where.restricted || p.at(n).isAny("distinct", "document") {
			return levelIs
		}
	}
	if p.where.restricted {
		return levelNone
	}
	switch t.text {
	case "collate":
		return levelTight
	case "at":
		if p.is("at", "time") {
			return levelTight
		}
	case "or":
		return levelOr
	case "and":
		return levelAnd
	case "isnull", "notnull":
		return levelIs
	case "between", "in", "like", "ilike":
		return levelLike
	case "similar":
		if p.at(1).is("to") {
			return levelLike
		}
	case "not":
		if p.at(1).isAny("between", "in", "like", "ilike", "similar") {
			return levelLike
		}
	}
	return levelNone
}

// operatorName reads OPERATOR(schema.op).
func (p *parser) operatorName(o *operator) {
	p.expect("operator", "(")
	for p.tok().isName() {
		o.schema = p.name()
		p.expect(".")
	}
	t := p.tok()
	if !t.isOperator() {
		p.fail()
		return
	}
	o.name = t.text
	p.skip(1)
	p.expect(")")
}

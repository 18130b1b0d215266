package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

func (p *parser) fromList() []ast.From {
	return list(p, func() ast.From { return p.joined(false) })
}

// joined parses a table and the joins that follow it. With qualified set it is the right side of a
// join that still wants its ON: in `a JOIN b JOIN c ON x ON y` the inner join takes the first ON.
func (p *parser) joined(qualified bool) ast.From {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	left := p.fromItem()
	for n := 0; !qualified || !p.isAny("on", "using"); {
		j := p.joinHead()
		if j == nil || !p.link(&n) {
			break
		}
		j.L = left
		if j.Natural || j.Kind == "CROSS" {
			j.R = p.fromItem()
		} else {
			j.R = p.joined(true)
			p.joinCondition(j)
		}
		left = j
	}
	return left
}

// joinHead parses [NATURAL] [kind] JOIN; nil if no join comes next.
func (p *parser) joinHead() *ast.Join {
	j := &ast.Join{Position: p.position(), Kind: "INNER"}
	j.Natural = p.accept("natural")
	switch w := p.acceptAny("cross", "inner", "left", "right", "full"); w {
	case "cross":
		if j.Natural {
			p.fail()
		}
		j.Kind = "CROSS"
	case "left", "right", "full":
		j.Kind = map[string]string{"left": "LEFT", "right": "RIGHT", "full": "FULL"}[w]
		p.accept("outer")
	case "":
		if !j.Natural && !p.is("join") {
			return nil
		}
	}
	p.expect("join")
	return j
}

func (p *parser) joinCondition(j *ast.Join) {
	if p.accept("using") {
		j.Using = p.names()
		if p.accept("as") {
			j.UsingAlias = p.name()
		}
		return
	}
	p.expect("on")
	p.expr(&j.On)
}

// fromItem parses one table, subquery, function or parenthesised join.
func (p *parser) fromItem() ast.From {
	item := p.fromPrimary()
	if p.is("match_recognize", "(") {
		item = p.matchRecognize(item)
	}
	return item
}

func (p *parser) fromPrimary() ast.From {
	pos := p.position()
	lateral := p.accept("lateral")
	switch {
	case p.atQuery():
		s := &ast.SubqueryRef{Position: pos, Lateral: lateral, Query: p.parenQuery()}
		s.Alias, s.Cols = p.alias()
		s.Sample = p.sample()
		return s
	case p.is("(") && !lateral:
		return p.parenJoin()
	case p.is("table", "("):
		return p.tableFunction(pos, lateral)
	case p.is("rows", "from", "("):
		p.skip(2)
		f := &ast.FuncRef{Position: pos, Lateral: lateral, RowsFrom: true}
		f.Calls = parens(p, func() []*ast.FuncItem { return list(p, p.funcItem) })
		p.funcAlias(f)
		return f
	case p.windowFuncAhead():
		return p.windowTVF()
	case p.funcAhead():
		f := &ast.FuncRef{Position: pos, Lateral: lateral, Calls: []*ast.FuncItem{p.funcExpr()}}
		p.funcAlias(f)
		return f
	case lateral:
		p.fail()
	}
	return p.tableRef()
}

func (p *parser) parenJoin() ast.From {
	p.expect("(")
	inner := p.joined(false)
	j, ok := inner.(*ast.Join)
	if !ok || j.Alias != "" { // (t) alone is no table
		p.fail()
		return inner
	}
	p.expect(")")
	j.Alias, j.Cols = p.alias()
	return j
}

func (p *parser) tableRef() ast.From {
	t := &ast.TableRef{Position: p.position()}
	if w := p.tok(); w.kind == word && typeFunc.has(w.text) {
		p.skip(1) // it can only be a function
		p.fail()
	}
	if t.Only = p.accept("only"); t.Only && p.is("(") {
		t.Name = parens(p, p.qualifiedName)
	} else {
		t.Name = p.qualifiedName()
		p.accept("*") // PostgreSQL's opposite of ONLY
	}
	if p.accept("for", "system_time") {
		p.expect("as", "of")
		p.expr(&t.AsOf)
	}
	t.Alias, t.Cols = p.alias()
	t.Sample = p.sample()
	return t
}

// alias parses [AS] name [(cols)].
func (p *parser) alias() (name string, cols []string) {
	switch {
	case p.accept("as"):
	case !p.tok().isName() || p.atEmit() || p.is("match_recognize", "("):
		return "", nil
	}
	name = p.name()
	if p.is("(") {
		cols = p.names()
	}
	return name, cols
}

func (p *parser) sample() *ast.Sample {
	if !p.is("tablesample") {
		return nil
	}
	s := &ast.Sample{Position: p.position()}
	p.skip(1)
	s.Method = p.anyName()
	s.Args = p.parenExprs()
	if p.accept("repeatable") {
		p.expect("(")
		p.expr(&s.Repeatable)
		p.expect(")")
	}
	return s
}

// funcAhead tells whether a function call, or a value like CURRENT_DATE, stands here for a table.
func (p *parser) funcAhead() bool {
	t := p.tok()
	if t.kind == word && (sqlValues.has(t.text) || t.is("current_schema")) || t.is("cast") && p.at(1).is("(") {
		return true
	}
	if !t.isTypeName() {
		return false
	}
	k := 1
	for p.at(k).is(".") {
		k += 2
	}
	return p.at(k).is("(")
}

// funcExpr parses a function that stands for a table.
func (p *parser) funcExpr() *ast.FuncItem {
	f := &ast.FuncItem{Position: p.position()}
	t := p.tok()
	var v value
	if t.kind == word {
		v = p.word(t)
	} else {
		v = p.nameOrCall()
	}
	v.into(&f.X)
	return f
}

// funcItem parses an item of ROWS FROM.
func (p *parser) funcItem() *ast.FuncItem {
	f := p.funcExpr()
	if p.accept("as") {
		f.ColDefs = parens(p, func() []*ast.ColDef { return list(p, p.colDef) })
	}
	return f
}

func (p *parser) colDef() *ast.ColDef {
	c := &ast.ColDef{Position: p.position()}
	c.Name = p.name()
	c.Type = p.typeName()
	if p.accept("collate") {
		c.Collation = p.anyName()
	}
	return c
}

// funcAlias parses [WITH ORDINALITY] [[AS] name] [(cols) or (column definitions)].
func (p *parser) funcAlias(f *ast.FuncRef) {
	f.Ordinality = p.accept("with", "ordinality")
	as := p.accept("as")
	switch {
	case p.tok().isName() && !p.atEmit():
		f.Alias = p.name()
	case !as:
		return
	case !p.is("("):
		p.fail()
	}
	if !p.is("(") {
		return
	}
	if p.at(2).isAny(",", ")") && f.Alias != "" {
		f.Cols = p.names()
		return
	}
	f.ColDefs = parens(p, func() []*ast.ColDef { return list(p, p.colDef) })
}

package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// atQuery tells whether the current token is the parenthesis of a query, not of an expression or a
// join: its content begins with SELECT and the like, perhaps behind more parentheses.
func (p *parser) atQuery() bool { return p.queryAt(p.i) }

func (p *parser) queryAt(k int) bool {
	for start := k; p.toks[k].is("(") && k-start <= maxDepth; { // what is deeper fails anyhow
		k++
		t := &p.toks[k]
		if t.isAny("select", "with", "values") || t.is("table") && p.toks[k+1].isName() {
			return true
		}
		if !t.is("(") {
			return false
		}
		// ((SELECT 1)) or ((SELECT 1) UNION …), but not ((SELECT 1) + 1)
		after := &p.toks[min(int(t.mate)+1, len(p.toks)-1)]
		if !after.isAny(")", "union", "except", "intersect", "order", "limit", "offset", "fetch", "for", "emit") {
			return false
		}
	}
	return false
}

// atSelect tells whether a query begins here.
func (p *parser) atSelect() bool {
	return p.isAny("select", "with", "values", "table") || p.atQuery()
}

// parenQuery parses (query).
func (p *parser) parenQuery() *ast.Query {
	if !p.atQuery() {
		p.expect("(")
		for p.accept("(") {
		}
		p.fail()
		return nil
	}
	p.skip(1)
	q := p.query()
	p.expect(")")
	return q
}

// query parses a query with everything around its body.
func (p *parser) query() *ast.Query {
	q := &ast.Query{Position: p.position()}
	if !p.enter() {
		return q
	}
	defer p.leave()
	q.Recursive, q.With = p.with()
	q.Body = p.setOperation(0)
	clauses := p.queryTail(q)
	if in, ok := q.Body.(*ast.Query); ok && !clauses && q.With == nil {
		return in // (SELECT 1) is SELECT 1
	}
	return q
}

// with parses the WITH clause, if there is one.
func (p *parser) with() (recursive bool, ctes []*ast.CTE) {
	if !p.accept("with") {
		return false, nil
	}
	recursive = p.accept("recursive")
	return recursive, list(p, p.cte)
}

func (p *parser) cte() *ast.CTE {
	c := &ast.CTE{Position: p.position()}
	c.Name = p.name()
	if p.is("(") {
		c.Cols = p.names()
	}
	p.expect("as")
	switch {
	case p.accept("not", "materialized"):
		c.Materialized = "NOT MATERIALIZED"
	case p.accept("materialized"):
		c.Materialized = "MATERIALIZED"
	}
	if p.is("(") && p.at(1).isAny("insert", "update", "delete") {
		p.skip(1)
		c.Stmt = p.statement()
		p.expect(")")
	} else {
		c.Stmt = p.parenQuery()
	}
	return c
}

// queryTail parses what may follow a query's body; it returns whether there was anything.
func (p *parser) queryTail(q *ast.Query) bool {
	if p.accept("order") {
		p.expect("by")
		q.OrderBy = p.sortKeys()
	}
	var limit, offset bool // seen; q.Limit may still be a hole
	for {
		switch {
		case !limit && p.is("limit"):
			limit = p.limit(q)
		case !limit && p.is("fetch"):
			p.fetchFirst(q)
			limit = true
		case !offset && p.accept("offset"):
			p.expr(&q.Offset)
			p.acceptAny("row", "rows")
			offset = true
		case p.lockingClause(q), p.emitClause(q):
		default:
			return limit || offset || q.OrderBy != nil || q.Locking != nil || q.Emit != ast.EmitDefault
		}
	}
}

// limit parses LIMIT n; false for LIMIT ALL, which is no limit.
func (p *parser) limit(q *ast.Query) bool {
	pos := p.pos()
	p.expect("limit")
	if p.accept("all") || p.accept("null") {
		return false
	}
	p.expr(&q.Limit)
	if p.is(",") {
		p.failWith(sql.Errorf(sql.CodeSyntaxError, "LIMIT #,# syntax is not supported").At(pos).
			WithHint("Use separate LIMIT and OFFSET clauses."))
	}
	return true
}

func (p *parser) fetchFirst(q *ast.Query) {
	p.expect("fetch")
	p.expectAny("first", "next")
	if p.isAny("row", "rows") {
		q.Limit = &ast.Literal{Kind: ast.Number, Value: "1"}
	} else {
		p.unary().into(&q.Limit)
	}
	p.expectAny("row", "rows")
	if p.accept("only") {
		return
	}
	p.expect("with", "ties")
	if q.WithTies = true; q.OrderBy == nil {
		p.failWith(sql.Errorf(sql.CodeSyntaxError, "WITH TIES cannot be specified without ORDER BY clause"))
	}
}

func (p *parser) lockingClause(q *ast.Query) bool {
	if !p.is("for") {
		return false
	}
	l := &ast.Locking{Position: p.position()}
	p.skip(1)
	switch {
	case p.accept("update"):
		l.Strength = "UPDATE"
	case p.accept("share"):
		l.Strength = "SHARE"
	case p.accept("no"):
		p.expect("key", "update")
		l.Strength = "NO KEY UPDATE"
	default:
		p.expect("key", "share")
		l.Strength = "KEY SHARE"
	}
	if p.accept("of") {
		l.Of = p.qualifiedNames()
	}
	switch {
	case p.accept("nowait"):
		l.Wait = "NOWAIT"
	case p.accept("skip"):
		p.expect("locked")
		l.Wait = "SKIP LOCKED"
	}
	q.Locking = append(q.Locking, l)
	return true
}

// emitClause parses EMIT ON WINDOW CLOSE (also EMIT FINAL) or EMIT ON UPDATE (also EMIT CHANGES).
func (p *parser) emitClause(q *ast.Query) bool {
	if q.Emit != ast.EmitDefault || !p.accept("emit") {
		return false
	}
	switch p.expectAny("on", "final", "changes") {
	case "final":
		q.Emit = ast.EmitOnWindowClose
	case "changes":
		q.Emit = ast.EmitOnUpdate
	case "on":
		if p.accept("update") {
			q.Emit = ast.EmitOnUpdate
		} else {
			p.expect("window", "close")
			q.Emit = ast.EmitOnWindowClose
		}
	}
	return true
}

// setOperation parses bodies joined by operators that bind tighter than floor: INTERSECT has rank 2,
// UNION and EXCEPT rank 1.
func (p *parser) setOperation(floor int) ast.QueryBody {
	left := p.queryBody()
	for n := 0; ; {
		rank, name := 1, ""
		switch {
		case p.is("intersect"):
			rank, name = 2, "INTERSECT"
		case p.is("union"):
			name = "UNION"
		case p.is("except"):
			name = "EXCEPT"
		}
		if name == "" || rank <= floor || !p.link(&n) {
			return left
		}
		x := &ast.SetOp{Position: p.position(), Op: name, L: left}
		p.skip(1)
		if x.All = p.accept("all"); !x.All {
			p.accept("distinct")
		}
		x.R = p.setOperation(rank)
		left = x
	}
}

func (p *parser) queryBody() ast.QueryBody {
	pos := p.position()
	switch {
	case p.is("("):
		return p.parenQuery()
	case p.accept("values"):
		return &ast.Values{Position: pos, Rows: list(p, p.parenExprs)}
	case p.accept("table"):
		p.accept("only")
		ref := &ast.TableRef{Position: p.position()}
		ref.Name = p.qualifiedName()
		star := &ast.Target{Position: pos, X: &ast.Star{Position: pos}}
		return &ast.Select{Position: pos, Targets: []*ast.Target{star}, From: []ast.From{ref}}
	}
	return p.selectBody()
}

func (p *parser) selectBody() *ast.Select {
	s := &ast.Select{Position: p.position()}
	p.expect("select")
	required := true // whether targets must follow
	switch {
	case p.accept("distinct", "on"):
		s.DistinctOn = p.parenExprs()
	case p.accept("distinct"):
		s.Distinct = true
	default:
		p.accept("all")
		required = false
	}
	if required || !p.atTargetsEnd() {
		s.Targets = p.targets()
	}
	if p.is("into") {
		s.Into = p.into()
	}
	if p.accept("from") {
		s.From = p.fromList()
	}
	if p.accept("where") {
		p.expr(&s.Where)
	}
	if p.accept("group") {
		p.expect("by")
		if s.GroupDistinct = p.accept("distinct"); !s.GroupDistinct {
			p.accept("all")
		}
		s.GroupBy = p.groupItems()
	}
	if p.accept("having") {
		p.expr(&s.Having)
	}
	if p.accept("window") {
		s.Windows = list(p, p.windowDef)
	}
	return s
}

// atTargetsEnd tells whether a select list is over before it began: SELECT FROM t.
func (p *parser) atTargetsEnd() bool { return p.tok().endsTarget() && !p.is(",") }

// endsTarget tells whether t can follow an item of a select list.
func (t *token) endsTarget() bool {
	return t.kind == eof || t.isAny(",", "from", "where", "group", "having", "window", "order", "limit",
		"offset", "fetch", "for", "into", "union", "except", "intersect", ")", ";")
}

// targets parses a select list.
func (p *parser) targets() []*ast.Target {
	return list(p, func() *ast.Target {
		t := &ast.Target{Position: p.position()}
		if p.is("*") {
			p.skip(1)
			t.X = &ast.Star{Position: t.Position}
			return t
		}
		p.targetExpr(&t.X)
		if p.accept("as") {
			t.Alias = p.label()
		} else if p.tok().isBareLabel() && !p.atEmit() {
			t.Alias = p.label()
		}
		return t
	})
}

// atEmit tells the EMIT clause from an alias.
func (p *parser) atEmit() bool {
	return p.is("emit") && p.at(1).isAny("on", "final", "changes")
}

func (p *parser) into() *ast.Into {
	x := &ast.Into{Position: p.position()}
	p.expect("into")
	if next := p.at(1); next.isName() || next.is("table") {
		x.Unlogged = p.accept("unlogged")
		x.Temp = !x.Unlogged && p.acceptAny("temp", "temporary") != ""
	}
	p.accept("table")
	x.Name = p.qualifiedName()
	return x
}

func (p *parser) windowDef() *ast.WindowDef {
	w := &ast.WindowDef{Position: p.position()}
	w.Name = p.name()
	p.expect("as")
	w.Spec = p.windowSpec()
	return w
}

// groupItems parses the list after GROUP BY.
func (p *parser) groupItems() []ast.Expr {
	values := list(p, p.groupItem)
	out := make([]ast.Expr, len(values))
	for k, v := range values {
		v.into(&out[k])
	}
	return out
}

func (p *parser) groupItem() value {
	g := &ast.Grouping{Position: p.position()}
	switch {
	case p.accept("(", ")"):
		g.Kind = ast.GroupingNone
		return value{x: g}
	case p.accept("grouping", "sets"):
		g.Kind = ast.GroupingSets
		if !p.enter() {
			return value{}
		}
		defer p.leave()
		g.Items = parens(p, p.groupItems)
		return value{x: g}
	case p.is("rollup", "("):
		g.Kind = ast.Rollup
	case p.is("cube", "("):
		g.Kind = ast.Cube
	default:
		return p.full()
	}
	p.skip(1)
	g.Items = p.parenExprs()
	return value{x: g}
}

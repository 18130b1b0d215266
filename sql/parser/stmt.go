package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// statement parses one statement. A nil Stmt goes with an error.
func (p *parser) statement() ast.Stmt {
	if !p.enter() { // EXPLAIN EXPLAIN …
		return nil
	}
	defer p.leave()
	t := p.tok()
	if t.is("(") {
		return p.query()
	}
	if t.kind != word {
		p.fail()
		return nil
	}
	switch t.text {
	case "select", "values", "table":
		return p.query()
	case "with":
		return p.withStatement()
	case "insert":
		return p.insert(false, nil)
	case "update":
		return p.update(false, nil)
	case "delete":
		return p.delete(false, nil)
	case "create":
		return p.create()
	case "drop":
		return p.drop()
	case "alter":
		return p.alter()
	case "truncate", "copy", "subscribe", "merge":
		return p.dataStatement()
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release", "set", "reset",
		"show", "describe", "desc", "explain":
		return p.sessionStatement()
	case "declare", "fetch", "move", "close", "prepare", "execute", "deallocate":
		return p.cursorStatement()
	}
	return p.utilityStatement()
}

// withStatement parses WITH … and the query or data change that it is for.
func (p *parser) withStatement() ast.Stmt {
	pos := p.position()
	recursive, ctes := p.with()
	switch {
	case p.is("insert"):
		return p.insert(recursive, ctes)
	case p.is("update"):
		return p.update(recursive, ctes)
	case p.is("delete"):
		return p.delete(recursive, ctes)
	}
	q := &ast.Query{Position: pos, Recursive: recursive, With: ctes}
	q.Body = p.setOperation(0)
	p.queryTail(q)
	return q
}

func (p *parser) dataStatement() ast.Stmt {
	pos := p.position()
	switch p.label() {
	case "truncate":
		return p.truncate(pos)
	case "copy":
		return p.copy(pos)
	case "subscribe":
		return p.subscribe(pos)
	}
	p.expect("into")
	return &ast.Merge{Position: pos, Body: p.restOfStatement()}
}

func (p *parser) sessionStatement() ast.Stmt {
	pos := p.position()
	switch w := p.label(); w {
	case "begin", "start":
		return p.begin(pos, w)
	case "commit", "end":
		p.transactionWord()
		return &ast.Commit{Position: pos, Chain: p.chainClause()}
	case "rollback", "abort":
		return p.rollback(pos, w)
	case "savepoint":
		return &ast.Savepoint{Position: pos, Name: p.name()}
	case "release":
		p.accept("savepoint")
		return &ast.Release{Position: pos, Name: p.name()}
	case "set":
		return p.set(pos)
	case "reset":
		return p.reset(pos)
	case "show":
		return p.show(pos)
	case "explain":
		return p.explain(pos)
	}
	if p.is("select") || p.is("with") { // DESC SELECT …, as in Flink's EXPLAIN
		return &ast.Explain{Position: pos, Stmt: p.statement()}
	}
	p.accept("table")
	return &ast.Describe{Position: pos, Name: p.qualifiedName()}
}

func (p *parser) cursorStatement() ast.Stmt {
	pos := p.position()
	switch w := p.label(); w {
	case "declare":
		return p.declareCursor(pos)
	case "fetch", "move":
		return p.fetch(pos, w == "move")
	case "close":
		x := &ast.Close{Position: pos}
		if !p.accept("all") {
			x.Name = p.name()
		}
		return x
	case "prepare":
		return p.prepare(pos)
	case "execute":
		x := &ast.Execute{Position: pos, Name: p.name()}
		if p.is("(") {
			x.Args = p.parenExprs()
		}
		return x
	}
	p.accept("prepare")
	x := &ast.Deallocate{Position: pos}
	if !p.accept("all") {
		x.Name = p.name()
	}
	return x
}

// utilityStatement parses the statements that are one line each.
func (p *parser) utilityStatement() ast.Stmt {
	pos := p.position()
	t := p.tok()
	switch t.text {
	case "flush":
		p.skip(1)
		return &ast.Flush{Position: pos}
	case "backup":
		p.skip(1)
		p.expect("to")
		return &ast.Backup{Position: pos, Dir: p.string()}
	case "discard":
		p.skip(1)
		what := p.expectAny("all", "plans", "sequences", "temp", "temporary")
		if what == "temporary" {
			what = "temp"
		}
		return &ast.Discard{Position: pos, What: what}
	case "use":
		p.skip(1)
		if p.at(1).isLabel() {
			p.acceptAny("catalog", "modules")
		}
		return &ast.Use{Position: pos, Name: p.qualifiedName()}
	case "listen", "unlisten", "notify":
		p.skip(1)
		return p.listen(pos, t.text)
	case "analyze", "analyse", "vacuum", "refresh", "reindex", "cluster", "checkpoint":
		p.skip(1)
		return p.maintain(pos, t.text)
	case "lock":
		p.skip(1)
		return p.lock(pos)
	case "call":
		p.skip(1)
		return p.callStatement(pos)
	case "do":
		p.skip(1)
		return p.do(pos)
	case "comment":
		p.skip(1)
		return p.comment(pos)
	case "grant", "revoke":
		p.skip(1)
		return p.grant(pos, t.text == "revoke")
	}
	p.fail()
	return nil
}

func (p *parser) listen(pos ast.Position, verb string) ast.Stmt {
	x := &ast.Listen{Position: pos, Verb: map[string]string{"listen": "LISTEN", "unlisten": "UNLISTEN", "notify": "NOTIFY"}[verb]}
	if verb == "unlisten" && p.accept("*") {
		x.Channel = "*"
		return x
	}
	x.Channel = p.name()
	if verb == "notify" && p.accept(",") {
		x.Payload = p.string()
	}
	return x
}

func (p *parser) maintain(pos ast.Position, verb string) ast.Stmt {
	x := &ast.Maintain{Position: pos, Verb: verb}
	switch verb {
	case "refresh":
		p.expect("materialized", "view")
		x.Concurrently = p.accept("concurrently")
		x.Names = []ast.Name{p.qualifiedName()}
		x.NoData = p.withData()
		return x
	case "checkpoint":
		return x
	case "analyse":
		x.Verb = "analyze"
	case "reindex":
		x.Options = append(x.Options, &ast.Option{Position: p.position(),
			Name: p.expectAny("index", "table", "schema", "database", "system")})
		x.Concurrently = p.accept("concurrently")
		x.Names = []ast.Name{p.qualifiedName()}
		return x
	}
	if p.is("(") {
		x.Options = p.options()
	}
	for p.isAny("verbose", "full", "freeze") || verb == "vacuum" && p.isAny("analyze", "analyse") {
		x.Options = append(x.Options, &ast.Option{Position: p.position(), Name: p.label()})
	}
	if !p.tok().isName() {
		return x
	}
	x.Names = list(p, func() ast.Name {
		n := p.qualifiedName()
		if p.is("(") {
			p.names() // statistics of columns are no more than those of the table
		}
		return n
	})
	return x
}

// withData parses WITH [NO] DATA; it returns true for NO DATA.
func (p *parser) withData() bool {
	if p.accept("with", "no", "data") {
		return true
	}
	p.accept("with", "data")
	return false
}

func (p *parser) lock(pos ast.Position) ast.Stmt {
	x := &ast.Lock{Position: pos}
	p.accept("table")
	x.Tables = list(p, func() ast.Name {
		p.accept("only")
		n := p.qualifiedName()
		p.accept("*")
		return n
	})
	if p.accept("in") {
		x.Mode = p.lockMode()
		p.expect("mode")
	}
	x.NoWait = p.accept("nowait")
	return x
}

func (p *parser) lockMode() string {
	switch {
	case p.accept("access"):
		if p.expectAny("share", "exclusive") == "share" {
			return "ACCESS SHARE"
		}
		return "ACCESS EXCLUSIVE"
	case p.accept("row"):
		if p.expectAny("share", "exclusive") == "share" {
			return "ROW SHARE"
		}
		return "ROW EXCLUSIVE"
	case p.accept("share", "update"):
		p.expect("exclusive")
		return "SHARE UPDATE EXCLUSIVE"
	case p.accept("share", "row"):
		p.expect("exclusive")
		return "SHARE ROW EXCLUSIVE"
	case p.accept("share"):
		return "SHARE"
	}
	p.expect("exclusive")
	return "EXCLUSIVE"
}

func (p *parser) callStatement(pos ast.Position) ast.Stmt {
	x := &ast.CallStmt{Position: pos}
	v := p.nameOrCall()
	if c, ok := v.x.(*ast.Call); ok {
		x.Call = c
	} else {
		p.fail()
	}
	return x
}

func (p *parser) do(pos ast.Position) ast.Stmt {
	x := &ast.Do{Position: pos}
	if p.accept("language") {
		x.Language = p.label()
	}
	x.Code = p.string()
	if x.Language == "" && p.accept("language") {
		x.Language = p.label()
	}
	return x
}

func (p *parser) comment(pos ast.Position) ast.Stmt {
	x := &ast.Comment{Position: pos}
	p.expect("on")
	if x.Kind = p.objectKind(); x.Kind == "" {
		x.Kind = p.expectAny("column", "constraint")
	}
	x.Name = p.anyName()
	if x.Kind == "constraint" {
		p.expect("on")
		x.Name = append(p.qualifiedName(), x.Name...)
	}
	p.expect("is")
	if x.Null = p.accept("null"); !x.Null {
		x.Text = p.string()
	}
	return x
}

// errUnsupported reports a construct that is recognised and has no tree.
func (p *parser) errUnsupported(what, hint string) {
	p.failWith(sql.Unsupported(what, hint).At(p.pos()))
}

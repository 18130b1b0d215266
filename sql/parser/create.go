package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// create parses CREATE ….
func (p *parser) create() ast.Stmt {
	pos := p.position()
	p.expect("create")
	orReplace := p.accept("or", "replace")
	temp := p.acceptAny("temp", "temporary") != ""
	if temp {
		p.accept("system") // Flink's CREATE TEMPORARY SYSTEM FUNCTION
	}
	switch {
	case p.isAny("table", "unlogged"):
		x := &ast.CreateTable{Position: pos, Temp: temp, Unlogged: p.accept("unlogged")}
		x.OrReplace = orReplace
		p.createTable(x)
		return x
	case p.is("materialized"), p.is("view"):
		return p.createView(&ast.CreateView{Position: pos, OrReplace: orReplace, Temp: temp})
	case temp && !p.is("function"):
		p.fail()
	case p.accept("source"):
		x := &ast.CreateSource{Position: pos}
		x.OrReplace = orReplace
		if p.relation(&x.Relation) {
			p.fail()
		}
		p.relationTail(&x.Relation, func() bool { return false })
		return x
	case p.accept("sink"):
		return p.createSink(&ast.CreateSink{Position: pos, OrReplace: orReplace})
	case p.isAny("function", "procedure", "aggregate"):
		return p.createOther(&ast.CreateOther{Position: pos, OrReplace: orReplace})
	case orReplace:
		p.fail()
	}
	return p.createOnce(pos)
}

// createOnce parses CREATE of what can't be replaced.
func (p *parser) createOnce(pos ast.Position) ast.Stmt {
	switch {
	case p.accept("subscription"):
		x := &ast.CreateSubscription{Position: pos}
		x.IfNotExists = p.ifNotExists()
		x.Name = p.qualifiedName()
		x.From, x.Query = p.fromOrAs()
		if p.is("with", "(") {
			p.skip(1)
			x.With = p.options()
		}
		return x
	case p.isAny("unique", "index"):
		return p.createIndex(&ast.CreateIndex{Position: pos, Unique: p.accept("unique")})
	case p.accept("schema"):
		return p.createSchema(pos)
	case p.isAny("user", "role"):
		x := &ast.CreateUser{Position: pos, Role: p.label() == "role"}
		x.IfNotExists = p.ifNotExists()
		x.Name = p.name()
		x.Options = p.userOptions()
		return x
	}
	return p.createOther(&ast.CreateOther{Position: pos})
}

func (p *parser) ifNotExists() bool { return p.accept("if", "not", "exists") }

func (p *parser) createView(x *ast.CreateView) ast.Stmt {
	if x.Materialized = p.accept("materialized"); x.Materialized && x.Temp {
		p.fail()
	}
	p.expect("view")
	x.IfNotExists = p.ifNotExists()
	x.Name = p.qualifiedName()
	if p.is("(") {
		x.Cols = p.names()
	}
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	p.expect("as")
	x.Query = p.query()
	if x.With == nil && p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	x.NoData = p.withData()
	return x
}

// createSink parses the rest of CREATE SINK. WITH and FORMAT follow the query.
func (p *parser) createSink(x *ast.CreateSink) ast.Stmt {
	x.IfNotExists = p.ifNotExists()
	x.Name = p.qualifiedName()
	if p.accept("into") {
		x.Into = p.qualifiedName()
	}
	x.From, x.Query = p.fromOrAs()
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	if p.is("format") {
		x.Format = p.format()
	}
	return x
}

func (p *parser) fromOrAs() (ast.Name, *ast.Query) {
	if p.accept("from") {
		return p.qualifiedName(), nil
	}
	p.expect("as")
	return nil, p.query()
}

func (p *parser) createIndex(x *ast.CreateIndex) ast.Stmt {
	p.expect("index")
	x.Concurrently = p.accept("concurrently")
	x.IfNotExists = p.ifNotExists()
	if x.IfNotExists || !p.is("on") {
		x.Name = p.name()
	}
	p.expect("on")
	p.accept("only")
	x.Table = p.qualifiedName()
	if p.accept("using") {
		x.Method = p.name()
	}
	x.Keys = parens(p, p.sortKeys)
	if p.accept("include") {
		x.Include = p.names()
	}
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	if p.accept("where") {
		p.expr(&x.Where)
	}
	return x
}

func (p *parser) createSchema(pos ast.Position) ast.Stmt {
	x := &ast.CreateSchema{Position: pos}
	x.IfNotExists = p.ifNotExists()
	if !p.is("authorization") {
		x.Name = p.qualifiedName()
	}
	if p.accept("authorization") {
		x.Owner = p.roleName()
		if x.Name == nil {
			x.Name = ast.Name{x.Owner}
		}
	}
	return x
}

// createOther parses CREATE of what this engine has no objects for.
func (p *parser) createOther(x *ast.CreateOther) ast.Stmt {
	x.Kind = p.expectAny("database", "sequence", "type", "extension", "function", "procedure", "aggregate",
		"connection", "secret", "catalog")
	x.IfNotExists = p.ifNotExists()
	x.Name = p.qualifiedName()
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	x.Body = p.restOfStatement()
	return x
}

// objectKind parses the kind of an object, as after DROP and ALTER; "" if there is none.
func (p *parser) objectKind() string {
	if p.accept("materialized") {
		p.expect("view")
		return string(ast.KindMaterializedView)
	}
	if p.accept("foreign") {
		p.expect("table")
		return "foreign table"
	}
	kind := p.acceptAny("table", "source", "view", "sink", "job", "index", "schema", "user", "role",
		"subscription", "database", "sequence", "type", "domain", "extension", "function", "procedure",
		"aggregate", "connection", "secret", "catalog")
	if kind == "role" {
		return string(ast.KindUser)
	}
	return kind
}

func (p *parser) drop() ast.Stmt {
	x := &ast.Drop{Position: p.position()}
	p.expect("drop")
	p.acceptAny("temp", "temporary") // Flink
	if x.Kind = ast.ObjectKind(p.objectKind()); x.Kind == "" {
		p.fail()
	}
	if x.Kind == ast.KindIndex {
		x.Concurrently = p.accept("concurrently")
	}
	x.IfExists = p.accept("if", "exists")
	x.Names = list(p, func() ast.Name {
		n := p.qualifiedName()
		if p.is("(") { // the arguments of a function
			p.skip(int(p.tok().mate) + 1 - p.i)
		}
		return n
	})
	if x.Cascade = p.accept("cascade"); !x.Cascade {
		p.accept("restrict")
	}
	return x
}

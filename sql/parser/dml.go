package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

func (p *parser) insert(recursive bool, ctes []*ast.CTE) ast.Stmt {
	x := &ast.Insert{Position: p.position(), Recursive: recursive, With: ctes}
	p.expect("insert")
	if x.Overwrite = p.accept("overwrite"); x.Overwrite {
		p.accept("into")
	} else {
		p.expect("into")
	}
	p.accept("table") // Flink
	x.Table = &ast.TableRef{Position: p.position(), Name: p.qualifiedName()}
	if p.accept("as") {
		x.Table.Alias = p.name()
	}
	if p.is("(") && !p.atQuery() {
		x.Cols = parens(p, func() []*ast.InsertCol { return list(p, p.insertCol) })
	}
	if p.accept("overriding") {
		if x.Overriding = "SYSTEM"; p.expectAny("system", "user") == "user" {
			x.Overriding = "USER"
		}
		p.expect("value")
	}
	if !p.accept("default", "values") {
		if !p.atSelect() {
			p.fail()
			return x
		}
		x.Query = p.query()
	}
	if p.accept("on") {
		p.expect("conflict")
		x.OnConflict = p.onConflict()
	}
	x.Returning = p.returning()
	return x
}

func (p *parser) insertCol() *ast.InsertCol {
	c := &ast.InsertCol{Position: p.position()}
	c.Name = p.name()
	return c
}

func (p *parser) onConflict() *ast.OnConflict {
	c := &ast.OnConflict{Position: p.position()}
	switch {
	case p.is("("):
		c.Keys = parens(p, p.sortKeys)
		if p.accept("where") {
			p.expr(&c.KeyWhere)
		}
	case p.accept("on", "constraint"):
		c.Constraint = p.name()
	}
	p.expect("do")
	if p.accept("nothing") {
		return c
	}
	p.expect("update", "set")
	c.Set = p.assigns()
	if p.accept("where") {
		p.expr(&c.Where)
	}
	return c
}

func (p *parser) returning() []*ast.Target {
	if !p.accept("returning") {
		return nil
	}
	return p.targets()
}

func (p *parser) assigns() []*ast.Assign {
	return list(p, func() *ast.Assign {
		a := &ast.Assign{Position: p.position()}
		if a.Multi = p.is("("); a.Multi {
			a.Cols = parens(p, p.qualifiedNames)
		} else {
			a.Cols = []ast.Name{p.qualifiedName()}
		}
		p.expect("=")
		p.expr(&a.X)
		return a
	})
}

// target parses [ONLY] name [*] [[AS] alias] of UPDATE and DELETE.
func (p *parser) target() *ast.TableRef {
	only := p.accept("only")
	t := &ast.TableRef{Position: p.position(), Only: only, Name: p.qualifiedName()}
	p.accept("*")
	if p.accept("as") || p.tok().isName() && !p.is("set") {
		t.Alias = p.name()
	}
	return t
}

func (p *parser) update(recursive bool, ctes []*ast.CTE) ast.Stmt {
	x := &ast.Update{Position: p.position(), Recursive: recursive, With: ctes}
	p.expect("update")
	x.Table = p.target()
	p.expect("set")
	x.Set = p.assigns()
	if p.accept("from") {
		x.From = p.fromList()
	}
	if p.accept("where") {
		p.expr(&x.Where)
	}
	x.Returning = p.returning()
	return x
}

func (p *parser) delete(recursive bool, ctes []*ast.CTE) ast.Stmt {
	x := &ast.Delete{Position: p.position(), Recursive: recursive, With: ctes}
	p.expect("delete", "from")
	x.Table = p.target()
	if p.accept("using") {
		x.Using = p.fromList()
	}
	if p.accept("where") {
		p.expr(&x.Where)
	}
	x.Returning = p.returning()
	return x
}

func (p *parser) truncate(pos ast.Position) ast.Stmt {
	x := &ast.Truncate{Position: pos}
	p.accept("table")
	x.Tables = list(p, func() ast.Name {
		p.accept("only")
		n := p.qualifiedName()
		p.accept("*")
		return n
	})
	if x.RestartIdentity = p.accept("restart", "identity"); !x.RestartIdentity {
		p.accept("continue", "identity")
	}
	if x.Cascade = p.accept("cascade"); !x.Cascade {
		p.accept("restrict")
	}
	return x
}

// subscribe parses SUBSCRIBE [TO] name | (query) | query, and WITH (…).
func (p *parser) subscribe(pos ast.Position) *ast.Subscribe {
	x := &ast.Subscribe{Position: pos}
	p.accept("to")
	if p.atSelect() {
		x.Query = p.query()
	} else {
		x.Name = p.qualifiedName()
	}
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	return x
}

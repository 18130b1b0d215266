package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

func (p *parser) constraintName(c *ast.Constraint) {
	if p.accept("constraint") {
		c.Name = p.name()
	}
}

func (p *parser) tableConstraint() *ast.Constraint {
	c := &ast.Constraint{Position: p.position()}
	p.constraintName(c)
	switch {
	case p.accept("primary", "key"):
		c.Kind, c.Cols = ast.PrimaryKey, p.names()
	case p.accept("unique"):
		c.Kind, c.Cols = ast.Unique, p.names()
	case p.is("check"):
		p.checkConstraint(c)
	default:
		p.expect("foreign", "key")
		c.Kind, c.Cols = ast.ForeignKey, p.names()
		c.References = p.references()
	}
	p.constraintTail(c)
	return c
}

func (p *parser) columnConstraint() *ast.Constraint {
	c := &ast.Constraint{Position: p.position()}
	p.constraintName(c)
	switch {
	case p.accept("primary"):
		p.expect("key")
		c.Kind = ast.PrimaryKey
	case p.accept("unique"):
		c.Kind = ast.Unique
	case p.is("check"):
		p.checkConstraint(c)
	case p.is("references"):
		c.Kind = ast.ForeignKey
		c.References = p.references()
	case p.accept("not"):
		p.expect("null")
		c.Kind = ast.NotNull
	case p.accept("null"):
		c.Kind = ast.Nullable
	case p.accept("default"):
		c.Kind = ast.DefaultTo
		p.restricted(&c.Expr)
	default:
		p.expect("generated")
		p.generated(c)
	}
	p.constraintTail(c)
	return c
}

func (p *parser) checkConstraint(c *ast.Constraint) {
	c.Kind = ast.Check
	p.expect("check", "(")
	p.expr(&c.Expr)
	p.expect(")")
}

// generated parses what follows GENERATED.
func (p *parser) generated(c *ast.Constraint) {
	if c.Always = p.accept("always"); !c.Always {
		p.expect("by", "default")
	}
	p.expect("as")
	if !c.Always || p.is("identity") {
		p.expect("identity")
		c.Kind = ast.Identity
		if p.is("(") {
			p.skip(1)
			for !p.is(")") && p.err == nil {
				c.Sequence = append(c.Sequence, p.sequenceOption())
			}
			p.expect(")")
		}
		return
	}
	c.Kind = ast.Generated
	p.expect("(")
	p.expr(&c.Expr)
	p.expect(")", "stored")
}

// sequenceOption parses START WITH 1, INCREMENT BY 1, NO MAXVALUE, CACHE 5, CYCLE.
func (p *parser) sequenceOption() *ast.Option {
	o := &ast.Option{Position: p.position()}
	no := p.accept("no")
	o.Name = p.expectAny("start", "increment", "minvalue", "maxvalue", "cache", "cycle", "restart")
	if no {
		o.Name = "no " + o.Name
		return o
	}
	p.acceptAny("with", "by")
	if p.tok().kind == num || p.isAny("-", "+") {
		p.optionValue(o)
	}
	return o
}

func (p *parser) references() *ast.References {
	r := &ast.References{Position: p.position()}
	p.expect("references")
	r.Table = p.qualifiedName()
	if p.is("(") {
		r.Cols = p.names()
	}
	for {
		switch {
		case p.accept("on", "delete"):
			r.OnDelete = p.refAction()
		case p.accept("on", "update"):
			r.OnUpdate = p.refAction()
		case p.accept("match"):
			switch p.expectAny("full", "partial", "simple") {
			case "full":
				r.Match = "FULL"
			case "partial":
				r.Match = "PARTIAL"
			case "simple":
				r.Match = "SIMPLE"
			}
		default:
			return r
		}
	}
}

func (p *parser) refAction() string {
	switch {
	case p.accept("cascade"):
		return "CASCADE"
	case p.accept("restrict"):
		return "RESTRICT"
	case p.accept("set", "null"):
		return "SET NULL"
	case p.accept("set", "default"):
		return "SET DEFAULT"
	}
	p.expect("no", "action")
	return "NO ACTION"
}

// constraintTail parses NOT ENFORCED, NOT VALID, DEFERRABLE and INITIALLY ….
func (p *parser) constraintTail(c *ast.Constraint) {
	for {
		switch {
		case p.accept("not", "enforced"):
			c.NotEnforced = true
		case p.accept("not", "valid"):
			c.NotValid = true
		case p.accept("not", "deferrable"), p.accept("initially", "immediate"), p.accept("enforced"):
		case p.accept("deferrable"):
			c.Deferrable = true
		case p.accept("initially", "deferred"):
			c.Deferrable, c.Deferred = true, true
		default:
			return
		}
	}
}

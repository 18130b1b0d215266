package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// createTable parses CREATE TABLE from TABLE on.
func (p *parser) createTable(x *ast.CreateTable) {
	p.expect("table")
	namesOnly := p.relation(&x.Relation)
	p.relationTail(&x.Relation, func() bool {
		if !p.accept("on", "commit") {
			return false
		}
		switch p.expectAny("drop", "delete", "preserve") {
		case "drop":
			x.OnCommit = "DROP"
		case "delete":
			p.expect("rows")
			x.OnCommit = "DELETE ROWS"
		case "preserve":
			p.expect("rows")
			x.OnCommit = "PRESERVE ROWS"
		}
		return true
	})
	if p.accept("as") {
		x.Query = p.query()
		x.NoData = p.withData()
	} else if namesOnly {
		p.fail() // (a, b) without types are the names of a query's columns
	}
}

// relation parses [IF NOT EXISTS] name [(columns …)]. It returns whether the columns are only names,
// as CREATE TABLE … AS allows.
func (p *parser) relation(r *ast.Relation) (namesOnly bool) {
	r.IfNotExists = p.ifNotExists()
	r.Name = p.qualifiedName()
	if !p.is("(") {
		return false
	}
	if p.at(1).isName() && p.at(2).isAny(",", ")") {
		r.Columns = parens(p, func() []*ast.ColumnDef {
			return list(p, func() *ast.ColumnDef { return &ast.ColumnDef{Position: p.position(), Name: p.name()} })
		})
		return true
	}
	p.skip(1)
	for first := true; first && !p.is(")") || p.accept(","); first = false {
		p.element(r)
	}
	p.expect(")")
	return false
}

// element parses a column, constraint, watermark or LIKE.
func (p *parser) element(r *ast.Relation) {
	switch {
	case p.is("watermark", "for"):
		if w := p.watermark(); r.Watermark == nil {
			r.Watermark = w
		} else {
			p.failWith(sql.Errorf(sql.CodeInvalidTableDefinition, "multiple watermarks are not allowed").At(w.Pos()))
		}
	case p.is("like"):
		r.Likes = append(r.Likes, p.tableLike())
	case p.isAny("constraint", "primary", "unique", "check", "foreign"):
		r.Constraints = append(r.Constraints, p.tableConstraint())
	case p.is("*"):
		p.skip(1)
		r.AllColumns = true
	default:
		r.Columns = append(r.Columns, p.columnDef())
	}
}

func (p *parser) watermark() *ast.Watermark {
	w := &ast.Watermark{Position: p.position()}
	p.expect("watermark", "for")
	w.Col = p.qualifiedName()
	p.expect("as")
	p.expr(&w.Expr)
	return w
}

func (p *parser) tableLike() *ast.TableLike {
	l := &ast.TableLike{Position: p.position()}
	p.expect("like")
	l.Name = p.qualifiedName()
	for p.isAny("including", "excluding") {
		how := "INCLUDING "
		if p.label() == "excluding" {
			how = "EXCLUDING "
		}
		l.Options = append(l.Options, how+p.label())
	}
	return l
}

func (p *parser) columnDef() *ast.ColumnDef {
	c := &ast.ColumnDef{Position: p.position(), Written: p.written()}
	c.Name = p.name()
	if p.accept("as") {
		p.expr(&c.Computed)
	} else {
		c.Type = p.typeName()
	}
	for {
		switch {
		case p.accept("collate"):
			c.Collation = p.anyName()
		case p.accept("metadata"):
			c.Metadata = c.Name
			if p.accept("from") {
				c.Metadata = p.string()
			}
			c.Virtual = p.accept("virtual")
		case p.accept("comment"):
			c.Comment = p.string()
		case c.Computed == nil && p.accept("as"):
			p.expr(&c.Computed)
		case p.isAny("constraint", "primary", "unique", "check", "references", "not", "null", "default", "generated"):
			c.Constraints = append(c.Constraints, p.columnConstraint())
		default:
			return c
		}
	}
}

// relationTail parses the clauses after the columns, in any order.
func (p *parser) relationTail(r *ast.Relation, more func() bool) {
	for {
		switch {
		case p.accept("with"):
			r.With = append(r.With, p.options()...)
		case p.is("format"):
			r.Format = p.format()
		case p.isAny("partitioned", "partition", "distributed"):
			r.PartitionBy = p.partition()
		case p.accept("append", "only"):
			r.AppendOnly = true
		case p.is("include"):
			r.Includes = append(r.Includes, p.include())
		case p.accept("without", "oids"):
		case p.accept("tablespace"):
			p.name()
		case p.accept("comment"):
			p.string()
		case more():
		default:
			return
		}
	}
}

// partition parses Flink's PARTITIONED BY (a) and PostgreSQL's PARTITION BY RANGE (a).
func (p *parser) partition() *ast.Partition {
	x := &ast.Partition{Position: p.position()}
	if p.label() == "partition" {
		p.expect("by")
		x.Method = p.expectAny("range", "list", "hash")
	} else {
		p.expect("by")
	}
	x.Cols = p.names()
	return x
}

// include parses INCLUDE key|partition|offset|timestamp|header|headers|payload ['field'] [type] [AS c].
func (p *parser) include() *ast.Include {
	x := &ast.Include{Position: p.position()}
	p.expect("include")
	x.What = p.label()
	if p.tok().kind == str {
		x.Field = p.string()
		if p.tok().isTypeName() && !p.is("include") && !p.is("format") {
			x.Type = p.typeName()
		}
	}
	if p.accept("as") {
		x.Alias = p.name()
	}
	return x
}

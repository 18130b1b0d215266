package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// roleName is a role; CURRENT_USER and the like are kept as those words.
func (p *parser) roleName() string {
	if w := p.acceptAny("current_user", "session_user", "current_role"); w != "" {
		return w
	}
	return p.name()
}

func (p *parser) alterUser(pos ast.Position) ast.Stmt {
	x := &ast.AlterUser{Position: pos, Role: p.label() == "role"}
	x.Name = p.roleName()
	if p.accept("rename") {
		p.expect("to")
		x.Rename = p.name()
		return x
	}
	x.Options = p.userOptions()
	return x
}

// userOptions parses [WITH] SUPERUSER PASSWORD 'x' ….
func (p *parser) userOptions() []*ast.UserOption {
	p.accept("with")
	var out []*ast.UserOption
	for p.tok().isLabel() {
		out = append(out, p.userOption())
	}
	return out
}

func (p *parser) userOption() *ast.UserOption {
	o := &ast.UserOption{Position: p.position()}
	switch {
	case p.accept("encrypted", "password"), p.accept("password"):
		o.Name = "password"
		if o.Null = p.accept("null"); !o.Null {
			o.Value = p.string()
		}
	case p.accept("valid"):
		p.expect("until")
		o.Name, o.Value = "valid until", p.string()
	case p.accept("connection"):
		p.expect("limit")
		o.Name = "connection limit"
		if p.accept("-") {
			o.Value = "-"
		}
		o.Value += p.number()
	case p.isAny("in", "role", "admin", "user", "group"):
		if p.accept("in") {
			o.Name = "in "
		}
		o.Name += p.expectAny("role", "admin", "user", "group")
		o.Names = list(p, p.roleName)
	case p.accept("sysid"):
		o.Name, o.Value = "sysid", p.number()
	case userFlags.has(p.tok().text):
		o.Name = p.label()
	case p.tok().isName():
		p.failWith(sql.Errorf(sql.CodeSyntaxError, "unrecognized role option %q", p.tok().text).At(p.pos()))
	default:
		p.fail()
	}
	return o
}

var userFlags = words("superuser nosuperuser createdb nocreatedb createrole nocreaterole inherit noinherit",
	"login nologin replication noreplication bypassrls nobypassrls")

// grant parses GRANT and REVOKE.
func (p *parser) grant(pos ast.Position, revoke bool) ast.Stmt {
	x := &ast.Grant{Position: pos, Revoke: revoke}
	if revoke && (p.accept("grant", "option", "for") || p.accept("admin", "option", "for")) {
		x.GrantOption = true
	}
	x.Privileges = list(p, p.privilege)
	if p.accept("on") {
		x.Kind, x.Objects = p.grantObjects()
	}
	if revoke {
		p.expect("from")
	} else {
		p.expect("to")
	}
	x.Grantees = list(p, func() string {
		p.accept("group")
		return p.roleName()
	})
	if p.accept("with", "grant", "option") || p.accept("with", "admin", "option") {
		x.GrantOption = true
	}
	if p.accept("granted", "by") {
		p.roleName()
	}
	if x.Cascade = p.accept("cascade"); !x.Cascade {
		p.accept("restrict")
	}
	return x
}

func (p *parser) privilege() *ast.Privilege {
	v := &ast.Privilege{Position: p.position()}
	if v.Name = p.acceptAny("select", "all", "create", "references"); v.Name == "" {
		v.Name = p.name()
	}
	if v.Name == "all" {
		p.accept("privileges")
	}
	if p.is("(") {
		v.Cols = p.names()
	}
	return v
}

func (p *parser) grantObjects() (kind string, objects []ast.Name) {
	if p.accept("all") {
		kind = "all " + p.expectAny("tables", "sequences", "functions", "procedures", "routines") + " in schema"
		p.expect("in", "schema")
		return kind, p.qualifiedNames()
	}
	kind = "table"
	if k := p.objectKind(); k != "" {
		kind = k
	}
	return kind, list(p, func() ast.Name {
		n := p.qualifiedName()
		if p.is("(") {
			p.skip(int(p.tok().mate) + 1 - p.i)
		}
		return n
	})
}

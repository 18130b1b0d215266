package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// shown are the lists that SHOW names with one word.
var shown = words("tables sources views sinks jobs indexes schemas databases functions subscriptions users",
	"connections secrets catalogs cursors columns")

// show parses SHOW after its first word.
func (p *parser) show(pos ast.Position) ast.Stmt {
	x := &ast.Show{Position: pos}
	switch {
	case p.accept("all"):
		x.What = "all"
	case p.accept("time", "zone"):
		x.What, x.Setting = "setting", "timezone"
	case p.accept("transaction", "isolation", "level"):
		x.What, x.Setting = "setting", "transaction_isolation"
	case p.accept("session", "authorization"):
		x.What, x.Setting = "setting", "session_authorization"
	case p.accept("create"):
		x.What = "create"
		if x.Kind = ast.ObjectKind(p.objectKind()); x.Kind == "" {
			p.fail()
		}
		x.Name = p.qualifiedName()
	case p.accept("materialized"):
		p.expect("views")
		x.What = "materialized views"
		p.showFilter(x)
	case p.tok().kind == word && shown.has(p.tok().text):
		if x.What = p.label(); x.What == "columns" {
			p.expectAny("from", "in")
			x.Name = p.qualifiedName()
		}
		p.showFilter(x)
	default:
		x.What, x.Setting = "setting", p.settingName()
	}
	return x
}

// showFilter parses [FROM schema] [LIKE 'pattern'].
func (p *parser) showFilter(x *ast.Show) {
	if p.acceptAny("from", "in") != "" {
		x.From = p.qualifiedName()
	}
	if p.accept("like") {
		x.Like = p.string()
	}
}

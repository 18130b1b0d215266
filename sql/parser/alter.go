package parser

import "github.com/streamsql/streamsql/sql/parser/ast"

// alter parses ALTER ….
func (p *parser) alter() ast.Stmt {
	pos := p.position()
	p.expect("alter")
	switch {
	case p.accept("system"):
		return p.alterSystem(pos)
	case p.isAny("user", "role"):
		return p.alterUser(pos)
	}
	x := &ast.Alter{Position: pos}
	if x.Kind = ast.ObjectKind(p.objectKind()); x.Kind == "" {
		p.fail()
	}
	x.IfExists = p.accept("if", "exists")
	x.Only = p.accept("only")
	x.Name = p.qualifiedName()
	if x.Kind == ast.KindJob && !p.is("set") && !p.is("reset") {
		return &ast.AlterJob{Position: pos, Name: x.Name, Action: p.jobAction()}
	}
	x.Actions = list(p, p.alterAction)
	return x
}

func (p *parser) jobAction() ast.JobAction {
	switch p.expectAny("pause", "resume", "accept") {
	case "pause":
		return ast.PauseJob
	case "resume":
		return ast.ResumeJob
	}
	p.expect("target")
	return ast.AcceptTarget
}

func (p *parser) alterAction() *ast.AlterAction {
	a := &ast.AlterAction{Position: p.position()}
	switch p.expectAny("add", "drop", "alter", "rename", "owner", "set", "reset", "modify") {
	case "add":
		p.alterAdd(a)
	case "drop":
		p.alterDrop(a)
	case "alter":
		p.accept("column")
		a.Col = p.name()
		p.alterColumn(a)
	case "rename":
		p.alterRename(a)
	case "owner":
		p.expect("to")
		a.Kind, a.To = ast.OwnerTo, p.roleName()
	case "set":
		p.alterSet(a)
	case "reset":
		a.Kind, a.Options = ast.ResetOption, p.options()
	case "modify":
		a.Kind, a.Watermark = ast.AlterWatermark, p.watermark()
	}
	return a
}

func (p *parser) alterAdd(a *ast.AlterAction) {
	if p.isAny("constraint", "primary", "unique", "check", "foreign") {
		a.Kind, a.Constraint = ast.AddConstraint, p.tableConstraint()
		return
	}
	a.Kind = ast.AddColumn
	p.accept("column")
	a.IfExists = p.ifNotExists()
	a.Column = p.columnDef()
}

func (p *parser) alterDrop(a *ast.AlterAction) {
	a.Kind = ast.DropColumn
	if p.accept("constraint") {
		a.Kind = ast.DropConstraint
	} else {
		p.accept("column")
	}
	a.IfExists = p.accept("if", "exists")
	a.Col = p.name()
	if a.Cascade = p.accept("cascade"); !a.Cascade {
		p.accept("restrict")
	}
}

func (p *parser) alterColumn(a *ast.AlterAction) {
	switch {
	case p.accept("set", "data", "type"), p.accept("type"):
		a.Kind, a.Type = ast.AlterType, p.typeName()
		if p.accept("using") {
			p.expr(&a.Expr)
		}
	case p.accept("set", "default"):
		a.Kind = ast.SetDefault
		p.expr(&a.Expr)
	case p.accept("drop", "default"):
		a.Kind = ast.DropDefault
	case p.accept("set"):
		p.expect("not", "null")
		a.Kind = ast.SetNotNull
	default:
		p.expect("drop", "not", "null")
		a.Kind = ast.DropNotNull
	}
}

func (p *parser) alterRename(a *ast.AlterAction) {
	if p.accept("to") {
		a.Kind, a.To = ast.RenameTo, p.name()
		return
	}
	a.Kind = ast.RenameColumn
	p.accept("column")
	a.Col = p.name()
	p.expect("to")
	a.To = p.name()
}

// alterSet parses SET SCHEMA s, SET (a = b, …) and SET name = value.
func (p *parser) alterSet(a *ast.AlterAction) {
	if p.accept("schema") {
		a.Kind, a.To = ast.SetSchema, p.name()
		return
	}
	a.Kind = ast.SetOption
	if p.is("(") {
		a.Options = p.options()
		return
	}
	o := &ast.Option{Position: p.position(), Name: p.optionName()}
	if !p.accept("to") {
		p.expect("=")
	}
	p.optionValue(o)
	a.Options = []*ast.Option{o}
}

func (p *parser) alterSystem(pos ast.Position) ast.Stmt {
	s := &ast.Set{Position: p.position()}
	x := &ast.AlterSystem{Position: pos, Set: s}
	if p.accept("reset") {
		s.Name = p.settingName()
		return x
	}
	p.expect("set")
	s.Name = p.settingName()
	p.setValue(s)
	return x
}

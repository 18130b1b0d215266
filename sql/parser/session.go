package parser

import (
	"strconv"

	"github.com/streamsql/streamsql/sql/parser/ast"
)

func (p *parser) transactionWord() { p.acceptAny("work", "transaction") }

func (p *parser) chainClause() bool {
	if p.accept("and", "no") {
		p.expect("chain")
		return false
	}
	if p.accept("and") {
		p.expect("chain")
		return true
	}
	return false
}

func (p *parser) begin(pos ast.Position, verb string) ast.Stmt {
	if verb == "start" {
		p.expect("transaction")
	} else {
		p.transactionWord()
	}
	return &ast.Begin{Position: pos, Start: verb == "start", Modes: p.transactionModes()}
}

func (p *parser) rollback(pos ast.Position, verb string) ast.Stmt {
	x := &ast.Rollback{Position: pos}
	p.transactionWord()
	if verb == "rollback" && p.accept("to") {
		p.accept("savepoint")
		x.Savepoint = p.name()
		return x
	}
	x.Chain = p.chainClause()
	return x
}

func (p *parser) transactionModes() (m ast.TransactionModes) {
	for {
		switch {
		case p.accept("isolation"):
			p.expect("level")
			m.Isolation = p.isolationLevel()
		case p.accept("read"):
			m.Access = "read " + p.expectAny("only", "write")
		case p.accept("deferrable"):
			m.Deferrable = "deferrable"
		case p.accept("not"):
			p.expect("deferrable")
			m.Deferrable = "not deferrable"
		default:
			return m
		}
		if p.is(",") {
			p.skip(1)
			if !p.isAny("isolation", "read", "deferrable", "not") {
				p.fail()
			}
		}
	}
}

func (p *parser) isolationLevel() string {
	switch p.expectAny("serializable", "repeatable", "read") {
	case "serializable":
		return "serializable"
	case "repeatable":
		p.expect("read")
		return "repeatable read"
	}
	return "read " + p.expectAny("committed", "uncommitted")
}

// settingName reads a.b.c.
func (p *parser) settingName() string {
	n := ast.Name{p.name()}
	for p.accept(".") {
		n = append(n, p.name())
	}
	return n.String()
}

// set parses SET after its first word.
func (p *parser) set(pos ast.Position) ast.Stmt {
	switch {
	case p.is("session", "characteristics"):
		p.skip(2)
		p.expect("as", "transaction")
		return &ast.SetTransaction{Position: pos, Session: true, Modes: p.transactionModes()}
	case p.is("transaction") && p.at(1).isAny("isolation", "read", "deferrable", "not"):
		p.skip(1)
		return &ast.SetTransaction{Position: pos, Modes: p.transactionModes()}
	}
	x := &ast.Set{Position: pos}
	if !p.at(1).isAny("=", "to") {
		if x.Local = p.accept("local"); !x.Local {
			p.accept("session")
		}
	}
	if !p.at(1).isAny("=", "to") {
		switch {
		case p.accept("time", "zone"):
			x.Name = "timezone"
			p.timeZone(x)
			return x
		case p.accept("names"):
			x.Name = "client_encoding"
			if p.tok().kind == str {
				p.settingValues(x)
			}
			return x
		case p.accept("role"):
			x.Name = "role"
			p.settingValues(x)
			return x
		case p.accept("authorization"): // SET SESSION AUTHORIZATION
			x.Name = "session_authorization"
			p.settingValues(x)
			return x
		}
	}
	x.Name = p.settingName()
	p.setValue(x)
	return x
}

// setValue parses = value or TO value.
func (p *parser) setValue(x *ast.Set) {
	if !p.accept("=") {
		p.expect("to")
	}
	p.settingValues(x)
}

// settingValues parses value, … or DEFAULT.
func (p *parser) settingValues(x *ast.Set) {
	if p.accept("default") {
		return
	}
	x.Values = list(p, p.settingValue)
}

func (p *parser) settingValue() ast.Expr {
	sign := ""
	if p.isAny("-", "+") {
		if p.is("-") {
			sign = "-"
		}
		p.skip(1)
		if p.tok().kind != num {
			p.fail()
		}
	}
	t := p.tok()
	x := &ast.Literal{Position: p.position(), Kind: ast.String, Value: t.text}
	switch {
	case t.kind == num:
		x.Kind, x.Value = ast.Number, sign+t.text
	case t.kind == str, t.kind == quoted, t.kind == word && (!reserved.has(t.text) || t.isAny("on", "true", "false")):
	default:
		p.fail()
		return x
	}
	p.skip(1)
	return x
}

// timeZone parses the value of SET TIME ZONE.
func (p *parser) timeZone(x *ast.Set) {
	switch {
	case p.accept("local"), p.accept("default"):
	case p.is("interval"):
		x.Values = []ast.Expr{p.typedLiteral()}
	default:
		x.Values = []ast.Expr{p.settingValue()}
	}
}

func (p *parser) reset(pos ast.Position) ast.Stmt {
	x := &ast.Reset{Position: pos}
	switch {
	case p.accept("all"):
	case p.accept("time", "zone"):
		x.Name = "timezone"
	case p.accept("transaction", "isolation", "level"):
		x.Name = "transaction_isolation"
	case p.accept("session", "authorization"):
		x.Name = "session_authorization"
	default:
		x.Name = p.settingName()
	}
	return x
}

func (p *parser) explain(pos ast.Position) ast.Stmt {
	x := &ast.Explain{Position: pos}
	switch {
	case p.is("(") && !p.atQuery():
		x.Options = p.options()
	default:
		for p.isAny("analyze", "analyse", "verbose") {
			o := &ast.Option{Position: p.position(), Name: p.label()}
			if o.Name == "analyse" {
				o.Name = "analyze"
			}
			x.Options = append(x.Options, o)
		}
	}
	p.accept("plan") // Flink: EXPLAIN PLAN FOR
	p.accept("for")
	x.Stmt = p.statement()
	return x
}

func (p *parser) declareCursor(pos ast.Position) ast.Stmt {
	x := &ast.DeclareCursor{Position: pos, Name: p.name()}
	subscription := false
	for !p.is("cursor") && p.err == nil {
		switch p.expectAny("binary", "insensitive", "asensitive", "no", "scroll", "subscription") {
		case "binary":
			x.Binary = true
		case "insensitive":
			x.Insensitive = true
		case "no":
			p.expect("scroll")
			x.Scroll = "NO SCROLL"
		case "scroll":
			x.Scroll = "SCROLL"
		case "subscription":
			subscription = true
		}
	}
	p.expect("cursor")
	if x.Hold = p.accept("with", "hold"); !x.Hold {
		p.accept("without", "hold")
	}
	p.expect("for")
	switch pos := p.position(); {
	case subscription:
		x.Subscription = p.qualifiedName()
		if p.accept("since") {
			x.Since = p.restOfStatement()
		}
	case p.accept("subscribe"):
		x.Stmt = p.subscribe(pos)
	case p.atSelect():
		x.Stmt = p.query()
	default:
		p.fail()
	}
	return x
}

// fetch parses FETCH and MOVE after the verb.
func (p *parser) fetch(pos ast.Position, move bool) ast.Stmt {
	x := &ast.Fetch{Position: pos, Move: move, Direction: "FORWARD", Count: 1}
	switch w := p.acceptAny("next", "prior", "first", "last", "absolute", "relative", "forward", "backward", "all"); w {
	case "first", "last", "absolute", "relative":
		x.Direction = map[string]string{"first": "FIRST", "last": "LAST", "absolute": "ABSOLUTE", "relative": "RELATIVE"}[w]
		if x.Count = 0; w == "absolute" || w == "relative" {
			x.Count = p.signedCount()
		}
	case "prior":
		x.Direction = "BACKWARD"
	case "all":
		x.All, x.Count = true, 0
	case "forward", "backward":
		if w == "backward" {
			x.Direction = "BACKWARD"
		}
		if x.All = p.accept("all"); x.All {
			x.Count = 0
		} else if p.tok().kind == num || p.isAny("-", "+") {
			x.Count = p.signedCount()
		}
	case "":
		if p.tok().kind == num || p.isAny("-", "+") {
			x.Count = p.signedCount()
		}
	}
	p.acceptAny("from", "in")
	x.Cursor = p.name()
	if p.is("with", "(") {
		p.skip(1)
		x.With = p.options()
	}
	return x
}

func (p *parser) signedCount() int64 {
	sign := ""
	if p.isAny("-", "+") {
		sign = p.tok().text
		p.skip(1)
	}
	t := p.tok()
	n, err := strconv.ParseInt(sign+p.number(), 10, 64)
	if err != nil {
		p.failAt(t)
	}
	return n
}

func (p *parser) prepare(pos ast.Position) ast.Stmt {
	if p.accept("transaction") {
		p.errUnsupported("PREPARE TRANSACTION", "")
		return nil
	}
	x := &ast.Prepare{Position: pos, Name: p.name()}
	if p.is("(") {
		x.Types = parens(p, func() []*ast.TypeName { return list(p, p.typeName) })
	}
	p.expect("as")
	x.Stmt = p.statement()
	return x
}

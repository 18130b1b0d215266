package ast

import (
	"strconv"
	"strings"
)

func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *Query:
		p.query(s)
	case *Insert:
		p.insert(s)
	case *Update:
		p.update(s)
	case *Delete:
		p.delete(s)
	case *Truncate:
		p.add("TRUNCATE ")
		list(p, s.Tables, p.name)
		p.when(s.RestartIdentity, " RESTART IDENTITY")
		p.when(s.Cascade, " CASCADE")
	case *Copy:
		p.copy(s)
	case *Subscribe:
		p.subscribe(s)
	case *Merge:
		p.add("MERGE INTO ", s.Body)
	case *CreateTable, *CreateSource, *CreateView, *CreateSink, *CreateSubscription, *CreateIndex, *CreateSchema, *CreateOther:
		p.create(s)
	case *Drop, *AlterJob, *Alter, *AlterSystem, *Comment:
		p.alterStmt(s)
	case *CreateUser, *AlterUser, *Grant:
		p.userStmt(s)
	case *DeclareCursor, *Fetch, *Close, *Prepare, *Execute, *Deallocate:
		p.cursorStmt(s)
	case *Begin, *Commit, *Rollback, *Savepoint, *Release, *SetTransaction:
		p.transaction(s)
	default:
		p.session(s)
	}
}

func (p *printer) insert(s *Insert) {
	p.with(s.Recursive, s.With)
	if s.Overwrite {
		p.add("INSERT OVERWRITE ")
	} else {
		p.add("INSERT INTO ")
	}
	p.add(name(s.Table.Name))
	p.alias(s.Table.Alias, nil)
	if s.Cols != nil {
		p.add(" (")
		list(p, s.Cols, func(c *InsertCol) { p.ident(c.Name) })
		p.add(")")
	}
	if s.Overriding != "" {
		p.add(" OVERRIDING ", s.Overriding, " VALUE")
	}
	if s.Query == nil {
		p.add(" DEFAULT VALUES")
	} else {
		p.add(" ")
		p.query(s.Query)
	}
	if c := s.OnConflict; c != nil {
		p.onConflict(c)
	}
	p.returning(s.Returning)
}

func (p *printer) onConflict(c *OnConflict) {
	p.add(" ON CONFLICT")
	if c.Keys != nil {
		p.add(" (")
		p.sortKeys(c.Keys)
		p.add(")")
	}
	p.where(c.KeyWhere)
	if c.Constraint != "" {
		p.add(" ON CONSTRAINT ", ident(c.Constraint))
	}
	if c.Set == nil {
		p.add(" DO NOTHING")
		return
	}
	p.add(" DO UPDATE SET ")
	p.assigns(c.Set)
	p.where(c.Where)
}

func (p *printer) assigns(l []*Assign) {
	list(p, l, func(a *Assign) {
		p.when(a.Multi, "(")
		list(p, a.Cols, p.name)
		p.when(a.Multi, ")")
		p.add(" = ")
		p.expr(a.X)
	})
}

func (p *printer) returning(l []*Target) {
	if l != nil {
		p.add(" RETURNING ")
		p.targets(l)
	}
}

func (p *printer) update(s *Update) {
	p.with(s.Recursive, s.With)
	p.add("UPDATE ")
	p.tableRef(s.Table)
	p.add(" SET ")
	p.assigns(s.Set)
	p.fromClause(" FROM ", s.From)
	p.where(s.Where)
	p.returning(s.Returning)
}

func (p *printer) delete(s *Delete) {
	p.with(s.Recursive, s.With)
	p.add("DELETE FROM ")
	p.tableRef(s.Table)
	p.fromClause(" USING ", s.Using)
	p.where(s.Where)
	p.returning(s.Returning)
}

func (p *printer) copy(s *Copy) {
	p.add("COPY ")
	if s.Stmt != nil {
		p.add("(")
		p.stmt(s.Stmt)
		p.add(")")
	} else {
		p.name(s.Table)
		p.idents(" ", s.Cols)
	}
	word := " TO "
	if s.From {
		word = " FROM "
	}
	p.add(word)
	switch {
	case s.Stdio && s.From:
		p.add("STDIN")
	case s.Stdio:
		p.add("STDOUT")
	default:
		p.when(s.Program, "PROGRAM ")
		p.string(s.Target)
	}
	p.plainOptions(" WITH ", s.Options)
	p.where(s.Where)
}

func (p *printer) subscribe(s *Subscribe) {
	p.add("SUBSCRIBE TO ")
	if s.Query != nil {
		p.add("(")
		p.query(s.Query)
		p.add(")")
	} else {
		p.name(s.Name)
	}
	p.options(" WITH ", s.With)
}

func (p *printer) cursorStmt(s Stmt) {
	switch s := s.(type) {
	case *DeclareCursor:
		p.declareCursor(s)
	case *Fetch:
		p.fetch(s)
	case *Close:
		p.add("CLOSE ", orAll(s.Name))
	case *Prepare:
		p.add("PREPARE ", ident(s.Name))
		if s.Types != nil {
			p.add(" (")
			list(p, s.Types, p.typeName)
			p.add(")")
		}
		p.add(" AS ")
		p.stmt(s.Stmt)
	case *Execute:
		p.add("EXECUTE ", ident(s.Name))
		if s.Args != nil {
			p.add(" (")
			p.exprs(s.Args)
			p.add(")")
		}
	case *Deallocate:
		p.add("DEALLOCATE ", orAll(s.Name))
	}
}

func orAll(s string) string {
	if s == "" {
		return "ALL"
	}
	return ident(s)
}

func (p *printer) declareCursor(s *DeclareCursor) {
	p.add("DECLARE ", ident(s.Name))
	p.when(s.Binary, " BINARY")
	p.when(s.Insensitive, " INSENSITIVE")
	p.clause(" ", s.Scroll)
	p.when(s.Subscription != nil, " SUBSCRIPTION")
	p.add(" CURSOR ")
	p.when(s.Hold, "WITH HOLD ")
	p.add("FOR ")
	if s.Subscription != nil {
		p.name(s.Subscription)
		p.clause(" SINCE ", s.Since)
		return
	}
	p.stmt(s.Stmt)
}

func (p *printer) fetch(s *Fetch) {
	if s.Move {
		p.add("MOVE ")
	} else {
		p.add("FETCH ")
	}
	p.add(s.Direction)
	switch {
	case s.All:
		p.add(" ALL")
	case s.Direction != "FIRST" && s.Direction != "LAST":
		p.add(" ", strconv.FormatInt(s.Count, 10))
	}
	p.add(" FROM ", ident(s.Cursor))
	p.options(" WITH ", s.With)
}

func (p *printer) transaction(s Stmt) {
	switch s := s.(type) {
	case *Begin:
		if s.Start {
			p.add("START TRANSACTION")
		} else {
			p.add("BEGIN")
		}
		p.modes(s.Modes)
	case *Commit:
		p.add("COMMIT")
		p.when(s.Chain, " AND CHAIN")
	case *Rollback:
		p.add("ROLLBACK")
		if s.Savepoint != "" {
			p.add(" TO SAVEPOINT ", ident(s.Savepoint))
		}
		p.when(s.Chain, " AND CHAIN")
	case *Savepoint:
		p.add("SAVEPOINT ", ident(s.Name))
	case *Release:
		p.add("RELEASE SAVEPOINT ", ident(s.Name))
	case *SetTransaction:
		if s.Session {
			p.add("SET SESSION CHARACTERISTICS AS TRANSACTION")
		} else {
			p.add("SET TRANSACTION")
		}
		p.modes(s.Modes)
	}
}

func (p *printer) modes(m TransactionModes) {
	p.clause(" ISOLATION LEVEL ", strings.ToUpper(m.Isolation))
	p.clause(" ", strings.ToUpper(m.Access))
	p.clause(" ", strings.ToUpper(m.Deferrable))
}

func (p *printer) session(s Stmt) {
	switch s := s.(type) {
	case *Explain:
		p.add("EXPLAIN ")
		if s.Options != nil {
			p.plainOptions("", s.Options)
			p.add(" ")
		}
		p.stmt(s.Stmt)
	case *Describe:
		p.add("DESCRIBE ", name(s.Name))
	case *Show:
		p.show(s)
	case *Set:
		p.add("SET ")
		p.when(s.Local, "LOCAL ")
		if len(s.Values) == 1 && !isLiteral(s.Values[0]) {
			p.timeZone(s.Values[0].(*Cast))
		} else {
			p.setting(s)
		}
	case *Reset:
		if s.Name == "" {
			p.add("RESET ALL")
			return
		}
		p.add("RESET ", setting(s.Name))
	case *Discard:
		p.add("DISCARD ", strings.ToUpper(s.What))
	case *Flush:
		p.add("FLUSH")
	case *Backup:
		p.add("BACKUP TO ")
		p.string(s.Dir)
	case *Use:
		p.add("USE ", name(s.Name))
	case *Listen:
		p.listen(s)
	case *Maintain:
		p.maintain(s)
	case *Lock:
		p.add("LOCK TABLE ")
		list(p, s.Tables, p.name)
		if s.Mode != "" {
			p.add(" IN ", s.Mode, " MODE")
		}
		p.when(s.NoWait, " NOWAIT")
	case *CallStmt:
		p.add("CALL ")
		p.call(s.Call)
	case *Do:
		p.add("DO ")
		if s.Language != "" {
			p.add("LANGUAGE ", ident(s.Language), " ")
		}
		p.string(s.Code)
	}
}

// setting quotes the parts of a setting's name, which the tree holds joined.
func setting(s string) string { return name(strings.Split(s, ".")) }

func (p *printer) setting(s *Set) {
	p.add(setting(s.Name), " = ")
	if s.Values == nil {
		p.add("DEFAULT")
		return
	}
	p.exprs(s.Values)
}

func isLiteral(x Expr) bool { _, ok := x.(*Literal); return ok }

// timeZone prints SET TIME ZONE INTERVAL '…' fields, whose grammar takes no cast.
func (p *printer) timeZone(c *Cast) {
	p.add("TIME ZONE ")
	if c.Type.Fields != "" {
		p.interval(c.X.(*Literal).Value, c.Type)
		return
	}
	p.add("INTERVAL")
	p.modifiers(c.Type.Mods)
	p.add(" ")
	p.expr(c.X)
}

func (p *printer) show(s *Show) {
	p.add("SHOW ")
	switch s.What {
	case "all":
		p.add("ALL")
	case "setting":
		p.add(setting(s.Setting))
	case "create":
		p.add("CREATE ", strings.ToUpper(string(s.Kind)), " ", name(s.Name))
	default:
		p.add(strings.ToUpper(s.What))
		p.clause(" FROM ", name(s.Name))
		p.clause(" FROM ", name(s.From))
		if s.Like != "" {
			p.add(" LIKE ")
			p.string(s.Like)
		}
	}
}

func (p *printer) listen(s *Listen) {
	p.add(s.Verb, " ")
	if s.Channel == "*" && s.Verb == "UNLISTEN" {
		p.add("*")
		return
	}
	p.ident(s.Channel)
	if s.Payload != "" {
		p.add(", ")
		p.string(s.Payload)
	}
}

func (p *printer) maintain(s *Maintain) {
	p.add(strings.ToUpper(s.Verb), " ")
	switch s.Verb {
	case "refresh":
		p.add("MATERIALIZED VIEW ")
	case "reindex":
		p.add(strings.ToUpper(s.Options[0].Name), " ")
	default:
		if s.Options != nil {
			p.plainOptions("", s.Options)
			p.add(" ")
		}
	}
	p.when(s.Concurrently, "CONCURRENTLY ")
	list(p, s.Names, p.name)
	p.when(s.NoData, " WITH NO DATA")
}

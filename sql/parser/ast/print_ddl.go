package ast

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// label prints a word that may be any keyword.
func label(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == "" && s != "" && s != "secret" {
		return s
	}
	return sql.QuoteIdent(s)
}

func (p *printer) option(o *Option) {
	p.string(o.Name)
	p.when(o.Kind != OptionNone, " = ")
	p.optionValue(o)
}

func (p *printer) optionValue(o *Option) {
	switch o.Kind {
	case OptionString:
		p.string(o.Value)
	case OptionNumber:
		p.add(o.Value)
	case OptionWord:
		if parts := strings.Split(o.Value, "."); o.Value == "*" || len(parts) == 1 && label(o.Value) == o.Value {
			p.add(o.Value)
		} else {
			p.name(parts)
		}
	case OptionSecret:
		p.add("SECRET ", setting(o.Value))
	case OptionList:
		p.idents("", o.Args)
	}
}

func (p *printer) create(s Stmt) {
	switch s := s.(type) {
	case *CreateTable:
		p.createTable(s)
	case *CreateSource:
		p.add("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.add("SOURCE ")
		p.relation(&s.Relation)
	case *CreateView:
		p.createView(s)
	case *CreateSink:
		p.add("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.add("SINK ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.name(s.Name)
		p.clause(" INTO ", name(s.Into))
		p.fromOrAs(s.From, s.Query)
		p.options(" WITH ", s.With)
		p.format(s.Format)
	case *CreateSubscription:
		p.add("CREATE SUBSCRIPTION ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.name(s.Name)
		p.fromOrAs(s.From, s.Query)
		p.options(" WITH ", s.With)
	case *CreateIndex:
		p.createIndex(s)
	case *CreateSchema:
		p.add("CREATE SCHEMA ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.name(s.Name)
		if s.Owner != "" {
			p.add(" AUTHORIZATION ", role(s.Owner))
		}
	case *CreateOther:
		p.add("CREATE ")
		p.when(s.OrReplace, "OR REPLACE ")
		p.add(strings.ToUpper(s.Kind), " ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.name(s.Name)
		p.options(" WITH ", s.With)
		p.clause(" ", s.Body)
	}
}

func (p *printer) fromOrAs(from Name, q *Query) {
	if q == nil {
		p.add(" FROM ", name(from))
		return
	}
	p.add(" AS ")
	p.query(q)
}

func (p *printer) createTable(s *CreateTable) {
	p.add("CREATE ")
	p.when(s.OrReplace, "OR REPLACE ")
	p.when(s.Temp, "TEMP ")
	p.when(s.Unlogged, "UNLOGGED ")
	p.add("TABLE ")
	p.relation(&s.Relation)
	p.clause(" ON COMMIT ", s.OnCommit)
	if s.Query != nil {
		p.add(" AS ")
		p.query(s.Query)
		p.when(s.NoData, " WITH NO DATA")
	}
}

func (p *printer) relation(r *Relation) {
	p.when(r.IfNotExists, "IF NOT EXISTS ")
	p.name(r.Name)
	sep := " ("
	element := func() { p.add(sep); sep = ", " }
	if r.AllColumns {
		element()
		p.add("*")
	}
	for _, c := range r.Columns {
		element()
		p.column(c)
	}
	if r.Watermark != nil {
		element()
		p.watermark(r.Watermark)
	}
	for _, c := range r.Constraints {
		element()
		p.constraint(c)
	}
	for _, l := range r.Likes {
		element()
		p.add("LIKE ", name(l.Name))
		for _, o := range l.Options {
			p.add(" ", strings.ToUpper(o))
		}
	}
	p.when(sep == ", ", ")")
	if x := r.PartitionBy; x != nil {
		if x.Method == "" {
			p.add(" PARTITIONED BY")
		} else {
			p.add(" PARTITION BY ", strings.ToUpper(x.Method))
		}
		p.idents(" ", x.Cols)
	}
	p.when(r.AppendOnly, " APPEND ONLY")
	for _, i := range r.Includes {
		p.include(i)
	}
	p.options(" WITH ", r.With)
	p.format(r.Format)
}

func (p *printer) column(c *ColumnDef) {
	p.add(written(c.Name, c.Written))
	if c.Type != nil {
		p.add(" ")
		p.typeName(c.Type)
	}
	if c.Computed != nil {
		p.add(" AS ")
		p.expr(c.Computed)
	}
	p.clause(" COLLATE ", name(c.Collation))
	if c.Metadata != "" {
		p.add(" METADATA FROM ")
		p.string(c.Metadata)
		p.when(c.Virtual, " VIRTUAL")
	}
	for _, k := range c.Constraints {
		p.add(" ")
		p.constraint(k)
	}
	if c.Comment != "" {
		p.add(" COMMENT ")
		p.string(c.Comment)
	}
}

func (p *printer) watermark(w *Watermark) {
	p.add("WATERMARK FOR ", name(w.Col), " AS ")
	p.expr(w.Expr)
}

func (p *printer) constraint(c *Constraint) {
	if c.Name != "" {
		p.add("CONSTRAINT ", ident(c.Name), " ")
	}
	switch c.Kind {
	case PrimaryKey, Unique, NotNull, Nullable:
		p.add(string(c.Kind))
		p.idents(" ", c.Cols)
	case Check:
		p.add("CHECK ")
		p.paren(c.Expr)
	case DefaultTo:
		p.add("DEFAULT ")
		p.operand(c.Expr)
	case Generated:
		p.add("GENERATED ALWAYS AS ")
		p.paren(c.Expr)
		p.add(" STORED")
	case Identity:
		p.add("GENERATED ")
		if c.Always {
			p.add("ALWAYS AS IDENTITY")
		} else {
			p.add("BY DEFAULT AS IDENTITY")
		}
		p.sequence(c.Sequence)
	case ForeignKey:
		if c.Cols != nil {
			p.add("FOREIGN KEY")
			p.idents(" ", c.Cols)
			p.add(" ")
		}
		p.references(c.References)
	}
	p.when(c.Deferrable, " DEFERRABLE")
	p.when(c.Deferred, " INITIALLY DEFERRED")
	p.when(c.NotValid, " NOT VALID")
	p.when(c.NotEnforced, " NOT ENFORCED")
}

func (p *printer) sequence(l []*Option) {
	if l == nil {
		return
	}
	p.add(" (")
	for k, o := range l {
		p.when(k > 0, " ")
		p.add(strings.ToUpper(o.Name))
		p.clause(" ", o.Value)
	}
	p.add(")")
}

func (p *printer) references(r *References) {
	p.add("REFERENCES ", name(r.Table))
	p.idents(" ", r.Cols)
	p.clause(" MATCH ", r.Match)
	p.clause(" ON DELETE ", r.OnDelete)
	p.clause(" ON UPDATE ", r.OnUpdate)
}

func (p *printer) include(i *Include) {
	p.add(" INCLUDE ", ident(i.What))
	if i.Field != "" {
		p.add(" ")
		p.string(i.Field)
	}
	if i.Type != nil {
		p.add(" ")
		p.typeName(i.Type)
	}
	if i.Alias != "" {
		p.add(" AS ", ident(i.Alias))
	}
}

func (p *printer) format(f *Format) {
	if f != nil {
		p.add(" FORMAT ", ident(f.Format), " ENCODE ", ident(f.Encode))
		p.options(" ", f.Options)
	}
}

func (p *printer) createView(s *CreateView) {
	p.add("CREATE ")
	p.when(s.OrReplace, "OR REPLACE ")
	p.when(s.Temp, "TEMP ")
	p.when(s.Materialized, "MATERIALIZED ")
	p.add("VIEW ")
	p.when(s.IfNotExists, "IF NOT EXISTS ")
	p.name(s.Name)
	p.idents(" ", s.Cols)
	p.options(" WITH ", s.With)
	p.add(" AS ")
	p.query(s.Query)
	p.when(s.NoData, " WITH NO DATA")
}

func (p *printer) createIndex(s *CreateIndex) {
	p.add("CREATE ")
	p.when(s.Unique, "UNIQUE ")
	p.add("INDEX ")
	p.when(s.Concurrently, "CONCURRENTLY ")
	p.when(s.IfNotExists, "IF NOT EXISTS ")
	p.when(s.Name != "", ident(s.Name)+" ")
	p.add("ON ", name(s.Table))
	if s.Method != "" {
		p.add(" USING ", ident(s.Method))
	}
	p.add(" (")
	p.sortKeys(s.Keys)
	p.add(")")
	p.idents(" INCLUDE ", s.Include)
	p.options(" WITH ", s.With)
	p.where(s.Where)
}

func (p *printer) alterStmt(s Stmt) {
	switch s := s.(type) {
	case *Drop:
		p.add("DROP ", strings.ToUpper(string(s.Kind)), " ")
		p.when(s.Concurrently, "CONCURRENTLY ")
		p.when(s.IfExists, "IF EXISTS ")
		list(p, s.Names, p.name)
		p.when(s.Cascade, " CASCADE")
	case *AlterJob:
		p.add("ALTER JOB ", name(s.Name), " ", string(s.Action))
	case *Alter:
		p.add("ALTER ", strings.ToUpper(string(s.Kind)), " ")
		p.when(s.IfExists, "IF EXISTS ")
		p.when(s.Only, "ONLY ")
		p.add(name(s.Name), " ")
		list(p, s.Actions, p.alterAction)
	case *AlterSystem:
		p.add("ALTER SYSTEM SET ")
		p.setting(s.Set)
	case *Comment:
		p.comment(s)
	}
}

func (p *printer) comment(s *Comment) {
	p.add("COMMENT ON ", strings.ToUpper(s.Kind), " ")
	if n := len(s.Name) - 1; s.Kind == "constraint" {
		p.add(ident(s.Name[n]), " ON ", name(s.Name[:n]))
	} else {
		p.name(s.Name)
	}
	p.add(" IS ")
	if s.Null {
		p.add("NULL")
	} else {
		p.string(s.Text)
	}
}

func (p *printer) alterAction(a *AlterAction) {
	switch a.Kind {
	case AddColumn:
		p.add("ADD COLUMN ")
		p.when(a.IfExists, "IF NOT EXISTS ")
		p.column(a.Column)
	case AddConstraint:
		p.add("ADD ")
		p.constraint(a.Constraint)
	case DropColumn, DropConstraint:
		p.add(string(a.Kind), " ")
		p.when(a.IfExists, "IF EXISTS ")
		p.ident(a.Col)
		p.when(a.Cascade, " CASCADE")
	case RenameTo, OwnerTo, SetSchema:
		p.add(string(a.Kind), " ")
		p.add(role(a.To))
	case RenameColumn:
		p.add("RENAME COLUMN ", ident(a.Col), " TO ", ident(a.To))
	case SetOption, ResetOption:
		p.add(string(a.Kind), " (")
		list(p, a.Options, p.option)
		p.add(")")
	case AlterWatermark:
		p.add("MODIFY ")
		p.watermark(a.Watermark)
	case AlterType:
		p.add("ALTER COLUMN ", ident(a.Col), " TYPE ")
		p.typeName(a.Type)
		if a.Expr != nil {
			p.add(" USING ")
			p.expr(a.Expr)
		}
	default:
		p.add("ALTER COLUMN ", ident(a.Col), " ", string(a.Kind))
		if a.Expr != nil {
			p.add(" ")
			p.expr(a.Expr)
		}
	}
}

// role prints a role: CURRENT_USER and the like as keywords.
func role(s string) string {
	switch s {
	case "current_user", "session_user", "current_role":
		return strings.ToUpper(s)
	}
	return ident(s)
}

func (p *printer) roles(l []string) {
	list(p, l, func(s string) { p.add(role(s)) })
}

func (p *printer) userStmt(s Stmt) {
	switch s := s.(type) {
	case *CreateUser:
		p.add("CREATE ", userWord(s.Role), " ")
		p.when(s.IfNotExists, "IF NOT EXISTS ")
		p.ident(s.Name)
		p.userOptions(s.Options)
	case *AlterUser:
		p.add("ALTER ", userWord(s.Role), " ", role(s.Name))
		if s.Rename != "" {
			p.add(" RENAME TO ", ident(s.Rename))
		}
		p.userOptions(s.Options)
	case *Grant:
		p.grant(s)
	}
}

func userWord(role bool) string {
	if role {
		return "ROLE"
	}
	return "USER"
}

func (p *printer) userOptions(l []*UserOption) {
	p.when(l != nil, " WITH")
	for _, o := range l {
		p.add(" ", strings.ToUpper(o.Name))
		switch {
		case o.Null:
			p.add(" NULL")
		case o.Names != nil:
			p.add(" ")
			p.roles(o.Names)
		case o.Name == "password", o.Name == "valid until":
			p.add(" ")
			p.string(o.Value)
		default:
			p.clause(" ", o.Value)
		}
	}
}

func (p *printer) grant(s *Grant) {
	switch {
	case !s.Revoke:
		p.add("GRANT ")
	case s.GrantOption:
		p.add("REVOKE GRANT OPTION FOR ")
	default:
		p.add("REVOKE ")
	}
	list(p, s.Privileges, func(v *Privilege) {
		switch v.Name {
		case "all", "select", "create", "references":
			p.add(strings.ToUpper(v.Name))
		default:
			p.ident(v.Name)
		}
		p.idents(" ", v.Cols)
	})
	if s.Kind != "" {
		p.add(" ON ", strings.ToUpper(s.Kind), " ")
		list(p, s.Objects, p.name)
	}
	if s.Revoke {
		p.add(" FROM ")
	} else {
		p.add(" TO ")
	}
	p.roles(s.Grantees)
	p.when(s.GrantOption && !s.Revoke, " WITH GRANT OPTION")
	p.when(s.Cascade, " CASCADE")
}

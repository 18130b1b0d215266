package ast

import (
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// SQL prints a tree as SQL that parses back to an equal tree. Operands that are operations get
// parentheses, so that no reader needs to know the precedence of operators.
func SQL(n Node) string {
	p := &printer{}
	p.node(n)
	return p.String()
}

// printer collects text. Its methods print one kind of node each; a nil or empty part prints nothing.
type printer struct{ strings.Builder }

func (p *printer) node(n Node) {
	switch n := n.(type) {
	case nil:
	case Expr:
		p.expr(n)
	case Stmt:
		p.stmt(n)
	case From:
		p.from(n)
	case QueryBody:
		p.body(n)
	case *TypeName:
		p.typeName(n)
	case *SortKey:
		p.sortKeys([]*SortKey{n})
	case *Target:
		p.targets([]*Target{n})
	case *WindowSpec:
		p.window(n)
	case *ColumnDef:
		p.column(n)
	case *Constraint:
		p.constraint(n)
	case *Watermark:
		p.watermark(n)
	case *Option:
		p.option(n)
	case *Pattern:
		p.pattern(n)
	}
}

// add prints strings as they are.
func (p *printer) add(parts ...string) {
	for _, s := range parts {
		p.WriteString(s)
	}
}

// when prints s if ok.
func (p *printer) when(ok bool, s string) {
	if ok {
		p.WriteString(s)
	}
}

// clause prints before, then s, unless s is empty.
func (p *printer) clause(before, s string) {
	if s != "" {
		p.add(before, s)
	}
}

// list prints items separated by commas.
func list[T any](p *printer, items []T, item func(T)) {
	for k, it := range items {
		if k > 0 {
			p.add(", ")
		}
		item(it)
	}
}

// ident quotes an identifier where needed: also the words that PostgreSQL doesn't reserve but that
// mean something to our parser in some place where an identifier may stand.
func ident(s string) string {
	switch s {
	case "rows", "range", "groups", "partition", "cube", "rollup", "sets", "emit", "match_recognize", "map",
		"multiset", "descriptor", "tumble", "hop", "cumulate", "session", "local", "operator", "permute",
		"last", "first", "next", "watermark", "subscribe", "timestamp_ltz", "secret":
		return `"` + s + `"`
	}
	return sql.QuoteIdent(s)
}

// written prints a name as the user wrote it: what was good without quotes once is so again.
func written(name, as string) string {
	if as != "" {
		return as
	}
	return ident(name)
}

func name(n Name) string {
	parts := make([]string, len(n))
	for k, s := range n {
		parts[k] = ident(s)
	}
	return strings.Join(parts, ".")
}

func (p *printer) ident(s string) { p.add(ident(s)) }
func (p *printer) name(n Name)    { p.add(name(n)) }
func (p *printer) string(s string) {
	p.add(sql.QuoteLiteral(s))
}

// idents prints (a, b), or nothing for an empty list.
func (p *printer) idents(before string, l []string) {
	if len(l) > 0 {
		p.add(before, "(")
		list(p, l, p.ident)
		p.add(")")
	}
}

func (p *printer) typeName(t *TypeName) {
	p.when(t.SetOf, "SETOF ")
	switch {
	case t.Key != nil:
		p.add("MAP<")
		p.element(t.Key)
		p.add(", ")
		p.element(t.Elem)
		p.add(">")
	case t.Elem != nil:
		p.add(strings.ToUpper(t.Name.Base()), "<")
		p.element(t.Elem)
		p.add(">")
	case len(t.Name) == 1 && t.Name[0] == "row":
		p.add("ROW<")
		list(p, t.RowFields, func(f *RowField) {
			p.add(written(f.Name, f.Written), " ")
			p.element(f.Type)
			if f.Comment != "" {
				p.add(" ")
				p.string(f.Comment)
			}
		})
		p.add(">")
	case len(t.Name) == 1 && t.Name[0] == "interval" && t.Fields != "":
		p.add("interval ", t.Fields)
		p.modifiers(t.Mods)
	default:
		p.add(baseType(t.Name))
		p.modifiers(t.Mods)
	}
	p.add(strings.Repeat("[]", t.Dims))
}

func (p *printer) element(t *TypeName) {
	p.typeName(t)
	p.when(t.NotNull, " NOT NULL")
}

func (p *printer) modifiers(mods []string) {
	if len(mods) == 0 {
		return
	}
	p.add("(")
	list(p, mods, func(m string) {
		if _, err := strconv.ParseFloat(m, 64); err == nil && strings.Trim(m, "-.0123456789") == "" {
			p.add(m)
		} else {
			p.string(m)
		}
	})
	p.add(")")
}

// baseType prints a type's name. These keywords are the types that PostgreSQL knows by them; in
// quotes, they would lose their modifiers' syntax.
func baseType(n Name) string {
	if len(n) == 1 {
		switch n[0] {
		case "interval", "time", "timestamp", "numeric", "varchar", "bit", "double":
			return n[0]
		}
	}
	return name(n)
}

// options prints before, then (name = value, …), unless the list is empty.
func (p *printer) options(before string, l []*Option) {
	if len(l) == 0 {
		return
	}
	p.add(before, "(")
	list(p, l, p.option)
	p.add(")")
}

// plainOptions prints (name value, …), as EXPLAIN and COPY want it.
func (p *printer) plainOptions(before string, l []*Option) {
	if len(l) == 0 {
		return
	}
	p.add(before, "(")
	list(p, l, func(o *Option) {
		p.add(label(o.Name))
		p.when(o.Kind != OptionNone, " ")
		p.optionValue(o)
	})
	p.add(")")
}

package ast

import (
	"strconv"
	"strings"
)

// operand prints x so that it can stand next to any operator.
func (p *printer) operand(x Expr) {
	if atomic(x) {
		p.expr(x)
		return
	}
	p.paren(x)
}

func (p *printer) paren(x Expr) {
	p.add("(")
	p.expr(x)
	p.add(")")
}

func atomic(x Expr) bool {
	switch x.(type) {
	case *Unary, *Binary, *IsTest, *IsDistinct, *Between, *In, *Like, *Quantified, *Collate, *AtTimeZone:
		return false
	}
	return true
}

func (p *printer) exprs(l []Expr) { list(p, l, p.expr) }

func (p *printer) expr(x Expr) {
	switch x := x.(type) {
	case *Literal:
		p.literal(x)
	case *Param:
		p.add("$", strconv.Itoa(x.N))
	case *ColumnRef:
		p.name(x.Parts)
	case *Star:
		if x.Qualifier != nil {
			p.add(name(x.Qualifier), ".")
		}
		p.add("*")
	case *Binary:
		p.binary(x)
	case *Unary:
		p.unary(x)
	case *IsTest, *IsDistinct, *Between, *In, *Like, *Quantified:
		p.predicate(x)
	case *Cast:
		p.cast(x)
	case *Collate:
		p.operand(x.X)
		p.add(" COLLATE ", name(x.Collation))
	case *AtTimeZone:
		p.operand(x.X)
		p.add(" AT TIME ZONE ")
		p.operand(x.Zone)
	case *Call:
		p.call(x)
	case *Case:
		p.caseExpr(x)
	case *Index:
		p.index(x)
	case *Field:
		p.base(x.X, false)
		if x.Star {
			p.add(".*")
		} else {
			p.add(".", ident(x.Name))
		}
	case *Default:
		p.add("DEFAULT")
	default:
		p.constructor(x)
	}
}

func (p *printer) literal(x *Literal) {
	switch x.Kind {
	case String:
		p.string(x.Value)
	case Bits:
		p.add(x.Value[:1], "'", strings.ReplaceAll(x.Value[1:], "'", "''"), "'")
	case Null:
		p.add("NULL")
	case Bool:
		p.add(strings.ToUpper(x.Value))
	default:
		p.add(x.Value)
	}
}

// associates returns a number that two left-associative operators share if neither needs
// parentheses as the left operand of the other, else 0.
func associates(x *Binary) int {
	if x.Schema != "" {
		return 3
	}
	switch x.Op {
	case "OR":
		return 1
	case "AND":
		return 2
	case "+", "-":
		return 4
	case "*", "/", "%":
		return 5
	case "^":
		return 6
	case "<", ">", "=", "<=", ">=", "<>", "OVERLAPS":
		return 0
	}
	return 3
}

// binary leaves out the parentheses around a left operand of the same rank, so that the text of a
// long chain is not a deep nest.
func (p *printer) binary(x *Binary) {
	if l, ok := x.L.(*Binary); ok && associates(l) == associates(x) && associates(x) != 0 {
		p.expr(l)
	} else {
		p.operand(x.L)
	}
	p.add(" ")
	p.operator(x.Op, x.Schema)
	p.add(" ")
	p.operand(x.R)
}

func (p *printer) operator(op, schema string) {
	if schema != "" {
		p.add("OPERATOR(", ident(schema), ".", op, ")")
		return
	}
	p.add(op)
}

func (p *printer) unary(x *Unary) {
	p.operator(x.Op, x.Schema)
	if l, ok := x.X.(*Literal); !ok || l.Kind != Number || x.Op != "-" {
		p.add(" ")
	}
	p.operand(x.X)
}

func (p *printer) predicate(x Expr) {
	not := func(b bool) { p.when(b, " NOT") }
	switch x := x.(type) {
	case *IsTest:
		p.operand(x.X)
		p.add(" IS")
		not(x.Not)
		p.add(" ", x.What)
	case *IsDistinct:
		p.operand(x.L)
		p.add(" IS")
		not(x.Not)
		p.add(" DISTINCT FROM ")
		p.operand(x.R)
	case *Between:
		p.operand(x.X)
		not(x.Not)
		p.add(" BETWEEN ")
		p.when(x.Symmetric, "SYMMETRIC ")
		p.operand(x.Lo)
		p.add(" AND ")
		p.operand(x.Hi)
	case *In:
		p.operand(x.X)
		not(x.Not)
		p.add(" IN (")
		p.query(x.Query)
		p.exprs(x.List)
		p.add(")")
	case *Like:
		p.operand(x.X)
		not(x.Not)
		p.add(" ", string(x.Kind), " ")
		p.operand(x.Pattern)
		if x.Escape != nil {
			p.add(" ESCAPE ")
			p.operand(x.Escape)
		}
	case *Quantified:
		p.operand(x.X)
		p.add(" ")
		p.operator(x.Op, x.Schema)
		if x.All {
			p.add(" ALL (")
		} else {
			p.add(" ANY (")
		}
		p.query(x.Query)
		p.expr(x.Array)
		p.add(")")
	}
}

// cast prints x::type, whose brackets base keeps apart from a subscript's, or INTERVAL 'x' fields, as
// a cast can't have Flink's units.
func (p *printer) cast(x *Cast) {
	if l, ok := x.X.(*Literal); ok && l.Kind == String && x.Type.Fields != "" && x.Type.Dims == 0 {
		p.interval(l.Value, x.Type)
		return
	}
	p.operand(x.X)
	p.add("::")
	p.typeName(x.Type)
}

func (p *printer) interval(text string, t *TypeName) {
	p.add("INTERVAL ")
	p.string(text)
	p.add(" ", strings.ToUpper(t.Fields))
	p.modifiers(t.Mods)
}

func (p *printer) call(x *Call) {
	if x.SQLSyntax {
		p.sqlCall(x)
		return
	}
	p.add(name(x.Name), "(")
	p.when(x.Distinct, "DISTINCT ")
	p.when(x.Star, "*")
	for k, a := range x.Args {
		p.when(k > 0, ", ")
		p.when(x.Variadic && k == len(x.Args)-1, "VARIADIC ")
		if x.ArgNames != nil && x.ArgNames[k] != "" {
			p.add(ident(x.ArgNames[k]), " => ")
		}
		p.expr(a)
	}
	if x.OrderBy != nil && !x.WithinGroup {
		p.add(" ")
		p.orderBy(x.OrderBy)
	}
	p.add(")")
	if x.WithinGroup {
		p.add(" WITHIN GROUP (")
		p.orderBy(x.OrderBy)
		p.add(")")
	}
	if x.Filter != nil {
		p.add(" FILTER (WHERE ")
		p.expr(x.Filter)
		p.add(")")
	}
	if x.Nulls != "" {
		p.add(" ", x.Nulls, " NULLS")
	}
	if x.Over != nil {
		p.add(" OVER ")
		p.window(x.Over)
	}
}

func (p *printer) sqlCall(x *Call) {
	fn := x.Name.Base()
	switch fn {
	case "extract":
		p.add("extract(")
		p.expr(x.Args[0])
		p.add(" FROM ")
		p.expr(x.Args[1])
		p.add(")")
	case "position":
		p.add("position(")
		p.operand(x.Args[1])
		p.add(" IN ")
		p.operand(x.Args[0])
		p.add(")")
	default:
		p.add(fn)
		if x.Args != nil {
			p.add("(")
			p.exprs(x.Args)
			p.add(")")
		}
	}
}

func (p *printer) caseExpr(x *Case) {
	p.add("CASE")
	if x.Operand != nil {
		p.add(" ")
		p.expr(x.Operand)
	}
	for _, w := range x.Whens {
		p.add(" WHEN ")
		p.expr(w.Cond)
		p.add(" THEN ")
		p.expr(w.Result)
	}
	if x.Else != nil {
		p.add(" ELSE ")
		p.expr(x.Else)
	}
	p.add(" END")
}

// base prints what a subscript or a field follows.
func (p *printer) base(x Expr, subscript bool) {
	switch x.(type) {
	case *Index, *Field:
		p.expr(x)
		return
	case *ColumnRef, *Param:
		if subscript {
			p.expr(x)
			return
		}
	}
	p.paren(x)
}

func (p *printer) index(x *Index) {
	p.base(x.X, true)
	p.add("[")
	p.expr(x.Lo)
	p.when(x.Slice, " : ")
	p.expr(x.Hi)
	p.add("]")
}

// constructor prints what builds a value from a list or a query.
func (p *printer) constructor(x Expr) {
	switch x := x.(type) {
	case *ArrayExpr:
		p.add("ARRAY[")
		p.exprs(x.Elems)
		p.add("]")
	case *ArrayQuery:
		p.add("ARRAY(")
		p.query(x.Query)
		p.add(")")
	case *RowExpr:
		p.when(len(x.Items) < 2, "ROW")
		p.add("(")
		p.exprs(x.Items)
		p.add(")")
	case *MapExpr:
		p.add("MAP[")
		for k := range x.Keys {
			p.when(k > 0, ", ")
			p.expr(x.Keys[k])
			p.add(", ")
			p.expr(x.Values[k])
		}
		p.add("]")
	case *Subquery:
		p.add("(")
		p.query(x.Query)
		p.add(")")
	case *Exists:
		p.add("EXISTS (")
		p.query(x.Query)
		p.add(")")
	case *Grouping:
		p.when(x.Kind != GroupingNone, string(x.Kind)+" (")
		p.when(x.Kind == GroupingNone, "(")
		p.exprs(x.Items)
		p.add(")")
	case *TableArg:
		p.add("TABLE ", name(x.Name))
		if x.PartitionBy != nil {
			p.add(" PARTITION BY (")
			p.exprs(x.PartitionBy)
			p.add(")")
		}
		if x.OrderBy != nil {
			p.add(" ORDER BY (")
			p.sortKeys(x.OrderBy)
			p.add(")")
		}
	}
}

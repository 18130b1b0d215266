package expr

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// oracleColumns are the columns of the oracle's table.
var oracleColumns = sql.Schema{
	{Name: "b1", Type: sql.TypeBool}, {Name: "b2", Type: sql.TypeBool},
	{Name: "s1", Type: sql.TypeInt2}, {Name: "s2", Type: sql.TypeInt2},
	{Name: "i1", Type: sql.TypeInt4}, {Name: "i2", Type: sql.TypeInt4},
	{Name: "l1", Type: sql.TypeInt8}, {Name: "l2", Type: sql.TypeInt8},
	{Name: "f1", Type: sql.TypeFloat4}, {Name: "f2", Type: sql.TypeFloat4},
	{Name: "d1", Type: sql.TypeFloat8}, {Name: "d2", Type: sql.TypeFloat8},
	{Name: "n1", Type: sql.TypeNumeric}, {Name: "n2", Type: sql.TypeNumeric},
	{Name: "m1", Type: sql.FixedNumeric(10, 2)}, {Name: "m2", Type: sql.FixedNumeric(7, 5)},
	{Name: "m3", Type: sql.FixedNumeric(25, 4)}, {Name: "m4", Type: sql.FixedNumeric(60, 10)},
	{Name: "t1", Type: sql.TypeText}, {Name: "t2", Type: sql.TypeText},
	{Name: "v1", Type: sql.Type{Kind: sql.Varchar, Precision: 10}},
	{Name: "c1", Type: sql.Type{Kind: sql.Char, Precision: 6}},
	{Name: "y1", Type: sql.TypeBytea}, {Name: "y2", Type: sql.TypeBytea},
	{Name: "a1", Type: sql.TypeDate}, {Name: "a2", Type: sql.TypeDate},
	{Name: "h1", Type: sql.TypeTime}, {Name: "h2", Type: sql.TypeTime},
	{Name: "p1", Type: sql.TypeTimestamp}, {Name: "p2", Type: sql.TypeTimestamp},
	{Name: "z1", Type: sql.TypeTimestamptz}, {Name: "z2", Type: sql.TypeTimestamptz},
	{Name: "r1", Type: sql.TypeInterval}, {Name: "r2", Type: sql.TypeInterval},
	{Name: "u1", Type: sql.TypeUUID},
	{Name: "j1", Type: sql.TypeJSONB}, {Name: "j2", Type: sql.TypeJSONB},
	{Name: "o1", Type: sql.TypeJSON},
	{Name: "x1", Type: sql.ArrayOf(sql.TypeInt4)}, {Name: "x2", Type: sql.ArrayOf(sql.TypeText)},
	{Name: "x3", Type: sql.ArrayOf(sql.TypeNumeric)},
}

// node is an expression made twice: as SQL for PostgreSQL, and through this package.
type node struct {
	sql     string
	expr    Expr
	err     error  // of making expr
	root    string // what the outermost construct is
	inexact bool   // a float function whose last digits are the C library's
	deep    bool   // has operands that are more than columns and literals
	skip    bool   // not to be compared
}

type generator struct{ r *rand.Rand }

func pick[T any](g *generator, list []T) T { return list[g.r.IntN(len(list))] }

// made is the node of an expression made of others: their errors come first, as in PostgreSQL.
func made(text, root string, from []node, build func(es []Expr) (Expr, error)) node {
	n := node{sql: text, root: root}
	es := make([]Expr, len(from))
	for i, f := range from {
		n.skip, n.inexact = n.skip || f.skip, n.inexact || f.inexact
		n.deep = n.deep || f.root != "column" && f.root != "literal"
		if n.err = f.err; f.err != nil || n.skip {
			return n
		}
		es[i] = f.expr
	}
	n.expr, n.err = build(es)
	return n
}

func sqls(ns []node) []any {
	out := make([]any, len(ns))
	for i, n := range ns {
		out[i] = n.sql
	}
	return out
}

// root is an expression to compare: usually a function or operator with arguments that suit it,
// sometimes with any.
func (g *generator) root() node {
	switch g.r.IntN(10) {
	case 0:
		return g.special(2, g.anyType())
	case 1:
		return g.cast(2, g.anyType())
	case 2: // operands of any types: resolution and its errors
		args := make([]node, 1+g.r.IntN(7)/2)
		for i := range args {
			args[i] = g.leafOrLiteral(g.anyType())
		}
		return g.apply(g.function(sql.TypeUnknown, len(args)), args)
	}
	if *oracleFn != "" {
		return g.call(2, pick(g, slices.DeleteFunc(slices.Collect(Functions), func(f *Function) bool { return f.Name != *oracleFn })))
	}
	return g.call(2, g.function(sql.TypeUnknown, 0))
}

func (g *generator) anyType() sql.Type {
	t := pick(g, oracleColumns).Type
	if t.Kind == sql.Numeric && g.r.IntN(2) == 0 {
		return sql.TypeNumeric
	}
	return t
}

// function picks a function: with that result if it is known, with so many arguments if that is not 0.
func (g *generator) function(result sql.Type, args int) *Function {
	var fit []*Function
	for f := range Functions {
		switch {
		case f.Volatility == Volatile || notInPostgres[f.Name] || notInPostgres[signature(f)] || len(f.Args) == 0:
		case catalogFunctions.MatchString(f.Name):
		case slices.ContainsFunc(f.Args, func(t sql.Type) bool { return t.Kind >= sql.OID && t.Kind < kindAny || t.Kind == sql.Map }):
		case args > 0 && len(f.Args) != args && !f.Variadic:
		case result.Kind != sql.Unknown && f.ResultOf == nil && f.Result.Kind != result.Kind:
		case result.Kind != sql.Unknown && (inexactFunctions[f.Name] || f.ResultOf != nil && result.Kind != sql.Numeric):
		default:
			fit = append(fit, f)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	// By name first, so that = with its many overloads does not crowd out the rest.
	name := pick(g, fit).Name
	if g.r.IntN(3) > 0 {
		names := []string{}
		for _, f := range fit {
			if !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		}
		name = pick(g, names)
	}
	fit = slices.DeleteFunc(fit, func(f *Function) bool { return f.Name != name })
	return pick(g, fit)
}

var catalogFunctions = regexp.MustCompile(`^(pg_|to_reg|has_|col_|obj_|format_type|txid_|inet_|row_security)`)

// signature is name(types), without blanks.
func signature(f *Function) string { return strings.ReplaceAll(f.Signature(), " ", "") }

// call applies f to arguments of the declared types.
func (g *generator) call(depth int, f *Function) node {
	declared := f.Args
	if f.Variadic {
		declared = slices.Clone(f.Args)
		for range g.r.IntN(3) {
			declared = append(declared, f.Args[len(f.Args)-1])
		}
	}
	elem := g.anyType()
	for elem.Kind == sql.Array || elem.Kind == sql.Row {
		elem = g.anyType()
	}
	args := make([]node, len(declared))
	for i, t := range declared {
		switch t.Kind {
		case kindAny:
			t = g.anyType()
		case kindAnyArray, kindAnyCompatibleArray:
			elem = *pick(g, arrayTypes).Elem
			t = sql.ArrayOf(elem)
		case kindAnyElement, kindAnyNonArray, kindAnyCompatible:
			t = elem
		case kindAnyRow:
			return node{skip: true}
		}
		args[i] = g.expr(depth-1, t)
		if sizeFunctions[f.Name] && t.IsInteger() {
			args[i] = g.literal(sql.TypeInt4, fmt.Sprint(g.r.IntN(40)-5))
		}
	}
	return g.apply(f, args)
}

var arrayTypes = []sql.Type{sql.ArrayOf(sql.TypeInt4), sql.ArrayOf(sql.TypeText), sql.ArrayOf(sql.TypeNumeric)}

func (g *generator) apply(f *Function, args []node) node {
	if f == nil {
		return node{skip: true}
	}
	name := f.Name
	n := node{}
	if c := name[0]; c == '_' || c >= 'a' && c <= 'z' {
		text := make([]string, len(args))
		for i, a := range args {
			text[i] = a.sql
		}
		n = made("pg_catalog."+sql.QuoteIdent(name)+"("+strings.Join(text, ", ")+")", name, args,
			func(es []Expr) (Expr, error) { return Call(name, es) })
	} else {
		build := func(es []Expr) (Expr, error) { return Operator(name, es...) }
		switch len(args) {
		case 1:
			n = made(fmt.Sprintf("(%s %s)", name, args[0].sql), name, args, build)
		case 2:
			n = made(fmt.Sprintf("(%s %s %s)", args[0].sql, name, args[1].sql), name, args, build)
		default:
			return node{skip: true}
		}
	}
	n.inexact = n.inexact || inexactFunctions[name]
	return n
}

// expr is an expression that yields a t, or something that is cast to one.
func (g *generator) expr(depth int, t sql.Type) node {
	if depth <= 0 || g.r.IntN(3) == 0 {
		return g.leafOrLiteral(t)
	}
	switch g.r.IntN(6) {
	case 0:
		return g.special(depth, t)
	case 1:
		return g.cast(depth, t)
	}
	f := g.function(t, 0)
	if f == nil {
		return g.leafOrLiteral(t)
	}
	return g.call(depth, f)
}

// leafOrLiteral is a column of the type, or of one that it casts from, or a literal.
func (g *generator) leafOrLiteral(t sql.Type) node {
	switch g.r.IntN(10) {
	case 0, 1:
		return g.literal(t, g.value(t))
	case 2:
		return g.unknown(t)
	case 3:
		var near []int
		for i, c := range oracleColumns {
			if CanCast(c.Type, t, Implicit) {
				near = append(near, i)
			}
		}
		if len(near) > 0 {
			return g.column(pick(g, near))
		}
	}
	var same []int
	for i, c := range oracleColumns {
		if sameType(c.Type, t) {
			same = append(same, i)
		}
	}
	if len(same) == 0 {
		return g.literal(t, g.value(t))
	}
	return g.column(pick(g, same))
}

func (g *generator) column(i int) node {
	c := oracleColumns[i]
	return node{sql: c.Name, expr: Column(i, c.Name, c.Type), root: "column"}
}

// unknown is an untyped literal that reads as a t, or NULL.
func (g *generator) unknown(t sql.Type) node {
	if g.r.IntN(4) == 0 {
		return node{sql: "NULL", expr: Literal(nil, sql.TypeUnknown), root: "literal"}
	}
	s := g.value(t)
	return node{sql: sql.QuoteLiteral(s), expr: Literal(s, sql.TypeUnknown), root: "literal"}
}

// literal is a literal of type t, cast unless it is a plain number.
func (g *generator) literal(t sql.Type, s string) node {
	if t.Kind == sql.Int4 && s[0] != '-' {
		if d, err := sql.ParseText(t, s); err == nil {
			return node{sql: s, expr: Literal(d, t), root: "literal"}
		}
	}
	if t.Kind == sql.Numeric && s[0] != '-' && strings.Contains(s, ".") && strings.Trim(s, "0123456789.") == "" {
		d, err := sql.ParseNumeric(s)
		return node{sql: s, expr: Literal(d, sql.TypeNumeric), err: err, root: "literal"}
	}
	return made(sql.QuoteLiteral(s)+"::"+t.String(), "literal", nil, func([]Expr) (Expr, error) {
		return CastTo(Literal(s, sql.TypeUnknown), t, Explicit)
	})
}

// cast is a cast to t, or one to another length of t.
func (g *generator) cast(depth int, t sql.Type) node {
	switch t.Kind {
	case sql.Varchar, sql.Char:
		t.Precision = int32(g.r.IntN(9) + 1)
	case sql.Numeric:
		if g.r.IntN(2) == 0 {
			t.Precision = int32(g.r.IntN(40) + 1)
			t.Scale = int32(g.r.IntN(int(t.Precision) + 1))
		}
	case sql.Time, sql.Timestamp, sql.Timestamptz:
		t.Precision = int32(g.r.IntN(8))
	}
	from := g.expr(depth-1, g.anyType())
	return made(fmt.Sprintf("(%s)::%s", from.sql, t), "cast to "+t.BaseName(), []node{from},
		func(es []Expr) (Expr, error) { return CastTo(es[0], t, Explicit) })
}

// special is a construct with a syntax of its own.
func (g *generator) special(depth int, t sql.Type) node {
	many := func(n int, t sql.Type) []node {
		out := make([]node, n)
		for i := range out {
			if out[i] = g.expr(depth-1, t); g.r.IntN(8) == 0 {
				out[i] = g.leafOrLiteral(g.anyType())
			}
		}
		return out
	}
	if t.Kind != sql.Bool {
		return g.specialOf(depth, t, many)
	}
	u := g.anyType()
	isNot := g.r.IntN(2) == 0
	word := ""
	if isNot {
		word = "NOT "
	}
	switch g.r.IntN(9) {
	case 0, 1:
		args := many(2+g.r.IntN(2), t)
		op, build := " AND ", And
		if isNot {
			op, build = " OR ", Or
		}
		texts := make([]string, len(args))
		for i, a := range args {
			texts[i] = "(" + a.sql + ")"
		}
		return made("("+strings.Join(texts, op)+")", strings.TrimSpace(op), args, func(es []Expr) (Expr, error) { return build(es...) })
	case 2:
		args := many(1, t)
		return made("(NOT "+args[0].sql+")", "NOT", args, func(es []Expr) (Expr, error) { return Not(es[0]) })
	case 3:
		test := Test(g.r.IntN(8))
		if test >= TestTrue {
			u = sql.TypeBool
		}
		args := many(1, u)
		return made("(("+args[0].sql+") IS "+testNames[test]+")", "IS", args, func(es []Expr) (Expr, error) { return Is(es[0], test) })
	case 4:
		args := many(2, u)
		return made(fmt.Sprintf("((%s) IS %sDISTINCT FROM (%s))", args[0].sql, word, args[1].sql), "DISTINCT", args,
			func(es []Expr) (Expr, error) { return Distinct(es[0], es[1], isNot) })
	case 5:
		args := many(3, u)
		symmetric := g.r.IntN(3) == 0
		sym := ""
		if symmetric {
			sym = "SYMMETRIC "
		}
		return made(fmt.Sprintf("((%s) %sBETWEEN %s(%s) AND (%s))", args[0].sql, word, sym, args[1].sql, args[2].sql), "BETWEEN", args,
			func(es []Expr) (Expr, error) { return Between(es[0], es[1], es[2], isNot, symmetric) })
	case 6:
		args := many(3, u)
		return made(fmt.Sprintf("((%s) %sIN (%s, %s))", args[0].sql, word, args[1].sql, args[2].sql), "IN", args,
			func(es []Expr) (Expr, error) { return In(es[0], es[1:], isNot) })
	case 7:
		insensitive := g.r.IntN(3) == 0
		args := []node{g.expr(depth-1, sql.TypeText), g.literal(sql.TypeText, g.pattern())}
		op := "LIKE"
		if insensitive {
			op = "ILIKE"
		}
		text := fmt.Sprintf("((%s) %s%s (%s)", args[0].sql, word, op, args[1].sql)
		if g.r.IntN(4) == 0 {
			args = append(args, g.literal(sql.TypeText, pick(g, []string{"\\", "", "%", "a", "#", "ab"})))
			text += " ESCAPE " + args[2].sql
		}
		return made(text+")", "LIKE", args, func(es []Expr) (Expr, error) {
			if len(es) == 3 {
				return Like(es[0], es[1], es[2], isNot, insensitive)
			}
			return Like(es[0], es[1], nil, isNot, insensitive)
		})
	}
	op := pick(g, []string{"=", "<>", "<", ">", "<=", ">=", "~~"})
	arr := pick(g, arrayTypes)
	args := []node{g.expr(depth-1, *arr.Elem), g.expr(depth-1, arr)}
	quantifier := "ANY"
	if isNot {
		quantifier = "ALL"
	}
	return made(fmt.Sprintf("((%s) %s %s (%s))", args[0].sql, op, quantifier, args[1].sql), quantifier, args,
		func(es []Expr) (Expr, error) { return AnyAll(op, es[0], es[1], isNot) })
}

func (g *generator) specialOf(depth int, t sql.Type, many func(int, sql.Type) []node) node {
	switch g.r.IntN(7) {
	case 0:
		args := many(2+g.r.IntN(2), t)
		text := "COALESCE(" + strings.Repeat("%s, ", len(args)-1) + "%s)"
		return made(fmt.Sprintf(text, sqls(args)...), "COALESCE", args, func(es []Expr) (Expr, error) { return Coalesce(es...) })
	case 1:
		args := many(2, t)
		return made(fmt.Sprintf("NULLIF(%s, %s)", sqls(args)...), "NULLIF", args, func(es []Expr) (Expr, error) { return NullIf(es[0], es[1]) })
	case 2:
		name, build := "GREATEST", Greatest
		if g.r.IntN(2) == 0 {
			name, build = "LEAST", Least
		}
		args := many(2+g.r.IntN(2), t)
		text := name + "(" + strings.Repeat("%s, ", len(args)-1) + "%s)"
		return made(fmt.Sprintf(text, sqls(args)...), name, args, func(es []Expr) (Expr, error) { return build(es...) })
	case 3:
		if t.Kind == sql.Array {
			elems := many(1+g.r.IntN(3), *t.Elem)
			text := "ARRAY[" + strings.Repeat("%s, ", len(elems)-1) + "%s]"
			return made(fmt.Sprintf(text, sqls(elems)...), "ARRAY", elems, func(es []Expr) (Expr, error) { return ArrayCtor(es) })
		}
		args := []node{g.expr(depth-1, pick(g, arrayTypes)), g.expr(depth-1, sql.TypeInt4)}
		return made(fmt.Sprintf("(%s)[%s]", sqls(args)...), "subscript", args, func(es []Expr) (Expr, error) { return Subscript(es[0], es[1]) })
	case 4: // simple CASE
		u := g.anyType()
		args := append(many(3, u), many(3, t)...)
		return made(fmt.Sprintf("CASE %s WHEN %s THEN %s WHEN %s THEN %s ELSE %s END",
			args[0].sql, args[1].sql, args[3].sql, args[2].sql, args[4].sql, args[5].sql), "CASE", args,
			func(es []Expr) (Expr, error) {
				return Case(es[0], []When{{es[1], es[3]}, {es[2], es[4]}}, es[5])
			})
	}
	args := append(many(2, sql.TypeBool), many(3, t)...)
	if g.r.IntN(3) == 0 {
		return made(fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s THEN %s END", args[0].sql, args[2].sql, args[1].sql, args[3].sql), "CASE", args[:4],
			func(es []Expr) (Expr, error) { return Case(nil, []When{{es[0], es[2]}, {es[1], es[3]}}, nil) })
	}
	return made(fmt.Sprintf("CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END", args[0].sql, args[2].sql, args[1].sql, args[3].sql, args[4].sql), "CASE", args,
		func(es []Expr) (Expr, error) { return Case(nil, []When{{es[0], es[2]}, {es[1], es[3]}}, es[4]) })
}

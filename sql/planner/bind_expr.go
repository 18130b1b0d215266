package planner

import (
	"fmt"
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// exprBinder turns scalar expressions of one clause into typed ones over the rows of a scope.
type exprBinder struct {
	b      *binder
	scope  *scope
	clause string // as PostgreSQL's messages call the place
	// group takes aggregate calls; nil: the clause can't have any.
	group *grouping
	// inCall: inside the arguments of an aggregate.
	inCall bool
}

func (b *binder) exprs(s *scope, clause string) *exprBinder {
	return &exprBinder{b: b, scope: s, clause: clause}
}

// conjuncts binds a condition and splits it at its ANDs.
func (x *exprBinder) conjuncts(e ast.Expr) ([]expr.Expr, error) {
	cond, err := x.condition(e, x.clause)
	if err != nil {
		return nil, err
	}
	return slices.Clone(expr.Conjuncts(cond)), nil
}

// condition binds a boolean; what is the construct it is an argument of.
func (x *exprBinder) condition(e ast.Expr, what string) (expr.Expr, error) {
	bound, err := x.bind(e)
	if err != nil {
		return nil, err
	}
	cond, err := expr.Boolean(bound, what)
	return cond, sql.ErrorAt(err, start(e))
}

// start is where the text of an expression begins; its Pos may be that of an operator inside.
func start(e ast.Node) int {
	first := -1
	ast.Walk(e, func(n ast.Node) bool {
		if p := n.Pos(); p >= 0 && (first < 0 || p < first) {
			first = p
		}
		return true
	})
	return first
}

// noColumns binds an expression of a clause that can't name columns.
func (x *exprBinder) noColumns(e ast.Expr) (expr.Expr, error) {
	ref := firstColumnRef(e)
	if ref != nil {
		return nil, sql.Errorf("42P10", "argument of %s must not contain variables", x.clause).At(ref.Pos())
	}
	return x.bind(e)
}

func firstColumnRef(e ast.Expr) (ref *ast.ColumnRef) {
	ast.Walk(e, func(n ast.Node) bool {
		if r, ok := n.(*ast.ColumnRef); ok && ref == nil {
			ref = r
		}
		return ref == nil
	})
	return ref
}

func (x *exprBinder) bindAll(es []ast.Expr) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		var err error
		if out[i], err = x.bind(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// bind binds one expression. An error without a position gets the expression's, or that of the
// literal which can't be read as the type that it has to be.
func (x *exprBinder) bind(e ast.Expr) (expr.Expr, error) {
	bound, err := x.bindNode(e)
	if err == nil {
		err = expr.CheckPattern(bound)
	}
	if err == nil {
		return bound, nil
	}
	if at := wrongLiteral(err, e); at >= 0 {
		err = sql.ErrorAt(err, at)
	}
	return nil, sql.ErrorAt(err, e.Pos())
}

// common is the position of the first expression whose type does not match those before it, for the
// error that they have no common type.
func (x *exprBinder) common(err error, what string, es []expr.Expr, src []ast.Expr) error {
	if err == nil || sql.AsError(err).Code != sql.CodeDatatypeMismatch {
		return err
	}
	for i := range es {
		if _, mismatch := expr.CommonType(what, es[:i+1]); mismatch != nil {
			return sql.ErrorAt(err, start(src[i]))
		}
	}
	return err
}

func (x *exprBinder) bindNode(e ast.Expr) (expr.Expr, error) {
	switch e := e.(type) {
	case *ast.Literal:
		return literal(e)
	case *ast.Param:
		return x.param(e)
	case *ast.ColumnRef:
		return x.columnRef(e)
	case *ast.Binary:
		return x.binary(e)
	case *ast.Unary:
		return x.unary(e)
	case *ast.IsTest:
		return x.isTest(e)
	case *ast.IsDistinct:
		args, err := x.bindAll([]ast.Expr{e.L, e.R})
		if err != nil {
			return nil, err
		}
		return expr.Distinct(args[0], args[1], e.Not)
	case *ast.Between:
		args, err := x.bindAll([]ast.Expr{e.X, e.Lo, e.Hi})
		if err != nil {
			return nil, err
		}
		return expr.Between(args[0], args[1], args[2], e.Not, e.Symmetric)
	case *ast.In:
		return x.in(e)
	case *ast.Like:
		return x.like(e)
	case *ast.Quantified:
		return x.quantified(e)
	case *ast.Cast:
		return x.cast(e)
	case *ast.Collate:
		return x.collate(e)
	case *ast.AtTimeZone:
		args, err := x.bindAll([]ast.Expr{e.Zone, e.X})
		if err != nil {
			return nil, err
		}
		return expr.Call("timezone", args)
	case *ast.Call:
		return x.call(e)
	case *ast.Case:
		return x.caseExpr(e)
	case *ast.ArrayExpr:
		if len(e.Elems) == 0 {
			return nil, sql.Errorf(sql.CodeIndeterminateType, "cannot determine type of empty array").
				WithHint("Explicitly cast to the desired type, for example ARRAY[]::integer[].")
		}
		elems, err := x.bindAll(e.Elems)
		if err != nil {
			return nil, err
		}
		array, err := expr.ArrayCtor(elems)
		return array, x.common(err, "ARRAY", elems, e.Elems)
	case *ast.RowExpr:
		items, err := x.bindAll(e.Items)
		if err != nil {
			return nil, err
		}
		return expr.RowCtor(items, nil), nil
	case *ast.Index:
		return x.index(e)
	case *ast.Field:
		if e.Star {
			return nil, sql.Errorf(sql.CodeFeatureNotSupported, "row expansion via \"*\" is not supported here")
		}
		row, err := x.bind(e.X)
		if err != nil {
			return nil, err
		}
		field, err := expr.FieldAccess(row, e.Name)
		return field, sql.ErrorAt(err, start(e.X))
	}
	return nil, refuseExpr(e)
}

// refuseExpr names the constructs that are recognised and not executed.
func refuseExpr(e ast.Expr) error {
	switch e := e.(type) {
	case *ast.Subquery:
		return sql.Unsupported("a subquery as an expression", "Write it in FROM.")
	case *ast.Exists:
		return sql.Unsupported("EXISTS", "")
	case *ast.ArrayQuery:
		return sql.Unsupported("ARRAY(subquery)", "Use array_agg in a subquery in FROM.")
	case *ast.MapExpr:
		return sql.Unsupported("MAP[…]", "")
	case *ast.Default:
		return sql.Errorf(sql.CodeSyntaxError, "DEFAULT is not allowed in this context")
	case *ast.Star:
		return sql.Errorf(sql.CodeSyntaxError, "syntax error at or near \"*\"")
	case *ast.TableArg:
		return sql.Errorf(sql.CodeSyntaxError, "TABLE is not allowed in this context")
	case *ast.Grouping:
		return sql.Unsupported(string(e.Kind), "")
	}
	return fmt.Errorf("planner: an expression of type %T", e)
}

// maxParams is the protocol's bound on parameters.
const maxParams = 65535

func (x *exprBinder) param(p *ast.Param) (expr.Expr, error) {
	if x.b.env.Params == nil || p.N < 1 || p.N > maxParams {
		return nil, sql.Errorf(sql.CodeUndefinedParameter, "there is no parameter $%d", p.N)
	}
	return expr.Param(p.N, x.b.env.Params), nil
}

// column is a reference to a column of the scope's rows.
func (x *exprBinder) column(index int, c sql.Column, pos int) expr.Expr {
	e := expr.Column(index, c.Name, c.Type)
	if x.group != nil && !x.inCall {
		x.group.note(e, columnUse{name: x.scope.qualified(index), pos: pos})
	}
	return e
}

// qualified is table.column, as errors print it.
func (s *scope) qualified(index int) string {
	for _, t := range s.tables {
		if i := index - t.first; i >= 0 && i < len(t.columns) {
			if t.name == "" {
				return t.columns[i].Name
			}
			return t.name + "." + t.columns[i].Name
		}
	}
	return ""
}

func (x *exprBinder) columnRef(ref *ast.ColumnRef) (expr.Expr, error) {
	r, err := x.scope.resolve(ref)
	if err != nil {
		return nil, err
	}
	if r.whole != nil {
		return x.wholeRow(r.whole, ref.Pos()), nil
	}
	e := x.column(r.index, r.column, ref.Pos())
	for _, name := range r.fields {
		if e, err = expr.FieldAccess(e, name); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// wholeRow is a table's name used as a value: a row of its columns.
func (x *exprBinder) wholeRow(t *scopeTable, pos int) expr.Expr {
	var fields []expr.Expr
	var names []string
	for i, c := range t.columns {
		if !c.hidden && !c.implicit {
			fields, names = append(fields, x.column(t.index(i), c.Column, pos)), append(names, c.Name)
		}
	}
	return expr.RowCtor(fields, names)
}

func (x *exprBinder) binary(e *ast.Binary) (expr.Expr, error) {
	switch e.Op {
	case "AND", "OR":
		l, err := x.condition(e.L, e.Op)
		if err != nil {
			return nil, err
		}
		r, err := x.condition(e.R, e.Op)
		if err != nil {
			return nil, err
		}
		if e.Op == "AND" {
			return expr.And(l, r)
		}
		return expr.Or(l, r)
	case "OVERLAPS":
		return x.overlaps(e)
	}
	args, err := x.bindAll([]ast.Expr{e.L, e.R})
	if err != nil {
		return nil, err
	}
	return expr.Operator(e.Op, args...)
}

func (x *exprBinder) overlaps(e *ast.Binary) (expr.Expr, error) {
	var args []expr.Expr
	for i, side := range []ast.Expr{e.L, e.R} {
		row, ok := side.(*ast.RowExpr)
		if !ok || len(row.Items) != 2 {
			return nil, sql.Errorf(sql.CodeSyntaxError, "wrong number of parameters on %s side of OVERLAPS expression", [2]string{"left", "right"}[i]).At(side.Pos())
		}
		items, err := x.bindAll(row.Items)
		if err != nil {
			return nil, err
		}
		args = append(args, items...)
	}
	return expr.Call("overlaps", args)
}

func (x *exprBinder) unary(e *ast.Unary) (expr.Expr, error) {
	if e.Op == "NOT" {
		arg, err := x.condition(e.X, "NOT")
		if err != nil {
			return nil, err
		}
		return expr.Not(arg)
	}
	if l, ok := e.X.(*ast.Literal); ok && e.Op == "-" && l.Kind == ast.Number { // so that the lowest bigint is one
		return number("-" + l.Value)
	}
	arg, err := x.bind(e.X)
	if err != nil {
		return nil, err
	}
	return expr.Operator(e.Op, arg)
}

var isTests = map[string]expr.Test{
	"NULL": expr.TestNull, "TRUE": expr.TestTrue, "FALSE": expr.TestFalse, "UNKNOWN": expr.TestUnknown,
}

func (x *exprBinder) isTest(e *ast.IsTest) (expr.Expr, error) {
	test, ok := isTests[e.What]
	if !ok {
		return nil, sql.Unsupported("IS "+e.What, "")
	}
	if e.Not {
		test++ // each has its negation next to it
	}
	arg, err := x.bind(e.X)
	if err != nil {
		return nil, err
	}
	bound, err := expr.Is(arg, test)
	return bound, sql.ErrorAt(err, start(e.X))
}

func (x *exprBinder) in(e *ast.In) (expr.Expr, error) {
	if e.Query != nil {
		return nil, sql.Unsupported("IN (subquery)", "Join to the subquery in FROM, or list the values.")
	}
	arg, err := x.bind(e.X)
	if err != nil {
		return nil, err
	}
	list, err := x.bindAll(e.List)
	if err != nil {
		return nil, err
	}
	return expr.In(arg, list, e.Not)
}

func (x *exprBinder) like(e *ast.Like) (expr.Expr, error) {
	args, err := x.bindAll([]ast.Expr{e.X, e.Pattern})
	if err != nil {
		return nil, err
	}
	var escape expr.Expr
	if e.Escape != nil {
		if escape, err = x.bind(e.Escape); err != nil {
			return nil, err
		}
	}
	if e.Kind != ast.SimilarTo {
		return expr.Like(args[0], args[1], escape, e.Not, e.Kind == ast.ILike)
	}
	return expr.Similar(args[0], args[1], escape, e.Not)
}

func (x *exprBinder) quantified(e *ast.Quantified) (expr.Expr, error) {
	if e.Query != nil {
		return nil, sql.Unsupported("ANY/ALL (subquery)", "Join to the subquery in FROM.")
	}
	args, err := x.bindAll([]ast.Expr{e.X, e.Array})
	if err != nil {
		return nil, err
	}
	return expr.AnyAll(e.Op, args[0], args[1], e.All)
}

func (x *exprBinder) caseExpr(e *ast.Case) (expr.Expr, error) {
	var operand, els expr.Expr
	var err error
	if e.Operand != nil {
		if operand, err = x.bind(e.Operand); err != nil {
			return nil, err
		}
	}
	whens := make([]expr.When, len(e.Whens))
	for i, w := range e.Whens {
		if operand == nil {
			whens[i].If, err = x.condition(w.Cond, "CASE/WHEN")
		} else {
			whens[i].If, err = x.bind(w.Cond)
		}
		if err != nil {
			return nil, err
		}
		if whens[i].Then, err = x.bind(w.Result); err != nil {
			return nil, err
		}
	}
	if e.Else != nil {
		if els, err = x.bind(e.Else); err != nil {
			return nil, err
		}
	}
	bound, err := expr.Case(operand, whens, els)
	return bound, x.caseError(err, e, whens, els)
}

// caseError points at the result that does not match: PostgreSQL looks at the ELSE first.
func (x *exprBinder) caseError(err error, e *ast.Case, whens []expr.When, els expr.Expr) error {
	var results []expr.Expr
	var src []ast.Expr
	if els != nil {
		results, src = append(results, els), append(src, e.Else)
	}
	for i, w := range whens {
		results, src = append(results, w.Then), append(src, e.Whens[i].Result)
	}
	return x.common(err, "CASE", results, src)
}

func (x *exprBinder) index(e *ast.Index) (expr.Expr, error) {
	if e.Slice {
		return nil, sql.Unsupported("an array slice", "")
	}
	args, err := x.bindAll([]ast.Expr{e.X, e.Lo})
	if err != nil {
		return nil, err
	}
	return expr.Subscript(args[0], args[1])
}

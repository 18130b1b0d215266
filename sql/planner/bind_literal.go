package planner

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// literal gives a constant the type that PostgreSQL's lexer and parser give it.
func literal(l *ast.Literal) (expr.Expr, error) {
	switch l.Kind {
	case ast.Null:
		return expr.Literal(nil, sql.TypeUnknown), nil
	case ast.Bool:
		return expr.Literal(l.Value == "true", sql.TypeBool), nil
	case ast.String:
		return expr.Literal(l.Value, sql.TypeUnknown), nil
	case ast.Number:
		return number(l.Value)
	}
	return nil, sql.Unsupported("a bit string literal", "")
}

func number(digits string) (expr.Expr, error) {
	if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
		if n == int64(int32(n)) {
			return expr.Literal(n, sql.TypeInt4), nil
		}
		return expr.Literal(n, sql.TypeInt8), nil
	}
	d, err := sql.ParseText(sql.TypeNumeric, digits)
	if err != nil {
		return nil, err
	}
	return expr.Literal(d, sql.TypeNumeric), nil
}

// wrongLiteral finds the literal in e whose text a data exception quotes, or returns -1.
func wrongLiteral(err error, e ast.Expr) int {
	at := -1
	message := sql.AsError(err).Message
	if !strings.HasPrefix(sql.AsError(err).Code, "22") {
		return -1
	}
	ast.Walk(e, func(n ast.Node) bool {
		if l, ok := n.(*ast.Literal); ok && at < 0 && l.Kind == ast.String && strings.Contains(message, `"`+l.Value+`"`) {
			at = l.Pos()
		}
		return at < 0
	})
	return at
}

func (x *exprBinder) cast(e *ast.Cast) (expr.Expr, error) {
	t, err := TypeOf(e.Type)
	if err != nil {
		return nil, err
	}
	if l, ok := e.X.(*ast.Literal); ok && l.Kind == ast.String && t.Kind == sql.Interval && e.Type.Fields != "" {
		return intervalLiteral(l, e.Type)
	}
	if a, ok := e.X.(*ast.ArrayExpr); ok && len(a.Elems) == 0 {
		empty, err := expr.ArrayCtor(nil)
		if err != nil {
			return nil, err
		}
		return expr.CastTo(empty, t, expr.Explicit)
	}
	arg, err := x.bind(e.X)
	if err != nil {
		return nil, err
	}
	wasUnknown := arg.Type().Kind == sql.Unknown
	bound, err := expr.CastTo(arg, t, expr.Explicit)
	if err != nil && wasUnknown { // a literal that can't be read as a t
		return nil, sql.ErrorAt(err, e.X.Pos())
	}
	return bound, err
}

var intervalUnits = map[string]sql.IntervalUnit{
	"year": sql.Year, "month": sql.Month, "day": sql.Day, "hour": sql.Hour, "minute": sql.Minute, "second": sql.Second,
}

// intervalLiteral reads INTERVAL '5' MINUTE and INTERVAL '1 2' DAY TO HOUR.
func intervalLiteral(l *ast.Literal, t *ast.TypeName) (expr.Expr, error) {
	var from, to string
	_, _ = fmt.Sscanf(t.Fields, "%s to %s", &from, &to) // a single unit leaves `to` empty
	digits := 6
	if len(t.Mods) > 0 {
		digits, _ = strconv.Atoi(t.Mods[len(t.Mods)-1]) // a number, says the grammar
	}
	v, err := sql.ParseIntervalFields(l.Value, sql.IntervalFields{From: intervalUnits[from], To: intervalUnits[to]}, min(digits, 6))
	if err != nil {
		return nil, sql.ErrorAt(err, l.Pos())
	}
	return expr.Literal(v, sql.TypeInterval), nil
}

// collate accepts the collations by which text is compared here: by bytes.
func (x *exprBinder) collate(e *ast.Collate) (expr.Expr, error) {
	switch name := e.Collation.Base(); name {
	case "default", "C", "POSIX", "ucs_basic":
		return x.bind(e.X)
	default:
		return nil, sql.Errorf(sql.CodeUndefinedObject, "collation %q for encoding \"UTF8\" does not exist", name).
			WithHint("Text is compared by its bytes: use the collation \"C\".")
	}
}

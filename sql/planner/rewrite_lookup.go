package planner

import (
	"strings"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// findLookup turns a filter on the key of a relation into a range of it. The conditions that the
// range stands for are dropped; those that are left filter what it yields.
//
//	key (a, b):  a = 1 AND b > 2 AND c = 3   ─▶  range a = 1, b > 2;  filter c = 3
func findLookup(n node) node {
	f, ok := n.(*filter)
	if !ok {
		return n
	}
	s, ok := f.in.(*scan)
	if !ok || s.lookup != nil || len(s.rel.Key) == 0 || s.rel.Kind == Source {
		return n
	}
	rest := f.conds
	var l lookup
	for _, k := range s.rel.Key {
		var e expr.Expr
		if e, rest = takeBound(s, rest, k, "="); e == nil {
			l.lo, rest = takeEnd(s, rest, k, ">=", ">")
			l.hi, rest = takeEnd(s, rest, k, "<=", "<")
			break
		}
		l.prefix = append(l.prefix, e)
	}
	if len(l.prefix) == 0 && l.lo == nil && l.hi == nil {
		return n
	}
	c := *s
	c.lookup = &l
	return filtered(&c, rest)
}

func takeEnd(s *scan, conds []expr.Expr, key int, inclusive, exclusive string) (*keyBound, []expr.Expr) {
	if e, rest := takeBound(s, conds, key, inclusive); e != nil {
		return &keyBound{value: e, inclusive: true}, rest
	}
	if e, rest := takeBound(s, conds, key, exclusive); e != nil {
		return &keyBound{value: e}, rest
	}
	return nil, conds
}

// takeBound finds a condition `key op value`, with a value that has no columns and is of the key's
// own type, and returns the value and the other conditions.
func takeBound(s *scan, conds []expr.Expr, key int, op string) (expr.Expr, []expr.Expr) {
	for i, c := range conds {
		col, value := comparison(c, op)
		if value == nil || s.columns[col] != key {
			continue
		}
		if value = asKey(value, s.rel.Columns[key].Type); value == nil {
			continue
		}
		rest := append([]expr.Expr(nil), conds[:i]...)
		return value, append(rest, conds[i+1:]...)
	}
	return nil, conds
}

// mirrored is the operator with its operands swapped.
var mirrored = map[string]string{"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// comparison takes `column op value` or `value op' column` apart; value is nil for anything else.
func comparison(e expr.Expr, op string) (col int, value expr.Expr) {
	kids := expr.Children(e)
	if len(kids) != 2 {
		return 0, nil
	}
	// The operator is known by the text between the operands; a column's text is its name, and no
	// other construct has its first operand's text in front.
	text := e.String()
	if i, ok := expr.ColumnIndex(kids[0]); ok && strings.HasPrefix(text, kids[0].String()+" "+op+" ") && isFixed(kids[1]) {
		return i, kids[1]
	}
	if i, ok := expr.ColumnIndex(kids[1]); ok && strings.HasSuffix(text, " "+mirrored[op]+" "+kids[1].String()) && isFixed(kids[0]) {
		return i, kids[0]
	}
	return 0, nil
}

// isFixed tells whether e has one value for the whole statement.
func isFixed(e expr.Expr) bool { return len(expr.Columns(e)) == 0 && !expr.IsVolatile(e) }

// asKey is value as a value of a key column of type t, or nil if the comparison means something
// else than equality of the stored form: numerics of another scale, floats (-0 = 0), padded text.
func asKey(value expr.Expr, t sql.Type) expr.Expr {
	from := value.Type()
	widens := t.IsInteger() && from.IsInteger() && from.Kind <= t.Kind
	text := isText(t) && isText(from)
	switch {
	case t.Kind == sql.Float4 || t.Kind == sql.Float8 || t.Kind == sql.Numeric && !t.IsFixed() || t.Kind == sql.Interval:
		return nil
	case from.Equal(t):
		return value
	case widens || text:
	case from.Kind == t.Kind && (t.Kind == sql.Timestamp || t.Kind == sql.Timestamptz || t.Kind == sql.Time):
		return value // the digits of the type don't change the stored form
	default:
		return nil
	}
	if t.Kind == sql.Varchar {
		t.Precision = 0 // a longer text equals no key; it must not be an error
	}
	e, err := expr.CastTo(value, t, expr.Implicit)
	if err != nil {
		return nil
	}
	return expr.Fold(e)
}

func isText(t sql.Type) bool {
	return t.Kind == sql.Text || t.Kind == sql.Varchar || t.Kind == sql.Name
}

package expr

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// parens is e as an operand: in parentheses unless it binds tightest.
func parens(e Expr) string {
	switch n := e.(type) {
	case *column, *literal, *param, *coalesce, *extreme, *arrayCtor, *rowCtor, *subscript, *field:
		return e.String()
	case *cast:
		if n.how != Explicit || n.hidden {
			return parens(n.arg)
		}
		return e.String()
	case *call:
		if !n.isOperator() {
			return e.String()
		}
	}
	return "(" + e.String() + ")"
}

func joined(es []Expr) string {
	parts := make([]string, len(es))
	for i, e := range es {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}

func (e *call) isOperator() bool {
	c := e.fn.Name[0]
	return c != '_' && (c < 'a' || c > 'z')
}

func (e *call) String() string {
	switch {
	case !e.isOperator():
		return sql.QuoteIdent(e.fn.Name) + "(" + joined(e.args) + ")"
	case len(e.args) == 1:
		return e.fn.Name + parens(e.args[0])
	}
	return parens(e.args[0]) + " " + e.fn.Name + " " + parens(e.args[1])
}

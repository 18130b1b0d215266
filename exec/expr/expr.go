package expr

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Expr is a typed scalar expression. Only this package makes them.
type Expr interface {
	Type() sql.Type
	// String is the expression as SQL, for EXPLAIN; casts the user did not write are not shown.
	String() string

	vector(c *Context, b *stream.Batch) Vector
	children() []Expr
	with(kids []Expr) Expr // a copy with other children, of the same types
}

// Eval computes e for every row of b; the result has b.Rows rows. Errors are in c.
func Eval(c *Context, e Expr, b *stream.Batch) arrow.Array {
	return c.column(EvalVector(c, e, b), b.Rows)
}

// EvalVector is Eval without spreading out a constant.
func EvalVector(c *Context, e Expr, b *stream.Batch) Vector {
	c.begin(b.Rows)
	return e.vector(c, b)
}

// oneRow is the batch over which constants are evaluated.
var oneRow = &stream.Batch{Rows: 1}

// EvalDatum computes an expression without columns.
func EvalDatum(c *Context, e Expr) (sql.Datum, error) {
	v := EvalVector(c, e, oneRow)
	if err := c.TakeFirst(); err != nil {
		return nil, err
	}
	return v.Datum(0), nil
}

// Children are the direct operands of e. The caller must not write to the slice.
func Children(e Expr) []Expr { return e.children() }

// Rewrite copies e bottom-up: fn gets every node, with its operands rewritten, and returns what
// stands in its place. The replacement of an operand must have its type.
func Rewrite(e Expr, fn func(Expr) Expr) Expr {
	kids := e.children()
	var changed []Expr
	for i, k := range kids {
		if r := Rewrite(k, fn); r != k {
			if changed == nil {
				changed = slices.Clone(kids)
			}
			changed[i] = r
		}
	}
	if changed != nil {
		e = e.with(changed)
	}
	return fn(e)
}

// Walk calls fn for e and everything below it until fn returns false, and tells whether it never did.
func Walk(e Expr, fn func(Expr) bool) bool {
	if !fn(e) {
		return false
	}
	for _, k := range e.children() {
		if !Walk(k, fn) {
			return false
		}
	}
	return true
}

// Columns are the numbers of the columns that e reads, ascending.
func Columns(e Expr) []int {
	var cols []int
	Walk(e, func(e Expr) bool {
		if i, ok := ColumnIndex(e); ok && !slices.Contains(cols, i) {
			cols = append(cols, i)
		}
		return true
	})
	slices.Sort(cols)
	return cols
}

// VolatilityOf is the highest volatility of what e calls.
func VolatilityOf(e Expr) Volatility {
	highest := Immutable
	Walk(e, func(e Expr) bool {
		switch e := e.(type) {
		case *call:
			highest = max(highest, e.fn.Volatility)
		case *cast:
			highest = max(highest, e.volatility)
		case *anyAll:
			highest = max(highest, VolatilityOf(e.test))
		case *param:
			highest = max(highest, Stable)
		}
		return true
	})
	return highest
}

// NeedsSession tells whether e asks the session, which a job does not have.
func NeedsSession(e Expr) bool {
	return !Walk(e, func(e Expr) bool {
		c, ok := e.(*call)
		return !ok || !c.fn.OfSession
	})
}

// IsVolatile tells whether e gives another value with every evaluation.
func IsVolatile(e Expr) bool { return VolatilityOf(e) == Volatile }

// column is a column of the batch.
type column struct {
	index int
	name  string
	typ   sql.Type
}

// Column is column i of the batch; name is for String.
func Column(i int, name string, t sql.Type) Expr { return &column{i, name, t} }

// ColumnIndex is the number of the column that e is, if it is one.
func ColumnIndex(e Expr) (int, bool) {
	if c, ok := e.(*column); ok {
		return c.index, true
	}
	return 0, false
}

func (e *column) Type() sql.Type   { return e.typ }
func (e *column) String() string   { return e.name }
func (e *column) children() []Expr { return nil }
func (e *column) with([]Expr) Expr { return e }
func (e *column) vector(_ *Context, b *stream.Batch) Vector {
	return Vector{Array: b.Columns[e.index], Type: e.typ}
}

// literal is a constant.
type literal struct{ vec Vector }

// Literal is a constant of type t, nil for NULL. With sql.TypeUnknown, d is the text of an untyped
// literal (or nil), whose type is decided by where it stands. A plain numeric gets the fixed type of
// its digits, if it has one.
func Literal(d sql.Datum, t sql.Type) Expr {
	if v, ok := d.(*sql.Decimal); ok && t.Kind == sql.Numeric && t.Precision == 0 {
		t = literalNumericType(v)
	}
	return &literal{constant(d, t)}
}

// LiteralDatum is the value of the literal that e is, if it is one.
func LiteralDatum(e Expr) (sql.Datum, bool) {
	if l, ok := e.(*literal); ok {
		return l.vec.Datum(0), true
	}
	return nil, false
}

func (e *literal) Type() sql.Type                            { return e.vec.Type }
func (e *literal) children() []Expr                          { return nil }
func (e *literal) with([]Expr) Expr                          { return e }
func (e *literal) vector(_ *Context, _ *stream.Batch) Vector { return e.vec }

func (e *literal) String() string {
	d := e.vec.Datum(0)
	if d == nil {
		return "NULL"
	}
	switch d := d.(type) {
	case bool:
		return strconv.FormatBool(d)
	case int64:
		if d >= 0 && e.vec.Type.Kind == sql.Int4 {
			return strconv.FormatInt(d, 10)
		}
	case *sql.Decimal:
		if d.Form == 0 && !d.Negative {
			return sql.FormatText(sql.TypeNumeric, d)
		}
	}
	text := sql.QuoteLiteral(sql.FormatText(e.vec.Type, d))
	if e.vec.Type.Kind == sql.Unknown {
		return text
	}
	return text + "::" + e.vec.Type.BaseName()
}

// ParamTypes are the types of a statement's parameters as far as they are known: index 0 is $1. A
// type that is Unknown is set when the parameter is first coerced.
type ParamTypes struct{ Types []sql.Type }

// param is a parameter, to be replaced by Bind.
type param struct {
	n     int
	typ   sql.Type
	types *ParamTypes
}

// Param is parameter n, counted from 1. Evaluating it is a bug: Bind replaces it first.
func Param(n int, types *ParamTypes) Expr {
	for len(types.Types) < n {
		types.Types = append(types.Types, sql.TypeUnknown)
	}
	return &param{n, types.Types[n-1], types}
}

// setType is the parameter with the type that its place wants.
func (e *param) setType(t sql.Type) (Expr, error) {
	t.Precision, t.Scale = 0, 0
	known := &e.types.Types[e.n-1]
	if known.Kind == sql.Unknown {
		*known = t
	} else if !known.Equal(t) {
		return nil, sql.Errorf("42P08", "inconsistent types deduced for parameter $%d", e.n).
			WithDetail("%s versus %s", known.BaseName(), t.BaseName())
	}
	return &param{e.n, t, e.types}, nil
}

// Bind replaces the parameters by values, which have the parameters' types.
func Bind(e Expr, values []sql.Datum) Expr {
	return Rewrite(e, func(e Expr) Expr {
		if p, ok := e.(*param); ok {
			return &literal{constant(values[p.n-1], p.typ)}
		}
		return e
	})
}

// ParamNumber is n if e is $n itself.
func ParamNumber(e Expr) (n int, ok bool) {
	if p, ok := e.(*param); ok {
		return p.n, true
	}
	return 0, false
}

func (e *param) Type() sql.Type   { return e.typ }
func (e *param) String() string   { return fmt.Sprintf("$%d", e.n) }
func (e *param) children() []Expr { return nil }
func (e *param) with([]Expr) Expr { return e }
func (e *param) vector(*Context, *stream.Batch) Vector {
	panic("expr: parameter " + e.String() + " was not bound")
}

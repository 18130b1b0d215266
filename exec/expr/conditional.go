package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// When is one branch of a CASE.
type When struct{ If, Then Expr }

// caseExpr is a searched CASE: args are condition, result, condition, result …, else.
type caseExpr struct {
	args []Expr
	typ  sql.Type
}

// Case is CASE [operand] WHEN … THEN … [ELSE els] END; operand and els may be nil.
func Case(operand Expr, whens []When, els Expr) (Expr, error) {
	if els == nil {
		els = Literal(nil, sql.TypeUnknown)
	}
	conds := make([]Expr, len(whens))
	// PostgreSQL looks at the ELSE first when it resolves the type.
	results := []Expr{els}
	for i, w := range whens {
		cond, err := w.If, error(nil)
		if operand != nil {
			if operand.Type().Kind == sql.Unknown {
				if operand, err = CastTo(operand, sql.TypeText, Implicit); err != nil {
					return nil, err
				}
			}
			if cond, err = Operator("=", operand, cond); err != nil {
				return nil, err
			}
		}
		if conds[i], err = boolean(cond, "CASE/WHEN"); err != nil {
			return nil, err
		}
		results = append(results, w.Then)
	}
	results, t, err := coerceAll("CASE", results)
	if err != nil {
		return nil, err
	}
	e := &caseExpr{typ: t}
	for i, cond := range conds {
		e.args = append(e.args, cond, results[i+1])
	}
	e.args = append(e.args, results[0])
	return e, nil
}

func (e *caseExpr) Type() sql.Type        { return e.typ }
func (e *caseExpr) children() []Expr      { return e.args }
func (e *caseExpr) with(kids []Expr) Expr { return &caseExpr{kids, e.typ} }

func (e *caseExpr) String() string {
	var b strings.Builder
	b.WriteString("CASE")
	for i := 0; i+1 < len(e.args); i += 2 {
		b.WriteString(" WHEN " + e.args[i].String() + " THEN " + e.args[i+1].String())
	}
	b.WriteString(" ELSE " + e.args[len(e.args)-1].String() + " END")
	return b.String()
}

func (e *caseExpr) vector(c *Context, b *stream.Batch) Vector {
	const open = -1
	choice := make([]int32, b.Rows) // the branch of each row
	for i := range choice {
		choice[i] = open
	}
	branches := make([]Vector, 0, len(e.args)/2+1)
	last := int32(len(e.args) / 2)
	for k := int32(0); k <= last; k++ {
		if k < last {
			mark := c.mark()
			cond := e.args[2*k].vector(c, b)
			c.keep(mark, func(row int) bool { return choice[row] == open })
			values, valid := cond.Bools(b.Rows), cond.Validity(b.Rows)
			for i, ch := range choice {
				if ch == open && valid.Get(i) && values.Get(i) {
					choice[i] = k
				}
			}
			for _, err := range c.errs[mark:] { // no branch is taken
				choice[err.Row] = last + 1
			}
		} else {
			for i, ch := range choice {
				if ch == open {
					choice[i] = last
				}
			}
		}
		result := e.args[min(2*k+1, 2*last)]
		mark := c.mark()
		branches = append(branches, result.vector(c, b))
		c.keep(mark, func(row int) bool { return choice[row] == k })
	}
	return Vector{Array: choose(c, choice, branches, e.typ), Type: e.typ}
}

// choose makes the column whose row i is row i of branches[choice[i]]; a choice past the last branch
// is NULL.
func choose(c *Context, choice []int32, branches []Vector, t sql.Type) arrow.Array {
	if dt, ok := t.Arrow().(arrow.FixedWidthDataType); ok {
		switch dt.Bytes() {
		case 4:
			return chooseFixed[int32](choice, branches, t)
		case 8:
			return chooseFixed[int64](choice, branches, t)
		case 16:
			return chooseFixed[[2]uint64](choice, branches, t)
		}
	}
	// Any other type: take from the branches laid end to end, if there is room for all of them.
	if !c.fit(len(choice), branches...) {
		switch t.Arrow().(type) {
		case *arrow.StringType, *arrow.BinaryType:
			return chooseBytes(c, choice, branches, t)
		}
		return c.column(c.outgrow(len(choice), t), len(choice))
	}
	arrs, starts := make([]arrow.Array, len(branches)), make([]int32, len(branches))
	total := int32(0)
	for k, v := range branches {
		arrs[k], starts[k] = v.Array, total
		total += int32(v.Array.Len())
	}
	idx := make([]int32, len(choice))
	for i, k := range choice {
		if int(k) >= len(branches) {
			idx[i] = -1
		} else {
			idx[i] = starts[k] + int32(i&branches[k].Mask())
		}
	}
	return stream.Take(stream.Concat(arrs), idx)
}

// chooseBytes copies one value after the other.
func chooseBytes(c *Context, choice []int32, branches []Vector, t sql.Type) arrow.Array {
	in := &Input{Rows: len(choice), Valid: stream.FullBitmap(len(choice)), Result: t}
	values := make([]func(i int) []byte, len(branches))
	for k, v := range branches {
		values[k] = reader[[]byte](v)
	}
	out := bytesWriter[[]byte](c, in)
	for i, k := range choice {
		switch {
		case int(k) >= len(branches) || branches[k].IsNull(i):
			in.Null(i)
			out.skip(i)
		case !in.Valid.Get(i):
			out.skip(i)
		default:
			out.put(i, values[k](i))
		}
	}
	return out.finish()
}

func chooseFixed[T any](choice []int32, branches []Vector, t sql.Type) arrow.Array {
	n := len(choice)
	out, valid := make([]T, n), stream.FullBitmap(n)
	values, valids, masks := make([][]T, len(branches)), make([]stream.Bitmap, len(branches)), make([]int, len(branches))
	for k, v := range branches {
		values[k], valids[k], masks[k] = stream.Values[T](v.Array), stream.Validity(v.Array), v.Mask()
	}
	for i, k := range choice {
		if int(k) >= len(branches) {
			valid.Clear(i)
			continue
		}
		j := i & masks[k]
		if !valids[k].Get(j) {
			valid.Clear(i)
			continue
		}
		out[i] = values[k][j]
	}
	return stream.Fixed(t, out, valid)
}

// coalesce is the first of its arguments that is not NULL.
type coalesce struct {
	args []Expr
	typ  sql.Type
}

// Coalesce is COALESCE(es…).
func Coalesce(es ...Expr) (Expr, error) {
	args, t, err := coerceAll("COALESCE", es)
	if err != nil {
		return nil, err
	}
	return &coalesce{args, t}, nil
}

func (e *coalesce) Type() sql.Type        { return e.typ }
func (e *coalesce) children() []Expr      { return e.args }
func (e *coalesce) with(kids []Expr) Expr { return &coalesce{kids, e.typ} }
func (e *coalesce) String() string        { return "COALESCE(" + joined(e.args) + ")" }

func (e *coalesce) vector(c *Context, b *stream.Batch) Vector {
	start := c.mark()
	first := e.args[0].vector(c, b)
	if !first.Const && first.Array.NullN() == 0 || first.Const && !first.isNullConst() {
		return first
	}
	choice := make([]int32, b.Rows)
	branches := make([]Vector, 0, len(e.args))
	open := func(row int) bool { return int(choice[row]) == len(branches) }
	for k, a := range e.args {
		v, mark := first, start
		if k > 0 {
			mark = c.mark()
			v = a.vector(c, b)
			c.keep(mark, open)
		}
		valid := v.Validity(b.Rows)
		for i := range choice {
			if open(i) && !valid.Get(i) {
				choice[i]++
			}
		}
		branches = append(branches, v)
		for _, err := range c.errs[mark:] { // a failed row is NULL, but not for the next argument to replace
			if choice[err.Row] == int32(k)+1 {
				choice[err.Row] = int32(len(e.args))
			}
		}
	}
	return Vector{Array: choose(c, choice, branches, e.typ), Type: e.typ}
}

// NullIf is NULLIF(a, b): NULL when a = b, else a.
func NullIf(a, b Expr) (Expr, error) {
	if a.Type().Kind == sql.Unknown && b.Type().Kind == sql.Unknown {
		var err error
		if a, err = CastTo(a, sql.TypeText, Implicit); err != nil {
			return nil, err
		}
	}
	equal, err := Operator("=", a, b)
	if err != nil {
		return nil, err
	}
	// The result has the type of a as = takes it.
	if n, ok := equal.(*call); ok {
		if t := n.fn.Args[0]; t.Kind < kindAny && t.Kind != sql.Numeric {
			if a, err = CastTo(a, t, Implicit); err != nil {
				return nil, err
			}
		} else if n.fn.passAs == nil {
			a = n.args[0]
		}
	}
	return &caseExpr{[]Expr{equal, Literal(nil, a.Type()), a}, a.Type()}, nil
}

// extreme is GREATEST or LEAST; NULLs are passed over.
type extreme struct {
	args  []Expr
	typ   sql.Type
	least bool
}

// Greatest is GREATEST(es…).
func Greatest(es ...Expr) (Expr, error) { return newExtreme("GREATEST", es, false) }

// Least is LEAST(es…).
func Least(es ...Expr) (Expr, error) { return newExtreme("LEAST", es, true) }

func newExtreme(what string, es []Expr, least bool) (Expr, error) {
	args, t, err := coerceAll(what, es)
	if err != nil {
		return nil, err
	}
	if _, err := Operator("<", args[0], args[0]); err != nil {
		return nil, sql.Errorf(sql.CodeUndefinedFunction, "could not identify a comparison function for type %s", t.BaseName())
	}
	return &extreme{args, t, least}, nil
}

func (e *extreme) Type() sql.Type        { return e.typ }
func (e *extreme) children() []Expr      { return e.args }
func (e *extreme) with(kids []Expr) Expr { return &extreme{kids, e.typ, e.least} }

func (e *extreme) String() string {
	if e.least {
		return "LEAST(" + joined(e.args) + ")"
	}
	return "GREATEST(" + joined(e.args) + ")"
}

func (e *extreme) vector(c *Context, b *stream.Batch) Vector {
	choice, branches := make([]int32, b.Rows), make([]Vector, len(e.args))
	for k, a := range e.args {
		v := a.vector(c, b)
		branches[k] = v
		if k == 0 {
			continue
		}
		valid := v.Validity(b.Rows)
		for i := range choice {
			best := branches[choice[i]]
			if !valid.Get(i) {
				continue
			}
			if !best.IsNull(i) {
				order := stream.CompareRows(v.Array, i&v.Mask(), best.Array, i&best.Mask(), e.typ)
				if order == 0 || order < 0 != e.least {
					continue
				}
			}
			choice[i] = int32(k)
		}
	}
	return Vector{Array: choose(c, choice, branches, e.typ), Type: e.typ}
}

// Between is `e [NOT] BETWEEN [SYMMETRIC] lo AND hi`.
func Between(e, lo, hi Expr, isNot, symmetric bool) (Expr, error) {
	one, err := between(e, lo, hi, isNot)
	if err != nil || !symmetric {
		return one, err
	}
	other, err := between(e, hi, lo, isNot)
	if err != nil {
		return nil, err
	}
	if isNot {
		return And(one, other)
	}
	return Or(one, other)
}

func between(e, lo, hi Expr, isNot bool) (Expr, error) {
	ops, join := [2]string{">=", "<="}, And
	if isNot {
		ops, join = [2]string{"<", ">"}, Or
	}
	above, err := Operator(ops[0], e, lo)
	if err != nil {
		return nil, err
	}
	below, err := Operator(ops[1], e, hi)
	if err != nil {
		return nil, err
	}
	return join(above, below)
}

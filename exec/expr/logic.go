package expr

import (
	"strings"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// boolOp is a chain of ANDs or ORs.
type boolOp struct {
	or   bool
	args []Expr
}

// And is the conjunction of boolean expressions; of none, true.
func And(es ...Expr) (Expr, error) { return newBoolOp(false, "AND", es) }

// Or is the disjunction of boolean expressions; of none, false.
func Or(es ...Expr) (Expr, error) { return newBoolOp(true, "OR", es) }

func newBoolOp(or bool, what string, es []Expr) (Expr, error) {
	var args []Expr
	for _, e := range es {
		e, err := boolean(e, what)
		if err != nil {
			return nil, err
		}
		if n, ok := e.(*boolOp); ok && n.or == or {
			args = append(args, n.args...)
		} else {
			args = append(args, e)
		}
	}
	switch len(args) {
	case 0:
		return Literal(!or, sql.TypeBool), nil
	case 1:
		return args[0], nil
	}
	return &boolOp{or, args}, nil
}

// Boolean is e as a condition; `what` names the clause in the error, 42804.
func Boolean(e Expr, what string) (Expr, error) { return boolean(e, what) }

func boolean(e Expr, what string) (Expr, error) {
	if !canCoerce(e.Type(), sql.TypeBool, Assignment) {
		return nil, sql.Errorf(sql.CodeDatatypeMismatch, "argument of %s must be type boolean, not type %s", what, e.Type().BaseName())
	}
	return CastTo(e, sql.TypeBool, Assignment)
}

// Conjuncts splits a condition at its ANDs.
func Conjuncts(e Expr) []Expr {
	if n, ok := e.(*boolOp); ok && !n.or {
		return n.args
	}
	return []Expr{e}
}

func (e *boolOp) Type() sql.Type        { return sql.TypeBool }
func (e *boolOp) children() []Expr      { return e.args }
func (e *boolOp) with(kids []Expr) Expr { return &boolOp{e.or, kids} }

func (e *boolOp) String() string {
	op := " AND "
	if e.or {
		op = " OR "
	}
	parts := make([]string, len(e.args))
	for i, a := range e.args {
		parts[i] = parens(a)
	}
	return strings.Join(parts, op)
}

// vector combines bitmaps a word at a time. The errors of an operand count only for rows that the
// ones before it leave open.
func (e *boolOp) vector(c *Context, b *stream.Batch) Vector {
	v := e.args[0].vector(c, b)
	for _, a := range e.args[1:] {
		n := b.Rows
		if v.Const {
			if d := v.Datum(0); d == e.or {
				return v // decided for every row
			}
		}
		mark := c.mark()
		w := a.vector(c, b)
		if v.Const && w.Const {
			n = 1
		}
		values, valid := v.Bools(n), v.Validity(n)
		if !v.Const {
			c.keep(mark, func(row int) bool { return values.Get(row) != e.or || !valid.Get(row) })
		}
		v = combine(e.or, n, values, valid, w.Bools(n), w.Validity(n), v.Const && w.Const)
	}
	return v
}

func combine(or bool, n int, a, aValid, b, bValid stream.Bitmap, isConst bool) Vector {
	out, valid := stream.NewBitmap(n), stream.NewBitmap(n)
	for w := range stream.Words(n) {
		av, bv := ^uint64(0), ^uint64(0)
		if aValid != nil {
			av = aValid.Word(w)
		}
		if bValid != nil {
			bv = bValid.Word(w)
		}
		at, bt := a.Word(w)&av, b.Word(w)&bv
		af, bf := ^a.Word(w)&av, ^b.Word(w)&bv
		t, f := at&bt, af|bf
		if or {
			t, f = at|bt, af&bf
		}
		out.SetWord(w, t)
		valid.SetWord(w, t|f)
	}
	if aValid == nil && bValid == nil {
		valid = nil
	}
	return Vector{Array: stream.BoolColumn(n, out, valid), Type: sql.TypeBool, Const: isConst}
}

// not is NOT e.
type not struct{ arg Expr }

// Not negates a boolean expression.
func Not(e Expr) (Expr, error) {
	e, err := boolean(e, "NOT")
	if err != nil {
		return nil, err
	}
	return &not{e}, nil
}

func (e *not) Type() sql.Type        { return sql.TypeBool }
func (e *not) children() []Expr      { return []Expr{e.arg} }
func (e *not) with(kids []Expr) Expr { return &not{kids[0]} }
func (e *not) String() string        { return "NOT " + parens(e.arg) }

func (e *not) vector(c *Context, b *stream.Batch) Vector {
	v := e.arg.vector(c, b)
	n := v.Array.Len()
	in, out := stream.Bools(v.Array), stream.NewBitmap(n)
	for w := range stream.Words(n) {
		out.SetWord(w, ^in.Word(w))
	}
	v.Array = stream.BoolColumn(n, out, stream.Validity(v.Array))
	return v
}

// Test is what IS asks of a value.
type Test uint8

// The tests; each has its negation next to it.
const (
	TestNull Test = iota
	TestNotNull
	TestTrue
	TestNotTrue
	TestFalse
	TestNotFalse
	TestUnknown
	TestNotUnknown
)

var testNames = [...]string{"NULL", "NOT NULL", "TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"}

// isTest is `e IS test`.
type isTest struct {
	arg  Expr
	test Test
}

// Is is `e IS test`. A row is NULL if all its fields are, and NOT NULL if none is.
func Is(e Expr, test Test) (Expr, error) {
	if test >= TestTrue {
		var err error
		if e, err = boolean(e, "IS "+testNames[test]); err != nil {
			return nil, err
		}
	} else if e.Type().Kind == sql.Unknown {
		var err error
		if e, err = CastTo(e, sql.TypeText, Implicit); err != nil {
			return nil, err
		}
	}
	return &isTest{e, test}, nil
}

func (e *isTest) Type() sql.Type        { return sql.TypeBool }
func (e *isTest) children() []Expr      { return []Expr{e.arg} }
func (e *isTest) with(kids []Expr) Expr { return &isTest{kids[0], e.test} }
func (e *isTest) String() string        { return parens(e.arg) + " IS " + testNames[e.test] }

func (e *isTest) vector(c *Context, b *stream.Batch) Vector {
	v := e.arg.vector(c, b)
	n := v.Array.Len()
	valid, out := stream.Validity(v.Array), stream.NewBitmap(n)
	if isRow(v.Type) {
		v.Array = stream.BoolColumn(n, rowNullTest(v, n, e.test), nil)
		v.Type = sql.TypeBool
		return v
	}
	var values stream.Bitmap
	if e.test >= TestTrue && e.test <= TestNotFalse {
		values = stream.Bools(v.Array)
	}
	for w := range stream.Words(n) {
		known, word := ^uint64(0), uint64(0)
		if valid != nil {
			known = valid.Word(w)
		}
		switch e.test &^ 1 {
		case TestTrue:
			word = values.Word(w) & known
		case TestFalse:
			word = ^values.Word(w) & known
		default: // NULL, UNKNOWN
			word = ^known
		}
		if e.test&1 != 0 {
			word = ^word
		}
		out.SetWord(w, word)
	}
	return Vector{Array: stream.BoolColumn(n, out, nil), Type: sql.TypeBool, Const: v.Const}
}

// rowNullTest is IS [NOT] NULL over rows.
func rowNullTest(v Vector, n int, test Test) stream.Bitmap {
	out := stream.NewBitmap(n)
	for i := range n {
		d := stream.Value(v.Array, v.Type, i)
		want := true
		if d == nil {
			want = test == TestNull
		} else {
			for _, f := range d.(sql.RowValue) {
				want = want && (f == nil) == (test == TestNull)
			}
		}
		out.SetTo(i, want)
	}
	return out
}

// distinct is `a IS [NOT] DISTINCT FROM b`, over the operator = between them.
type distinct struct {
	equal Expr // a = b
	a, b  Expr // its operands, coerced
	not   bool
}

// Distinct is `a IS DISTINCT FROM b`, or IS NOT DISTINCT FROM.
func Distinct(a, b Expr, isNot bool) (Expr, error) {
	equal, err := Operator("=", a, b)
	if err != nil {
		return nil, err
	}
	if n, ok := equal.(*call); ok {
		return &distinct{equal, n.args[0], n.args[1], isNot}, nil
	}
	// Rows written out: distinct in any field.
	x, y := a.(*rowCtor), b.(*rowCtor)
	parts := make([]Expr, len(x.fields))
	for i := range x.fields {
		if parts[i], err = Distinct(x.fields[i], y.fields[i], isNot); err != nil {
			return nil, err
		}
	}
	if isNot {
		return And(parts...)
	}
	return Or(parts...)
}

func (e *distinct) Type() sql.Type   { return sql.TypeBool }
func (e *distinct) children() []Expr { return []Expr{e.a, e.b} }
func (e *distinct) with(kids []Expr) Expr {
	return &distinct{e.equal.with(kids), kids[0], kids[1], e.not}
}

func (e *distinct) String() string {
	word := " IS DISTINCT FROM "
	if e.not {
		word = " IS NOT DISTINCT FROM "
	}
	return parens(e.a) + word + parens(e.b)
}

func (e *distinct) vector(c *Context, b *stream.Batch) Vector {
	eq := e.equal.vector(c, b)
	mark := c.mark()
	va, vb := e.a.vector(c, b), e.b.vector(c, b)
	c.errs = c.errs[:mark] // evaluated before, errors and all
	n := b.Rows
	isConst := va.Const && vb.Const
	if isConst {
		n = 1
	}
	values, known, aValid, bValid := eq.Bools(n), eq.Validity(n), va.Validity(n), vb.Validity(n)
	out := stream.NewBitmap(n)
	for i := range n {
		same := known.Get(i) && values.Get(i) || !aValid.Get(i) && !bValid.Get(i)
		out.SetTo(i, same == e.not)
	}
	return Vector{Array: stream.BoolColumn(n, out, nil), Type: sql.TypeBool, Const: isConst}
}

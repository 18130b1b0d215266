package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// In is `e [NOT] IN (list…)`. As in PostgreSQL, constants of one type are compared as an array, other
// items each by its own operator.
func In(e Expr, list []Expr, isNot bool) (Expr, error) {
	var plain, others []Expr
	for _, x := range list {
		if VolatilityOf(x) == Volatile || len(Columns(x)) > 0 || isRow(e.Type()) || isRow(x.Type()) {
			others = append(others, x)
		} else {
			plain = append(plain, x)
		}
	}
	op, all, join := "=", false, Or
	if isNot {
		op, all, join = "<>", true, And
	}
	var parts []Expr
	if t, ok := commonType(append(typesOf(plain), e.Type())); ok && len(plain) > 1 {
		items := make([]Expr, len(plain))
		for i, x := range plain {
			var err error
			if items[i], err = CastTo(x, t, Implicit); err != nil {
				return nil, err
			}
		}
		part, err := AnyAll(op, e, &arrayCtor{items, sql.ArrayOf(t)}, all)
		if err != nil {
			return nil, err
		}
		parts, list = append(parts, part), others
	}
	for _, x := range list {
		part, err := Operator(op, e, x)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return join(parts...)
}

// anyAll is `e op ANY (array)` or `e op ALL (array)`.
type anyAll struct {
	op         string
	arg, array Expr
	all        bool
	test       Expr // op over column 0 (the argument) and column 1 (an element)
}

// AnyAll is `e op ANY (array)`, or ALL.
func AnyAll(op string, e, arr Expr, all bool) (Expr, error) {
	t := arr.Type()
	if t.Kind == sql.Unknown {
		if e.Type().Kind == sql.Unknown {
			e, _ = CastTo(e, sql.TypeText, Implicit)
		}
		var err error
		if arr, err = CastTo(arr, sql.ArrayOf(withoutModifiers(e.Type())), Implicit); err != nil {
			return nil, err
		}
		t = arr.Type()
	}
	if !isList(t) {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "op ANY/ALL (array) requires array on right side")
	}
	elem := stream.ElemType(t)
	if e.Type().Kind == sql.Unknown {
		var err error
		if e, err = CastTo(e, withoutModifiers(elem), Implicit); err != nil {
			return nil, err
		}
	}
	test, err := Operator(op, Column(0, "", e.Type()), Column(1, "", elem))
	if err != nil {
		return nil, err
	}
	if test.Type().Kind != sql.Bool {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "op ANY/ALL (array) requires operator to yield boolean")
	}
	return &anyAll{op, e, arr, all, test}, nil
}

func (e *anyAll) Type() sql.Type   { return sql.TypeBool }
func (e *anyAll) children() []Expr { return []Expr{e.arg, e.array} }
func (e *anyAll) with(kids []Expr) Expr {
	return &anyAll{e.op, kids[0], kids[1], e.all, e.test}
}

func (e *anyAll) String() string {
	word := " ANY ("
	if e.all {
		word = " ALL ("
	}
	return parens(e.arg) + " " + e.op + word + e.array.String() + ")"
}

// vector tests every element of every row in one batch, then folds the outcomes. With a constant
// array it goes element by element instead, each a constant.
func (e *anyAll) vector(c *Context, b *stream.Batch) Vector {
	vs, n, isConst := evalAll(c, b, []Expr{e.arg, e.array})
	arg, arr := vs[0], vs[1]
	if arr.Const && !isConst {
		return e.overConstant(c, arg, arr, n)
	}
	offsets, elems := stream.ListValues(arr.Array)
	var argIdx, elemIdx, rowOf []int32
	for i := range n {
		j := i & arr.Mask()
		if arr.Array.IsNull(j) {
			continue
		}
		for k := offsets[j]; k < offsets[j+1]; k++ {
			argIdx = append(argIdx, int32(i&arg.Mask()))
			elemIdx, rowOf = append(elemIdx, k), append(rowOf, int32(i))
		}
	}
	if stream.TakeSize(arg.Array, argIdx) > c.limit(n) || stream.TakeSize(elems, elemIdx) > c.limit(n) {
		return c.outgrow(b.Rows, sql.TypeBool)
	}
	mark := c.mark()
	pairs := &stream.Batch{Rows: len(rowOf), Columns: []arrow.Array{stream.Take(arg.Array, argIdx), stream.Take(elems, elemIdx)}}
	outcome := e.test.vector(c, pairs)
	for i := range c.errs[mark:] {
		c.errs[mark+i].Row = int(rowOf[c.errs[mark+i].Row])
	}
	f := newFold(n, e.all)
	values, valid := outcome.Bools(pairs.Rows), outcome.Validity(pairs.Rows)
	for p, row := range rowOf {
		f.add(int(row), values.Get(p), valid.Get(p))
	}
	for i := range n {
		if arr.IsNull(i) {
			f.null.Set(i)
		}
	}
	if isConst {
		c.spread(mark, b.Rows)
	}
	return f.vector(n, isConst)
}

func (e *anyAll) overConstant(c *Context, arg, arr Vector, n int) Vector {
	f := newFold(n, e.all)
	if arr.IsNull(0) {
		return constant(nil, sql.TypeBool)
	}
	offsets, elems := stream.ListValues(arr.Array)
	for k := int(offsets[0]); k < int(offsets[1]); k++ {
		item := stream.Slice(elems, k, k+1)
		outcome := overItem(c, e.test, arg, item, n)
		values, valid := outcome.Bools(n), outcome.Validity(n)
		for w := range stream.Words(n) {
			known := ^uint64(0)
			if valid != nil {
				known = valid.Word(w)
			}
			hit := values.Word(w)
			if e.all {
				hit = ^hit
			}
			f.hit.SetWord(w, f.hit.Word(w)|hit&known)
			f.null.SetWord(w, f.null.Word(w)|^known)
		}
	}
	return f.vector(n, false)
}

// overItem runs the test with the element as a constant.
func overItem(c *Context, test Expr, arg Vector, item arrow.Array, n int) Vector {
	bound := Rewrite(test, func(x Expr) Expr {
		if i, ok := ColumnIndex(x); ok && i == 1 {
			return &literal{Vector{Array: item, Type: x.Type(), Const: true}}
		}
		return x
	})
	return bound.vector(c, &stream.Batch{Rows: n, Columns: []arrow.Array{arg.Array}})
}

// fold is ANY's OR or ALL's AND over the outcomes of a row's elements.
type fold struct {
	all       bool
	hit, null stream.Bitmap // an outcome that decides, an outcome that is NULL
}

func newFold(n int, all bool) *fold {
	return &fold{all, stream.NewBitmap(n), stream.NewBitmap(n)}
}

func (f *fold) add(row int, value, valid bool) {
	switch {
	case !valid:
		f.null.Set(row)
	case value != f.all:
		f.hit.Set(row)
	}
}

func (f *fold) vector(n int, isConst bool) Vector {
	valid := stream.NewBitmap(n)
	for w := range stream.Words(n) {
		hit := f.hit.Word(w)
		valid.SetWord(w, hit|^f.null.Word(w))
		if f.all {
			f.hit.SetWord(w, ^hit)
		}
	}
	return Vector{Array: stream.BoolColumn(n, f.hit, valid), Type: sql.TypeBool, Const: isConst}
}

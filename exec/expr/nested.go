package expr

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// arrayCtor is ARRAY[…].
type arrayCtor struct {
	elems []Expr
	typ   sql.Type
}

// ArrayCtor is ARRAY[es…]. The elements may be arrays. An empty one gets its type from a cast.
func ArrayCtor(es []Expr) (Expr, error) {
	if len(es) == 0 {
		return &arrayCtor{nil, sql.ArrayOf(sql.TypeUnknown)}, nil
	}
	elems, t, err := coerceAll("ARRAY", es)
	if err != nil {
		return nil, err
	}
	return &arrayCtor{elems, sql.ArrayOf(t)}, nil
}

// castArrayCtor casts the elements of an explicitly cast ARRAY[…], whose type need not be common.
func castArrayCtor(e *arrayCtor, t sql.Type, how CastContext) (Expr, error) {
	elems := make([]Expr, len(e.elems))
	for i, x := range e.elems {
		var err error
		if elems[i], err = CastTo(x, *t.Elem, how); err != nil {
			return nil, err
		}
	}
	return &arrayCtor{elems, t}, nil
}

func (e *arrayCtor) Type() sql.Type        { return e.typ }
func (e *arrayCtor) children() []Expr      { return e.elems }
func (e *arrayCtor) with(kids []Expr) Expr { return &arrayCtor{kids, e.typ} }
func (e *arrayCtor) String() string        { return "ARRAY[" + joined(e.elems) + "]" }

func (e *arrayCtor) vector(c *Context, b *stream.Batch) Vector {
	vs, n, isConst := evalAll(c, b, e.elems)
	width := len(vs)
	offsets := make([]int32, n+1)
	for i := range offsets {
		offsets[i] = int32(i * width)
	}
	elems := stream.NewBuilder(*e.typ.Elem).Finish()
	if !c.fit(n, vs...) {
		return c.outgrow(b.Rows, e.typ)
	}
	if width > 0 {
		choice := make([]int32, n*width) // element i*width+k is row i of vs[k]
		arrs, starts, total := make([]arrow.Array, width), make([]int32, width), int32(0)
		for k, v := range vs {
			arrs[k], starts[k] = v.Array, total
			total += int32(v.Array.Len())
		}
		for i := range choice {
			k := i % width
			choice[i] = starts[k] + int32((i/width)&vs[k].Mask())
		}
		elems = stream.Take(stream.Concat(arrs), choice)
	}
	return Vector{Array: stream.Lists(e.typ, offsets, elems, nil), Type: e.typ, Const: isConst}
}

// evalAll evaluates es; n is 1 if all are constant.
func evalAll(c *Context, b *stream.Batch, es []Expr) (vs []Vector, n int, isConst bool) {
	vs, n, isConst = make([]Vector, len(es)), 1, true
	for i, x := range es {
		vs[i] = x.vector(c, b)
		isConst = isConst && vs[i].Const
	}
	if !isConst {
		n = b.Rows
	}
	return vs, n, isConst
}

// rowCtor is ROW(…).
type rowCtor struct {
	fields []Expr
	typ    sql.Type
}

// RowCtor is ROW(es…). names may be nil: fields are then f1, f2 …
func RowCtor(es []Expr, names []string) Expr {
	e := &rowCtor{make([]Expr, len(es)), sql.Type{Kind: sql.Record}}
	for i, x := range es {
		name := fmt.Sprintf("f%d", i+1)
		if names != nil {
			name = names[i]
		}
		e.fields[i] = x
		e.typ.Fields = append(e.typ.Fields, sql.Field{Name: name, Type: x.Type()})
	}
	return e
}

func castRowCtor(e *rowCtor, t sql.Type, how CastContext) (Expr, error) {
	fields := make([]Expr, len(e.fields))
	for i, f := range e.fields {
		var err error
		if fields[i], err = CastTo(f, t.Fields[i].Type, how); err != nil {
			return nil, err
		}
	}
	return &rowCtor{fields, t}, nil
}

func (e *rowCtor) Type() sql.Type        { return e.typ }
func (e *rowCtor) children() []Expr      { return e.fields }
func (e *rowCtor) with(kids []Expr) Expr { return &rowCtor{kids, e.typ} }
func (e *rowCtor) String() string        { return "ROW(" + joined(e.fields) + ")" }

func (e *rowCtor) vector(c *Context, b *stream.Batch) Vector {
	vs, n, isConst := evalAll(c, b, e.fields)
	fields := make([]arrow.Array, len(vs))
	for i, v := range vs {
		fields[i] = c.column(v, n)
	}
	return Vector{Array: stream.Rows(e.typ, n, fields, nil), Type: e.typ, Const: isConst}
}

// rowComparison expands a comparison of two rows written out: = and <> field by field, the others
// by the first fields that differ. ok is false for anything else.
func rowComparison(op string, args []Expr) (e Expr, err error, ok bool) {
	if _, known := orderings[op]; !known || len(args) != 2 {
		return nil, nil, false
	}
	a, aOK := args[0].(*rowCtor)
	b, bOK := args[1].(*rowCtor)
	if !aOK || !bOK {
		return nil, nil, false
	}
	if len(a.fields) != len(b.fields) {
		return nil, sql.Errorf(sql.CodeSyntaxError, "unequal number of entries in row expressions"), true
	}
	if len(a.fields) == 0 {
		return nil, sql.Unsupported("comparison of rows of zero length", ""), true
	}
	e, err = compareFields(op, a.fields, b.fields)
	return e, err, true
}

func compareFields(op string, a, b []Expr) (Expr, error) {
	if len(a) == 1 {
		return Operator(op, a[0], b[0])
	}
	if op == "=" || op == "<>" {
		parts := make([]Expr, len(a))
		for i := range a {
			var err error
			if parts[i], err = Operator(op, a[i], b[i]); err != nil {
				return nil, err
			}
		}
		if op == "=" {
			return And(parts...)
		}
		return Or(parts...)
	}
	// (a, rest) < (b, rest'): a < b, or a = b and rest < rest'. NULL if the first fields that are
	// not equal have no order: then a = b is NULL too, and so is the whole.
	strict, err := Operator(op[:1], a[0], b[0])
	if err != nil {
		return nil, err
	}
	equal, err := Operator("=", a[0], b[0])
	if err != nil {
		return nil, err
	}
	rest, err := compareFields(op, a[1:], b[1:])
	if err != nil {
		return nil, err
	}
	return Case(nil, []When{{equal, rest}}, strict)
}

// subscript is array[index] or map[key].
type subscript struct {
	base, index Expr
	typ         sql.Type
}

// Subscript is base[index]: an element of an array, counted from 1 and NULL when there is none, a
// map's value, or a member of a jsonb.
func Subscript(base, index Expr) (Expr, error) {
	switch t := base.Type(); t.Kind {
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		index, err := CastTo(index, sql.TypeInt4, Assignment)
		if err != nil {
			return nil, sql.Errorf(sql.CodeDatatypeMismatch, "array subscript must have type integer")
		}
		return &subscript{base, index, stream.ElemType(t)}, nil
	case sql.Map:
		index, err := CastTo(index, *t.Key, Implicit)
		if err != nil {
			return nil, err
		}
		return &subscript{base, index, *t.Elem}, nil
	case sql.JSONB:
		if index.Type().Kind == sql.Unknown {
			index, _ = CastTo(index, sql.TypeText, Implicit)
		}
		return Operator("->", base, index)
	default:
		return nil, sql.Errorf(sql.CodeDatatypeMismatch, "cannot subscript type %s because it does not support subscripting", t.BaseName())
	}
}

func (e *subscript) Type() sql.Type        { return e.typ }
func (e *subscript) children() []Expr      { return []Expr{e.base, e.index} }
func (e *subscript) with(kids []Expr) Expr { return &subscript{kids[0], kids[1], e.typ} }
func (e *subscript) String() string        { return parens(e.base) + "[" + e.index.String() + "]" }

func (e *subscript) vector(c *Context, b *stream.Batch) Vector {
	base, mark := e.base.vector(c, b), c.mark()
	index := e.index.vector(c, b)
	c.keep(mark, func(row int) bool { return !base.IsNull(row) }) // of NULL, no index is computed
	n, isConst := b.Rows, base.Const && index.Const
	if isConst {
		n = 1
	}
	idx := make([]int32, n)
	offsets, elems := stream.ListValues(base.Array)
	if m, ok := base.Array.(*array.Map); ok {
		keys := m.Keys()
		for i := range idx {
			idx[i] = findKey(base, index, keys, offsets, i)
		}
		return e.take(c, b, m.Items(), idx, isConst)
	}
	at := stream.Values[int32](index.Array)
	first := int32(1)
	if base.Type.Kind != sql.Array {
		first = 0 // int2vector and oidvector count from 0
	}
	for i := range idx {
		j := i & base.Mask()
		k := at[i&index.Mask()] - first
		idx[i] = -1
		if !base.Array.IsNull(j) && !index.IsNull(i) && k >= 0 && k < offsets[j+1]-offsets[j] {
			idx[i] = offsets[j] + k
		}
	}
	return e.take(c, b, elems, idx, isConst)
}

// take takes the elements idx: of a constant, perhaps the same ones for every row.
func (e *subscript) take(c *Context, b *stream.Batch, elems arrow.Array, idx []int32, isConst bool) Vector {
	if stream.TakeSize(elems, idx) > c.limit(len(idx)) {
		return c.outgrow(b.Rows, e.typ)
	}
	return Vector{Array: stream.Take(elems, idx), Type: e.typ, Const: isConst}
}

// findKey is the position of row i's key among its map's entries, or -1.
func findKey(base, index Vector, keys arrow.Array, offsets []int32, i int) int32 {
	j := i & base.Mask()
	if base.Array.IsNull(j) || index.IsNull(i) {
		return -1
	}
	for k := offsets[j]; k < offsets[j+1]; k++ {
		if stream.CompareRows(keys, int(k), index.Array, i&index.Mask(), *base.Type.Key) == 0 {
			return k
		}
	}
	return -1
}

// field is row.name.
type field struct {
	row   Expr
	index int
}

// FieldAccess is the field of a row by name. Error: 42703.
func FieldAccess(row Expr, name string) (Expr, error) {
	t := row.Type()
	if !isRow(t) {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "column notation .%s applied to type %s, which is not a composite type", name, t.BaseName())
	}
	for i, f := range t.Fields {
		if f.Name == name {
			return &field{row, i}, nil
		}
	}
	return nil, sql.Errorf(sql.CodeUndefinedColumn, "column %q not found in data type %s", name, t.BaseName())
}

func (e *field) Type() sql.Type        { return e.row.Type().Fields[e.index].Type }
func (e *field) children() []Expr      { return []Expr{e.row} }
func (e *field) with(kids []Expr) Expr { return &field{kids[0], e.index} }

func (e *field) String() string {
	return "(" + e.row.String() + ")." + sql.QuoteIdent(e.row.Type().Fields[e.index].Name)
}

func (e *field) vector(c *Context, b *stream.Batch) Vector {
	v := e.row.vector(c, b)
	s := v.Array.(*array.Struct)
	out := s.Field(e.index)
	if s.NullN() > 0 { // a NULL row's fields are NULL
		idx := make([]int32, s.Len())
		for i := range idx {
			idx[i] = int32(i)
			if s.IsNull(i) {
				idx[i] = -1
			}
		}
		out = stream.Take(out, idx)
	}
	return Vector{Array: out, Type: e.Type(), Const: v.Const}
}

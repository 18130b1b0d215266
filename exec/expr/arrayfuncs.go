package expr

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// arrayFunctions are functions and operators over arrays, whose elements are Datums here.
func arrayFunctions() []Function {
	int4, text, boolean := sql.TypeInt4, sql.TypeText, sql.TypeBool
	arr, elem := AnyCompatibleArray, AnyCompatible
	return []Function{
		{Name: "array_length", Args: types(AnyArray, int4), Result: int4, Kernel: RowN(arrayLength)},
		{Name: "array_upper", Args: types(AnyArray, int4), Result: int4, Kernel: RowN(arrayLength)},
		{Name: "array_lower", Args: types(AnyArray, int4), Result: int4, Kernel: RowN(arrayLower)},
		{Name: "array_ndims", Args: types(AnyArray), Result: int4, Kernel: RowN(arrayNdims)},
		{Name: "cardinality", Args: types(AnyArray), Result: int4, Kernel: RowN(cardinality)},
		{Name: "array_append", Args: types(arr, elem), Result: arr, CalledOnNull: true, Kernel: RowN(arrayAppend)},
		{Name: "array_prepend", Args: types(elem, arr), Result: arr, CalledOnNull: true, Kernel: RowN(arrayPrepend)},
		{Name: "array_cat", Args: types(arr, arr), Result: arr, CalledOnNull: true, Kernel: RowN(arrayCat)},
		{Name: "||", Args: types(arr, arr), Result: arr, CalledOnNull: true, Kernel: RowN(arrayCat)},
		{Name: "||", Args: types(arr, elem), Result: arr, CalledOnNull: true, Kernel: RowN(arrayAppend)},
		{Name: "||", Args: types(elem, arr), Result: arr, CalledOnNull: true, Kernel: RowN(arrayPrepend)},
		{Name: "array_position", Args: types(arr, elem), Result: int4, CalledOnNull: true, Kernel: RowN(arrayPosition)},
		{Name: "array_position", Args: types(arr, elem, int4), Result: int4, CalledOnNull: true, Kernel: RowN(arrayPosition)},
		{Name: "array_positions", Args: types(arr, elem), Result: sql.ArrayOf(int4), CalledOnNull: true, Kernel: RowN(arrayPositions)},
		{Name: "array_remove", Args: types(arr, elem), Result: arr, CalledOnNull: true, Kernel: RowN(arrayRemove)},
		{Name: "array_replace", Args: types(arr, elem, elem), Result: arr, CalledOnNull: true, Kernel: RowN(arrayReplace)},
		{Name: "trim_array", Args: types(AnyArray, int4), Result: AnyArray, Kernel: RowN(trimArray)},
		{Name: "array_to_string", Args: types(AnyArray, text), Result: text, Volatility: Stable, Kernel: RowN(arrayToString)},
		{Name: "array_to_string", Args: types(AnyArray, text, text), Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(arrayToString)},
		{Name: "@>", Args: types(AnyArray, AnyArray), Result: boolean, Kernel: RowN(func(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
			return arrayContains(elementType(in.Args[0].Type), args[0], args[1]), nil
		})},
		{Name: "<@", Args: types(AnyArray, AnyArray), Result: boolean, Kernel: RowN(func(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
			return arrayContains(elementType(in.Args[0].Type), args[1], args[0]), nil
		})},
		{Name: "&&", Args: types(AnyArray, AnyArray), Result: boolean, Kernel: RowN(arrayOverlaps)},
	}
}

// dimension is the array's length in a dimension, counted from 1; 0 = it has none.
func dimension(d sql.Datum, n int64) int {
	for {
		a, ok := d.([]sql.Datum)
		if !ok || len(a) == 0 || n < 1 {
			return 0
		}
		if n == 1 {
			return len(a)
		}
		d = a[0]
		n--
	}
}

func arrayLength(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	if n := dimension(args[0], args[1].(int64)); n > 0 {
		return int64(n), nil
	}
	return nil, nil
}

func arrayLower(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if dimension(args[0], args[1].(int64)) == 0 {
		return nil, nil
	}
	if in.Args[0].Type.Kind != sql.Array { // the vectors of pg_catalog start at 0
		return int64(0), nil
	}
	return int64(1), nil
}

func arrayNdims(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	n := int64(0)
	for dimension(args[0], n+1) > 0 {
		n++
	}
	if n == 0 {
		return nil, nil
	}
	return n, nil
}

func cardinality(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	return countElements(in.Args[0].Type, args[0].([]sql.Datum)), nil
}

func countElements(t sql.Type, a []sql.Datum) int64 {
	if t.Kind != sql.Array || t.Elem.Kind != sql.Array {
		return int64(len(a))
	}
	n := int64(0)
	for _, e := range a {
		if inner, ok := e.([]sql.Datum); ok {
			n += countElements(*t.Elem, inner)
		}
	}
	return n
}

func elements(d sql.Datum) []sql.Datum {
	a, _ := d.([]sql.Datum)
	return a
}

func arrayAppend(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	return append(slices.Clip(elements(args[0])), args[1]), nil
}

func arrayPrepend(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	return append([]sql.Datum{args[0]}, elements(args[1])...), nil
}

// arrayCat takes a NULL for an empty array, but two for NULL.
func arrayCat(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil && args[1] == nil {
		return nil, nil
	}
	return append(append([]sql.Datum{}, elements(args[0])...), elements(args[1])...), nil
}

func arrayPosition(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	from := int64(1)
	if len(args) > 2 {
		if args[2] == nil {
			if a := elements(args[0]); len(a) == 0 || args[1] == nil && !slices.Contains(a, nil) {
				return nil, nil // it is not looked at then
			}
			return nil, sql.Errorf("22004", "initial position must not be null")
		}
		from = max(args[2].(int64), 1)
	}
	t := elementType(in.Args[0].Type)
	for i, e := range elements(args[0]) {
		if int64(i+1) >= from && sql.CompareDatum(t, e, args[1]) == 0 {
			return int64(i + 1), nil
		}
	}
	return nil, nil
}

func arrayPositions(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	out, t := []sql.Datum{}, elementType(in.Args[0].Type)
	for i, e := range elements(args[0]) {
		if sql.CompareDatum(t, e, args[1]) == 0 {
			out = append(out, int64(i+1))
		}
	}
	return out, nil
}

func arrayRemove(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	t := elementType(in.Args[0].Type)
	return slices.DeleteFunc(slices.Clone(elements(args[0])), func(e sql.Datum) bool {
		return sql.CompareDatum(t, e, args[1]) == 0
	}), nil
}

func arrayReplace(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	out, t := slices.Clone(elements(args[0])), elementType(in.Args[0].Type)
	for i, e := range out {
		if sql.CompareDatum(t, e, args[1]) == 0 {
			out[i] = args[2]
		}
	}
	return out, nil
}

func trimArray(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	a, n := elements(args[0]), args[1].(int64)
	if n < 0 || n > int64(len(a)) {
		return nil, sql.Errorf("2202E", "number of elements to trim must be between 0 and %d", len(a))
	}
	return a[:int64(len(a))-n], nil
}

// arrayToString joins the elements; NULLs are left out, or stand as the third argument.
func arrayToString(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil || args[1] == nil {
		return nil, nil
	}
	null, showNull := "", false
	if len(args) > 2 {
		null, showNull = args[2].(string)
	}
	var parts []string
	var walk func(t sql.Type, a []sql.Datum)
	walk = func(t sql.Type, a []sql.Datum) {
		for _, e := range a {
			if inner, ok := e.([]sql.Datum); ok {
				walk(elementType(t), inner)
			} else if e != nil {
				parts = append(parts, outputText(c, elementType(t), e))
			} else if showNull {
				parts = append(parts, null)
			}
		}
	}
	walk(in.Args[0].Type, elements(args[0]))
	return strings.Join(parts, args[1].(string)), nil
}

// arrayContains tells whether every element of b is in a; a NULL is in nothing.
func arrayContains(t sql.Type, a, b sql.Datum) bool {
	for _, e := range elements(b) {
		if e == nil || !hasElement(t, elements(a), e) {
			return false
		}
	}
	return true
}

func hasElement(t sql.Type, a []sql.Datum, e sql.Datum) bool {
	for _, x := range a {
		if x != nil && sql.CompareDatum(t, x, e) == 0 {
			return true
		}
	}
	return false
}

func arrayOverlaps(_ *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	t := elementType(in.Args[0].Type)
	for _, e := range elements(args[0]) {
		if e != nil && hasElement(t, elements(args[1]), e) {
			return true, nil
		}
	}
	return false, nil
}

package stream

import (
	"bytes"
	"cmp"
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/sql"
)

// CompareRows orders row i of column a against row j of column b, both of type t, as
// sql.CompareDatum does: NULL is equal to NULL and above everything else.
func CompareRows(a arrow.Array, i int, b arrow.Array, j int, t sql.Type) int {
	if an, bn := a.IsNull(i), b.IsNull(j); an || bn {
		switch {
		case an && bn:
			return 0
		case an:
			return 1
		}
		return -1
	}
	switch t.Kind {
	case sql.Bool:
		x, y := a.(*array.Boolean).Value(i), b.(*array.Boolean).Value(j)
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	case sql.Int2:
		return cmp.Compare(a.(*array.Int16).Value(i), b.(*array.Int16).Value(j))
	case sql.Int4:
		return cmp.Compare(a.(*array.Int32).Value(i), b.(*array.Int32).Value(j))
	case sql.Int8, sql.OID, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		return cmp.Compare(a.(*array.Int64).Value(i), b.(*array.Int64).Value(j))
	case sql.Float4:
		return sql.CompareFloat(a.(*array.Float32).Value(i), b.(*array.Float32).Value(j))
	case sql.Float8:
		return sql.CompareFloat(a.(*array.Float64).Value(i), b.(*array.Float64).Value(j))
	case sql.Numeric:
		return compareNumerics(a, i, b, j, t)
	case sql.Char:
		return cmp.Compare(sql.TrimChar(a.(*array.String).Value(i)), sql.TrimChar(b.(*array.String).Value(j)))
	case sql.Bytea:
		return bytes.Compare(a.(*array.Binary).Value(i), b.(*array.Binary).Value(j))
	case sql.Date:
		return cmp.Compare(a.(*array.Date32).Value(i), b.(*array.Date32).Value(j))
	case sql.Time:
		return cmp.Compare(a.(*array.Time64).Value(i), b.(*array.Time64).Value(j))
	case sql.Timestamp, sql.Timestamptz:
		return cmp.Compare(a.(*array.Timestamp).Value(i), b.(*array.Timestamp).Value(j))
	case sql.Interval:
		return Values[sql.IntervalValue](a)[i].Compare(Values[sql.IntervalValue](b)[j])
	case sql.UUID:
		return bytes.Compare(a.(*array.FixedSizeBinary).Value(i), b.(*array.FixedSizeBinary).Value(j))
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return compareLists(a, i, b, j, ElemType(t))
	case sql.Row, sql.Record:
		x, y := a.(*array.Struct), b.(*array.Struct)
		for k, f := range t.Fields {
			if c := CompareRows(x.Field(k), i, y.Field(k), j, f.Type); c != 0 {
				return c
			}
		}
		return 0
	case sql.JSONB, sql.Map:
		return sql.CompareDatum(t, Value(a, t, i), Value(b, t, j))
	}
	return strings.Compare(a.(*array.String).Value(i), b.(*array.String).Value(j))
}

func compareNumerics(a arrow.Array, i int, b arrow.Array, j int, t sql.Type) int {
	switch a := a.(type) {
	case *array.Decimal64:
		return cmp.Compare(a.Value(i), b.(*array.Decimal64).Value(j))
	case *array.Decimal128:
		return a.Value(i).Cmp(b.(*array.Decimal128).Value(j))
	}
	var x, y sql.Decimal
	DecimalAt(a, t, i, &x)
	DecimalAt(b, t, j, &y)
	return sql.CompareNumeric(&x, &y)
}

func compareLists(a arrow.Array, i int, b arrow.Array, j int, elem sql.Type) int {
	ao, ae := ListValues(a)
	bo, be := ListValues(b)
	an, bn := int(ao[i+1]-ao[i]), int(bo[j+1]-bo[j])
	for k := range min(an, bn) {
		if c := CompareRows(ae, int(ao[i])+k, be, int(bo[j])+k, elem); c != 0 {
			return c
		}
	}
	return cmp.Compare(an, bn)
}

// Identical tells whether row i of column a and row j of column b, both of type t, are shown alike.
// Equal values need not be: 1.0 and 1.00, '1 day' and '24 hours', 0 and -0.
func Identical(a arrow.Array, i int, b arrow.Array, j int, t sql.Type) bool {
	if an, bn := a.IsNull(i), b.IsNull(j); an || bn {
		return an && bn
	}
	switch t.Kind {
	case sql.Float4:
		return math.Float32bits(Values[float32](a)[i]) == math.Float32bits(Values[float32](b)[j])
	case sql.Float8:
		return math.Float64bits(Values[float64](a)[i]) == math.Float64bits(Values[float64](b)[j])
	case sql.Interval:
		return Values[sql.IntervalValue](a)[i] == Values[sql.IntervalValue](b)[j]
	case sql.JSONB, sql.Char:
		return a.(*array.String).Value(i) == b.(*array.String).Value(j)
	case sql.Numeric:
		if x, ok := a.(*array.Binary); ok {
			return bytes.Equal(x.Value(i), b.(*array.Binary).Value(j))
		}
	case sql.Array:
		return identicalLists(a, i, b, j, func(ae, be arrow.Array, i, j int) bool {
			return Identical(ae, i, be, j, *t.Elem)
		})
	case sql.Map:
		return identicalLists(a, i, b, j, func(ae, be arrow.Array, i, j int) bool {
			x, y := ae.(*array.Struct), be.(*array.Struct)
			return Identical(x.Field(0), i, y.Field(0), j, *t.Key) && Identical(x.Field(1), i, y.Field(1), j, *t.Elem)
		})
	case sql.Row, sql.Record:
		x, y := a.(*array.Struct), b.(*array.Struct)
		for k, f := range t.Fields {
			if !Identical(x.Field(k), i, y.Field(k), j, f.Type) {
				return false
			}
		}
		return true
	}
	return CompareRows(a, i, b, j, t) == 0
}

func identicalLists(a arrow.Array, i int, b arrow.Array, j int, identical func(ae, be arrow.Array, i, j int) bool) bool {
	ao, ae := ListValues(a)
	bo, be := ListValues(b)
	n := ao[i+1] - ao[i]
	if n != bo[j+1]-bo[j] {
		return false
	}
	for k := range n {
		if !identical(ae, be, int(ao[i]+k), int(bo[j]+k)) {
			return false
		}
	}
	return true
}

package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Vector is the value of an expression over a batch: a column of the batch's length or, if Const, a
// single value that holds for all rows.
type Vector struct {
	Array arrow.Array
	Type  sql.Type
	Const bool
}

// Mask is what a row number is masked with to index the vector: all ones, or 0 for a constant.
func (v Vector) Mask() int {
	if v.Const {
		return 0
	}
	return -1
}

// IsNull tells whether row i is NULL.
func (v Vector) IsNull(i int) bool { return v.Array.IsNull(i & v.Mask()) }

// Datum is the value of row i; nil is NULL.
func (v Vector) Datum(i int) sql.Datum { return stream.Value(v.Array, v.Type, i&v.Mask()) }

// isNullConst tells whether v is NULL in all rows because it is constant.
func (v Vector) isNullConst() bool { return v.Const && v.Array.IsNull(0) }

// Validity is the vector's validity over n rows: nil when no row is NULL.
func (v Vector) Validity(n int) stream.Bitmap {
	if !v.Const {
		return stream.Validity(v.Array)
	}
	if v.Array.IsNull(0) {
		return stream.NewBitmap(n)
	}
	return nil
}

// Bools is the values of a boolean vector over n rows.
func (v Vector) Bools(n int) stream.Bitmap {
	if !v.Const {
		return stream.Bools(v.Array)
	}
	if stream.Bools(v.Array).Get(0) {
		return stream.FullBitmap(n)
	}
	return stream.NewBitmap(n)
}

// constant makes the vector that holds d in every row.
func constant(d sql.Datum, t sql.Type) Vector {
	b := stream.NewBuilder(t)
	b.Append(d)
	return Vector{Array: b.Finish(), Type: t, Const: true}
}

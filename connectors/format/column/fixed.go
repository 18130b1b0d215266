package column

import (
	"math/big"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Fixed is a column of a fixed-width type with values of T, as stream.Fixed lays them out.
type Fixed[T any] struct {
	Type   sql.Type
	values []T
	valid  validity
	rows   room
	from   func(sql.Datum) T
}

// NewFixed makes a column of t whose datums are converted by from.
func NewFixed[T any](t sql.Type, from func(sql.Datum) T) *Fixed[T] {
	return &Fixed[T]{Type: t, from: from}
}

// Push appends a value.
func (c *Fixed[T]) Push(v T) { c.values = append(c.values, v) }

func (c *Fixed[T]) Len() int { return len(c.values) }

func (c *Fixed[T]) Null() {
	c.valid.null(len(c.values))
	var zero T
	c.values = append(c.values, zero)
}

func (c *Fixed[T]) Append(d sql.Datum) error {
	if d == nil {
		c.Null()
		return nil
	}
	c.values = append(c.values, c.from(d))
	return nil
}

func (c *Fixed[T]) Truncate(n int) {
	c.valid.truncate(n, len(c.values))
	c.values = c.values[:n]
}

func (c *Fixed[T]) Finish() arrow.Array {
	n := len(c.values)
	arr := stream.Fixed(c.Type, c.values, c.valid.finish(n))
	c.values = make([]T, 0, c.rows.after(n, mostRows))
	return arr
}

// unscaled is the integer d·10^scale of a finite decimal that has at most scale fractional digits.
func unscaled(d sql.Datum, scale int32) *big.Int {
	dec := d.(*sql.Decimal)
	n := dec.Coeff.MathBigInt()
	if dec.Negative {
		n.Neg(n)
	}
	shift := big.NewInt(int64(scale + dec.Exponent))
	return n.Mul(n, shift.Exp(big.NewInt(10), shift, nil))
}

// Bool is a boolean column.
type Bool struct {
	values stream.Bitmap // clear past the last row
	rows   int
	valid  validity
}

// NewBool makes a boolean column.
func NewBool() *Bool { return &Bool{} }

// Push appends a value.
func (c *Bool) Push(v bool) {
	if c.rows == len(c.values)*8 {
		c.values = append(c.values, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	if v {
		c.values.Set(c.rows)
	}
	c.rows++
}

func (c *Bool) Len() int { return c.rows }

func (c *Bool) Null() {
	c.valid.null(c.rows)
	c.Push(false)
}

func (c *Bool) Append(d sql.Datum) error {
	if d == nil {
		c.Null()
	} else {
		c.Push(d.(bool))
	}
	return nil
}

func (c *Bool) Truncate(n int) {
	c.valid.truncate(n, c.rows)
	for i := n; i < c.rows; i++ {
		c.values.Clear(i)
	}
	c.rows = n
}

func (c *Bool) Finish() arrow.Array {
	arr := stream.BoolColumn(c.rows, c.values, c.valid.finish(c.rows))
	c.values, c.rows = make(stream.Bitmap, 0, stream.Words(c.rows)*8), 0
	return arr
}

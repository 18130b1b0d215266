package expr

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// A column has room for so much text, and no more: its offsets have 32 bits. Small rows can make any
// amount (repeat), so whatever builds text asks for room, and fails the rows that find none.
//
// Which rows of a batch those are depends on the rows before them. That must not decide a row's fate:
// its delete comes in another batch. So an operator looks whether the batch is Outgrown, and if so
// computes it again in parts. What is too large for a row alone, is so always.

// maxValue is how many bytes of text a value may have, as PostgreSQL's 1 GB. Two of them fit a column:
// the rows of an update, which stay together. It is a variable for tests.
var maxValue = 1<<30 - 1

var (
	errValueTooLarge = sql.Errorf("54000", "a value of more than %d bytes is too large", maxValue)
	errOutgrown      = sql.Errorf("54000", "the values of a batch of rows are too large for a column")
)

// begin is called before expressions are evaluated over so many rows.
func (c *Context) begin(rows int) {
	if c.most = c.Most; rows <= 2 {
		c.most = 0
	}
}

// limit is how many bytes of text a column of so many rows may have. A value that is one for all rows is
// not to blame for their number.
func (c *Context) limit(rows int) int {
	if rows == 1 || c.most == 0 {
		return stream.MaxBytes
	}
	return c.most
}

// room is below what size refuses: up to so many bytes, a column of so many rows needn't ask.
func (c *Context) room(rows int) int { return min(c.limit(rows), maxValue) }

// size checks the size of a column whose last value has so many bytes.
func (c *Context) size(rows, total, value int) error {
	if value > maxValue {
		return errValueTooLarge
	}
	if total > c.limit(rows) {
		return errOutgrown
	}
	return nil
}

// refuse fails row i. When the column is full, it fails all the rows to come too, to spare the work.
func (in *Input) refuse(c *Context, i int, err error) {
	in.Fail(c, i, err)
	if err != errOutgrown {
		return
	}
	for i++; i < in.Rows; i++ {
		if in.Valid.Get(i) {
			in.Fail(c, i, err)
		}
	}
}

// Outgrown tells whether the results of the last evaluation found no room. A row that failed for this
// may do better in a smaller batch.
func (c *Context) Outgrown() bool {
	return slices.ContainsFunc(c.errs, func(e RowError) bool { return e.Err == errOutgrown })
}

// outgrow fails all rows, and is what to return instead of a column.
func (c *Context) outgrow(rows int, t sql.Type) Vector {
	for i := range rows {
		c.Fail(i, errOutgrown)
	}
	return constant(nil, t)
}

// fit tells whether so many rows of each of the vectors have room in one column.
func (c *Context) fit(rows int, vs ...Vector) bool {
	total := 0
	for _, v := range vs {
		size := stream.Size(v.Array)
		if v.Const {
			size *= rows
		}
		total += size
	}
	return total <= c.limit(rows)
}

// column is v as a column of n rows.
func (c *Context) column(v Vector, n int) arrow.Array {
	if !v.Const || n == 1 {
		return v.Array
	}
	if !c.fit(n, v) {
		v = c.outgrow(n, v.Type)
	}
	return stream.Take(v.Array, make([]int32, n))
}

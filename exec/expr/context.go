package expr

import (
	"slices"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// Context is what evaluation depends on besides the batch, and where its row errors go. A Context
// belongs to one goroutine.
type Context struct {
	Now      sql.TimestampValue // now(): the transaction's, or the job's epoch's
	Location *time.Location     // the session's time zone; nil = UTC
	Session  Session            // nil when there is none, as in a job
	// Most is how many bytes of text a column may have before its batch is Outgrown: for an operator that
	// can compute a batch in parts, down to two rows. 0 = as many as its offsets can tell.
	Most int

	most int // Most for the batch at hand
	errs []RowError
}

// Session answers the functions that ask about the session or the catalog.
type Session interface {
	// Setting is a configuration parameter's value, for current_setting.
	Setting(name string) (value string, ok bool)
	User() string     // current_user
	Database() string // current_database()
	Schema() string   // current_schema; "" = none
	// CatalogFunction computes a function over the catalog, such as pg_get_viewdef or to_regclass.
	CatalogFunction(name string, args []sql.Datum) (sql.Datum, error)
}

// RowError is the error of one row of the batch last evaluated.
type RowError struct {
	Row int
	Err *sql.Error
}

// Fail records the error of a row, whose value then is NULL.
func (c *Context) Fail(row int, err *sql.Error) {
	c.errs = append(c.errs, RowError{row, err})
}

// Failed tells whether any row has an error.
func (c *Context) Failed() bool { return len(c.errs) > 0 }

// Take returns the first error of each row that has one, in row order, and forgets them all. An
// operator that evaluates several expressions over a batch calls it once, afterwards. The result is
// valid until the next evaluation.
func (c *Context) Take() []RowError {
	errs := c.errs
	slices.SortStableFunc(errs, func(a, b RowError) int { return a.Row - b.Row })
	errs = slices.CompactFunc(errs, func(a, b RowError) bool { return a.Row == b.Row })
	c.errs = c.errs[:0]
	return errs
}

// TakeFirst returns the error of the first row that has one, or nil, and forgets them all.
func (c *Context) TakeFirst() error {
	if errs := c.Take(); len(errs) > 0 {
		return errs[0].Err
	}
	return nil
}

// mark is a point to which keep refers: the errors recorded so far.
func (c *Context) mark() int { return len(c.errs) }

// keep drops the errors recorded since mark of rows for which reached is false.
func (c *Context) keep(mark int, reached func(row int) bool) {
	if len(c.errs) > mark {
		c.errs = append(c.errs[:mark], slices.DeleteFunc(c.errs[mark:], func(e RowError) bool { return !reached(e.Row) })...)
	}
}

// spread turns the error of a constant, recorded since mark for row 0, into that of each of n rows.
func (c *Context) spread(mark, n int) {
	if len(c.errs) == mark {
		return
	}
	err := c.errs[mark].Err
	c.errs = c.errs[:mark]
	for i := range n {
		c.Fail(i, err)
	}
}

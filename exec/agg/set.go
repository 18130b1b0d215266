package agg

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Accumulator holds one aggregate's state for many groups, in columns indexed by group id. A group
// that nothing was added to is empty.
type Accumulator interface {
	// Grow makes room for the groups below n; new ones are empty. It never shrinks.
	Grow(n int)
	// Reset empties all groups and keeps the memory.
	Reset()
	// Add folds rows in: row i goes to group ids[i].
	Add(ids []uint32, in *Rows)
	// Merge adds group src[i] of from, an accumulator of the same make, to group dst[i].
	Merge(dst []uint32, from Accumulator, src []uint32)
	// PartialTypes are the types of the columns of Partial.
	PartialTypes() []sql.Type
	// Partial gives the groups' whole state as columns, which Load reads back.
	Partial(ids []uint32) []arrow.Array
	// Load sets groups 0 to n-1 to the rows of partial columns, whatever they were.
	Load(cols []arrow.Array, n int)
	// Result is the result'th value of the groups: one accumulator may serve sum and avg. A group
	// that has none, as its type can't hold it, is told of by its place in ids; what the column
	// holds there means nothing. An error is of the state itself.
	Result(result int, ids []uint32, failed failFunc) (arrow.Array, error)
	// Bytes estimates the memory held.
	Bytes() int64
}

// failFunc is told that the group at a place has no result.
type failFunc func(at int, err *sql.Error)

// Failed is a group without a result: its place among those asked for, and why.
type Failed struct {
	At   int
	Call int // the first call that failed
	Err  *sql.Error
}

// Rows is what an Accumulator adds.
type Rows struct {
	Args []arrow.Array
	Ops  []int8        // nil = all inserts
	Mask stream.Bitmap // the rows that count; nil = all. Functions that ignore NULLs never see them
}

// each calls fn for each row that counts, with the sign of its operation. It is for accumulators
// that do more work for a row than a call costs; the others loop over the columns themselves.
func (r *Rows) each(n int, fn func(i int, sign int64)) {
	for i := range n {
		if r.Mask.Get(i) {
			sign := int64(1)
			if r.Ops != nil {
				sign = int64(r.Ops[i])
			}
			fn(i, sign)
		}
	}
}

// plain tells whether every row counts, and adds.
func (r *Rows) plain() bool { return r.Ops == nil && r.Mask == nil }

// Set is the accumulators of a GROUP BY's calls. Calls over the same values share one. The first
// accumulator counts the group's rows, whatever the calls.
type Set struct {
	accs  []Accumulator
	kept  []*values // those of accs that keep values
	feeds []feed
	calls []ref
	in    Rows
}

// feed is where an accumulator's rows come from.
type feed struct {
	args     []int
	filter   int
	distinct int  // index of the Deduplicated mask, -1 = none
	nulls    bool // rows whose first argument is NULL count
}

// ref is where a call's result comes from.
type ref struct{ acc, result int }

// NewSet makes the accumulators of the calls over columns of these types; retract tells that rows
// may be deletes.
func NewSet(calls []Call, types []sql.Type, retract bool) *Set {
	s := &Set{accs: []Accumulator{&counts{}}, feeds: []feed{{filter: -1, distinct: -1}}}
	seen := map[string]int{"count []/-1/-1": 0}
	distinct := 0
	for _, c := range calls {
		f := feed{args: c.Args, filter: c.Filter, distinct: -1, nulls: c.CountsNulls()}
		if c.Distinct {
			f.distinct = distinct
			distinct++
		}
		key := fmt.Sprintf("%s %v/%d/%d", c.Func.share, c.Args, c.Filter, f.distinct)
		i, ok := seen[key]
		if !ok || c.Func.order {
			i = len(s.accs)
			a := c.Func.make(makeArgs{call: c, types: types, retract: retract})
			if v, ok := a.(*values); ok {
				s.kept = append(s.kept, v)
			}
			s.accs = append(s.accs, a)
			for _, o := range c.OrderBy {
				f.args = append(f.args[:len(f.args):len(f.args)], o.Column)
			}
			s.feeds = append(s.feeds, f)
			seen[key] = i
		}
		s.calls = append(s.calls, ref{i, c.Func.result})
	}
	return s
}

// Kept is how many accumulators keep values.
func (s *Set) Kept() int { return len(s.kept) }

// SetCells lets groups be large. home is what the cells begin with that the k-th of the accumulators
// that keep values has for a group; nil for a set that is only loaded.
func (s *Set) SetCells(c *Cells, home func(k int, id uint32) []byte) {
	for k, v := range s.kept {
		v.cells, v.home = c, func(id uint32) []byte { return home(k, id) }
	}
}

// Stage writes the values of large groups that changed in the epoch; what else there is of the groups
// is in Partial.
func (s *Set) Stage(ids []uint32) error {
	for _, v := range s.kept {
		if err := v.stage(ids); err != nil {
			return err
		}
	}
	return nil
}

// Pending is how many cells Stage would write for all groups.
func (s *Set) Pending() (n int) {
	for _, v := range s.kept {
		n += v.pending
	}
	return n
}

// Grow makes room for the groups below n.
func (s *Set) Grow(n int) {
	for _, a := range s.accs {
		a.Grow(n)
	}
}

// Reset empties all groups.
func (s *Set) Reset() {
	for _, a := range s.accs {
		a.Reset()
	}
}

// Add folds a batch: row i goes to group ids[i]. first[k] is the mask of the rows by which the k-th
// DISTINCT call changes; nil when there are no such calls.
func (s *Set) Add(ids []uint32, b *stream.Batch, first []stream.Bitmap) {
	for i, a := range s.accs {
		f := &s.feeds[i]
		s.in = Rows{Args: s.in.Args[:0], Ops: b.Ops}
		for _, c := range f.args {
			s.in.Args = append(s.in.Args, b.Columns[c])
		}
		s.in.Mask = Mask(b, f.filter)
		if len(f.args) > 0 && !f.nulls {
			s.in.Mask = stream.And(b.Rows, s.in.Mask, stream.Validity(s.in.Args[0]))
		}
		if f.distinct >= 0 {
			s.in.Mask = stream.And(b.Rows, s.in.Mask, first[f.distinct])
		}
		a.Add(ids, &s.in)
	}
}

// Mask is the rows for which the boolean column is true; nil, which is all, for column -1.
func Mask(b *stream.Batch, column int) stream.Bitmap {
	if column < 0 {
		return nil
	}
	col := b.Columns[column]
	return stream.And(b.Rows, stream.Bools(col), stream.Validity(col))
}

// Merge adds group src[i] of from to group dst[i].
func (s *Set) Merge(dst []uint32, from *Set, src []uint32) {
	for i, a := range s.accs {
		a.Merge(dst, from.accs[i], src)
	}
}

// PartialTypes are the types of the columns of Partial.
func (s *Set) PartialTypes() []sql.Type {
	var ts []sql.Type
	for _, a := range s.accs {
		ts = append(ts, a.PartialTypes()...)
	}
	return ts
}

// Partial is the groups' states, one row each.
func (s *Set) Partial(ids []uint32) []arrow.Array {
	var cols []arrow.Array
	for _, a := range s.accs {
		cols = append(cols, a.Partial(ids)...)
	}
	return cols
}

// texts is an accumulator that keeps values of any length.
type texts interface {
	// groupSize is about how many bytes a group has in Partial, or as its Result.
	groupSize(id uint32) int
}

// Fit is how many of the groups, from the first on, Partial or Results can be asked for at once: what
// they keep has to fit a column. It is one at least.
func (s *Set) Fit(ids []uint32, most int) int {
	n := len(ids)
	for _, a := range s.accs {
		if t, ok := a.(texts); ok && a.Bytes() > int64(most) {
			n = fit(ids[:n], most, t.groupSize)
		}
	}
	return n
}

func fit(ids []uint32, most int, size func(id uint32) int) int {
	total := 0
	for i, id := range ids {
		if total += size(id); total > most && i > 0 {
			return i
		}
	}
	return len(ids)
}

// Load sets groups 0 to n-1 to rows of Partial.
func (s *Set) Load(cols []arrow.Array, n int) {
	s.Grow(n)
	for _, a := range s.accs {
		k := len(a.PartialTypes())
		a.Load(cols[:k], n)
		cols = cols[k:]
	}
}

// Results is one column for each call, a row for each group. failed lists the groups for which a
// call has no result, ascending; what their rows hold means nothing.
func (s *Set) Results(ids []uint32) (cols []arrow.Array, failed []Failed, err error) {
	cols = make([]arrow.Array, len(s.calls))
	for i, r := range s.calls {
		fail := func(at int, err *sql.Error) { failed = append(failed, Failed{at, i, err}) }
		if cols[i], err = s.accs[r.acc].Result(r.result, ids, fail); err != nil {
			return nil, nil, err
		}
	}
	if len(failed) > 1 {
		slices.SortStableFunc(failed, func(a, b Failed) int { return a.At - b.At })
		failed = slices.CompactFunc(failed, func(a, b Failed) bool { return a.At == b.At })
	}
	return cols, failed, nil
}

// RowCount is the number of rows in a group.
func (s *Set) RowCount(id uint32) int64 { return s.accs[0].(*counts).n[id] }

// Bytes estimates the memory held.
func (s *Set) Bytes() (n int64) {
	for _, a := range s.accs {
		n += a.Bytes()
	}
	return n
}

// growTo extends a slice to length n with zero values.
func growTo[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	if n <= cap(s) {
		old := len(s)
		s = s[:n]
		clear(s[old:])
		return s
	}
	out := make([]T, n, max(n+n/2, 64))
	copy(out, s)
	return out
}

// Count adds n to the number of rows in a group and returns it.
func (s *Set) Count(id uint32, n int64) int64 {
	c := s.accs[0].(*counts)
	c.n[id] += n
	return c.n[id]
}

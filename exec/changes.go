package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// changes turns what happens to groups during an epoch into one change for each: the row from before
// the group's first change and the row at the barrier. So a view never shows half an epoch, and a
// group that a million rows touched costs its readers two.
//
// A group whose result can't be computed has no row. It becomes a dead letter when it comes to that,
// and no more until it has had a row again, or is gone and back. Its state knows nothing of this: what
// is emitted follows from the states before and after alone, so a restart changes nothing of it.
type changes struct {
	groups *keyed
	spec   *AggregateSpec
	types  []sql.Type // of the rows
	// render makes the rows of groups. Those listed have none, whatever their rows hold.
	render func(ids []uint32) ([]arrow.Array, []agg.Failed, error)
	// exists tells whether a group has a row, or would if its result could be computed.
	exists func(id uint32) bool

	before []piece // rows from before
	at     []int32 // for each of groups.dirty: its row in before, noRow or failedRow
	rows   int32
}

// What a group has instead of a row.
const (
	noRow     = -1
	failedRow = -2
)

func newChanges(groups *keyed, spec *AggregateSpec) changes {
	return changes{groups: groups, spec: spec, types: spec.OutputSchema().Types()}
}

// piece is rows that were made together.
type piece struct {
	cols []arrow.Array
	rows int
}

// touch must be called with the groups that are about to change, before they do.
func (c *changes) touch(ids []uint32) error {
	for fresh := c.groups.touch(ids); len(fresh) > 0; {
		n := c.groups.fit(fresh)
		if err := c.keep(fresh[:n]); err != nil {
			return err
		}
		fresh = fresh[n:]
	}
	return nil
}

// keep makes the rows of groups that have not changed yet.
func (c *changes) keep(ids []uint32) error {
	cols, at, err := c.rowsOf(ids)
	if err != nil || cols == nil {
		c.at = append(c.at, at...)
		return err
	}
	first := c.rows
	for _, row := range at {
		if row >= 0 {
			row += first
			c.rows++
		}
		c.at = append(c.at, row)
	}
	c.before = append(c.before, piece{cols, int(c.rows - first)})
	return nil
}

// rowsOf makes the rows of groups: at[i] is that of the i-th. cols is nil if none has a row.
func (c *changes) rowsOf(ids []uint32) (cols []arrow.Array, at []int32, err error) {
	at = make([]int32, len(ids))
	var there []uint32
	for i, id := range ids {
		if at[i] = noRow; c.exists(id) {
			at[i] = int32(len(there))
			there = append(there, id)
		}
	}
	if len(there) == 0 {
		return nil, at, nil
	}
	cols, failed, err := c.render(there)
	if len(failed) == 0 {
		return cols, at, err
	}
	gone := int32(0)
	for i, row := range at {
		switch {
		case row < 0:
		case int(gone) < len(failed) && failed[gone].At == int(row):
			at[i] = failedRow
			gone++
		default:
			at[i] = row - gone
		}
	}
	return withoutFailed(cols, failed), at, nil
}

// emit sends the epoch's changes. The groups' dirty lists are the caller's to clear, by staging.
func (c *changes) emit(out stream.Output) error {
	dirty, at := c.groups.dirty, c.at
	for len(dirty) > 0 {
		n := c.fit(dirty[:min(len(dirty), stream.TargetRows/2)], at)
		had := 0 // rows from before: they follow each other
		for i := range n {
			if at[i] >= 0 {
				at[i] = int32(had)
				had++
			}
		}
		if err := c.emitSome(dirty[:n], at[:n], c.takeBefore(had), int32(had), out); err != nil {
			return err
		}
		dirty, at = dirty[n:], at[n:]
	}
	c.before, c.at, c.rows = nil, c.at[:0], 0
	return nil
}

// fit is how many of the groups, from the first on, can have their rows from before and after in one
// batch.
func (c *changes) fit(dirty []uint32, at []int32) int {
	n := c.groups.fit(dirty)
	for ; n > 1 && c.sizeBefore(at[:n]) > maxTextBytes; n /= 2 {
	}
	return n
}

// sizeBefore is how much text the rows from before have of the next groups, whose rows are these.
func (c *changes) sizeBefore(at []int32) (bytes int) {
	n := 0
	for _, row := range at {
		if row >= 0 {
			n++
		}
	}
	for _, p := range c.before {
		k := min(n, p.rows)
		for _, col := range p.cols {
			bytes += stream.SizeOf(col, 0, k)
		}
		if n -= k; n == 0 {
			break
		}
	}
	return bytes
}

// takeBefore takes the next n rows from before. Pieces that were taken are let go: at a barrier, memory
// is scarce.
func (c *changes) takeBefore(n int) []arrow.Array {
	parts := make([][]arrow.Array, len(c.types))
	for n > 0 {
		p := &c.before[0]
		k := min(n, p.rows)
		for i, col := range p.cols {
			parts[i] = append(parts[i], stream.Slice(col, 0, k))
			p.cols[i] = stream.Slice(col, k, p.rows)
		}
		n, p.rows = n-k, p.rows-k
		if p.rows == 0 {
			*p = piece{}
			c.before = c.before[1:]
		}
	}
	out := make([]arrow.Array, len(c.types))
	for i, t := range c.types {
		if parts[i] == nil {
			parts[i] = []arrow.Array{stream.Nulls(t, 0)}
		}
		out[i] = stream.Concat(parts[i])
	}
	return out
}

// emitSome sends the changes of some groups, of which `had` had a row before: an update is a delete
// directly followed by an insert.
func (c *changes) emitSome(dirty []uint32, at []int32, before []arrow.Array, had int32, out stream.Output) error {
	after, nowAt, err := c.rowsOf(dirty)
	if err != nil {
		return err
	}
	if after == nil {
		after = c.takeBefore(0) // columns without rows
	}
	var idx []int32
	var ops []int8
	var failed []uint32
	deletes := false
	for i, id := range dirty {
		was, is := at[i], nowAt[i]
		if is == failedRow && was != failedRow {
			failed = append(failed, id)
		}
		if was >= 0 && is >= 0 && c.same(before, int(was), after, int(is)) {
			continue
		}
		if was >= 0 {
			idx, ops, deletes = append(idx, was), append(ops, stream.Delete), true
		}
		if is >= 0 {
			idx, ops = append(idx, had+is), append(ops, stream.Insert)
		}
	}
	if err := c.report(failed); err != nil || len(idx) == 0 {
		return err
	}
	b := &stream.Batch{Columns: make([]arrow.Array, len(c.types)), Rows: len(idx)}
	for i := range b.Columns {
		b.Columns[i] = stream.Take(stream.Concat([]arrow.Array{before[i], after[i]}), idx)
	}
	if deletes {
		b.Ops = ops
	}
	return out.Batch(b)
}

// report makes dead letters of groups whose results can't be computed any more.
func (c *changes) report(ids []uint32) error {
	if len(ids) == 0 {
		return nil
	}
	cols, failed, err := c.render(ids)
	if err != nil {
		return err
	}
	return c.groups.layout.task.deadGroups(c.spec, cols, failed)
}

// same tells whether two rows are identical, so that there is no change to tell of. Equal is not enough:
// the row that is deleted later, as the state shows it then, must be the one that was inserted.
func (c *changes) same(a []arrow.Array, i int, b []arrow.Array, j int) bool {
	for k, t := range c.types {
		if !stream.Identical(a[k], i, b[k], j, t) {
			return false
		}
	}
	return true
}

func bytesAt(arr arrow.Array, i int) []byte {
	offs, data := stream.BytesValues(arr)
	return data[offs[i]:offs[i+1]]
}

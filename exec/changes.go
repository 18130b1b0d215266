package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// changes turns what happens to groups during an epoch into one change for each: the row from before
// the group's first change and the row at the barrier. So a view never shows half an epoch, and a
// group that a million rows touched costs its readers two.
type changes struct {
	groups *keyed
	types  []sql.Type // of the rows
	// render makes the rows of groups.
	render func(ids []uint32) ([]arrow.Array, error)
	// exists tells whether a group has a row.
	exists func(id uint32) bool

	before [][]arrow.Array // rows from before, in pieces
	at     []int32         // for each of groups.dirty: its row in before, -1 = it had none
	rows   int32
	fresh  []uint32
}

// touch must be called with the groups that are about to change, before they do.
func (c *changes) touch(ids []uint32) error {
	c.fresh = c.groups.touch(ids, c.fresh[:0])
	var had []uint32
	for _, id := range c.fresh {
		if !c.exists(id) {
			c.at = append(c.at, -1)
			continue
		}
		c.at = append(c.at, c.rows)
		c.rows++
		had = append(had, id)
	}
	if len(had) == 0 {
		return nil
	}
	cols, err := c.render(had)
	c.before = append(c.before, cols)
	return err
}

// emit sends the epoch's changes. The groups' dirty lists are the caller's to clear, by staging.
func (c *changes) emit(out stream.Output) error {
	before := concatPieces(c.before, c.types)
	dirty, at := c.groups.dirty, c.at
	for from := 0; len(dirty) > 0; {
		n := min(len(dirty), stream.TargetRows/2)
		had := 0 // rows from before: they follow each other
		for i := range n {
			if at[i] >= 0 {
				at[i] = int32(had)
				had++
			}
		}
		some := make([]arrow.Array, len(before))
		for i, col := range before {
			some[i] = stream.Slice(col, from, from+had)
		}
		if err := c.emitSome(dirty[:n], at[:n], some, int32(had), out); err != nil {
			return err
		}
		dirty, at, from = dirty[n:], at[n:], from+had
	}
	c.before, c.at, c.rows = nil, c.at[:0], 0
	return nil
}

// emitSome sends the changes of some groups, of which `had` had a row before: an update is a delete
// directly followed by an insert.
func (c *changes) emitSome(dirty []uint32, at []int32, before []arrow.Array, had int32, out stream.Output) error {
	var now []uint32
	nowAt := make([]int32, len(dirty))
	for i, id := range dirty {
		nowAt[i] = -1
		if c.exists(id) {
			nowAt[i] = int32(len(now))
			now = append(now, id)
		}
	}
	after, err := c.render(now)
	if err != nil {
		return err
	}
	var idx []int32
	var ops []int8
	deletes := false
	for i := range dirty {
		was, is := at[i], nowAt[i]
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
	if len(idx) == 0 {
		return nil
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

// same tells whether two rows are identical, so that there is no change to tell of.
func (c *changes) same(a []arrow.Array, i int, b []arrow.Array, j int) bool {
	for k, t := range c.types {
		if a[k].IsNull(i) != b[k].IsNull(j) {
			return false
		}
		if a[k].IsNull(i) {
			continue
		}
		if t.Kind == sql.Numeric && !t.IsFixed() { // 1.0 and 1.00 are equal, and not the same
			if string(bytesAt(a[k], i)) != string(bytesAt(b[k], j)) {
				return false
			}
		} else if stream.CompareRows(a[k], i, b[k], j, t) != 0 {
			return false
		}
	}
	return true
}

func bytesAt(arr arrow.Array, i int) []byte {
	offs, data := stream.BytesValues(arr)
	return data[offs[i]:offs[i+1]]
}

// concatPieces joins rows that come in pieces; without any, it makes empty columns.
func concatPieces(pieces [][]arrow.Array, types []sql.Type) []arrow.Array {
	out := make([]arrow.Array, len(types))
	for i, t := range types {
		parts := make([]arrow.Array, 0, len(pieces)+1)
		for _, p := range pieces {
			parts = append(parts, p[i])
		}
		if len(parts) == 0 {
			parts = append(parts, stream.Nulls(t, 0))
		}
		out[i] = stream.Concat(parts)
	}
	return out
}

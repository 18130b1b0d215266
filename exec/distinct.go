package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// distincts answers, for the DISTINCT calls of an aggregation, by which rows the set of values of a
// group changes: the first insert of a value and its last delete. It counts each value of each group.
//
// State: as keyed, over the group's key columns and the call's arguments.
type distincts struct {
	calls []distinctCall
	masks []stream.Bitmap
}

type distinctCall struct {
	columns []int // the group's key columns and the arguments
	args    []int
	filter  int
	nulls   bool // NULL is a value
	layout  *keyedLayout
}

func newDistincts(t *Task, s *AggregateSpec) *distincts {
	d := &distincts{}
	for _, c := range s.Calls {
		if !c.Distinct {
			continue
		}
		call := distinctCall{args: c.Args, filter: c.Filter, nulls: c.CountsNulls(), columns: append(append([]int(nil), s.Keys...), c.Args...)}
		var types []sql.Type
		var notNull []bool
		for _, col := range call.columns {
			types, notNull = append(types, s.Input[col].Type), append(notNull, s.Input[col].NotNull)
		}
		call.layout = newKeyedLayout(t, types, len(s.Keys), notNull, func() *agg.Set { return agg.NewSet(nil, nil, true) })
		d.calls = append(d.calls, call)
	}
	return d
}

// open makes the states of one pane (or of all groups) for each call.
func (d *distincts) open(prefix func(kind byte) []byte, spilled bool) []*keyed {
	ks := make([]*keyed, len(d.calls))
	for i, c := range d.calls {
		ks[i] = c.layout.newKeyed(prefix(distinctCells+byte(i)), spilled)
	}
	return ks
}

// mask gives, for each call, the rows of b that count.
func (d *distincts) mask(ks []*keyed, b *stream.Batch) ([]stream.Bitmap, error) {
	if len(d.calls) == 0 {
		return nil, nil
	}
	d.masks = d.masks[:0]
	for i := range d.calls {
		m, err := d.calls[i].mask(ks[i], b)
		if err != nil {
			return nil, err
		}
		d.masks = append(d.masks, m)
	}
	return d.masks, nil
}

func (c *distinctCall) mask(k *keyed, b *stream.Batch) (stream.Bitmap, error) {
	cols := make([]arrow.Array, len(c.columns))
	for i, col := range c.columns {
		cols[i] = b.Columns[col]
	}
	c.layout.enc.Encode(cols, b.Rows)
	ids, err := k.resolve(cols, b.Rows)
	if err != nil {
		return nil, err
	}
	k.touch(ids)
	counts := agg.Mask(b, c.filter)
	if !c.nulls {
		counts = stream.And(b.Rows, counts, stream.Validity(b.Columns[c.args[0]]))
	}
	out := stream.NewBitmap(b.Rows)
	for i, id := range ids {
		if !counts.Get(i) {
			continue
		}
		n := k.set.Count(id, int64(b.Op(i)))
		if b.Op(i) == stream.Insert && n == 1 || b.Op(i) == stream.Delete && n == 0 {
			out.Set(i)
		}
	}
	return out, nil
}

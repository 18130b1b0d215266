package agg

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// values keeps all the values of a group, for the aggregates that need them: array_agg and
// string_agg, and min and max over an input with deletes. A delete takes one equal value away.
//
// Values are in the order of sort, which for min and max is the value, for the others what ORDER BY
// says; equal ones in the order in which they came. The whole list is one cell of the group's state,
// so an epoch writes as many bytes as the groups it touches have values.
type values struct {
	args   []sql.Type
	key    *state.KeyEncoder
	keyAt  []int // which of the input's columns are the sort key
	row    *state.RowEncoder
	rowDec *state.RowDecoder
	groups []runs
	bytes  int64
	finish finisher
}

// value is a run of n equal values.
type value struct {
	sort, row string
	n         int64
}

// finisher makes the result of some groups: rows holds the values' arguments, group after group, and
// ends[i] is where those of the i-th end. Empty groups are NULL.
type finisher struct {
	pick func(group runs) value // the one value that is needed; nil = all
	make func(args []arrow.Array, ends []int32) arrow.Array
}

func newValues(m makeArgs, arg sql.Type, f finisher) *values {
	v := &values{finish: f, args: []sql.Type{arg}}
	var cols []state.KeyColumn
	if f.pick != nil {
		cols, v.keyAt = state.Ascending(arg), []int{0}
	} else {
		for _, c := range m.call.Args[1:] {
			v.args = append(v.args, m.types[c])
		}
		for i, o := range m.call.OrderBy {
			cols = append(cols, state.KeyColumn{Type: m.types[o.Column], Desc: o.Desc, NullsFirst: o.NullsFirst})
			v.keyAt = append(v.keyAt, len(m.call.Args)+i)
		}
	}
	v.key, v.row = state.NewKeyEncoder(cols), state.NewRowEncoder(v.args)
	v.rowDec = state.NewRowDecoder(v.args, nil)
	return v
}

func (v *values) Grow(n int)   { v.groups = growTo(v.groups, n) }
func (v *values) Reset()       { clear(v.groups); v.groups, v.bytes = v.groups[:0], 0 }
func (v *values) Bytes() int64 { return int64(24*cap(v.groups)) + v.bytes }

func (v *values) Add(ids []uint32, in *Rows) {
	keys := make([]arrow.Array, len(v.keyAt))
	for i, at := range v.keyAt {
		keys[i] = in.Args[at]
	}
	v.key.Bind(keys...)
	v.row.Bind(in.Args[:len(v.args)])
	var sort, row []byte
	in.each(len(ids), func(i int, sign int64) {
		sort, row = v.key.Append(sort[:0], i), v.row.Append(row[:0], i)
		v.add(ids[i], value{string(sort), string(row), sign})
	})
}

// add inserts a run of values after those of the same sort key, or takes some away.
func (v *values) add(id uint32, x value) {
	g := v.groups[id]
	b, i := g.after(x.sort)
	if x.n < 0 {
		for b, i, ok := g.before(b, i); ok && g[b][i].sort == x.sort; b, i, ok = g.before(b, i) {
			if g[b][i].row == x.row {
				if g[b][i].n += x.n; g[b][i].n <= 0 {
					v.bytes -= x.bytes()
					v.groups[id] = g.remove(b, i)
				}
				return
			}
		}
		return
	}
	if b, i, ok := g.before(b, i); ok && g[b][i].sort == x.sort && g[b][i].row == x.row {
		g[b][i].n += x.n
		return
	}
	v.bytes += x.bytes()
	v.groups[id] = g.insert(b, i, x)
}

func (x *value) bytes() int64 { return int64(len(x.sort) + len(x.row) + 40) }

func (v *values) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*values)
	for i, d := range dst {
		f.groups[src[i]].each(func(x *value) { v.add(d, *x) })
	}
}

func (v *values) PartialTypes() []sql.Type { return []sql.Type{sql.TypeBytea} }

func (v *values) Partial(ids []uint32) []arrow.Array {
	offs, data := make([]int32, len(ids)+1), []byte(nil)
	for i, id := range ids {
		v.groups[id].each(func(x *value) {
			data = binary.AppendUvarint(data, uint64(x.n))
			data = append(binary.AppendUvarint(data, uint64(len(x.sort))), x.sort...)
			data = append(binary.AppendUvarint(data, uint64(len(x.row))), x.row...)
		})
		offs[i+1] = int32(len(data))
	}
	return []arrow.Array{stream.Bytes(sql.TypeBytea, offs, data, nil)}
}

func (v *values) Load(cols []arrow.Array, n int) {
	offs, data := stream.BytesValues(cols[0])
	for i := range n {
		v.groups[i] = nil
		b := data[offs[i]:offs[i+1]]
		next := func() int {
			x, k := binary.Uvarint(b)
			b = b[k:]
			return int(x)
		}
		text := func() string {
			n := next()
			s := string(b[:n])
			b = b[n:]
			return s
		}
		for len(b) > 0 {
			x := value{n: int64(next()), sort: text(), row: text()}
			v.bytes += x.bytes()
			v.groups[i] = v.groups[i].push(x)
		}
	}
}

func (v *values) Result(_ int, ids []uint32, _ failFunc) (arrow.Array, error) {
	ends, n := make([]int32, len(ids)), int32(0)
	for i, id := range ids {
		g := v.groups[id]
		if v.finish.pick != nil && len(g) > 0 {
			g = runs{{v.finish.pick(g)}}
		}
		var err error
		g.each(func(x *value) {
			for k := int64(0); k < x.n && err == nil; k++ {
				err = v.rowDec.Append([]byte(x.row))
				n++
			}
		})
		if err != nil {
			return nil, err
		}
		ends[i] = n
	}
	args := make([]arrow.Array, len(v.args))
	if b := v.rowDec.Flush(); b != nil {
		args = b.Columns
	} else {
		for i, t := range v.args {
			args[i] = stream.Nulls(t, 0)
		}
	}
	return v.finish.make(args, ends), nil
}

// extremeOf is min or max: the first or the last value.
func extremeOf(t sql.Type, largest bool) finisher {
	return finisher{
		pick: func(g runs) value {
			x := g[0][0]
			if largest {
				last := g[len(g)-1]
				x = last[len(last)-1]
			}
			x.n = 1
			return x
		},
		make: func(args []arrow.Array, ends []int32) arrow.Array {
			idx, last := make([]int32, len(ends)), int32(0)
			for i, end := range ends {
				if idx[i] = last; end == last {
					idx[i] = -1
				}
				last = end
			}
			return stream.Take(args[0], idx)
		},
	}
}

// arrayOf is array_agg.
func arrayOf(t sql.Type) finisher {
	return finisher{make: func(args []arrow.Array, ends []int32) arrow.Array {
		offs := append(make([]int32, 1, len(ends)+1), ends...)
		valid := validWhere(len(ends), func(i int) bool { return offs[i+1] > offs[i] })
		return stream.Lists(sql.ArrayOf(t), offs, args[0], valid)
	}}
}

// joined is string_agg: a value's delimiter stands before it, except before the first.
func joined(t sql.Type) finisher {
	return finisher{make: func(args []arrow.Array, ends []int32) arrow.Array {
		offs, data := stream.BytesValues(args[0])
		delimOffs, delims := stream.BytesValues(args[1])
		out, outOffs, at := []byte(nil), make([]int32, len(ends)+1), int32(0)
		for i, end := range ends {
			for first := at; at < end; at++ {
				if at > first && !args[1].IsNull(int(at)) {
					out = append(out, delims[delimOffs[at]:delimOffs[at+1]]...)
				}
				out = append(out, data[offs[at]:offs[at+1]]...)
			}
			outOffs[i+1] = int32(len(out))
		}
		valid := validWhere(len(ends), func(i int) bool { return ends[i] > 0 && (i == 0 || ends[i] > ends[i-1]) })
		return stream.Bytes(t, outOffs, out, valid)
	}}
}

package agg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// values keeps all the values of a group, for the aggregates that need them: array_agg and
// string_agg, and min and max over an input with deletes.
//
// Values are in the order of their keys: for min and max the value, the extreme first; for the others
// what ORDER BY says, and among what that leaves equal the order in which they came. Over an input with
// deletes, where one of several equal values goes and nobody can say which, it is the order of the
// values themselves.
//
// A group of a few short values has them in its own cell of state. A large group (large.go) has a cell for
// each value: a change costs one small write, whatever the size of the group. Min and max have its first
// values in memory and read only when these are used up; the lists are read when they are asked for.
type values struct {
	args    []sql.Type
	key     *state.KeyEncoder
	keyAt   []int // which of the input's columns are the key
	arrival bool  // equal keys are told apart by the order of arrival
	exact   bool  // or by nothing: the value can be had back from its key
	row     *state.RowEncoder
	rowDec  *state.RowDecoder
	groups  []group
	bytes   int64
	pending int // values to write at the end of the epoch
	finish  finisher

	// What the values of a group may take in its result, and those of all that are asked for at once. It
	// is the constants maxResultBytes and maxColumnBytes, but in tests.
	maxResult, maxColumn int64

	cells  *Cells                 // nil = no group is large
	home   func(id uint32) []byte // the shard and the beginning of the cells of a group's values
	staged []*large               // those with values in an epoch that may not be committed
}

const (
	// maxResultBytes bounds what is made of one group, as PostgreSQL's 1 GB does. What a group has no
	// result for must not depend on the other groups: when it changes, its old row is made again.
	maxResultBytes = 1<<30 - 1
	// maxColumnBytes is what the offsets of a column can tell.
	maxColumnBytes = math.MaxInt32
	// valueBytes is what a value may take beside what its row says.
	valueBytes = 8
)

var (
	errResultTooLarge = sql.Errorf("54000", "the result of an aggregate exceeds the maximum allowed (%d bytes)", maxResultBytes)
	errColumnTooLarge = sql.Errorf("54000", "the results of an aggregate for a batch of groups exceed the maximum allowed (%d bytes)", maxColumnBytes)
)

// group is the values of one group.
type group struct {
	vals  runs   // all; those of a large group, as that says
	large *large // nil = it is not
}

// value is a run of n equal values.
type value struct {
	key, row string
	n        int64
}

// finisher makes the result of some groups: rows holds the values' arguments, group after group, and
// ends[i] is where those of the i-th end. Empty groups are NULL.
type finisher struct {
	first bool // only the first value is needed
	desc  bool // the largest value is the first
	make  func(args []arrow.Array, ends []int32) arrow.Array
}

func newValues(m makeArgs, arg sql.Type, f finisher) *values {
	v := &values{finish: f, args: []sql.Type{arg}, arrival: !m.retract, maxResult: maxResultBytes, maxColumn: maxColumnBytes}
	var cols []state.KeyColumn
	if !f.first {
		for _, c := range m.call.Args[1:] {
			v.args = append(v.args, m.types[c])
		}
		for i, o := range m.call.OrderBy {
			cols = append(cols, state.KeyColumn{Type: m.types[o.Column], Desc: o.Desc, NullsFirst: o.NullsFirst})
			v.keyAt = append(v.keyAt, len(m.call.Args)+i)
		}
	}
	if v.exact = true; !v.arrival {
		for i, t := range v.args {
			cols, v.keyAt = append(cols, state.KeyColumn{Type: t, Desc: f.desc}), append(v.keyAt, i)
			v.exact = v.exact && state.KeyIsExact(t)
		}
	}
	v.key, v.row = state.NewKeyEncoder(cols), state.NewRowEncoder(v.args)
	v.rowDec = state.NewRowDecoder(v.args, nil)
	return v
}

func (v *values) Grow(n int) { v.groups = growTo(v.groups, n) }

func (v *values) Reset() {
	clear(v.groups)
	v.groups, v.staged, v.bytes, v.pending = v.groups[:0], nil, 0, 0
}

func (v *values) Bytes() int64 { return int64(32*cap(v.groups)) + v.bytes }

func (v *values) Add(ids []uint32, in *Rows) {
	v.settle()
	keys := make([]arrow.Array, len(v.keyAt))
	for i, at := range v.keyAt {
		keys[i] = in.Args[at]
	}
	v.key.Bind(keys...)
	v.row.Bind(in.Args[:len(v.args)])
	var key, row, lastKey, lastRow []byte
	last, n := uint32(0), int64(0) // of the row before, if it is not added yet
	in.each(len(ids), func(i int, sign int64) {
		key, row = v.key.Append(key[:0], i), v.row.Append(row[:0], i)
		if !v.exact {
			key = append(key, row...)
		}
		if n+sign == 0 && last == ids[i] && bytes.Equal(key, lastKey) && bytes.Equal(row, lastRow) {
			n = 0 // an update of something else
			return
		}
		if n != 0 {
			v.add(last, lastKey, lastRow, n)
		}
		last, n = ids[i], sign
		key, row, lastKey, lastRow = lastKey, lastRow, key, row
	})
	if n != 0 {
		v.add(last, lastKey, lastRow, n)
	}
}

// add adds n of a value, or takes some away.
func (v *values) add(id uint32, key, row []byte, n int64) {
	g := &v.groups[id]
	if g.large != nil {
		v.addLarge(g, key, row, n)
		return
	}
	v.addSmall(g, key, row, n)
	if v.cells != nil && len(g.vals) > 0 && (len(g.vals[0]) > maxInline || n > 0 && len(key)+len(row) > maxInlineBytes) {
		v.grow(id)
	}
}

// addSmall is add for values in memory.
func (v *values) addSmall(g *group, key, row []byte, n int64) {
	b, i := g.vals.after(key)
	if b, i, ok := g.vals.before(b, i); ok && g.vals[b][i].key == string(key) && g.vals[b][i].row == string(row) {
		x := &g.vals[b][i]
		if x.n += n; x.n <= 0 {
			v.bytes -= x.bytes()
			g.vals = g.vals.remove(b, i)
		}
		return
	}
	if n > 0 {
		x := value{string(key), string(row), n}
		v.bytes += x.bytes()
		g.vals = g.vals.insert(b, i, x)
	}
}

func (x *value) bytes() int64 { return int64(len(x.key) + len(x.row) + 40) }

// Merge moves what goes to an empty group: the source is of no more use then. That is how groups come
// from the store and how others stay when some are evicted; large groups go no other way.
func (v *values) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*values)
	for i, d := range dst {
		g, s := &v.groups[d], f.groups[src[i]]
		if len(g.vals) > 0 || g.large != nil {
			s.vals.each(func(x *value) { v.add(d, []byte(x.key), []byte(x.row), x.n) })
			continue
		}
		*g = s
		s.vals.each(func(x *value) { v.bytes += x.bytes() })
		if l := s.large; l != nil {
			v.bytes += l.bytes
			if v.pending += len(l.pending); l.staged != nil {
				v.staged = append(v.staged, l)
			}
		}
	}
}

// groupSize counts what is in memory: what large groups have in the store, Result bounds by itself.
func (v *values) groupSize(id uint32) (n int) {
	g := &v.groups[id]
	if g.large != nil && v.finish.first {
		return 0
	}
	g.vals.each(func(x *value) {
		size := x.bytes()
		if !v.finish.first { // each of them is in the result
			size *= max(x.n, 1)
		}
		n += int(size)
	})
	return n
}

func (v *values) PartialTypes() []sql.Type { return []sql.Type{sql.TypeBytea} }

// Partial is a group's values, each with its number in front, or 0 and where those of a large group are.
func (v *values) Partial(ids []uint32) []arrow.Array {
	offs, data := make([]int32, len(ids)+1), []byte(nil)
	text := func(s string) { data = append(binary.AppendUvarint(data, uint64(len(s))), s...) }
	for i, id := range ids {
		if l := v.groups[id].large; l != nil {
			data = binary.AppendUvarint(append(data, 0), l.next)
			text(l.home)
		} else {
			v.groups[id].vals.each(func(x *value) {
				data = binary.AppendUvarint(data, uint64(x.n))
				text(x.key)
				text(x.row)
			})
		}
		offs[i+1] = int32(len(data))
	}
	return []arrow.Array{stream.Bytes(sql.TypeBytea, offs, data, nil)}
}

func (v *values) Load(cols []arrow.Array, n int) {
	offs, data := stream.BytesValues(cols[0])
	for i := range n {
		g := group{}
		b := data[offs[i]:offs[i+1]]
		next := func() uint64 {
			x, k := binary.Uvarint(b)
			b = b[k:]
			return x
		}
		text := func() string {
			n := next()
			s := string(b[:n])
			b = b[n:]
			return s
		}
		for len(b) > 0 {
			n := int64(next())
			if n == 0 {
				next := next()
				g.large = newLarge(text(), next)
				continue
			}
			x := value{n: n, key: text(), row: text()}
			v.bytes += x.bytes()
			g.vals = g.vals.push(x)
		}
		v.groups[i] = g
	}
}

func (v *values) Result(_ int, ids []uint32, failed failFunc) (arrow.Array, error) {
	r := reading{v: v}
	ends := make([]int32, len(ids))
	for i, id := range ids {
		r.group = 0
		if v.finish.first {
			r.first(&v.groups[id])
		} else {
			r.all(&v.groups[id])
		}
		if r.group > v.maxResult {
			failed(i, errResultTooLarge)
		}
		ends[i] = r.n
	}
	if err := r.close(); err != nil {
		return nil, err
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

// reading decodes the values of groups, and reads those that are in the store.
type reading struct {
	v    *values
	view *cellView // nil until it is needed
	n    int32     // values
	err  error

	group, column int64 // bytes of the group's values, and of all
}

func (r *reading) open() *cellView {
	if r.view == nil {
		r.view = r.v.cells.view()
	}
	return r.view
}

func (r *reading) close() error {
	if r.view != nil {
		r.err = errors.Join(r.err, r.view.close())
	}
	return r.err
}

// first adds the first value of a group.
func (r *reading) first(g *group) {
	if g.large != nil && !g.large.known {
		r.v.fill(g, r.open())
	}
	if len(g.vals) > 0 {
		r.add([]byte(g.vals[0][0].row), 1)
	}
}

// all adds all values of a group.
func (r *reading) all(g *group) {
	if g.large == nil {
		g.vals.each(func(x *value) { r.add([]byte(x.row), x.n) })
		return
	}
	g.large.scan(r.open(), "", func(_, row []byte, n int64) bool {
		r.add(row, n)
		return r.err == nil && r.group <= r.v.maxResult
	})
}

// add adds n of a value, unless the group has too many.
func (r *reading) add(row []byte, n int64) {
	size := int64(len(row) + valueBytes)
	for ; n > 0 && r.err == nil && r.group <= r.v.maxResult; n-- {
		r.group += size
		if r.column += size; r.column > r.v.maxColumn {
			r.err = errColumnTooLarge
			return
		}
		r.err = r.v.rowDec.Append(row)
		r.n++
	}
}

// extremeOf is min or max: the first value.
func extremeOf(largest bool) finisher {
	return finisher{
		first: true,
		desc:  largest,
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

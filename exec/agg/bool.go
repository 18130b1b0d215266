package agg

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// bools is bool_and, every and bool_or: how many values are true, and how many false.
type bools struct{ groups [][2]int64 }

// Results of bools.
const (
	andResult = iota
	orResult
)

func newBools(makeArgs) Accumulator { return &bools{} }

func (b *bools) Grow(n int)   { b.groups = growTo(b.groups, n) }
func (b *bools) Reset()       { b.groups = b.groups[:0] }
func (b *bools) Bytes() int64 { return int64(16 * cap(b.groups)) }

func (b *bools) Add(ids []uint32, in *Rows) {
	vs := stream.Bools(in.Args[0])
	in.each(len(ids), func(i int, sign int64) { b.groups[ids[i]][vs[i>>3]>>(i&7)&1] += sign })
}

func (b *bools) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*bools)
	for i, d := range dst {
		b.groups[d][0] += f.groups[src[i]][0]
		b.groups[d][1] += f.groups[src[i]][1]
	}
}

func (b *bools) PartialTypes() []sql.Type { return []sql.Type{sql.TypeInt8, sql.TypeInt8} }

func (b *bools) Partial(ids []uint32) []arrow.Array {
	f, t := make([]int64, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		f[i], t[i] = b.groups[id][0], b.groups[id][1]
	}
	return []arrow.Array{stream.Int64s(f, nil), stream.Int64s(t, nil)}
}

func (b *bools) Load(cols []arrow.Array, n int) {
	f, t := stream.Values[int64](cols[0]), stream.Values[int64](cols[1])
	for i := range n {
		b.groups[i] = [2]int64{f[i], t[i]}
	}
}

func (b *bools) Result(result int, ids []uint32, _ failFunc) (arrow.Array, error) {
	out := stream.NewBitmap(len(ids))
	for i, id := range ids {
		g := b.groups[id]
		if result == andResult && g[0] == 0 || result == orResult && g[1] > 0 {
			out.Set(i)
		}
	}
	valid := validWhere(len(ids), func(i int) bool { return b.groups[ids[i]] != [2]int64{} })
	return stream.BoolColumn(len(ids), out, valid), nil
}

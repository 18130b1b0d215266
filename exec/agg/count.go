package agg

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// counts is count(*) and count(x).
type counts struct{ n []int64 }

func countFunc() *Func {
	return &Func{Name: "count", Result: sql.TypeInt8, share: "count",
		make: func(makeArgs) Accumulator { return &counts{} }}
}

func (c *counts) Grow(n int)   { c.n = growTo(c.n, n) }
func (c *counts) Reset()       { c.n = c.n[:0] }
func (c *counts) Bytes() int64 { return int64(8 * cap(c.n)) }

func (c *counts) Add(ids []uint32, in *Rows) {
	switch {
	case in.plain():
		for _, id := range ids {
			c.n[id]++
		}
	case in.Mask == nil:
		for i, id := range ids {
			c.n[id] += int64(in.Ops[i])
		}
	default:
		in.each(len(ids), func(i int, sign int64) { c.n[ids[i]] += sign })
	}
}

func (c *counts) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*counts)
	for i, d := range dst {
		c.n[d] += f.n[src[i]]
	}
}

func (c *counts) PartialTypes() []sql.Type { return []sql.Type{sql.TypeInt8} }

func (c *counts) Partial(ids []uint32) []arrow.Array {
	return []arrow.Array{stream.Int64s(pick(c.n, ids), nil)}
}

func (c *counts) Load(cols []arrow.Array, n int) { copy(c.n[:n], stream.Values[int64](cols[0])) }

func (c *counts) Result(_ int, ids []uint32, _ failFunc) (arrow.Array, error) {
	return stream.Int64s(pick(c.n, ids), nil), nil
}

// pick is the elements ids of s.
func pick[T any](s []T, ids []uint32) []T {
	out := make([]T, len(ids))
	for i, id := range ids {
		out[i] = s[id]
	}
	return out
}

// validWhere is a validity of n rows, nil if ok holds for all.
func validWhere(n int, ok func(i int) bool) stream.Bitmap {
	var m stream.Bitmap
	for i := range n {
		if !ok(i) {
			if m == nil {
				m = stream.FullBitmap(n)
			}
			m.Clear(i)
		}
	}
	return m
}

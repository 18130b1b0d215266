package agg

import (
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The accumulators of min and max over inputs without deletes keep one value a group. values.go has
// the one for inputs with deletes.

func newExtreme(t sql.Type, largest bool) func(makeArgs) Accumulator {
	return func(m makeArgs) Accumulator {
		switch {
		case m.retract:
			return newValues(m, t, extremeOf(largest))
		case isWord(t):
			return &wordExtreme{typ: t, largest: largest}
		case t.Arrow().ID() == arrow.STRING:
			return &textExtreme{typ: t, largest: largest}
		}
		return &anyExtreme{typ: t, largest: largest}
	}
}

// isWord tells whether values of t can be compared as int64s.
func isWord(t sql.Type) bool {
	switch t.Kind {
	case sql.Int2, sql.Int4, sql.Int8, sql.Float4, sql.Float8, sql.Date, sql.Time, sql.Timestamp, sql.Timestamptz:
		return true
	}
	return t.IsOID() || t.IsFixed() && t.Precision <= 18
}

// wordExtreme is min and max of values that have the order of int64s.
type wordExtreme struct {
	typ     sql.Type
	largest bool
	vals    []int64
	has     []bool
	scratch []int64
}

func (e *wordExtreme) Grow(n int)   { e.vals, e.has = growTo(e.vals, n), growTo(e.has, n) }
func (e *wordExtreme) Reset()       { e.vals, e.has = e.vals[:0], e.has[:0] }
func (e *wordExtreme) Bytes() int64 { return int64(9 * cap(e.vals)) }

func (e *wordExtreme) Add(ids []uint32, in *Rows) {
	e.scratch = words(e.scratch, e.typ, in.Args[0])
	for i, v := range e.scratch {
		if in.Mask.Get(i) {
			e.offer(ids[i], v)
		}
	}
}

func (e *wordExtreme) offer(id uint32, v int64) {
	if cur := e.vals[id]; !e.has[id] || e.largest && v > cur || !e.largest && v < cur {
		e.vals[id], e.has[id] = v, true
	}
}

func (e *wordExtreme) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*wordExtreme)
	for i, d := range dst {
		if s := src[i]; f.has[s] {
			e.offer(d, f.vals[s])
		}
	}
}

func (e *wordExtreme) PartialTypes() []sql.Type { return []sql.Type{e.typ} }

func (e *wordExtreme) Partial(ids []uint32) []arrow.Array {
	valid := validWhere(len(ids), func(i int) bool { return e.has[ids[i]] })
	return []arrow.Array{fromWords(pick(e.vals, ids), e.typ, valid)}
}

func (e *wordExtreme) Load(cols []arrow.Array, n int) {
	valid := stream.Validity(cols[0])
	copy(e.vals[:n], words(nil, e.typ, cols[0]))
	for i := range n {
		e.has[i] = valid.Get(i)
	}
}

func (e *wordExtreme) Result(_ int, ids []uint32, _ failFunc) (arrow.Array, error) {
	return e.Partial(ids)[0], nil
}

// words is a column as int64s of the same order; floats order as PostgreSQL has it, NaN last.
func words(dst []int64, t sql.Type, arr arrow.Array) []int64 {
	dst = resize(dst, arr.Len())
	switch t.Kind {
	case sql.Int2:
		widen(dst, stream.Values[int16](arr))
	case sql.Int4, sql.Date:
		widen(dst, stream.Values[int32](arr))
	case sql.Float4:
		for i, v := range stream.Values[float32](arr) {
			dst[i] = floatWord(float64(v))
		}
	case sql.Float8:
		for i, v := range stream.Values[float64](arr) {
			dst[i] = floatWord(v)
		}
	default:
		copy(dst, stream.Values[int64](arr))
	}
	return dst
}

func widen[T int16 | int32](dst []int64, vs []T) {
	for i, v := range vs {
		dst[i] = int64(v)
	}
}

func floatWord(f float64) int64 {
	if f != f {
		return math.MaxInt64
	}
	b := int64(math.Float64bits(f))
	return b ^ int64(uint64(b>>63)>>1)
}

func wordFloat(w int64) float64 {
	if w == math.MaxInt64 {
		return math.NaN()
	}
	return math.Float64frombits(uint64(w ^ int64(uint64(w>>63)>>1)))
}

func fromWords(ws []int64, t sql.Type, valid stream.Bitmap) arrow.Array {
	switch t.Kind {
	case sql.Int2:
		return stream.Fixed(t, narrow[int16](ws), valid)
	case sql.Int4, sql.Date:
		return stream.Fixed(t, narrow[int32](ws), valid)
	case sql.Float4, sql.Float8:
		fs := make([]float64, len(ws))
		for i, w := range ws {
			fs[i] = wordFloat(w)
		}
		if t.Kind == sql.Float8 {
			return stream.Float64s(fs, valid)
		}
		small := make([]float32, len(fs))
		for i, f := range fs {
			small[i] = float32(f)
		}
		return stream.Float32s(small, valid)
	}
	return stream.Fixed(t, ws, valid)
}

func narrow[T int16 | int32](ws []int64) []T {
	out := make([]T, len(ws))
	for i, w := range ws {
		out[i] = T(w)
	}
	return out
}

// textExtreme is min and max of strings, by bytes. It copies a string only when it is a new extreme.
type textExtreme struct {
	typ     sql.Type
	largest bool
	vals    []string
	has     []bool
	bytes   int64
}

func (e *textExtreme) Grow(n int)   { e.vals, e.has = growTo(e.vals, n), growTo(e.has, n) }
func (e *textExtreme) Reset()       { clear(e.vals); e.vals, e.has, e.bytes = e.vals[:0], e.has[:0], 0 }
func (e *textExtreme) Bytes() int64 { return int64(17*cap(e.vals)) + e.bytes }

func (e *textExtreme) Add(ids []uint32, in *Rows) {
	offs, data := stream.BytesValues(in.Args[0])
	for i, id := range ids {
		if in.Mask.Get(i) {
			e.offer(id, data[offs[i]:offs[i+1]])
		}
	}
}

func (e *textExtreme) offer(id uint32, v []byte) {
	if e.has[id] {
		if c := strings.Compare(string(v), e.vals[id]); c == 0 || (c > 0) != e.largest {
			return
		}
	}
	e.set(id, string(v))
	e.has[id] = true
}

func (e *textExtreme) set(id uint32, v string) {
	e.bytes += int64(len(v) - len(e.vals[id]))
	e.vals[id] = v
}

func (e *textExtreme) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*textExtreme)
	for i, d := range dst {
		if s := src[i]; f.has[s] {
			e.offer(d, []byte(f.vals[s]))
		}
	}
}

func (e *textExtreme) groupSize(id uint32) int { return len(e.vals[id]) }

func (e *textExtreme) PartialTypes() []sql.Type { return []sql.Type{e.typ} }

func (e *textExtreme) Partial(ids []uint32) []arrow.Array {
	offs, data := make([]int32, len(ids)+1), []byte(nil)
	for i, id := range ids {
		data = append(data, e.vals[id]...)
		offs[i+1] = int32(len(data))
	}
	valid := validWhere(len(ids), func(i int) bool { return e.has[ids[i]] })
	return []arrow.Array{stream.Bytes(e.typ, offs, data, valid)}
}

func (e *textExtreme) Load(cols []arrow.Array, n int) {
	offs, data := stream.BytesValues(cols[0])
	valid := stream.Validity(cols[0])
	for i := range n {
		v := ""
		if e.has[i] = valid.Get(i); e.has[i] {
			v = string(data[offs[i]:offs[i+1]])
		}
		e.set(uint32(i), v)
	}
}

func (e *textExtreme) Result(_ int, ids []uint32, _ failFunc) (arrow.Array, error) {
	return e.Partial(ids)[0], nil
}

// anyExtreme is min and max of the other types: each group keeps its value as a column of one row.
type anyExtreme struct {
	typ     sql.Type
	largest bool
	vals    []arrow.Array // nil = none yet
	bytes   int64         // of what has no fixed width
}

func (e *anyExtreme) Grow(n int)   { e.vals = growTo(e.vals, n) }
func (e *anyExtreme) Reset()       { clear(e.vals); e.vals, e.bytes = e.vals[:0], 0 }
func (e *anyExtreme) Bytes() int64 { return int64(256*len(e.vals)) + e.bytes }

func (e *anyExtreme) Add(ids []uint32, in *Rows) {
	in.each(len(ids), func(i int, _ int64) { e.offer(ids[i], in.Args[0], i) })
}

func (e *anyExtreme) offer(id uint32, arr arrow.Array, i int) {
	if cur := e.vals[id]; cur != nil {
		if c := stream.CompareRows(arr, i, cur, 0, e.typ); c == 0 || (c > 0) != e.largest {
			return
		}
	}
	e.set(id, stream.Take(arr, []int32{int32(i)}))
}

func (e *anyExtreme) set(id uint32, v arrow.Array) {
	e.bytes -= int64(e.groupSize(id))
	e.vals[id] = v
	e.bytes += int64(e.groupSize(id))
}

func (e *anyExtreme) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*anyExtreme)
	for i, d := range dst {
		if v := f.vals[src[i]]; v != nil {
			e.offer(d, v, 0)
		}
	}
}

func (e *anyExtreme) groupSize(id uint32) int {
	if e.vals[id] == nil {
		return 0
	}
	return stream.Size(e.vals[id])
}

func (e *anyExtreme) PartialTypes() []sql.Type { return []sql.Type{e.typ} }

func (e *anyExtreme) Partial(ids []uint32) []arrow.Array {
	if len(ids) == 0 {
		return []arrow.Array{stream.Nulls(e.typ, 0)}
	}
	vals := make([]arrow.Array, len(ids))
	null := stream.Nulls(e.typ, 1)
	for i, id := range ids {
		if vals[i] = e.vals[id]; vals[i] == nil {
			vals[i] = null
		}
	}
	return []arrow.Array{stream.Concat(vals)}
}

func (e *anyExtreme) Load(cols []arrow.Array, n int) {
	valid := stream.Validity(cols[0])
	for i := range n {
		var v arrow.Array
		if valid.Get(i) {
			v = stream.Take(cols[0], []int32{int32(i)})
		}
		e.set(uint32(i), v)
	}
}

func (e *anyExtreme) Result(_ int, ids []uint32, _ failFunc) (arrow.Array, error) {
	return e.Partial(ids)[0], nil
}

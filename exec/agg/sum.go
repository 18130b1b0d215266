package agg

import (
	"math/big"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// sums is sum and avg over integers and fixed numerics of up to 128 bits. The sum is exact in 192
// bits: 2^64 values of 128 bits can't overflow it, and deletes undo inserts to the bit.
type sums struct {
	arg    sql.Type
	result sql.Type // of sum
	groups []wideSum
}

type wideSum struct {
	lo, mid uint64
	hi      int64
	n       int64 // values
}

// Results of sums.
const (
	sumResult = iota
	avgResult
)

func newSums(arg sql.Type) func(makeArgs) Accumulator {
	return func(makeArgs) Accumulator { return &sums{arg: arg, result: sumType(arg)} }
}

// sumType is the type of sum(t): PostgreSQL's, where a numeric stays fixed as its scale does, with
// room for any sum.
func sumType(t sql.Type) sql.Type {
	switch {
	case t.Kind == sql.Int8:
		return sql.FixedNumeric(38, 0)
	case t.IsInteger():
		return sql.TypeInt8
	case t.Precision <= 18:
		return sql.FixedNumeric(38, t.Scale)
	}
	return sql.FixedNumeric(76, t.Scale)
}

func (s *sums) Grow(n int)   { s.groups = growTo(s.groups, n) }
func (s *sums) Reset()       { s.groups = s.groups[:0] }
func (s *sums) Bytes() int64 { return int64(32 * cap(s.groups)) }

func (s *sums) Add(ids []uint32, in *Rows) {
	switch s.arg.Kind {
	case sql.Int2:
		addInts(s.groups, ids, stream.Values[int16](in.Args[0]), in)
	case sql.Int4:
		addInts(s.groups, ids, stream.Values[int32](in.Args[0]), in)
	case sql.Int8:
		addInts(s.groups, ids, stream.Values[int64](in.Args[0]), in)
	default:
		if s.arg.Precision <= 18 {
			addInts(s.groups, ids, stream.Values[int64](in.Args[0]), in)
			return
		}
		vs := stream.Values[[2]uint64](in.Args[0])
		in.each(len(ids), func(i int, sign int64) {
			v := vs[i]
			w := wideSum{lo: v[0], mid: v[1], hi: int64(v[1]) >> 63, n: 1}
			if sign < 0 {
				w = w.negated()
			}
			s.groups[ids[i]].add(&w)
		})
	}
}

func addInts[T int16 | int32 | int64](groups []wideSum, ids []uint32, vs []T, in *Rows) {
	if in.plain() {
		for i, v := range vs {
			g := &groups[ids[i]]
			ext := uint64(int64(v) >> 63)
			var c uint64
			g.lo, c = bits.Add64(g.lo, uint64(int64(v)), 0)
			g.mid, c = bits.Add64(g.mid, ext, c)
			g.hi += int64(ext + c)
			g.n++
		}
		return
	}
	for i, v := range vs {
		if !in.Mask.Get(i) {
			continue
		}
		w := wideSum{lo: uint64(int64(v)), mid: uint64(int64(v) >> 63), hi: int64(v) >> 63, n: 1}
		if in.Ops != nil && in.Ops[i] < 0 {
			w = w.negated()
		}
		groups[ids[i]].add(&w)
	}
}

func (w *wideSum) add(o *wideSum) {
	var c uint64
	w.lo, c = bits.Add64(w.lo, o.lo, 0)
	w.mid, c = bits.Add64(w.mid, o.mid, c)
	w.hi += o.hi + int64(c)
	w.n += o.n
}

func (w wideSum) negated() wideSum {
	var b uint64
	w.lo, b = bits.Sub64(0, w.lo, 0)
	w.mid, b = bits.Sub64(0, w.mid, b)
	w.hi = -w.hi - int64(b)
	w.n = -w.n
	return w
}

// int64 is the sum, if it fits.
func (w *wideSum) int64() (int64, bool) {
	ext := int64(w.lo) >> 63
	return int64(w.lo), uint64(ext) == w.mid && ext == w.hi
}

func (w *wideSum) big() *big.Int {
	v := big.NewInt(w.hi)
	v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(w.mid))
	return v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(w.lo))
}

func (s *sums) Merge(dst []uint32, from Accumulator, src []uint32) {
	f := from.(*sums)
	for i, d := range dst {
		s.groups[d].add(&f.groups[src[i]])
	}
}

func (s *sums) PartialTypes() []sql.Type {
	return []sql.Type{sql.FixedNumeric(76, 0), sql.TypeInt8}
}

func (s *sums) Partial(ids []uint32) []arrow.Array {
	total, n := make([]decimal256.Num, len(ids)), make([]int64, len(ids))
	for i, id := range ids {
		w := &s.groups[id]
		total[i], n[i] = decimal256.New(uint64(w.hi>>63), uint64(w.hi), w.mid, w.lo), w.n
	}
	return []arrow.Array{stream.Fixed(sql.FixedNumeric(76, 0), total, nil), stream.Int64s(n, nil)}
}

func (s *sums) Load(cols []arrow.Array, n int) {
	total, count := stream.Values[[4]uint64](cols[0]), stream.Values[int64](cols[1])
	for i := range n {
		s.groups[i] = wideSum{lo: total[i][0], mid: total[i][1], hi: int64(total[i][2]), n: count[i]}
	}
}

func (s *sums) Result(result int, ids []uint32, failed failFunc) (arrow.Array, error) {
	valid := validWhere(len(ids), func(i int) bool { return s.groups[ids[i]].n != 0 })
	if result == avgResult {
		return s.averages(ids, valid), nil
	}
	switch {
	case s.result.Kind == sql.Int8:
		out := make([]int64, len(ids))
		for i, id := range ids {
			v, ok := s.groups[id].int64()
			if !ok {
				failed(i, errBigintRange)
			}
			out[i] = v
		}
		return stream.Int64s(out, valid), nil
	case s.result.Precision == 38:
		out := make([]decimal128.Num, len(ids))
		for i, id := range ids {
			out[i] = decimal128.New(int64(s.groups[id].mid), s.groups[id].lo)
		}
		return stream.Fixed(s.result, out, valid), nil
	}
	out := make([]decimal256.Num, len(ids))
	for i, id := range ids {
		w := &s.groups[id]
		out[i] = decimal256.New(uint64(w.hi>>63), uint64(w.hi), w.mid, w.lo)
	}
	return stream.Fixed(s.result, out, valid), nil
}

var errBigintRange = sql.Errorf(sql.CodeNumericOutOfRange, "bigint out of range")

// averages divides as PostgreSQL's numeric division does.
func (s *sums) averages(ids []uint32, valid stream.Bitmap) arrow.Array {
	offs, data := make([]int32, len(ids)+1), make([]byte, 0, 12*len(ids))
	for i, id := range ids {
		if w := &s.groups[id]; valid.Get(i) {
			if v, ok := w.int64(); ok && v != -1<<63 {
				data = appendQuotient(data, v, s.arg.Scale, w.n)
			} else {
				data = appendBigQuotient(data, w.big(), s.arg.Scale, big.NewInt(w.n))
			}
		}
		offs[i+1] = int32(len(data))
	}
	return stream.Bytes(sql.TypeNumeric, offs, data, valid)
}

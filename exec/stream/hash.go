package stream

import (
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/cespare/xxhash/v2"

	"github.com/streamsql/streamsql/sql"
)

// Hash constants. They, and everything in this file, are part of the on-disk format: a row's shard
// is derived from its hash, so a change orphans stored state.
const (
	hashSeed = 0x9e3779b97f4a7c15
	hashNull = 0x2545f4914f6cdd1d
	hashMul  = 0xd6e8feb86659fd93
)

// HashColumns sets dst[i] to a hash of row i of the columns. Rows that are equal as PostgreSQL's
// GROUP BY sees it have equal hashes: NULLs are alike, so are -0 and 0, 1.0 and 1.00, NaNs, '1 day'
// and '24 hours'. All 64 bits are good.
func HashColumns(dst []uint64, cols []arrow.Array, types []sql.Type) {
	for i := range dst {
		dst[i] = hashSeed
	}
	for c, arr := range cols {
		hashColumn(dst, arr, types[c])
	}
}

// HashString is the hash of a string, for callers that mix in something of their own.
func HashString(s string) uint64 { return xxhash.Sum64String(s) }

// mix folds the value v into the hash h. It is a bijection in v (xor-shift and multiply), so a single
// integer key has no collisions at all.
func mix(h, v uint64) uint64 {
	h = bits.RotateLeft64(h, 25) ^ v
	h ^= h >> 32
	h *= hashMul
	h ^= h >> 32
	h *= hashMul
	return h ^ h>>32
}

func hashColumn(dst []uint64, arr arrow.Array, t sql.Type) {
	valid := Validity(arr)
	switch t.Kind {
	case sql.Bool:
		vs := Bools(arr)
		for i := range dst {
			dst[i] = mixValid(dst[i], uint64(vs[i>>3]>>(i&7)&1), valid, i)
		}
	case sql.Int2:
		hashInts(dst, Values[int16](arr), valid)
	case sql.Int4, sql.Date:
		hashInts(dst, Values[int32](arr), valid)
	case sql.Int8, sql.Time, sql.Timestamp, sql.Timestamptz, sql.OID, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		hashInts(dst, Values[int64](arr), valid)
	case sql.Float4:
		for i, v := range Values[float32](arr) {
			dst[i] = mixValid(dst[i], floatKey(float64(v)), valid, i)
		}
	case sql.Float8:
		for i, v := range Values[float64](arr) {
			dst[i] = mixValid(dst[i], floatKey(v), valid, i)
		}
	case sql.Numeric:
		hashNumerics(dst, arr, t, valid)
	case sql.Interval:
		for i, v := range Values[sql.IntervalValue](arr) {
			hi, lo := v.Key()
			dst[i] = mixValid(dst[i], lo^uint64(hi), valid, i)
		}
	case sql.UUID:
		for i, v := range Values[[2]uint64](arr) {
			dst[i] = mix(mixValid(dst[i], v[0], valid, i), mixValid(0, v[1], valid, i))
		}
	case sql.Array, sql.Int2Vector, sql.OIDVector, sql.Row, sql.Record, sql.Map:
		hashNested(dst, arr, t, valid)
	case sql.JSONB, sql.Char:
		for i := range dst {
			if valid.Get(i) {
				dst[i] = mix(dst[i], hashDatum(t, Value(arr, t, i)))
			} else {
				dst[i] = mix(dst[i], hashNull)
			}
		}
	default:
		offsets, data := BytesValues(arr)
		for i := range dst {
			if valid.Get(i) {
				dst[i] = mix(dst[i], xxhash.Sum64(data[offsets[i]:offsets[i+1]]))
			} else {
				dst[i] = mix(dst[i], hashNull)
			}
		}
	}
}

func mixValid(h, v uint64, valid Bitmap, i int) uint64 {
	if !valid.Get(i) {
		v = hashNull
	}
	return mix(h, v)
}

func hashInts[T int16 | int32 | int64](dst []uint64, vs []T, valid Bitmap) {
	if valid == nil {
		for i := range dst {
			dst[i] = mix(dst[i], uint64(int64(vs[i])))
		}
		return
	}
	for i := range dst {
		dst[i] = mixValid(dst[i], uint64(int64(vs[i])), valid, i)
	}
}

// floatKey is a float's bits, with one zero and one NaN.
func floatKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case f != f:
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

func hashNumerics(dst []uint64, arr arrow.Array, t sql.Type, valid Bitmap) {
	switch {
	case t.IsFixed() && t.Precision <= 18:
		hashInts(dst, Values[int64](arr), valid)
		return
	case t.IsFixed() && t.Precision <= 38:
		for i, v := range Values[decimal128.Num](arr) {
			dst[i] = mix(mixValid(dst[i], v.LowBits(), valid, i), mixValid(0, uint64(v.HighBits()), valid, i))
		}
		return
	}
	var d sql.Decimal
	for i := range dst {
		if !valid.Get(i) {
			dst[i] = mix(dst[i], hashNull)
			continue
		}
		DecimalAt(arr, t, i, &d)
		dst[i] = mix(dst[i], hashDecimal(&d))
	}
}

// hashDecimal hashes by value: trailing zeros don't count.
func hashDecimal(d *sql.Decimal) uint64 {
	var buf [64]byte
	if d.Form == 0 {
		if d.IsZero() {
			return 0
		}
		d.Reduce(d)
		h := uint64(uint32(d.Exponent)) << 1
		if d.Negative {
			h |= 1
		}
		if d.Coeff.IsUint64() {
			return mix(h, d.Coeff.Uint64())
		}
		return mix(h, xxhash.Sum64(d.Coeff.Append(buf[:0], 16)))
	}
	return xxhash.Sum64(sql.AppendNumeric(buf[:0], d))
}

func hashNested(dst []uint64, arr arrow.Array, t sql.Type, valid Bitmap) {
	for i := range dst {
		if !valid.Get(i) {
			dst[i] = mix(dst[i], hashNull)
		} else {
			dst[i] = mix(dst[i], hashDatum(t, Value(arr, t, i)))
		}
	}
}

// hashDatum hashes a single value of a type that is rarely a key, by its text in a canonical form.
func hashDatum(t sql.Type, d sql.Datum) uint64 {
	if d == nil {
		return hashNull
	}
	switch d := d.(type) {
	case []sql.Datum:
		h := uint64(len(d))
		for _, e := range d {
			h = mix(h, hashDatum(ElemType(t), e))
		}
		return h
	case sql.RowValue:
		h := uint64(len(d))
		for i, e := range d {
			h = mix(h, hashDatum(t.Fields[i].Type, e))
		}
		return h
	case sql.MapValue:
		h := uint64(len(d))
		for _, e := range d {
			h = mix(mix(h, hashDatum(*t.Key, e.Key)), hashDatum(*t.Elem, e.Value))
		}
		return h
	case string:
		switch t.Kind {
		case sql.Char:
			return xxhash.Sum64String(sql.TrimChar(d))
		case sql.JSONB:
			return hashJSONB(d)
		}
		return xxhash.Sum64String(d)
	}
	b := NewBuilder(t)
	b.Append(d)
	h := []uint64{hashSeed}
	hashColumn(h, b.Finish(), t)
	return h[0]
}

// hashJSONB hashes canonical jsonb text without the fractional zeros of numbers, since 1.0 and 1.00
// are equal: digits are taken up to the last that counts.
func hashJSONB(s string) uint64 {
	out, quoted, fraction := make([]byte, 0, len(s)), false, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if quoted && c == '\\' {
			out = append(out, c, s[i+1])
			i++
			continue
		}
		if c == '"' {
			quoted = !quoted
		}
		if !quoted && fraction && (c < '0' || c > '9') {
			out, fraction = trimFraction(out), false
		}
		fraction = fraction || !quoted && c == '.'
		out = append(out, c)
	}
	if fraction {
		out = trimFraction(out)
	}
	return xxhash.Sum64(out)
}

func trimFraction(b []byte) []byte {
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	if b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

package state

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// allTypes has a type of every layout, nested ones included.
var allTypes = []sql.Type{
	sql.TypeBool, sql.TypeInt2, sql.TypeInt4, sql.TypeInt8, sql.TypeFloat4, sql.TypeFloat8,
	sql.TypeNumeric, sql.FixedNumeric(10, 2), sql.FixedNumeric(30, 5), sql.FixedNumeric(60, 10),
	sql.TypeText, sql.TypeVarchar, {Kind: sql.Char, Precision: 5}, sql.TypeBytea, sql.TypeDate, sql.TypeTime,
	sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval, sql.TypeUUID, sql.TypeJSON, sql.TypeJSONB,
	sql.TypeName, sql.TypeOID, {Kind: sql.Int2Vector}, {Kind: sql.OIDVector},
	sql.ArrayOf(sql.TypeInt4), sql.ArrayOf(sql.TypeText), sql.ArrayOf(sql.TypeNumeric), sql.ArrayOf(sql.ArrayOf(sql.TypeInt8)),
	sql.MapOf(sql.TypeText, sql.TypeInt8),
	sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}, sql.Field{Name: "b", Type: sql.ArrayOf(sql.TypeText)}),
	sql.RowOf(sql.Field{Name: "r", Type: sql.RowOf(sql.Field{Name: "x", Type: sql.TypeBool})}),
}

// newRand is seeded anew for each run; a failure prints how to repeat it.
func newRand(t testing.TB) *rand.Rand {
	seed := seedtest.Seed(t)
	return rand.New(rand.NewPCG(seed, 0))
}

func pick[T any](r *rand.Rand, vs ...T) T { return vs[r.IntN(len(vs))] }

// randomInt is often near an edge, and often the same.
func randomInt(r *rand.Rand, bits int) int64 {
	lo, hi := int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
	switch r.IntN(4) {
	case 0:
		return pick(r, lo, lo+1, hi, hi-1, 0, -1, 1)
	case 1:
		return int64(r.IntN(7) - 3)
	}
	return int64(r.Uint64()) >> (64 - bits)
}

func randomFloat(r *rand.Rand) float64 {
	switch r.IntN(3) {
	case 0:
		return pick(r, 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), -math.NaN(), math.SmallestNonzeroFloat64)
	case 1:
		return float64(r.IntN(5)) - 2
	}
	return r.NormFloat64() * math.Pow(10, float64(r.IntN(40)-20))
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(6) {
		b.WriteString(pick(r, "a", "b", "aa", " ", "é", "\x01", "\x7f", "z"))
	}
	return b.String()
}

func randomBytes(r *rand.Rand) []byte {
	b := []byte{}
	for range r.IntN(6) {
		b = append(b, pick[byte](r, 0, 0, 1, 2, 0x7f, 0xfe, 0xff, 0xff))
	}
	return b
}

func randomNumeric(r *rand.Rand) *sql.Decimal {
	switch r.IntN(8) {
	case 0:
		return pick(r, &sql.Decimal{Form: apd.NaN}, &sql.Decimal{Form: apd.Infinite}, &sql.Decimal{Form: apd.Infinite, Negative: true})
	case 1:
		return apd.New(0, -int32(r.IntN(4)))
	case 2: // beyond 64 bits
		d := &sql.Decimal{Exponent: -int32(r.IntN(30)), Negative: r.IntN(2) == 0}
		digits := fmt.Sprint(r.Uint64()|1) + fmt.Sprint(r.Uint64()) + strings.Repeat("0", r.IntN(5))
		d.Coeff.SetString(digits, 10)
		return d
	case 3:
		return apd.New(randomInt(r, 64), -int32(r.IntN(25)))
	}
	d := apd.New(int64(r.IntN(2001)-1000), -int32(r.IntN(5)))
	sql.Rescale(d, d, sql.NumericScale(d)+int32(r.IntN(3))) // 1.0 and 1.00
	return d
}

func randomFixed(r *rand.Rand, t sql.Type) *sql.Decimal {
	n := big.NewInt(int64(r.IntN(7) - 3))
	if r.IntN(2) == 0 {
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(1+r.IntN(int(t.Precision)))), nil)
		n.SetUint64(r.Uint64()).Mul(n, n).Mul(n, n).Mod(n, limit)
		if r.IntN(2) == 0 {
			n.Neg(n)
		}
	}
	d := &sql.Decimal{Exponent: -t.Scale, Negative: n.Sign() < 0}
	d.Coeff.SetMathBigInt(n.Abs(n))
	return d
}

func randomJSON(r *rand.Rand, depth int) string {
	switch n := r.IntN(8); {
	case n == 0:
		return "null"
	case n == 1:
		return pick(r, "true", "false")
	case n <= 3:
		return pick(r, "0", "1", "-1", "1.0", "1.50", "1.5", "12", "100", "-0.001")
	case n <= 5 || depth == 0:
		return `"` + pick(r, "", "a", "b", "ab", `\"`, `a\\b`, "é") + `"`
	case n == 6:
		parts := make([]string, r.IntN(3))
		for i := range parts {
			parts[i] = randomJSON(r, depth-1)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	parts := []string{}
	for _, k := range []string{"a", "b", "cc"} {
		if r.IntN(2) == 0 {
			parts = append(parts, `"`+k+`": `+randomJSON(r, depth-1))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// randomDatum is a value of t, now and then NULL.
func randomDatum(r *rand.Rand, t sql.Type) sql.Datum {
	if r.IntN(8) == 0 {
		return nil
	}
	switch t.Kind {
	case sql.Bool:
		return r.IntN(2) == 0
	case sql.Int2:
		return randomInt(r, 16)
	case sql.Int4:
		return randomInt(r, 32)
	case sql.Int8:
		return randomInt(r, 64)
	case sql.OID:
		return int64(r.Uint32())
	case sql.Float4:
		return float64(float32(randomFloat(r)))
	case sql.Float8:
		return randomFloat(r)
	case sql.Numeric:
		if t.IsFixed() {
			return randomFixed(r, t)
		}
		return randomNumeric(r)
	case sql.Bytea:
		return randomBytes(r)
	case sql.Char:
		s := pick(r, "", "a", "b", "ab", " a", "a b")
		return s + strings.Repeat(" ", int(t.Precision)-len(s))
	case sql.Date:
		return sql.DateValue(randomInt(r, 32))
	case sql.Time:
		return sql.TimeValue(r.Int64N(sql.MicrosPerDay + 1))
	case sql.Timestamp, sql.Timestamptz:
		return sql.TimestampValue(randomInt(r, 64))
	case sql.Interval:
		if r.IntN(2) == 0 {
			return pick(r, sql.IntervalValue{Days: 30}, sql.IntervalValue{Months: 1}, sql.IntervalValue{Micros: 30 * sql.MicrosPerDay},
				sql.IntervalValue{Months: -1, Days: 30}, sql.IntervalValue{})
		}
		return sql.IntervalValue{Micros: randomInt(r, 64), Days: int32(randomInt(r, 32)), Months: int32(randomInt(r, 32))}
	case sql.UUID:
		var u sql.UUIDValue
		for i := range u {
			u[i] = pick[byte](r, 0, 0, 0, 1, 0x80, 0xff)
		}
		return u
	case sql.JSON, sql.JSONB:
		return randomJSON(r, 2)
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		out := make([]sql.Datum, r.IntN(4))
		for i := range out {
			out[i] = randomDatum(r, stream.ElemType(t))
		}
		return out
	case sql.Map:
		m := sql.MapValue{}
		for range r.IntN(3) {
			m = append(m, sql.MapEntry{Key: randomText(r), Value: randomDatum(r, *t.Elem)})
		}
		return m
	case sql.Row:
		row := sql.RowValue{}
		for _, f := range t.Fields {
			row = append(row, randomDatum(r, f.Type))
		}
		return row
	}
	return randomText(r)
}

func randomRow(r *rand.Rand, ts []sql.Type) []sql.Datum {
	row := make([]sql.Datum, len(ts))
	for i, t := range ts {
		row[i] = randomDatum(r, t)
	}
	return row
}

// batchOf makes a batch of rows; ops may be nil.
func batchOf(ts []sql.Type, rows [][]sql.Datum, ops []int8) *stream.Batch {
	b := &stream.Batch{Rows: len(rows), Ops: ops}
	for i, t := range ts {
		cb := stream.NewBuilder(t)
		for _, row := range rows {
			cb.Append(row[i])
		}
		b.Columns = append(b.Columns, cb.Finish())
	}
	return b
}

// rowsOf is a batch's rows.
func rowsOf(ts []sql.Type, b *stream.Batch) [][]sql.Datum {
	rows := make([][]sql.Datum, b.Rows)
	for i := range rows {
		for c, t := range ts {
			rows[i] = append(rows[i], stream.Value(b.Columns[c], t, i))
		}
	}
	return rows
}

// repr prints datums so that only identical ones print alike: scale, sign of zero and NULL count.
func repr(d sql.Datum) string {
	switch d := d.(type) {
	case nil:
		return "NULL"
	case *sql.Decimal:
		return fmt.Sprintf("%v %v %s e%d", d.Form, d.Negative, d.Coeff.String(), d.Exponent)
	case []sql.Datum:
		parts := []string{}
		for _, e := range d {
			parts = append(parts, repr(e))
		}
		return fmt.Sprintf("%q", parts)
	case sql.RowValue:
		return "row" + repr([]sql.Datum(d))
	case sql.MapValue:
		parts := []sql.Datum{}
		for _, e := range d {
			parts = append(parts, e.Key, e.Value)
		}
		return "map" + repr(parts)
	case float64:
		return fmt.Sprintf("%v %v", d, math.Signbit(d) && d == d)
	}
	return fmt.Sprintf("%T %#v", d, d)
}

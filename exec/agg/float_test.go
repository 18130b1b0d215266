package agg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// Aggregates of floats at the ends of their range: there is a result if and only if a value of the
// result's type is near the exact one, computed here in 4096 bits; and where PostgreSQL has one, which
// depends on the order of its rows, it is the same.

var floatFuncs = []string{"sum", "avg", "var_pop", "variance", "stddev_pop", "stddev"}

// rangeValue is a value of any size, and rarely one that is no number.
func rangeValue(r *rand.Rand, typ sql.Type) float64 {
	top := []float64{math.MaxFloat64, 1.5e308, 1e308, 1e200, 0x1p448, 0x1p448 * (1 - 0x1p-53), 1e100, 1, 1e-300, 0}
	if typ.Kind == sql.Float4 {
		top = []float64{math.MaxFloat32, 3e38, 2e38, 1e30, 1, 1e-30, 0}
	}
	v := top[r.IntN(len(top))]
	switch r.IntN(12) {
	case 0:
		v = []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[r.IntN(3)]
	case 1, 2, 3:
		v *= -r.Float64()
	case 4, 5:
		v *= r.Float64()
	case 6:
		v = -v
	}
	if typ.Kind == sql.Float4 {
		return float64(float32(v))
	}
	return v
}

func TestFloatsAtTheirRange(t *testing.T) {
	r := rand.New(rand.NewPCG(seedtest.Seed(t), 0))
	var conn *pgx.Conn
	if !testing.Short() { // needs PostgreSQL
		conn = pgtest.Shared(t).Conn(t)
	}
	for round := range 400 {
		typ := []sql.Type{sql.TypeFloat8, sql.TypeFloat4}[round%2]
		vs := make([]float64, r.IntN(7))
		for i := range vs {
			vs[i] = rangeValue(r, typ)
		}
		noise := make([]float64, r.IntN(4))
		for i := range noise {
			noise[i] = rangeValue(r, typ)
		}
		for _, name := range floatFuncs {
			want := exactFloat(name, typ, vs)
			if strings.HasPrefix(name, "var") || strings.HasPrefix(name, "std") { // what is left of squares beside huge ones is a matter of digits
				noise = slices.DeleteFunc(noise, func(v float64) bool { return math.Abs(v) > 1e100 && v-v == 0 })
			}
			for how, set := range foldedWays(t, r, name, typ, vs, noise) {
				checkRange(t, fmt.Sprintf("%s(%s) of %v, %s %v", name, typ, vs, how, noise), set, name, typ, vs, want)
			}
			if conn != nil {
				comparePostgres(t, conn, name, typ, vs, want)
			}
		}
	}
}

// exact is what a function gives: NULL, a special value, or a number.
type exact struct {
	null    bool
	special float64 // NaN or an infinity; else 0
	v       *big.Float
	noise   float64 // how far rounding may be off
	fits    bool
	edge    bool // too near the end of the range to tell
}

func exactFloat(name string, typ sql.Type, vs []float64) (e exact) {
	squares := name != "sum" && name != "avg"
	sample := name == "variance" || name == "stddev"
	if e.null = len(vs) == 0 || sample && len(vs) < 2; e.null {
		return e
	}
	num := func(x float64) *big.Float { return new(big.Float).SetPrec(4096).SetFloat64(x) }
	sum, size, n := num(0), num(0), num(float64(len(vs)))
	special := 0.0
	for _, v := range vs {
		if v-v != 0 {
			if special += v; squares {
				special = math.NaN()
			}
			continue
		}
		sum.Add(sum, num(v))
		size.Add(size, num(math.Abs(v)))
	}
	if e.special = special; special != 0 {
		return e
	}
	e.v, e.fits = sum, true
	if squares || name == "avg" {
		e.v = new(big.Float).Quo(sum, n)
		size.Quo(size, n)
	}
	if squares {
		mean, dev := e.v, num(0)
		for _, v := range vs {
			d := new(big.Float).Sub(num(v), mean)
			dev.Add(dev, d.Mul(d, d))
		}
		if sample {
			n = num(float64(len(vs) - 1))
		}
		e.v = dev.Quo(dev, n)
		if size.Mul(size, size); strings.HasPrefix(name, "stddev") {
			e.v, size = e.v.Sqrt(e.v), size.Sqrt(size)
		}
	}
	e.noise, _ = size.Mul(size, num(1e-7)).Float64() // a root halves the digits
	e.noise += 1e-150                                // squares of the smallest values are 0
	limit := num(math.MaxFloat64)
	if name == "sum" && typ.Kind == sql.Float4 {
		limit = num(math.MaxFloat32)
	}
	abs := new(big.Float).Abs(e.v)
	e.fits = abs.Cmp(limit) <= 0
	gap := new(big.Float).Sub(abs, limit)
	e.edge = gap.Abs(gap).Cmp(new(big.Float).Mul(limit, num(1e-6))) < 0
	return e
}

// foldedWays folds values, once as they are, once with others that are deleted again, and once in two
// parts, with the partial states between.
func foldedWays(t *testing.T, r *rand.Rand, name string, typ sql.Type, vs, noise []float64) map[string]*Set {
	t.Helper()
	f, err := Lookup(name, []sql.Type{typ}, false)
	if err != nil {
		t.Fatal(err)
	}
	newSet := func(retract bool) *Set {
		s := NewSet([]Call{{Func: f, Args: []int{0}, Filter: -1}}, []sql.Type{typ}, retract)
		s.Grow(1)
		return s
	}
	add := func(s *Set, op int8, vs ...float64) {
		col := stream.Float64s(vs, nil)
		if typ.Kind == sql.Float4 {
			small := []float32{}
			for _, v := range vs {
				small = append(small, float32(v))
			}
			col = stream.Float32s(small, nil)
		}
		b := &stream.Batch{Columns: []arrow.Array{col}, Rows: len(vs), Ops: slices.Repeat([]int8{op}, len(vs))}
		s.Add(slices.Repeat([]uint32{0}, len(vs)), b, nil)
	}
	plain, retract, merged := newSet(false), newSet(true), newSet(true)
	add(plain, stream.Insert, vs...)
	add(retract, stream.Insert, noise...)
	add(retract, stream.Insert, vs...)
	r.Shuffle(len(noise), func(i, j int) { noise[i], noise[j] = noise[j], noise[i] })
	loaded := newSet(true)
	loaded.Load(retract.Partial([]uint32{0}), 1)
	add(loaded, stream.Delete, noise...)

	k := len(vs) / 2
	for _, part := range [][]float64{vs[:k], vs[k:]} {
		half, back := newSet(true), newSet(true)
		add(half, stream.Insert, part...)
		back.Load(half.Partial([]uint32{0}), 1)
		merged.Merge([]uint32{0}, back, []uint32{0})
	}
	ways := map[string]*Set{"plain": plain, "merged": merged, "with deletes of": loaded}
	if (Call{Func: f}).Mergeable(true) { // deletes may come as a state of their own
		apart, group := newSet(true), newSet(true)
		add(apart, stream.Delete, noise...)
		add(group, stream.Insert, noise...)
		group.Merge([]uint32{0}, apart, []uint32{0})
		group.Merge([]uint32{0}, plain, []uint32{0})
		ways["with a state of deletes of"] = group
	}
	return ways
}

func checkRange(t *testing.T, what string, s *Set, name string, typ sql.Type, vs []float64, want exact) {
	t.Helper()
	cols, failed, err := s.Results([]uint32{0})
	if err != nil {
		t.Fatal(err)
	}
	if want.edge {
		return
	}
	if refused := len(failed) > 0; refused != (!want.null && want.special == 0 && !want.fits) {
		t.Errorf("%s: refused: %v, exactly %v", what, refused, want.v)
		return
	} else if refused {
		if e := failed[0].Err; e.Code != sql.CodeNumericOutOfRange || e.Message != "value out of range: overflow" {
			t.Errorf("%s: %v", what, e)
		}
		return
	}
	if cols[0].IsNull(0) || want.null {
		if cols[0].IsNull(0) != want.null {
			t.Errorf("%s: NULL: %v", what, cols[0].IsNull(0))
		}
		return
	}
	var got float64
	if name == "sum" && typ.Kind == sql.Float4 {
		got = float64(stream.Values[float32](cols[0])[0])
	} else {
		got = stream.Values[float64](cols[0])[0]
	}
	// What is deleted again leaves the rounding of sums that it was in.
	if noise := strings.Contains(what, "deletes"); !want.near(got, noise) {
		t.Errorf("%s: %v, exactly %v (%v)", what, got, want.v, want.special)
	}
}

// near tells whether got is the result but for rounding; after deletes, of values of any size, only
// what is special is told apart.
func (e *exact) near(got float64, deletes bool) bool {
	switch {
	case e.special != 0:
		return got == e.special || got != got && e.special != e.special
	case deletes:
		return got-got == 0
	}
	v, _ := e.v.Float64()
	return math.Abs(got-v) <= e.noise+1e-6*math.Abs(v)
}

// comparePostgres asks PostgreSQL for the same; it may refuse where there is a result.
func comparePostgres(t *testing.T, conn *pgx.Conn, name string, typ sql.Type, vs []float64, want exact) {
	t.Helper()
	texts := []string{"NULL"}
	for _, v := range vs {
		texts = append(texts, "'"+strconv.FormatFloat(v, 'g', -1, 64)+"'")
	}
	q := fmt.Sprintf("SELECT %s(x::%s)::float8 FROM unnest(ARRAY[%s]::text[]) x", name, typ, strings.Join(texts, ","))
	var got *float64
	err := conn.QueryRow(context.Background(), q).Scan(&got)
	if pe := (*pgconn.PgError)(nil); errors.As(err, &pe) && pe.Code == sql.CodeNumericOutOfRange {
		if pe.Message != "value out of range: overflow" {
			t.Errorf("%s: %v", q, pe)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	switch {
	case want.edge:
	case (got == nil) != want.null:
		t.Errorf("%s: %v", q, got)
	case got != nil && (want.special == 0 && !want.fits || !want.near(*got, false)):
		t.Errorf("%s: PostgreSQL has %v, exactly %v (%v)", q, *got, want.v, want.special)
	}
}

// TestNumericsAtTheirRange: a numeric has 131072 digits before its point at most.
func TestNumericsAtTheirRange(t *testing.T) {
	big9 := "9e131071"
	for _, c := range []struct {
		name, values string
		refused      bool
	}{
		{"sum", big9, false},
		{"sum", big9 + " 9e131070", false},
		{"sum", big9 + " " + big9, true},
		{"avg", big9 + " " + big9, false},
		{"sum", big9 + " " + big9 + " Infinity", false},
		{"var_pop", "1e70000 -1e70000", true},
		{"stddev_pop", "1e70000 -1e70000", false},
		{"sum", "-9e131071 -9e131071", true},
	} {
		f, err := Lookup(c.name, []sql.Type{sql.TypeNumeric}, false)
		if err != nil {
			t.Fatal(err)
		}
		s := NewSet([]Call{{Func: f, Args: []int{0}, Filter: -1}}, []sql.Type{sql.TypeNumeric}, true)
		s.Grow(1)
		var rows []oracleRow
		for _, v := range strings.Fields(c.values) {
			rows = append(rows, oracleRow{text: &v})
		}
		add(s, sql.TypeNumeric, rows, nil)
		_, failed, err := s.Results([]uint32{0})
		if err != nil || len(failed) > 0 != c.refused {
			t.Errorf("%s of %s: %v, %v", c.name, c.values, failed, err)
		}
		if c.refused && failed[0].Err.Message != "value overflows numeric format" {
			t.Errorf("%s of %s: %v", c.name, c.values, failed[0].Err)
		}
	}
}

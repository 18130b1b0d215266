package expr

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// BenchmarkKernels measures one evaluation over a batch; ns/row is what counts, and allocs/op, which
// do not grow with the rows.
func BenchmarkKernels(b *testing.B) {
	col := func(name string) Expr {
		i := benchSchema.Index(name)
		return Column(i, name, benchSchema[i].Type)
	}
	op := func(op string, args ...Expr) Expr { return Fold(must(Operator(op, args...))) }
	two := Literal(int64(2), sql.TypeInt4)
	for _, bench := range []struct {
		name string
		e    Expr
	}{
		{"bigint + bigint", op("+", col("l"), col("l2"))},
		{"bigint + const", op("+", col("l"), two)},
		{"bigint * bigint", op("*", col("l"), col("l2"))},
		{"int = const", op("=", col("i"), two)},
		{"int + bigint", op("+", col("i"), col("l"))},
		{"float8 * float8", op("*", col("d"), col("d"))},
		{"numeric(10,2) + numeric(10,2)", op("+", col("m"), col("m"))},
		{"numeric(10,2) * 1.1", op("*", col("m"), must(CastTo(lit("1.1"), sql.FixedNumeric(2, 1), Explicit)))},
		{"numeric(10,2) > 100", op(">", col("m"), Literal(int64(100), sql.TypeInt4))},
		{"numeric + numeric", op("+", col("n"), col("n"))},
		{"numeric / int", op("/", col("m"), col("i2"))},
		{"text = const", op("=", col("t"), lit("abc"))},
		{"text like prefix", must(Like(col("t"), lit("ab%"), nil, false, false))},
		{"text || text", op("||", col("t"), col("t"))},
		{"i > 2 AND l < l2", must(And(op(">", col("i"), two), op("<", col("l"), col("l2"))))},
		{"timestamp - interval", op("-", col("p"), must(CastTo(lit("5 seconds"), sql.TypeInterval, Explicit)))},
		{"case", must(Case(nil, []When{{op(">", col("i"), two), col("l")}}, col("l2")))},
		{"coalesce", must(Coalesce(col("l"), col("l2")))},
		{"text in (3)", Fold(must(In(col("t"), []Expr{lit("a"), lit("abc"), lit("x")}, false)))},
		{"int to text", must(CastTo(col("i"), sql.TypeText, Explicit))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			batch := benchBatch()
			c := &Context{}
			b.ReportAllocs()
			for b.Loop() {
				EvalVector(c, bench.e, batch)
			}
			if c.Failed() {
				b.Fatal(c.TakeFirst())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(batch.Rows), "ns/row")
		})
	}
}

var benchSchema = sql.Schema{
	{Name: "i", Type: sql.TypeInt4}, {Name: "i2", Type: sql.TypeInt4},
	{Name: "l", Type: sql.TypeInt8}, {Name: "l2", Type: sql.TypeInt8},
	{Name: "d", Type: sql.TypeFloat8}, {Name: "m", Type: sql.FixedNumeric(10, 2)}, {Name: "n", Type: sql.TypeNumeric},
	{Name: "t", Type: sql.TypeText}, {Name: "p", Type: sql.TypeTimestamp},
}

// benchBatch is a full batch in which every tenth bigint of one column is NULL.
func benchBatch() *stream.Batch {
	r := rand.New(rand.NewPCG(1, 1))
	builders := make([]*stream.Builder, len(benchSchema))
	for i, c := range benchSchema {
		builders[i] = stream.NewBuilder(c.Type)
	}
	for row := range stream.TargetRows {
		for i, c := range benchSchema {
			v := int64(r.IntN(1000) + 1)
			var d sql.Datum
			switch c.Type.Kind {
			case sql.Int4, sql.Int8:
				if d = v; c.Name == "l" && row%10 == 0 {
					d = nil
				}
			case sql.Float8:
				d = float64(v)
			case sql.Numeric:
				d = new(sql.Decimal).SetFinite(v*100+25, -2)
			case sql.Text:
				d = []string{"abc", "abd", "hello world", "xyz"}[v%4]
			case sql.Timestamp:
				d = sql.TimestampValue(1.7e15 + v)
			}
			builders[i].Append(d)
		}
	}
	batch := &stream.Batch{Rows: stream.TargetRows, Columns: make([]arrow.Array, len(builders))}
	for i, b := range builders {
		batch.Columns[i] = b.Finish()
	}
	return batch
}

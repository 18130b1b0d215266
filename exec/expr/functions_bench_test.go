package expr

import (
	"fmt"
	"testing"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// BenchmarkFunctions evaluates functions of the kind that streams use over batches; ns/op is for a
// batch of 4096 rows, of which allocations should be few and not grow with the rows.
func BenchmarkFunctions(b *testing.B) {
	schema := sql.Schema{{Name: "j", Type: sql.TypeJSONB}, {Name: "t", Type: sql.TypeText}, {Name: "ts", Type: sql.TypeTimestamp}}
	batch := &stream.Batch{Rows: stream.TargetRows}
	for _, c := range schema {
		col := stream.NewBuilder(c.Type)
		for i := range batch.Rows {
			switch c.Name {
			case "j":
				col.Append(fmt.Sprintf(`{"id": %d, "tags": ["a", "b"], "user": {"name": "user %d"}, "amount": 12.50}`, i, i))
			case "t":
				col.Append(fmt.Sprintf("GET /api/v1/orders/%d HTTP/1.1", i))
			default:
				col.Append(sql.TimestampValue(1_700_000_000_000_000 + int64(i)*1_234_567))
			}
		}
		batch.Columns = append(batch.Columns, col.Finish())
	}
	column := func(i int) Expr { return Column(i, schema[i].Name, schema[i].Type) }
	text := func(s string) Expr { return Literal(s, sql.TypeText) }
	for _, bc := range []struct {
		name string
		make func() (Expr, error)
	}{
		{"json ->>", func() (Expr, error) { return Operator("->>", column(0), text("amount")) }},
		{"~", func() (Expr, error) { return Operator("~", column(1), text(`/orders/[0-9]+1 `)) }},
		{"lower", func() (Expr, error) { return Call("lower", []Expr{column(1)}) }},
		{"split_part", func() (Expr, error) {
			return Call("split_part", []Expr{column(1), text("/"), Literal(int64(4), sql.TypeInt4)})
		}},
		{"extract epoch", func() (Expr, error) { return Call("extract", []Expr{text("epoch"), column(2)}) }},
		{"extract month", func() (Expr, error) { return Call("extract", []Expr{text("month"), column(2)}) }},
		{"date_trunc", func() (Expr, error) { return Call("date_trunc", []Expr{text("hour"), column(2)}) }},
		{"to_char", func() (Expr, error) { return Call("to_char", []Expr{column(2), text("YYYY-MM-DD HH24:MI:SS")}) }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			e, err := bc.make()
			if err != nil {
				b.Fatal(err)
			}
			c := &Context{}
			b.ReportAllocs()
			for b.Loop() {
				Eval(c, e, batch)
			}
			b.ReportMetric(float64(b.N)*float64(batch.Rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

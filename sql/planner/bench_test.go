package planner

import (
	"context"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

const benchTables = `CREATE TABLE t (id INT PRIMARY KEY, k TEXT, v BIGINT)`

func benchQuery(b *testing.B, src string) (*testCatalog, *ast.Query) {
	b.Helper()
	c := newTestCatalog()
	if err := c.defineAll(benchTables); err != nil {
		b.Fatal(err)
	}
	stmt, err := parser.ParseOne(src)
	if err != nil {
		b.Fatal(err)
	}
	return c, stmt.(*ast.Query)
}

// BenchmarkPlanPointRead is what preparing a point read costs, without parsing.
func BenchmarkPlanPointRead(b *testing.B) {
	c, q := benchQuery(b, "SELECT k, v FROM t WHERE id = $1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PlanQuery(testEnv(c), q, Purpose{Target: Batch}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGraphPointRead is what each execution of a prepared point read adds to the read itself.
func BenchmarkGraphPointRead(b *testing.B) {
	c, q := benchQuery(b, "SELECT k, v FROM t WHERE id = $1")
	p, err := PlanQuery(testEnv(c), q, Purpose{Target: Batch})
	if err != nil {
		b.Fatal(err)
	}
	open := func(s *Scan) (*exec.SourceSpec, int, error) {
		return &exec.SourceSpec{Open: func(context.Context) (connectors.Source, error) { return rowsOf(nil), nil }}, 1, nil
	}
	rt := &Runtime{Parallelism: 2, Params: []sql.Datum{int64(7)}, Context: &expr.Context{}, Open: open}
	b.ReportAllocs()
	for b.Loop() {
		g, err := p.Graph(rt)
		if err != nil {
			b.Fatal(err)
		}
		if err := exec.RunQuery(context.Background(), g, exec.QueryEnv{}, func(*stream.Batch) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

package planner

import (
	"context"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
)

// A query that reads no column of a relation asks for none, and not for all.
func TestScanOfNoColumns(t *testing.T) {
	c := newTestCatalog()
	if err := c.defineAll("CREATE TABLE t (id INT PRIMARY KEY, s TEXT)"); err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []Purpose{{}, {Target: ToView}} {
		for _, q := range []string{"SELECT count(*) FROM t", "SELECT 1 FROM t"} {
			p := mustPlan(t, c, q, purpose)
			asked := [][]int{}
			open := func(s *Scan) (*exec.SourceSpec, int, error) {
				asked = append(asked, s.Columns)
				return &exec.SourceSpec{Open: func(context.Context) (connectors.Source, error) { return rowsOf(nil), nil }}, 1, nil
			}
			if _, err := p.Graph(&Runtime{Parallelism: 2, Context: &expr.Context{}, Open: open}); err != nil {
				t.Fatal(err)
			}
			keys := 0
			if q == "SELECT 1 FROM t" && purpose.Target == ToView {
				keys = 1 // the view's stream key
			}
			if len(asked) != 1 || asked[0] == nil || len(asked[0]) != keys {
				t.Errorf("%s: asks for %v", q, asked)
			}
		}
	}
}

package planner

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
)

// TestDistinctCalls: there are so many, each has cells of its own, and no more.
func TestDistinctCalls(t *testing.T) {
	c := newTestCatalog()
	if err := c.defineAll("CREATE TABLE t (k INT, v INT)"); err != nil {
		t.Fatal(err)
	}
	query := func(calls int) string {
		list := make([]string, calls)
		for i := range list {
			list[i] = fmt.Sprintf("count(DISTINCT v %% %d), sum(v + %[1]d)", i+1)
		}
		// Equal calls are one.
		return "SELECT k, " + strings.Join(append(list, list[0]), ", ") + " FROM t GROUP BY k"
	}
	if _, err := planText(c, query(exec.MaxDistinctCalls), Purpose{Target: ToView}, &datadriven.TestData{}); err != nil {
		t.Error(err)
	}
	_, err := planText(c, query(exec.MaxDistinctCalls+1), Purpose{Target: ToView}, &datadriven.TestData{})
	var e *sql.Error
	if !errors.As(err, &e) || e.Code != "54000" || !strings.Contains(e.Message, "maximum 252") || e.Position == 0 {
		t.Errorf("one too many: %v", err)
	}
}

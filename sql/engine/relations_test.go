package engine

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/sql/planner"
)

// What is cached of a table goes with it: dropped, rolled back, or never there because its statement failed.
func TestRelationsAreForgotten(t *testing.T) {
	n := newNode(t, "")
	for i := range 20 {
		n.exec(fmt.Sprintf("BEGIN; CREATE TABLE forgotten_%d (a int PRIMARY KEY); INSERT INTO forgotten_%[1]d VALUES (1); ROLLBACK", i))
		n.exec("CREATE TABLE forgotten (a int PRIMARY KEY, b text)")
		n.exec("SELECT * FROM forgotten")
		n.exec("INSERT INTO forgotten VALUES (1); DROP TABLE forgotten")
	}
	eventually(t, testWait, func() error {
		runtime.GC()
		var left []string
		planned.Range(func(_, r any) bool {
			if name := r.(*planner.Relation).Name; strings.HasPrefix(name, "forgotten") {
				left = append(left, name)
			}
			return true
		})
		if len(left) > 2 { // the last ones may be in somebody's registers
			return fmt.Errorf("still cached: %q", left)
		}
		return nil
	})
}

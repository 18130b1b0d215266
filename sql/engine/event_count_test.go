package engine

import (
	"fmt"
	"testing"
)

// What a job has had of dead letters is counted for ever, from 0 on.
func TestEventCountsOutliveTheProcess(t *testing.T) {
	n := newNode(t, "", &memoryTarget{})
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	counted := func(want float64) {
		t.Helper()
		eventually(t, testWait, func() error {
			got, err := n.metric("streamsql_dead_letters_total", "out")
			if err == nil && got != want {
				err = fmt.Errorf("%v dead letters counted, want %v", got, want)
			}
			return err
		})
	}
	counted(0) // a rate needs something to begin with
	if got, err := n.metric("streamsql_late_rows_total", "out"); err != nil || got != 0 {
		t.Errorf("%v late rows counted: %v", got, err)
	}
	n.exec("INSERT INTO src VALUES ('bad'), ('a'), ('bad')")
	counted(2)
	n.stop()
	n.start()
	counted(2)
	n.exec("INSERT INTO src VALUES ('bad')")
	counted(3)
}

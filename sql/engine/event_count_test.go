package engine

import (
	"fmt"
	"testing"

	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// What a job has had of dead letters is counted for ever.
func TestEventCountsOutliveTheProcess(t *testing.T) {
	n := newNode(t, "", &memoryTarget{})
	n.exec("CREATE TABLE src (v text)")
	n.exec("CREATE SINK out FROM src WITH (connector = 'memory')")
	counted := func(want int64) {
		t.Helper()
		id := n.e.catalog.Load().All(catalog.Sink)[0].ID
		eventually(t, testWait, func() error {
			n.e.events.mu.Lock()
			defer n.e.events.mu.Unlock()
			if got := n.e.events.counts[id].Dead; got != want {
				return fmt.Errorf("%d dead letters counted, want %d", got, want)
			}
			return nil
		})
	}
	n.exec("INSERT INTO src VALUES ('bad'), ('a'), ('bad')")
	counted(2)
	n.stop()
	n.start()
	counted(2)
	n.exec("INSERT INTO src VALUES ('bad')")
	counted(3)
}

package engine

import (
	"cmp"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
)

func TestBottleneck(t *testing.T) {
	busy := func(name, task string, busy, waited time.Duration) exec.OperatorSnapshot {
		return exec.OperatorSnapshot{Fragment: task, ID: name, Name: name, Busy: busy, Waited: waited}
	}
	sources := func(lag int64, why string) []exec.SourceStats {
		return []exec.SourceStats{{Name: "orders", Splits: []exec.SplitStats{{SplitStatus: connectors.SplitStatus{Position: 10, End: 10 + lag, Error: why}}}}}
	}
	const ms = time.Millisecond
	for _, c := range []struct {
		want   string
		behind bool
		now    exec.JobStats
	}{
		{"", false, exec.JobStats{Sources: sources(0, ""), Operators: []exec.OperatorSnapshot{busy("Filter", "a", 50*ms, 900*ms)}}},
		{"sink target", true, exec.JobStats{Sources: sources(9, "away")}},
		{"source orders away", false, exec.JobStats{Sources: sources(9, "connection refused")}},
		{"source orders", false, exec.JobStats{Sources: sources(9, ""), Operators: []exec.OperatorSnapshot{busy("Filter", "a", 50*ms, 900*ms)}}},
		{"commit", false, exec.JobStats{Sources: sources(9, ""), Commit: 600 * ms}},
		{"Aggregate", false, exec.JobStats{Sources: sources(9, ""), Operators: []exec.OperatorSnapshot{
			busy("Filter", "a", 100*ms, 800*ms), busy("Aggregate", "b", 800*ms, 50*ms), busy("Project", "b", 100*ms, 50*ms)}}},
		{"source", false, exec.JobStats{Sources: sources(9, ""), Operators: []exec.OperatorSnapshot{busy("Filter", "a", 100*ms, 10*ms)}}},
		{"sink target", false, exec.JobStats{Sources: sources(9, ""), Operators: []exec.OperatorSnapshot{
			busy("Filter", "a", 100*ms, 800*ms), busy(writeOperator, "b", 950*ms, 50*ms)}}},
	} {
		if got := bottleneck(exec.JobStats{}, c.now, time.Second, c.behind); got != c.want {
			t.Errorf("got %s, want %s", cmp.Or(got, "nothing"), cmp.Or(c.want, "nothing"))
		}
	}
}

package engine

import (
	"cmp"
	"strings"
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
		before := exec.JobStats{Sources: c.now.Sources}
		if got := bottleneck(before, c.now, time.Second, c.behind); got != c.want {
			t.Errorf("got %s, want %s", cmp.Or(got, "nothing"), cmp.Or(c.want, "nothing"))
		}
	}
}

// What a source had a second ago is to be read by now; what came since is not.
func TestLagging(t *testing.T) {
	view := func(position, end int64) exec.JobStats {
		return exec.JobStats{Sources: []exec.SourceStats{{ID: "s1", Name: "v", Splits: []exec.SplitStats{{SplitStatus: connectors.SplitStatus{Topic: "public.v", Position: position, End: end}}}}}}
	}
	for _, c := range []struct {
		before, now exec.JobStats
		want        string
	}{
		{view(7, 9), view(9, 10), ""},
		{view(7, 9), view(8, 10), "v"},
		{view(0, 9), view(0, 9), "v"}, // the backfill
		{view(7, -1), view(8, -1), ""},
		{exec.JobStats{}, view(7, 9), ""}, // before the first look
	} {
		if got := bottleneck(c.before, c.now, time.Second, false); got != strings.TrimSuffix("source "+c.want, "source ") {
			t.Errorf("got %q, want source %q", got, c.want)
		}
	}
}

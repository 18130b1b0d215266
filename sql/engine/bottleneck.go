package engine

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/exec"
)

// bottleneckPeriod is how long is measured to find the bottleneck of a job.
const bottleneckPeriod = time.Second

// What passes for the bottleneck: a task that works for busyShare of the time, or commits that take
// commitShare of it.
const (
	busyShare   = 0.7
	commitShare = 0.5
)

// measure looks for the job's bottleneck until ctx ends.
func (j *job) measure(ctx context.Context, run *exec.Job, d *delivery) {
	tick := time.NewTicker(bottleneckPeriod)
	defer tick.Stop()
	before, at := run.Stats(), time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now, s := time.Now(), run.Stats()
		name := bottleneck(before, s, now.Sub(at), d != nil && d.backlog.behind())
		before, at = s, now
		j.set(func(st *jobStatus) { st.bottleneck = name })
	}
}

// bottleneck names what held a job back between two measurements: the target of its sink, a source
// that is away, commits, the operator of the task that works all the time, or a source that has more
// than it brings. It is empty when the job keeps up.
func bottleneck(before, now exec.JobStats, took time.Duration, targetBehind bool) string {
	if targetBehind {
		return bottleneckTarget
	}
	for _, src := range now.Sources {
		for _, sp := range src.Splits {
			if sp.Error != "" {
				return "source " + src.Name + " away"
			}
		}
	}
	if float64(now.Commit-before.Commit) > commitShare*float64(took) {
		return "commit"
	}
	if name, share := busiest(before, now, took); share > busyShare {
		return name
	}
	if lags := lagging(before, now); lags != "" {
		return "source " + lags
	}
	return ""
}

// lagging is a source of which the job has not read yet what was there at the measurement before. What
// came since is no lag: a job that reads a view epoch by epoch is often one behind, and keeps up.
func lagging(before, now exec.JobStats) (name string) {
	type key struct {
		source, topic string
		partition     int32
	}
	ends := map[key]int64{}
	for _, src := range before.Sources {
		for _, sp := range src.Splits {
			ends[key{src.ID, sp.Topic, sp.Partition}] = sp.End
		}
	}
	for _, src := range now.Sources {
		for _, sp := range src.Splits {
			if end, ok := ends[key{src.ID, sp.Topic, sp.Partition}]; ok && sp.Position < end {
				name = src.Name
			}
		}
	}
	return name
}

const bottleneckTarget = "sink target"

// busiest is the operator that takes most of the time of the task that waits least, and the share of
// the time that the task works. What is no operator's is the source's: fetching and decoding.
func busiest(before, now exec.JobStats, took time.Duration) (name string, share float64) {
	type key struct {
		fragment, id string
		task         int
	}
	was := map[key]exec.OperatorSnapshot{}
	for _, op := range before.Operators {
		was[key{op.Fragment, op.ID, op.Task}] = op
	}
	for i := 0; i < len(now.Operators); {
		first := now.Operators[i]
		worked := took
		rest, most, slowest := time.Duration(0), time.Duration(0), ""
		for ; i < len(now.Operators) && now.Operators[i].Fragment == first.Fragment && now.Operators[i].Task == first.Task; i++ {
			op := now.Operators[i]
			old := was[key{op.Fragment, op.ID, op.Task}]
			busy := op.Busy - old.Busy
			worked = took - (op.Waited - old.Waited)
			rest += busy
			if busy > most {
				most, slowest = busy, op.Name
			}
		}
		if slowest == "" || worked-rest > most {
			slowest = "source"
		}
		if slowest == writeOperator {
			slowest = bottleneckTarget
		}
		if s := float64(worked) / float64(took); s > share {
			name, share = slowest, s
		}
	}
	return name, share
}

// writeOperator hands rows to a target at least once.
const writeOperator = "Write"

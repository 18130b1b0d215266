package exec

import (
	"time"

	"github.com/streamsql/streamsql/exec/stream"
)

// JobStats is what a job has done in this run, for metrics and system tables.
type JobStats struct {
	Commit    time.Duration // spent on commits
	Sources   []SourceStats
	Operators []OperatorSnapshot
}

// SourceStats is one source of a job.
type SourceStats struct {
	ID, Name string
	Records  int64
	Bytes    int64
	Dead     int64 // records that could not be decoded
	Skewed   int64 // rows ahead of the future guard
	Untimed  int64 // rows without an event time, which are in no window
	Splits   []SplitStats
}

// OperatorSnapshot is one operator of one task.
type OperatorSnapshot struct {
	Fragment   string
	Task       int
	ID, Name   string
	RowsIn     int64
	RowsOut    int64
	Busy       time.Duration // at work in it
	Blocked    time.Duration // of the task: waiting for room downstream
	Waited     time.Duration // of the task: for input or for room
	LateRows   int64
	DeadRows   int64
	StateBytes int64
	Watermark  stream.Watermark // of the task; MinWatermark = none yet
}

// Stats may be called at any time, from any goroutine. Before Run has begun it is zero.
func (j *Job) Stats() JobStats {
	r := j.run.Load()
	if r == nil {
		return JobStats{}
	}
	s := JobStats{Commit: time.Duration(r.env.commitTime.Load())}
	for _, g := range r.sources {
		s.Sources = append(s.Sources, g.stats())
	}
	now := time.Now()
	for _, t := range r.tasks {
		f := t.fragment
		for i, o := range t.task.ops {
			s.Operators = append(s.Operators, OperatorSnapshot{
				Fragment: f.Name, Task: t.task.Index, ID: f.Operators[i].ID, Name: f.Operators[i].Name,
				RowsIn: o.RowsIn.Load(), RowsOut: o.RowsOut.Load(), Busy: time.Duration(o.Busy.Load()),
				Blocked: time.Duration(t.stats.Blocked.Load()), Waited: t.stats.Waited(now),
				LateRows: o.LateRows.Load(), DeadRows: o.DeadRows.Load(), StateBytes: o.StateBytes.Load(),
				Watermark: stream.Watermark(t.stats.Watermark.Load()),
			})
		}
	}
	return s
}

func (g *sourceGroup) stats() SourceStats {
	s := SourceStats{ID: g.spec.ID, Name: g.spec.Name}
	for _, t := range g.tasks {
		s.Records += t.totals.Records.Load()
		s.Bytes += t.totals.Bytes.Load()
		s.Dead += t.totals.Dead.Load()
		s.Skewed += t.totals.Skewed.Load()
		s.Untimed += t.totals.Untimed.Load()
		if splits := t.status.Load(); splits != nil {
			s.Splits = append(s.Splits, *splits...)
		}
	}
	return s
}

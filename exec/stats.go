package exec

import (
	"time"

	"github.com/streamsql/streamsql/exec/stream"
)

// Stats is what a running job measures. Counters count from the start of the run.
type Stats struct {
	Sources []SourceStats
	Tasks   []TaskSnapshot
	RowsOut int64 // put out by the last operators
}

// SourceStats is a source over all its tasks.
type SourceStats struct {
	Name                         string
	Records, Bytes, Dead, Skewed int64
	Splits                       []SplitStats
}

// TaskSnapshot is a task with its operators in order.
type TaskSnapshot struct {
	Fragment      string
	Index         int
	Blocked, Idle time.Duration
	Watermark     stream.Watermark
	Operators     []OperatorSnapshot
}

// OperatorSnapshot is an operator of a task.
type OperatorSnapshot struct {
	Name               string
	RowsIn, RowsOut    int64
	Busy               time.Duration
	LateRows, DeadRows int64
	StateBytes         int64
}

// Stats measures now; it is empty before the run has begun. It may be called from any goroutine.
func (j *Job) Stats() Stats {
	r := j.run.Load()
	if r == nil {
		return Stats{}
	}
	var s Stats
	for _, g := range r.sources {
		src := SourceStats{Name: g.spec.Name}
		for _, t := range g.tasks {
			src.Records += t.totals.Records.Load()
			src.Bytes += t.totals.Bytes.Load()
			src.Dead += t.totals.Dead.Load()
			src.Skewed += t.totals.Skewed.Load()
			if splits := t.status.Load(); splits != nil {
				src.Splits = append(src.Splits, *splits...)
			}
		}
		s.Sources = append(s.Sources, src)
	}
	last := r.graph.Fragments[len(r.graph.Fragments)-1]
	for _, t := range r.tasks {
		snap := TaskSnapshot{Fragment: t.task.Fragment, Index: t.task.Index, Blocked: time.Duration(t.stats.Blocked.Load()),
			Idle: time.Duration(t.stats.Idle.Load()), Watermark: stream.Watermark(t.stats.Watermark.Load())}
		for i, op := range t.task.ops {
			snap.Operators = append(snap.Operators, OperatorSnapshot{Name: r.fragment(t).Operators[i].Name, RowsIn: op.RowsIn.Load(), RowsOut: op.RowsOut.Load(),
				Busy: time.Duration(op.Busy.Load()), LateRows: op.LateRows.Load(), DeadRows: op.DeadRows.Load(), StateBytes: op.StateBytes.Load()})
		}
		if n := len(snap.Operators); n > 0 && t.task.Fragment == last.Name {
			s.RowsOut += snap.Operators[n-1].RowsIn
		}
		s.Tasks = append(s.Tasks, snap)
	}
	return s
}

// fragment is the fragment of a task.
func (r *run) fragment(t *runner) *Fragment {
	for _, f := range r.graph.Fragments {
		if f.Name == t.task.Fragment {
			return f
		}
	}
	return nil
}

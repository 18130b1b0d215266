package engine

import (
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// logName names a relation's log in the positions of the jobs that read it.
func logName(o *catalog.Object) string { return o.Schema + "." + o.Name }

// readUpTo is the last epoch of a relation's log that the job has read and committed; known is false
// before its first commit. With backfilled false the rows that were there before are still being read.
func (j *job) readUpTo(relation uint32) (epoch uint64, backfilled, known bool, err error) {
	o := j.e.catalog.Load().Get(relation)
	j.mu.Lock()
	meta := j.meta
	j.mu.Unlock()
	if o == nil || meta == 0 {
		return 0, false, false, nil
	}
	p, ok, err := exec.ReadProgress(j.e.store, meta, logName(o))
	if err != nil || !ok || p.Next == 0 {
		return 0, false, false, err
	}
	return uint64(p.Next - 1), p.Backfilled, true, nil
}

// stats is what the running job measures; the zero value between runs.
func (j *job) stats() exec.JobStats {
	j.mu.Lock()
	run := j.run
	j.mu.Unlock()
	if run == nil {
		return exec.JobStats{}
	}
	return run.Stats()
}

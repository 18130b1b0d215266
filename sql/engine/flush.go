package engine

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// flush is FLUSH. What the statements before it in the same query did is committed first: it could
// not be in any view before.
func (s *session) flush(ctx context.Context) error {
	if s.tx != nil && s.tx.explicit {
		return sql.Errorf(sql.CodeActiveTransaction, "FLUSH cannot run inside a transaction block")
	}
	if s.tx != nil {
		if err := s.endTx(true); err != nil {
			return err
		}
	}
	return s.e.flush(ctx)
}

// flush waits until what was inserted into tables before it is in every view and sink that reads
// them, directly or through other views.
//
// Each job must have read its inputs up to an epoch: for a table, its last change when FLUSH began; for
// a view, the epoch at which that view's own job was done. A failing or paused job is an error.
func (e *Engine) flush(ctx context.Context) error {
	snap := e.catalog.Load()
	target := map[uint32]uint64{} // by relation: what its readers must have read
	for _, o := range snap.All(catalog.Table) {
		if o.Connector == "" {
			last, err := lastEpoch(e.store, changelogOf(o))
			if err != nil {
				return err
			}
			target[o.ID] = last
		}
	}
	for _, o := range jobsInOrder(snap) {
		j := e.jobs.get(o.ID)
		if j == nil {
			continue
		}
		for _, dep := range o.Deps {
			want, ok := target[dep]
			if !ok {
				continue
			}
			if err := j.awaitPosition(ctx, dep, want); err != nil {
				return err
			}
		}
		if o.Kind != catalog.MaterializedView {
			continue
		}
		// What was waited for is committed; the log holds what came of it.
		last, err := lastEpoch(e.store, changelogOf(o))
		if err != nil {
			return err
		}
		target[o.ID] = last
	}
	return nil
}

// jobsInOrder lists the objects with jobs, each after those that it reads.
func jobsInOrder(snap *catalog.Snapshot) []*catalog.Object {
	var out []*catalog.Object
	seen := map[uint32]bool{}
	var visit func(o *catalog.Object)
	visit = func(o *catalog.Object) {
		if o == nil || seen[o.ID] {
			return
		}
		seen[o.ID] = true
		for _, d := range o.Deps {
			visit(snap.Get(d))
		}
		if o.HasJob() {
			out = append(out, o)
		}
	}
	for _, o := range snap.All(catalog.MaterializedView, catalog.Sink, catalog.Job) {
		visit(o)
	}
	return out
}

// awaitPosition waits until the job has committed having read a relation's log up to an epoch.
func (j *job) awaitPosition(ctx context.Context, relation uint32, epoch uint64) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		at, backfilled, known, err := j.readUpTo(relation)
		if err != nil || known && backfilled && at >= epoch {
			return err
		}
		st := j.status()
		if st.state == jobPaused || st.state == jobFailed || st.state == jobRestarting && st.restarts > 2 {
			return sql.Errorf(sql.CodeObjectNotInState, "job %q is %s", j.obj.Name, st.state).WithDetail("%s", st.lastError)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

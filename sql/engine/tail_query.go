package engine

import (
	"context"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/state"
)

// tailQuery follows a query that is not just a relation: a job of its own writes a log, which the
// subscription reads and trims. Its state goes with it; after a crash the next start sweeps it.
func (e *Engine) tailQuery(plan *planner.Plan, set *settingsStack) (*tailRows, error) {
	types := plan.Schema().Types()
	log := state.NewChangelog(state.TableID(e.newID()), types)
	b := &jobBuild{e: e, meta: state.TableID(e.newID()), tables: map[string]state.TableID{}}
	ctx, cancel := context.WithCancelCause(e.ctx)
	ec := expr.Context{Now: nowMicros(), Location: set.location()}
	out := planner.Output{Spread: exec.Hash, Operators: []exec.OperatorSpec{
		{Name: "SubscribeLog", Out: plan.Schema(), New: exec.NewMaterialize(nil, log)}}}
	open := &opener{e: e, snap: e.catalog.Load()}
	g, err := plan.Graph(&planner.Runtime{Parallelism: e.parallelism(set), Context: &ec, Open: open.open, Output: out})
	if err != nil {
		cancel(nil)
		return nil, err
	}
	for _, op := range g.StateIDs() {
		b.tables[op] = state.TableID(e.newID())
	}
	t := e.newTail(0, "subscription", types, plan.StreamKey(), len(plan.Columns), log)
	t.trim = true
	run := exec.NewJob(g, exec.JobConfig{Store: e.store, Meta: b.meta, Tables: b.tables, Memory: e.memory, Location: set.location()})
	done := make(chan error, 1)
	go func() {
		err := guarded("run the subscription", func() error { return run.Run(ctx) })
		done <- err
		t.wake()
	}()
	t.failed = func() error {
		select {
		case err := <-done:
			done <- err
			if err == nil {
				return errSubscriptionEnded
			}
			return err
		default:
			return nil
		}
	}
	t.onClose = func() {
		cancel(errStopped)
		<-done
		w := e.store.NewBatch()
		for _, id := range append([]state.TableID{log.ID(), b.meta}, tableIDs(b.tables)...) {
			w.DeleteRange(state.TableRange(id))
		}
		if err := w.CommitNoSync(); err != nil {
			e.log.Warn("state of a subscription stays until the next start", "error", err)
		}
	}
	return t, nil
}

// errSubscriptionEnded ends the rows of a subscription whose inputs are all bounded.
var errSubscriptionEnded = &sql.Error{Code: "02000", Message: "the subscription has ended"}

func tableIDs(m map[string]state.TableID) []state.TableID {
	var ids []state.TableID
	for _, id := range m {
		ids = append(ids, id)
	}
	return ids
}

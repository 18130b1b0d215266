package engine

import (
	"cmp"
	"time"

	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// trimPeriod is how often changelogs are trimmed.
const trimPeriod = time.Second

// trimLoop keeps each changelog as short as its slowest reader allows, so that disk use is bounded
// by state and not by history. Sinks trim their own logs, behind what they have delivered.
func (e *Engine) trimLoop() {
	defer close(e.trimmed)
	tick := time.NewTicker(trimPeriod)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := e.trimChangelogs(); err != nil {
				e.log.Warn("changelogs not trimmed", "error", err)
			}
		case <-e.ctx.Done():
			return
		}
	}
}

func (e *Engine) trimChangelogs() error {
	snap := e.catalog.Load()
	b := e.store.NewBatch()
	for _, o := range snap.All(catalog.Table, catalog.MaterializedView) {
		if !o.Rows() {
			continue
		}
		upto, err := e.readByAll(snap, o)
		if err != nil {
			return err
		}
		log := changelogOf(o)
		first, err := log.First(e.store)
		if err != nil {
			return err
		}
		if first == 0 || first > upto {
			continue
		}
		if err := log.Trim(e.store, b, upto); err != nil {
			return err
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return b.CommitNoSync()
}

// readByAll is the last epoch of a relation's log that nobody needs any more: every job that reads
// it has committed having read it, and so has every subscriber that is not too far behind.
func (e *Engine) readByAll(snap *catalog.Snapshot, o *catalog.Object) (uint64, error) {
	// The log's end must be looked up before the readers: a job that starts meanwhile reads from a
	// snapshot that is at least as new.
	upto, err := changelogOf(o).Last(e.store)
	if err != nil {
		return 0, err
	}
	for _, d := range snap.Readers(o.ID) {
		j := e.jobs.get(d.ID)
		if j == nil {
			return 0, nil // it has not begun
		}
		at, _, known, err := j.readUpTo(o.ID)
		if err != nil || !known {
			return 0, err
		}
		upto = min(upto, at)
	}
	if at, ok := e.tails.behind(o.ID); ok && at < upto {
		bytes, err := e.store.TableBytes(state.TableID(o.Changelog))
		if err != nil {
			return 0, err
		}
		if bytes <= cmp.Or(e.cfg.tailBytes, tailBytes) {
			upto = at
		}
	}
	return upto, nil
}

// sweep deletes state that nothing refers to: of objects whose DROP was cut short by a crash, and of
// subscriptions that lived when the server stopped.
func (e *Engine) sweep() error {
	known := map[state.TableID]bool{}
	for _, o := range e.catalog.Load().All() {
		known[state.TableID(o.RowsTable)] = true
		known[state.TableID(o.Changelog)] = true
		if !o.HasJob() {
			continue
		}
		var t jobTables
		if _, err := e.meta.Get(e.store, recordJobTables+itoa(o.ID), &t); err != nil {
			return err
		}
		known[t.Meta] = true
		for _, id := range t.Tables {
			known[id] = true
		}
	}
	b := e.store.NewBatch()
	lo, _ := state.TableRange(state.TableID(firstUserID))
	it := e.store.Iter(lo, nil)
	defer it.Close()
	for ok := it.First(); ok; {
		id := state.TableOf(it.Key())
		first, end := state.TableRange(id)
		if !known[id] {
			b.DeleteRange(first, end)
		}
		ok = it.SeekGE(end)
	}
	if err := it.Error(); err != nil {
		return err
	}
	return b.Commit()
}

package engine

import (
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// eventCount is how many events a job has had, ever: the logs of events forget, and a process ends.
type eventCount struct {
	Dead int64 `json:"dead"`
	Late int64 `json:"late"`
}

const recordEventCount = "event-count/" // + job id: eventCount

// count adds to a job's count, in the write set that has the events.
func (v *events) count(w state.Writer, o *catalog.Object, more eventCount) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.counts[o.ID]
	c.Dead, c.Late = c.Dead+more.Dead, c.Late+more.Late
	if err := v.e.meta.Put(w, recordEventCount+itoa(o.ID), c); err != nil {
		return err
	}
	v.counts[o.ID] = c
	return nil
}

// counted is how many events a job has had.
func (v *events) counted(job uint32) eventCount {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.counts[job]
}

// recall reads the counts of jobs that were there before the process.
func (v *events) recall() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range v.e.catalog.Load().All(catalog.MaterializedView, catalog.Sink, catalog.Job) {
		var c eventCount
		if ok, err := v.e.meta.Get(v.e.store, recordEventCount+itoa(o.ID), &c); err != nil {
			return err
		} else if ok {
			v.counts[o.ID] = c
		}
	}
	return nil
}

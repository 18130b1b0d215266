package engine

import (
	"errors"

	"github.com/streamsql/streamsql/state"
)

// eventCount is how many events a job has had, ever: the logs of events forget, and a process ends. It
// is in the store only, so that it counts what is committed: an epoch that fails has its events again.
type eventCount struct {
	Dead int64 `json:"dead"`
	Late int64 `json:"late"`
}

// A job's epochs and its delivery commit on their own, so each has its own count.
const (
	recordEventCount   = "event-count/"   // + job id: eventCount, of its epochs
	recordRefusedCount = "refused-count/" // + job id: eventCount, of its delivery
)

// counted adds to the count, in the write set that has the events.
func (v *jobEvents) counted(w state.Writer, more eventCount) error {
	var c eventCount
	if _, err := v.e.meta.Get(v.e.store, v.count, &c); err != nil {
		return err
	}
	return v.e.meta.Put(w, v.count, eventCount{c.Dead + more.Dead, c.Late + more.Late})
}

// eventsOf is how many events a job has had.
func (e *Engine) eventsOf(job uint32) (eventCount, error) {
	var told, refused eventCount
	_, err := e.meta.Get(e.store, recordEventCount+itoa(job), &told)
	_, err2 := e.meta.Get(e.store, recordRefusedCount+itoa(job), &refused)
	return eventCount{told.Dead + refused.Dead, told.Late + refused.Late}, errors.Join(err, err2)
}

package state

import (
	"encoding/binary"
	"time"
)

// EventLog keeps events for a time and up to a size: dead letters, late rows. It is safe for
// concurrent use.
//
// State: time in microseconds, a number that is unique in the store → the event.
type EventLog struct{ id TableID }

// NewEventLog describes the event log id.
func NewEventLog(id TableID) *EventLog { return &EventLog{id: id} }

// Append adds an event: to the batch of the epoch that it happened in, or to one of its own that is
// committed with CommitNoSync.
func (l *EventLog) Append(s *Store, w Writer, at time.Time, value []byte) {
	key := l.at(at.UnixMicro())
	w.Put(binary.BigEndian.AppendUint64(key, s.eventID.Add(1)), value)
}

// at is the first key at a time. Times before 1970 sort first, as everywhere.
func (l *EventLog) at(micros int64) []byte {
	return binary.BigEndian.AppendUint64(AppendPrefix(nil, l.id, 0), uint64(micros)^signBit64)
}

// Scan calls f for each event, oldest first or newest first, until f returns false. value is valid
// during the call.
func (l *EventLog) Scan(r Reader, newestFirst bool, f func(at time.Time, value []byte) bool) error {
	it := r.Iter(TableRange(l.id))
	defer it.Close()
	first, next := it.First, it.Next
	if newestFirst {
		first, next = it.Last, it.Prev
	}
	for ok := first(); ok; ok = next() {
		if len(it.Key()) < prefixLen+8 {
			return corrupt("event log has a key of %d bytes", len(it.Key()))
		}
		micros := int64(binary.BigEndian.Uint64(it.Key()[prefixLen:]) ^ signBit64)
		if !f(time.UnixMicro(micros).UTC(), it.Value()) {
			break
		}
	}
	return it.Close()
}

// Trim removes events older than maxAge, and the oldest ones beyond maxBytes on disk. It is called
// from time to time; sizes are estimates and the next call corrects them.
func (l *EventLog) Trim(s *Store, w Writer, now time.Time, maxAge time.Duration, maxBytes int64) error {
	lo, hi := TableRange(l.id)
	cut := l.at(now.Add(-maxAge).UnixMicro())
	it := s.Iter(lo, hi)
	defer it.Close()
	size, err := s.Size(cut, hi)
	if err != nil {
		return err
	}
	// The events are larger than the space they take, so this removes rather less than too much.
	ok := it.SeekGE(cut)
	for excess := size - maxBytes; ok && excess > 0; ok = it.Next() {
		excess -= int64(len(it.Key()) + len(it.Value()))
		cut = append(append(cut[:0], it.Key()...), 0)
	}
	if it.First() && string(it.Key()) < string(cut) {
		w.DeleteRange(it.Key(), cut)
	}
	return it.Close()
}

package kafka

import (
	"time"

	"github.com/streamsql/streamsql/connectors"
)

// phase is what a partition's fetching is up to.
type phase int8

const (
	phaseLocate   phase = iota // the leader is to be found, and that it has our log to be checked
	phaseFetch                 // its leader's fetcher asks for more whenever the queue has room
	phaseRange                 // the leader does not hold the offset: what it holds is to be asked
	phaseFinished              // everything up to the split's end is fetched
	phaseFailed                // failed says why
)

// response is what one fetch brought for a partition, or a jump to another offset with no batches.
type response struct {
	batches []byte // whole batches
	aborted []abortedTxn
	from    int64
}

// partition is one split of a reader.
//
// State: the poll side belongs to the task's goroutine; the rest is under reader.mu. A response moves
// from the queue to the poll side when the one before it is used up, and then room is made for the
// next fetch: so one response is read ahead.
type partition struct {
	number int32
	end    int64 // of the split, -1 = none

	phase       phase
	fetch       connectors.Position // where to fetch next, and the leader epoch of what was fetched last
	leader      int32
	leaderEpoch int32
	maxBytes    int32
	inFlight    bool
	queue       *response
	logEnd      int64 // as last seen, -1 = never
	position    connectors.Position
	waiting     string // what it waits for; empty when all is well
	failures    int    // since the last successful fetch
	retryAt     time.Time
	failed      error

	walk     recordReader
	held     int  // bytes of the response that walk reads
	finished bool // Done was handed over
}

func newPartition(s connectors.Split, codecs *decompressor, maxBytes int32) *partition {
	p := &partition{number: s.Partition, end: s.End, fetch: s.Start, position: s.Start,
		leader: -1, leaderEpoch: -1, logEnd: -1, maxBytes: maxBytes}
	p.walk.codecs = codecs
	p.walk.reset(nil, s.Start.Offset, nil)
	if p.end >= 0 && s.Start.Offset >= p.end {
		p.phase = phaseFinished
	}
	return p
}

// wants tells whether the partition is to be in its leader's next fetch.
func (p *partition) wants() bool { return p.phase == phaseFetch && !p.inFlight && p.queue == nil }

// fetched steps the fetch position over what arrived.
func (p *partition) fetched(r *response, next int64, epoch int32) {
	p.queue = r
	p.fetch.Offset = next
	if epoch >= 0 {
		p.fetch.LeaderEpoch = epoch
	}
	if p.end >= 0 && next >= p.end {
		p.phase = phaseFinished
	}
}

// lose makes the reader look for the partition's leader again, after a pause that doubles with each
// failure in a row: 0, 50 ms, 100 ms … 5 s.
func (p *partition) lose(to phase, why string) {
	if p.phase == phaseFailed || p.phase == phaseFinished {
		return
	}
	p.phase, p.waiting = to, why
	pause := time.Duration(0)
	if p.failures > 0 {
		pause = min(50*time.Millisecond<<min(p.failures-1, 10), 5*time.Second)
	}
	p.failures++
	p.retryAt = time.Now().Add(pause)
}

func (p *partition) fail(err error) { p.phase, p.failed, p.waiting = phaseFailed, err, err.Error() }

package exec

import "sync/atomic"

// Memory is what the stateful operators of all jobs hold together, and the limit that they keep to.
// Nobody owns a part of it in advance: an operator may hold what the others leave, and at least an
// even part among those that hold something worth mentioning. So one large job has all of it, and
// gives back when a second one grows. It is safe for concurrent use.
type Memory struct {
	limit   int64
	held    atomic.Int64
	holders atomic.Int64
}

// NewMemory makes a pool of limit bytes.
func NewMemory(limit int64) *Memory { return &Memory{limit: max(limit, 1)} }

// Limit is how many bytes may be held.
func (m *Memory) Limit() int64 { return m.limit }

// Held is how many bytes are held now.
func (m *Memory) Held() int64 { return m.held.Load() }

const (
	// defaultMemory is for callers that set none: tests, mostly.
	defaultMemory = 256 << 20
	// Who holds less than a holderPart-th of the pool is not counted when the others share it.
	holderPart = 64
	// maxEpochBytes bounds what a job writes in an epoch: a million changed groups and their view's rows.
	// All of it lies in memory until the commit, and nothing else happens while it is written. Less means
	// that groups which change all the time are written more often.
	maxEpochBytes = 160 << 20
	minEpochBytes = 1 << 20
)

// epochBytes is how much a job may have to write at the end of an epoch before the epoch is ended. The
// pool is half of the node's budget, of which an eighth is for this.
func (m *Memory) epochBytes() int64 { return min(max(m.limit/4, minEpochBytes), maxEpochBytes) }

// share is what one operator of one task holds of the pool. Its task alone uses it.
type share struct {
	pool    *Memory
	held    int64
	settled int64 // held after the last barrier
	counted bool
}

// set tells how much the operator holds now.
func (s *share) set(bytes int64) {
	s.pool.held.Add(bytes - s.held)
	s.held = bytes
	if counts := bytes >= max(s.pool.limit/holderPart, 1); counts != s.counted {
		s.counted = counts
		if counts {
			s.pool.holders.Add(1)
		} else {
			s.pool.holders.Add(-1)
		}
	}
}

// room is how much the operator may hold.
func (s *share) room() int64 {
	even := s.pool.limit / max(s.pool.holders.Load(), 1)
	return max(even, s.pool.limit-(s.pool.held.Load()-s.held))
}

// grown tells whether the operator took so much since the last barrier that the epoch should end: what
// changed in an epoch can't be evicted before it is committed, when the next one has grown as well.
func (s *share) grown(bytes int64) bool {
	s.set(bytes)
	return bytes-s.settled > s.room()/4
}

// settle is set at the barrier, after eviction.
func (s *share) settle(bytes int64) {
	s.set(bytes)
	s.settled = bytes
}

// excess is how many bytes to evict: none within the room; else so many that two epochs have room to
// grow before it is needed again.
func (s *share) excess(bytes int64) int64 {
	s.set(bytes)
	if room := s.room(); bytes > room/4*3 {
		return bytes - room/2
	}
	return 0
}

// changeSize guesses what the changed cells of a task add to its epoch: the cells, and behind them a
// view's rows and their changes, in whichever task. It knows that from the epoch before.
type changeSize struct {
	bytes   int64 // of the whole job, for each cell that this task changed
	changed int64 // cells in the last epoch
}

// tooMany tells whether n changed cells are enough for an epoch.
func (c *changeSize) tooMany(n int, t *Task) bool {
	return int64(n)*max(c.bytes, 128) > t.env.memory().epochBytes()
}

// learn is called at the barrier with the number of cells that it writes.
func (c *changeSize) learn(n int, t *Task) {
	if c.changed >= 1024 {
		c.bytes = t.env.written.Load() / c.changed
	}
	c.changed = int64(n)
}

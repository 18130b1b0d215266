package engine

import "sync"

// maxUndelivered is how many bytes of epochs may wait for a target that takes them, but more slowly
// than the job makes them. Beyond it the job waits: the rows stay where they are, in its sources,
// instead of being written to disk, compacted and read back. It is half a memory table, so most bytes are
// delivered and trimmed while they are in one, and then its flush leaves them out.
const maxUndelivered = 16 << 20

// defaultSinkBacklog is how many may wait for a target that is away: an hour of about 50,000 records
// a second. A target may be away for hours, not for ever.
const defaultSinkBacklog = 16 << 30

func (c *Config) sinkBacklog() int64 {
	if c.SinkBacklog > 0 {
		return c.SinkBacklog
	}
	return defaultSinkBacklog
}

// backlog is how much a sink's log holds that its target has not confirmed. It holds the job back
// when that is too much.
type backlog struct {
	near, far int64 // the limits while the target takes what it gets, and while it is away

	mu     sync.Mutex
	away   bool // the target does not answer, or refuses
	bytes  int64
	epochs []loggedEpoch // not confirmed, in order
	room   chan struct{} // closed when there is room again; nil = nobody waits
}

// loggedEpoch is an epoch of the log with the bytes it takes.
type loggedEpoch struct {
	number uint64
	bytes  int64
}

// add notes a committed epoch.
func (b *backlog) add(epoch uint64, bytes int64) {
	if bytes == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += bytes
	b.epochs = append(b.epochs, loggedEpoch{epoch, bytes})
}

// done notes that all up to an epoch is confirmed.
func (b *backlog) done(epoch uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for ; n < len(b.epochs) && b.epochs[n].number <= epoch; n++ {
		b.bytes -= b.epochs[n].bytes
	}
	b.epochs = b.epochs[n:]
	b.release()
}

func (b *backlog) setAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
	b.release()
}

// full tells whether the job has to wait. The caller holds the lock.
func (b *backlog) full() bool {
	if b.away {
		return b.bytes > b.far
	}
	return b.bytes > min(b.near, b.far)
}

// release lets a job go on that need not wait. The caller holds the lock.
func (b *backlog) release() {
	if b.room != nil && !b.full() {
		close(b.room)
		b.room = nil
	}
}

// hold is exec.JobConfig.Hold.
func (b *backlog) hold() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.full() {
		return nil
	}
	if b.room == nil {
		b.room = make(chan struct{})
	}
	return b.room
}

// size is the bytes that are not confirmed.
func (b *backlog) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// behindEpochs is how many epochs may wait while the ones before them are delivered.
const behindEpochs = 20

// behind tells whether the target takes less than the job makes.
func (b *backlog) behind() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.epochs) >= behindEpochs || b.full() || b.away && b.bytes > 0
}

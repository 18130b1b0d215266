package state

import "time"

// Metrics is what the store measures. Counters count from Open on.
type Metrics struct {
	DiskBytes            int64 // everything on disk
	LogBytes             int64 // of that, the write-ahead log
	MemTableBytes        int64
	CacheBytes           int64
	CacheHits            int64
	CacheMisses          int64
	FilterHits           int64 // reads of a block that a bloom filter saved
	CompactionDebtBytes  int64 // what is left to compact; it grows when the disk can't keep up
	CompactionsRunning   int64
	Flushes, Compactions int64
	ReadAmplification    int64 // files that a point read may have to look at
	Snapshots            int64 // open ones
	Commits              int64 // synced ones, and the time that callers spent in them
	CommitTime           time.Duration
	FreeBytes            int64 // on the disk, -1 = unknown
}

// Metrics measures now.
func (s *Store) Metrics() Metrics {
	p := s.db.Metrics()
	m := Metrics{
		DiskBytes:           int64(p.DiskSpaceUsage()),
		LogBytes:            int64(p.WAL.PhysicalSize),
		MemTableBytes:       int64(p.MemTable.Size),
		CacheBytes:          p.BlockCache.Size,
		CacheHits:           p.BlockCache.Hits,
		CacheMisses:         p.BlockCache.Misses,
		FilterHits:          p.Filter.Hits,
		CompactionDebtBytes: int64(p.Compact.EstimatedDebt),
		CompactionsRunning:  p.Compact.NumInProgress,
		Flushes:             p.Flush.Count,
		Compactions:         p.Compact.Count,
		ReadAmplification:   int64(p.ReadAmp()),
		Snapshots:           int64(p.Snapshots.Count),
		Commits:             s.commits.Load(),
		CommitTime:          time.Duration(s.commitNanos.Load()),
		FreeBytes:           -1,
	}
	if u, err := s.fs.GetDiskUsage(s.dir); err == nil {
		m.FreeBytes = int64(min(u.AvailBytes, 1<<63-1))
	}
	return m
}

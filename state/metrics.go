package state

// Metrics is what the store measures. Counters count from Open on.
type Metrics struct {
	DiskBytes     int64 // everything on disk
	MemTableBytes int64
	CacheHits     int64
	CacheMisses   int64
}

// Metrics measures now.
func (s *Store) Metrics() Metrics {
	p := s.db.Metrics()
	return Metrics{
		DiskBytes:     int64(p.DiskSpaceUsage()),
		MemTableBytes: int64(p.MemTable.Size),
		CacheHits:     p.BlockCache.Hits,
		CacheMisses:   p.BlockCache.Misses,
	}
}

package exec

import (
	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/state"
)

// Progress is how far a job has read a log, as of its last committed epoch.
type Progress struct {
	Next       int64 // the next offset
	Backfilled bool  // the rows that were there before the log are all read
}

// ReadProgress finds, in the record of a job, where it stands in a log that one or several of its
// sources read; ok is false when it has not committed anything of one. The least of them counts.
func ReadProgress(r state.Reader, meta state.TableID, topic string) (p Progress, ok bool, err error) {
	sources, err := readSources(r, meta)
	if err != nil {
		return p, false, err
	}
	for _, source := range sources {
		positions, err := readPositions(r, meta, source)
		if err != nil {
			return p, false, err
		}
		for id, at := range positions {
			if id.topic != topic {
				continue
			}
			// Before its first chunk a table is at offset 0, without a cursor.
			here := Progress{Next: at.next.Offset, Backfilled: at.next.Offset > 0 && len(at.cursor) == 0}
			if !ok {
				p, ok = here, true
				continue
			}
			p.Next, p.Backfilled = min(p.Next, here.Next), p.Backfilled && here.Backfilled
		}
	}
	return p, ok, nil
}

// ReadSplits are the splits of a source with the positions that the job has committed.
func ReadSplits(r state.Reader, meta state.TableID, source string) ([]connectors.Split, error) {
	positions, err := readPositions(r, meta, source)
	if err != nil {
		return nil, err
	}
	out := make([]connectors.Split, 0, len(positions))
	for id, p := range positions {
		out = append(out, connectors.Split{Topic: id.topic, Partition: id.partition, Start: p.next, End: -1})
	}
	return out, nil
}

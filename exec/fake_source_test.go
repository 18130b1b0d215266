package exec

import (
	"context"
	"sync"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// fakeLog is a source of logs in memory. Its splits grow while it is read.
type fakeLog struct {
	mu     sync.Mutex
	splits [][]*stream.Batch // an offset is a batch
	wake   []chan struct{}
	err    string // what the reader waits for
	made   int64  // the records' own timestamp, milliseconds; 0 = none
}

func newFakeLog(splits int) *fakeLog { return &fakeLog{splits: make([][]*stream.Batch, splits)} }

func (l *fakeLog) append(split int, b *stream.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.splits[split] = append(l.splits[split], b)
	for _, w := range l.wake {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (l *fakeLog) Splits(_ context.Context, bounded bool) (out []connectors.Split, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, s := range l.splits {
		end := int64(-1)
		if bounded {
			end = int64(len(s))
		}
		out = append(out, connectors.Split{Topic: "t", Partition: int32(i), Start: connectors.Position{LeaderEpoch: -1}, End: end})
	}
	return out, nil
}

func (l *fakeLog) Open(_ context.Context, splits []connectors.Split) (connectors.Reader, error) {
	r := &fakeReader{log: l, ready: make(chan struct{}, 1)}
	l.mu.Lock()
	l.wake = append(l.wake, r.ready)
	l.mu.Unlock()
	for _, s := range splits {
		r.Add(s)
	}
	return r, nil
}

func (l *fakeLog) Close() error { return nil }

type fakeReader struct {
	log    *fakeLog
	splits []connectors.Split
	done   []bool
	turn   int
	ready  chan struct{}
}

func (r *fakeReader) Ready() <-chan struct{} { return r.ready }

func (r *fakeReader) Poll() (*connectors.Chunk, error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for range r.splits {
		i := r.turn
		r.turn = (r.turn + 1) % len(r.splits)
		s := &r.splits[i]
		log := r.log.splits[s.Partition]
		at := int(s.Start.Offset)
		if s.End >= 0 && !r.done[i] && at >= int(s.End) {
			r.done[i] = true
			return &connectors.Chunk{Topic: "t", Partition: s.Partition, Next: s.Start, Done: true}, nil
		}
		if at >= len(log) || s.End >= 0 && at >= int(s.End) {
			continue
		}
		s.Start.Offset++
		return &connectors.Chunk{Topic: "t", Partition: s.Partition, Batch: log[at], Records: int64(log[at].Rows), Next: s.Start, Timestamp: r.log.made}, nil
	}
	return nil, nil
}

func (r *fakeReader) Add(s connectors.Split) error {
	r.splits, r.done = append(r.splits, s), append(r.done, false)
	return nil
}

func (r *fakeReader) Status() (out []connectors.SplitStatus) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for _, s := range r.splits {
		out = append(out, connectors.SplitStatus{Topic: "t", Partition: s.Partition, Position: s.Start.Offset,
			End: int64(len(r.log.splits[s.Partition])), Error: r.log.err})
	}
	return out
}

func (r *fakeReader) Close() error { return nil }

package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// reader reads some partitions of a topic for one task.
//
//	recoverLoop ── leader found ──▶ fetcher (one a broker) ── response ──▶ partition.queue ──▶ Poll
//	     ▲                              │
//	     └── lost, out of range ────────┘
type reader struct {
	cfg     *config
	client  *kgo.Client
	admin   *kadm.Client
	ready   chan struct{}
	lost    chan struct{} // capacity 1: wakes recoverLoop
	stop    context.CancelFunc
	ctx     context.Context
	running sync.WaitGroup

	mu           sync.Mutex
	parts        []*partition
	topicID      [16]byte
	fetchers     map[int32]*fetcher
	fetchTurn    int
	buffered     int64     // bytes in queues and under Poll
	unknownSince time.Time // when the topic was first said not to exist

	// The task's goroutine alone uses what follows.
	decoder  connectors.Decoder
	codecs   decompressor
	record   connectors.Record
	pollTurn int
	current  *partition // inside whose batch Poll stopped, which the shared codecs hold
}

var _ connectors.Reader = (*reader)(nil)

func newReader(cfg *config, decoder connectors.Decoder, splits []connectors.Split) (*reader, error) {
	client, err := cfg.client.newClient(kgo.RequestRetries(1)) // the recover loop retries, and says why
	if err != nil {
		return nil, err
	}
	r := &reader{cfg: cfg, client: client, admin: kadm.NewClient(client), decoder: decoder,
		ready: make(chan struct{}, 1), lost: make(chan struct{}, 1), fetchers: map[int32]*fetcher{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	for _, s := range splits {
		r.parts = append(r.parts, newPartition(s, &r.codecs, cfg.fetch.partitionBytes))
	}
	r.running.Add(1)
	go r.recoverLoop(r.ctx)
	r.signal()
	return r, nil
}

func (r *reader) Ready() <-chan struct{} { return r.ready }

func (r *reader) signal() {
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// kick wakes the fetchers: there is room, or a partition to fetch. The caller holds the lock.
func (r *reader) kick() {
	for _, f := range r.fetchers {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// fetcherOf starts a broker's fetcher unless it runs. The caller holds the lock.
func (r *reader) fetcherOf(broker int32) {
	if r.fetchers[broker] != nil || r.ctx.Err() != nil {
		return
	}
	f := &fetcher{r: r, broker: broker, wake: make(chan struct{}, 1)}
	r.fetchers[broker] = f
	r.running.Add(1)
	go f.run(r.ctx)
}

// Add gives the reader a new split.
func (r *reader) Add(s connectors.Split) error {
	r.mu.Lock()
	r.parts = append(r.parts, newPartition(s, &r.codecs, r.cfg.fetch.partitionBytes))
	r.mu.Unlock()
	select {
	case r.lost <- struct{}{}:
	default:
	}
	r.signal()
	return nil
}

// Status tells where each split stands.
func (r *reader) Status() []connectors.SplitStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]connectors.SplitStatus, len(r.parts))
	for i, p := range r.parts {
		out[i] = connectors.SplitStatus{Topic: r.cfg.topic, Partition: p.number, Position: p.position.Offset, End: p.logEnd, Error: p.waiting}
	}
	return out
}

func (r *reader) Close() error {
	r.mu.Lock()
	r.stop()
	r.mu.Unlock()
	r.client.Close()
	r.running.Wait()
	r.codecs.close()
	return nil
}

// Poll decodes up to stream.TargetRows records of one partition. Partitions take turns at the ends
// of record batches, since the codecs' buffer holds one batch.
func (r *reader) Poll() (*connectors.Chunk, error) {
	for {
		p, err := r.pick()
		if p == nil || err != nil {
			return nil, err
		}
		c, err := r.decode(p)
		if c != nil || err != nil {
			return c, err
		}
	}
}

// pick returns the partition whose turn it is, with something to walk or its end to report.
func (r *reader) pick() (*partition, error) {
	if r.current != nil {
		return r.current, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.parts {
		turn := (r.pollTurn + i) % len(r.parts)
		p := r.parts[turn]
		if len(p.walk.rest) == 0 && p.queue != nil {
			r.start(p)
		}
		if len(p.walk.rest) > 0 || p.phase == phaseFinished && !p.finished {
			r.pollTurn = turn + 1
			return p, nil
		}
		if p.phase == phaseFailed {
			return nil, p.failed
		}
	}
	return nil, nil
}

// start moves the queued response under Poll, and so makes room for the next. The caller holds the lock.
func (r *reader) start(p *partition) {
	in := p.queue
	p.queue = nil
	p.held = len(in.batches)
	p.walk.reset(in.batches, in.from, in.aborted)
	r.kick()
}

// decode makes a chunk of p's records; nil when they turn out to be none.
func (r *reader) decode(p *partition) (*connectors.Chunk, error) {
	c := &connectors.Chunk{Topic: r.cfg.topic, Partition: p.number}
	rec, walk := &r.record, &p.walk
	rec.Topic, rec.Partition = r.cfg.topic, p.number
	inside, deadBytes, past := walk.inBatch(), 0, false
	for c.Records < stream.TargetRows && deadBytes < maxDeadBytes {
		ok, err := walk.read(rec, inside)
		if err != nil {
			n, err := r.corrupt(c, p, err)
			if err != nil {
				return nil, err
			}
			deadBytes += n
			continue
		}
		if !ok {
			break
		}
		if p.end >= 0 && rec.Offset >= p.end {
			past = true
			break
		}
		c.Records++
		c.Bytes += int64(len(rec.Key) + len(rec.Value))
		c.Timestamp = max(c.Timestamp, rec.Timestamp)
		if err := r.decoder.Decode(rec); err != nil {
			n, err := r.undecodable(c, rec, err)
			if err != nil {
				return nil, err
			}
			deadBytes += n
		}
	}
	c.Batch = r.decoder.Flush()
	moved := r.finish(c, p, past)
	if moved || c.Done || c.Records > 0 {
		return c, nil
	}
	return nil, nil
}

// finish sets where the chunk ends, and lets go of the response once it is used up. It tells
// whether the position moved.
func (r *reader) finish(c *connectors.Chunk, p *partition, past bool) (moved bool) {
	walk := &p.walk
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Next = connectors.Position{Offset: walk.next, LeaderEpoch: walk.epoch}
	if walk.epoch < 0 {
		c.Next.LeaderEpoch = p.position.LeaderEpoch
	}
	usedUp := !walk.inBatch() && len(walk.rest) == 0
	if p.end >= 0 && (past || walk.next >= p.end || p.phase == phaseFinished && p.queue == nil && usedUp) {
		c.Next.Offset, c.Done, p.finished, usedUp = p.end, true, true, true
		p.phase, p.queue = phaseFinished, nil
	}
	r.current = nil
	if usedUp {
		walk.reset(nil, c.Next.Offset, nil)
		r.buffered -= int64(p.held)
		p.held = 0
		r.kick()
	} else if walk.inBatch() {
		r.current = p
	}
	moved = c.Next.Offset != p.position.Offset
	p.position = c.Next
	return moved
}

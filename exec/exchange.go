package exec

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/state"
)

// An exchange is a bounded channel from each task of one fragment to each task of another. A full
// channel blocks its sender: that is all there is to back-pressure.
//
// A task with several exchanges sends each message to all of them before the next one, so the slowest
// consumer sets the pace, and batches are shared: they are immutable. That the ways meet again at one
// task further on (a relation that is read once for both sides of a UNION) can't lock them up, though
// that task reads no more from a queue whose barrier has come: who can be blocked by it has sent the
// barrier on, hence had it from all its own inputs; so it is in every queue that the waiting task
// still waits for, or on its way there in front of what is blocked. That needs one barrier at a time.

// queueLength is how many messages a channel holds. A few batches cover the hiccups of a consumer;
// more would only add latency to barriers.
const queueLength = 8

type messageKind uint8

const (
	batchMessage messageKind = iota
	watermarkMessage
	statusMessage // whether the sender is idle, which is: holds event time back no longer
	barrierMessage
	endMessage // nothing follows
)

// message is what crosses an exchange. In a job every queue of a task receives the same sequence of
// barriers; in a bounded query there are none, and each queue ends with endMessage.
type message struct {
	kind      messageKind
	batch     *stream.Batch
	watermark stream.Watermark
	idle      bool
	barrier   stream.Barrier
}

// queue is the channel from one task to another, with what its receiver knows about the sender.
type queue struct {
	c        chan message
	receiver *inbox
	input    int // the receiving operator's input

	// Owned by the receiver.
	watermark stream.Watermark
	idle      bool
	aligned   bool // its barrier has come: read no further until those of the others have
	ended     bool
}

// send blocks while the queue is full; stats are the sending task's.
func (q *queue) send(ctx context.Context, m message, stats *TaskStats) error {
	select {
	case q.c <- m:
	default:
		start := time.Now()
		stats.wait(start)
		select {
		case q.c <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
		stats.waited(&stats.Blocked, start)
	}
	select {
	case q.receiver.ready <- struct{}{}:
	default: // it has not looked since the last signal and will find this message too
	}
	return nil
}

// inbox is the receiving end of all queues of a task.
type inbox struct {
	ready  chan struct{} // capacity 1: something was sent since the receiver last looked
	queues []*queue
	next   int // where to look first, so that queues take turns
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (in *inbox) connect(input int) *queue {
	q := &queue{c: make(chan message, queueLength), receiver: in, input: input, watermark: stream.MinWatermark}
	in.queues = append(in.queues, q)
	return q
}

// receive returns the next message of a queue that is neither aligned nor ended. A message sent
// after the last look leaves a signal in ready, so none is slept through.
func (in *inbox) receive(ctx context.Context) (*queue, message, error) {
	for {
		for range in.queues {
			q := in.queues[in.next]
			in.next = (in.next + 1) % len(in.queues)
			if q.aligned || q.ended {
				continue
			}
			select {
			case m := <-q.c:
				return q, m, nil
			default:
			}
		}
		select {
		case <-in.ready:
		case <-ctx.Done():
			return nil, message{}, ctx.Err()
		}
	}
}

// sender is a task's end of one exchange.
type sender struct {
	ctx    context.Context
	edge   *Edge
	queues []*queue // one for each task of the target
	stats  *TaskStats

	// Scratch of Hash.
	hashes []uint64
	rows   [][]int32
}

func (s *sender) batch(b *stream.Batch) error {
	switch {
	case len(s.queues) == 1 || s.edge.Kind == Gather:
		return s.send(0, message{batch: b})
	case s.edge.Kind == Broadcast:
		return s.all(message{batch: b})
	}
	return s.scatter(b)
}

// scatter sends each row to the task that owns the shard of its key. Rows of one key stay in order.
func (s *sender) scatter(b *stream.Batch) error {
	if s.rows == nil {
		s.rows = make([][]int32, len(s.queues))
	}
	for i := range s.rows {
		s.rows[i] = s.rows[i][:0]
	}
	s.hashes = hashRows(s.hashes, b, s.edge.Keys, s.edge.Types)
	for i, h := range s.hashes {
		to := state.TaskOf(state.Shard(h), len(s.queues))
		s.rows[to] = append(s.rows[to], int32(i))
	}
	for i, rows := range s.rows {
		if len(rows) == 0 {
			continue
		}
		part := b
		if len(rows) < b.Rows {
			part = stream.TakeBatch(b, rows)
		}
		if err := s.send(i, message{batch: part}); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) all(m message) error {
	for i := range s.queues {
		if err := s.send(i, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) send(i int, m message) error {
	return s.queues[i].send(s.ctx, m, s.stats)
}

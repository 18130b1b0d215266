package exec

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// runner drives one task: it feeds the chain of operators and sends on what comes out. It alone
// knows of barriers' alignment, of several watermarks and of idle inputs.
type runner struct {
	task     *Task
	fragment *Fragment
	ctx      context.Context
	env      *environment
	stats    *TaskStats
	links    []*link // one in front of each operator, and the chain's end
	inbox    *inbox  // nil for a source task
	senders  []*sender
	collect  func(b *stream.Batch) error // of the result's fragment in a query, else nil
	acks     chan<- ack                  // nil in a bounded query

	watermark stream.Watermark // the least of the inputs
	idle      bool             // no input holds event time back
	moving    bool             // at work on a watermark

	// Accounting: the time since mark belongs to at.
	at   *OperatorStats
	mark time.Time
}

// ack is what a task hands to the coordinator once it has done its part of an epoch.
type ack struct {
	positions []positionRecord
	dead      []DeadLetters
	late      []LateRows
	oldest    int64
	behind    bool
	work      time.Duration // that the operators took
	logged    int64
	confirm   []confirmation // what has to be waited for before the commit
}

// confirmation waits until a target has the rows of an epoch, and returns those that it refused.
type confirmation func(ctx context.Context) ([]connectors.DeadLetter, error)

// link stands in front of an operator, or at the end of a chain, as its predecessor's Output.
type link struct {
	r     *runner
	op    stream.Operator // nil at the end
	stats *OperatorStats  // of op
	from  *OperatorStats  // of the operator before, nil at the head
	next  *link
	last  stream.Watermark
	// portion is how many rows the operator gets next, in a query: see portions.
	portion int
	check   *checker // nil unless built with the tag invariants
}

var _ stream.Output = (*link)(nil)

// Batch implements stream.Output.
func (l *link) Batch(b *stream.Batch) error { return l.push(0, b) }

func (l *link) push(in int, b *stream.Batch) error {
	if b.Rows == 0 {
		return nil
	}
	if l.from != nil {
		l.from.RowsOut.Add(int64(b.Rows))
	}
	if l.check != nil {
		l.check.batch(in, b)
	}
	if l.op == nil {
		return l.r.emit(b)
	}
	if l.r.task.Bounded {
		return l.portions(in, b)
	}
	return l.give(in, b)
}

// give hands rows to the operator.
func (l *link) give(in int, b *stream.Batch) error {
	l.stats.RowsIn.Add(int64(b.Rows))
	l.stats.Batches.Add(1)
	before := l.r.enter(l.stats)
	err := l.op.Batch(in, b, l.next)
	l.r.enter(before)
	return err
}

// Watermark implements stream.Output.
func (l *link) Watermark(w stream.Watermark) error {
	if w <= l.last {
		return nil
	}
	l.last = w
	if l.op == nil {
		return l.r.sendAll(message{kind: watermarkMessage, watermark: w})
	}
	before := l.r.enter(l.stats)
	err := l.op.Watermark(w, l.next)
	l.r.enter(before)
	return err
}

// enter charges the time since the last switch to the operator at work and makes s the one; it
// returns the operator before. nil is the loop itself.
func (r *runner) enter(s *OperatorStats) (before *OperatorStats) {
	now := time.Now()
	if before = r.at; before != nil {
		before.Busy.Add(int64(now.Sub(r.mark)))
	}
	r.at, r.mark, r.task.stats = s, now, s
	return before
}

// emit sends a batch that left the chain.
func (r *runner) emit(b *stream.Batch) error {
	before := r.enter(nil)
	defer r.enter(before)
	if r.moving { // without new input, time alone has made something to commit
		r.env.touched()
	}
	if r.collect != nil {
		return r.collect(b)
	}
	for _, s := range r.senders {
		if err := s.batch(b); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) sendAll(m message) error {
	for _, s := range r.senders {
		if err := s.all(m); err != nil {
			return err
		}
	}
	return nil
}

// run is the loop of a task that reads from exchanges.
func (r *runner) run() error {
	for {
		start := time.Now()
		r.stats.wait(start)
		q, m, err := r.inbox.receive(r.ctx)
		if err != nil {
			return err
		}
		r.stats.waited(&r.stats.Idle, start)
		switch m.kind {
		case batchMessage:
			r.startBatch()
			err = r.links[0].push(q.input, m.batch)
		case watermarkMessage:
			q.watermark = m.watermark
			err = r.advance()
		case statusMessage:
			q.idle = m.idle
			err = r.advance()
		case barrierMessage:
			if q.aligned = true; !r.inbox.all(func(q *queue) bool { return q.aligned }) {
				continue
			}
			for _, q := range r.inbox.queues {
				q.aligned = false
			}
			if err = r.barrier(m.barrier, nil); err == nil && m.barrier.Stop {
				return nil
			}
		case endMessage:
			if q.ended = true; r.inbox.all(func(q *queue) bool { return q.ended }) {
				return r.finish()
			}
		}
		if err != nil {
			return err
		}
	}
}

// startBatch sets now() for the expressions over a batch.
func (r *runner) startBatch() {
	if !r.task.Bounded {
		r.task.Eval.Now = sql.TimestampValue(r.env.now().UnixMicro())
	}
}

// advance takes the minimum of the inputs' watermarks. An idle input does not count; when it comes
// back behind the others, the watermark stands still until it has caught up.
func (r *runner) advance() error {
	least, active := stream.MaxWatermark, false
	for _, q := range r.inbox.queues {
		if !q.idle {
			least, active = min(least, q.watermark), true
		}
	}
	return r.move(least, !active)
}

// move forwards a change of the task's watermark or of its being idle.
func (r *runner) move(w stream.Watermark, idle bool) error {
	if idle != r.idle {
		r.idle = idle
		if err := r.sendAll(message{kind: statusMessage, idle: idle}); err != nil {
			return err
		}
	}
	if idle || w <= r.watermark {
		return nil
	}
	r.watermark = w
	r.stats.Watermark.Store(int64(w))
	r.moving = true
	err := r.links[0].Watermark(w)
	r.moving = false
	return err
}

// barrier ends the task's part of an epoch. What operators emit here is still of this epoch, so the
// barrier is forwarded afterwards.
func (r *runner) barrier(b stream.Barrier, positions []positionRecord) error {
	if b.Epoch != r.task.epoch {
		return fmt.Errorf("exec: barrier %d came to %s in epoch %d", b.Epoch, r.task, r.task.epoch)
	}
	work, err := r.passBarrier(b)
	if err != nil {
		return err
	}
	if err := r.sendAll(message{kind: barrierMessage, barrier: b}); err != nil {
		return err
	}
	t := r.task
	t.batch.HandOver()
	a := ack{positions: positions, dead: t.dead, late: t.late, oldest: t.oldest, behind: t.behind, work: work, logged: t.logged, confirm: t.confirm}
	t.batch, t.dead, t.late, t.confirm, t.eventBytes, t.oldest, t.logged, t.epoch = r.env.part(b.Epoch+1), nil, nil, nil, 0, 0, 0, b.Epoch+1
	select {
	case r.acks <- a:
		return nil
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	}
}

// passBarrier takes the barrier through the chain and measures it: while operators emit and write
// what changed, the task reads nothing.
func (r *runner) passBarrier(b stream.Barrier) (work time.Duration, err error) {
	r.task.closing = true
	start, blocked := time.Now(), r.stats.Blocked.Load()
	for _, l := range r.links {
		if l.op == nil {
			break
		}
		before := r.enter(l.stats)
		err := l.op.Barrier(b, l.next)
		r.enter(before)
		if err != nil {
			return 0, err
		}
	}
	r.task.closing = false
	return time.Since(start) - time.Duration(r.stats.Blocked.Load()-blocked), nil
}

// finish ends a task of a bounded query.
func (r *runner) finish() error {
	if err := r.links[0].Watermark(stream.MaxWatermark); err != nil {
		return err
	}
	return r.sendAll(message{kind: endMessage})
}

func (in *inbox) all(cond func(*queue) bool) bool {
	for _, q := range in.queues {
		if !cond(q) {
			return false
		}
	}
	return true
}

// safely makes an error of a panic: it ends one job, not the server.
func safely(name string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &sql.Error{Code: sql.CodeInternal, Message: fmt.Sprintf("%s: %v", name, p),
				Cause: fmt.Errorf("panic: %v\n%s", p, debug.Stack())}
		}
	}()
	return fn()
}

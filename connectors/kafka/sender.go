package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

const (
	// maxBatchBytes is a batch's size before compression; brokers refuse more than 1 MiB after it,
	// unless told otherwise.
	maxBatchBytes = 900 << 10
	// maxUnsentBytes bounds what waits for brokers; add blocks above it.
	maxUnsentBytes = 8 << 20
	produceTimeout = 30 * time.Second
	// deliveryWait is how long a batch is tried before the whole delivery fails, to be begun again
	// by the job, which says why.
	deliveryWait = 2 * time.Minute
)

// sender sends records to the partitions of one topic in order, without an object for each.
//
//	add ─▶ outbox.open ─ flow: nothing in flight ─▶ compressed, sent, acknowledged ─┐
//	                 └── full, or something in flight ─▶ waits, growing ◀───────────┘
//
// So rows leave at once when there is little to do, and in batches of their own accord when there
// is much; there is no linger time to choose.
//
// Invariants:
//   - A partition has one request in flight: order and sequence numbers need no more care.
//   - A batch is sent again with the same sequence number until its outcome is known, so the broker
//     keeps it once. When the outcome stays unknown, fail stops everything and the producer id is
//     given up with it.
type sender struct {
	cfg        *config
	client     *kgo.Client
	compressor *compressor
	batchBytes int                            // of a batch before compression
	txnID      *string                        // nil = not transactional
	admit      func(partitions []int32) error // makes them part of the transaction; nil = not transactional
	ctx        context.Context
	stop       context.CancelFunc
	running    sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // unsent shrank, or err was set
	state   producerState
	boxes   []*outbox
	unsent  int
	err     error // the first failure; nothing is sent after it
	dead    []connectors.DeadLetter
	spare   []*batchBuilder // for reuse
}

// outbox is one partition's records on their way, under sender.mu.
type outbox struct {
	number   int32
	sequence int32
	open     *batchBuilder
	full     []*batchBuilder // before open
	busy     bool            // a goroutine is sending
	admitted bool            // it is part of the transaction, if there is one
	added    int64           // records, ever
	settled  int64           // of them acknowledged or refused

	// The sending goroutine's.
	leader int32
	sealed []byte // the batch under way, reused
}

func newSender(cfg *config, client *kgo.Client, partitions int32, txnID *string) (*sender, error) {
	c, err := newCompressor(cfg.compression)
	if err != nil {
		return nil, err
	}
	s := &sender{cfg: cfg, client: client, txnID: txnID, compressor: c, batchBytes: maxMessageBytes(context.Background(), client, cfg.topic, maxBatchBytes)}
	s.changed = sync.NewCond(&s.mu)
	s.ctx, s.stop = context.WithCancel(context.Background())
	for i := range partitions {
		s.boxes = append(s.boxes, &outbox{number: i, leader: -1})
	}
	return s, nil
}

// grow adds outboxes for partitions that are new.
func (s *sender) grow(partitions int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := int32(len(s.boxes)); n < partitions; n++ {
		s.boxes = append(s.boxes, &outbox{number: n, leader: -1})
	}
}

// restart forgets what was not acknowledged and goes on under another producer id or epoch.
func (s *sender) restart(state producerState) {
	s.stop()
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.state, s.err, s.unsent, s.dead = state, nil, 0, nil
	for i, b := range s.boxes {
		s.boxes[i] = &outbox{number: b.number, leader: b.leader}
	}
}

// add takes a record over. It waits while too much is unsent.
func (s *sender) add(partition int32, key, value []byte, time int64) error {
	size := len(key) + len(value) + recordOverhead
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unsent > maxUnsentBytes {
		s.mu.Unlock()
		err := s.flow() // else what fills the memory might never leave
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	for s.unsent > maxUnsentBytes && s.err == nil {
		s.changed.Wait()
	}
	if s.err != nil {
		return s.err
	}
	box := s.boxes[partition]
	if box.open != nil && len(box.open.plain)+size > s.batchBytes {
		box.full = append(box.full, box.open)
		box.open = nil
		s.start(box)
	}
	if box.open == nil {
		box.open = s.builder()
	}
	before := len(box.open.plain)
	box.open.append(key, value, time)
	box.added++
	s.unsent += len(box.open.plain) - before
	return nil
}

// builder returns an empty builder. The caller holds the lock.
func (s *sender) builder() *batchBuilder {
	if n := len(s.spare); n > 0 {
		b := s.spare[n-1]
		s.spare = s.spare[:n-1]
		*b = batchBuilder{plain: b.plain[:0]}
		return b
	}
	return &batchBuilder{}
}

// flow starts sending what was added, after admitting the partitions that are new to the transaction.
func (s *sender) flow() error {
	s.mu.Lock()
	var fresh []int32
	for _, box := range s.boxes {
		if !box.admitted && (box.open != nil || len(box.full) > 0) {
			fresh = append(fresh, box.number)
		}
	}
	s.mu.Unlock()
	if len(fresh) > 0 && s.admit != nil {
		if err := s.admit(fresh); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range fresh {
		s.boxes[n].admitted = true
	}
	for _, box := range s.boxes {
		s.start(box)
	}
	return s.err
}

// begin starts a transaction: no partition is part of it yet.
func (s *sender) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, box := range s.boxes {
		box.admitted = false
	}
}

// start gives a partition with records a goroutine that sends until none are left. The caller holds the lock.
func (s *sender) start(box *outbox) {
	if box.busy || !box.admitted || box.open == nil && len(box.full) == 0 || s.err != nil {
		return
	}
	box.busy = true
	s.running.Add(1)
	go s.run(box)
}

// wait returns once everything added and sent is acknowledged, with the rows that were refused.
func (s *sender) wait(ctx context.Context) ([]connectors.DeadLetter, error) {
	defer context.AfterFunc(ctx, func() { s.fail(ctx.Err()) })()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unsent > 0 && s.err == nil {
		s.changed.Wait()
	}
	return s.takeDead(), s.err
}

// waiting is the bytes that are not acknowledged.
func (s *sender) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unsent
}

// settle returns a function that returns once everything added before settle was called is
// acknowledged or refused, with the rows that were refused by then. More may be added meanwhile.
func (s *sender) settle() func(ctx context.Context) ([]connectors.DeadLetter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	added := make([]int64, len(s.boxes))
	for i, box := range s.boxes {
		added[i] = box.added
	}
	return func(ctx context.Context) ([]connectors.DeadLetter, error) {
		defer context.AfterFunc(ctx, func() { s.fail(ctx.Err()) })()
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, n := range added {
			for s.boxes[i].settled < n && s.err == nil {
				s.changed.Wait()
			}
		}
		return s.takeDead(), s.err
	}
}

// takeDead hands over the refused rows. The caller holds the lock.
func (s *sender) takeDead() []connectors.DeadLetter {
	dead := s.dead
	s.dead = nil
	return dead
}

// fail stops sending.
func (s *sender) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	s.stop() // requests under way, too
	s.changed.Broadcast()
}

func (s *sender) close() {
	s.fail(errors.New("closed"))
	s.running.Wait()
}

// run sends a partition's batches one after the other.
func (s *sender) run(box *outbox) {
	defer s.running.Done()
	for {
		s.mu.Lock()
		b := s.take(box)
		sequence, state := box.sequence, s.state
		s.mu.Unlock()
		if b == nil {
			return
		}
		size, count := len(b.plain), b.count
		dead, err := s.deliver(box, b, sequence, state)
		if err != nil {
			s.fail(err)
		}
		s.mu.Lock()
		box.sequence = (sequence + b.count - int32(len(dead))) & 0x7fffffff // 0 follows 2³¹−1
		s.dead = append(s.dead, dead...)
		s.unsent -= size
		if err == nil {
			box.settled += int64(count)
		}
		if len(s.spare) < 2*maxUnsentBytes/maxBatchBytes { // not all of them are full
			s.spare = append(s.spare, b)
		}
		s.changed.Broadcast()
		s.mu.Unlock()
	}
}

// take returns a partition's next batch; nil ends its goroutine. The caller holds the lock.
func (s *sender) take(box *outbox) (b *batchBuilder) {
	switch {
	case s.err != nil:
	case len(box.full) > 0:
		b = box.full[0]
		box.full = box.full[1:]
	case box.open != nil && box.open.count > 0:
		b = box.open
		box.open = nil
	}
	if b == nil {
		box.busy = false
	}
	return b
}

// deliver sends one batch until it is acknowledged; one that the topic finds too large in halves,
// down to the records that are too large by themselves, which come back.
func (s *sender) deliver(box *outbox, b *batchBuilder, sequence int32, state producerState) ([]connectors.DeadLetter, error) {
	box.sealed = b.seal(box.sealed, s.compressor, state, sequence)
	err := s.produce(box, box.sealed)
	if !errors.Is(err, kerr.MessageTooLarge) && !errors.Is(err, kerr.RecordListTooLarge) {
		return nil, err
	}
	if b.count == 1 {
		var dead []connectors.DeadLetter
		b.each(func(_ int32, key, value []byte, _ int64) {
			dead = append(dead, connectors.DeadLetter{Time: time.Now(), Key: bytes.Clone(key), Payload: bytes.Clone(value),
				Code: "54000", Reason: fmt.Sprintf("record of %d bytes is larger than topic %q allows", len(key)+len(value), s.cfg.topic)})
		})
		return dead, nil
	}
	first, second := b.split()
	dead, err := s.deliver(box, first, sequence, state)
	if err != nil {
		return dead, err
	}
	more, err := s.deliver(box, second, sequence+first.count-int32(len(dead)), state)
	return append(dead, more...), err
}

// produce sends the bytes of a batch to the partition's leader, wherever it moves, until the broker
// has answered for good or the sender is stopped.
func (s *sender) produce(box *outbox, sealed []byte) error {
	begun := time.Now()
	for try := 0; ; try++ {
		err := s.produceOnce(box, sealed)
		if err != nil {
			box.sealed = nil // a request that timed out may be on its way still
		}
		switch {
		case err == nil, errors.Is(err, kerr.DuplicateSequenceNumber): // a retry of what had arrived
			return nil
		case s.ctx.Err() != nil:
			return s.ctx.Err()
		case isProduceFinal(err), time.Since(begun) > deliveryWait:
			return err
		}
		s.mu.Lock()
		stopped := s.err
		s.mu.Unlock()
		if stopped != nil {
			return stopped
		}
		box.leader = -1
		if try > 0 {
			pause(s.ctx, try)
		}
	}
}

func isProduceFinal(err error) bool {
	var broker *kerr.Error
	var own *sql.Error
	if errors.As(err, &own) {
		return own.Code != sql.CodeConnectionFailure
	}
	return errors.As(err, &broker) && !broker.Retriable
}

// pause waits 20 ms, doubling with each try to 2 s.
func pause(ctx context.Context, try int) {
	pauseFor(ctx, min(20*time.Millisecond<<min(try, 10), 2*time.Second))
}

func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *sender) produceOnce(box *outbox, sealed []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, produceTimeout+5*time.Second)
	defer cancel()
	if box.leader < 0 {
		meta, err := topicMetadata(ctx, s.client, s.cfg.topic)
		if err != nil {
			return err
		}
		if box.leader, _, err = leaderOf(meta, box.number); err != nil {
			return err
		}
	}
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID = s.txnID
	req.Acks = -1
	req.TimeoutMillis = int32(produceTimeout.Milliseconds())
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = s.cfg.topic
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Partition, partition.Records = box.number, sealed
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, s.client.Broker(int(box.leader)))
	if err != nil {
		return err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return sql.Errorf(sql.CodeProtocolViolation, "produce response without the partition asked for")
	}
	p := &resp.Topics[0].Partitions[0]
	if err := kafkaError(p.ErrorCode); err != nil {
		if p.ErrorMessage != nil {
			return fmt.Errorf("%w (%s)", err, *p.ErrorMessage)
		}
		return err
	}
	return nil
}

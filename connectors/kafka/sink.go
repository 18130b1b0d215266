package kafka

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// sink delivers epochs exactly once: the rows and the marker "epoch N" are one Kafka transaction.
//
// State: `held` is the epoch that the target holds as far as we know; claimed says that we know, and
// that the transactional id is ours. After a failure claimed is false: whether the transaction took
// effect is then read from the marker, never guessed.
//
//	claim: get the transactional id (which fences an older instance and aborts what it left open),
//	read the marker, and commit it anew under our name; but if it had our name and has another's, stop.
//	Where there is none, the caller decides what the target holds, and Mark or Deliver makes the first.
//	A target that is ahead of our job is left to whoever has it: a server that was started on an old
//	copy of the data must not stop the one that goes on. One whose marker is older than what it has
//	confirmed is left alone too: a coordinator that has lost the end of its log finds it again when
//	Kafka is mended, unless we have written over it.
//
// When a broker then refuses our producer epoch, the marker's owner tells why: if it is another
// instance, that is newer and we stop for good; if it is still us, the transaction only took too long.
type sink struct {
	cfg     *config
	job     string
	client  *kgo.Client
	rows    rowWriter
	txn     transaction
	owner   string
	claimed bool
	owned   bool // the marker has had our name
	marked  bool // there is a marker
	held    uint64
	known   uint64 // the epoch that the caller counts from
	floor   uint64 // a target whose marker is below this is not claimed: it has confirmed as much
	limit   uint64 // a target that holds more than this is not claimed, before it is ours
	fenced  error  // final
}

var (
	_ connectors.Sink       = (*sink)(nil)
	_ connectors.Marker     = (*sink)(nil)
	_ connectors.Identified = (*sink)(nil)
)

func openSink(ctx context.Context, cfg *config, r connectors.Relation, notice connectors.Notice) (*sink, error) {
	if r.Job == "" {
		return nil, sql.Errorf(sql.CodeInternal, "a sink needs the name of its job")
	}
	enc, err := newEncoders(cfg, r)
	if err != nil {
		return nil, err
	}
	client, err := cfg.client.newClient(kgo.MaxVersions(transactionVersions()), kgo.RetryBackoffFn(soon))
	if err != nil {
		return nil, err
	}
	id := cfg.transactionPrefix + "." + r.Job
	s := &sink{cfg: cfg, job: r.Job, client: client, owner: rand.Text(), floor: r.Confirmed, limit: r.Epoch,
		txn: transaction{client: client, id: id, group: markerGroup(r.Job), topic: cfg.topic, wait: cfg.transactionWait}}
	partitions, err := ensureTopic(ctx, cfg, client, notice)
	if err == nil {
		s.rows, err = newRowWriter(cfg, client, enc, partitions, &id)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

// soon is how long the client waits before it repeats a request: 5 ms, doubling to 1 s. A transaction
// is short, and readers wait for its end.
func soon(fails int) time.Duration {
	return min(5*time.Millisecond<<min(fails, 10), time.Second)
}

// Delivered returns the epoch that the target holds, and makes the target ours if that is no more
// than the job's. Kafka forgets markers that are not renewed.
func (s *sink) Delivered(ctx context.Context) (epoch uint64, marked bool, err error) {
	if err := s.claim(ctx); err != nil {
		return 0, false, s.failed(ctx, err, "take over the delivery")
	}
	s.known = s.held
	return s.held, s.marked, nil
}

// claim makes the transactional id ours and learns what the target holds. It does nothing when that
// is known already. A target that doesn't fit to the job is left alone: claimed is false then.
func (s *sink) claim(ctx context.Context) error {
	if s.fenced != nil || s.claimed {
		return s.fenced
	}
	m, err := s.look(ctx, false)
	if err != nil {
		return err
	}
	if s.owned && s.marked && m.owner != s.owner {
		return s.fence(m)
	}
	if s.ahead() {
		return nil
	}
	if err := s.txn.init(ctx); err != nil {
		return err
	}
	s.rows.sender.restart(s.txn.state)
	if _, err := s.look(ctx, true); err != nil { // no other instance can write it from here on
		return err
	}
	// By now; if the marker is another's, that takes the id back. Nor could we tell before whether the
	// marker is older than it should be: a transaction that is committed may not have reached it.
	if s.ahead() || s.marked && s.held < s.floor {
		return nil
	}
	s.claimed = true
	if !s.marked {
		return nil // the marker was lost, or there never was one: the caller decides
	}
	return s.write(ctx, s.held)
}

// look reads what the target holds.
func (s *sink) look(ctx context.Context, stable bool) (marker, error) {
	m, err := s.txn.readMarker(ctx, stable)
	if err == nil {
		s.held, s.marked = m.epoch, m.owner != ""
	}
	return m, err
}

// ahead tells whether the target holds more than the job has made.
func (s *sink) ahead() bool { return !s.owned && s.held > s.limit }

// write commits the marker alone.
func (s *sink) write(ctx context.Context, epoch uint64) error {
	if err := s.txn.addGroup(ctx); err != nil {
		return err
	}
	if err := s.txn.mark(ctx, marker{epoch: epoch, owner: s.owner}); err != nil {
		return err
	}
	if err := s.txn.end(ctx, true); err != nil {
		return err
	}
	s.held, s.claimed, s.marked, s.owned = epoch, true, true, true
	return nil
}

// Mark implements connectors.Marker: it claims the target, whatever that holds, and sets the marker.
func (s *sink) Mark(ctx context.Context, epoch uint64) error {
	s.floor, s.limit = 0, math.MaxUint64
	err := s.claim(ctx)
	if err == nil {
		err = s.write(ctx, epoch)
	}
	if err != nil {
		return s.failed(ctx, err, "write the marker")
	}
	s.known, s.floor = epoch, epoch
	return nil
}

// Identity implements connectors.Identified: the id that Kafka gave the topic.
func (s *sink) Identity(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	topic, err := topicMetadata(ctx, s.client, s.cfg.topic)
	if err != nil {
		return "", s.cfg.client.wrap(err, "read the metadata of topic "+sql.QuoteIdent(s.cfg.topic))
	}
	return hex.EncodeToString(topic.TopicID[:]), nil
}

// Deliver writes the rows up to and including epoch, and the marker.
func (s *sink) Deliver(ctx context.Context, epoch uint64, batches []*stream.Batch, refused connectors.Refused) error {
	if err := s.claim(ctx); err != nil {
		return s.failed(ctx, err, "take over the delivery")
	}
	if !s.claimed {
		if s.held < s.floor {
			return sql.Errorf(sql.CodeObjectNotInState, "topic %q holds epochs of job %q up to %d, but those up to %d were delivered before", s.cfg.topic, s.job, s.held, s.floor)
		}
		return sql.Errorf(sql.CodeObjectNotInState, "topic %q holds epoch %d of job %q, which has made only %d", s.cfg.topic, s.held, s.job, s.limit)
	}
	if epoch <= s.held { // an attempt whose outcome was unknown had taken effect
		s.known = s.held
		return nil
	}
	if s.known != s.held {
		return sql.Errorf(sql.CodeSerializationFailure, "topic %q holds epoch %d of job %q, not %d: deliver again from there", s.cfg.topic, s.held, s.job, s.known)
	}
	if err := s.transact(ctx, epoch, batches, refused); err != nil {
		return s.failed(ctx, err, fmt.Sprintf("deliver epoch %d", epoch))
	}
	s.held, s.known, s.floor, s.marked, s.owned = epoch, epoch, epoch, true, true
	return nil
}

// transact is one transaction. The group joins it while rows are encoded, then their partitions do;
// the marker goes to the group's coordinator while the rows go to the partitions' leaders.
//
// The order matters: the transaction's coordinator takes one addition at a time, and leaders ask it
// about a transaction before they take the first write of it. What finds it busy is sent away, as if
// a coordinator were lost, and comes again only after a quarter of a second.
func (s *sink) transact(ctx context.Context, epoch uint64, batches []*stream.Batch, refused connectors.Refused) error {
	s.rows.grow(ctx)
	s.rows.sender.begin()
	joined := make(chan struct{})
	var refusal error
	go func() {
		defer close(joined)
		refusal = s.txn.addGroup(ctx)
	}()
	group := func() error { <-joined; return refusal } // a channel, not a sync.Once: the simulation's clock waits for who holds a lock
	s.rows.sender.admit = func(partitions []int32) error {
		if err := group(); err != nil {
			return err
		}
		return s.txn.addPartitions(ctx, partitions)
	}
	dead, err := s.rows.write(batches)
	if gerr := group(); err == nil {
		err = gerr
	}
	if err == nil {
		marked := make(chan error, 1)
		go func() { marked <- s.txn.mark(ctx, marker{epoch: epoch, owner: s.owner}) }()
		var sent []connectors.DeadLetter
		sent, err = s.rows.sender.wait(ctx)
		dead = append(dead, sent...)
		if merr := <-marked; err == nil {
			err = merr
		}
	}
	if err == nil && len(dead) > 0 {
		err = refused(dead)
	}
	if err != nil {
		s.abort(ctx, err)
		return err
	}
	return s.txn.end(ctx, true)
}

// abort gives up a transaction, so that readers of the topic do not wait for it until it expires.
func (s *sink) abort(ctx context.Context, why error) {
	if isFenced(why) {
		return
	}
	s.rows.sender.fail(why)
	s.rows.sender.running.Wait() // or a batch might arrive after the end
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortWait)
	defer cancel()
	if err := s.txn.end(ctx, false); err != nil {
		slog.Info("kafka: could not abort a transaction, it will expire", "topic", s.cfg.topic, "error", err)
	}
}

const abortWait = 5 * time.Second

// failed handles an error after which the outcome is unknown or nothing was written: the next call
// claims again. It returns the error to report.
func (s *sink) failed(ctx context.Context, err error, action string) error {
	s.claimed = false
	s.rows.sender.fail(err)
	if s.fenced != nil {
		return s.fenced
	}
	if isFenced(err) {
		m, merr := s.txn.readMarker(ctx, false)
		if merr == nil && s.owned && m.owner != "" && m.owner != s.owner {
			return s.fence(m)
		}
		return sql.Errorf(sql.CodeSerializationFailure, "could not %s: the transaction on topic %q was aborted by the broker: %w", action, s.cfg.topic, err).
			WithHint("If it takes longer than %v, raise the option \"properties.transaction.timeout.ms\".", s.cfg.transactionWait)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return s.cfg.client.wrap(err, fmt.Sprintf("%s to topic %q", action, s.cfg.topic))
}

// fence stops this instance for good.
func (s *sink) fence(m marker) error {
	s.fenced = sql.Errorf(sql.CodeObjectNotInState, "another server delivers job %q to topic %q: this one is fenced", s.job, s.cfg.topic).
		WithDetail("Transactional id %q was taken over at epoch %d.", s.txn.id, m.epoch).
		WithHint("Stop one of the servers, or give the sinks different values of \"sink.transactional-id-prefix\".")
	return s.fenced
}

func (s *sink) Close() error {
	s.rows.sender.close()
	s.client.Close()
	return nil
}

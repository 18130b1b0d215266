package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/streamsql/streamsql/sql"
)

// transaction speaks the first version of Kafka's transaction protocol, which brokers from 2.5 to
// today's accept: the partitions and the group are added by name before they are written to, and a
// transaction is ended under the producer epoch it was begun with. Every step may be repeated until
// its answer arrives.
type transaction struct {
	client *kgo.Client
	id     string // the transactional id
	group  string // of the marker
	topic  string
	wait   time.Duration
	state  producerState
}

// transactionVersions keeps the requests of a transaction to those of the protocol's first version, and
// the marker's to those that name a topic: from version 10 on they have its id, which is as good as the
// metadata of the broker that was asked for it.
func transactionVersions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(int16(kmsg.Produce), 11)
	v.SetMaxKeyVersion(int16(kmsg.AddPartitionsToTxn), 3)
	v.SetMaxKeyVersion(int16(kmsg.AddOffsetsToTxn), 3)
	v.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
	v.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
	v.SetMaxKeyVersion(int16(kmsg.OffsetFetch), 9)
	return v
}

// init gets the transactional id for us: whoever had it is fenced, and what it left open is aborted.
func (t *transaction) init(ctx context.Context) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = kmsg.StringPtr(t.id)
	req.TransactionTimeoutMillis = int32(t.wait.Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err != nil {
			return err
		}
		if err := kafkaError(resp.ErrorCode); err != nil {
			if errors.Is(err, kerr.InvalidTransactionTimeout) {
				return sql.Errorf(sql.CodeInvalidParameter, "the broker allows no transaction of %v", t.wait).
					WithHint("Set the option \"properties.transaction.timeout.ms\" to at most the broker's transaction.max.timeout.ms.")
			}
			return err
		}
		t.state = producerState{id: resp.ProducerID, epoch: resp.ProducerEpoch, transactional: true}
		return nil
	})
}

// addPartitions makes partitions of the topic part of the transaction, and so begins it.
func (t *transaction) addPartitions(ctx context.Context, partitions []int32) error {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch = t.id, t.state.id, t.state.epoch
	topic := kmsg.NewAddPartitionsToTxnRequestTopic()
	topic.Topic, topic.Partitions = t.topic, partitions
	req.Topics = append(req.Topics, topic)
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err != nil {
			return err
		}
		if err := kafkaError(resp.ErrorCode); err != nil {
			return err
		}
		for _, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				// The partitions that are fine say so only when all are.
				if err := kafkaError(p.ErrorCode); err != nil && !errors.Is(err, kerr.OperationNotAttempted) {
					return err
				}
			}
		}
		return nil
	})
}

// addGroup makes the marker's group part of the transaction, and so begins it if nothing has.
func (t *transaction) addGroup(ctx context.Context) error {
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = t.id, t.state.id, t.state.epoch, t.group
	return t.retry(ctx, func() error {
		resp, err := add.RequestWith(ctx, t.client)
		if err != nil {
			return err
		}
		return kafkaError(resp.ErrorCode)
	})
}

// mark commits the marker's offset as part of the transaction, which the group is in already.
func (t *transaction) mark(ctx context.Context, m marker) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = t.id, t.state.id, t.state.epoch, t.group
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = markerPartition, int64(m.epoch), kmsg.StringPtr(m.String())
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = t.topic
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err != nil {
			return err
		}
		for _, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				if err := kafkaError(p.ErrorCode); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// newTopicWait is how long a topic that was just created may be unknown to a broker.
const newTopicWait = 5 * time.Second

// end commits or aborts. The coordinator answers when that is decided for good; readers see it some
// milliseconds later, when the partitions' leaders have been told.
func (t *transaction) end(ctx context.Context, commit bool) error {
	req := kmsg.NewPtrEndTxnRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Commit = t.id, t.state.id, t.state.epoch, commit
	return t.retry(ctx, func() error {
		resp, err := req.RequestWith(ctx, t.client)
		if err != nil {
			return err
		}
		return kafkaError(resp.ErrorCode)
	})
}

// retry repeats a step while the coordinator moves, loads, or is busy ending the transaction before. A
// topic that is not there is waited for only as long as a new one may take to be known everywhere: it
// has been deleted, and somebody has to learn of it.
func (t *transaction) retry(ctx context.Context, step func() error) error {
	begun := time.Now()
	for try := 0; ; try++ {
		err := step()
		var broker *kerr.Error
		wait := deliveryWait
		if isUnknownTopic(err) {
			wait = newTopicWait
		}
		if err == nil || time.Since(begun) > wait || !errors.As(err, &broker) || !broker.Retriable && !errors.Is(err, kerr.ConcurrentTransactions) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pauseFor(ctx, 2*time.Millisecond<<min(try/4, 9)) // ending a transaction takes the broker a few milliseconds
	}
}

// markerPartition is the partition of the sink's topic that the marker is committed for.
const markerPartition = 0

// markerGroup is the consumer group that keeps a job's marker.
func markerGroup(job string) string { return "streamsql." + job }

// marker is the epoch that the target holds, kept as an offset commit of the sink's group: offset =
// epoch, and metadata that also names the sink instance which wrote it.
type marker struct {
	epoch uint64
	owner string // empty = none was written
}

func (m marker) String() string { return fmt.Sprintf("streamsql epoch=%d owner=%s", m.epoch, m.owner) }

// readMarker reads the committed marker. With stable set it first waits until no transaction has it
// in doubt.
func (t *transaction) readMarker(ctx context.Context, stable bool) (marker, error) {
	var found map[int32]committed
	err := t.retry(ctx, func() (err error) {
		found, err = fetchCommitted(ctx, t.client, t.group, t.topic, []int32{markerPartition}, stable)
		return err
	})
	c, ok := found[markerPartition]
	if err != nil || !ok {
		return marker{}, err
	}
	m, ok := parseMarker(c.metadata)
	if !ok {
		return marker{}, sql.Errorf(sql.CodeObjectNotInState, "group %q has an offset of topic %q that is no epoch marker: %q", t.group, t.topic, c.metadata).
			WithHint("No other consumer may use the group of a sink.")
	}
	return m, nil
}

func parseMarker(s string) (m marker, ok bool) {
	for _, f := range strings.Fields(s) {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "epoch":
			n, err := strconv.ParseUint(value, 10, 64)
			m.epoch, ok = n, err == nil
		case "owner":
			m.owner = value
		}
	}
	return m, ok
}

// isFenced tells whether the broker no longer takes our producer epoch.
func isFenced(err error) bool {
	for _, e := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.UnknownProducerID,
		kerr.InvalidTxnState, kerr.OutOfOrderSequenceNumber, kerr.TransactionAbortable} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

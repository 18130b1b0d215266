package kafka

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// A server that was started on an old copy of the data finds the target ahead of its job. It takes
// nothing away from the one that goes on, until it is told to.
func TestSinkLeavesATargetThatIsAhead(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "ahead")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		deliver(t, s, 2, "b")
		rel.Epoch = 1
		copied := newTestSink(t, rel)
		delivered(t, copied, 2)
		if err := copied.Deliver(testContext(t), 3, nil, nil); err == nil || sql.AsError(err).Code != sql.CodeObjectNotInState {
			t.Errorf("got %v", err)
		}
		deliver(t, s, 3, "c")
		if err := copied.Mark(testContext(t), 1); err != nil {
			t.Fatal(err)
		}
		deliver(t, copied, 2, "b again")
		if err := s.Deliver(testContext(t), 4, nil, nil); err == nil || !strings.Contains(err.Error(), "fenced") {
			t.Errorf("got %v", err)
		}
		topicHolds(t, rel, "a", "b", "c", "b again")
	})
}

// The marker can be renewed without rows, and a topic made again is another target.
func TestSinkMarkAndIdentity(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "identity")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 5, "a")
		if err := s.Mark(testContext(t), 5); err != nil {
			t.Fatal(err)
		}
		deliver(t, s, 6, "b")
		delivered(t, newTestSink(t, rel), 6)
		before, err := s.Identity(testContext(t))
		if err != nil || len(before) != 32 {
			t.Fatalf("%q, %v", before, err)
		}
		if _, err := kadm.NewClient(kafkatest.Client(t, addr)).DeleteTopics(testContext(t), "identity"); err != nil {
			t.Fatal(err)
		}
		again := newTestSink(t, rel)
		if epoch, marked, err := again.Delivered(testContext(t)); err != nil || epoch != 0 || marked {
			t.Errorf("delivered %d, marked %v, %v", epoch, marked, err)
		}
		if after, err := again.Identity(testContext(t)); err != nil || after == before {
			t.Errorf("%q before, %q after, %v", before, after, err)
		}
	})
}

// Whatever the broker says of a transaction that it has given up, at whatever step, the rows are
// delivered again, once: only another owner of the marker is a fence.
func TestSinkTransactionIsGivenUp(t *testing.T) {
	errs := []*kerr.Error{kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping,
		kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.TransactionAbortable}
	b := fake(t, kfake.SeedTopics(2, "given-up"))
	rel := relation(b.Addr(), "given-up")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	var want []string
	epoch := uint64(0)
	for _, key := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		for _, e := range errs {
			row := fmt.Sprint(key, " ", e.Message)
			want = append(want, row)
			epoch++
			failing := true
			b.Cluster().ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
				if !failing {
					return nil, nil, false
				}
				failing = false
				return answer(req, e.Code), nil, true
			})
			err := s.Deliver(testContext(t), epoch, []*stream.Batch{textBatch(row)}, nil)
			if err == nil || sql.AsError(err).Code != sql.CodeSerializationFailure {
				t.Fatalf("%s: got %v", row, err)
			}
			delivered(t, s, epoch-1)
			deliver(t, s, epoch, row)
		}
	}
	topicHolds(t, rel, want...)
}

// answer is a response to a step of a transaction that holds an error wherever it can.
func answer(req kmsg.Request, code int16) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.AddPartitionsToTxnRequest:
		resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		resp.ErrorCode = code
		for _, rt := range req.Topics {
			st := kmsg.NewAddPartitionsToTxnResponseTopic()
			st.Topic = rt.Topic
			for _, p := range rt.Partitions {
				sp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				sp.Partition, sp.ErrorCode = p, code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp
	case *kmsg.ProduceRequest:
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewProduceResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, p := range rt.Partitions {
				sp := kmsg.NewProduceResponseTopicPartition()
				sp.Partition, sp.ErrorCode = p.Partition, code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp
	case *kmsg.AddOffsetsToTxnRequest:
		resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.TxnOffsetCommitRequest:
		resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewTxnOffsetCommitResponseTopic()
			st.Topic = rt.Topic
			for _, p := range rt.Partitions {
				sp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
				sp.Partition, sp.ErrorCode = p.Partition, code
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp
	case *kmsg.InitProducerIDRequest:
		resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = code
		return resp
	case *kmsg.EndTxnRequest:
		resp := req.ResponseKind().(*kmsg.EndTxnResponse)
		resp.ErrorCode = code
		return resp
	}
	panic("no answer to " + kmsg.NameForKey(req.Key()))
}

// Rows go to partitions that are added to the topic while the sink is open.
func TestSinkFindsNewPartitions(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "grows"))
	rel := relation(b.Addr(), "grows")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	deliver(t, s, 1, "a")
	if _, err := kadm.NewClient(kafkatest.Client(t, b.Addr())).UpdatePartitions(testContext(t), 3, "grows"); err != nil {
		t.Fatal(err)
	}
	s.rows.looked = time.Time{} // a minute passes
	for epoch := uint64(2); epoch < 8; epoch++ {
		deliver(t, s, epoch, fmt.Sprint(epoch))
	}
	byPartition, _ := readBounded(t, rel)
	for p := range int32(3) {
		if len(byPartition[p]) == 0 {
			t.Errorf("partition %d got nothing: %v", p, byPartition)
		}
	}
}

// A topic that is deleted is an error soon, and not waited for like a broker that is away.
func TestSinkTopicDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "deleted", "topic.partitions", "1")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		if resp, err := kadm.NewClient(s.client).DeleteTopic(testContext(t), "deleted"); err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
		err := s.Deliver(testContext(t), 2, []*stream.Batch{textBatch("b")}, noneRefused(t))
		if err == nil || !strings.Contains(err.Error(), `"deleted"`) {
			t.Fatalf("got %v", err)
		}
		if _, err := s.Identity(testContext(t)); err == nil || sql.AsError(err).Code != sql.CodeUndefinedTable {
			t.Fatalf("the identity: %v", err)
		}
	})
}

// setMarker writes a sink's marker as the group's coordinator would have it that has lost the end of its log.
func setMarker(t *testing.T, s *sink, m marker) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: s.cfg.topic, Partition: markerPartition, At: int64(m.epoch), LeaderEpoch: -1, Metadata: m.String()})
	if resp, err := kadm.NewClient(s.client).CommitOffsets(testContext(t), s.txn.group, offsets); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
}

// A group's coordinator that comes back with an older marker than it had may find the newer one again,
// so nothing is written over it: neither by the sink that delivered nor by one that is started anew.
func TestSinkLeavesAStaleMarker(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "marker-stale")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		deliver(t, s, 7, "b")
		lost, kept := marker{1, s.owner}, marker{7, s.owner}
		setMarker(t, s, lost)
		s.claimed = false // as after a failure
		rel.Epoch, rel.Confirmed = 9, 7
		for _, s := range []*sink{s, newTestSink(t, rel)} {
			delivered(t, s, 1)
			err := s.Deliver(testContext(t), 8, []*stream.Batch{textBatch("c")}, noneRefused(t))
			if err == nil || sql.AsError(err).Code != sql.CodeObjectNotInState || !strings.Contains(err.Error(), "up to 1, but those up to 7 were delivered") {
				t.Fatalf("got %v", err)
			}
			if m, err := s.txn.readMarker(testContext(t), true); err != nil || m != lost {
				t.Fatalf("the marker is %+v, %v", m, err)
			}
		}
		setMarker(t, s, kept)
		again := newTestSink(t, rel)
		delivered(t, again, 7)
		deliver(t, again, 8, "c")
		topicHolds(t, rel, "a", "b", "c")
	})
}

// A broker that was killed behind the end of a transaction commits it only once it is back. Until then it
// shows the marker of the one before, unless it is asked to wait.
func TestSinkAwaitsACommitOnItsWay(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "on-its-way"))
	rel := relation(b.Addr(), "on-its-way")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	deliver(t, s, 1, "a")
	deliver(t, s, 2, "b")
	b.Cluster().ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster().KeepControl()
		fetch := req.(*kmsg.OffsetFetchRequest)
		if fetch.RequireStable {
			return nil, nil, false
		}
		resp := fetch.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, g := range fetch.Groups {
			rg := kmsg.NewOffsetFetchResponseGroup()
			rg.Group = g.Group
			for _, topic := range g.Topics {
				rt := kmsg.NewOffsetFetchResponseGroupTopic()
				rt.Topic = topic.Topic
				rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
				rp.Partition, rp.Offset, rp.Metadata = markerPartition, 1, kmsg.StringPtr(marker{1, s.owner}.String())
				rt.Partitions = append(rt.Partitions, rp)
				rg.Topics = append(rg.Topics, rt)
			}
			resp.Groups = append(resp.Groups, rg)
		}
		return resp, nil, true
	})
	rel.Epoch, rel.Confirmed = 9, 2
	s.claimed = false // as after a failure
	for i, s := range []*sink{s, newTestSink(t, rel)} {
		delivered(t, s, uint64(2+i))
		deliver(t, s, uint64(3+i), "c")
	}
	topicHolds(t, rel, "a", "b", "c", "c")
}

// A marker that is gone is no other server's: who delivered asks the caller where to go on.
func TestSinkMarkerGone(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "marker-gone")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		if err := (Connector{}).Forget(testContext(t), rel); err != nil {
			t.Fatal(err)
		}
		if err := (Connector{}).Forget(testContext(t), rel); err != nil {
			t.Fatalf("a second time: %v", err)
		}
		s.claimed = false
		if epoch, marked, err := s.Delivered(testContext(t)); err != nil || epoch != 0 || marked {
			t.Fatalf("delivered %d, marked %v, %v", epoch, marked, err)
		}
		if err := s.Mark(testContext(t), 1); err != nil {
			t.Fatal(err)
		}
		deliver(t, s, 2, "b")
		topicHolds(t, rel, "a", "b")
	})
}

// The steps of a transaction come in the order in which a broker never finds its coordinator busy with
// another of them: see transact. Each is refused once, so that one which doesn't wait comes too early.
func TestSinkStepsInOrder(t *testing.T) {
	b := fake(t, kfake.SeedTopics(2, "ordered"))
	rel := relation(b.Addr(), "ordered")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	var mu sync.Mutex
	var steps []kmsg.Key
	for _, key := range []kmsg.Key{kmsg.AddOffsetsToTxn, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		failing := key != kmsg.Produce
		b.Cluster().ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
			b.Cluster().KeepControl()
			mu.Lock()
			defer mu.Unlock()
			steps = append(steps, key)
			if !failing {
				return nil, nil, false
			}
			failing = false
			return answer(req, kerr.ConcurrentTransactions.Code), nil, true
		})
	}
	deliver(t, s, 1, numbered("row", 100)...)
	mu.Lock()
	defer mu.Unlock()
	first := func(step kmsg.Key) int { return slices.Index(steps, step) }
	last := func(step kmsg.Key) (at int) {
		for i, s := range steps {
			if s == step {
				at = i
			}
		}
		return at
	}
	for _, order := range [][2]int{
		{last(kmsg.AddOffsetsToTxn), first(kmsg.AddPartitionsToTxn)},
		{last(kmsg.AddPartitionsToTxn), first(kmsg.Produce)},
		{last(kmsg.AddPartitionsToTxn), first(kmsg.TxnOffsetCommit)},
		{last(kmsg.Produce), first(kmsg.EndTxn)},
		{last(kmsg.TxnOffsetCommit), first(kmsg.EndTxn)},
	} {
		if order[0] >= order[1] {
			t.Errorf("step %d came before step %d had ended: %v", order[1], order[0], steps)
		}
	}
	topicHolds(t, rel, numbered("row", 100)...)
}

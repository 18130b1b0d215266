package kafka

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/sql"
)

// offsets is an answer to what a group has committed, in the place that the request's version has for
// it. group is its error as a whole.
func offsets(req *kmsg.OffsetFetchRequest, group *kerr.Error, topics ...kmsg.OffsetFetchResponseGroupTopic) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	code := int16(0)
	if group != nil {
		code = group.Code
	}
	if req.Version >= 8 {
		rg := kmsg.NewOffsetFetchResponseGroup()
		rg.Group, rg.ErrorCode, rg.Topics = req.Groups[0].Group, code, topics
		resp.Groups = append(resp.Groups, rg)
		return resp
	}
	resp.ErrorCode = code
	for _, t := range topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rt.Partitions = append(rt.Partitions, kmsg.OffsetFetchResponseTopicPartition{Partition: p.Partition, Offset: p.Offset, LeaderEpoch: -1, Metadata: p.Metadata, ErrorCode: p.ErrorCode})
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// committedIn is a partition's part of such an answer.
func committedIn(topic string, partition int32, offset int64, metadata string, err *kerr.Error) kmsg.OffsetFetchResponseGroupTopic {
	t, p := kmsg.NewOffsetFetchResponseGroupTopic(), kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.Metadata = partition, offset, &metadata
	if err != nil {
		p.ErrorCode = err.Code
	}
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	return t
}

// answerOffsets lets a broker answer so what a group has committed, n times.
func answerOffsets(b *devbroker.Broker, n int32, answer func(*kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse) (asked *atomic.Int32) {
	asked = new(atomic.Int32)
	b.Cluster().ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster().KeepControl()
		if asked.Add(1) > n {
			return nil, nil, false
		}
		return answer(req.(*kmsg.OffsetFetchRequest)), nil, true
	})
	return asked
}

// onVersions runs a test against brokers before and since groups can be asked for in batches, and such
// that know topics by their ids.
func onVersions(t *testing.T, topic string, test func(t *testing.T, b *devbroker.Broker)) {
	for _, version := range []int16{7, 9, 10} {
		t.Run(fmt.Sprint("v", version), func(t *testing.T) {
			v := kversion.Stable()
			v.SetMaxKeyVersion(int16(kmsg.OffsetFetch), version)
			test(t, fake(t, kfake.SeedTopics(2, topic), kfake.MaxVersions(v)))
		})
	}
}

// There is no marker only where the coordinator says so. What it can't tell yet is asked again, more
// often than the client does of itself; what is no answer is an error.
func TestMarkerIsWhatTheCoordinatorSays(t *testing.T) {
	const topic = "told"
	type response = kmsg.OffsetFetchResponse
	type request = kmsg.OffsetFetchRequest
	fails := func(err *kerr.Error) func(*request) *response {
		return func(req *request) *response { return offsets(req, err) }
	}
	holds := func(partition int32, offset int64, metadata string, err *kerr.Error) func(*request) *response {
		return func(req *request) *response {
			return offsets(req, nil, committedIn(topic, partition, offset, metadata, err))
		}
	}
	onVersions(t, topic, func(t *testing.T, b *devbroker.Broker) {
		rel := relation(b.Addr(), topic)
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 3, "a")
		for _, c := range []struct {
			name   string
			answer func(*request) *response
			times  int32
			want   uint64 // of the marker; 0 = none
			err    string
		}{
			{"no offset", holds(markerPartition, -1, "", nil), 1, 0, ""},
			{"no group", fails(kerr.GroupIDNotFound), 1, 0, ""},
			{"nothing", func(req *request) *response { return req.ResponseKind().(*response) }, 1, 0, "does not say"},
			{"no topic", fails(nil), 1, 0, "does not say"},
			{"another topic", func(req *request) *response {
				return offsets(req, nil, committedIn("other", markerPartition, 3, "streamsql epoch=3 owner=x", nil))
			}, 1, 0, "does not say"},
			{"another partition", holds(1, 3, "streamsql epoch=3 owner=x", nil), 1, 0, "does not say"},
			{"in doubt", holds(markerPartition, -1, "", kerr.UnstableOffsetCommit), 3, 3, ""},
			{"moves", fails(kerr.NotCoordinator), 12, 3, ""},
			{"loads", fails(kerr.CoordinatorLoadInProgress), 12, 3, ""},
			{"is away", fails(kerr.CoordinatorNotAvailable), 12, 3, ""},
			{"not for us", fails(kerr.GroupAuthorizationFailed), 1, 0, "GROUP_AUTHORIZATION_FAILED"},
			{"its topic is not for us", holds(markerPartition, -1, "", kerr.TopicAuthorizationFailed), 1, 0, "TOPIC_AUTHORIZATION_FAILED"},
			{"another's", holds(markerPartition, 42, "", nil), 1, 0, "no epoch marker"},
		} {
			asked := answerOffsets(b, c.times, c.answer)
			m, err := s.txn.readMarker(testContext(t), true)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) || m.epoch != c.want {
				t.Errorf("%s: marker %+v, %v; want %d, error %q", c.name, m, err, c.want, c.err)
			}
			if asked.Load() < c.times {
				t.Errorf("%s: asked %d times", c.name, asked.Load())
			}
		}
	})
}

// Nothing but the marker is asked for.
func TestMarkerIsAskedForAlone(t *testing.T) {
	onVersions(t, "alone", func(t *testing.T, b *devbroker.Broker) {
		rel := relation(b.Addr(), "alone")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		for _, stable := range []bool{false, true} {
			var req kmsg.OffsetFetchRequest
			b.Cluster().ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				req = *r.(*kmsg.OffsetFetchRequest)
				return nil, nil, false
			})
			if m, err := s.txn.readMarker(testContext(t), stable); err != nil || m.epoch != 1 {
				t.Fatalf("marker %+v, %v", m, err)
			}
			group, topics := req.Group, []string{}
			for _, rt := range req.Topics {
				topics = append(topics, fmt.Sprint(rt.Topic, rt.Partitions))
			}
			if len(req.Groups) == 1 {
				group = req.Groups[0].Group
				topics = topics[:0]
				for _, rt := range req.Groups[0].Topics {
					topics = append(topics, fmt.Sprint(rt.Topic, rt.Partitions))
				}
			}
			if group != "streamsql.alone" || !slices.Equal(topics, []string{"alone[0]"}) || req.RequireStable != stable || len(req.Groups) > 1 {
				t.Errorf("asked group %q for %q, stable %v", group, topics, req.RequireStable)
			}
		}
	})
}

// A broker that leaves the marker out of its answer has not said that there is none: the epoch it
// holds is not delivered a second time.
func TestSinkMarkerIsLeftOut(t *testing.T) {
	onVersions(t, "left-out", func(t *testing.T, b *devbroker.Broker) {
		rel := relation(b.Addr(), "left-out")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		deliver(t, s, 1, "a")
		for _, s := range []*sink{s, newTestSink(t, rel)} {
			s.claimed = false // as after a failure
			answerOffsets(b, 1, func(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse { return offsets(req, nil) })
			if epoch, marked, err := s.Delivered(testContext(t)); err == nil || sql.AsError(err).Code != sql.CodeProtocolViolation {
				t.Fatalf("delivered %d, marked %v, %v", epoch, marked, err)
			}
			delivered(t, s, 1)
			deliver(t, s, 1, "a")
		}
		topicHolds(t, rel, "a")
	})
}

// A source that begins where a group has got to does not begin elsewhere because it isn't told.
func TestStartOfAGroupIsWhatTheCoordinatorSays(t *testing.T) {
	onVersions(t, "begins", func(t *testing.T, b *devbroker.Broker) {
		src := openSource(t, relation(b.Addr(), "begins", "scan.startup.mode", "group-offsets", "properties.group.id", "begun"))
		answerOffsets(b, 1, func(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
			return offsets(req, nil, committedIn("begins", 0, 7, "", nil)) // and of the other nothing
		})
		if splits, err := src.Splits(testContext(t), false); err == nil {
			t.Errorf("begins at %v", splits)
		}
		splits, err := src.Splits(testContext(t), false) // of a group that isn't there
		if err != nil || len(splits) != 2 || splits[0].Start.Offset != 0 || splits[1].Start.Offset != 0 {
			t.Errorf("begins at %v, %v", splits, err)
		}
	})
}

// Who reads committed records only does not begin at what a transaction has in doubt, but waits.
func TestStartOfAGroupIsCommitted(t *testing.T) {
	onVersions(t, "doubts", func(t *testing.T, b *devbroker.Broker) {
		for _, committed := range []bool{true, false} {
			level := map[bool]string{true: "read_committed", false: "read_uncommitted"}[committed]
			src := openSource(t, relation(b.Addr(), "doubts", "scan.startup.mode", "group-offsets", "properties.group.id", "doubted", "isolation.level", level))
			asked := answerOffsets(b, 3, func(req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
				if req.RequireStable != committed {
					t.Errorf("%s asks with RequireStable = %v", level, req.RequireStable)
				}
				second := committedIn("doubts", 1, 8, "", nil)
				if req.RequireStable {
					second = committedIn("doubts", 1, -1, "", kerr.UnstableOffsetCommit)
				}
				resp := offsets(req, nil, committedIn("doubts", 0, 7, "", nil), second)
				if req.Version >= 10 {
					for i := range resp.Groups[0].Topics {
						resp.Groups[0].Topics[i].TopicID = req.Groups[0].Topics[0].TopicID
					}
				}
				return resp
			})
			splits, err := src.Splits(testContext(t), false)
			if err != nil || len(splits) != 2 {
				t.Fatalf("%s begins at %v, %v", level, splits, err)
			}
			if at := splits[0].Start.Offset; committed && (at != 0 || asked.Load() != 4) || !committed && (at != 7 || asked.Load() != 1) {
				t.Errorf("%s begins at %d, after %d questions", level, at, asked.Load())
			}
		}
	})
}

package kafka

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// newTestSink opens the sink of a job that has made more than any test delivers, unless r says otherwise.
func newTestSink(t testing.TB, r connectors.Relation) *sink {
	t.Helper()
	r.Epoch = cmp.Or(r.Epoch, 1000)
	s, err := Connector{}.Sink(testContext(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*sink)
}

func deliver(t testing.TB, s connectors.Sink, epoch uint64, values ...string) {
	t.Helper()
	var batches []*stream.Batch
	if len(values) > 0 {
		batches = append(batches, textBatch(values...))
	}
	if err := s.Deliver(testContext(t), epoch, batches, noneRefused(t)); err != nil {
		t.Fatalf("deliver epoch %d: %v", epoch, err)
	}
}

// noneRefused fails the test when the target refuses a row.
func noneRefused(t testing.TB) connectors.Refused {
	return func(dead []connectors.DeadLetter) error {
		t.Errorf("refused: %v", dead)
		return nil
	}
}

func delivered(t testing.TB, s connectors.Sink, want uint64) {
	t.Helper()
	if got, _, err := s.Delivered(testContext(t)); err != nil || got != want {
		t.Fatalf("delivered %d, %v; want %d", got, err, want)
	}
}

// topicHolds compares what a read_committed reader sees, over all partitions. What was committed last it
// sees only when the coordinator has told the partitions' leaders.
func topicHolds(t testing.TB, r connectors.Relation, want ...string) {
	t.Helper()
	slices.Sort(want)
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		byPartition, _ := readBounded(t, r)
		var got []string
		for _, v := range byPartition {
			got = append(got, v...)
		}
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if len(got) >= len(want) || time.Since(began) > 10*time.Second {
			t.Errorf("topic holds %q, want %q", got, want)
			return
		}
	}
}

func TestSinkDeliversEpochs(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "epochs", "topic.partitions", "3")
		var notices []string
		c, err := Connector{}.Sink(testContext(t), rel, func(m string) { notices = append(notices, m) })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if !slices.Equal(notices, []string{`topic "epochs" did not exist and was created`}) {
			t.Errorf("notices %q", notices)
		}
		delivered(t, c, 0)
		deliver(t, c, 1, "a", "b")
		deliver(t, c, 2, "c")
		deliver(t, c, 7) // no rows
		deliver(t, c, 8, "d")
		delivered(t, c, 8)
		topicHolds(t, rel, "a", "b", "c", "d")

		again := newTestSink(t, rel) // a restart
		delivered(t, again, 8)
		deliver(t, again, 8, "d") // was there already
		deliver(t, again, 9, "e")
		topicHolds(t, rel, "a", "b", "c", "d", "e")

		err = c.Deliver(testContext(t), 9, []*stream.Batch{textBatch("from the old server")}, noneRefused(t))
		if err == nil || !strings.Contains(err.Error(), `another server delivers job "epochs" to topic "epochs": this one is fenced`) {
			t.Errorf("the old sink: %v", err)
		}
		delivered(t, again, 9) // the old one took nothing away
		deliver(t, again, 10, "f")
		topicHolds(t, rel, "a", "b", "c", "d", "e", "f")
	})
}

// A sink that dies at any step of a transaction leaves an epoch that is there whole or not at all,
// and its successor reads which from the marker.
func TestSinkDiesBetweenSteps(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "dies")
		var want []string
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		for i, step := range []string{"rows", "marker", "ended"} {
			epoch := uint64(i + 1)
			row := "row " + step
			want = append(want, row)
			ctx := testContext(t)
			s.rows.sender.begin()
			s.rows.sender.admit = func(p []int32) error { return s.txn.addPartitions(ctx, p) }
			if _, err := s.rows.write([]*stream.Batch{textBatch(row)}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.rows.sender.wait(ctx); err != nil {
				t.Fatal(err)
			}
			held := epoch - 1
			if step != "rows" {
				if err := s.txn.addGroup(ctx); err != nil {
					t.Fatal(err)
				}
				if err := s.txn.mark(ctx, marker{epoch, s.owner}); err != nil {
					t.Fatal(err)
				}
			}
			if step == "ended" {
				if err := s.txn.end(ctx, true); err != nil {
					t.Fatal(err)
				}
				held = epoch
			}
			s = newTestSink(t, rel) // the one before is as good as dead
			delivered(t, s, held)
			deliver(t, s, epoch, row)
			topicHolds(t, rel, want...)
		}
	})
}

// The commit's outcome is unknown: the marker tells it, whichever it was.
func TestSinkCommitOutcomeUnknown(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "unknown"))
	rel := relation(b.Addr(), "unknown")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, TopLevel: true}) // fails, and nothing happened
	if err := s.Deliver(testContext(t), 1, []*stream.Batch{textBatch("a")}, noneRefused(t)); err == nil {
		t.Fatal("no error")
	}
	deliver(t, s, 1, "a")

	lost := errors.New("connection lost") // it happened, but the answer is lost
	if err := s.transact(testContext(t), 2, []*stream.Batch{textBatch("b")}, noneRefused(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.failed(testContext(t), lost, "deliver epoch 2"); err == nil {
		t.Fatal("no error")
	}
	deliver(t, s, 2, "b")
	delivered(t, s, 2)
	deliver(t, s, 3, "c")
	topicHolds(t, rel, "a", "b", "c")

	// What the caller puts together anew may not hold what is there already.
	if err := s.transact(testContext(t), 4, []*stream.Batch{textBatch("d")}, noneRefused(t)); err != nil {
		t.Fatal(err)
	}
	s.failed(testContext(t), lost, "deliver epoch 4")
	err := s.Deliver(testContext(t), 5, []*stream.Batch{textBatch("d"), textBatch("e")}, noneRefused(t))
	if err == nil || !strings.Contains(err.Error(), "deliver again from there") {
		t.Errorf("got %v", err)
	}
	delivered(t, s, 4)
	deliver(t, s, 5, "e")
	topicHolds(t, rel, "a", "b", "c", "d", "e")
}

// Kafka answers the end of a transaction when it is decided, and carries it out behind that: what was
// delivered may be seen by no reader yet. Who delivers next, the same sink or its successor, waits for it.
func TestSinkDeliversBeforeReadersSee(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "unseen"))
	rel := relation(b.Addr(), "unseen")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	var want []string
	for epoch, next := range []kmsg.Key{kmsg.AddOffsetsToTxn, kmsg.InitProducerID} { // its first step
		var end *kmsg.EndTxnRequest // decided and not carried out
		b.Cluster().ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
			end = req.(*kmsg.EndTxnRequest)
			return answer(req, 0), nil, true
		})
		row := fmt.Sprint("row ", epoch)
		deliver(t, s, uint64(2*epoch+1), row)
		topicHolds(t, rel, want...)
		if m, err := s.txn.readMarker(testContext(t), false); err != nil || m.epoch != uint64(2*epoch) {
			t.Fatalf("marker %+v, %v", m, err)
		}
		waits := make(chan struct{})
		refused := 0
		b.Cluster().ControlKey(int16(next), func(req kmsg.Request) (kmsg.Response, error, bool) {
			if end == nil {
				return nil, nil, false
			}
			if refused++; refused == 3 {
				close(waits)
			}
			b.Cluster().KeepControl()
			return answer(req, kerr.ConcurrentTransactions.Code), nil, true
		})
		carried := make(chan error, 1)
		go func() {
			<-waits
			req := *end
			b.Cluster().ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
				end = nil
				return nil, nil, false
			})
			_, err := req.RequestWith(testContext(t), s.client)
			carried <- err
		}()
		if next == kmsg.InitProducerID {
			s = newTestSink(t, rel)
			delivered(t, s, uint64(2*epoch+1))
		}
		deliver(t, s, uint64(2*epoch+2), row+" and a half")
		if err := <-carried; err != nil {
			t.Fatal(err)
		}
		want = append(want, row, row+" and a half")
		topicHolds(t, rel, want...)
	}
}

// A delivery that fails half-way is aborted at once: readers do not wait for it, and the next one
// goes through.
func TestSinkAborts(t *testing.T) {
	b := fake(t, kfake.SeedTopics(2, "aborts"))
	rel := relation(b.Addr(), "aborts")
	s := newTestSink(t, rel)
	delivered(t, s, 0)
	rows := []*stream.Batch{textBatch("a"), textBatch("b")} // one for each partition
	b.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed})
	err := s.Deliver(testContext(t), 1, rows, noneRefused(t))
	if err == nil || sql.AsError(err).Code != sql.CodeInsufficientPrivilege {
		t.Fatalf("got %v", err)
	}
	kafkatest.Produce(t, b.Addr(), "aborts", 0, "behind it")
	topicHolds(t, rel, "behind it")
	if err := s.Deliver(testContext(t), 1, rows, noneRefused(t)); err != nil {
		t.Fatal(err)
	}
	topicHolds(t, rel, "behind it", "a", "b")
}

// A transaction that the broker gave up is no fence: the next delivery goes through.
func TestSinkTransactionExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		rel := relation(addr, "expires", "properties.transaction.timeout.ms", "1000")
		s := newTestSink(t, rel)
		delivered(t, s, 0)
		ctx := testContext(t)
		if err := s.txn.addPartitions(ctx, []int32{0}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		err := s.Deliver(ctx, 1, []*stream.Batch{textBatch("a")}, noneRefused(t))
		if err != nil {
			if sql.AsError(err).Code != sql.CodeSerializationFailure {
				t.Fatalf("got %v (%s)", err, sql.AsError(err).Code)
			}
			deliver(t, s, 1, "a")
		}
		topicHolds(t, rel, "a")
	})
}

func TestSinkRefusesWhatIsTooLarge(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		kafkatest.CreateTopic(t, addr, "large", 1, "max.message.bytes", "20000")
		rel := relation(addr, "large", "properties.compression.type", "none")
		s := newTestSink(t, rel)
		big := strings.Repeat("b", 30_000)
		small := strings.Repeat("s", 15_000)
		var dead []connectors.DeadLetter
		err := s.Deliver(testContext(t), 1, []*stream.Batch{textBatch("first", big, small, "last"), textBatch(small)}, func(d []connectors.DeadLetter) error {
			dead = d
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(dead) != 1 || string(dead[0].Payload) != big || !strings.Contains(dead[0].Reason, "larger than topic \"large\" allows") {
			t.Errorf("%d dead letters", len(dead))
		}
		topicHolds(t, rel, "first", small, "last", small)

		w, err := Connector{}.Writer(testContext(t), rel, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, settle := range []func() func(context.Context) ([]connectors.DeadLetter, error){
			w.(connectors.AsyncWriter).Confirm, func() func(context.Context) ([]connectors.DeadLetter, error) { return w.Flush }} {
			if dead, err := w.Write(testContext(t), textBatch("w", big)); err != nil || len(dead) != 0 {
				t.Errorf("writer: %d dead letters, %v", len(dead), err)
			}
			if dead, err := settle()(testContext(t)); err != nil || len(dead) != 1 || string(dead[0].Payload) != big {
				t.Errorf("writer: %d dead letters, %v", len(dead), err)
			}
		}
		topicHolds(t, rel, "first", small, "last", small, "w", "w")
	})
}

// keyValues makes changes of an upsert sink: {op, key, value} each.
func keyValues(changes ...[3]any) *stream.Batch {
	var keys []int64
	var values []string
	b := &stream.Batch{Rows: len(changes)}
	for _, c := range changes {
		b.Ops = append(b.Ops, int8(c[0].(int)))
		keys = append(keys, int64(c[1].(int)))
		values = append(values, c[2].(string))
	}
	b.Columns = []arrow.Array{stream.Int64s(keys, nil), stream.Strings(values, nil)}
	return b
}

func TestUpsertSink(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "upserts"
		kafkatest.CreateTopic(t, addr, topic, 1)
		rel := jsonRelation(addr, topic, "type", "upsert", "primary_key", "k")
		s := newTestSink(t, rel)
		if (Connector{}).AppendOnly(rel) {
			t.Error("an upsert topic is said to be append-only")
		}
		for epoch, b := range []*stream.Batch{
			keyValues([3]any{1, 1, "a"}, [3]any{1, 2, "b"}, [3]any{-1, 1, "a"}, [3]any{1, 1, "c"}),
			keyValues([3]any{1, 2, "new first"}, [3]any{-1, 2, "b"}), // from two tasks, the insert first
			keyValues([3]any{-1, 1, "c"}),
			keyValues([3]any{1, 3, "here"}, [3]any{-1, 3, "here"}), // nothing, on balance
		} {
			if err := s.Deliver(testContext(t), uint64(epoch+1), []*stream.Batch{b}, noneRefused(t)); err != nil {
				t.Fatal(err)
			}
		}
		got := consume(t, addr, topic, 4)
		want := []string{`{"k":1}={"k":1,"v":"c"}`, `{"k":2}={"k":2,"v":"b"}`, `{"k":2}={"k":2,"v":"new first"}`, `{"k":1}=null`}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// consume reads n records with franz-go's own consumer.
func consume(t testing.TB, addr, topic string, n int) (out []string) {
	t.Helper()
	cl := kafkatest.Client(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	for len(out) < n {
		fetches := cl.PollFetches(testContext(t))
		if err := fetches.Err0(); err != nil {
			t.Fatalf("consumed %q: %v", out, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			v := "null"
			if r.Value != nil {
				v = string(r.Value)
			}
			out = append(out, string(r.Key)+"="+v)
		})
	}
	return out
}

// Keys go where Kafka's own producers put them.
func TestPartitionsByKey(t *testing.T) {
	b := fake(t, kfake.SeedTopics(7, "ours", "theirs"))
	rel := jsonRelation(b.Addr(), "ours", "key.fields", "k")
	w, err := Connector{}.Writer(testContext(t), rel, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var changes [][3]any
	for i := range 200 {
		changes = append(changes, [3]any{1, i, "v"})
	}
	if _, err := w.Write(testContext(t), keyValues(changes...)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Flush(testContext(t)); err != nil {
		t.Fatal(err)
	}
	theirs := kafkatest.Client(t, b.Addr(), kgo.DefaultProduceTopic("theirs"), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	cl := kafkatest.Client(t, b.Addr(), kgo.ConsumeTopics("ours"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for n := 0; n < 200; {
		cl.PollFetches(testContext(t)).EachRecord(func(r *kgo.Record) {
			n++
			res := theirs.ProduceSync(context.Background(), &kgo.Record{Key: r.Key, Value: r.Value})
			if rec, err := res.First(); err != nil || rec.Partition != r.Partition {
				t.Fatalf("key %s: ours went to %d, theirs to %d (%v)", r.Key, r.Partition, rec.Partition, err)
			}
		})
	}
}

func TestProducerOfDeadLetters(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		p, err := NewProducer(relation(addr, "source-of-dead"))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		d := connectors.DeadLetter{Job: "view", Topic: "in", Partition: 3, Offset: 42, Key: []byte("k"), Payload: []byte("garbage"), Field: "a.b", Code: "22P02", Reason: "no number"}
		if err := p.SendDeadLetter(testContext(t), "dead", &d); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(testContext(t)); err != nil {
			t.Fatal(err)
		}
		cl := kafkatest.Client(t, addr, kgo.ConsumeTopics("dead"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		r := cl.PollFetches(testContext(t)).Records()[0]
		var headers []string
		for _, h := range r.Headers {
			headers = append(headers, h.Key+"="+string(h.Value))
		}
		if got := strings.Join(headers, " "); string(r.Key)+string(r.Value) != "kgarbage" || got != "job=view topic=in partition=3 offset=42 field=a.b code=22P02 reason=no number" {
			t.Errorf("%s %s %s", r.Key, r.Value, got)
		}
		d.Key, d.Payload = bytes.Repeat([]byte("k"), 1<<20), bytes.Repeat([]byte("p"), 1<<20)
		if err := p.SendDeadLetter(testContext(t), "dead", &d); err != nil {
			t.Fatal(err)
		}
		if err := p.Flush(testContext(t)); err != nil {
			t.Fatal(err)
		}
		r = cl.PollFetches(testContext(t)).Records()[0]
		if last := r.Headers[len(r.Headers)-1]; len(r.Key) != maxSentKey || len(r.Value) != maxSentPayload || last.Key+string(last.Value) != "length1048576" {
			t.Errorf("a large letter: key of %d, payload of %d, %s", len(r.Key), len(r.Value), last)
		}
	})
}

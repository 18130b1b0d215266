package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// openAll opens a reader over all partitions of a topic, for ever.
func openAll(t testing.TB, rel connectors.Relation) connectors.Reader {
	t.Helper()
	src := openSource(t, rel)
	splits, err := src.Splits(testContext(t), false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(testContext(t), splits)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// Leaders move to and fro while their partitions are read and written.
func TestLeadersMove(t *testing.T) {
	const topic, partitions = "moves", 3
	b := fake(t, kfake.NumBrokers(3), kfake.SeedTopics(partitions, topic))
	r := openAll(t, relation(b.Addr(), topic))
	w, err := Connector{}.Writer(testContext(t), relation(b.Addr(), topic), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var want, got []string
	for round := range 20 {
		rows := numbered(fmt.Sprint("round", round), 50)
		want = append(want, rows...)
		if _, err := w.Write(testContext(t), textBatch(rows...)); err != nil {
			t.Fatal(err)
		}
		if err := b.Cluster().MoveTopicPartition(topic, int32(round%partitions), int32(round/2%3)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Flush(testContext(t)); err != nil {
			t.Fatal(err)
		}
		follow(t, r, func(c *connectors.Chunk) bool {
			got = append(got, texts(c.Batch)...)
			return len(got) >= len(want)
		})
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d, or others", len(got), len(want))
	}
}

// While the broker is away the reader waits and says why; afterwards it goes on.
func TestBrokerAway(t *testing.T) {
	t.Run("kfake", func(t *testing.T) {
		dir := t.TempDir()
		b, err := devbroker.Start("127.0.0.1:0", dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		readAcrossOutage(t, b.Addr(), func() error { b.Close(); return nil }, func() error {
			b, err = devbroker.Start(b.Addr(), dir)
			return err
		})
	})
	if !testing.Short() {
		t.Run("kafka", func(t *testing.T) {
			b := kafkatest.Start(t)
			readAcrossOutage(t, b.Addr(), b.Kill, b.Restart)
		})
	}
}

func readAcrossOutage(t *testing.T, addr string, stop, start func() error) {
	const topic = "away"
	kafkatest.CreateTopic(t, addr, topic, 2)
	kafkatest.Produce(t, addr, topic, 0, "before")
	r := openAll(t, relation(addr, topic))
	follow(t, r, func(c *connectors.Chunk) bool { return texts(c.Batch)[0] == "before" })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	why := ""
	for deadline := time.Now().Add(testWait); why == "" && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := r.Poll(); c != nil || err != nil {
			t.Fatalf("while away: %v, %v", c, err)
		}
		why = r.Status()[0].Error
	}
	// What the first request to notice says depends on where it was then.
	if !slices.ContainsFunc([]string{"refused", "EOF", "reset", "died"}, func(word string) bool { return strings.Contains(why, word) }) {
		t.Errorf("status says %q", why)
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	kafkatest.Produce(t, addr, topic, 0, "after")
	follow(t, r, func(c *connectors.Chunk) bool { return texts(c.Batch)[0] == "after" })
	if s := r.Status()[0]; s.Error != "" || s.Position != 2 || s.End != 2 {
		t.Errorf("status afterwards: %+v", s)
	}
}

// After an unclean election the new leader's log is shorter than what was read.
func TestTruncated(t *testing.T) {
	const topic = "truncated"
	b := fake(t, kfake.NumBrokers(2), kfake.SeedTopics(1, topic))
	kafkatest.Produce(t, b.Addr(), topic, 0, numbered("v", 10)...)
	open := func(mode string) connectors.Reader {
		r := openAll(t, relation(b.Addr(), topic, "on-offset-gone", mode))
		follow(t, r, func(c *connectors.Chunk) bool { return c.Next.Offset == 10 })
		return r
	}
	strict, lenient := open("fail"), open("earliest")
	b.Cluster().ControlKey(int16(kmsg.OffsetForLeaderEpoch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.Cluster().KeepControl()
		resp := kreq.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
		for _, rt := range kreq.(*kmsg.OffsetForLeaderEpochRequest).Topics {
			st := kmsg.NewOffsetForLeaderEpochResponseTopic()
			st.Topic = rt.Topic
			p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			p.LeaderEpoch, p.EndOffset = 0, 7
			st.Partitions = append(st.Partitions, p)
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	if err := b.Cluster().MoveTopicPartition(topic, 0, 1-b.Cluster().LeaderFor(topic, 0)); err != nil {
		t.Fatal(err)
	}
	fails(t, strict, "offset 10 of truncated/0 is gone: the log was truncated to 7: the last 3 offsets read are missing")
	follow(t, lenient, func(c *connectors.Chunk) bool {
		return slices.Equal(texts(c.Batch), []string{"v-0007", "v-0008", "v-0009"})
	})
}

// A topic that was deleted and created again holds other records at the same offsets.
func TestTopicRecreated(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "recreated"
		kafkatest.CreateTopic(t, addr, topic, 1)
		kafkatest.Produce(t, addr, topic, 0, "old 0", "old 1")
		strict := openAll(t, relation(addr, topic))
		lenient := openAll(t, relation(addr, topic, "on-offset-gone", "earliest"))
		for _, r := range []connectors.Reader{strict, lenient} {
			follow(t, r, func(c *connectors.Chunk) bool { return c.Next.Offset == 2 })
		}
		if _, err := kadm.NewClient(kafkatest.Client(t, addr)).DeleteTopics(testContext(t), topic); err != nil {
			t.Fatal(err)
		}
		kafkatest.CreateTopic(t, addr, topic, 1)
		kafkatest.Produce(t, addr, topic, 0, "new 0", "new 1", "new 2")
		follow(t, lenient, func(c *connectors.Chunk) bool {
			return slices.Equal(texts(c.Batch), []string{"new 0", "new 1", "new 2"})
		})
		fails(t, strict, `topic "recreated" was deleted and created again`)
	})
}

// fails waits until a reader fails for a reason.
func fails(t *testing.T, r connectors.Reader, reason string) {
	t.Helper()
	for deadline := time.After(testWait); ; {
		if _, err := r.Poll(); err != nil {
			if !strings.Contains(err.Error(), reason) {
				t.Errorf("got %v", err)
			}
			return
		}
		select {
		case <-r.Ready():
		case <-deadline:
			t.Fatal("no error")
		}
	}
}

// That a topic was created again is noticed although what it holds can't be asked for at first.
func TestTopicRecreatedIsNotForgotten(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "other"))
	r := openAll(t, relation(b.Addr(), "other")).(*reader)
	meta, err := topicMetadata(testContext(t), r.client, "other")
	if err == nil {
		err = r.checkTopic(testContext(t), meta)
	}
	if err != nil {
		t.Fatal(err)
	}
	meta.TopicID[0]++
	away, cancel := context.WithCancel(testContext(t))
	cancel()
	if err := r.checkTopic(away, meta); err == nil {
		t.Fatal("no error")
	}
	if err := r.checkTopic(testContext(t), meta); err != nil {
		t.Fatal(err)
	}
	fails(t, r, `topic "other" was deleted and created again`)
}

func TestUndecodable(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "mixed"))
	kafkatest.Produce(t, b.Addr(), "mixed", 0, `{"k":1,"v":"a"}`, `{"k":"no number"}`, strings.Repeat("x", 900_000), `{"k":2,"v":"b"}`)
	read := func(mode string) (rows int, records int64, dead []connectors.DeadLetter, err error) {
		src, err := Connector{}.Source(testContext(t), jsonRelation(b.Addr(), "mixed", "on-error", mode), []int{0, 1})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		splits, err := src.Splits(testContext(t), true)
		if err != nil {
			t.Fatal(err)
		}
		r, err := src.Open(testContext(t), splits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			c, err := r.Poll()
			if err != nil {
				return rows, records, dead, err
			}
			if c == nil {
				<-r.Ready()
				continue
			}
			if c.Batch != nil {
				rows += c.Batch.Rows
			}
			records += c.Records
			dead = append(dead, c.Dead...)
			if c.Done {
				return rows, records, dead, nil
			}
		}
	}
	rows, records, dead, err := read("dead-letter")
	if err != nil || rows != 2 || records != 4 || len(dead) != 2 {
		t.Fatalf("%d rows, %d records, %d dead, %v", rows, records, len(dead), err)
	}
	if d := dead[0]; d.Topic != "mixed" || d.Offset != 1 || d.Field != "k" || string(d.Payload) != `{"k":"no number"}` || d.Code == "" {
		t.Errorf("%+v", d)
	}
	if d := dead[1]; d.Offset != 2 || len(d.Payload) != 900_000 {
		t.Errorf("offset %d, %d bytes", d.Offset, len(d.Payload))
	}
	if rows, records, dead, err = read("skip"); err != nil || rows != 2 || records != 4 || len(dead) != 0 {
		t.Errorf("skip: %d rows, %d records, %d dead, %v", rows, records, len(dead), err)
	}
	if _, _, _, err = read("fail"); err == nil || !strings.Contains(err.Error(), `could not decode the record at offset 1 of mixed/0: field "k"`) {
		t.Errorf("fail: %v", err)
	}
}

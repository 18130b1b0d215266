package kafka

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql"
)

func TestEveryCodec(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		for name, codec := range map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
			"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()} {
			topic := "codec-" + name
			kafkatest.CreateTopic(t, addr, topic, 1)
			cl := kafkatest.Client(t, addr, kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic))
			want := numbered(strings.Repeat("x", 100), 20_000)
			var records []*kgo.Record
			for _, v := range want {
				records = append(records, kgo.StringRecord(v))
			}
			kafkatest.ProduceRecords(t, cl, records...)
			got, dead := readBounded(t, relation(addr, topic))
			if !slices.Equal(got[0], want) || len(dead) > 0 {
				t.Errorf("%s: %d values, %d dead, want %d and 0", name, len(got[0]), len(dead), len(want))
			}
		}
	})
}

func TestBoundedEndsWithEmptyPartitions(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		kafkatest.CreateTopic(t, addr, "empty-parts", 3)
		kafkatest.Produce(t, addr, "empty-parts", 1, "a", "b")
		got, _ := readBounded(t, relation(addr, "empty-parts"))
		if !slices.Equal(got[1], []string{"a", "b"}) || len(got[0])+len(got[2]) != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// A transaction's records are visible once it commits; an aborted one's never, though its offsets
// are stepped across, and the bounded end lies before a transaction that is still open.
func TestReadCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "committed"
		kafkatest.CreateTopic(t, addr, topic, 1)
		ctx := testContext(t)
		plain := kafkatest.Client(t, addr, kgo.DefaultProduceTopic(topic))
		txn := kafkatest.Client(t, addr, kgo.DefaultProduceTopic(topic), kgo.TransactionalID("t1"))
		other := kafkatest.Client(t, addr, kgo.DefaultProduceTopic(topic), kgo.TransactionalID("t2"))
		begin := func(cl *kgo.Client, values ...string) {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for _, v := range values {
				kafkatest.ProduceRecords(t, cl, kgo.StringRecord(v))
			}
		}
		end := func(cl *kgo.Client, how kgo.TransactionEndTry) {
			if err := cl.EndTransaction(ctx, how); err != nil {
				t.Fatal(err)
			}
		}
		kafkatest.ProduceRecords(t, plain, kgo.StringRecord("a"))
		begin(txn, "x", "y")
		begin(other, "b")
		kafkatest.ProduceRecords(t, plain, kgo.StringRecord("c"))
		end(txn, kgo.TryAbort)
		end(other, kgo.TryCommit)
		begin(txn, "d") // the same producer again, committed this time
		end(txn, kgo.TryCommit)
		begin(txn, "z")
		kafkatest.ProduceRecords(t, plain, kgo.StringRecord("after the open transaction"))

		got, _ := readBounded(t, relation(addr, topic))
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(got[0], want) {
			t.Errorf("committed: %q, want %q", got[0], want)
		}
		got, _ = readBounded(t, relation(addr, topic, "isolation.level", "read_uncommitted"))
		if want := []string{"a", "x", "y", "b", "c", "d", "z", "after the open transaction"}; !slices.Equal(got[0], want) {
			t.Errorf("uncommitted: %q, want %q", got[0], want)
		}
		end(txn, kgo.TryAbort)
	})
}

func TestResumesAtPosition(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "resume"
		kafkatest.CreateTopic(t, addr, topic, 1)
		want := numbered("r", 10_000)
		kafkatest.Produce(t, addr, topic, 0, want...)
		src := openSource(t, relation(addr, topic))
		splits, err := src.Splits(testContext(t), true)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for done := false; !done; { // a new reader for every chunk
			r, err := src.Open(testContext(t), splits)
			if err != nil {
				t.Fatal(err)
			}
			follow(t, r, func(c *connectors.Chunk) bool {
				got = append(got, texts(c.Batch)...)
				splits[0].Start, done = c.Next, c.Done
				return true
			})
			r.Close()
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d values, want %d, or in another order", len(got), len(want))
		}
	})
}

func TestOffsetGone(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "gone"
		kafkatest.CreateTopic(t, addr, topic, 1)
		kafkatest.Produce(t, addr, topic, 0, numbered("g", 100)...)
		var upTo kadm.Offsets
		upTo.AddOffset(topic, 0, 40, -1)
		if _, err := kadm.NewClient(kafkatest.Client(t, addr)).DeleteRecords(testContext(t), upTo); err != nil {
			t.Fatal(err)
		}
		read := func(at int64, mode string) (string, error) {
			src := openSource(t, relation(addr, topic, "on-offset-gone", mode))
			r, err := src.Open(testContext(t), []connectors.Split{{Topic: topic, Start: connectors.Position{Offset: at, LeaderEpoch: -1}, End: -1}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for deadline := time.Now().Add(testWait); time.Now().Before(deadline); <-r.Ready() {
				c, err := r.Poll()
				if err != nil {
					return "", err
				}
				if c != nil {
					return texts(c.Batch)[0], nil
				}
				if mode == "latest" && r.Status()[0].End == 100 {
					kafkatest.Produce(t, addr, topic, 0, "new")
				}
			}
			t.Fatal("no answer")
			return "", nil
		}
		_, err := read(10, "fail")
		if err == nil || !strings.Contains(err.Error(), "offset 10 of gone/0 is gone: the log now starts at 40: 30 offsets are missing") {
			t.Errorf("behind: %v", err)
		}
		_, err = read(110, "fail")
		if err == nil || !strings.Contains(err.Error(), "the log ends at 100: the last 10 offsets read are missing") {
			t.Errorf("ahead: %v", err)
		}
		if v, err := read(10, "earliest"); v != "g-0040" {
			t.Errorf("earliest: %q, %v", v, err)
		}
		if v, err := read(10, "latest"); v != "new" {
			t.Errorf("latest: %q, %v", v, err)
		}
	})
}

func TestStartModes(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "starts"
		kafkatest.CreateTopic(t, addr, topic, 2)
		cl := kafkatest.Client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for i := range 10 {
			kafkatest.ProduceRecords(t, cl, &kgo.Record{Topic: topic, Partition: 0, Value: []byte("v"), Timestamp: time.UnixMilli(int64(1000 * (i + 1)))})
		}
		src := openSource(t, relation(addr, topic))
		committer := src.(connectors.OffsetCommitter)
		if err := committer.CommitOffsets(testContext(t), "starts-group", []connectors.Split{{Topic: topic, Start: connectors.Position{Offset: 7, LeaderEpoch: -1}}}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			want    int64
			options []string
		}{
			{0, nil},
			{10, []string{"scan.startup.mode", "latest-offset"}},
			{10, []string{"scan.startup.mode", "latest"}},
			{4, []string{"scan.startup.mode", "timestamp", "scan.startup.timestamp-millis", "4500"}},
			{4, []string{"scan.startup.timestamp.millis", "4500"}},
			{3, []string{"scan.startup.mode", "specific-offsets", "scan.startup.specific-offsets", "partition:0,offset:3;partition:1,offset:0"}},
			{7, []string{"scan.startup.mode", "group-offsets", "properties.group.id", "starts-group"}},
		} {
			splits, err := openSource(t, relation(addr, topic, c.options...)).Splits(testContext(t), true)
			if err != nil {
				t.Fatalf("%v: %v", c.options, err)
			}
			if len(splits) != 2 || splits[0].Start.Offset != c.want || splits[0].End != 10 || splits[1].Start.Offset != 0 || splits[1].End != 0 {
				t.Errorf("%v: %+v, want start %d", c.options, splits, c.want)
			}
		}
	})
}

func TestNewPartition(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		const topic = "grows"
		kafkatest.CreateTopic(t, addr, topic, 1)
		kafkatest.Produce(t, addr, topic, 0, "old")
		src := openSource(t, relation(addr, topic, "scan.startup.mode", "latest"))
		splits, err := src.Splits(testContext(t), false)
		if err != nil {
			t.Fatal(err)
		}
		r, err := src.Open(testContext(t), splits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := kadm.NewClient(kafkatest.Client(t, addr)).UpdatePartitions(testContext(t), 2, topic); err != nil {
			t.Fatal(err)
		}
		for len(splits) < 2 {
			if splits, err = src.Splits(testContext(t), false); err != nil {
				t.Fatal(err)
			}
		}
		kafkatest.Produce(t, addr, topic, 1, "new")
		if splits[1].Start.Offset != 0 {
			t.Errorf("a new partition starts at %d", splits[1].Start.Offset)
		}
		if err := r.Add(splits[1]); err != nil {
			t.Fatal(err)
		}
		follow(t, r, func(c *connectors.Chunk) bool {
			return c.Partition == 1 && slices.Equal(texts(c.Batch), []string{"new"})
		})
	})
}

func TestMissingTopic(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		_, err := openSource(t, relation(addr, "no-such-topic")).Splits(testContext(t), true)
		if err == nil || err.Error() != `topic "no-such-topic" does not exist` {
			t.Errorf("got %v", err)
		}
	})
}

// Offsets that the log does not hold are not taken for its end in silence.
func TestStartBeyondTheLog(t *testing.T) {
	b := fake(t, kfake.SeedTopics(1, "short"))
	kafkatest.Produce(t, b.Addr(), "short", 0, "a", "b")
	for offsets, want := range map[string]string{
		"partition:0,offset:2":                      "",
		"partition:0,offset:3":                      "offset 3 of short/0 does not exist: the log ends at 2",
		"partition:0,offset:1;partition:4,offset:0": `topic "short" has no partition 4`,
	} {
		src := openSource(t, relation(b.Addr(), "short", "scan.startup.mode", "specific-offsets", "scan.startup.specific-offsets", offsets))
		_, err := src.Splits(testContext(t), true)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", offsets, err, want)
		}
	}
}

// SASL where the listener knows none is told as what it is: a wrong way to log in.
func TestSASLOnAPlainListener(t *testing.T) {
	if testing.Short() {
		return // needs a real Kafka
	}
	r := relation(kafkatest.Shared(t).Addr(), "any", "properties.security.protocol", "SASL_PLAINTEXT", "properties.sasl.mechanism", "PLAIN",
		"properties.sasl.username", "u", "properties.sasl.password", "p")
	_, err := openSource(t, r).Splits(testContext(t), true)
	if err == nil || sql.AsError(err).Code != "28000" || !strings.Contains(sql.AsError(err).Hint, "security.protocol") {
		t.Errorf("got %v", err)
	}
}

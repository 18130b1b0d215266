package kafka

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func TestMain(m *testing.M) { kafkatest.Main(m) }

const testWait = 30 * time.Second

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	t.Cleanup(cancel)
	return ctx
}

// fake starts an embedded broker.
func fake(t testing.TB, opts ...kfake.Opt) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start("127.0.0.1:0", "", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// onBoth runs a test against the embedded broker and, unless -short asks for what needs only Go,
// against a real Kafka. Topic names have to be the test's own.
func onBoth(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("kfake", func(t *testing.T) { test(t, fake(t).Addr()) })
	if !testing.Short() {
		t.Run("kafka", func(t *testing.T) { test(t, kafkatest.Shared(t).Addr()) })
	}
}

// relation is a table of one text column over a topic of raw values.
func relation(addr, topic string, options ...string) connectors.Relation {
	r := connectors.Relation{Name: topic, Job: topic, Options: map[string]string{
		"connector": "kafka", "topic": topic, "properties.bootstrap.servers": addr, "format": "raw"},
		Columns: []connectors.Column{{Column: sql.Column{Name: "v", Type: sql.TypeText}}}}
	for i := 0; i < len(options); i += 2 {
		r.Options[options[i]] = options[i+1]
	}
	return r
}

// jsonRelation is a table of a key and a value in JSON.
func jsonRelation(addr, topic string, options ...string) connectors.Relation {
	r := relation(addr, topic, options...)
	r.Options = maps.Clone(r.Options)
	r.Options["format"] = "json"
	r.Columns = []connectors.Column{{Column: sql.Column{Name: "k", Type: sql.TypeInt8}}, {Column: sql.Column{Name: "v", Type: sql.TypeText}}}
	return r
}

func openSource(t testing.TB, r connectors.Relation) connectors.Source {
	t.Helper()
	s, err := Connector{}.Source(testContext(t), r, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// follow polls a reader until done says so, and fails the test when that takes too long.
func follow(t testing.TB, r connectors.Reader, done func(c *connectors.Chunk) bool) {
	t.Helper()
	deadline := time.After(testWait)
	for {
		c, err := r.Poll()
		if err != nil {
			t.Fatalf("poll: %v", err)
		}
		if c != nil {
			if done(c) {
				return
			}
			continue
		}
		select {
		case <-r.Ready():
		case <-deadline:
			t.Fatalf("the reader is stuck: %+v", r.Status())
		}
	}
}

// readBounded reads a topic from its start to its present end: the values of each partition in
// order, and all dead letters.
func readBounded(t testing.TB, rel connectors.Relation) (map[int32][]string, []connectors.DeadLetter) {
	t.Helper()
	src := openSource(t, rel)
	splits, err := src.Splits(testContext(t), true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(testContext(t), splits)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	values := map[int32][]string{}
	var dead []connectors.DeadLetter
	left := len(splits)
	next := map[int32]int64{}
	for _, s := range splits {
		next[s.Partition] = s.Start.Offset
	}
	follow(t, r, func(c *connectors.Chunk) bool {
		if c.Next.Offset < next[c.Partition] {
			t.Fatalf("position of %d went back from %d to %d", c.Partition, next[c.Partition], c.Next.Offset)
		}
		next[c.Partition] = c.Next.Offset
		values[c.Partition] = append(values[c.Partition], texts(c.Batch)...)
		dead = append(dead, c.Dead...)
		if c.Done {
			left--
		}
		return left == 0
	})
	return values, dead
}

// texts are the strings of a batch's first column.
func texts(b *stream.Batch) (out []string) {
	if b == nil {
		return nil
	}
	for i := range b.Rows {
		out = append(out, b.Columns[0].(*array.String).Value(i))
	}
	return out
}

// numbered makes n values.
func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s-%04d", prefix, i)
	}
	return out
}

// textBatch makes rows of one text column.
func textBatch(values ...string) *stream.Batch {
	return &stream.Batch{Columns: []arrow.Array{stream.Strings(values, nil)}, Rows: len(values)}
}

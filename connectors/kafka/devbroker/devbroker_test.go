package devbroker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/sql"
)

// What was written, and a sink's marker, outlive the broker.
func TestPersists(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	dir := t.TempDir()
	b, err := devbroker.Start("127.0.0.1:0", dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := devbroker.Start("127.0.0.1:0", dir); err == nil || !strings.Contains(err.Error(), "another broker uses") {
		t.Errorf("a second broker on one directory: %v", err)
	}
	addr := b.Addr()
	kafkatest.CreateTopic(t, addr, "kept", 1)
	kafkatest.Produce(t, addr, "kept", 0, "a", "b")
	rel := connectors.Relation{Name: "out", Job: "job", Columns: []connectors.Column{{Column: sql.Column{Name: "v", Type: sql.TypeText}}},
		Options: map[string]string{"topic": "out", "properties.bootstrap.servers": addr, "format": "raw"}}
	sink, err := kafka.Connector{}.Sink(ctx, rel, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Deliver(ctx, 41, nil, nil); err != nil {
		t.Fatal(err)
	}
	sink.Close()
	b.Close()

	if b, err = devbroker.Start(addr, dir); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	cl := kafkatest.Client(t, addr, kgo.ConsumeTopics("kept"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if r := cl.PollFetches(ctx).Records(); len(r) != 2 || string(r[1].Value) != "b" {
		t.Errorf("%d records", len(r))
	}
	if sink, err = (kafka.Connector{}).Sink(ctx, rel, nil); err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	if epoch, _, err := sink.Delivered(ctx); err != nil || epoch != 41 {
		t.Errorf("delivered %d, %v", epoch, err)
	}
}

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/examples/queries"
)

// TestExamples runs examples/queries against `streamsql dev`: the streams flow, every job runs, every
// view gets rows, and closed windows are in their topic.
func TestExamples(t *testing.T) {
	broker := freeAddress(t)
	p := newProcess(t, t.TempDir(), "--kafka", broker)
	p.args[0] = "dev"
	p.start()
	await(t, func() string { // SQL is served before the broker is: the examples come after both
		if strings.Contains(p.log.String(), "embedded Kafka broker") {
			return ""
		}
		return "no broker yet"
	})
	conn := p.connect()
	defer conn.Close(context.Background())
	if len(queries.Files()) == 0 {
		t.Fatal("there are no examples")
	}
	if err := createExamples(context.Background(), conn, broker); err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{
		"SELECT count(*) > 0 FROM revenue WHERE order_count > 0 AND total_revenue / order_count - avg_order_value < 0.01",
		"SELECT count(*) > 0 FROM sensor_trends",
		"SELECT count(*) > 0 FROM hottest_window",
		"SELECT count(*) > 0 FROM clicks_by_device",
		"SELECT count(*) > 0 FROM processed",
		"SELECT count(*) > 4 FROM streamsql.jobs WHERE state = 'running'",
		"SELECT count(*) = 0 FROM streamsql.jobs WHERE state <> 'running' OR restarts > 0",
	} {
		await(t, func() string { return p.expect(query, "t") })
	}
	await(t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), processWait)
		defer cancel()
		closed, err := kafkatest.Committed(ctx, broker, "revenue")
		if err != nil {
			return err.Error()
		}
		if len(closed) == 0 {
			return "no window has closed into the topic"
		}
		return ""
	})
	before, err := p.rows("SELECT sum(order_count) FROM revenue")
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		now, err := p.rows("SELECT sum(order_count) FROM revenue")
		if err != nil || now[0] == before[0] {
			return "the view stands still"
		}
		return ""
	})
	table, err := windows(context.Background(), conn)
	if err != nil || len(table) < 200 {
		t.Errorf("the demo's table: %v\n%s", err, table)
	}
	select {
	case <-p.done:
		t.Error("the server has ended")
	case <-time.After(100 * time.Millisecond):
	}
}

package kafka

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// Connector is the connector 'kafka'. Its zero value is ready.
type Connector struct{}

var _ connectors.Connector = Connector{}

// Name is the value of the option connector. 'upsert-kafka', Flink's name for a topic with a primary
// key, is accepted by the engine as the same connector with type = 'upsert'.
func (Connector) Name() string { return "kafka" }

// Validate checks a relation's options and formats at CREATE, without touching the network.
func (Connector) Validate(r connectors.Relation, sink bool) error {
	return sql.Unsupported("the connector kafka", "")
}

// Source binds r for reading.
func (Connector) Source(ctx context.Context, r connectors.Relation, needed []int) (connectors.Source, error) {
	return nil, sql.Unsupported("reading from kafka", "")
}

// Sink binds r for writing exactly once.
func (Connector) Sink(ctx context.Context, r connectors.Relation, notice connectors.Notice) (connectors.Sink, error) {
	return nil, sql.Unsupported("writing to kafka exactly once", "")
}

// Writer binds r for writing at least once.
func (Connector) Writer(ctx context.Context, r connectors.Relation, notice connectors.Notice) (connectors.Writer, error) {
	return nil, sql.Unsupported("writing to kafka", "")
}

// AppendOnly tells whether r is a plain topic, which has no way to take a row back.
func (Connector) AppendOnly(r connectors.Relation) bool { return r.Options["type"] != "upsert" }

package kafka

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// Producer sends single records at least once: dead letters and late rows to their topics. It is
// safe for concurrent use.
type Producer struct{}

// NewProducer connects with the properties of r. The topics it is sent records for are created when missing.
func NewProducer(r connectors.Relation) (*Producer, error) {
	return nil, sql.Unsupported("producing to kafka", "")
}

// SendDeadLetter queues d for topic: key and payload as they were, and headers that say where it
// came from and what was wrong (topic, partition, offset, field, code, reason).
func (p *Producer) SendDeadLetter(ctx context.Context, topic string, d *connectors.DeadLetter) error {
	return sql.Unsupported("producing to kafka", "")
}

// Send queues a record for topic; headers are pairs of name and value.
func (p *Producer) Send(ctx context.Context, topic string, key, value []byte, headers ...string) error {
	return sql.Unsupported("producing to kafka", "")
}

// Flush returns once everything queued is at the broker, or with the first error since the last Flush.
func (p *Producer) Flush(ctx context.Context) error { return nil }

// Close flushes nothing and disconnects.
func (p *Producer) Close() error { return nil }

package kafka

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
)

// Producer sends single records at least once: dead letters and late rows to their topics. It is
// safe for concurrent use. These topics are quiet, so it is franz-go's own producer.
type Producer struct {
	cfg    *config
	client *kgo.Client

	mu    sync.Mutex
	known map[string]bool // topics that exist
	err   error           // the first since the last Flush
}

// NewProducer connects with the properties of r. The topics it is sent records for are created when missing.
func NewProducer(r connectors.Relation) (*Producer, error) {
	cfg, err := readConfig(r)
	if err != nil {
		return nil, err
	}
	client, err := cfg.client.newClient(kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(deliveryWait))
	if err != nil {
		return nil, err
	}
	return &Producer{cfg: cfg, client: client, known: map[string]bool{}}, nil
}

// SendDeadLetter queues d for topic: key and payload as they were, and headers that say where it
// came from and what was wrong (job, topic, partition, offset, field, code, reason).
// A payload that with them would be too large for a broker's default limit is cut, and the header
// "length" says how long it was.
func (p *Producer) SendDeadLetter(ctx context.Context, topic string, d *connectors.DeadLetter) error {
	headers := []string{"job", d.Job, "topic", d.Topic, "partition", strconv.Itoa(int(d.Partition)),
		"offset", strconv.FormatInt(d.Offset, 10), "field", d.Field, "code", d.Code, "reason", d.Reason}
	key, payload := d.Key, d.Payload
	if len(key) > maxSentKey {
		key = key[:maxSentKey]
	}
	if len(payload) > maxSentPayload {
		headers = append(headers, "length", strconv.Itoa(len(payload)))
		payload = payload[:maxSentPayload]
	}
	return p.Send(ctx, topic, key, payload, headers...)
}

// What a dead letter's record holds of key and payload: brokers take batches of about 1 MB.
const (
	maxSentKey     = 64 << 10
	maxSentPayload = 800 << 10
)

// Send queues a record for topic; headers are pairs of name and value. It keeps key and value until
// they are sent.
func (p *Producer) Send(ctx context.Context, topic string, key, value []byte, headers ...string) error {
	if err := p.ensure(ctx, topic); err != nil {
		return err
	}
	rec := &kgo.Record{Topic: topic, Key: key, Value: value}
	for i := 0; i+1 < len(headers); i += 2 {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	p.client.Produce(context.WithoutCancel(ctx), rec, func(r *kgo.Record, err error) {
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.err == nil {
				p.err = p.cfg.client.wrap(err, fmt.Sprintf("write to topic %q", r.Topic))
			}
		}
	})
	return nil
}

func (p *Producer) ensure(ctx context.Context, topic string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[topic] {
		return nil
	}
	cfg := *p.cfg
	cfg.topic = topic
	if _, err := ensureTopic(ctx, &cfg, p.client, nil); err != nil {
		return err
	}
	p.known[topic] = true
	return nil
}

// Flush returns once everything queued is at the broker, or with the first error since the last Flush.
func (p *Producer) Flush(ctx context.Context) error {
	err := p.client.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		err, p.err = p.err, nil
	}
	return err
}

// Close flushes nothing and disconnects.
func (p *Producer) Close() error {
	p.client.Close()
	return nil
}

package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// writer sends rows as they come. Its producer is idempotent, so that a retry by itself makes no
// duplicate; a restart of the job does.
type writer struct {
	cfg    *config
	client *kgo.Client
	rows   rowWriter
}

var _ connectors.AsyncWriter = (*writer)(nil)

func openWriter(ctx context.Context, cfg *config, r connectors.Relation, notice connectors.Notice) (*writer, error) {
	enc, err := newEncoders(cfg, r)
	if err != nil {
		return nil, err
	}
	client, err := cfg.client.newClient(kgo.MaxVersions(transactionVersions()))
	if err != nil {
		return nil, err
	}
	w := &writer{cfg: cfg, client: client}
	partitions, err := ensureTopic(ctx, cfg, client, notice)
	if err == nil {
		w.rows, err = newRowWriter(cfg, client, enc, partitions, nil)
	}
	if err == nil {
		err = w.init(ctx)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return w, nil
}

// init gets a producer id, which no other producer has.
func (w *writer) init(ctx context.Context) error {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := req.RequestWith(ctx, w.client)
	if err == nil {
		err = kafkaError(resp.ErrorCode)
	}
	if err != nil {
		return w.cfg.client.wrap(err, "get a producer id")
	}
	w.rows.sender.restart(producerState{id: resp.ProducerID, epoch: resp.ProducerEpoch})
	return nil
}

// Write takes rows over. What the broker refuses of them comes back from Confirm or Flush.
func (w *writer) Write(ctx context.Context, b *stream.Batch) ([]connectors.DeadLetter, error) {
	w.rows.grow(ctx)
	dead, err := w.rows.write([]*stream.Batch{b})
	return dead, w.cfg.client.wrap(err, "write to topic "+w.cfg.topic)
}

// Confirm implements connectors.AsyncWriter.
func (w *writer) Confirm() func(ctx context.Context) ([]connectors.DeadLetter, error) {
	settled := w.rows.sender.settle()
	return func(ctx context.Context) ([]connectors.DeadLetter, error) {
		dead, err := settled(ctx)
		return dead, w.cfg.client.wrap(err, "write to topic "+w.cfg.topic)
	}
}

// Flush returns once everything written is acknowledged.
func (w *writer) Flush(ctx context.Context) ([]connectors.DeadLetter, error) {
	dead, err := w.rows.sender.wait(ctx)
	return dead, w.cfg.client.wrap(err, "write to topic "+w.cfg.topic)
}

func (w *writer) Close() error {
	w.rows.sender.close()
	w.client.Close()
	return nil
}

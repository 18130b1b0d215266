package orders

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Partitions is what every topic of the benchmark has.
const Partitions = 4

// Fill creates the set's topic and writes its orders, lz4, order i to partition i mod Partitions.
func Fill(ctx context.Context, broker string, s *Set) (*Totals, error) {
	if err := CreateTopics(ctx, broker, s.Topic); err != nil {
		return nil, err
	}
	p, err := NewProducer(broker, s.Topic)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	t := newTally(s)
	var c clock
	for i := range s.Records {
		o := s.order(i)
		value := o.append(p.Space(), &c)
		t.add(&o, len(value))
		if err := p.Send(ctx, i, value); err != nil {
			return nil, err
		}
	}
	return t.totals(s), p.Flush(ctx)
}

// CreateTopics creates empty topics.
func CreateTopics(ctx context.Context, broker string, topics ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer cl.Close()
	responses, err := kadm.NewClient(cl).CreateTopics(ctx, Partitions, 1, nil, topics...)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		return fmt.Errorf("create topics %v: %w", topics, err)
	}
	return nil
}

// DeleteTopics frees what topics take of the disk.
func DeleteTopics(ctx context.Context, broker string, topics ...string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer cl.Close()
	responses, err := kadm.NewClient(cl).DeleteTopics(ctx, topics...)
	if err == nil {
		err = responses.Error()
	}
	if err != nil {
		return fmt.Errorf("delete topics %v: %w", topics, err)
	}
	return nil
}

// Producer writes values fast; one goroutine uses it.
type Producer struct {
	cl     *kgo.Client
	slab   []byte // values are cut from it: one allocation for thousands
	failed atomic.Pointer[error]
}

const (
	slabBytes = 1 << 20
	maxValue  = 1 << 10
)

// NewProducer makes one for a topic.
func NewProducer(broker, topic string) (*Producer, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(20*time.Millisecond),
		kgo.ProducerBatchMaxBytes(1_000_000), kgo.MaxBufferedRecords(400_000))
	return &Producer{cl: cl}, err
}

// Space is an empty slice with room for a value of up to 1 KiB.
func (p *Producer) Space() []byte {
	if cap(p.slab)-len(p.slab) < maxValue {
		p.slab = make([]byte, 0, slabBytes) // records in flight keep the old one
	}
	return p.slab[len(p.slab):]
}

// Send writes a value that was appended to Space, as the topic's record i.
func (p *Producer) Send(ctx context.Context, i int64, value []byte) error {
	p.slab = p.slab[:len(p.slab)+len(value)]
	p.cl.Produce(ctx, &kgo.Record{Partition: int32(i % Partitions), Value: value[:len(value):len(value)]}, func(_ *kgo.Record, err error) {
		if err != nil {
			p.failed.Store(&err)
		}
	})
	return p.err()
}

func (p *Producer) err() error {
	if err := p.failed.Load(); err != nil {
		return fmt.Errorf("produce: %w", *err)
	}
	return nil
}

// Flush waits until all is written.
func (p *Producer) Flush(ctx context.Context) error {
	if err := p.cl.Flush(ctx); err != nil {
		return err
	}
	return p.err()
}

// Close ends the producer; what was not flushed may be lost.
func (p *Producer) Close() { p.cl.Close() }

package limits

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// byHand fetches each partition one response ahead of the workers, which decompress, walk and add up.
// There is nothing here for a broker that moves, a codec but lz4, or a record that is not an order.
func byHand(ctx context.Context, broker, topic string) (*Result, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	meta, err := kadm.NewClient(cl).Metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := endOffsets(ctx, cl, topic)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan []byte, 2*len(ends))
	var fetchers, workers sync.WaitGroup
	for _, p := range meta.Topics[topic].Partitions {
		f := fetcher{cl: cl, topic: topic, id: meta.Topics[topic].ID, partition: p.Partition, leader: p.Leader, end: ends[p.Partition]}
		fetchers.Go(func() {
			if err := f.run(ctx, work); err != nil {
				cancel(err)
			}
		})
	}
	sums := make([]sum, runtime.GOMAXPROCS(0))
	for i := range sums {
		workers.Go(func() {
			if err := sums[i].run(work); err != nil {
				cancel(err)
			}
		})
	}
	fetchers.Wait()
	close(work)
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return merge(sums), nil
}

// fetcher reads one partition.
type fetcher struct {
	cl                *kgo.Client
	topic             string
	id                [16]byte
	partition, leader int32
	end               int64
}

func (f *fetcher) run(ctx context.Context, work chan<- []byte) error {
	for offset := int64(0); offset < f.end; {
		batches, next, err := f.fetch(ctx, offset)
		if err != nil {
			return err
		}
		offset = next
		select {
		case work <- batches:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// A record batch: base offset, length of what follows it, attributes, last offset's delta, records.
const (
	lengthAt     = 8
	attributesAt = 22
	lastDeltaAt  = 23
	recordsAt    = 61
)

// fetch returns whole batches, and the offset behind them.
func (f *fetcher) fetch(ctx context.Context, offset int64) (batches []byte, next int64, err error) {
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.SessionEpoch = 500, 1, 32<<20, -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = f.partition, offset, 4<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = f.topic, f.id, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, f.cl.Broker(int(f.leader)))
	if err != nil {
		return nil, 0, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		return nil, 0, fmt.Errorf("fetch partition %d at %d: unexpected response %+v", f.partition, offset, resp)
	}
	all := resp.Topics[0].Partitions[0].RecordBatches
	rest := all
	for len(rest) >= recordsAt && len(rest) >= batchBytes(rest) { // the last may be cut off
		offset = int64(binary.BigEndian.Uint64(rest)) + int64(binary.BigEndian.Uint32(rest[lastDeltaAt:])) + 1
		rest = rest[batchBytes(rest):]
	}
	return all[:len(all)-len(rest)], offset, nil
}

func batchBytes(b []byte) int { return int(binary.BigEndian.Uint32(b[lengthAt:])) + lengthAt + 4 }

// sum is the windowed query by one worker.
type sum struct {
	orders  int64
	windows map[window]*cell
}

type window struct {
	start    int64
	category string
}

type cell struct{ orders, cents int64 }

var errRecord = errors.New("a record is not an order")

func (s *sum) run(work <-chan []byte) error {
	s.windows = map[window]*cell{}
	reader := lz4.NewReader(nil)
	var plain bytes.Buffer
	for batches := range work {
		for len(batches) > 0 {
			n := batchBytes(batches)
			records := batches[recordsAt:n]
			const codecs, codecLZ4 = 7, 3
			if batches[attributesAt]&codecs == codecLZ4 {
				reader.Reset(bytes.NewReader(records))
				plain.Reset()
				if _, err := io.Copy(&plain, reader); err != nil {
					return err
				}
				records = plain.Bytes()
			}
			batches = batches[n:]
			if err := s.walk(records); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk adds up a batch: each record is its length, attributes, deltas of time and offset, key, value, headers.
func (s *sum) walk(records []byte) error {
	for len(records) > 0 {
		size, k := binary.Varint(records)
		if k <= 0 || size < 6 || int(size) > len(records)-k {
			return errRecord
		}
		r := records[k : k+int(size)]
		records = records[k+int(size):]
		at := 1
		for range 2 {
			_, k = binary.Varint(r[at:])
			at += k
		}
		keyBytes, k := binary.Varint(r[at:])
		at += k + int(max(keyBytes, 0))
		valueBytes, k := binary.Varint(r[at:])
		at += k
		var o order
		if !o.scan(r[at : at+int(valueBytes)]) {
			return errRecord
		}
		s.add(&o)
	}
	return nil
}

func (s *sum) add(o *order) {
	const windowMillis = 300_000
	s.orders++
	start := o.millis - o.millis%windowMillis
	c := s.windows[window{start, string(o.category)}]
	if c == nil {
		c = new(cell)
		s.windows[window{start, string(o.category)}] = c
	}
	c.orders++
	c.cents += o.cents
}

func merge(sums []sum) *Result {
	r := &Result{}
	groups := map[window]bool{}
	for _, s := range sums {
		r.Orders += s.orders
		for w, c := range s.windows {
			groups[w] = true
			r.Cents += c.cents
		}
	}
	r.Groups = int64(len(groups))
	return r
}

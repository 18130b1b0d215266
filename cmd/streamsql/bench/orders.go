package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	ordersTopic = "orders"
	partitions  = 4
	ratePerSec  = 10_000 // of event time
	customers   = 100_000
	firstMillis = 1_767_225_600_000 // 2026-01-01 00:00:00
)

var categories = [...]string{"electronics", "books", "clothing", "grocery", "toys", "sports", "beauty", "garden", "automotive", "music"}

// totals are the right answers.
type totals struct {
	orders, bytes int64
	cents         int64
	passed        int64 // rows that the filter of the INSERT job lets through
}

// order is record i: a function of its number, the same on every run.
type order struct {
	customer, cents, millis int64
	category                string
}

// newOrder makes order i. Event time goes up by a millisecond every ten records; nine in ten lag
// behind it by up to 50 ms, the tenth by up to 2 s, which the watermark's 5 s allow for.
func newOrder(i int64) order {
	r := random(uint64(i)*0x9E3779B97F4A7C15 ^ 0x6f7264657273)
	lag := r.below(51)
	if r.below(10) == 0 {
		lag = r.below(2001)
	}
	return order{customer: r.below(customers), cents: 100 + r.below(50_000), category: categories[r.below(int64(len(categories)))],
		millis: firstMillis + 2000 + i*1000/ratePerSec - lag}
}

// passes is the WHERE of filterQuery.
func (o *order) passes() bool { return o.cents > 10_000 && o.category != "toys" }

// random is splitmix64.
type random uint64

func (r *random) below(n int64) int64 {
	*r += 0x9E3779B97F4A7C15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int64((z ^ z>>31) >> 11 % uint64(n))
}

// append writes the record's value.
func (o *order) append(b []byte, i int64) []byte {
	b = appendPadded(append(b, `{"order_id":"ord-`...), i, 10)
	b = appendPadded(append(b, `","customer_id":"cust-`...), o.customer, 6)
	b = strconv.AppendInt(append(b, `","amount":`...), o.cents/100, 10)
	b = appendPadded(append(b, '.'), o.cents%100, 2)
	b = append(append(b, `,"category":"`...), o.category...)
	b = time.UnixMilli(o.millis).UTC().AppendFormat(append(b, `","event_time":"`...), "2006-01-02 15:04:05.000")
	return append(b, `"}`...)
}

func appendPadded(b []byte, v int64, width int) []byte {
	at := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := at + width - 1; i >= at; i, v = i-1, v/10 {
		b[i] += byte(v % 10)
	}
	return b
}

// fill creates the topic and writes the orders, record i to partition i mod partitions.
func fill(ctx context.Context, broker string, records int64) (*totals, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic(ordersTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(400_000))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if resp, err := kadm.NewClient(cl).CreateTopic(ctx, partitions, 1, nil, ordersTopic); err != nil || resp.Err != nil {
		return nil, firstError(err, resp.Err)
	}
	t := &totals{orders: records}
	var failed atomic.Pointer[error]
	const slab = 1 << 20
	buf := make([]byte, 0, slab)
	for i := range records {
		if cap(buf)-len(buf) < 512 {
			buf = make([]byte, 0, slab) // the producer keeps the old one
		}
		o := newOrder(i)
		at := len(buf)
		buf = o.append(buf, i)
		t.bytes += int64(len(buf) - at)
		t.cents += o.cents
		if o.passes() {
			t.passed++
		}
		cl.Produce(ctx, &kgo.Record{Partition: int32(i % partitions), Value: buf[at:len(buf):len(buf)]}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		return nil, err
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return t, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

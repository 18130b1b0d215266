package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// generator sends records and keeps the ledger. It goes through the proxy too, as an idempotent
// producer: batches are sent again and out of order when connections break, and the broker sorts it out.
type generator struct {
	topic      string
	addr       string
	ledger     ledger
	partitions int32
	cl         *kgo.Client
}

const (
	batchRows  = 40
	batchPause = 25 * time.Millisecond
)

func newGenerator(ctx context.Context, addr, topic string, partitions int32) (*generator, error) {
	g := &generator{topic: topic, addr: addr}
	return g, g.grow(ctx, partitions)
}

// grow makes the generator use so many partitions, with a new producer: one that runs would find new
// partitions only after a while.
func (g *generator) grow(ctx context.Context, partitions int32) (err error) {
	if g.cl != nil {
		g.cl.Close()
	}
	g.partitions = partitions
	g.cl, err = g.producer(ctx, kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1),
		kgo.RetryTimeout(time.Hour), kgo.ProducerLinger(0))
	return err
}

// producer waits for a broker that gives out producer ids: one that goes away meanwhile breaks the
// client for good.
func (g *generator) producer(ctx context.Context, opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append(opts, kgo.SeedBrokers(g.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequestTimeoutOverhead(3*time.Second))
	for {
		cl, err := kgo.NewClient(opts...)
		if err != nil {
			return nil, err
		}
		if _, _, err = cl.ProducerID(ctx); err == nil {
			return cl, nil
		}
		cl.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pause(ctx, 100*ms)
	}
}

// round sends a round's records: batches of rows, some of them in transactions that are aborted, and
// then the ticks that close the windows up to here.
func (g *generator) round(ctx context.Context, r *rand.Rand, round, batches int) error {
	for i := range batches {
		at := base(round).Add(roundSpan * time.Duration(i) / time.Duration(batches))
		if r.IntN(40) == 0 {
			if err := g.aborted(ctx, r, at); err != nil {
				return err
			}
		}
		var recs []record
		for range batchRows {
			recs = append(recs, g.ledger.next(r, round, at.Add(-time.Duration(r.Int64N(int64(disorder))))))
		}
		if err := g.send(ctx, recs, func(int) int32 { return r.Int32N(g.partitions) }); err != nil {
			return err
		}
		select {
		case <-time.After(batchPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.ticks(ctx, r, round)
}

// ticks sends each partition a row that takes the watermark behind the round's windows. New partitions
// get their first rows so: whatever the readers have seen of the others before they found these,
// such rows are late for nobody.
func (g *generator) ticks(ctx context.Context, r *rand.Rand, round int) error {
	var recs []record
	for range g.partitions {
		rec := g.ledger.row(r, tick(round))
		at := tick(round)
		rec.ts = &at
		recs = append(recs, rec)
	}
	return g.send(ctx, recs, func(i int) int32 { return int32(i) })
}

func (g *generator) send(ctx context.Context, recs []record, partition func(i int) int32) error {
	batch := make([]*kgo.Record, len(recs))
	for i := range recs {
		if err := g.ledger.encode(&recs[i], partition(i)); err != nil {
			return err
		}
		batch[i] = &kgo.Record{Topic: g.topic, Partition: recs[i].partition, Value: []byte(recs[i].value)}
	}
	if err := g.cl.ProduceSync(ctx, batch...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}

// aborted sends some records in a transaction that is aborted: nobody may ever see them. Whatever
// fails on the way, the next one who opens the transactional id aborts what is open.
func (g *generator) aborted(ctx context.Context, r *rand.Rand, at time.Time) error {
	tx := func() (*kgo.Client, error) {
		return g.producer(ctx, kgo.TransactionalID(g.topic+"-aborted"), kgo.TransactionTimeout(10*time.Second))
	}
	var batch []*kgo.Record
	for range 1 + r.IntN(5) {
		rec := g.ledger.row(r, at)
		rec.kind = kindAborted
		if err := g.ledger.encode(&rec, r.Int32N(g.partitions)); err != nil {
			return err
		}
		batch = append(batch, &kgo.Record{Topic: g.topic, Partition: rec.partition, Value: []byte(rec.value)})
	}
	cl, err := tx()
	if err != nil {
		return err
	}
	defer cl.Close()
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	sendErr := cl.ProduceSync(short, batch...).FirstErr()
	abortErr := errors.Join(cl.AbortBufferedRecords(short), cl.EndTransaction(short, kgo.TryAbort))
	if sendErr == nil && abortErr == nil {
		return nil
	}
	cl.Close()
	next, err := tx()
	if err != nil {
		return err
	}
	next.Close()
	return nil
}

func (g *generator) close() { g.cl.Close() }

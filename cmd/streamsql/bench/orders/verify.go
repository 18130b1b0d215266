package orders

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// VerifyFiltered reads the filter query's output to its end as a read_committed consumer does, and
// compares the number of records and the sum of their amounts with the right ones.
func VerifyFiltered(ctx context.Context, broker, topic string, want *Totals) error {
	var records, cents int64
	err := Read(ctx, broker, topic, func(value []byte) error {
		c, err := amountCents(value)
		records++
		cents += c
		return err
	})
	if err != nil {
		return err
	}
	if records != want.Passed || cents != want.PassedCents {
		return fmt.Errorf("topic %s holds %d records of %d cents, not %d of %d", topic, records, cents, want.Passed, want.PassedCents)
	}
	return nil
}

// Read reads a topic up to where its committed records end now.
func Read(ctx context.Context, broker, topic string, each func(value []byte) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(32<<20), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of topic %s: %w", topic, err)
	}
	ends := map[int32]int64{} // of the partitions not yet read to their ends
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			ends[o.Partition] = o.Offset
		}
	})
	for len(ends) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read topic %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			if end, open := ends[r.Partition]; open && r.Offset+1 >= end {
				delete(ends, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := each(r.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// amountCents finds the amount of an order, with at most two digits after the point: 12, 12.5 and 12.50 are all written.
func amountCents(value []byte) (int64, error) {
	_, rest, ok := bytes.Cut(value, []byte(`"amount":`))
	end := bytes.IndexAny(rest, ",}")
	if !ok || end < 0 {
		return 0, fmt.Errorf("no amount in %s", value)
	}
	units, fraction, _ := bytes.Cut(bytes.Trim(rest[:end], ` "`), []byte("."))
	cents, err := strconv.ParseInt(string(units)+(string(fraction) + "00")[:2], 10, 64)
	if err != nil || len(fraction) > 2 {
		return 0, fmt.Errorf("amount of %s is no number with two decimals", value)
	}
	return cents, nil
}

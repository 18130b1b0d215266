package simtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watermarkDelay is that of the stream; records are out of order by less, but for those that are late
// on purpose.
const watermarkDelay = 5 * time.Second

const timestampLayout = "2006-01-02 15:04:05.000"

// record is one record of the topic that the jobs read.
type record struct {
	id        int
	from, to  string // accounts; from is the key of most queries
	v         int
	at        time.Time
	partition int32
	garbage   bool
}

func (c *record) value() []byte {
	if c.garbage {
		return fmt.Appendf(nil, `{"id": %d, "k": {{{`, c.id)
	}
	return fmt.Appendf(nil, `{"id":%d,"k":%q,"t":%q,"v":%d,"ts":%q}`, c.id, c.from, c.to, c.v, c.at.Format(timestampLayout))
}

// input produces the records and knows all of them.
type input struct {
	client     *kgo.Client
	r          *rand.Rand
	late       bool // some records come too late
	partitions int32
	records    []*record
}

var inputStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// send produces some records: 40 ms of event time apart on the average.
func (in *input) send(ctx context.Context, n int) error {
	var batch []*kgo.Record
	for range n {
		id := len(in.records)
		c := &record{id: id, from: account(in.r), to: account(in.r), v: in.r.IntN(100) - 20, partition: in.r.Int32N(in.partitions)}
		behind := time.Duration(in.r.Int64N(int64(watermarkDelay)))
		switch n := in.r.IntN(100); {
		case n < 2:
			c.garbage = true
		case n < 5 && in.late:
			behind += time.Duration(in.r.IntN(60)) * time.Second
		}
		c.at = inputStart.Add(time.Duration(id)*40*time.Millisecond - behind).Truncate(time.Millisecond)
		in.records = append(in.records, c)
		batch = append(batch, &kgo.Record{Topic: "in", Partition: c.partition, Value: c.value()})
	}
	for len(batch) > 0 {
		var again []*kgo.Record
		for _, r := range in.client.ProduceSync(ctx, batch...) {
			switch {
			case errors.Is(r.Err, kerr.UnknownServerError): // metadata refused by a fault: it was not written
				again = append(again, r.Record)
			case r.Err != nil:
				return r.Err
			}
		}
		if batch = again; len(batch) > 0 {
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}

func account(r *rand.Rand) string { return fmt.Sprintf("k%d", r.IntN(8)) }

// transfer is one transaction of the bank.
type transfer struct{ seq, from, to, amount int }

// bank is a client that moves money between rows of a table, one transaction after another, and
// notes each in a second table in the same transaction. What the server confirmed must be there, what
// it did not may be, and it is there whole or not at all.
type bank struct {
	w        *world
	r        *rand.Rand
	stop     chan struct{}
	done     sync.WaitGroup
	mu       sync.Mutex
	tried    map[int]transfer
	answered map[int]bool
}

const bankAccounts = 6

func (b *bank) run(ctx context.Context) {
	defer b.done.Done()
	for {
		select {
		case <-b.stop:
			return
		case <-time.After(time.Duration(1+b.r.IntN(60)) * time.Millisecond):
		}
		if s := b.w.running(); s != nil {
			b.some(ctx, s)
		}
	}
}

// some makes transfers in one session until it breaks. A refused one is tried no more.
func (b *bank) some(ctx context.Context, s *server) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := s.connect(ctx)
	if err != nil {
		return
	}
	defer c.Close(ctx)
	for range 1 + b.r.IntN(10) {
		b.mu.Lock()
		t := transfer{len(b.tried), b.r.IntN(bankAccounts), b.r.IntN(bankAccounts), b.r.IntN(100)}
		b.tried[t.seq] = t
		b.mu.Unlock()
		_, err := run(ctx, c, fmt.Sprintf("BEGIN; UPDATE acct SET n = n - %d WHERE id = %d; UPDATE acct SET n = n + %d WHERE id = %d; INSERT INTO moves VALUES (%d, %d, %d, %d); COMMIT",
			t.amount, t.from, t.amount, t.to, t.seq, t.from, t.to, t.amount))
		if err != nil {
			return
		}
		b.mu.Lock()
		b.answered[t.seq] = true
		b.mu.Unlock()
	}
}

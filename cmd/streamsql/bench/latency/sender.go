// Package latency measures the time from producing an order to seeing what became of it:
//
//	Sender ─▶ topic ─▶ the engine's query ─┬▶ topic ─▶ WatchTopic   every order
//	                                       └▶ view  ─▶ WatchView    orders of customers of their own, one in a while
//
// The clock starts before the record is handed to the producer and stops when a read_committed
// consumer or a SELECT has the result in this process, so both clients' time is in it.
package latency

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
)

// Load is what is sent.
type Load struct {
	Broker, Topic string
	PerSecond     int
	Seconds       int
	SkipSeconds   int // the first, which do not count: compilers and adaptive epochs settle
}

func (l *Load) total() int { return l.PerSecond * l.Seconds }

// counts says whether an order is sent late enough to be measured.
func (l *Load) counts(n int) bool { return n >= l.SkipSeconds*l.PerSecond }

// Sender sends a load and knows when it sent what.
type Sender struct {
	*Load
	sent []atomic.Int64 // nanoseconds since 1970 of each order; 0 = not yet
	cl   *kgo.Client
}

// NewSender connects to the broker.
func NewSender(l *Load) (*Sender, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.Broker), kgo.DefaultProduceTopic(l.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(time.Millisecond), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	return &Sender{Load: l, sent: make([]atomic.Int64, l.total()), cl: cl}, err
}

// Close ends the producer.
func (s *Sender) Close() { s.cl.Close() }

const (
	customers = 100_000
	// probePeriod is how often an order has a customer of its own.
	probePeriod = 5 * time.Millisecond
)

// probeEvery is the distance of probes, in orders.
func (s *Sender) probeEvery() int { return max(1, s.PerSecond/int(time.Second/probePeriod)) }

func (s *Sender) customer(n int) string {
	if n%s.probeEvery() == 0 {
		return probeCustomer(n)
	}
	return fmt.Sprintf("cust-%06d", n%customers)
}

func probeCustomer(n int) string { return "probe-" + strconv.Itoa(n) }

// hello is the customer and the order by which a watcher knows that the engine runs.
const hello = "hello"

// Hello sends one order outside of the load.
func (s *Sender) Hello(ctx context.Context) error {
	return s.cl.ProduceSync(ctx, &kgo.Record{Value: s.value(hello, hello, time.Now())}).FirstErr()
}

func (s *Sender) value(id, customer string, now time.Time) []byte {
	return fmt.Appendf(nil, `{"order_id":"%s","customer_id":"%s","amount":250.25,"category":"books","event_time":"%s"}`,
		id, customer, now.UTC().Format("2006-01-02 15:04:05.000"))
}

// Run sends the load at its rate. A sender that cannot keep up is an error: the figures would be those of another load.
func (s *Sender) Run(ctx context.Context) error {
	var failed atomic.Pointer[error]
	began := time.Now()
	for n := range s.total() {
		due := began.Add(time.Duration(n) * time.Second / time.Duration(s.PerSecond))
		if wait := time.Until(due); wait > time.Millisecond {
			time.Sleep(wait)
		}
		now := time.Now()
		value := s.value("lat-"+strconv.Itoa(n), s.customer(n), now)
		s.sent[n].Store(now.UnixNano())
		s.cl.Produce(ctx, &kgo.Record{Partition: int32(n % orders.Partitions), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := s.cl.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	if took := time.Since(began); took > time.Duration(s.Seconds)*time.Second*11/10 {
		return fmt.Errorf("%d orders took %.1f s to send, not %d: this machine is too slow or too busy for the load", s.total(), took.Seconds(), s.Seconds)
	}
	return nil
}

// since is how long ago an order was sent.
func (s *Sender) since(n int, now time.Time) time.Duration {
	return time.Duration(now.UnixNano() - s.sent[n].Load())
}

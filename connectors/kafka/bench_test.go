package kafka

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// benchRecords is how many orders the benchmarks use; KAFKA_BENCH_RECORDS sets it.
func benchRecords() int {
	if n, err := strconv.Atoi(os.Getenv("KAFKA_BENCH_RECORDS")); err == nil {
		return n
	}
	return 2_000_000
}

// order is a record like those of the main job, 130 bytes.
func order(dst []byte, i int) []byte {
	return fmt.Appendf(dst, `{"order_id":"ord-%010d","customer_id":"cust-%06d","amount":%d.%02d,"category":"%s","event_time":"2026-01-01 00:%02d:%02d.%03d"}`,
		i, i*7919%100_000, 1+i*31%500, i%100, [...]string{"electronics", "books", "clothing", "grocery", "toys"}[i%5], i/60_000%60, i/1000%60, i%1000)
}

// benchBroker runs a Kafka for the benchmarks, which want the JVM's optimising compiler.
func benchBroker(b *testing.B) *kafkatest.Broker {
	broker, err := kafkatest.Run(kafkatest.Options{Heap: "1g", JVM: []string{"-XX:+UseParallelGC"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { broker.Close() })
	return broker
}

// counting is a decoder that looks at nothing.
type counting struct{ rows int }

func (c *counting) Decode(*connectors.Record) error { c.rows++; return nil }
func (c *counting) Rows() int                       { return c.rows }
func (c *counting) Flush() *stream.Batch            { n := c.rows; c.rows = 0; return &stream.Batch{Rows: n} }

// BenchmarkRead reads a topic of orders, 4 partitions of lz4: through this package with one reader
// and with two, and through franz-go's consumer; records/s of each, twice in turn.
func BenchmarkRead(b *testing.B) {
	broker, n := benchBroker(b), benchRecords()
	fillOrders(b, broker.Addr(), "orders", n)
	franz(b, broker.Addr(), n) // warms the page cache and the broker
	for range 2 {
		for _, readers := range []int{1, 2} {
			b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
				for range b.N {
					report(b, n, func() { ours(b, broker.Addr(), n, readers) })
				}
			})
		}
		b.Run("franz-go", func(b *testing.B) {
			for range b.N {
				report(b, n, func() { franz(b, broker.Addr(), n) })
			}
		})
	}
}

// report also tells the CPU time of this process, which does not depend on what else runs, the broker included.
func report(b *testing.B, n int, f func()) {
	begun, cpu := time.Now(), cpuTime(b)
	f()
	b.ReportMetric(float64(n)/time.Since(begun).Seconds(), "records/s")
	b.ReportMetric(float64(cpuTime(b)-cpu)/float64(n), "cpu-ns/record")
}

func cpuTime(b *testing.B) time.Duration {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		b.Fatal(err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func fillOrders(b *testing.B, addr, topic string, n int) {
	kafkatest.CreateTopic(b, addr, topic, 4)
	w, err := Connector{}.Writer(context.Background(), relation(addr, topic), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	for i := 0; i < n; i += stream.TargetRows {
		if _, err := w.Write(context.Background(), orders(i, min(stream.TargetRows, n-i))); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// orders makes a batch of n encoded orders from number `from` on.
func orders(from, n int) *stream.Batch {
	offsets, data := []int32{0}, []byte(nil)
	for i := range n {
		data = order(data, from+i)
		offsets = append(offsets, int32(len(data)))
	}
	batch := textBatch()
	batch.Columns[0], batch.Rows = stream.Bytes(sql.TypeText, offsets, data, nil), n
	return batch
}

func ours(b *testing.B, addr string, n, readers int) {
	cfg, err := readConfig(relation(addr, "orders"))
	if err != nil {
		b.Fatal(err)
	}
	src, err := newSource(cfg, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	splits, err := src.Splits(context.Background(), true)
	if err != nil {
		b.Fatal(err)
	}
	total := make(chan int64)
	for i := range readers {
		var mine []connectors.Split
		for j := i; j < len(splits); j += readers {
			mine = append(mine, splits[j])
		}
		go func() { total <- drain(b, cfg, mine) }()
	}
	var got int64
	for range readers {
		got += <-total
	}
	if got != int64(n) {
		b.Errorf("%d records, want %d", got, n)
	}
}

func drain(b *testing.B, cfg *config, splits []connectors.Split) (records int64) {
	r, err := newReader(cfg, &counting{}, splits)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer r.Close()
	for left := len(splits); left > 0; {
		c, err := r.Poll()
		if err != nil {
			b.Error(err)
			return records
		}
		if c == nil {
			<-r.Ready()
			continue
		}
		records += c.Records
		if c.Done {
			left--
		}
	}
	return records
}

func franz(b *testing.B, addr string, n int) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(32<<20))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for got := 0; got < n; {
		cl.PollFetches(context.Background()).EachPartition(func(p kgo.FetchTopicPartition) { got += len(p.Records) })
	}
}

// BenchmarkWrite sends encoded orders into 4 partitions: through the writer, through the sink in
// transactions of 200,000 rows, and through franz-go's producer with its records in slabs.
func BenchmarkWrite(b *testing.B) {
	broker, n := benchBroker(b), benchRecords()
	var batches []*stream.Batch
	for i := 0; i < n; i += stream.TargetRows {
		batches = append(batches, orders(i, min(stream.TargetRows, n-i)))
	}
	ctx, topics := context.Background(), 0
	newTopic := func() string {
		topics++
		name := fmt.Sprintf("out-%d", topics)
		kafkatest.CreateTopic(b, broker.Addr(), name, 4)
		return name
	}
	for range 2 {
		b.Run("writer", func(b *testing.B) {
			for range b.N {
				rel := relation(broker.Addr(), newTopic())
				w, err := Connector{}.Writer(ctx, rel, nil)
				if err != nil {
					b.Fatal(err)
				}
				report(b, n, func() {
					for _, batch := range batches {
						if _, err := w.Write(ctx, batch); err != nil {
							b.Fatal(err)
						}
					}
					if _, err := w.Flush(ctx); err != nil {
						b.Fatal(err)
					}
				})
				w.Close()
			}
		})
		b.Run("sink", func(b *testing.B) {
			for range b.N {
				rel := relation(broker.Addr(), newTopic())
				s := newTestSink(b, rel)
				delivered(b, s, 0)
				report(b, n, func() {
					for at, epoch := 0, uint64(1); at < len(batches); at, epoch = at+50, epoch+1 {
						if err := s.Deliver(ctx, epoch, batches[at:min(at+50, len(batches))], noneRefused(b)); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
		b.Run("franz-go", func(b *testing.B) {
			for range b.N {
				topic := newTopic()
				report(b, n, func() { franzProduce(b, broker.Addr(), topic, batches) })
			}
		})
	}
}

func franzProduce(b *testing.B, addr, topic string, batches []*stream.Batch) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(400_000), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for _, batch := range batches {
		slab := make([]kgo.Record, batch.Rows)
		values := texts(batch)
		for i := range slab {
			slab[i].Value = []byte(values[i])
			cl.Produce(context.Background(), &slab[i], nil)
		}
	}
	if err := cl.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	ends, err := kadm.NewClient(cl).ListEndOffsets(context.Background(), topic)
	if err != nil || len(ends[topic]) != 4 {
		b.Fatal(err)
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/flink"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// bench is one run: what its parts share.
type bench struct {
	*config
	dir     string // of everything; removed in the end
	kafka   *kafkatest.Broker
	program string // this binary, to run again as a bare reader
	filled  map[string]*orders.Totals
	flinkIs *flink.Flink // nil until a part wants it
	last    *server      // the last that was started
	report  report
	now     string // what is going on, for log
	serial  int    // of names that are used once
}

func newBench(ctx context.Context, c *config) (*bench, error) {
	if c.rounds < 1 || c.records < 1 {
		return nil, fmt.Errorf("-rounds and -records must be at least 1")
	}
	if _, err := os.Stat(c.server); err != nil {
		return nil, fmt.Errorf("the server's binary (make build makes it): %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "streamsql-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{config: c, dir: dir, program: program, filled: map[string]*orders.Totals{}, now: "setup"}
	if err := os.Mkdir(b.kafkaDir(), 0o755); err != nil {
		return nil, err
	}
	// The optimising compiler and a parallel collector: Kafka at its best.
	b.kafka, err = kafkatest.Run(kafkatest.Options{Dir: b.kafkaDir(), Heap: c.kafkaHeap, JVM: []string{"-XX:+UseParallelGC"}})
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) kafkaDir() string { return filepath.Join(b.dir, "kafka") }

func (b *bench) close() {
	if b.kafka != nil {
		if err := b.kafka.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: stop Kafka:", err)
		}
	}
	if err := os.RemoveAll(b.dir); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}

// name makes a name that is used once: of a topic, a directory.
func (b *bench) name(prefix string) string {
	b.serial++
	return fmt.Sprintf("%s_%d", prefix, b.serial)
}

// Sets of orders. The small ones warm up the JVM; their event time covers several windows.
func (b *bench) orders() *orders.Set {
	return &orders.Set{Topic: "orders", Records: b.records, Customers: 100_000, RatePerSec: 10_000}
}

func (b *bench) wideOrders() *orders.Set {
	return &orders.Set{Topic: "wide_orders", Records: b.records, Customers: 1_000_000, RatePerSec: 10_000}
}

func (b *bench) smallOrders() *orders.Set {
	return &orders.Set{Topic: "small_orders", Records: 200_000, Customers: 100_000, RatePerSec: 100}
}

// fill writes a set where no part has yet.
func (b *bench) fill(ctx context.Context, s *orders.Set) (*orders.Totals, error) {
	if t := b.filled[s.Topic]; t != nil {
		return t, nil
	}
	began := time.Now()
	t, err := orders.Fill(ctx, b.kafka.Addr(), s)
	if err != nil {
		return nil, err
	}
	b.log("%s filled: %d records of %.0f bytes, %.1f s", s.Topic, t.Orders, float64(t.Bytes)/float64(t.Orders), time.Since(began).Seconds())
	b.filled[s.Topic] = t
	return t, nil
}

// warmPages reads a topic's segments, so that no run pays for a cold page cache.
func (b *bench) warmPages(topic string) error {
	segments, err := filepath.Glob(filepath.Join(b.kafkaDir(), "data", topic+"-*", "*.log"))
	if err != nil {
		return err
	}
	for _, segment := range segments {
		f, err := os.Open(segment)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// installedFlink is Flink, fetched and compiled on first use.
func (b *bench) installedFlink(ctx context.Context) (*flink.Flink, error) {
	if b.flinkIs != nil {
		return b.flinkIs, nil
	}
	dir := filepath.Join(b.dir, "flink")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := flink.Install(ctx, dir, b.flinkHeap)
	if err != nil {
		return nil, err
	}
	b.flinkIs = f
	return f, nil
}

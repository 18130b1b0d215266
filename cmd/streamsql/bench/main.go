// Command bench measures the engine beside what bounds it, on one machine in one run:
//
//	real Kafka ─▶ orders, 4 partitions, lz4 ─┬▶ franz-go consumer that counts records   the line to compare with
//	                                         ├▶ windowed view (the main job)
//	                                         ├▶ view of a hundred thousand keys ─▶ point reads through pgx
//	                                         └▶ filter and project into a topic, exactly once
//
// Each is measured in every round, in turn, so that a machine that gets slower or faster does so for
// all; the medians count. Every result is checked against totals that the generator kept: a fast
// wrong answer is an error.
//
//	make bench
//	go run ./cmd/streamsql/bench -records 1000000 -rounds 1 -cpuprofile cpu.out
//
// The server is bin/streamsql, a process of its own with default flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// config is what the flags say.
type config struct {
	records    int64
	rounds     int
	pointReads int
	profile    string
	server     string
	heap       string
}

func main() {
	var c config
	flag.Int64Var(&c.records, "records", 10_000_000, "orders in the topic")
	flag.IntVar(&c.rounds, "rounds", 3, "how often everything is measured")
	flag.IntVar(&c.pointReads, "reads", 20_000, "point reads in a round")
	flag.StringVar(&c.profile, "cpuprofile", "", "write the server's CPU profile of the windowed view's first round to this file")
	flag.StringVar(&c.server, "server", "bin/streamsql", "the server's binary")
	flag.StringVar(&c.heap, "kafka-heap", "1g", "Kafka's heap")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, &c); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c *config) (err error) {
	// The optimising compiler and a parallel collector: Kafka at its best.
	broker, err := kafkatest.Run(kafkatest.Options{Heap: c.heap, JVM: []string{"-XX:+UseParallelGC"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	began := time.Now()
	want, err := fill(ctx, broker.Addr(), c.records)
	if err != nil {
		return err
	}
	fmt.Printf("filled: %d orders, %.0f bytes each, in %.1f s\n", want.orders, float64(want.bytes)/float64(want.orders), time.Since(began).Seconds())
	srv, err := startServer(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.close()) }()
	b := &bench{config: c, broker: broker.Addr(), srv: srv, want: want}
	if err := b.createTables(ctx); err != nil {
		return err
	}
	// Once for nothing: the segments come into the page cache, Kafka's code gets compiled.
	if _, err := b.bareRead(ctx, ordersTopic, want.orders); err != nil {
		return err
	}
	for round := range c.rounds {
		if err := b.round(ctx, round); err != nil {
			return err
		}
	}
	fmt.Println("\n" + strings.Join(b.report(), "\n"))
	if c.profile == "" {
		return nil
	}
	top, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount", "10", c.profile).Output()
	fmt.Printf("\n%s", top)
	return err
}

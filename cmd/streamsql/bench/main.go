// Command bench measures the engine beside what bounds it and what it is compared with, on one machine
// in one run:
//
//	real Kafka ─▶ orders ─┬▶ franz-go, counting            the line that a consumer written in Go starts from
//	                      ├▶ the query written by hand     the line that nothing here passes
//	                      ├▶ streamsql                     a process of its own, default flags, an empty directory each time
//	                      └▶ Flink SQL                     a JVM of its own, at its best settings
//
// and latencies, a restart over a large state, and point reads beside PostgreSQL. It is made of parts
// (-only picks some). A part measures both sides in turn, round after round, so that a machine that gets
// slower or faster does so for all; medians count. Every result is checked against the totals that the
// generator kept: a fast wrong answer is an error, and no figure.
//
//	make bench-peers                                            everything
//	make bench                                                  without Flink and PostgreSQL
//	go run ./cmd/streamsql/bench -only windowed,filter -rounds 1 -records 1000000
//
// bench/orders makes the input, bench/limits reads it bare, bench/flink runs Flink, bench/latency times
// single records, bench/process says what a process costs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/limits"
)

// config is what the flags say.
type config struct {
	records int64
	rounds  int
	only    string

	server  string // the binary
	profile string // a directory, empty = no profiles

	flink               bool
	flinkHeap           string
	kafkaHeap           string
	latencyPerSecond    int
	latencySeconds      int
	stateBytes          int64
	pointSeconds        int
	pointWritePerSecond int
}

func (c *config) register(fs *flag.FlagSet) {
	fs.Int64Var(&c.records, "records", 20_000_000, "orders in a topic")
	fs.IntVar(&c.rounds, "rounds", 3, "how often each is measured")
	fs.StringVar(&c.only, "only", strings.Join(partNames(), ","), "the parts to run")
	fs.StringVar(&c.server, "server", "bin/streamsql", "the server's binary")
	fs.StringVar(&c.profile, "profile", "", "write CPU profiles of the server to this directory, of one more run of each job, which does not count")
	fs.BoolVar(&c.flink, "flink", true, "measure Flink too")
	fs.StringVar(&c.flinkHeap, "flink-heap", "8g", "Flink's heap")
	fs.StringVar(&c.kafkaHeap, "kafka-heap", "1g", "Kafka's heap")
	fs.IntVar(&c.latencyPerSecond, "latency-rate", 50_000, "orders a second of the part latency")
	fs.IntVar(&c.latencySeconds, "latency-seconds", 20, "how long they are sent; the first quarter does not count")
	fs.Int64Var(&c.stateBytes, "state", 5<<30, "bytes of state on disk of the part restart")
	fs.IntVar(&c.pointSeconds, "point-seconds", 15, "how long pgbench runs each time")
	fs.IntVar(&c.pointWritePerSecond, "point-writes", 5_000, "changes a second of the view that points reads")
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == limits.Argument {
		return limits.Main(ctx, args[1:], os.Stdout)
	}
	var c config
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	c.register(fs)
	if err := fs.Parse(args); err != nil {
		return err
	}
	b, err := newBench(ctx, &c)
	if err != nil {
		return err
	}
	err = b.runParts(ctx)
	if len(b.report.lines) > 0 { // of an interrupted run: the parts that were done
		fmt.Println("\n" + b.report.String())
	}
	b.close()
	return err
}

// part is a comparison.
type part struct {
	name string
	make func(*bench) comparison
}

// parts in the order in which they run.
var parts = []part{
	{"windowed", newWindowed},
	{"filter", newFilter},
	{"keys", newKeys},
	{"latency", newLatency},
	{"restart", newRestart},
	{"points", newPoints},
}

// comparison is a part at work: setup once, round as often as the flags say, report and close once.
type comparison interface {
	setup(ctx context.Context) error
	round(ctx context.Context) error
	report() []line
	close() // also after a failed setup
}

func partNames() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

func (b *bench) runParts(ctx context.Context) error {
	wanted := strings.Split(b.only, ",")
	for _, name := range wanted {
		if !slices.Contains(partNames(), name) {
			return fmt.Errorf("there is no part %q; -only takes %s", name, strings.Join(partNames(), ","))
		}
	}
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) {
			continue
		}
		if err := b.runPart(ctx, p.make(b)); err != nil {
			if b.last != nil && b.last.proc != nil {
				err = errors.Join(b.last.proc.Crashed(), err) // a lost connection alone says too little
			}
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) runPart(ctx context.Context, c comparison) error {
	defer c.close()
	if err := c.setup(ctx); err != nil {
		return err
	}
	for n := range b.rounds {
		b.now = fmt.Sprintf("round %d", n+1)
		if err := c.round(ctx); err != nil {
			return err
		}
	}
	b.report.add(c.report())
	return nil
}

// log says how far the run is.
func (b *bench) log(format string, args ...any) {
	fmt.Printf("%s %s: %s\n", time.Now().Format(time.TimeOnly), b.now, fmt.Sprintf(format, args...))
}

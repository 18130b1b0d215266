package main

import (
	"context"
	"fmt"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/flink"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/latency"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
)

// The load that Flink gets: at ours it falls behind.
const (
	flinkPerSecond = 20_000
	flinkSeconds   = 30
	flinkSkip      = 10 // seconds, until its code is compiled
)

// delays are the percentiles of a run, in milliseconds.
type delays struct{ p50, p99 float64 }

// latencies compares how soon a result is visible.
type latencies struct {
	*bench
	cases []*latencyCase
}

type latencyCase struct {
	label, peer      string
	goal50, goal99   float64 // milliseconds; 0 = none
	ours, theirs     func(ctx context.Context) ([]time.Duration, error)
	oursRan, theyRan []delays
}

func newLatency(b *bench) comparison {
	l := &latencies{bench: b}
	l.cases = []*latencyCase{
		{label: "latency, Kafka to Kafka, exactly once", peer: "Flink, 20,000/s, checkpoint 200 ms", goal50: 80, goal99: 150,
			ours: func(ctx context.Context) ([]time.Duration, error) { return l.toTopic(ctx, "exactly-once") },
			theirs: func(ctx context.Context) ([]time.Duration, error) {
				return l.flinkToTopic(ctx, flink.KafkaExactlyOnce, 200*time.Millisecond)
			}},
		{label: "latency, Kafka to Kafka, at least once", peer: "Flink, 20,000/s", goal50: 4, goal99: 12,
			ours: func(ctx context.Context) ([]time.Duration, error) { return l.toTopic(ctx, "at-least-once") },
			theirs: func(ctx context.Context) ([]time.Duration, error) {
				return l.flinkToTopic(ctx, flink.Kafka, time.Second)
			}},
		{label: "latency, Kafka to a view that psql reads", goal99: 150, ours: l.toView},
	}
	return l
}

func (l *latencies) setup(ctx context.Context) error {
	if !l.flink {
		return nil
	}
	_, err := l.installedFlink(ctx)
	return err
}

func (l *latencies) close() {}

func (l *latencies) round(ctx context.Context) error {
	measure := func(who string, c *latencyCase, run func(context.Context) ([]time.Duration, error), ran *[]delays) error {
		all, err := run(ctx)
		if err != nil {
			return fmt.Errorf("%s, %s: %w", c.label, who, err)
		}
		millis := func(q float64) float64 { return float64(latency.Percentile(all, q).Microseconds()) / 1000 }
		*ran = append(*ran, delays{millis(0.5), millis(0.99)})
		l.log("%s, %s: ms p50 %.1f p90 %.1f p99 %.1f max %.1f", c.label, who, millis(0.5), millis(0.9), millis(0.99), millis(1))
		return nil
	}
	for _, c := range l.cases {
		if err := measure("streamsql", c, c.ours, &c.oursRan); err != nil {
			return err
		}
		if c.theirs != nil && l.flink {
			if err := measure("flink", c, c.theirs, &c.theyRan); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *latencies) report() []line {
	var lines []line
	p50, p99 := func(d delays) float64 { return d.p50 }, func(d delays) float64 { return d.p99 }
	for _, c := range l.cases {
		work := fmt.Sprintf("%s, %d/s", c.label, l.latencyPerSecond)
		first := line{work: work, figure: "ms p50", ours: medianOf(c.oursRan, p50)}
		second := line{work: work, figure: "ms p99", ours: medianOf(c.oursRan, p99)}
		if len(c.theyRan) > 0 {
			first.peer, first.theirs = c.peer, medianOf(c.theyRan, p50)
			second.peer, second.theirs = c.peer, medianOf(c.theyRan, p99)
		}
		if c.goal50 > 0 {
			first = below(c.goal50, first)
		}
		lines = append(lines, first, below(c.goal99, second))
	}
	return lines
}

func (l *latencies) ourLoad() *latency.Load {
	return &latency.Load{Broker: l.kafka.Addr(), Topic: l.name("latency_in"), PerSecond: l.latencyPerSecond, Seconds: l.latencySeconds, SkipSeconds: l.latencySeconds / 4}
}

// withServer sends our load past a query that start starts on a new server.
func (l *latencies) withServer(ctx context.Context, start func(ctx context.Context, srv *server, s *latency.Sender) (latency.Watcher, error)) ([]time.Duration, error) {
	load := l.ourLoad()
	if err := orders.CreateTopics(ctx, load.Broker, load.Topic); err != nil {
		return nil, err
	}
	srv, err := l.startServer(ctx)
	if err != nil {
		return nil, err
	}
	defer srv.close()
	if err := srv.exec(ctx, ordersTable(load.Broker, load.Topic, "")); err != nil {
		return nil, err
	}
	s, err := latency.NewSender(load)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	w, err := start(ctx, srv, s)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	all, err := latency.Measure(ctx, s, w)
	if err != nil {
		return nil, err
	}
	return all, orders.DeleteTopics(ctx, load.Broker, load.Topic)
}

func (l *latencies) toTopic(ctx context.Context, delivery string) ([]time.Duration, error) {
	return l.withServer(ctx, func(ctx context.Context, srv *server, s *latency.Sender) (latency.Watcher, error) {
		out := l.name("latency_out")
		if err := orders.CreateTopics(ctx, l.kafka.Addr(), out); err != nil {
			return nil, err
		}
		if err := srv.exec(ctx, outTable(l.kafka.Addr(), out, delivery)); err != nil {
			return nil, err
		}
		if err := srv.exec(ctx, "INSERT INTO "+out+" "+filterQuery); err != nil {
			return nil, err
		}
		return latency.WatchTopic(s, out)
	})
}

func (l *latencies) toView(ctx context.Context) ([]time.Duration, error) {
	return l.withServer(ctx, func(ctx context.Context, srv *server, s *latency.Sender) (latency.Watcher, error) {
		if err := srv.exec(ctx, "CREATE MATERIALIZED VIEW by_customer AS "+keysQuery); err != nil {
			return nil, err
		}
		return latency.WatchView(ctx, s, srv.url(), "by_customer")
	})
}

func (l *latencies) flinkToTopic(ctx context.Context, sink string, checkpoint time.Duration) ([]time.Duration, error) {
	load := &latency.Load{Broker: l.kafka.Addr(), Topic: l.name("latency_in"), PerSecond: flinkPerSecond, Seconds: flinkSeconds, SkipSeconds: flinkSkip}
	out := l.name("latency_out")
	if err := orders.CreateTopics(ctx, load.Broker, load.Topic, out); err != nil {
		return nil, err
	}
	s, err := latency.NewSender(load)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	w, err := latency.WatchTopic(s, out)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	job, err := l.flinkIs.Start(&flink.Job{Table: flinkTable(load.Broker, load.Topic, false), Query: filterQuery, Sink: sink,
		Brokers: load.Broker, Out: out, Checkpoint: checkpoint})
	if err != nil {
		return nil, err
	}
	defer job.Kill()
	all, err := latency.Measure(ctx, s, w)
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, job.Stderr())
	}
	return all, nil
}

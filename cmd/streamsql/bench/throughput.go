package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/flink"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/limits"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
)

// cost is what it took to get through a topic.
type cost struct {
	seconds, cpuSeconds float64
	peakBytes           int64
}

// throughput compares how fast, and at what cost, a query gets through a topic.
type throughput struct {
	*bench
	name  string
	label string
	set   *orders.Set
	query string
	sink  string                       // Flink's
	bare  []string                     // modes of bare readers beside it
	rows  func(t *orders.Totals) int64 // of the result

	overBare, overFlink float64 // goals: how often the records/s of the bare reader that counts, of Flink

	want, wantSmall *orders.Totals
	ours, flinks    []cost
	bares           map[string][]cost
}

func newWindowed(b *bench) comparison {
	return &throughput{bench: b, name: "windowed", label: "windowed query (the main job)", set: b.orders(), query: windowedQuery,
		sink: flink.Blackhole, bare: []string{limits.Count, limits.ByHand}, overBare: 1.5, overFlink: 5,
		rows: func(t *orders.Totals) int64 { return t.Windows }}
}

func newFilter(b *bench) comparison {
	return &throughput{bench: b, name: "filter", label: "filter and project, Kafka to Kafka, exactly once", set: b.orders(), query: filterQuery,
		sink: flink.KafkaExactlyOnce, overFlink: 3,
		rows: func(t *orders.Totals) int64 { return t.Passed }}
}

func newKeys(b *bench) comparison {
	return &throughput{bench: b, name: "keys", label: "count and sum by a key of 1 M values, updating", set: b.wideOrders(), query: keysQuery,
		sink: flink.Blackhole, overFlink: 4,
		rows: func(t *orders.Totals) int64 { return t.Customers }}
}

func (t *throughput) setup(ctx context.Context) (err error) {
	t.bares = map[string][]cost{}
	if t.want, err = t.fill(ctx, t.set); err != nil {
		return err
	}
	if !t.flink {
		return nil
	}
	if t.wantSmall, err = t.fill(ctx, t.smallOrders()); err != nil {
		return err
	}
	_, err = t.installedFlink(ctx)
	return err
}

func (t *throughput) close() {}

func (t *throughput) round(ctx context.Context) error {
	for _, mode := range t.bare {
		c, err := t.runBare(ctx, mode)
		if err != nil {
			return fmt.Errorf("bare reader: %w", err)
		}
		t.bares[mode] = append(t.bares[mode], c)
		t.show("bare "+mode, c)
	}
	c, err := t.runOurs(ctx, 0)
	for errors.Is(err, errKilled) {
		t.log("%s, streamsql: %s; its result is right; the round is measured again", t.name, err)
		c, err = t.runOurs(ctx, 0)
	}
	if err != nil {
		return err
	}
	t.ours = append(t.ours, c)
	t.show("streamsql", c)
	if t.profile != "" && len(t.ours) == t.rounds {
		if _, err := t.runOurs(ctx, int(c.seconds)+1); err != nil {
			return fmt.Errorf("with a profile: %w", err)
		}
	}
	if !t.flink {
		return nil
	}
	if c, err = t.runFlink(ctx); err != nil {
		return fmt.Errorf("flink: %w", err)
	}
	t.flinks = append(t.flinks, c)
	t.show("flink", c)
	return nil
}

func (t *throughput) show(who string, c cost) {
	t.log("%s, %s: %.2f s, %.2f M records/s, %.2f CPU s per M, %d MiB", t.name, who, c.seconds, float64(t.want.Orders)/c.seconds/1e6, t.cpuPerMillion(c), c.peakBytes>>20)
}

func (t *throughput) cpuPerMillion(c cost) float64 {
	return c.cpuSeconds / float64(t.want.Orders) * 1e6
}

func (t *throughput) runBare(ctx context.Context, mode string) (cost, error) {
	if err := t.warmPages(t.set.Topic); err != nil {
		return cost{}, err
	}
	r, err := limits.Run(ctx, t.program, mode, t.kafka.Addr(), t.set.Topic)
	if err != nil {
		return cost{}, err
	}
	if r.Orders != t.want.Orders || mode == limits.ByHand && (r.Cents != t.want.Cents || r.Groups != t.want.Windows) {
		return cost{}, fmt.Errorf("%s found %+v, not %+v", mode, r, t.want)
	}
	return cost{r.Seconds, r.Usage.CPU.Seconds(), r.Usage.PeakBytes}, nil
}

// runOurs runs the query on a new server, with a CPU profile of so many seconds unless that is 0.
func (t *throughput) runOurs(ctx context.Context, profileSeconds int) (cost, error) {
	if err := t.warmPages(t.set.Topic); err != nil {
		return cost{}, err
	}
	srv, err := t.startServer(ctx)
	if err != nil {
		return cost{}, err
	}
	defer srv.close()
	if err := srv.exec(ctx, ordersTable(t.kafka.Addr(), t.set.Topic, "")); err != nil {
		return cost{}, err
	}
	profiled := make(chan error, 1)
	if profileSeconds > 0 {
		go func() { profiled <- srv.profile(filepath.Join(t.profile, t.name+".pprof"), profileSeconds) }()
	} else {
		profiled <- nil
	}
	c, err := t.runWork(ctx, srv)
	if err != nil {
		return cost{}, err
	}
	return c, <-profiled
}

// errKilled is that of a run whose server somebody else has killed: no figure, though its result is right.
var errKilled = errors.New("killed by somebody else while it worked")

// runWork runs the query to its end. A server that somebody kills meanwhile is started again where it was,
// and has to come to the right result all the same.
func (t *throughput) runWork(ctx context.Context, srv *server) (cost, error) {
	var w work = &viewWork{throughput: t}
	if t.sink != flink.Blackhole {
		w = &topicWork{throughput: t, topic: t.bench.name("out")}
	}
	m, err := w.start(ctx, srv)
	if err != nil {
		return cost{}, err
	}
	c, err := w.await(ctx, srv, m)
	killed := false
	for err != nil && srv.proc.Killed() {
		killed = true
		if err = srv.start(ctx); err != nil {
			continue
		}
		if m, err = newMeter(srv.proc); err == nil {
			_, err = w.await(ctx, srv, m)
		}
	}
	if err == nil && killed {
		err = errKilled
	}
	return c, err
}

// runFlink runs the query on Flink. What it made of the small set is compared with the right answer;
// what it writes to a topic is, too.
func (t *throughput) runFlink(ctx context.Context) (cost, error) {
	if err := t.warmPages(t.set.Topic); err != nil {
		return cost{}, err
	}
	broker := t.kafka.Addr()
	j := &flink.Job{Table: flinkTable(broker, t.set.Topic, true), WarmTable: flinkTable(broker, t.smallOrders().Topic, true), Query: t.query,
		Sink: t.sink, Brokers: broker, Linger: 5 * time.Millisecond, Checkpoint: time.Second}
	if t.sink != flink.Blackhole {
		j.Out, j.WarmOut = t.bench.name("flink_out"), t.bench.name("flink_warm_out")
		if err := orders.CreateTopics(ctx, broker, j.Out, j.WarmOut); err != nil {
			return cost{}, err
		}
	}
	r, err := t.flinkIs.Run(ctx, j)
	if err != nil {
		return cost{}, err
	}
	if r.Rows != t.rows(t.wantSmall) || t.sink == flink.Blackhole && (r.Orders != t.wantSmall.Orders || r.Cents != t.wantSmall.Cents) {
		return cost{}, fmt.Errorf("the small set gives %+v, not %+v", r, t.wantSmall)
	}
	if j.Out != "" {
		if err := orders.VerifyFiltered(ctx, broker, j.Out, t.want); err != nil {
			return cost{}, err
		}
		if err := orders.DeleteTopics(ctx, broker, j.Out, j.WarmOut); err != nil {
			return cost{}, err
		}
	}
	return cost{r.Seconds, r.CPUSeconds, r.PeakBytes}, nil
}

// The goals of what a record costs, as shares of Flink's.
const (
	cpuShare    = 1.0 / 6
	memoryShare = 1.0 / 10
)

func (t *throughput) report() []line {
	rate := func(c cost) float64 { return float64(t.want.Orders) / c.seconds / 1e6 }
	peak := func(c cost) float64 { return float64(c.peakBytes) / (1 << 20) }
	var lines []line
	for _, mode := range t.bare {
		goal := 0.0
		if mode == limits.Count {
			goal = t.overBare
		}
		peer := map[string]string{limits.Count: "franz-go, counting", limits.ByHand: "the query by hand"}[mode]
		lines = append(lines, atLeast(goal, line{work: t.label, figure: "M records/s", peer: peer, ours: medianOf(t.ours, rate), theirs: medianOf(t.bares[mode], rate)}))
		lines = append(lines, line{work: t.label, figure: "CPU s per M records", peer: peer, ours: medianOf(t.ours, t.cpuPerMillion), theirs: medianOf(t.bares[mode], t.cpuPerMillion)})
	}
	if !t.flink {
		if len(t.bare) == 0 {
			lines = append(lines, line{work: t.label, figure: "M records/s", ours: medianOf(t.ours, rate)})
		}
		return lines
	}
	return append(lines,
		atLeast(t.overFlink, line{work: t.label, figure: "M records/s", peer: "Flink", ours: medianOf(t.ours, rate), theirs: medianOf(t.flinks, rate)}),
		atMost(cpuShare, line{work: t.label, figure: "CPU s per M records", peer: "Flink", ours: medianOf(t.ours, t.cpuPerMillion), theirs: medianOf(t.flinks, t.cpuPerMillion)}),
		atMost(memoryShare, line{work: t.label, figure: "peak MiB", peer: "Flink", ours: medianOf(t.ours, peak), theirs: medianOf(t.flinks, peak)}))
}

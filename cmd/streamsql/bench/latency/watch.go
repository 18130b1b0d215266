package latency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Watcher waits for results.
type Watcher interface {
	// Ready returns when the order of Hello is visible.
	Ready(ctx context.Context) error
	// Watch returns the delays of all orders that count, once they are visible.
	Watch(ctx context.Context) ([]time.Duration, error)
	Close()
}

// patience is how long results may be missing after the last order was sent.
const patience = 30 * time.Second

// Measure runs a load past a watcher. The delays are sorted.
func Measure(ctx context.Context, s *Sender, w Watcher) ([]time.Duration, error) {
	if err := s.Hello(ctx); err != nil {
		return nil, err
	}
	if err := w.Ready(ctx); err != nil {
		return nil, fmt.Errorf("the first result: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Seconds)*time.Second*11/10+patience)
	defer cancel()
	sent := make(chan error, 1)
	go func() {
		err := s.Run(ctx)
		if err != nil {
			cancel()
		}
		sent <- err
	}()
	delays, err := w.Watch(ctx)
	if err != nil {
		cancel()
	}
	if err := errors.Join(<-sent, err); err != nil {
		return nil, err
	}
	slices.Sort(delays)
	return delays, nil
}

// Percentile of sorted delays, q in [0, 1].
func Percentile(delays []time.Duration, q float64) time.Duration {
	return delays[min(int(q*float64(len(delays))), len(delays)-1)]
}

// topicWatcher reads what a query writes that passes order_id on.
type topicWatcher struct {
	s     *Sender
	cl    *kgo.Client
	topic string
}

// WatchTopic reads a topic as a read_committed consumer.
func WatchTopic(s *Sender, topic string) (Watcher, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMinBytes(1), kgo.FetchMaxWait(50*time.Millisecond))
	return &topicWatcher{s: s, cl: cl, topic: topic}, err
}

func (w *topicWatcher) Close() { w.cl.Close() }

func (w *topicWatcher) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*patience) // Flink's JVM starts within it
	defer cancel()
	for {
		fetches := w.cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		if fetches.NumRecords() > 0 {
			return nil
		}
	}
}

func (w *topicWatcher) Watch(ctx context.Context) ([]time.Duration, error) {
	seen := make([]bool, w.s.total())
	delays := make([]time.Duration, 0, w.s.total())
	for missing := len(seen); missing > 0; {
		fetches := w.cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d orders did not come out at topic %s: %w", missing, len(seen), w.topic, err)
		}
		now := time.Now()
		for it := fetches.RecordIter(); !it.Done(); {
			n, err := orderNumber(it.Next().Value)
			if err != nil || n >= len(seen) {
				return nil, fmt.Errorf("topic %s: order %d: %w", w.topic, n, err)
			}
			if seen[n] {
				return nil, fmt.Errorf("order %d is twice in topic %s", n, w.topic)
			}
			seen[n] = true
			missing--
			if w.s.counts(n) {
				delays = append(delays, w.s.since(n, now))
			}
		}
	}
	return delays, nil
}

// orderNumber is N of "order_id":"lat-N".
func orderNumber(value []byte) (int, error) {
	_, rest, _ := bytes.Cut(value, []byte(`"lat-`))
	digits, _, _ := bytes.Cut(rest, []byte(`"`))
	n, err := strconv.Atoi(string(digits))
	if err != nil {
		return 0, fmt.Errorf("no order of the load: %s", value)
	}
	return n, nil
}

// viewWatcher selects the rows of probes, one after the other, as a client would that waits for a row.
type viewWatcher struct {
	s     *Sender
	conn  *pgx.Conn
	query string
}

// WatchView asks a view with the columns customer_id, its key, and orders, over a connection of its own.
func WatchView(ctx context.Context, s *Sender, url, view string) (Watcher, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // what psql sends
	conn, err := pgx.ConnectConfig(ctx, config)
	return &viewWatcher{s: s, conn: conn, query: "SELECT orders FROM " + view + " WHERE customer_id = $1"}, err
}

func (w *viewWatcher) Close() { w.conn.Close(context.Background()) }

func (w *viewWatcher) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.await(ctx, hello)
}

func (w *viewWatcher) Watch(ctx context.Context) ([]time.Duration, error) {
	var delays []time.Duration
	for n := 0; n < w.s.total(); n += w.s.probeEvery() {
		if err := w.await(ctx, probeCustomer(n)); err != nil {
			return nil, fmt.Errorf("order %d of the load: %w", n, err)
		}
		if w.s.counts(n) {
			delays = append(delays, w.s.since(n, time.Now()))
		}
	}
	return delays, nil
}

// pollPause is between two questions: small beside the delays, and the questions a small load.
const pollPause = 2 * time.Millisecond

// await asks until a customer is there.
func (w *viewWatcher) await(ctx context.Context, customer string) error {
	for {
		var count int64
		err := w.conn.QueryRow(ctx, w.query, customer).Scan(&count)
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		select {
		case <-time.After(pollPause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

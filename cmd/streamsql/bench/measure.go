package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	ordersTable = `CREATE TABLE orders (order_id STRING, customer_id STRING, amount DECIMAL(10,2), category STRING, event_time TIMESTAMP(3),
		WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND)
		WITH ('connector' = 'kafka', 'topic' = 'orders', 'properties.bootstrap.servers' = '%s', 'format' = 'json')`
	windowView = `CREATE MATERIALIZED VIEW revenue AS
		SELECT window_start, window_end, category, COUNT(*) AS order_count, SUM(amount) AS total_revenue, AVG(amount) AS avg_order_value
		FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
		GROUP BY window_start, window_end, category`
	customerView = `CREATE MATERIALIZED VIEW by_customer AS
		SELECT customer_id, COUNT(*) AS order_count, SUM(amount) AS total_revenue FROM orders GROUP BY customer_id`
	outTable = `CREATE TABLE large_%d (order_id STRING, customer_id STRING, amount DECIMAL(10,2), event_time TIMESTAMP(3))
		WITH ('connector' = 'kafka', 'topic' = 'large_%[1]d', 'properties.bootstrap.servers' = '%s', 'format' = 'json', 'topic.partitions' = '4')`
	filterQuery = `INSERT INTO large_%d SELECT order_id, customer_id, amount, event_time FROM orders WHERE amount > 100 AND category <> 'toys'`
)

const (
	poll = 20 * time.Millisecond
	// settle is how long nothing may be committed before a job counts as done: longer than the
	// longest epoch.
	settle = 6 * time.Second
)

// The rows of the report.
const (
	bareRow = iota
	windowRow
	customerRow
	filterRow
	rows
)

// bench is one run.
type bench struct {
	*config
	broker string
	srv    *server
	want   *totals

	seconds [rows][]float64 // of each round
	reads   []time.Duration // of all rounds
}

func (b *bench) createTables(ctx context.Context) error {
	_, err := b.srv.conn.Exec(ctx, fmt.Sprintf(ordersTable, b.broker))
	return err
}

// round measures everything once.
func (b *bench) round(ctx context.Context, n int) error {
	steps := []func(context.Context, int) (time.Duration, error){
		func(ctx context.Context, _ int) (time.Duration, error) {
			return b.bareRead(ctx, ordersTopic, b.want.orders)
		},
		b.windowed, b.byCustomer, b.filtered,
	}
	for row, step := range steps {
		took, err := step(ctx, n)
		if err != nil {
			return fmt.Errorf("%s: %w", labels[row], err)
		}
		b.seconds[row] = append(b.seconds[row], took.Seconds())
		fmt.Printf("round %d: %-40s %6.2f s  %5.2f M/s\n", n+1, labels[row], took.Seconds(), float64(b.want.orders)/took.Seconds()/1e6)
	}
	return nil
}

// bareRead reads a topic with franz-go and counts the records.
func (b *bench) bareRead(ctx context.Context, topic string, want int64) (time.Duration, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(32<<20))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	began := time.Now()
	for got := int64(0); got < want; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return 0, err
		}
		got += int64(fetches.NumRecords())
	}
	return time.Since(began), nil
}

// windowed is the main job: from CREATE until a reader sees every order in the view.
func (b *bench) windowed(ctx context.Context, n int) (time.Duration, error) {
	profiled := make(chan error, 1)
	if b.profile != "" && n == 0 {
		last := 5 // seconds: a fair guess of how long the job is busy
		if len(b.seconds[bareRow]) > 0 {
			last = max(1, int(b.seconds[bareRow][0]))
		}
		go func() { profiled <- b.srv.profile(b.profile, last) }()
	} else {
		profiled <- nil
	}
	took, err := b.view(ctx, windowView, "revenue")
	if err != nil {
		return 0, err
	}
	if err := <-profiled; err != nil {
		return 0, err
	}
	_, err = b.srv.conn.Exec(ctx, "DROP MATERIALIZED VIEW revenue")
	return took, err
}

// byCustomer is an aggregate of many keys without windows, which is then read by key.
func (b *bench) byCustomer(ctx context.Context, _ int) (time.Duration, error) {
	took, err := b.view(ctx, customerView, "by_customer")
	if err != nil {
		return 0, err
	}
	if err := b.readPoints(ctx); err != nil {
		return 0, err
	}
	_, err = b.srv.conn.Exec(ctx, "DROP MATERIALIZED VIEW by_customer")
	return took, err
}

// view creates a view and waits until it holds all orders; their sum must then be right.
func (b *bench) view(ctx context.Context, create, name string) (time.Duration, error) {
	began := time.Now()
	if _, err := b.srv.conn.Exec(ctx, create); err != nil {
		return 0, err
	}
	// The positions are cheap to ask for; the view itself is asked once they are at the end.
	if err := b.awaitPositions(ctx, name); err != nil {
		return 0, err
	}
	for {
		var orders, cents *int64
		err := b.srv.conn.QueryRow(ctx, "SELECT sum(order_count)::bigint, (sum(total_revenue) * 100)::bigint FROM "+name).Scan(&orders, &cents)
		if err != nil {
			return 0, err
		}
		if orders != nil && *orders == b.want.orders {
			if *cents != b.want.cents {
				return 0, fmt.Errorf("%s sums up to %d cents, not %d", name, *cents, b.want.cents)
			}
			return time.Since(began), nil
		}
		if orders != nil && *orders > b.want.orders {
			return 0, fmt.Errorf("%s counts %d orders of %d", name, *orders, b.want.orders)
		}
		if err := pause(ctx); err != nil {
			return 0, err
		}
	}
}

// awaitPositions waits until a job has read everything.
func (b *bench) awaitPositions(ctx context.Context, job string) error {
	for {
		var position *int64
		if err := b.srv.conn.QueryRow(ctx, "SELECT sum(position)::bigint FROM streamsql.sources WHERE job = $1", job).Scan(&position); err != nil {
			return err
		}
		if position != nil && *position >= b.want.orders {
			return nil
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// filtered is the other daily job: topic to topic, exactly once, until the last epoch is delivered.
// What a reader of committed records then finds must be what the generator counted.
func (b *bench) filtered(ctx context.Context, n int) (time.Duration, error) {
	if _, err := b.srv.conn.Exec(ctx, fmt.Sprintf(outTable, n, b.broker)); err != nil {
		return 0, err
	}
	job := fmt.Sprintf("insert_large_%d", n)
	began := time.Now()
	if _, err := b.srv.conn.Exec(ctx, fmt.Sprintf(filterQuery, n)); err != nil {
		return 0, err
	}
	if err := b.awaitPositions(ctx, job); err != nil {
		return 0, err
	}
	last, changed := int64(-1), time.Now()
	for time.Since(changed) < settle {
		var epoch, delivered int64
		if err := b.srv.conn.QueryRow(ctx, "SELECT epoch, delivered_epoch FROM streamsql.jobs WHERE name = $1", job).Scan(&epoch, &delivered); err != nil {
			return 0, err
		}
		if delivered != last || delivered < epoch {
			last, changed = delivered, time.Now()
		}
		if err := pause(ctx); err != nil {
			return 0, err
		}
	}
	if _, err := b.srv.conn.Exec(ctx, "DROP JOB "+job); err != nil {
		return 0, err
	}
	if _, err := b.bareRead(ctx, fmt.Sprintf("large_%d", n), b.want.passed); err != nil {
		return 0, err
	}
	return changed.Sub(began), nil
}

// readPoints reads rows of the view by their key, prepared, one after the other.
func (b *bench) readPoints(ctx context.Context) error {
	const query = "SELECT order_count, total_revenue::text FROM by_customer WHERE customer_id = $1"
	if _, err := b.srv.conn.Prepare(ctx, "point", query); err != nil {
		return err
	}
	r := random(1)
	for i := range b.pointReads + b.pointReads/10 { // a tenth to warm up
		id := string(appendPadded([]byte("cust-"), newOrder(r.below(b.want.orders)).customer, 6))
		var count int64
		var revenue string
		began := time.Now()
		err := b.srv.conn.QueryRow(ctx, "point", id).Scan(&count, &revenue)
		took := time.Since(began)
		if err == pgx.ErrNoRows {
			return fmt.Errorf("no row for customer %s", id)
		}
		if err != nil {
			return err
		}
		if i >= b.pointReads/10 {
			b.reads = append(b.reads, took)
		}
	}
	return b.srv.conn.Deallocate(ctx, "point")
}

// median of a copy.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

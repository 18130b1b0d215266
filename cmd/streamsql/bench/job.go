package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/process"
)

const (
	poll = 20 * time.Millisecond
	// settle is how long nothing may be delivered before a sink counts as done: longer than the longest epoch.
	settle = 6 * time.Second
)

func pause(ctx context.Context) error {
	select {
	case <-time.After(poll):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// meter measures from its making to a stamp.
type meter struct {
	proc  *process.Process
	began time.Time
	used  process.Usage
}

func newMeter(proc *process.Process) (*meter, error) {
	used, err := proc.Usage()
	return &meter{proc: proc, began: time.Now(), used: used}, err
}

func (m *meter) stamp() (cost, error) {
	took := time.Since(m.began)
	used, err := m.proc.Usage()
	return cost{seconds: took.Seconds(), cpuSeconds: (used.CPU - m.used.CPU).Seconds(), peakBytes: used.PeakBytes}, err
}

// work is a query that runs on a server, and what is made of it.
type work interface {
	// start makes the job; the meter begins with it.
	start(ctx context.Context, srv *server) (*meter, error)
	// await waits until everything has come out, as the meter sees it, and is right.
	await(ctx context.Context, srv *server, m *meter) (cost, error)
}

// viewWork makes a view of the query: from CREATE to the first commit with which a reader sees every
// order in it. Planning and starting the job are in the time.
type viewWork struct{ *throughput }

func (t *viewWork) start(ctx context.Context, srv *server) (*meter, error) {
	m, err := newMeter(srv.proc)
	if err != nil {
		return nil, err
	}
	return m, srv.exec(ctx, "CREATE MATERIALIZED VIEW result AS "+t.query)
}

func (t *viewWork) await(ctx context.Context, srv *server, m *meter) (cost, error) {
	if err := srv.awaitRead(ctx, "result", t.want.Orders); err != nil {
		return cost{}, err
	}
	// What is read is visible with one of the next commits. Looking is work: it is done once for each
	// commit, after the stamp.
	for last := int64(-1); ; {
		var epoch int64
		if err := srv.conn.QueryRow(ctx, "SELECT epoch FROM streamsql.jobs WHERE name = 'result'").Scan(&epoch); err != nil {
			return cost{}, err
		}
		if epoch != last {
			last = epoch
			c, err := m.stamp()
			if err != nil {
				return cost{}, err
			}
			if done, err := t.complete(ctx, srv); done || err != nil {
				return c, err
			}
		}
		if err := pause(ctx); err != nil {
			return cost{}, err
		}
	}
}

// complete says whether the view holds all orders; then it must be right. A view by customer, which is
// large, is added up only once the customers of the last orders have all of theirs.
func (t *viewWork) complete(ctx context.Context, srv *server) (bool, error) {
	if t.query == keysQuery {
		for _, c := range t.want.Last {
			var seen int64
			err := srv.conn.QueryRow(ctx, "SELECT orders FROM result WHERE customer_id = $1", c.ID).Scan(&seen)
			if errors.Is(err, pgx.ErrNoRows) || err == nil && seen < c.Orders {
				return false, nil
			}
			if err != nil {
				return false, err
			}
		}
	}
	var got, cents, rows int64
	err := srv.conn.QueryRow(ctx, "SELECT coalesce(sum(orders), 0)::bigint, (coalesce(sum(total), 0) * 100)::bigint, count(*) FROM result").Scan(&got, &cents, &rows)
	if err != nil || got < t.want.Orders {
		return false, err
	}
	if got != t.want.Orders || cents != t.want.Cents || rows != t.rows(t.want) {
		return false, fmt.Errorf("the view has %d rows of %d orders and %d cents, not %d of %d and %d",
			rows, got, cents, t.rows(t.want), t.want.Orders, t.want.Cents)
	}
	return true, nil
}

// awaitRead waits until a job has read all of its input.
func (s *server) awaitRead(ctx context.Context, job string, records int64) error {
	for {
		var position int64
		var problem *string
		err := s.conn.QueryRow(ctx, "SELECT coalesce(sum(position), 0)::bigint, max(error) FROM streamsql.sources WHERE job = $1", job).Scan(&position, &problem)
		if err != nil || position >= records {
			return err
		}
		if problem != nil {
			return fmt.Errorf("job %s: %s", job, *problem)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// topicWork runs the query into a topic, exactly once: from INSERT to the last delivery. What a reader of
// committed records then finds must be right.
type topicWork struct {
	*throughput
	topic string
}

func (t *topicWork) start(ctx context.Context, srv *server) (*meter, error) {
	if err := orders.CreateTopics(ctx, t.kafka.Addr(), t.topic); err != nil {
		return nil, err
	}
	if err := srv.exec(ctx, outTable(t.kafka.Addr(), t.topic, "exactly-once")); err != nil {
		return nil, err
	}
	m, err := newMeter(srv.proc)
	if err != nil {
		return nil, err
	}
	return m, srv.exec(ctx, "INSERT INTO "+t.topic+" "+t.query)
}

func (t *topicWork) await(ctx context.Context, srv *server, m *meter) (cost, error) {
	topic, job := t.topic, "insert_"+t.topic
	if err := srv.awaitRead(ctx, job, t.want.Orders); err != nil {
		return cost{}, err
	}
	var c cost
	last := int64(-1)
	for changed := time.Now(); time.Since(changed) < settle; {
		var delivered, left int64
		if err := srv.conn.QueryRow(ctx, "SELECT coalesce(delivered_epoch, 0), undelivered_bytes FROM streamsql.jobs WHERE name = $1", job).Scan(&delivered, &left); err != nil {
			return cost{}, err
		}
		if delivered != last {
			var err error
			if c, err = m.stamp(); err != nil {
				return cost{}, err
			}
		}
		if delivered != last || left > 0 {
			last, changed = delivered, time.Now()
		}
		if err := pause(ctx); err != nil {
			return cost{}, err
		}
	}
	if err := srv.exec(ctx, "DROP JOB "+job); err != nil {
		return cost{}, err
	}
	if err := orders.VerifyFiltered(ctx, t.kafka.Addr(), topic, t.want); err != nil {
		return cost{}, err
	}
	return c, orders.DeleteTopics(ctx, t.kafka.Addr(), topic)
}

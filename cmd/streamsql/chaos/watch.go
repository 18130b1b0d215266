package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watchers look at the server all through the rounds, and keep what must never be seen.
type watchers struct {
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	wrong error // the first
	reads int   // of snapshots, that found nothing wrong
}

func (w *watchers) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong == nil {
		w.wrong = err
	}
}

// found is what was seen, nil for nothing.
func (w *watchers) found() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wrong
}

// watch starts the watchers of a topology.
func (w *world) watch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	w.watchers = &watchers{cancel: cancel}
	snapshots, jobs, group := &snapshotWatch{}, &jobWatch{seen: map[string]int64{}}, &groupWatch{w: w, seen: map[int32]int64{}}
	for _, check := range []func(context.Context) error{
		func(ctx context.Context) error { return snapshots.look(ctx, w) },
		func(ctx context.Context) error { return jobs.look(ctx, w) },
		group.look,
	} {
		w.watchers.done.Add(1)
		go func() {
			defer w.watchers.done.Done()
			for ctx.Err() == nil && w.watchers.found() == nil {
				if err := check(ctx); err != nil && ctx.Err() == nil {
					w.watchers.fail(err)
				}
			}
		}()
	}
	for _, s := range w.subscribers {
		w.watchers.done.Add(1)
		go func() {
			defer w.watchers.done.Done()
			s.run(ctx, w)
		}()
	}
}

func (w *watchers) stop() {
	w.cancel()
	w.done.Wait()
}

// asks runs a query again and again on one connection; each answer goes to check. It
// returns nil when the connection breaks, as it does when the server is killed.
func asks(ctx context.Context, s *server, pause time.Duration, statement string, check func(rows [][]string) error) error {
	c, err := s.tryConnect(ctx)
	if err != nil {
		time.Sleep(20 * time.Millisecond)
		return nil
	}
	defer c.Close(context.Background())
	for ctx.Err() == nil {
		rows, err := query(ctx, c, statement)
		if err != nil {
			if excused(err) {
				return nil
			}
			return fmt.Errorf("%s: %w", statement, err)
		}
		if err := check(rows); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// snapshotWatch reads views in one snapshot. In each epoch that is shown whole, every row of the
// input is in three windows of hops, one of each class: the classes' sums are equal, in hops itself
// and in the view over it. Money moves but does not vanish. And no count ever goes back, over a
// kill -9 neither.
type snapshotWatch struct {
	counts map[string]int64
}

const snapshotQuery = `SELECT 'hops' AS what, ` + hopClass + ` AS class, sum(n) AS n, sum(s) AS s FROM hops GROUP BY 2
UNION ALL SELECT 'classes', class, n, s FROM classes
UNION ALL SELECT 'accounts', 0, count(*), sum(balance) FROM accounts
UNION ALL SELECT 'branch_totals', 0, count(*), sum(total) FROM branch_totals
UNION ALL SELECT 'totals', 0, sum(n), sum(s) FROM totals
UNION ALL SELECT 'closed_hops', 0, sum(n), 0 FROM closed_hops`

func (s *snapshotWatch) look(ctx context.Context, w *world) error {
	return asks(ctx, w.srv, 15*time.Millisecond, snapshotQuery, func(rows [][]string) error {
		if err := s.check(rows); err != nil {
			return fmt.Errorf("a snapshot shows half an epoch, or an old one: %w\n%s", err, strings.Join(toLines(rows), "\n"))
		}
		w.watchers.mu.Lock()
		w.watchers.reads++
		w.watchers.mu.Unlock()
		return nil
	})
}

func (s *snapshotWatch) check(rows [][]string) error {
	if s.counts == nil {
		s.counts = map[string]int64{}
	}
	sums := map[string][]string{} // of hops and classes: n and s of each class
	for _, r := range rows {
		what, n := r[0], number(r[2])
		switch what {
		case "hops", "classes":
			sums[what] = append(sums[what], r[2]+" "+r[3])
		case "accounts":
			if n != accounts || r[3] != strconv.Itoa(accounts*opening) {
				return errors.New("money came or went")
			}
		case "branch_totals":
			if n != 0 && (n != branches || r[3] != strconv.Itoa(accounts*opening)) {
				return errors.New("money came or went")
			}
		}
		key := what + " " + r[1]
		if n < s.counts[key] {
			return fmt.Errorf("%s counts %d rows, which were %d before", key, n, s.counts[key])
		}
		s.counts[key] = n
	}
	for what, of := range sums {
		if len(of) != 3 || of[0] != of[1] || of[1] != of[2] {
			return fmt.Errorf("the sums of the classes of %s differ", what)
		}
	}
	return nil
}

// number is an integer, 0 for NULL.
func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// jobWatch sees that epochs never go back, not even to 0 while a job starts: those that it is told of
// are on disk. What a sink has delivered is NULL until the target has been asked.
type jobWatch struct{ seen map[string]int64 }

func (j *jobWatch) look(ctx context.Context, w *world) error {
	return asks(ctx, w.srv, 100*time.Millisecond, "SELECT name, epoch, delivered_epoch FROM streamsql.jobs", func(rows [][]string) error {
		for _, r := range rows {
			for i, what := range []string{"epoch", "delivered epoch"} {
				if r[1+i] == "NULL" {
					continue
				}
				key, n := what+" of job "+r[0], number(r[1+i])
				if n < j.seen[key] {
					return fmt.Errorf("%s went back from %d to %d", key, j.seen[key], n)
				}
				j.seen[key] = n
			}
		}
		return nil
	})
}

// groupWatch sees that the positions that a consumer group shows never go back, but when we delete it.
type groupWatch struct {
	w    *world
	seen map[int32]int64
	age  int64 // deletions of the group so far
}

func (g *groupWatch) look(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(g.w.c.kafka.Addr()), kgo.RetryTimeout(time.Second))
	if err != nil {
		return err
	}
	defer cl.Close()
	for ctx.Err() == nil {
		age := g.w.groupDeleted.Load()
		offsets, err := kadm.NewClient(cl).FetchOffsets(ctx, g.w.group())
		if err == nil && age == g.w.groupDeleted.Load() {
			if age != g.age {
				g.age = age
				clear(g.seen)
			}
			for _, partitions := range offsets {
				for p, o := range partitions {
					if o.At < g.seen[p] {
						return fmt.Errorf("the position of partition %d in group %s went back from %d to %d", p, g.w.group(), g.seen[p], o.At)
					}
					g.seen[p] = o.At
				}
			}
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return nil
}

// sqlState is the code of an error of a server, empty for one of the connection.
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// subscriber follows a view with SUBSCRIBE and folds its changes. When the connection breaks it
// subscribes again, which begins with the rows as they are then.
//
// Invariants: a delete names a row that is there; epochs never go back, over reconnects
// neither; at the end of each epoch `whole` has nothing to say against the rows.
type subscriber struct {
	view  string
	whole func(f *fold) error

	mu    sync.Mutex
	fold  *fold
	epoch int64 // of the last change, over all connections
}

// fold is the rows that the changes so far add up to.
type fold struct {
	rows  map[string]int
	sums  [3]int64 // of the classes of hops, in cents
	epoch int64
}

func newSubscribers() []*subscriber {
	return []*subscriber{
		{view: "hops", whole: equalClasses},
		{view: "extremes", whole: func(*fold) error { return nil }},
		{view: "branch_totals", whole: func(*fold) error { return nil }},
	}
}

// equalClasses is the invariant of hops: see snapshotWatch.
func equalClasses(f *fold) error {
	if f.sums[0] != f.sums[1] || f.sums[1] != f.sums[2] {
		return fmt.Errorf("the sums of the classes differ: %v", f.sums)
	}
	return nil
}

func (s *subscriber) run(ctx context.Context, w *world) {
	for ctx.Err() == nil && w.watchers.found() == nil {
		if err := s.follow(ctx, w.srv); err != nil && ctx.Err() == nil {
			w.watchers.fail(fmt.Errorf("subscription to %s: %w", s.view, err))
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// follow reads one subscription to the end of its connection.
func (s *subscriber) follow(ctx context.Context, srv *server) error {
	c, err := srv.tryConnect(ctx)
	if err != nil {
		return nil // it starts, or is being killed
	}
	defer c.Close(context.Background())
	results := c.PgConn().Exec(ctx, "SUBSCRIBE TO "+s.view)
	defer results.Close()
	s.mu.Lock()
	s.fold = &fold{rows: map[string]int{}}
	s.mu.Unlock()
	for results.NextResult() {
		if err := s.read(results.ResultReader()); err != nil {
			return err
		}
	}
	if err := results.Close(); err != nil && !excused(err) {
		return err
	}
	return nil
}

func (s *subscriber) read(r *pgconn.ResultReader) error {
	for r.NextRow() {
		row := fields(r.Values())
		s.mu.Lock()
		err := s.change(number(row[0]), row[1], row[2:])
		s.mu.Unlock()
		if err != nil {
			return fmt.Errorf("epoch %s, %s of %s: %w", row[0], row[1], strings.Join(row[2:], "|"), err)
		}
	}
	return nil // what ended it comes with Close
}

func (s *subscriber) change(epoch int64, op string, row []string) error {
	f := s.fold
	if epoch != f.epoch && f.epoch != 0 {
		if err := s.whole(f); err != nil {
			return fmt.Errorf("at the end of epoch %d: %w", f.epoch, err)
		}
	}
	if epoch < s.epoch {
		return fmt.Errorf("epoch %d was there before", s.epoch)
	}
	s.epoch, f.epoch = epoch, epoch
	line, n := strings.Join(row, "|"), 1
	if op == "delete" || op == "update_before" {
		n = -1
	}
	if f.rows[line] += n; f.rows[line] < 0 {
		return fmt.Errorf("no such row was there")
	}
	if f.rows[line] == 0 {
		delete(f.rows, line)
	}
	if s.view == "hops" {
		start, err := time.Parse("2006-01-02 15:04:05", row[0])
		if err != nil {
			return err
		}
		f.sums[start.Unix()/5%3] += int64(n) * cents(row[4])
	}
	return nil
}

// cents reads a numeric(_,2), 0 for NULL.
func cents(s string) int64 { return number(strings.Replace(s, ".", "", 1)) }

// lines are the rows as they are now.
func (s *subscriber) lines() lines {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out lines
	if s.fold == nil {
		return nil
	}
	for l, n := range s.fold.rows {
		for range n {
			out = append(out, l)
		}
	}
	sort.Strings(out)
	return out
}

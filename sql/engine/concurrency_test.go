package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestTransfers moves money between accounts in many sessions at once. Whoever looks, at the table, at
// a view or at a view over that, at any moment and after a crash, finds the same total.
func TestTransfers(t *testing.T) {
	const writers, transfers, accounts, total = 6, 40, 10, "1000"
	n := newNode(t, "127.0.0.1:1")
	n.exec(`CREATE TABLE acc (id INT PRIMARY KEY, branch INT, v INT NOT NULL);
		INSERT INTO acc SELECT i, i % 3, 100 FROM generate_series(1, 10) AS s(i);
		CREATE MATERIALIZED VIEW branches AS SELECT branch, sum(v) AS v FROM acc GROUP BY branch;
		CREATE MATERIALIZED VIEW bank AS SELECT sum(v) AS v FROM branches`)
	n.exec("FLUSH")
	done := make(chan struct{})
	var reading, writing sync.WaitGroup
	for _, query := range []string{"SELECT sum(v) FROM acc", "SELECT sum(v) FROM branches", "SELECT v FROM bank"} {
		c := n.connect(nil)
		reading.Add(1)
		go func() {
			defer reading.Done()
			defer c.Close(context.Background())
			for looks := 0; ; looks++ {
				rows, err := simpleQuery(c, query)
				if err != nil || len(rows) != 1 || rows[0][0] != total {
					t.Errorf("%s: %v, %v", query, rows, err)
					return
				}
				select {
				case <-done:
					t.Logf("%s: looked %d times", query, looks)
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
	}
	for w := range writers {
		c := n.connect(nil)
		r := rand.New(rand.NewPCG(1, uint64(w)))
		writing.Add(1)
		go func() {
			defer writing.Done()
			defer c.Close(context.Background())
			for made := 0; made < transfers; {
				from, to := 1+r.IntN(accounts), 1+r.IntN(accounts)
				_, err := simpleQuery(c, fmt.Sprintf("BEGIN; UPDATE acc SET v = v - 7 WHERE id = %d; UPDATE acc SET v = v + 7 WHERE id = %d; %s",
					from, to, pick(r, "COMMIT", "COMMIT", "ROLLBACK")))
				var e *pgconn.PgError
				switch {
				case err == nil:
					made++
				case errors.As(err, &e) && (e.Code == "40P01" || e.Code == "40001"):
					_, err = simpleQuery(c, "ROLLBACK") // a deadlock: the transfer is tried again
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	writing.Wait()
	close(done)
	reading.Wait()
	n.crash()
	n.start()
	n.exec("FLUSH")
	for _, query := range []string{"SELECT sum(v) FROM acc", "SELECT v FROM bank"} {
		if got := n.exec(query)[0][0]; got != total {
			t.Errorf("after the crash, %s: %s", query, got)
		}
	}
}

// TestSlowSubscriber has a SUBSCRIBE that nobody reads: writers and other subscribers don't notice.
func TestSlowSubscriber(t *testing.T) {
	n := newNode(t, "127.0.0.1:1")
	n.exec("CREATE TABLE t (id INT, pad TEXT)")
	slow, quick := n.connect(nil), n.connect(nil)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = slow.Exec(ctx, "SUBSCRIBE TO t") // sent, and its rows are never taken
	stream := quick.Exec(ctx, "SUBSCRIBE TO t")
	if !stream.NextResult() {
		t.Fatal(stream.Close())
	}
	const rounds, rows = 20, 2000
	began := time.Now()
	for range rounds { // far more than the buffers of a connection hold
		n.exec(fmt.Sprintf("INSERT INTO t SELECT i, repeat('x', 500) FROM generate_series(1, %d) AS s(i)", rows))
	}
	t.Logf("%d rows in %v", rounds*rows, time.Since(began))
	seen := 0
	for r := stream.ResultReader(); seen < rounds*rows && r.NextRow(); {
		seen++
	}
	if seen != rounds*rows {
		t.Errorf("the other subscriber saw %d rows", seen)
	}
	if took := time.Since(began); took > testWait {
		t.Errorf("it took %v", took)
	}
	cancel()
	_ = slow.Close(context.Background())
	_ = quick.Close(context.Background())
	eventually(t, testWait, func() error {
		if rows := n.exec("SELECT query FROM streamsql.sessions WHERE query LIKE 'SUBSCRIBE%'"); len(rows) > 0 {
			return fmt.Errorf("still there: %v", rows)
		}
		return nil
	})
}

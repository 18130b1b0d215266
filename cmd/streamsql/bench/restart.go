package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
)

// restart measures how long after kill -9 a server with a large state shows its first new result.
// The state is that of a view with a row a key; its rows hold what does not compress.
type restart struct {
	*bench
	srv   *server
	in    *orders.Producer
	topic string
	sent  int64
	state int64 // bytes on disk

	seconds []float64
}

func newRestart(b *bench) comparison { return &restart{bench: b} }

const (
	notesTable = `CREATE TABLE notes (id STRING, note STRING)
		WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'format' = 'json')`
	notesView = `CREATE MATERIALIZED VIEW by_id AS SELECT id, count(*) AS orders, max(note) AS note FROM notes GROUP BY id`
	noteBytes = 256
	// chunk is how many notes are sent before the size of the state is looked at.
	chunk = 200_000
	// backlog is how many are sent while the server is away.
	backlog = 10_000
)

func (r *restart) setup(ctx context.Context) (err error) {
	r.topic = r.name("notes")
	if err = orders.CreateTopics(ctx, r.kafka.Addr(), r.topic); err != nil {
		return err
	}
	if r.in, err = orders.NewProducer(r.kafka.Addr(), r.topic); err != nil {
		return err
	}
	if r.srv, err = r.startServer(ctx); err != nil {
		return err
	}
	if err = r.srv.exec(ctx, fmt.Sprintf(notesTable, r.topic, r.kafka.Addr())); err != nil {
		return err
	}
	if err = r.srv.exec(ctx, notesView); err != nil {
		return err
	}
	began := time.Now()
	for r.state < r.stateBytes {
		if err := r.send(ctx, chunk); err != nil {
			return err
		}
		if err := r.srv.awaitRead(ctx, "by_id", r.sent); err != nil {
			return err
		}
		if r.state, err = r.srv.diskBytes(); err != nil {
			return err
		}
	}
	r.log("restart: %d keys, %.1f GB of state in %.0f s", r.sent, float64(r.state)/1e9, time.Since(began).Seconds())
	return nil
}

// send produces notes with new keys.
func (r *restart) send(ctx context.Context, n int) error {
	const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
	for range n {
		random := orders.Random(r.sent)
		value := fmt.Appendf(r.in.Space(), `{"id":"%s","note":"`, noteID(r.sent))
		for range noteBytes {
			value = append(value, letters[random.Below(int64(len(letters)))])
		}
		if err := r.in.Send(ctx, r.sent, append(value, `"}`...)); err != nil {
			return err
		}
		r.sent++
	}
	return r.in.Flush(ctx)
}

func noteID(i int64) string { return fmt.Sprintf("note-%010d", i) }

func (r *restart) round(ctx context.Context) error {
	// In the middle of work: what was read since the last commit is to be read again.
	if err := r.send(ctx, backlog); err != nil {
		return err
	}
	r.srv.kill()
	first := r.sent
	if err := r.send(ctx, backlog); err != nil {
		return err
	}
	began := time.Now()
	if err := r.srv.start(ctx); err != nil {
		return err
	}
	answers := time.Since(began)
	for {
		var n int64
		err := r.srv.conn.QueryRow(ctx, "SELECT orders FROM by_id WHERE id = $1", noteID(first)).Scan(&n)
		if err == nil {
			break
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	took := time.Since(began)
	used, err := r.srv.proc.Usage()
	if err != nil {
		return err
	}
	r.seconds = append(r.seconds, took.Seconds())
	r.log("restart: answers after %.2f s, first new result after %.2f s and %.2f CPU s", answers.Seconds(), took.Seconds(), used.CPU.Seconds())
	if len(r.seconds) == r.rounds {
		return r.verify(ctx)
	}
	return nil
}

// verify compares the view with what was sent: every key once.
func (r *restart) verify(ctx context.Context) error {
	for {
		var rows, counted int64
		if err := r.srv.conn.QueryRow(ctx, "SELECT count(*), coalesce(sum(orders), 0)::bigint FROM by_id").Scan(&rows, &counted); err != nil {
			return err
		}
		if rows == r.sent && counted == r.sent {
			return nil
		}
		if rows > r.sent || counted > rows {
			return fmt.Errorf("%d notes were sent; the view has %d keys and %d notes", r.sent, rows, counted)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (r *restart) report() []line {
	work := fmt.Sprintf("restart after kill -9, %.1f GB of state", float64(r.state)/1e9)
	return []line{below(5, line{work: work, figure: "s to the first new result", ours: median(r.seconds)})}
}

func (r *restart) close() {
	if r.srv != nil {
		r.srv.close()
	}
	if r.in != nil {
		r.in.Close()
	}
	// The topic goes with Kafka's directory; until then it takes as much of the disk as the state did.
	if err := orders.DeleteTopics(context.Background(), r.kafka.Addr(), r.topic); err != nil {
		r.log("restart: %v", err)
	}
}

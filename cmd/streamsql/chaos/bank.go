package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The bank is a client that changes tables of the engine's own, in transactions: it moves money
// between accounts and notes each transfer. When a COMMIT gets no answer it asks later whether the
// transfer is there. So every confirmed transaction has to be found, whole, whatever was killed.
const (
	accounts = 12
	branches = 3
	opening  = 1000
)

const bankSchema = `
CREATE TABLE accounts (id INT PRIMARY KEY, branch INT NOT NULL, balance BIGINT NOT NULL);
CREATE TABLE transfers (id BIGINT PRIMARY KEY, source INT, target INT, amount BIGINT);
INSERT INTO accounts SELECT n, n % 3, 1000 FROM generate_series(0, 11) AS g(n);
CREATE MATERIALIZED VIEW branch_totals AS SELECT branch, sum(balance) AS total, min(balance) AS least, max(balance) AS most FROM accounts GROUP BY branch;
`

// bankOracle computes the same from the transfers that the client knows to be in.
const bankOracle = `
CREATE TABLE transfers (id bigint, source int, target int, amount bigint);
CREATE VIEW accounts AS SELECT n AS id, n % 3 AS branch,
	1000 + coalesce((SELECT sum(amount) FROM transfers WHERE target = n), 0) - coalesce((SELECT sum(amount) FROM transfers WHERE source = n), 0) AS balance
	FROM generate_series(0, 11) AS n;
CREATE VIEW branch_totals AS SELECT branch, sum(balance) AS total, min(balance) AS least, max(balance) AS most FROM accounts GROUP BY branch;
`

// bankQueries are compared with the oracle, besides the jobs.
var bankQueries = []string{
	"SELECT id, source, target, amount FROM transfers",
	"SELECT id, branch, balance FROM accounts",
	"SELECT branch, total, least, most FROM branch_totals",
}

type transfer struct {
	id             int64
	source, target int
	amount         int64
}

type bank struct {
	srv    *server
	done   []transfer // confirmed
	loaded int
	nextID int64
	conn   *pgx.Conn
}

// run makes transfers until stop is closed.
func (b *bank) run(ctx context.Context, r *rand.Rand, stop <-chan struct{}) error {
	for {
		t := transfer{id: b.nextID, source: r.IntN(accounts), amount: 1 + r.Int64N(50)}
		t.target = (t.source + 1 + r.IntN(accounts-1)) % accounts
		b.nextID++
		if err := b.make(ctx, t); err != nil {
			return err
		}
		select {
		case <-stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(r.IntN(60)) * time.Millisecond):
		}
	}
}

// make makes one transfer. A connection that breaks before COMMIT was sent means that it is not in;
// after that, only the server knows.
func (b *bank) make(ctx context.Context, t transfer) error {
	if b.conn == nil || b.conn.IsClosed() {
		c, err := b.srv.connect(ctx)
		if err != nil {
			return err
		}
		b.conn = c
	}
	short, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	changes := fmt.Sprintf(`BEGIN; UPDATE accounts SET balance = balance - %[3]d WHERE id = %[1]d; UPDATE accounts SET balance = balance + %[3]d WHERE id = %[2]d;
		INSERT INTO transfers VALUES (%[4]d, %[1]d, %[2]d, %[3]d)`, t.source, t.target, t.amount, t.id)
	if _, err := b.conn.PgConn().Exec(short, changes).ReadAll(); err != nil {
		return b.gone(ctx, err)
	}
	if _, err := b.conn.PgConn().Exec(short, "COMMIT").ReadAll(); err == nil {
		b.done = append(b.done, t)
		return nil
	} else if err := b.gone(ctx, err); err != nil {
		return err
	}
	found, err := b.find(ctx, t.id)
	if found {
		b.done = append(b.done, t)
	}
	return err
}

// gone tells whether an error only says that the server was away, or its disk full, and drops the connection.
func (b *bank) gone(ctx context.Context, err error) error {
	_ = b.conn.Close(ctx) // it is broken, or in a failed transaction
	if ctx.Err() != nil || !excused(err) {
		return fmt.Errorf("bank: %w", err)
	}
	return nil
}

// find asks whether a transfer is in.
func (b *bank) find(ctx context.Context, id int64) (bool, error) {
	for deadline := time.Now().Add(2 * startWait); ; time.Sleep(20 * time.Millisecond) {
		rows, err := b.srv.rows(ctx, fmt.Sprintf("SELECT id FROM transfers WHERE id = %d", id))
		if err == nil {
			return len(rows) > 0, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false, fmt.Errorf("bank: is transfer %d in: %w", id, err)
		}
	}
}

// load adds the confirmed transfers to the oracle.
func (b *bank) load(ctx context.Context, o *oracle) error {
	ts := b.done[b.loaded:]
	n, err := o.conn.CopyFrom(ctx, pgx.Identifier{"oracle", "transfers"}, []string{"id", "source", "target", "amount"},
		pgx.CopyFromSlice(len(ts), func(i int) ([]any, error) {
			return []any{ts[i].id, ts[i].source, ts[i].target, ts[i].amount}, nil
		}))
	b.loaded += int(n)
	return err
}

// excused tells whether a statement's error is what a fault does: no connection, the server's end,
// a full disk.
func excused(err error) bool {
	code := sqlState(err)
	return code == "" || strings.HasPrefix(code, "57P") || code == "53100"
}

package postgres

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/sql"
)

// database is a connection to the target's database, made when it is needed.
type database struct {
	cfg  *config
	conn *pgconn.PgConn // nil = none
	to   *target        // what the connection has learnt of the table, nil = nothing yet
}

func newDatabase(cfg *config) *database { return &database{cfg: cfg} }

// connect makes the connection, unless there is one.
func (d *database) connect(ctx context.Context) error {
	if d.conn != nil && !d.conn.IsClosed() {
		return nil
	}
	d.to = nil
	conn, err := pgconn.ConnectConfig(ctx, d.cfg.conn.Copy())
	if err != nil {
		return d.cfg.wrap(err, "connect")
	}
	d.conn = conn
	return nil
}

// close ends the connection; a transaction that is open in it is undone.
func (d *database) close() {
	if d.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	_ = d.conn.Close(ctx) // nothing depends on it: the server notices anyway
	d.conn, d.to = nil, nil
}

const closeWait = time.Second

// exec runs statements in one message and returns the result of each.
func (d *database) exec(ctx context.Context, statements string) ([]*pgconn.Result, error) {
	return d.conn.Exec(ctx, statements).ReadAll()
}

// query runs a statement and returns its rows in text.
func (d *database) query(ctx context.Context, statement string) ([][][]byte, error) {
	results, err := d.exec(ctx, statement)
	if err != nil || len(results) == 0 {
		return nil, err
	}
	return results[len(results)-1].Rows, nil
}

// settings make a transaction independent of how the role or the database is set up: a timeout for
// people's statements must not stop a sink for ever, a transaction of a server that is gone must not
// hold the sink's row, and what is confirmed must be on disk.
const settings = `SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = '30s';
SET LOCAL idle_in_transaction_session_timeout = '60s';
SET LOCAL IntervalStyle = postgres;
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
`

// begin starts a transaction with the statements.
func (d *database) begin(ctx context.Context, statements string) ([]*pgconn.Result, error) {
	return d.exec(ctx, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;\n"+settings+statements)
}

// rollback undoes the transaction; the connection goes with it when that fails.
func (d *database) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	if _, err := d.exec(ctx, "ROLLBACK"); err != nil {
		d.close()
	}
}

func literal(s string) string { return sql.QuoteLiteral(s) }

func number(b []byte) int64 {
	n, _ := strconv.ParseInt(string(b), 10, 64) // PostgreSQL's own text of an integer
	return n
}

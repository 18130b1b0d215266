package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/peterbourgon/ff/v4"

	"github.com/streamsql/streamsql/examples/queries"
)

func demoCommand() *ff.Command {
	fs := ff.NewFlagSet("demo")
	var d devSettings
	d.register(fs, "")
	return &ff.Command{Name: "demo", Usage: "streamsql demo [flags]", ShortHelp: "show windows updating live over sample streams", Flags: fs,
		Exec: noArguments(func(ctx context.Context) error { return demo(ctx, &d) })}
}

// demo is dev in a scratch directory, with the example queries created and one view on the screen.
func demo(ctx context.Context, d *devSettings) (err error) {
	if d.dataDir == "" {
		if d.dataDir, err = os.MkdirTemp("", "streamsql-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(d.dataDir)) }()
	}
	if d.logLevel == "info" {
		d.logLevel = "warn" // the screen is for the windows
	}
	srv, err := startDev(ctx, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.stop()) }()
	host, port, err := net.SplitHostPort(srv.ln.Addr().String())
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://demo@%s/streamsql?sslmode=disable", net.JoinHostPort(host, port)))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if err := createExamples(ctx, conn, srv.broker.Addr()); err != nil {
		return err
	}
	return show(ctx, conn, os.Stdout, fmt.Sprintf("psql -h %s -p %s -U demo streamsql", host, port))
}

// createExamples runs the files of examples/queries in order.
func createExamples(ctx context.Context, conn *pgx.Conn, broker string) error {
	for _, f := range queries.Files() {
		if _, err := conn.Exec(ctx, strings.ReplaceAll(f.SQL, queries.Broker, broker)); err != nil {
			return fmt.Errorf("examples/queries/%s: %w", f.Name, err)
		}
	}
	return nil
}

const (
	demoQuery = `SELECT window_start, category, order_count, total_revenue, avg_order_value
FROM revenue ORDER BY window_start DESC, category LIMIT 12`
	clearScreen = "\x1b[H\x1b[2J"
)

// show prints the newest windows once a second until ctx ends.
func show(ctx context.Context, conn *pgx.Conn, out io.Writer, psql string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		table, err := windows(ctx, conn)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		fmt.Fprintf(out, "%sOrders in 5-minute windows, live (view revenue in examples/queries)\n\n%s\nTry it:  %s\n         COPY (SUBSCRIBE TO revenue) TO STDOUT;\n\nCtrl-C ends the demo.\n", clearScreen, table, psql)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func windows(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, err := conn.Query(ctx, demoQuery)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %-14s %8s %14s %12s\n", "window_start", "category", "orders", "revenue", "average")
	for rows.Next() {
		var start time.Time
		var category, revenue, average string
		var orders int64
		if err := rows.Scan(&start, &category, &orders, &revenue, &average); err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%-20s %-14s %8d %14s %12.10s\n", start.Format("2006-01-02 15:04:05"), category, orders, revenue, average)
	}
	return b.String(), rows.Err()
}

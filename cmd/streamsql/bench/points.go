package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/orders"
	"github.com/streamsql/streamsql/cmd/streamsql/bench/process"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// points compares point reads by key: pgbench, the script of -S, 16 connections, against a view of a
// million rows while its job writes it, and against PostgreSQL's own table of as many, at rest.
type points struct {
	*bench
	postgres *pgtest.Server
	srv      *server
	in       *orders.Producer
	sent     int64
	script   string

	ours, theirs map[string][]float64 // tps by mode
}

func newPoints(b *bench) comparison {
	return &points{bench: b, ours: map[string][]float64{}, theirs: map[string][]float64{}}
}

const (
	accounts    = 1_000_000 // pgbench's scale 10
	scale       = "10"
	connections = "16"
	// The script that pgbench -S runs, from its documentation: a built-in one would ask for tables that a view need not have.
	pointScript = "\\set aid random(1, 100000 * :scale)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"

	changesTable = `CREATE TABLE changes (aid INT, delta BIGINT)
		WITH ('connector' = 'kafka', 'topic' = 'changes', 'properties.bootstrap.servers' = '%s', 'format' = 'json')`
	accountsView = `CREATE MATERIALIZED VIEW pgbench_accounts AS SELECT aid, sum(delta) AS abalance FROM changes GROUP BY aid`
)

var pointModes = []string{"simple", "prepared"}

func (p *points) setup(ctx context.Context) (err error) {
	p.script = filepath.Join(p.dir, "select.sql")
	if err = os.WriteFile(p.script, []byte(pointScript), 0o644); err != nil {
		return err
	}
	if p.postgres, err = pgtest.Run("shared_buffers=512MB"); err != nil { // the whole table
		return err
	}
	if _, err = p.pgbench(ctx, p.postgres.Program("pgbench", "-i", "-q", "-s", scale), strconv.Itoa(p.postgres.Port), "postgres"); err != nil {
		return err
	}
	if p.srv, err = p.startServer(ctx); err != nil {
		return err
	}
	if err = orders.CreateTopics(ctx, p.kafka.Addr(), "changes"); err != nil {
		return err
	}
	if p.in, err = orders.NewProducer(p.kafka.Addr(), "changes"); err != nil {
		return err
	}
	if err = p.srv.exec(ctx, fmt.Sprintf(changesTable, p.kafka.Addr())); err != nil {
		return err
	}
	if err = p.srv.exec(ctx, accountsView); err != nil {
		return err
	}
	for range accounts {
		if err = p.send(ctx); err != nil {
			return err
		}
	}
	if err = p.in.Flush(ctx); err != nil {
		return err
	}
	if err = p.verify(ctx); err != nil {
		return err
	}
	return p.srv.awaitIdle(ctx)
}

// send changes the next account.
func (p *points) send(ctx context.Context) error {
	value := fmt.Appendf(p.in.Space(), `{"aid":%d,"delta":1}`, p.sent%accounts+1)
	err := p.in.Send(ctx, p.sent, value)
	p.sent++
	return err
}

func (p *points) round(ctx context.Context) error {
	if err := p.verify(ctx); err != nil {
		return err
	}
	for _, mode := range pointModes {
		tps, err := p.measureOurs(ctx, mode)
		if err != nil {
			return err
		}
		p.ours[mode] = append(p.ours[mode], tps)
		p.log("point reads, %s, streamsql: %.0f tps", mode, tps)
		if tps, err = p.measure(ctx, mode, strconv.Itoa(p.postgres.Port), "postgres"); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
		p.theirs[mode] = append(p.theirs[mode], tps)
		p.log("point reads, %s, PostgreSQL: %.0f tps", mode, tps)
	}
	return p.verify(ctx)
}

// measureOurs runs pgbench while the view is written.
func (p *points) measureOurs(ctx context.Context, mode string) (float64, error) {
	_, port, err := net.SplitHostPort(p.srv.addr)
	if err != nil {
		return 0, err
	}
	writing, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.write(writing) }()
	if p.profile != "" && len(p.ours[mode]) == p.rounds-1 {
		go func() {
			if err := p.srv.profile(filepath.Join(p.profile, "points-"+mode+".pprof"), p.pointSeconds); err != nil {
				p.log("point reads: %v", err)
			}
		}()
	}
	tps, err := p.measure(ctx, mode, port, "streamsql")
	stop()
	if writeErr := <-done; err == nil {
		err = writeErr
	}
	return tps, err
}

// write changes accounts at the rate of the flag until it is stopped.
func (p *points) write(ctx context.Context) error {
	const period = 10 * time.Millisecond
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return p.in.Flush(context.WithoutCancel(ctx))
		case <-tick.C:
		}
		for range p.pointWritePerSecond * int(period) / int(time.Second) {
			if err := p.send(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
	}
}

func (p *points) measure(ctx context.Context, mode, port, database string) (float64, error) {
	cmd := p.postgres.Program("pgbench", "-n", "-f", p.script, "-s", scale, "-c", connections, "-j", "2", "-T", strconv.Itoa(p.pointSeconds), "-M", mode)
	out, err := p.pgbench(ctx, cmd, port, database)
	if err != nil {
		return 0, err
	}
	return parseTPS(out)
}

func (p *points) pgbench(ctx context.Context, cmd *exec.Cmd, port, database string) ([]byte, error) {
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+port, "PGUSER=postgres", "PGDATABASE="+database, "PGSSLMODE=disable")
	return process.Output(ctx, cmd)
}

// parseTPS finds pgbench's figure; a run in which a transaction failed has none.
func parseTPS(out []byte) (float64, error) {
	var tps float64
	_, rest, _ := bytes.Cut(out, []byte("\ntps = "))
	if _, err := fmt.Sscan(string(rest), &tps); err != nil || !bytes.Contains(out, []byte("number of failed transactions: 0 ")) {
		return 0, fmt.Errorf("pgbench's output is not that of a good run:\n%s", out)
	}
	return tps, nil
}

// verify compares the view with what was sent, once it has all of it.
func (p *points) verify(ctx context.Context) error {
	for {
		var rows, sum int64
		if err := p.srv.conn.QueryRow(ctx, "SELECT count(*), coalesce(sum(abalance), 0)::bigint FROM pgbench_accounts").Scan(&rows, &sum); err != nil {
			return err
		}
		if rows == accounts && sum == p.sent {
			return nil
		}
		if rows > accounts || sum > p.sent {
			return fmt.Errorf("%d changes of %d accounts were sent; the view has %d rows and the sum %d", p.sent, accounts, rows, sum)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

func (p *points) report() []line {
	var lines []line
	for _, mode := range pointModes {
		lines = append(lines, atLeast(0.8, line{work: "point reads of a view of 1 M rows while it is written, 16 connections", figure: "tps, " + mode,
			peer: "pgbench -S, PostgreSQL", ours: median(p.ours[mode]), theirs: median(p.theirs[mode])}))
	}
	return lines
}

func (p *points) close() {
	if p.in != nil {
		p.in.Close()
	}
	if p.srv != nil {
		p.srv.close()
	}
	if p.postgres != nil {
		p.postgres.Close()
	}
}

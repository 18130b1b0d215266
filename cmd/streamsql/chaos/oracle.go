package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// The oracle is PostgreSQL: the ledger is loaded into it, and each job is a view there, by the same
// query over what stands for the engine's relations.
const oracleSchema = `
DROP SCHEMA IF EXISTS oracle CASCADE;
CREATE SCHEMA oracle;
SET search_path = oracle;
CREATE TABLE ledger (n bigint, kind text, late boolean, part int, id bigint, k text, amount numeric(12,2), v int, tag text, ts timestamp(3), value bytea);
CREATE VIEW watermark AS SELECT min(last) - interval '5 seconds' AS at FROM (SELECT max(ts) AS last FROM ledger WHERE kind = 'row' OR kind = 'bad v' GROUP BY part) AS parts;
`

// oracleRelations stand for relations; $kinds are those of the records that are rows for the job.
var oracleRelations = map[string]string{
	events:  "(SELECT * FROM ledger WHERE kind IN ($kinds)) AS e",
	grouped: "(SELECT * FROM ledger WHERE kind IN ($kinds)) AS e",
	tumbled: `(SELECT l.*, window_start, window_start + interval '10 seconds' AS window_end FROM ledger AS l, date_bin('10 seconds', ts, '1970-01-01') AS window_start
		WHERE kind IN ($kinds) AND NOT late AND ts IS NOT NULL) AS e`,
	hopped: `(SELECT l.*, window_start, window_start + interval '15 seconds' AS window_end
		FROM ledger AS l, generate_series(0, 2) AS i, LATERAL (SELECT date_bin('5 seconds', ts, '1970-01-01') - i * interval '5 seconds' AS window_start) AS w
		WHERE kind IN ($kinds) AND NOT late AND ts IS NOT NULL) AS e`,
	echoed: "filtered",
}

func (j *job) kinds() string {
	if j.readsV {
		return "'" + kindRow + "'"
	}
	return "'" + kindRow + "', '" + kindBadV + "'"
}

// view is the job in the oracle's words.
func (j *job) view() string {
	from := oracleRelations[j.from]
	if from == "" {
		from = j.from
	}
	from = strings.ReplaceAll(from, "$kinds", j.kinds())
	q := strings.Replace(strings.TrimSuffix(j.query, " EMIT ON WINDOW CLOSE"), "FROM $", "FROM "+from, 1)
	if j.name == "quotients" {
		q += " AND v <> 0" // the others are dead letters
	}
	if j.target == toTable {
		q += fmt.Sprintf(" AND v <= %d", tableMaxV)
	}
	if j.final {
		q = fmt.Sprintf("SELECT * FROM (%s) AS all_windows WHERE window_end <= (SELECT at FROM watermark)", q)
	}
	return fmt.Sprintf("CREATE VIEW %s AS %s", j.name, q)
}

// lines are rows as a|b|c, sorted.
type lines []string

func toLines(rows [][]string) lines {
	out := make(lines, len(rows))
	for i, r := range rows {
		out[i] = strings.Join(r, "|")
	}
	sort.Strings(out)
	return out
}

// expectation is what a job's output has to be.
type expectation struct {
	columns []string
	rows    lines
}

// oracle has one connection, which a fault may have ended.
type oracle struct {
	url    string
	conn   *pgx.Conn
	loaded int // records of the ledger that are in
}

func (o *oracle) connect(ctx context.Context) (err error) {
	if o.conn != nil && o.conn.Ping(ctx) == nil {
		return nil
	}
	for deadline := time.Now().Add(startWait); ; time.Sleep(50 * time.Millisecond) {
		if o.conn, err = pgx.Connect(ctx, o.url); err == nil {
			_, err = o.conn.Exec(ctx, "SET search_path = oracle")
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("oracle: %w", err)
		}
	}
}

// reset makes the schema for a new topology, and its targets.
func (o *oracle) reset(ctx context.Context, targets string) error {
	o.loaded = 0
	if err := o.connect(ctx); err != nil {
		return err
	}
	if _, err := o.conn.PgConn().Exec(ctx, oracleSchema+bankOracle+targets).ReadAll(); err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := o.conn.PgConn().Exec(ctx, j.view()).ReadAll(); err != nil {
			return fmt.Errorf("oracle: %s: %w", j.name, err)
		}
	}
	return nil
}

// load adds what the ledger has got since.
func (o *oracle) load(ctx context.Context, l *ledger) error {
	if err := o.connect(ctx); err != nil {
		return err
	}
	recs := l.records[o.loaded:]
	source := pgx.CopyFromSlice(len(recs), func(i int) ([]any, error) {
		r := &recs[i]
		return []any{int64(o.loaded + i), r.kind, r.late, r.partition, r.id, r.key, r.amount, r.v, r.tag, r.ts, []byte(r.value)}, nil
	})
	n, err := o.conn.CopyFrom(ctx, pgx.Identifier{"oracle", "ledger"},
		[]string{"n", "kind", "late", "part", "id", "k", "amount", "v", "tag", "ts", "value"}, source)
	if err != nil {
		return fmt.Errorf("oracle: load: %w", err)
	}
	o.loaded += int(n)
	_, err = o.conn.Exec(ctx, "ANALYZE ledger")
	return err
}

// expect is what every job has to give over the records loaded, by name.
func (o *oracle) expect(ctx context.Context) (map[string]*expectation, error) {
	out := map[string]*expectation{}
	for _, j := range jobs {
		e, err := o.answer(ctx, "SELECT * FROM "+j.name)
		if err != nil {
			return nil, fmt.Errorf("oracle: %s: %w", j.name, err)
		}
		out[j.name] = e
	}
	return out, nil
}

func (o *oracle) answer(ctx context.Context, statement string) (*expectation, error) {
	if err := o.connect(ctx); err != nil {
		return nil, err
	}
	results, err := o.conn.PgConn().Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	e := &expectation{}
	for _, f := range results[0].FieldDescriptions {
		e.columns = append(e.columns, f.Name)
	}
	var rows [][]string
	for _, r := range results[0].Rows {
		rows = append(rows, fields(r))
	}
	e.rows = toLines(rows)
	return e, nil
}

func (o *oracle) close(ctx context.Context) {
	if o.conn != nil {
		_ = o.conn.Close(ctx) // PostgreSQL ends next
	}
}

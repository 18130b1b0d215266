package postgres

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// marker is a sink's row in the bookkeeping table: the epoch that the target holds, and the server
// that writes it.
//
//	streamsql.sinks: sink text PRIMARY KEY │ epoch bigint │ server text │ target text │ delivered_at timestamptz
//
// A server claims the row; from then on transactions of the one before it find another name there and
// write nothing.
type marker struct {
	table  string // quoted
	schema string
	sink   string
	owner  string
}

// create makes the row, and the table when it is missing.
func (m *marker) create(ctx context.Context, d *database, notice connectors.Notice) error {
	rows, err := d.query(ctx, "SELECT to_regclass("+literal(m.table)+") IS NOT NULL, to_regnamespace("+literal(quoteName(m.schema))+") IS NOT NULL")
	if err != nil {
		return m.permitted(d, err, "look for "+m.table)
	}
	if string(rows[0][0]) != "t" {
		ddl := m.ddl(string(rows[0][1]) != "t")
		// The lock is for two sinks that are created at once.
		if _, err := d.exec(ctx, "SELECT pg_advisory_xact_lock(7238463829); "+ddl); err != nil {
			return m.permitted(d, err, "create "+m.table)
		}
		if notice != nil {
			notice(fmt.Sprintf("table %s was created to keep the epochs delivered", m.table))
		}
	}
	_, err = d.exec(ctx, fmt.Sprintf("INSERT INTO %s (sink, epoch, server, target) VALUES (%s, 0, '', %s) ON CONFLICT DO NOTHING",
		m.table, literal(m.sink), literal(d.to.name)))
	return m.permitted(d, err, "note the sink in "+m.table)
}

// permitted says, of an error for want of a privilege, which ones are needed.
func (m *marker) permitted(d *database, err error, action string) error {
	if e := serverError(err); e != nil && e.Code == sql.CodeInsufficientPrivilege {
		return sql.Errorf(e.Code, "could not %s, which keeps the epochs delivered: %s", action, e.Message).
			WithHint("Have an owner run once: %s GRANT USAGE ON SCHEMA %s TO %[4]s; GRANT SELECT, INSERT, UPDATE, DELETE ON %[3]s TO %[4]s;",
				m.ddl(true), quoteName(m.schema), m.table, quoteName(d.cfg.conn.User))
	}
	return d.cfg.wrap(err, action)
}

func (m *marker) ddl(schema bool) string {
	ddl := "CREATE TABLE IF NOT EXISTS " + m.table + " (sink text PRIMARY KEY, epoch bigint NOT NULL, server text NOT NULL, target text NOT NULL, delivered_at timestamptz NOT NULL DEFAULT now());"
	if schema {
		ddl = "CREATE SCHEMA IF NOT EXISTS " + quoteName(m.schema) + "; " + ddl
	}
	return ddl
}

// claim makes the row ours and returns its epoch. It waits for a transaction that is still on its way.
// With again set, the row was ours at an epoch: it must still be, at that epoch or, for a transaction
// whose outcome is unknown, behind it. Without, a row with an epoch beyond limit is left to whoever
// has it, and ours is false.
func (m *marker) claim(ctx context.Context, d *database, limit, last uint64, again bool) (epoch uint64, ours bool, err error) {
	guard := fmt.Sprintf(" AND epoch <= %d", min(limit, math.MaxInt64))
	if again {
		guard = fmt.Sprintf(" AND server = %s AND epoch >= %d", literal(m.owner), last)
	}
	rows, err := d.query(ctx, fmt.Sprintf("SET LOCAL lock_timeout = '10s'; UPDATE %s SET server = %s WHERE sink = %s%s RETURNING epoch",
		m.table, literal(m.owner), literal(m.sink), guard))
	if e := serverError(err); e != nil && (e.Code == sql.CodeUndefinedTable || e.Code == sql.CodeInvalidSchema) {
		return 0, false, m.gone()
	}
	if err != nil {
		return 0, false, d.cfg.wrap(err, "read the epoch delivered")
	}
	if len(rows) == 1 {
		return uint64(number(rows[0][0])), true, nil
	}
	if again {
		return 0, false, m.lost(ctx, d, last)
	}
	if rows, err = d.query(ctx, "SELECT epoch FROM "+m.table+" WHERE sink = "+literal(m.sink)); err != nil {
		return 0, false, d.cfg.wrap(err, "read the epoch delivered")
	}
	if len(rows) == 0 {
		return 0, false, m.gone()
	}
	return uint64(number(rows[0][0])), false, nil
}

// set writes the row anew. With ours set, it must be ours.
func (m *marker) set(ctx context.Context, d *database, epoch uint64, ours bool) error {
	guard := ""
	if ours {
		guard = " WHERE s.server = " + literal(m.owner)
	}
	to, err := d.target(ctx)
	if err != nil {
		return err
	}
	results, err := d.exec(ctx, fmt.Sprintf("INSERT INTO %s AS s (sink, epoch, server, target) VALUES (%s, %d, %s, %s) ON CONFLICT (sink) DO UPDATE SET epoch = EXCLUDED.epoch, server = EXCLUDED.server, delivered_at = now()%s",
		m.table, literal(m.sink), epoch, literal(m.owner), literal(to.name), guard))
	if err != nil {
		return m.permitted(d, err, "write the epoch delivered")
	}
	if results[0].CommandTag.RowsAffected() == 0 {
		return m.lost(ctx, d, epoch)
	}
	return nil
}

// advance are the statements that move the row from an epoch to the next, in a transaction that has
// begun. The last result's count of rows must be 1.
func (m *marker) advance(from, to uint64) string {
	return fmt.Sprintf("UPDATE %s SET epoch = %d, delivered_at = now() WHERE sink = %s AND server = %s AND epoch = %d",
		m.table, to, literal(m.sink), literal(m.owner), from)
}

// lost says why the row is not ours at the epoch that it had.
func (m *marker) lost(ctx context.Context, d *database, last uint64) error {
	rows, err := d.query(ctx, "SELECT server, epoch FROM "+m.table+" WHERE sink = "+literal(m.sink))
	if err != nil {
		return d.cfg.wrap(err, "read the epoch delivered")
	}
	if len(rows) == 0 {
		return m.gone()
	}
	if epoch := number(rows[0][1]); uint64(epoch) < last {
		return &sql.Error{Code: sql.CodeObjectNotInState,
			Message: fmt.Sprintf("%s holds epochs of sink %q up to %d, but those up to %d were delivered before", d.cfg.where(), m.sink, epoch, last),
			Detail:  "The database seems to have been restored to an older state.",
			Hint:    acceptHint}
	}
	if owner := string(rows[0][0]); owner != m.owner {
		return sql.Errorf(sql.CodeObjectNotInState, "another server delivers sink %q to %s: this one is fenced", m.sink, d.cfg.where()).
			WithDetail("It took over at epoch %s.", rows[0][1]).
			WithHint("Stop one of the servers, then ALTER JOB … RESUME on the other. The one started last delivers.")
	}
	return sql.Errorf(sql.CodeSerializationFailure, "%s holds epoch %s of sink %q, which is not the one delivered last", d.cfg.where(), rows[0][1], m.sink)
}

const acceptHint = "Drop the sink and create it anew, restore the database, or accept that rows may be missing in it with ALTER JOB … ACCEPT TARGET."

// gone is the error of a row that was made at CREATE and is not there.
func (m *marker) gone() error {
	return &sql.Error{Code: sql.CodeObjectNotInState,
		Message: fmt.Sprintf("the database does not know sink %q any more: its row in %s is gone", m.sink, m.table),
		Detail:  "The database seems to have been restored to a state from before the sink, or replaced.",
		Hint:    acceptHint}
}

// remove deletes the row.
func (m *marker) remove(ctx context.Context, d *database) error {
	_, err := d.exec(ctx, "SET LOCAL lock_timeout = '1s'; DELETE FROM "+m.table+" WHERE sink = "+literal(m.sink))
	if e := serverError(err); e != nil && (e.Code == sql.CodeUndefinedTable || e.Code == sql.CodeInvalidSchema) {
		return nil
	}
	return d.cfg.wrap(err, "forget the sink")
}

// where names the target for people.
func (c *config) where() string {
	name := c.table
	if c.schema != "" {
		name = c.schema + "." + name
	}
	return fmt.Sprintf("table %q of %s", strings.TrimSpace(name), c.address())
}

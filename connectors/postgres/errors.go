package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/sql"
)

// serverError is the error that the server reported, nil when it did not.
func serverError(err error) *pgconn.PgError {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// isRowError tells whether a statement failed because of a row that it wrote: by its values, a
// constraint, a trigger. The binary form being wrong is no fault of a row: the column's type changed.
func isRowError(err error) bool {
	e := serverError(err)
	if e == nil || e.Code == codeBinaryForm {
		return false
	}
	switch e.Code[:2] {
	case "21", // two rows of a statement have the same key: PostgreSQL finds more keys equal than we do
		"22", "23", "44", "54", // data, integrity, a view's check, limits on a row
		"P0", "09", "27", "38", "39", "2F": // triggers
		return true
	}
	return false
}

// SQLSTATEs of PostgreSQL that mean something here.
const (
	codeBinaryForm         = "22P03"
	codeExclusionViolation = "23P01"
	codeReadOnly           = "25006"
	codeLockTimeout        = "55P03"
	codeDuplicateName      = "42P06" // of a schema
	codeGeneratedWrite     = "428C9"
)

// wrap is an error as the engine takes it: connections that fail are 08006, which passes.
func (c *config) wrap(err error, action string) error {
	if err == nil {
		return nil
	}
	var own *sql.Error
	if errors.As(err, &own) || errors.Is(err, context.Canceled) {
		return err
	}
	where := c.address()
	if e := serverError(err); e != nil {
		switch {
		case e.Code == codeReadOnly:
			return sql.Errorf(sql.CodeConnectionFailure, "could not %s: %s is read-only: %s", action, where, e.Message)
		case e.Code == codeLockTimeout:
			return sql.Errorf(e.Code, "could not %s: another transaction holds a lock: %s", action, e.Message)
		case strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P"):
			return sql.Errorf(sql.CodeConnectionFailure, "could not %s: %s: %s", action, where, e.Message)
		}
		out := sql.Errorf(e.Code, "could not %s: %s", action, e.Message)
		out.Detail, out.Hint = e.Detail, e.Hint
		return out
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return sql.Errorf(sql.CodeConnectionFailure, "could not %s: %s does not answer", action, where)
	}
	return sql.Errorf(sql.CodeConnectionFailure, "could not %s: %s: %s", action, where, cause(err))
}

// address is where the database is.
func (c *config) address() string {
	return fmt.Sprintf("PostgreSQL at %s", net.JoinHostPort(c.conn.Host, fmt.Sprint(c.conn.Port)))
}

// cause is what failed in the network or in TLS: the errors around it tell the connection's settings at
// length.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op
	}
	for {
		inner := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok && len(many.Unwrap()) > 0 {
			inner = many.Unwrap()[0]
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}

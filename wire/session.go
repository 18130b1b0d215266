// Package wire serves the PostgreSQL protocol (version 3) over pgproto3: start-up, TLS, SCRAM,
// simple and extended queries, portals with row limits, COPY, cancel. What a statement means is not
// its business: it speaks to a Session.
//
//	client ──messages──▶ conn ──Parse/Bind/Execute──▶ Session (sql/engine)
//	client ◀──rows────── conn ◀──batches, pulled───── Rows
//
// Invariants:
//   - A connection is one goroutine; it calls its Session from no other.
//   - Rows are pulled: a slow client holds back its own query and nothing else.
//   - Every error reaches the client as an ErrorResponse with SQLSTATE; after one, an extended
//     pipeline is skipped to its Sync.
package wire

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Backend is the server that connections belong to. It is safe for concurrent use.
type Backend interface {
	// Credentials returns what SCRAM-SHA-256 needs of a user, and whether there is such a user with
	// a password. For an unknown user the connection goes through the motions all the same.
	Credentials(user string) (Credentials, bool)
	// Connect makes the session of an authenticated connection.
	Connect(ctx context.Context, c *Client) (Session, error)
}

// Credentials is a user's stored SCRAM-SHA-256 verifier.
type Credentials struct {
	Salt                 []byte
	Iterations           int
	StoredKey, ServerKey []byte
}

// Client is what a Session knows of its connection.
type Client struct {
	User, Database string
	Settings       map[string]string // from the start-up message and its options=-c …
	RemoteAddr     string
	PID            uint32
	TLS            bool
	// Notice sends a NoticeResponse; severity is NOTICE, WARNING, INFO or DEBUG.
	Notice func(severity string, n *sql.Error)
	// ParameterStatus tells the client a setting's new value.
	ParameterStatus func(name, value string)
	// Deallocate drops the prepared statement of that name made by a Parse message, all when it is
	// empty: DEALLOCATE and DISCARD ALL reach those too. false = there is no such statement. Only the
	// connection's own goroutine may call it.
	Deallocate func(name string) bool
	// CancelBackend cancels (or, when terminate, ends) the connection with that pid, as
	// pg_cancel_backend and pg_terminate_backend do; false = no such connection.
	CancelBackend func(pid uint32, terminate bool) bool
}

// Session executes statements for one connection.
//
// Transactions: outside a BEGIN block, statements run in an implicit transaction that Sync commits.
// The connection calls Sync at the client's Sync message and at the end of a simple query (before
// the CommandComplete of its last statement), and Fail after any error.
type Session interface {
	// Settings are reported in ParameterStatus messages at start-up.
	Settings() map[string]string
	// Parse splits a query string into statements. A syntax error anywhere fails the whole string.
	Parse(ctx context.Context, src string) ([]Statement, error)
	// Prepare analyses one statement. paramTypes are the client's type OIDs, 0 = not given, maybe
	// fewer than there are parameters. A nil Statement (an empty query) is never passed.
	Prepare(ctx context.Context, st Statement, paramTypes []uint32) (Prepared, error)
	// Sync ends the implicit transaction, if one is open, by committing it.
	Sync(ctx context.Context) error
	// Fail tells that a statement of the current transaction failed: an implicit transaction is
	// rolled back, an explicit one is in the failed state.
	Fail()
	// TxStatus is the byte of ReadyForQuery: 'I', 'T' or 'E'.
	TxStatus() byte
	// Location is the time zone that timestamptz values are printed in.
	Location() *time.Location
	// StatementTimeout bounds one statement, rows sent included; 0 = no bound.
	StatementTimeout() time.Duration
	// IdleTimeout bounds how long the client may say nothing, in the transaction's present state; 0 = no bound.
	IdleTimeout() time.Duration
	Close()
}

// CursorDescriber is a Session whose cursors, made by DECLARE, a Describe message finds as it finds
// portals.
type CursorDescriber interface {
	// CursorColumns is the shape of an open cursor's rows; false = no such cursor.
	CursorColumns(name string) (sql.Schema, bool)
}

// Statement is one parsed statement, opaque to this package. Error positions are relative to the
// whole string that was parsed.
type Statement interface {
	// Shown is its text as logs may show it: without passwords and other secrets.
	Shown() string
}

// Prepared is an analysed statement. It may be executed many times, one at a time.
type Prepared interface {
	ParamTypes() []sql.Type
	// Columns is the shape of the result; nil when the statement returns no rows.
	Columns() sql.Schema
	// Execute starts the statement with its parameters' values, one for each of ParamTypes. ctx is
	// for the start: it ends before the Rows of a portal that is executed in steps.
	Execute(ctx context.Context, params []sql.Datum) (Result, error)
}

// Result is a running or finished execution. Exactly one of Rows, CopyOut and CopyIn is set for
// statements that transfer rows; none for others, which are done when Execute returns.
type Result struct {
	Rows    Rows
	Columns sql.Schema // the shape of Rows
	CopyOut *CopyOut
	CopyIn  *CopyIn
	// Tag is the CommandComplete tag, given the number of rows sent or received: "SELECT 5".
	Tag func(rows int64) string
	// Empty tells that it was an empty query: EmptyQueryResponse in place of a tag.
	Empty bool
}

// Rows is a result being pulled.
type Rows interface {
	// Next returns the next batch, nil at the end. It honours ctx. A SUBSCRIBE's Next waits for
	// changes. The batch stays valid.
	Next(ctx context.Context) (*stream.Batch, error)
	Close()
}

// CopyFormat is the options of COPY.
type CopyFormat struct {
	Format    string // text, csv or binary
	Delimiter byte
	Null      string
	Header    bool
	Quote     byte
	Escape    byte
	ForceNull []bool // csv: by column, also quoted values equal to Null are NULL
}

// CopyOut is COPY … TO STDOUT.
type CopyOut struct {
	Format  CopyFormat
	Columns sql.Schema
	Rows    Rows
}

// CopyIn is COPY … FROM STDIN. The connection parses the data by Format into values of Columns.
type CopyIn struct {
	Format  CopyFormat
	Columns sql.Schema
	Write   func(ctx context.Context, rows [][]sql.Datum) error // any number of rows at a time
	Finish  func(ctx context.Context) error                     // after CopyDone; not called when the client fails the copy
}

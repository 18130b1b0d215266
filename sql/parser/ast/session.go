package ast

// Explain is EXPLAIN [(options)] stmt. EXPLAIN ANALYZE VERBOSE has the options analyze and verbose.
type Explain struct {
	Position
	Options []*Option
	Stmt    Stmt
}

// Describe is DESCRIBE name.
type Describe struct {
	Position
	Name Name
}

// Show is SHOW.
//
//	SHOW TABLES [FROM s] [LIKE 'p']   What "tables", …: sources, views, materialized views, sinks, jobs, indexes, schemas, …
//	SHOW COLUMNS FROM t               What "columns", Name t
//	SHOW CREATE VIEW v                What "create", Kind "view", Name v
//	SHOW search_path                  What "setting", Setting "search_path"
//	SHOW ALL                          What "all"
//
// TIME ZONE, TRANSACTION ISOLATION LEVEL and SESSION AUTHORIZATION are the settings
// timezone, transaction_isolation and session_authorization.
type Show struct {
	Position
	What    string
	Kind    ObjectKind
	Name    Name
	From    Name // FROM or IN schema
	Like    string
	Setting string
}

// Set is SET [LOCAL] name = value, …. Values nil: TO DEFAULT. SET TIME ZONE, NAMES, ROLE and
// SESSION AUTHORIZATION are the settings timezone, client_encoding, role and session_authorization.
type Set struct {
	Position
	Local  bool
	Name   string
	Values []Expr // Literals; words are Strings; a Cast for SET TIME ZONE INTERVAL '…'
}

// Reset is RESET name; Name is empty for RESET ALL.
type Reset struct {
	Position
	Name string
}

// TransactionModes are the modes of BEGIN and SET TRANSACTION; the zero value changes nothing.
type TransactionModes struct {
	Isolation  string // "", "serializable", "repeatable read", "read committed" or "read uncommitted"
	Access     string // "", "read only" or "read write"
	Deferrable string // "", "deferrable" or "not deferrable"
}

// SetTransaction is SET TRANSACTION, or with Session SET SESSION CHARACTERISTICS AS TRANSACTION.
type SetTransaction struct {
	Position
	Session bool
	Modes   TransactionModes
}

// Begin is BEGIN and START TRANSACTION.
type Begin struct {
	Position
	Start bool // written START TRANSACTION
	Modes TransactionModes
}

// Commit is COMMIT and END.
type Commit struct {
	Position
	Chain bool
}

// Rollback is ROLLBACK and ABORT; with Savepoint ROLLBACK TO.
type Rollback struct {
	Position
	Chain     bool
	Savepoint string
}

// Savepoint is SAVEPOINT name.
type Savepoint struct {
	Position
	Name string
}

// Release is RELEASE [SAVEPOINT] name.
type Release struct {
	Position
	Name string
}

// DeclareCursor is DECLARE name … CURSOR FOR query | SUBSCRIBE …, or RisingWave's DECLARE name
// SUBSCRIPTION CURSOR FOR subscription. Exactly one of Stmt (a *Query or *Subscribe) and
// Subscription is set.
type DeclareCursor struct {
	Position
	Name         string
	Binary       bool
	Insensitive  bool
	Scroll       string // "", "SCROLL" or "NO SCROLL"
	Hold         bool
	Stmt         Stmt
	Subscription Name
	Since        string // RisingWave: SINCE begin()|now()|n, as text
}

// Fetch is FETCH and MOVE.
type Fetch struct {
	Position
	Move      bool
	Direction string // "FORWARD", "BACKWARD", "FIRST", "LAST", "ABSOLUTE" or "RELATIVE"
	All       bool
	Count     int64 // of all but FIRST and LAST; NEXT is FORWARD 1, PRIOR is BACKWARD 1
	Cursor    string
	With      []*Option // RisingWave: WITH (timeout = '1s')
}

// Close is CLOSE name; Name is empty for CLOSE ALL.
type Close struct {
	Position
	Name string
}

// Prepare is PREPARE name (types) AS stmt.
type Prepare struct {
	Position
	Name  string
	Types []*TypeName
	Stmt  Stmt
}

// Execute is EXECUTE name (args).
type Execute struct {
	Position
	Name string
	Args []Expr
}

// Deallocate is DEALLOCATE name; Name is empty for DEALLOCATE ALL.
type Deallocate struct {
	Position
	Name string
}

// Discard is DISCARD ALL | PLANS | SEQUENCES | TEMP.
type Discard struct {
	Position
	What string // lower case
}

// Flush is FLUSH: wait until accepted inserts are in the views.
type Flush struct{ Position }

// Backup is BACKUP TO 'directory': a consistent copy of the data directory.
type Backup struct {
	Position
	Dir string
}

// Use is USE [CATALOG | MODULES] name.
type Use struct {
	Position
	Name Name
}

// Listen is LISTEN, UNLISTEN or NOTIFY.
type Listen struct {
	Position
	Verb    string // "LISTEN", "UNLISTEN" or "NOTIFY"
	Channel string // "*" for UNLISTEN *
	Payload string
}

// Maintain is ANALYZE, VACUUM, REFRESH MATERIALIZED VIEW, REINDEX, CLUSTER or CHECKPOINT.
type Maintain struct {
	Position
	Verb         string // "ANALYZE", …, "REFRESH"
	Options      []*Option
	Concurrently bool
	Names        []Name
	NoData       bool
}

// Lock is LOCK TABLE.
type Lock struct {
	Position
	Tables []Name
	Mode   string // "ACCESS EXCLUSIVE", …; "" if not written
	NoWait bool
}

// CallStmt is CALL f(…).
type CallStmt struct {
	Position
	Call *Call
}

// Do is DO [LANGUAGE l] 'code'.
type Do struct {
	Position
	Language string
	Code     string
}

func (*Explain) stmt()        {}
func (*Describe) stmt()       {}
func (*Show) stmt()           {}
func (*Set) stmt()            {}
func (*Reset) stmt()          {}
func (*SetTransaction) stmt() {}
func (*Begin) stmt()          {}
func (*Commit) stmt()         {}
func (*Rollback) stmt()       {}
func (*Savepoint) stmt()      {}
func (*Release) stmt()        {}
func (*DeclareCursor) stmt()  {}
func (*Fetch) stmt()          {}
func (*Close) stmt()          {}
func (*Prepare) stmt()        {}
func (*Execute) stmt()        {}
func (*Deallocate) stmt()     {}
func (*Discard) stmt()        {}
func (*Flush) stmt()          {}
func (*Backup) stmt()         {}
func (*Use) stmt()            {}
func (*Listen) stmt()         {}
func (*Maintain) stmt()       {}
func (*Lock) stmt()           {}
func (*CallStmt) stmt()       {}
func (*Do) stmt()             {}

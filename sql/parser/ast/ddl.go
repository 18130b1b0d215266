package ast

// Option is one item of WITH (…), FORMAT … ENCODE … (…), COPY or EXPLAIN options.
type Option struct {
	Position
	Name  string // 'properties.bootstrap.servers' and properties.bootstrap.servers are the same; lower-cased unless quoted
	Value string // decoded; "" if none was written
	Kind  OptionKind
	Args  []string // OptionList: the items of (a, b); else nil
}

// OptionKind tells how an option's value was written.
type OptionKind string

// The kinds of option values.
const (
	OptionNone   OptionKind = ""       // FORMAT ('header')
	OptionString OptionKind = "string" // 'x'
	OptionNumber OptionKind = "number" // 5, -1.5
	OptionWord   OptionKind = "word"   // true, json, public.s
	OptionSecret OptionKind = "secret" // SECRET name: Value is the name
	OptionList   OptionKind = "list"   // (a, b)
)

// Relation is what CREATE TABLE and CREATE SOURCE have in common.
type Relation struct {
	Name        Name
	IfNotExists bool
	OrReplace   bool
	Columns     []*ColumnDef
	AllColumns  bool // RisingWave: (*, …), the columns come from the schema registry
	Constraints []*Constraint
	Watermark   *Watermark
	Likes       []*TableLike
	PartitionBy *Partition
	AppendOnly  bool
	Includes    []*Include
	With        []*Option
	Format      *Format
}

// CreateTable is CREATE TABLE, with a connector in With or without one.
type CreateTable struct {
	Position
	Relation
	Temp, Unlogged bool
	OnCommit       string // "", "DROP", "DELETE ROWS" or "PRESERVE ROWS"
	Query          *Query // CREATE TABLE … AS query
	NoData         bool   // … WITH NO DATA
}

// CreateSource is RisingWave's CREATE SOURCE.
type CreateSource struct {
	Position
	Relation
}

// ColumnDef is a column of a Relation. Exactly one of Type and Computed is set in `a T` and
// `a AS x`; RisingWave's `a T AS x` has both, and CREATE TABLE t (a) AS … neither.
type ColumnDef struct {
	Position
	Name        string
	Written     string // Name before folding if that changed it, as orderId of orderid; else ""
	Type        *TypeName
	Computed    Expr   // Flink: a AS expr
	Metadata    string // METADATA FROM 'key'; the column's name if FROM was left out; "" if not metadata
	Virtual     bool   // METADATA … VIRTUAL
	Collation   Name
	Comment     string
	Constraints []*Constraint
}

// ConstraintKind is the kind of a Constraint.
type ConstraintKind string

// The kinds of Constraint.
const (
	PrimaryKey ConstraintKind = "PRIMARY KEY"
	Unique     ConstraintKind = "UNIQUE"
	Check      ConstraintKind = "CHECK"
	ForeignKey ConstraintKind = "FOREIGN KEY" // REFERENCES
	NotNull    ConstraintKind = "NOT NULL"
	Nullable   ConstraintKind = "NULL"
	DefaultTo  ConstraintKind = "DEFAULT"
	Generated  ConstraintKind = "GENERATED" // ALWAYS AS (Expr) STORED
	Identity   ConstraintKind = "IDENTITY"
)

// Constraint is of a column, then Cols is nil, or of a table.
type Constraint struct {
	Position
	Name        string
	Kind        ConstraintKind
	Cols        []string
	Expr        Expr // CHECK, DEFAULT, GENERATED
	References  *References
	Always      bool      // IDENTITY: ALWAYS, else BY DEFAULT
	Sequence    []*Option // IDENTITY (START WITH 1 …)
	NotEnforced bool      // Flink
	NotValid    bool      // ALTER TABLE … ADD … NOT VALID
	Deferrable  bool
	Deferred    bool // INITIALLY DEFERRED
}

// References is the target of a foreign key.
type References struct {
	Position
	Table              Name
	Cols               []string
	OnDelete, OnUpdate string // "", "CASCADE", "RESTRICT", "NO ACTION", "SET NULL" or "SET DEFAULT"
	Match              string // "", "FULL", "PARTIAL" or "SIMPLE"
}

// Watermark is WATERMARK FOR Col AS Expr. Col has several parts for a field of a row.
type Watermark struct {
	Position
	Col  Name
	Expr Expr
}

// TableLike is LIKE name [INCLUDING|EXCLUDING what]….
type TableLike struct {
	Position
	Name    Name
	Options []string // "INCLUDING ALL", …
}

// Partition is PARTITIONED BY (a, b), or PostgreSQL's PARTITION BY RANGE (a) with its Method.
type Partition struct {
	Position
	Method string // "", "range", "list" or "hash"
	Cols   []string
}

// Format is FORMAT … ENCODE … (…). Words are lower case.
type Format struct {
	Position
	Format, Encode string // "plain", "json", …
	Options        []*Option
}

// Include is RisingWave's INCLUDE key|partition|offset|timestamp|headers|payload ['field'] [type] AS alias.
type Include struct {
	Position
	What  string
	Field string // of header 'name'
	Type  *TypeName
	Alias string
}

// CreateView is CREATE [MATERIALIZED] VIEW.
type CreateView struct {
	Position
	Name         Name
	Materialized bool
	OrReplace    bool
	IfNotExists  bool
	Temp         bool
	Cols         []string
	Query        *Query
	With         []*Option
	NoData       bool
}

// CreateSink is CREATE SINK name [INTO table] FROM relation | AS query. Exactly one of From and
// Query is set.
type CreateSink struct {
	Position
	Name        Name
	IfNotExists bool
	OrReplace   bool
	Into        Name
	From        Name
	Query       *Query
	With        []*Option
	Format      *Format
}

// CreateSubscription is RisingWave's CREATE SUBSCRIPTION name FROM relation | AS query.
type CreateSubscription struct {
	Position
	Name        Name
	IfNotExists bool
	From        Name
	Query       *Query
	With        []*Option
}

// CreateIndex is CREATE INDEX.
type CreateIndex struct {
	Position
	Name         string // may be empty
	Table        Name
	IfNotExists  bool
	Unique       bool
	Concurrently bool
	Method       string
	Keys         []*SortKey
	Include      []string
	With         []*Option
	Where        Expr
}

// CreateSchema is CREATE SCHEMA.
type CreateSchema struct {
	Position
	Name        Name
	IfNotExists bool
	Owner       string
}

// CreateUser is CREATE USER and CREATE ROLE.
type CreateUser struct {
	Position
	Name        string
	IfNotExists bool
	Role        bool // CREATE ROLE
	Options     []*UserOption
}

// AlterUser is ALTER USER and ALTER ROLE.
type AlterUser struct {
	Position
	Name    string
	Role    bool
	Options []*UserOption
	Rename  string
}

// UserOption is SUPERUSER, NOLOGIN, PASSWORD 'x', VALID UNTIL '…', CONNECTION LIMIT 5, IN ROLE a, b.
type UserOption struct {
	Position
	Name  string // lower case: "superuser", "password", "valid until", …
	Value string
	Null  bool // PASSWORD NULL
	Names []string
}

// CreateOther is a recognised CREATE of something this engine keeps no such object of: kind
// database, sequence, type, extension, function, procedure, aggregate, connection, secret, catalog.
// Body is the rest of the statement as tokens of SQL, separated by single spaces.
type CreateOther struct {
	Position
	Kind        string
	Name        Name
	OrReplace   bool
	IfNotExists bool
	With        []*Option // connection, secret, catalog
	Body        string
}

// ObjectKind is what DROP, ALTER, COMMENT and GRANT are about, in lower case:
// "table", "materialized view", ….
type ObjectKind string

// The kinds that this engine has objects of; others are recognised and refused later.
const (
	KindTable            ObjectKind = "table"
	KindSource           ObjectKind = "source"
	KindView             ObjectKind = "view"
	KindMaterializedView ObjectKind = "materialized view"
	KindSink             ObjectKind = "sink"
	KindJob              ObjectKind = "job"
	KindIndex            ObjectKind = "index"
	KindSchema           ObjectKind = "schema"
	KindUser             ObjectKind = "user" // and role
	KindSubscription     ObjectKind = "subscription"
)

// Drop is DROP kind [IF EXISTS] name, … [CASCADE].
type Drop struct {
	Position
	Kind         ObjectKind
	Names        []Name
	IfExists     bool
	Cascade      bool
	Concurrently bool
}

// AlterJob is ALTER JOB name PAUSE | RESUME | ACCEPT TARGET.
type AlterJob struct {
	Position
	Name   Name
	Action JobAction
}

// JobAction is what ALTER JOB does, as it is printed.
type JobAction string

const (
	PauseJob     JobAction = "PAUSE"
	ResumeJob    JobAction = "RESUME"
	AcceptTarget JobAction = "ACCEPT TARGET"
)

// Alter is ALTER kind name action, ….
type Alter struct {
	Position
	Kind     ObjectKind
	Name     Name
	IfExists bool
	Only     bool
	Actions  []*AlterAction
}

// AlterKind is the kind of an AlterAction.
type AlterKind string

// The kinds of AlterAction, with the fields they use.
const (
	AddColumn      AlterKind = "ADD COLUMN"       // IfExists (IF NOT EXISTS), Column
	DropColumn     AlterKind = "DROP COLUMN"      // IfExists, Col, Cascade
	AddConstraint  AlterKind = "ADD CONSTRAINT"   // Constraint
	DropConstraint AlterKind = "DROP CONSTRAINT"  // IfExists, Col, Cascade
	AlterType      AlterKind = "ALTER TYPE"       // Col, Type, Expr (USING)
	SetDefault     AlterKind = "SET DEFAULT"      // Col, Expr
	DropDefault    AlterKind = "DROP DEFAULT"     // Col
	SetNotNull     AlterKind = "SET NOT NULL"     // Col
	DropNotNull    AlterKind = "DROP NOT NULL"    // Col
	RenameTo       AlterKind = "RENAME TO"        // To
	RenameColumn   AlterKind = "RENAME COLUMN"    // Col, To
	OwnerTo        AlterKind = "OWNER TO"         // To
	SetSchema      AlterKind = "SET SCHEMA"       // To
	SetOption      AlterKind = "SET"              // Options: SET x = y, SET (a = b)
	ResetOption    AlterKind = "RESET"            // Options
	AlterWatermark AlterKind = "MODIFY WATERMARK" // Watermark
)

// AlterAction is one action of an Alter; see AlterKind.
type AlterAction struct {
	Position
	Kind       AlterKind
	IfExists   bool
	Cascade    bool
	Col        string
	To         string
	Column     *ColumnDef
	Constraint *Constraint
	Watermark  *Watermark
	Type       *TypeName
	Expr       Expr
	Options    []*Option
}

// AlterSystem is ALTER SYSTEM SET name = value | RESET name.
type AlterSystem struct {
	Position
	Set *Set // Set.Values nil: to the default
}

// Comment is COMMENT ON kind name IS 'text' | NULL.
type Comment struct {
	Position
	Kind string // "table", "column", …
	Name Name
	Text string
	Null bool
}

// Grant is GRANT and REVOKE.
type Grant struct {
	Position
	Revoke      bool
	GrantOption bool // WITH GRANT OPTION, GRANT OPTION FOR, WITH ADMIN OPTION
	Privileges  []*Privilege
	Kind        string // "" for GRANT role TO role; else "table", "schema", "all tables in schema", …
	Objects     []Name
	Grantees    []string
	Cascade     bool
}

// Privilege is SELECT, INSERT (a, b), ALL, or the name of a granted role.
type Privilege struct {
	Position
	Name string // lower case
	Cols []string
}

func (*CreateTable) stmt()        {}
func (*CreateSource) stmt()       {}
func (*CreateView) stmt()         {}
func (*CreateSink) stmt()         {}
func (*CreateSubscription) stmt() {}
func (*CreateIndex) stmt()        {}
func (*CreateSchema) stmt()       {}
func (*CreateUser) stmt()         {}
func (*AlterUser) stmt()          {}
func (*CreateOther) stmt()        {}
func (*Drop) stmt()               {}
func (*AlterJob) stmt()           {}
func (*Alter) stmt()              {}
func (*AlterSystem) stmt()        {}
func (*Comment) stmt()            {}
func (*Grant) stmt()              {}

package ast

// Query is a SELECT, VALUES or set operation with everything that may stand around it.
type Query struct {
	Position
	Recursive     bool
	With          []*CTE
	Body          QueryBody
	OrderBy       []*SortKey
	Limit, Offset Expr // nil: none (LIMIT ALL too)
	WithTies      bool // FETCH FIRST … WITH TIES
	Locking       []*Locking
	Emit          Emit
}

// Emit says when a streaming query's rows are final enough to be emitted.
type Emit string

// The emit clauses. EMIT FINAL is EmitOnWindowClose, EMIT CHANGES is EmitOnUpdate.
const (
	EmitDefault       Emit = ""
	EmitOnWindowClose Emit = "ON WINDOW CLOSE"
	EmitOnUpdate      Emit = "ON UPDATE"
)

// CTE is one WITH item. Stmt is a *Query, or an Insert, Update or Delete.
type CTE struct {
	Position
	Name         string
	Cols         []string
	Materialized string // "", "MATERIALIZED" or "NOT MATERIALIZED"
	Stmt         Stmt
}

// SortKey is an item of ORDER BY.
type SortKey struct {
	Position
	X     Expr
	Desc  bool
	Nulls string // "", "FIRST" or "LAST"
	Using string // the operator of ORDER BY x USING op, else empty
}

// Locking is FOR UPDATE and its kin.
type Locking struct {
	Position
	Strength string // "UPDATE", "NO KEY UPDATE", "SHARE" or "KEY SHARE"
	Of       []Name
	Wait     string // "", "NOWAIT" or "SKIP LOCKED"
}

// Select is one SELECT without what belongs to the Query around it. TABLE t is SELECT * FROM t.
type Select struct {
	Position
	Distinct      bool
	DistinctOn    []Expr
	Targets       []*Target
	Into          *Into
	From          []From // comma-separated items
	Where         Expr
	GroupBy       []Expr // a Grouping where written so
	GroupDistinct bool   // GROUP BY DISTINCT
	Having        Expr
	Windows       []*WindowDef
}

// Target is an item of a select list or RETURNING. Alias is empty if none was written.
type Target struct {
	Position
	X     Expr
	Alias string
}

// Into is SELECT … INTO name.
type Into struct {
	Position
	Temp, Unlogged bool
	Name           Name
}

// SetOp is L UNION|INTERSECT|EXCEPT [ALL] R.
type SetOp struct {
	Position
	Op   string // "UNION", "INTERSECT" or "EXCEPT"
	All  bool
	L, R QueryBody
}

// Values is VALUES (…), (…).
type Values struct {
	Position
	Rows [][]Expr
}

// WindowDef is one item of the WINDOW clause.
type WindowDef struct {
	Position
	Name string
	Spec *WindowSpec
}

// WindowSpec is what follows OVER. OVER w has only Name; OVER (w ORDER BY x) has Base = "w".
type WindowSpec struct {
	Position
	Name        string
	Base        string
	PartitionBy []Expr
	OrderBy     []*SortKey
	Frame       *Frame // nil: the default
}

// Frame is a window frame. Without BETWEEN, End is CURRENT ROW.
type Frame struct {
	Position
	Unit       string // "ROWS", "RANGE" or "GROUPS"
	Start, End *Bound
	Exclude    string // "", "CURRENT ROW", "GROUP", "TIES" or "NO OTHERS"
}

// BoundKind is the kind of a Bound.
type BoundKind string

// The kinds of Bound.
const (
	BoundUnboundedPreceding BoundKind = "UNBOUNDED PRECEDING"
	BoundPreceding          BoundKind = "PRECEDING"
	BoundCurrentRow         BoundKind = "CURRENT ROW"
	BoundFollowing          BoundKind = "FOLLOWING"
	BoundUnboundedFollowing BoundKind = "UNBOUNDED FOLLOWING"
)

// Bound is one end of a Frame.
type Bound struct {
	Position
	Kind BoundKind
	X    Expr // the offset of BoundPreceding and BoundFollowing
}

func (*Query) stmt() {}

func (*Query) body()  {}
func (*Select) body() {}
func (*SetOp) body()  {}
func (*Values) body() {}

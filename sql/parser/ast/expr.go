package ast

// LiteralKind tells how a Literal was written.
type LiteralKind string

// The kinds of literal.
const (
	Null   LiteralKind = "null"
	Bool   LiteralKind = "bool"   // Value is "true" or "false"
	Number LiteralKind = "number" // Value is the digits as written, never signed
	String LiteralKind = "string" // Value is the decoded text; its type is still unknown
	Bits   LiteralKind = "bits"   // Value is "b" or "x", then the digits
)

// Literal is a constant. A typed one (DATE '…', INTERVAL '5' MINUTE) is a Cast of a String.
type Literal struct {
	Position
	Kind  LiteralKind
	Value string
}

// Param is $N, N ≥ 1.
type Param struct {
	Position
	N int
}

// ColumnRef is a, t.a, s.t.a or c.s.t.a. Whether the leading parts name a table or a row-typed
// column is for the binder to say.
type ColumnRef struct {
	Position
	Parts []string
}

// Star is * or t.* in a select list.
type Star struct {
	Position
	Qualifier []string // nil for a plain *
}

// Binary is an operation with two operands. AND, OR and OVERLAPS are operators like any other;
// "!=" is "<>". Pos is the operator's.
type Binary struct {
	Position
	Op     string
	Schema string // of OPERATOR(schema.op), else empty
	L, R   Expr
}

// Unary is a prefix operation: "NOT", "+", "-", "~", "@", "|/", …
type Unary struct {
	Position
	Op     string
	Schema string
	X      Expr
}

// IsTest is X IS [NOT] What, where What is NULL, TRUE, FALSE, UNKNOWN, DOCUMENT, NORMALIZED
// or NFC NORMALIZED and the like. Pos is that of IS.
type IsTest struct {
	Position
	X    Expr
	Not  bool
	What string
}

// IsDistinct is L IS [NOT] DISTINCT FROM R.
type IsDistinct struct {
	Position
	L, R Expr
	Not  bool
}

// Between is X [NOT] BETWEEN [SYMMETRIC] Lo AND Hi.
type Between struct {
	Position
	X, Lo, Hi      Expr
	Not, Symmetric bool
}

// In is X [NOT] IN (List) or X [NOT] IN (Query); exactly one of List and Query is set.
type In struct {
	Position
	X     Expr
	List  []Expr
	Query *Query
	Not   bool
}

// LikeKind is the matching operator of a Like.
type LikeKind string

// The kinds of Like.
const (
	LikePattern LikeKind = "LIKE"
	ILike       LikeKind = "ILIKE"
	SimilarTo   LikeKind = "SIMILAR TO"
)

// Like is X [NOT] LIKE|ILIKE|SIMILAR TO Pattern [ESCAPE Escape].
type Like struct {
	Position
	X, Pattern, Escape Expr // Escape may be nil
	Kind               LikeKind
	Not                bool
}

// Quantified is X Op ANY|ALL (Array or Query); exactly one of Array and Query is set. LIKE ANY has
// the operator it stands for: ~~, !~~, ~~* or !~~*.
type Quantified struct {
	Position
	X      Expr
	Op     string
	Schema string
	All    bool // ALL; else ANY or SOME
	Array  Expr
	Query  *Query
}

// Cast is X::Type, CAST(X AS Type) and, with X a string Literal, Type 'literal'.
type Cast struct {
	Position
	X    Expr
	Type *TypeName
}

// Collate is X COLLATE Collation.
type Collate struct {
	Position
	X         Expr
	Collation Name
}

// AtTimeZone is X AT TIME ZONE Zone.
type AtTimeZone struct {
	Position
	X, Zone Expr
}

// Call is a function call, also of an aggregate or window function. The SQL standard's special
// forms have PostgreSQL's function and argument order: POSITION(a IN b) is position(b, a),
// TRIM(LEADING c FROM s) is ltrim(s, c), SUBSTRING(s FOR n) is substring(s, 1, n),
// EXTRACT(year FROM ts) is extract('year', ts).
type Call struct {
	Position
	Name     Name
	Args     []Expr
	ArgNames []string // of name => value; nil, or as long as Args with "" for positional ones
	Star     bool     // f(*)
	Distinct bool
	Variadic bool // the last argument is VARIADIC
	OrderBy  []*SortKey
	// WithinGroup: OrderBy stands in WITHIN GROUP (ORDER BY …), not among the arguments.
	WithinGroup bool
	Filter      Expr
	Nulls       string // "", "IGNORE" or "RESPECT"
	Over        *WindowSpec
	// SQLSyntax: Name is a keyword of the grammar (extract, position, coalesce, nullif, greatest,
	// least, grouping, current_timestamp, …), which a function of that name can't hide.
	SQLSyntax bool
}

// Case is CASE [Operand] WHEN … THEN … [ELSE Else] END.
type Case struct {
	Position
	Operand Expr // nil in a searched CASE
	Whens   []*When
	Else    Expr // nil: NULL
}

// When is one arm of a Case.
type When struct {
	Position
	Cond, Result Expr
}

// ArrayExpr is ARRAY[…]. An element that is an ArrayExpr makes it multidimensional.
type ArrayExpr struct {
	Position
	Elems []Expr
}

// ArrayQuery is ARRAY(query).
type ArrayQuery struct {
	Position
	Query *Query
}

// RowExpr is ROW(…) or (a, b, …).
type RowExpr struct {
	Position
	Items []Expr
}

// MapExpr is Flink's MAP[k, v, …].
type MapExpr struct {
	Position
	Keys, Values []Expr
}

// Index is X[Lo] or, with Slice, X[Lo:Hi] where both bounds may be nil.
type Index struct {
	Position
	X      Expr
	Lo, Hi Expr
	Slice  bool
}

// Field is (X).Name or (X).*.
type Field struct {
	Position
	X    Expr
	Name string
	Star bool
}

// Subquery is a scalar (query).
type Subquery struct {
	Position
	Query *Query
}

// Exists is EXISTS (query).
type Exists struct {
	Position
	Query *Query
}

// Default is DEFAULT, in VALUES and SET only.
type Default struct{ Position }

// GroupingKind is the kind of a Grouping.
type GroupingKind string

// The kinds of Grouping.
const (
	GroupingSets GroupingKind = "GROUPING SETS"
	Rollup       GroupingKind = "ROLLUP"
	Cube         GroupingKind = "CUBE"
	GroupingNone GroupingKind = "()"
)

// Grouping is an item of GROUP BY that stands for several sets. A set of several columns in
// Items is a RowExpr.
type Grouping struct {
	Position
	Kind  GroupingKind
	Items []Expr
}

// TableArg is Flink's TABLE t [PARTITION BY …] [ORDER BY …] as an argument of a table function.
type TableArg struct {
	Position
	Name        Name
	PartitionBy []Expr
	OrderBy     []*SortKey
}

func (*Literal) expr()    {}
func (*Param) expr()      {}
func (*ColumnRef) expr()  {}
func (*Star) expr()       {}
func (*Binary) expr()     {}
func (*Unary) expr()      {}
func (*IsTest) expr()     {}
func (*IsDistinct) expr() {}
func (*Between) expr()    {}
func (*In) expr()         {}
func (*Like) expr()       {}
func (*Quantified) expr() {}
func (*Cast) expr()       {}
func (*Collate) expr()    {}
func (*AtTimeZone) expr() {}
func (*Call) expr()       {}
func (*Case) expr()       {}
func (*ArrayExpr) expr()  {}
func (*ArrayQuery) expr() {}
func (*RowExpr) expr()    {}
func (*MapExpr) expr()    {}
func (*Index) expr()      {}
func (*Field) expr()      {}
func (*Subquery) expr()   {}
func (*Exists) expr()     {}
func (*Default) expr()    {}
func (*Grouping) expr()   {}
func (*TableArg) expr()   {}

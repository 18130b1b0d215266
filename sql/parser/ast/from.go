package ast

// TableRef is a table, view or source by name.
type TableRef struct {
	Position
	Name   Name
	Only   bool
	AsOf   Expr // FOR SYSTEM_TIME AS OF …
	Alias  string
	Cols   []string // AS alias (a, b, …)
	Sample *Sample
}

// Sample is TABLESAMPLE method (args) [REPEATABLE (seed)].
type Sample struct {
	Position
	Method     Name
	Args       []Expr
	Repeatable Expr
}

// SubqueryRef is (query) in FROM. Alias may be empty.
type SubqueryRef struct {
	Position
	Query   *Query
	Lateral bool
	Alias   string
	Cols    []string
	Sample  *Sample
}

// FuncRef is a table function: f(…), ROWS FROM (f(…), g(…)) or Flink's TABLE(f(…)).
type FuncRef struct {
	Position
	Calls      []*FuncItem // one, unless ROWS FROM
	RowsFrom   bool
	Ordinality bool
	Lateral    bool
	Alias      string
	Cols       []string
	ColDefs    []*ColDef // AS x (a int, b text)
}

// FuncItem is one function of a FuncRef. X is a Call, except for the few expressions that may
// stand as functions (a Cast, COALESCE, CURRENT_DATE, …).
type FuncItem struct {
	Position
	X       Expr
	ColDefs []*ColDef // ROWS FROM (f() AS (a int))
}

// ColDef is a column of a record-returning function.
type ColDef struct {
	Position
	Name      string
	Type      *TypeName
	Collation Name
}

// Join is L [NATURAL] Kind JOIN R. Alias names a parenthesised join: (a JOIN b …) AS j.
type Join struct {
	Position
	Kind       string // "INNER", "LEFT", "RIGHT", "FULL" or "CROSS"
	Natural    bool
	L, R       From
	On         Expr
	Using      []string
	UsingAlias string
	Alias      string
	Cols       []string
}

// WindowKind is the function of a WindowTVF.
type WindowKind string

// The window table functions.
const (
	Tumble   WindowKind = "tumble"
	Hop      WindowKind = "hop"
	Cumulate WindowKind = "cumulate"
	Session  WindowKind = "session"
)

// WindowTVF assigns windows to rows, in Flink's spelling, positional or named,
//
//	TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '1' MINUTE, INTERVAL '5' MINUTES))
//
// or RisingWave's: HOP(t, ts, INTERVAL '1 minute', INTERVAL '5 minutes').
type WindowTVF struct {
	Position
	Kind        WindowKind
	Input       From // a TableRef, or a SubqueryRef
	TimeCol     *ColumnRef
	Slide       Expr   // hop: slide; cumulate: step; else nil
	Size        Expr   // tumble, hop: size; cumulate: maximal size; session: gap
	Offset      Expr   // nil: aligned to the epoch
	PartitionBy []Expr // session: TABLE t PARTITION BY …
	Alias       string
	Cols        []string
}

// MatchRecognize is Input MATCH_RECOGNIZE (…).
type MatchRecognize struct {
	Position
	Input       From
	PartitionBy []Expr
	OrderBy     []*SortKey
	Measures    []*Target
	AllRows     bool   // ALL ROWS PER MATCH; else ONE ROW PER MATCH
	Skip        string // "", "PAST LAST ROW", "TO NEXT ROW", "TO FIRST", "TO LAST"
	SkipTo      string // the variable of TO FIRST and TO LAST
	Pattern     *Pattern
	Within      Expr
	Subsets     []*Subset
	Define      []*Target // Alias is the variable
	Alias       string
	Cols        []string
}

// PatternKind is the kind of a Pattern.
type PatternKind string

// The kinds of Pattern.
const (
	PatternVar     PatternKind = "var"     // Name
	PatternSeq     PatternKind = "seq"     // Items one after another; none: the empty pattern ()
	PatternAlt     PatternKind = "alt"     // one of Items
	PatternRepeat  PatternKind = "repeat"  // Items[0], Min to Max times
	PatternExclude PatternKind = "exclude" // {- Items[0] -}
	PatternPermute PatternKind = "permute" // PERMUTE(Items…)
)

// Pattern is the row pattern of MATCH_RECOGNIZE, a regular expression over variables.
type Pattern struct {
	Position
	Kind      PatternKind
	Name      string
	Items     []*Pattern
	Min, Max  int // Max < 0: no limit
	Reluctant bool
}

// Subset is SUBSET Name = (Vars).
type Subset struct {
	Position
	Name string
	Vars []string
}

func (*TableRef) from()       {}
func (*SubqueryRef) from()    {}
func (*FuncRef) from()        {}
func (*Join) from()           {}
func (*WindowTVF) from()      {}
func (*MatchRecognize) from() {}

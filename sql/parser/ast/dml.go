package ast

// Insert is INSERT INTO. Query is nil for DEFAULT VALUES; rows of VALUES are a Query whose Body
// is *Values.
type Insert struct {
	Position
	Recursive  bool
	With       []*CTE
	Table      *TableRef // Name and Alias
	Overwrite  bool      // Flink: INSERT OVERWRITE
	Cols       []*InsertCol
	Overriding string // "", "SYSTEM" or "USER"
	Query      *Query
	OnConflict *OnConflict
	Returning  []*Target
}

// InsertCol is a column of an INSERT's target list.
type InsertCol struct {
	Position
	Name string
}

// OnConflict is ON CONFLICT [target] DO NOTHING | DO UPDATE SET ….
type OnConflict struct {
	Position
	Keys       []*SortKey // the target's columns or expressions
	KeyWhere   Expr
	Constraint string    // ON CONSTRAINT name
	Set        []*Assign // nil: DO NOTHING
	Where      Expr
}

// Assign is Cols[0] = X, or (Cols…) = X where X is a RowExpr or a Subquery.
type Assign struct {
	Position
	Cols  []Name // a qualified one names a field of a row
	Multi bool   // written with parentheses
	X     Expr
}

// Update is UPDATE.
type Update struct {
	Position
	Recursive bool
	With      []*CTE
	Table     *TableRef // Name, Only and Alias
	Set       []*Assign
	From      []From
	Where     Expr
	Returning []*Target
}

// Delete is DELETE.
type Delete struct {
	Position
	Recursive bool
	With      []*CTE
	Table     *TableRef // Name, Only and Alias
	Using     []From
	Where     Expr
	Returning []*Target
}

// Truncate is TRUNCATE.
type Truncate struct {
	Position
	Tables          []Name
	RestartIdentity bool
	Cascade         bool
}

// Copy is COPY. The data comes from or goes to the client (Stdio) or a file or program (Target).
// One of Table and Stmt is set; Stmt is a *Query, a *Subscribe, or an Insert, Update or Delete.
type Copy struct {
	Position
	Table   Name
	Cols    []string
	Stmt    Stmt
	From    bool // FROM, else TO
	Stdio   bool
	Program bool
	Target  string
	Options []*Option // also of the old syntax: CSV HEADER is format csv, header true
	Where   Expr
}

// Subscribe is SUBSCRIBE TO name | (query) [WITH (…)]. Exactly one of Name and Query is set.
type Subscribe struct {
	Position
	Name  Name
	Query *Query
	With  []*Option
}

// Merge is MERGE INTO …, recognised and not analysed: Body is its text as tokens.
type Merge struct {
	Position
	Body string
}

func (*Insert) stmt()    {}
func (*Update) stmt()    {}
func (*Delete) stmt()    {}
func (*Truncate) stmt()  {}
func (*Copy) stmt()      {}
func (*Subscribe) stmt() {}
func (*Merge) stmt()     {}

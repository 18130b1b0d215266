package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// node is a logical operator: what a query means, without how it is run or kept up to date. Nodes
// are immutable; rewrites copy.
type node interface {
	schema() sql.Schema
	inputs() []node
	with(inputs []node) node // a copy with other inputs, of the same schemas
}

// scan reads a relation.
type scan struct {
	rel     *Relation
	columns []int // which of rel.Columns, in output order
	lookup  *lookup
	limit   expr.Expr // no more rows than this are needed; nil = all
	uses    int       // set by shareScans: in how many places of the tree this very node stands; else 0
}

// lookup is a range of keys: the values of a prefix of Relation.Key, and bounds of the next column.
// Its expressions have no columns; each has exactly the type of its key column.
type lookup struct {
	prefix []expr.Expr
	lo, hi *keyBound // nil = open; only when len(prefix) < len(Key)
}

type keyBound struct {
	value     expr.Expr
	inclusive bool
}

// values is a list of rows without columns of any input: VALUES, and the single empty row under a
// SELECT without FROM.
type values struct {
	rows [][]expr.Expr
	cols sql.Schema
}

// filter keeps the rows for which every condition is true.
type filter struct {
	in    node
	conds []expr.Expr
}

// project computes columns.
type project struct {
	in    node
	exprs []expr.Expr
	cols  sql.Schema
}

// window gives each row its windows: the input's columns, then window_start, window_end and
// window_time, which is the window's last millisecond. A row of a HOP is repeated for each window it
// is in; a row without an event time is in none.
type window struct {
	in      node
	kind    ast.WindowKind // Tumble or Hop
	timeCol int
	size    int64 // microseconds, like slide and offset
	slide   int64 // = size for Tumble
	offset  int64
	pos     int // of the function, for errors found when planning
}

// aggregate groups by columns of its input. Its columns are the keys, then the calls.
type aggregate struct {
	in    node
	keys  []int
	calls []agg.Call
	cols  sql.Schema
	// scalar: there was no GROUP BY, so there is always one row, also over no input.
	scalar bool
	pos    int // of GROUP BY or of the first aggregate, for errors found when planning
}

// windowAggregate groups by columns of its input and by windows of its event time. Its columns are
// the keys, window_start, window_end, then the calls. recognizeWindows makes it of an aggregate over
// a window.
type windowAggregate struct {
	window // in is the input of both
	keys   []int
	calls  []agg.Call
	cols   sql.Schema
}

// union is UNION ALL. The inputs have the same types.
type union struct {
	ins  []node
	cols sql.Schema
	key  []int // set by withKey: the stream key of all inputs together; nil = none
}

// sortLimit orders a bounded input and cuts out a part of it. Either may be absent.
type sortLimit struct {
	in            node
	order         []agg.Order
	limit, offset expr.Expr // without columns; nil = none
	pos           int
}

// joinKind is the kind of a join.
type joinKind string

// The kinds of join.
const (
	innerJoin joinKind = "inner"
	leftJoin  joinKind = "left"
	rightJoin joinKind = "right"
	fullJoin  joinKind = "full"
)

// join pairs rows of two inputs: the columns of both side by side. conds are over them. It is bound,
// rewritten and has its place in physical.go; no operator runs it yet.
type join struct {
	kind        joinKind
	left, right node
	conds       []expr.Expr
	pos         int
}

// tableFunc is a set-returning function in FROM: a row for each element that it returns.
type tableFunc struct {
	name string
	args []expr.Expr // without columns
	cols sql.Schema
	pos  int
}

func (n *scan) schema() sql.Schema {
	s := make(sql.Schema, len(n.columns))
	for i, c := range n.columns {
		s[i] = n.rel.Columns[c].Column
	}
	return s
}

func (n *values) schema() sql.Schema          { return n.cols }
func (n *filter) schema() sql.Schema          { return n.in.schema() }
func (n *project) schema() sql.Schema         { return n.cols }
func (n *aggregate) schema() sql.Schema       { return n.cols }
func (n *union) schema() sql.Schema           { return n.cols }
func (n *windowAggregate) schema() sql.Schema { return n.cols }
func (n *sortLimit) schema() sql.Schema       { return n.in.schema() }
func (n *tableFunc) schema() sql.Schema       { return n.cols }

func (n *window) schema() sql.Schema {
	in := n.in.schema()
	t := in[n.timeCol].Type
	t.Precision = 0
	for _, name := range windowColumns {
		in = append(slices.Clip(in), sql.Column{Name: name, Type: t, NotNull: true})
	}
	return in
}

// windowColumns are the columns that a window adds.
var windowColumns = [...]string{"window_start", "window_end", "window_time"}

func (n *join) schema() sql.Schema {
	l, r := slices.Clone(n.left.schema()), slices.Clone(n.right.schema())
	if n.kind == rightJoin || n.kind == fullJoin {
		dropNotNull(l)
	}
	if n.kind == leftJoin || n.kind == fullJoin {
		dropNotNull(r)
	}
	return append(l, r...)
}

func dropNotNull(s sql.Schema) {
	for i := range s {
		s[i].NotNull = false
	}
}

func (n *scan) inputs() []node      { return nil }
func (n *values) inputs() []node    { return nil }
func (n *tableFunc) inputs() []node { return nil }
func (n *filter) inputs() []node    { return []node{n.in} }
func (n *project) inputs() []node   { return []node{n.in} }
func (n *window) inputs() []node    { return []node{n.in} }
func (n *aggregate) inputs() []node { return []node{n.in} }
func (n *sortLimit) inputs() []node { return []node{n.in} }
func (n *union) inputs() []node     { return n.ins }
func (n *join) inputs() []node      { return []node{n.left, n.right} }

func (n *scan) with([]node) node                { return n }
func (n *values) with([]node) node              { return n }
func (n *tableFunc) with([]node) node           { return n }
func (n *filter) with(ins []node) node          { c := *n; c.in = ins[0]; return &c }
func (n *project) with(ins []node) node         { c := *n; c.in = ins[0]; return &c }
func (n *window) with(ins []node) node          { c := *n; c.in = ins[0]; return &c }
func (n *aggregate) with(ins []node) node       { c := *n; c.in = ins[0]; return &c }
func (n *sortLimit) with(ins []node) node       { c := *n; c.in = ins[0]; return &c }
func (n *windowAggregate) with(ins []node) node { c := *n; c.in = ins[0]; return &c }
func (n *union) with(ins []node) node           { c := *n; c.ins = ins; return &c }
func (n *join) with(ins []node) node            { c := *n; c.left, c.right = ins[0], ins[1]; return &c }

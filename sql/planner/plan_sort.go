package planner

import (
	"strings"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// sortOp orders a bounded input at one task and cuts out a part of it.
type sortOp struct {
	*sortLimit
	final bool // nothing follows but the client
}

func (p *physicalPlanner) sortLimit(n *sortLimit, in *Physical) *Physical {
	in = spreadBy(in, nil)
	return &Physical{Properties: unary(in), Inputs: []*Physical{in}, op: sortOp{n, p.isLast(n)}}
}

// isLast tells whether n is the root of the plan.
func (p *physicalPlanner) isLast(n node) bool { return n == p.root }

func (o sortOp) name() string {
	if len(o.order) > 0 {
		return "Sort"
	}
	return "Limit"
}

func (o sortOp) detail(p *Physical) string {
	keys := make([]string, len(o.order))
	for i, k := range o.order {
		keys[i] = describeOrder(k, p.Schema)
	}
	var parts []string
	if len(keys) > 0 {
		parts = append(parts, strings.Join(keys, ", "))
	}
	if o.limit != nil {
		parts = append(parts, "limit "+describeCount(o.limit))
	}
	if o.offset != nil {
		parts = append(parts, "offset "+describeCount(o.offset))
	}
	return strings.Join(parts, " ")
}

func (o sortOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	limit, err := g.count(o.limit, -1, "2201W", "LIMIT")
	if err != nil {
		return nil, err
	}
	offset, err := g.count(o.offset, 0, "2201X", "OFFSET")
	if err != nil {
		return nil, err
	}
	if len(o.order) == 0 {
		return g.operator(ins[0], p, exec.NewLimit(limit, offset, o.final)), nil
	}
	spec := &exec.SortSpec{Limit: limit, Offset: offset}
	for _, k := range o.order {
		spec.Keys = append(spec.Keys, exec.SortKey{Column: k.Column, Desc: k.Desc, NullsFirst: k.NullsFirst})
	}
	return g.operator(ins[0], p, exec.NewSort(spec, p.Schema)), nil
}

func describeCount(e expr.Expr) string {
	if d, ok := expr.LiteralDatum(e); ok && d != nil {
		return sql.FormatText(sql.TypeInt8, d)
	}
	return e.String()
}

// count computes a LIMIT or OFFSET; NULL is none.
func (g *graph) count(e expr.Expr, none int64, code, clause string) (int64, error) {
	if e == nil {
		return none, nil
	}
	d, err := g.datum(e)
	if err != nil || d == nil {
		return none, err
	}
	n := d.(int64)
	if n < 0 {
		return 0, sql.Errorf(code, "%s must not be negative", clause)
	}
	return n, nil
}

// rowIDOp gives each row of an append-only view a hidden number: the key of rows that have none.
type rowIDOp struct{}

// rowIDColumn is the name of that column.
const rowIDColumn = "_row_id"

func (p *physicalPlanner) rowID(in *Physical) *Physical {
	c := unary(in)
	c.StreamKey = []int{len(c.Schema)}
	c.Schema = append(append(sql.Schema(nil), c.Schema...), sql.Column{Name: rowIDColumn, Type: sql.TypeInt8, NotNull: true})
	return &Physical{Properties: c, Inputs: []*Physical{in}, op: rowIDOp{}}
}

func (rowIDOp) name() string            { return "RowID" }
func (rowIDOp) detail(*Physical) string { return "" }

func (rowIDOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	return g.operator(ins[0], p, exec.NewRowID()), nil
}

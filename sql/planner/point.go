package planner

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Point is a query of one row of our own tables by its whole key. What it answers is computed from
// that row alone, so it needs no graph:
//
//	SELECT a, b + 1 FROM v WHERE key = $1 AND c > 0
type Point struct {
	Relation *Relation
	Columns  []int // of the relation, to read; ascending

	key   []expr.Expr
	steps []pointStep // in the order of the data
}

// pointStep is a filter or a projection.
type pointStep struct {
	cond  expr.Expr   // nil for a projection
	exprs []expr.Expr // of the projection; nil when it only picks columns
	pick  []int       // which; nil when it computes
}

// Point is the plan as a query of one row; nil when it is another one.
func (p *Plan) Point() *Point {
	if p.Purpose.streaming() {
		return nil
	}
	pt := &Point{}
	at := p.Root
	for ; len(at.Inputs) == 1; at = at.Inputs[0] {
		switch op := at.op.(type) {
		case filterOp:
			cond, err := expr.And(op.conds...)
			if err != nil {
				return nil
			}
			pt.steps = append([]pointStep{{cond: cond}}, pt.steps...)
		case projectOp:
			pt.steps = append([]pointStep{projection(op.exprs)}, pt.steps...)
		default:
			return nil
		}
	}
	s, ok := at.op.(*scanOp)
	if !ok || s.lookup == nil || len(s.lookup.prefix) < len(s.rel.Key) || s.limit != nil || s.exprs != nil || s.rel.Kind != Table && s.rel.Kind != MaterializedView {
		return nil
	}
	pt.Relation, pt.Columns, pt.key = s.rel, s.read, s.lookup.prefix
	return pt
}

func projection(exprs []expr.Expr) pointStep {
	pick := make([]int, len(exprs))
	for i, e := range exprs {
		col, ok := expr.ColumnIndex(e)
		if !ok {
			return pointStep{exprs: exprs}
		}
		pick[i] = col
	}
	return pointStep{pick: pick}
}

// Key is the key's values; nil when one of them is NULL, which no row has.
func (pt *Point) Key(c *expr.Context, params []sql.Datum) ([]sql.Datum, error) {
	key := make([]sql.Datum, len(pt.key))
	for i, e := range pt.key {
		var err error
		if key[i], err = pt.datum(c, e, params); key[i] == nil || err != nil {
			return nil, err
		}
	}
	return key, nil
}

func (pt *Point) datum(c *expr.Context, e expr.Expr, params []sql.Datum) (sql.Datum, error) {
	if v, ok := expr.LiteralDatum(e); ok {
		return v, nil
	}
	if n, ok := expr.ParamNumber(e); ok {
		return params[n-1], nil
	}
	return expr.EvalDatum(c, bind(e, params))
}

func bind(e expr.Expr, params []sql.Datum) expr.Expr {
	if len(params) == 0 {
		return e
	}
	return expr.Bind(e, params)
}

// IsKey tells whether all that the query does is to pick columns of the row whose key is n, an integer
// or a bigint.
func (pt *Point) IsKey(n int64) bool {
	if len(pt.key) != 1 {
		return false
	}
	if k := pt.key[0].Type().Kind; k != sql.Int4 && k != sql.Int8 {
		return false
	}
	for _, s := range pt.steps {
		if s.pick == nil {
			return false
		}
	}
	v, ok := expr.LiteralDatum(pt.key[0])
	return ok && v == n
}

// Result computes the answer from the row, a batch of Columns; nil when it is filtered out.
func (pt *Point) Result(c *expr.Context, row *stream.Batch, params []sql.Datum) (*stream.Batch, error) {
	for _, s := range pt.steps {
		if s.cond != nil {
			keep := expr.EvalVector(c, bind(s.cond, params), row).Datum(0)
			if err := c.TakeFirst(); err != nil || keep != true {
				return nil, err
			}
			continue
		}
		out := &stream.Batch{Columns: make([]arrow.Array, max(len(s.pick), len(s.exprs))), Rows: 1}
		for i, col := range s.pick {
			out.Columns[i] = row.Columns[col]
		}
		for i, e := range s.exprs {
			out.Columns[i] = expr.Eval(c, bind(e, params), row)
		}
		if err := c.TakeFirst(); err != nil {
			return nil, err
		}
		row = out
	}
	return row, nil
}

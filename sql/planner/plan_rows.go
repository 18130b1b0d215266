package planner

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// valuesOp yields rows of expressions without columns.
type valuesOp struct{ *values }

func (p *physicalPlanner) values(n *values) *Physical {
	return &Physical{Properties: Properties{Schema: n.cols, Single: true}, op: valuesOp{n}}
}

func (o valuesOp) name() string { return "Values" }

func (o valuesOp) detail(*Physical) string {
	if len(o.rows) == 1 {
		return "1 row"
	}
	return itoa(len(o.rows)) + " rows"
}

func (o valuesOp) build(g *graph, p *Physical, _ []*exec.Fragment) (*exec.Fragment, error) {
	return rowsSource(g, p, "values", func() (exec.Batches, error) {
		rows := make([][]sql.Datum, len(o.rows))
		for i, row := range o.rows {
			rows[i] = make([]sql.Datum, len(row))
			for j, e := range row {
				var err error
				if rows[i][j], err = g.datum(e); err != nil {
					return nil, err
				}
			}
		}
		return exec.EachBatch(batchesOf(p.Schema.Types(), rows)), nil
	}), nil
}

// tableFuncOp yields the elements of a set-returning function.
type tableFuncOp struct{ *tableFunc }

func (p *physicalPlanner) tableFunc(n *tableFunc) *Physical {
	return &Physical{Properties: Properties{Schema: n.cols, Single: true}, op: tableFuncOp{n}}
}

func (o tableFuncOp) name() string            { return "TableFunction" }
func (o tableFuncOp) detail(*Physical) string { return o.tableFunc.name }

func (o tableFuncOp) build(g *graph, p *Physical, _ []*exec.Fragment) (*exec.Fragment, error) {
	return rowsSource(g, p, o.tableFunc.name, func() (exec.Batches, error) {
		args := make([]sql.Datum, len(o.args))
		for i, e := range o.args {
			var err error
			if args[i], err = g.datum(e); err != nil {
				return nil, err
			}
			if args[i] == nil { // strict: a NULL gives no rows
				return exec.EachBatch(nil), nil
			}
		}
		s, err := o.series(args, o.location(g))
		if err != nil {
			return nil, err
		}
		return s.batches(o.cols[0].Type), nil
	}), nil
}

// location is the time zone that the function counts in; nil = none.
func (f *tableFunc) location(g *graph) *time.Location {
	if f.cols[0].Type.Kind != sql.Timestamptz || g.rt.Context == nil {
		return time.UTC
	}
	return g.rt.Context.Location
}

// rowsSource is a fragment that yields rows which are computed when it is read.
func rowsSource(g *graph, p *Physical, name string, rows func() (exec.Batches, error)) *exec.Fragment {
	open := func(context.Context) (connectors.Source, error) { return exec.NewRowsSource(rows), nil }
	return g.source(&exec.SourceSpec{Name: name, Schema: p.Schema, Open: open, Bounded: true}, 1)
}

func batchesOf(types []sql.Type, rows [][]sql.Datum) []*stream.Batch {
	var out []*stream.Batch
	for len(rows) > 0 {
		n := min(len(rows), stream.TargetRows)
		b := &stream.Batch{Rows: n}
		for j, t := range types {
			col := stream.NewBuilder(t)
			for _, row := range rows[:n] {
				col.Append(row[j])
			}
			b.Columns = append(b.Columns, col.Finish())
		}
		out, rows = append(out, b), rows[n:]
	}
	return out
}

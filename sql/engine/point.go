package engine

import (
	"context"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/state"
	"github.com/streamsql/streamsql/wire"
)

// pointQuery answers a query of one row by its key on the session's own goroutine: one look-up in the
// store, no graph. Outside of a transaction it needs none and no snapshot either, for one look-up
// reads one committed state.
type pointQuery struct {
	s       *session
	point   *planner.Point
	columns sql.Schema
	object  *catalog.Object // that finder reads
	finder  *state.Finder
}

// pointRun is how a plan of that kind is executed.
func (s *session) pointRun(point *planner.Point, columns sql.Schema) *runnable {
	q := &pointQuery{s: s, point: point, columns: columns}
	return &runnable{columns: columns, point: true, run: q.run}
}

func (q *pointQuery) run(_ context.Context, params []sql.Datum) (wire.Result, error) {
	ec := q.s.exprContext()
	row, err := q.find(params)
	if row != nil && err == nil {
		row, err = q.point.Result(&ec, row, params)
	}
	if err != nil {
		return wire.Result{}, err
	}
	rows := &fixedRows{}
	if row != nil {
		rows.batches = []*stream.Batch{{Columns: row.Columns[:len(q.columns)], Rows: 1}}
	}
	return wire.Result{Rows: rows, Columns: q.columns, Tag: countTag("SELECT")}, nil
}

func (q *pointQuery) find(params []sql.Datum) (*stream.Batch, error) {
	ec := q.s.exprContext()
	key, err := q.point.Key(&ec, params)
	if key == nil || err != nil {
		return nil, err
	}
	o := q.s.catalog().Get(q.point.Relation.ID)
	if o == nil {
		return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", q.point.Relation.Name)
	}
	if o != q.object {
		q.object, q.finder = o, rowsOf(o).NewFinder(q.point.Columns)
	}
	var from state.Reader = q.s.e.store
	if q.s.tx != nil {
		from = q.s.tx.data
	}
	return q.finder.Find(from, key)
}

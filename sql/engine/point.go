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

// pointRun is how a plan of that kind is executed. key is given when it is not the plan's own.
func (s *session) pointRun(q *pointQuery, key []sql.Datum) *runnable {
	return &runnable{columns: q.columns, point: q, run: func(_ context.Context, params []sql.Datum) (wire.Result, error) {
		return q.run(key, params)
	}}
}

func (q *pointQuery) run(key, params []sql.Datum) (wire.Result, error) {
	ec := q.s.exprContext()
	var err error
	if key == nil {
		if key, err = q.point.Key(&ec, params); err != nil {
			return wire.Result{}, err
		}
	}
	row, err := q.find(key)
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

func (q *pointQuery) find(key []sql.Datum) (*stream.Batch, error) {
	if key == nil { // a NULL in it
		return nil, nil
	}
	o := q.s.catalog().Get(q.point.Relation.ID)
	if o == nil {
		return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", q.point.Relation.Name)
	}
	if o != q.object {
		q.object, q.finder = o, rowsOf(o).NewFinder(q.point.Columns)
	}
	if q.s.tx != nil {
		return q.finder.Find(q.s.tx.data, key)
	}
	row, err := q.finder.Find(q.s.e.store, key)
	q.s.e.store.AwaitDurable()
	return row, err
}

package engine

import (
	"context"
	"strconv"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// insert is INSERT: rows into a table, values to a connector, or a job that feeds a connector.
func (s *session) insert(n *ast.Insert, source string, types []sql.Type) (*runnable, error) {
	target, err := s.relation(n.Table.Name)
	if err != nil {
		return nil, sql.ErrorAt(err, n.Table.Pos())
	}
	if n.Overwrite {
		return nil, sql.Unsupported("INSERT OVERWRITE", "Use TRUNCATE and INSERT in a transaction.").At(n.Pos())
	}
	switch {
	case target.Kind == catalog.Table && target.Connector == "":
	case target.Connector != "" && target.Kind != catalog.Sink:
		if boundedValues(n.Query) {
			return s.insertIntoConnector(n, target, types)
		}
		return s.insertJob(n, target, source)
	default:
		return nil, sql.Errorf(sql.CodeWrongObjectType, "cannot insert into %s %q", target.Kind, target.Name).At(n.Table.Pos())
	}
	plan, err := planner.PlanInsert(s.env(types), n, planner.Purpose{Target: planner.Batch})
	if err != nil {
		return nil, err
	}
	r := &runnable{params: plan.Query.Params, run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		return s.runInsert(ctx, target, plan, params)
	}}
	if plan.Returning != nil {
		r.columns = shown(plan.Result)
	}
	return r, nil
}

// boundedValues tells whether a query is VALUES: its rows are given, not read.
func boundedValues(q *ast.Query) bool {
	if q == nil {
		return true
	}
	switch b := q.Body.(type) {
	case *ast.Values:
		return true
	case *ast.Query:
		return boundedValues(b)
	case *ast.Select:
		return len(b.From) == 0
	}
	return false
}

func (s *session) runInsert(ctx context.Context, o *catalog.Object, plan *planner.Insert, params []sql.Datum) (wire.Result, error) {
	if err := s.tx.lock(ctx, o.ID); err != nil {
		return wire.Result{}, err
	}
	batches, err := s.collect(ctx, plan.Query, params)
	if err != nil {
		return wire.Result{}, err
	}
	w, err := s.newTableWriter(o, plan.Conflict)
	if err != nil {
		return wire.Result{}, err
	}
	w.keep = plan.Returning != nil
	for _, b := range batches {
		if err := w.insertBatch(b, plan.Columns); err != nil {
			return wire.Result{}, err
		}
	}
	return s.finishWrite(w, plan.Returning, plan.Result, func(n int64) string { return "INSERT 0 " + strconv.FormatInt(n, 10) })
}

// finishWrite hands over the last changes, and makes the result of RETURNING.
func (s *session) finishWrite(w *tableWriter, returning []expr.Expr, schema sql.Schema, word func(int64) string) (wire.Result, error) {
	if err := w.flush(); err != nil {
		return wire.Result{}, err
	}
	res := wire.Result{Tag: func(int64) string { return word(w.count) }}
	if returning == nil {
		return res, nil
	}
	out := &stream.Batch{Rows: len(w.result)}
	in := datumBatch(w.types, w.result)
	ec := s.exprContext()
	for _, x := range returning {
		out.Columns = append(out.Columns, expr.Eval(&ec, x, in))
	}
	if err := ec.TakeFirst(); err != nil {
		return wire.Result{}, err
	}
	res.Columns = shown(schema)
	res.Rows = &fixedRows{batches: nonEmpty(out)}
	return res, nil
}

func nonEmpty(b *stream.Batch) []*stream.Batch {
	if b.Rows == 0 {
		return nil
	}
	return []*stream.Batch{b}
}

// update is UPDATE of a table.
func (s *session) update(n *ast.Update, types []sql.Type) (*runnable, error) {
	plan, err := planner.PlanUpdate(s.env(types), n)
	if err != nil {
		return nil, err
	}
	return s.change(plan, n.Table, true)
}

// delete is DELETE from a table.
func (s *session) delete(n *ast.Delete, types []sql.Type) (*runnable, error) {
	plan, err := planner.PlanDelete(s.env(types), n)
	if err != nil {
		return nil, err
	}
	return s.change(plan, n.Table, false)
}

func (s *session) change(plan *planner.Change, table *ast.TableRef, update bool) (*runnable, error) {
	o := s.catalog().Get(plan.Relation.ID)
	if o == nil || o.Kind != catalog.Table || o.Connector != "" {
		verb := "delete from"
		if update {
			verb = "update"
		}
		return nil, sql.Errorf(sql.CodeWrongObjectType, "cannot %s %s %q", verb, plan.Relation.Kind, plan.Relation.Name).At(table.Pos())
	}
	r := &runnable{params: plan.Query.Params, run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		return s.runChange(ctx, o, plan, params, update)
	}}
	if plan.Returning != nil {
		r.columns = shown(plan.Result)
	}
	return r, nil
}

func (s *session) runChange(ctx context.Context, o *catalog.Object, plan *planner.Change, params []sql.Datum, update bool) (wire.Result, error) {
	if err := s.tx.lock(ctx, o.ID); err != nil {
		return wire.Result{}, err
	}
	batches, err := s.collect(ctx, plan.Query, params)
	if err != nil {
		return wire.Result{}, err
	}
	w, err := s.newTableWriter(o, nil)
	if err != nil {
		return wire.Result{}, err
	}
	w.keep = plan.Returning != nil
	width := len(o.Columns)
	word := countTag("DELETE")
	if update {
		word = countTag("UPDATE")
	}
	types := plan.Query.Columns.Types()
	for _, b := range batches {
		for i := range b.Rows {
			row := batchRow(b, types, i)
			if !update {
				err = w.remove(row[:width])
			} else {
				err = w.replace(row[:width], row[width:])
			}
			if err != nil {
				return wire.Result{}, err
			}
		}
	}
	return s.finishWrite(w, plan.Returning, plan.Result, word)
}

// truncate is TRUNCATE: every row goes, and the changelog says so, since views may have read them.
func (s *session) truncate(ctx context.Context, n *ast.Truncate) error {
	for _, name := range n.Tables {
		o, err := s.relation(name)
		if err != nil {
			return err
		}
		if o.Kind != catalog.Table {
			return sql.Errorf(sql.CodeWrongObjectType, "%q is not a table", o.Name)
		}
		if o.Connector != "" {
			return sql.Unsupported("TRUNCATE of a table with a connector", "Its rows can only be inserted.").At(n.Pos())
		}
		if err := s.tx.lock(ctx, o.ID); err != nil {
			return err
		}
		if err := s.recordAllDeleted(o); err != nil {
			return err
		}
		rowsOf(o).DeleteAll(s.tx.data)
		if n.RestartIdentity {
			s.tx.after(func(committed bool) {
				if committed {
					if err := s.e.restart(o); err != nil {
						s.e.log.Warn("sequences not restarted", "table", o.Name, "error", err)
					}
				}
			})
		}
	}
	return nil
}

func (s *session) recordAllDeleted(o *catalog.Object) error {
	sc := rowsOf(o).Scan(s.tx.data, allRows, nil, false)
	defer sc.Close()
	for {
		b, err := sc.Next()
		if err != nil || b == nil {
			return err
		}
		ops := make([]int8, b.Rows)
		for i := range ops {
			ops[i] = stream.Delete
		}
		s.tx.record(o.ID, &stream.Batch{Columns: b.Columns, Rows: b.Rows, Ops: ops})
	}
}

package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// query is a SELECT, VALUES or WITH: a bounded graph over the transaction's view of the data.
func (s *session) query(n *ast.Query, types []sql.Type) (*runnable, error) {
	if sel, ok := n.Body.(*ast.Select); ok && sel.Into != nil {
		return nil, sql.Unsupported("SELECT INTO", "Use CREATE TABLE … AS.").At(sel.Into.Pos())
	}
	plan, err := planner.PlanQuery(s.env(types), n, planner.Purpose{Target: planner.Batch})
	if err != nil {
		return nil, err
	}
	if point := plan.Point(); point != nil {
		r := s.pointRun(&pointQuery{s: s, point: point, columns: shown(plan.Columns)}, nil)
		r.params = plan.Params
		return r, nil
	}
	return &runnable{params: plan.Params, columns: shown(plan.Columns), run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		rows, err := s.start(plan, params)
		return wire.Result{Rows: rows, Columns: shown(plan.Columns), Tag: countTag("SELECT")}, err
	}}, nil
}

// shown is a result's columns as a client sees them: untyped ones are text; never nil.
func shown(cols sql.Schema) sql.Schema {
	out := make(sql.Schema, len(cols))
	for i, c := range cols {
		c.Type = storedType(c.Type)
		out[i] = c
	}
	return out
}

// start runs a plan in the session's transaction.
func (s *session) start(plan *planner.Plan, params []sql.Datum) (*queryRows, error) {
	return s.startGiven(plan, params, nil)
}

// collect runs a plan in the session's transaction and takes all its rows.
func (s *session) collect(ctx context.Context, plan *planner.Plan, params []sql.Datum) ([]*stream.Batch, error) {
	rows, err := s.start(plan, params)
	if err != nil {
		return nil, err
	}
	return rows.all(ctx)
}

// startGiven runs a plan that reads some relations whose rows are given.
func (s *session) startGiven(plan *planner.Plan, params []sql.Datum, given map[*planner.Relation][]*stream.Batch) (*queryRows, error) {
	reader, done := s.tx.reader()
	ec := s.exprContext()
	ctx, cancel := context.WithCancel(s.e.ctx)
	open := &opener{e: s.e, snap: s.tx.catalog(), reader: reader, s: s, given: given}
	g, err := plan.Graph(&planner.Runtime{Parallelism: s.e.parallelism(s.set), Params: params, Context: &ec, Open: open.open})
	if err != nil {
		cancel()
		done()
		return nil, err
	}
	var dead deadCount
	env := exec.QueryEnv{Eval: ec, Dead: dead.add, Memory: s.e.memory}
	return runQuery(ctx, cancel, func() { done(); dead.tell(s) }, g, env, len(plan.Columns)), nil
}

// deadCount counts the records that a query could not read. They are no job's dead letters, so the
// client is told.
type deadCount struct {
	mu    sync.Mutex
	n     int
	first connectors.DeadLetter
}

func (d *deadCount) add(_ string, letters []connectors.DeadLetter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		d.first = letters[0]
	}
	d.n += len(letters)
}

func (d *deadCount) tell(s *session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		return
	}
	e := sql.Errorf("01000", "%d records could not be decoded and were left out", d.n)
	e.Detail = fmt.Sprintf("The first is at offset %d of partition %d of topic %q: %s.", d.first.Offset, d.first.Partition, d.first.Topic, d.first.Reason)
	s.client.Notice("WARNING", e)
}

// queryRows is a running query: wire.Rows. The graph runs ahead of the client by a few batches.
type queryRows struct {
	batches chan *stream.Batch
	cancel  context.CancelFunc
	done    func()
	visible int // columns; what follows is hidden
	end     sync.Once
	err     error // of the run; set before batches is closed
}

func runQuery(ctx context.Context, cancel context.CancelFunc, done func(), g *exec.Graph, env exec.QueryEnv, visible int) *queryRows {
	r := &queryRows{batches: make(chan *stream.Batch, 2), cancel: cancel, done: done, visible: visible}
	go func() {
		defer close(r.batches)
		r.err = exec.RunQuery(ctx, g, env, func(b *stream.Batch) error {
			select {
			case r.batches <- b:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	return r
}

// Ready tells whether Next returns at once.
func (r *queryRows) Ready() bool { return len(r.batches) > 0 }

// Next implements wire.Rows.
func (r *queryRows) Next(ctx context.Context) (*stream.Batch, error) {
	select {
	case b, ok := <-r.batches:
		if !ok {
			return nil, r.err
		}
		return r.trim(b), nil
	default:
	}
	select {
	case b, ok := <-r.batches:
		if !ok {
			return nil, r.err
		}
		return r.trim(b), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (r *queryRows) trim(b *stream.Batch) *stream.Batch {
	if len(b.Columns) > r.visible {
		return &stream.Batch{Columns: b.Columns[:r.visible], Rows: b.Rows}
	}
	return b
}

// Close implements wire.Rows: it ends the query and waits for its goroutines.
func (r *queryRows) Close() {
	r.end.Do(func() {
		r.cancel()
		for range r.batches { //nolint:revive // drained so that the run can end
		}
		r.done()
	})
}

// all collects the rows of a query.
func (r *queryRows) all(ctx context.Context) ([]*stream.Batch, error) {
	defer r.Close()
	var out []*stream.Batch
	for {
		b, err := r.Next(ctx)
		if err != nil || b == nil {
			return out, err
		}
		out = append(out, b)
	}
}

// fixedRows is a result that is already there.
type fixedRows struct{ batches []*stream.Batch }

// Ready tells whether Next returns at once.
func (r *fixedRows) Ready() bool { return true }

// Next implements wire.Rows.
func (r *fixedRows) Next(context.Context) (*stream.Batch, error) {
	if len(r.batches) == 0 {
		return nil, nil
	}
	b := r.batches[0]
	r.batches = r.batches[1:]
	return b, nil
}

// Close implements wire.Rows.
func (r *fixedRows) Close() {}

// datumRows makes batches of rows given as datums.
func datumRows(schema sql.Schema, rows [][]sql.Datum) *fixedRows {
	return &fixedRows{batches: datumBatches(schema.Types(), rows)}
}

func datumBatches(types []sql.Type, rows [][]sql.Datum) []*stream.Batch {
	var out []*stream.Batch
	for len(rows) > 0 {
		n := min(len(rows), stream.TargetRows)
		out = append(out, datumBatch(types, rows[:n]))
		rows = rows[n:]
	}
	return out
}

// datumBatch makes one batch.
func datumBatch(types []sql.Type, rows [][]sql.Datum) *stream.Batch {
	b := &stream.Batch{Rows: len(rows)}
	for c, t := range types {
		col := stream.NewBuilder(t)
		for _, r := range rows {
			col.Append(r[c])
		}
		b.Columns = append(b.Columns, col.Finish())
	}
	return b
}

// batchRow is row i of a batch as datums.
func batchRow(b *stream.Batch, types []sql.Type, i int) []sql.Datum {
	row := make([]sql.Datum, len(types))
	for c, t := range types {
		row[c] = stream.Value(b.Columns[c], t, i)
	}
	return row
}

// rowsResult is a result made of datums.
func rowsResult(schema sql.Schema, rows [][]sql.Datum, word string) wire.Result {
	return wire.Result{Rows: datumRows(schema, rows), Columns: schema, Tag: tag(word)}
}

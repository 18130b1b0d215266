package engine

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/wire"
)

// cursor is a query opened by DECLARE. Only forward moves are possible.
type cursor struct {
	columns sql.Schema
	rows    wire.Rows
	batch   *stream.Batch // pulled and not all fetched
	at      int
	hold    bool
	fresh   bool // declared in the transaction that is open
	follow  bool // a SUBSCRIBE: FETCH returns what is there and does not wait for the count
	done    bool
}

func (c *cursor) close() {
	if c.rows != nil {
		c.rows.Close()
		c.rows = nil
	}
	c.done = true
}

// declare is DECLARE … CURSOR FOR query | SUBSCRIBE.
func (s *session) declare(ctx context.Context, n *ast.DeclareCursor, types []sql.Type) (*runnable, error) {
	if n.Subscription != nil {
		return nil, sql.Unsupported("a subscription cursor", "Use DECLARE … CURSOR FOR SUBSCRIBE TO ….").At(n.Pos())
	}
	if n.Scroll == "SCROLL" {
		return nil, sql.Unsupported("a SCROLL cursor", "Use NO SCROLL.").At(n.Pos())
	}
	inner, err := s.analyze(ctx, n.Stmt, "", types)
	if err != nil {
		return nil, err
	}
	_, follow := n.Stmt.(*ast.Subscribe)
	return &runnable{params: inner.params, run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		if !n.Hold && !s.tx.explicit {
			return wire.Result{}, sql.Errorf(sql.CodeNoActiveTransaction, "DECLARE CURSOR can only be used in transaction blocks")
		}
		if s.cursors[n.Name] != nil {
			return wire.Result{}, sql.Errorf("42P03", "cursor %q already exists", n.Name)
		}
		res, err := inner.run(ctx, params)
		if err != nil {
			return wire.Result{}, err
		}
		c := &cursor{columns: inner.columns, rows: res.Rows, hold: n.Hold, fresh: true, follow: follow}
		if n.Hold && !follow { // it outlives the transaction whose data it reads: take the rows now
			if err := c.keep(ctx); err != nil {
				return wire.Result{}, err
			}
		}
		s.cursors[n.Name] = c
		return wire.Result{Tag: tag("DECLARE CURSOR")}, nil
	}}, nil
}

// CursorColumns implements wire.CursorDescriber.
func (s *session) CursorColumns(name string) (sql.Schema, bool) {
	if c := s.cursors[name]; c != nil {
		return c.columns, true
	}
	return nil, false
}

// keep pulls all rows into memory.
func (c *cursor) keep(ctx context.Context) error {
	defer c.rows.Close()
	var all []*stream.Batch
	for {
		b, err := c.rows.Next(ctx)
		if err != nil {
			return err
		}
		if b == nil {
			c.rows = &fixedRows{batches: all}
			return nil
		}
		all = append(all, b)
	}
}

// fetch is FETCH and MOVE, forward.
func (s *session) fetch(n *ast.Fetch) (*runnable, error) {
	c := s.cursors[n.Cursor]
	if c == nil {
		return nil, sql.Errorf("34000", "cursor %q does not exist", n.Cursor)
	}
	count := n.Count
	switch n.Direction {
	case "NEXT":
		count = 1
	case "FORWARD":
	case "RELATIVE":
		if count < 0 {
			return nil, backwards()
		}
	default:
		return nil, backwards()
	}
	if count < 0 {
		return nil, backwards()
	}
	if n.All {
		count = -1
	}
	r := &runnable{columns: c.columns, alone: true}
	r.run = func(ctx context.Context, _ []sql.Datum) (wire.Result, error) {
		batches, total, err := c.take(ctx, count)
		if err != nil {
			return wire.Result{}, err
		}
		if n.Move {
			return wire.Result{Tag: func(int64) string { return countTag("MOVE")(total) }}, nil
		}
		return wire.Result{Rows: &fixedRows{batches: batches}, Columns: c.columns, Tag: countTag("FETCH")}, nil
	}
	if n.Move {
		r.columns = nil
	}
	return r, nil
}

func backwards() error {
	return sql.Errorf(sql.CodeObjectNotInState, "cursor can only scan forward").WithHint("Declare it with SCROLL option to enable backward scan.")
}

// take pulls up to count rows; -1 = all. A following cursor waits for its first rows only.
func (c *cursor) take(ctx context.Context, count int64) ([]*stream.Batch, int64, error) {
	var out []*stream.Batch
	var total int64
	for !c.done && (count < 0 || total < count) {
		if c.batch == nil {
			if r, ok := c.rows.(interface{ midway() bool }); ok && c.follow && total > 0 && !r.midway() {
				break
			}
			b, err := c.rows.Next(ctx)
			if err != nil {
				return nil, 0, err
			}
			if b == nil {
				c.close()
				break
			}
			c.batch, c.at = b, 0
		}
		n := c.batch.Rows - c.at
		if count >= 0 {
			n = min(n, int(count-total))
		}
		out = append(out, sliceBatch(c.batch, c.at, c.at+n))
		total += int64(n)
		if c.at += n; c.at == c.batch.Rows {
			c.batch = nil
		}
	}
	return out, total, nil
}

func sliceBatch(b *stream.Batch, lo, hi int) *stream.Batch {
	out := &stream.Batch{Rows: hi - lo, Columns: make([]arrow.Array, len(b.Columns))}
	for i, c := range b.Columns {
		out.Columns[i] = array.NewSlice(c, int64(lo), int64(hi))
	}
	return out
}

func (s *session) closeCursor(name string) error {
	if name == "" {
		for _, c := range s.cursors {
			c.close()
		}
		clear(s.cursors)
		return nil
	}
	c := s.cursors[name]
	if c == nil {
		return sql.Errorf("34000", "cursor %q does not exist", name)
	}
	c.close()
	delete(s.cursors, name)
	return nil
}

// closeCursors ends the cursors of a transaction; those WITH HOLD stay when it committed, and those of
// earlier ones in any case.
func (s *session) closeCursors(committed bool) {
	for name, c := range s.cursors {
		if !c.hold || c.fresh && !committed {
			c.close()
			delete(s.cursors, name)
		}
		c.fresh = false
	}
}

// sqlPrepared is a statement made by PREPARE.
type sqlPrepared struct {
	stmt  ast.Stmt
	types []sql.Type
}

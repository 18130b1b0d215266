package wire

import (
	"context"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// simpleQuery runs a Query message: any number of statements, one implicit transaction.
func (c *conn) simpleQuery(src string) {
	c.query, c.running = src, nil
	if p := c.portals[""]; p != nil { // a simple query ends the unnamed portal and statement
		p.close()
		delete(c.portals, "")
	}
	c.forget("")
	if err := c.interruptible(func(ctx context.Context) error { return c.runSimple(ctx, src) }); err != nil {
		c.fail(err)
	}
	c.endOfQuery()
}

// checkStatement refuses a text that could not or should not be parsed.
func checkStatement(src string) error {
	if len(src) > maxStatementBytes {
		return sql.Errorf("54000", "statement of %d bytes is too long", len(src)).
			WithHint("The limit is %d bytes. Use COPY, or several statements.", maxStatementBytes)
	}
	return sql.CheckUTF8([]byte(src))
}

func (c *conn) runSimple(ctx context.Context, src string) error {
	if err := checkStatement(src); err != nil {
		return err
	}
	stmts, err := c.session.Parse(ctx, src)
	if err != nil {
		return err
	}
	if len(stmts) == 0 {
		if err := c.session.Sync(ctx); err != nil { // of extended messages before, not synced
			return err
		}
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	for i, st := range stmts {
		last := i == len(stmts)-1
		if err := c.timed(ctx, func(ctx context.Context) error { return c.runStatement(ctx, st, last) }); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil && !last {
			return cause(ctx, err)
		}
	}
	return nil
}

// runStatement executes one statement with text results. After the last one, the implicit
// transaction is committed before the client is told that the statement is complete.
func (c *conn) runStatement(ctx context.Context, st Statement, last bool) error {
	c.running = st
	p, err := c.session.Prepare(ctx, st, nil)
	if err != nil {
		return err
	}
	if n := len(p.ParamTypes()); n > 0 {
		return sql.Errorf(sql.CodeUndefinedParameter, "there is no parameter $1")
	}
	res, err := p.Execute(ctx, nil)
	if err != nil {
		return err
	}
	rows, err := c.transfer(ctx, res, nil, true)
	if err != nil {
		return err
	}
	if last {
		if err := c.session.Sync(ctx); err != nil {
			return err
		}
	}
	c.complete(res, rows)
	return nil
}

// transfer sends or receives all rows of a result and returns their number.
func (c *conn) transfer(ctx context.Context, res Result, formats []int16, describe bool) (int64, error) {
	switch {
	case res.CopyOut != nil:
		return c.copyOut(ctx, res.CopyOut)
	case res.CopyIn != nil:
		return c.copyIn(ctx, res.CopyIn)
	case res.Rows == nil:
		return 0, nil
	}
	defer res.Rows.Close()
	w := newRowWriter(res.Columns, formats, c.session.Location())
	if describe {
		c.drain()
		c.send(w.description())
	}
	var n int64
	for {
		b, err := c.next(ctx, res.Rows)
		if err != nil || b == nil {
			return n, err
		}
		w.bind(b)
		for i := range b.Rows {
			if err := c.row(w, i); err != nil {
				return n, err
			}
		}
		n += int64(b.Rows)
	}
}

// row sends one row, writing what has gathered when it is enough.
func (c *conn) row(w *rowWriter, i int) error {
	out, err := w.append(c.out, i)
	if err != nil {
		return err
	}
	c.out = out
	return c.sent()
}

func (c *conn) complete(res Result, rows int64) {
	c.drain()
	if res.Empty {
		c.send(&pgproto3.EmptyQueryResponse{})
		return
	}
	c.send(&pgproto3.CommandComplete{CommandTag: []byte(res.Tag(rows))})
}

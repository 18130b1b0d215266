package wire

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Limits on what one connection may keep.
const (
	maxStatements = 10_000
	maxPortals    = 1_000
)

// preparedStmt is a statement made by Parse. A nil prepared is the empty query.
type preparedStmt struct {
	source   string
	prepared Prepared
}

// portal is a bound statement, executed in one or more steps.
type portal struct {
	stmt    *preparedStmt
	params  []sql.Datum
	formats []int16

	started bool
	result  Result
	writer  *rowWriter
	batch   *stream.Batch // rows pulled and not yet all sent
	row     int           // the next row of batch
	sent    int64
	done    bool
}

func (p *portal) close() {
	if p.result.Rows != nil {
		p.result.Rows.Close()
		p.result.Rows = nil
	}
	p.done = true
}

func (c *conn) parse(m *pgproto3.Parse) error {
	c.query = m.Query
	if m.Name != "" {
		if c.statements[m.Name] != nil {
			return sql.Errorf("42P05", "prepared statement %q already exists", m.Name)
		}
		if len(c.statements) >= maxStatements {
			return sql.Errorf("54000", "too many prepared statements").WithHint("The limit of a connection is %d.", maxStatements)
		}
	}
	st := &preparedStmt{source: m.Query}
	err := c.statement(func(ctx context.Context) error {
		stmts, err := c.session.Parse(ctx, m.Query)
		if err != nil {
			return err
		}
		switch len(stmts) {
		case 0:
			return nil
		case 1:
			st.prepared, err = c.session.Prepare(ctx, stmts[0], m.ParameterOIDs)
			return err
		}
		return sql.Errorf(sql.CodeSyntaxError, "cannot insert multiple commands into a prepared statement")
	})
	if err != nil {
		return err
	}
	c.statements[m.Name] = st
	c.send(&pgproto3.ParseComplete{})
	return nil
}

func (c *conn) bind(m *pgproto3.Bind) error {
	st := c.statements[m.PreparedStatement]
	if st == nil {
		return noStatement(m.PreparedStatement)
	}
	c.query = st.source
	if m.DestinationPortal != "" {
		if c.portals[m.DestinationPortal] != nil {
			return sql.Errorf("42P03", "cursor %q already exists", m.DestinationPortal)
		}
		if len(c.portals) >= maxPortals {
			return sql.Errorf("54000", "too many open portals").WithHint("The limit of a connection is %d.", maxPortals)
		}
	}
	p := &portal{stmt: st, formats: append([]int16(nil), m.ResultFormatCodes...)}
	if st.prepared != nil {
		var err error
		if p.params, err = decodeParams(m, st.prepared.ParamTypes(), c.session.Location()); err != nil {
			return err
		}
		cols := st.prepared.Columns()
		if len(p.formats) > 1 && len(p.formats) != len(cols) {
			return sql.Errorf(sql.CodeProtocolViolation, "bind message has %d result formats but query has %d columns", len(p.formats), len(cols))
		}
	}
	if old := c.portals[m.DestinationPortal]; old != nil {
		old.close()
	}
	c.portals[m.DestinationPortal] = p
	c.send(&pgproto3.BindComplete{})
	return nil
}

func (c *conn) describe(m *pgproto3.Describe) error {
	var st *preparedStmt
	var formats []int16
	if m.ObjectType == 'S' {
		if st = c.statements[m.Name]; st == nil {
			return noStatement(m.Name)
		}
		d := &pgproto3.ParameterDescription{}
		if st.prepared != nil {
			for _, t := range st.prepared.ParamTypes() {
				d.ParameterOIDs = append(d.ParameterOIDs, t.OID())
			}
		}
		c.send(d)
	} else {
		p := c.portals[m.Name]
		if p == nil {
			return noPortal(m.Name)
		}
		st, formats = p.stmt, p.formats
	}
	if st.prepared == nil || st.prepared.Columns() == nil {
		c.send(&pgproto3.NoData{})
		return nil
	}
	c.send(newRowWriter(st.prepared.Columns(), formats, nil).description())
	return nil
}

func (c *conn) execute(m *pgproto3.Execute) error {
	p := c.portals[m.Portal]
	if p == nil {
		return noPortal(m.Portal)
	}
	c.query = p.stmt.source
	if p.stmt.prepared == nil {
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	return c.statement(func(ctx context.Context) error { return c.executePortal(ctx, p, int64(m.MaxRows)) })
}

func (c *conn) executePortal(ctx context.Context, p *portal, limit int64) error {
	if !p.started {
		p.started = true
		res, err := p.stmt.prepared.Execute(ctx, p.params)
		if err != nil {
			return err
		}
		p.result = res
		if res.Rows == nil {
			p.done = true
			rows, err := c.transfer(ctx, res, p.formats, false)
			if err != nil {
				return err
			}
			c.complete(res, rows)
			return nil
		}
		p.writer = newRowWriter(res.Columns, p.formats, c.session.Location())
	} else if p.result.Rows == nil && !p.done {
		return sql.Errorf(sql.CodeObjectNotInState, "portal cannot be run")
	}
	suspended, err := c.pull(ctx, p, limit)
	if err != nil {
		p.close()
		return err
	}
	if suspended {
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	c.complete(p.result, p.sent)
	p.sent = 0
	return nil
}

// pull sends up to limit rows (0 = all) and tells whether the limit stopped it.
func (c *conn) pull(ctx context.Context, p *portal, limit int64) (suspended bool, err error) {
	var n int64
	for !p.done {
		if p.batch == nil || p.row == p.batch.Rows {
			p.row = 0
			if p.batch, err = c.next(ctx, p.result.Rows); err != nil {
				return false, err
			}
			if p.batch == nil {
				p.close()
				break
			}
			p.writer.bind(p.batch)
		}
		for ; p.row < p.batch.Rows; p.row++ {
			if limit > 0 && n == limit {
				p.sent += n
				return true, nil
			}
			if err := c.row(p.writer, p.row); err != nil {
				return false, err
			}
			n++
		}
	}
	p.sent = n
	return false, nil
}

func (c *conn) closeNamed(m *pgproto3.Close) error {
	if m.ObjectType == 'S' {
		delete(c.statements, m.Name)
	} else if p := c.portals[m.Name]; p != nil {
		p.close()
		delete(c.portals, m.Name)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}

// closePortalsOutsideTransaction drops the portals once no transaction is open: they end with it.
func (c *conn) closePortalsOutsideTransaction() {
	if c.session.TxStatus() != 'I' {
		return
	}
	for name, p := range c.portals {
		p.close()
		delete(c.portals, name)
	}
}

// next pulls a batch. What has been sent so far goes out first when the pull may have to wait.
func (c *conn) next(ctx context.Context, rows Rows) (*stream.Batch, error) {
	if w, ok := rows.(interface{ Ready() bool }); ok && !w.Ready() {
		c.drain()
		if err := c.flush(); err != nil {
			c.outErr = err
			return nil, errClientGone
		}
	}
	return rows.Next(ctx)
}

func noStatement(name string) error {
	if name == "" {
		return sql.Errorf("26000", "unnamed prepared statement does not exist")
	}
	return sql.Errorf("26000", "prepared statement %q does not exist", name)
}

func noPortal(name string) error {
	return sql.Errorf("34000", "portal %q does not exist", name)
}

// decodeParams reads the values of Bind.
func decodeParams(m *pgproto3.Bind, types []sql.Type, loc *time.Location) ([]sql.Datum, error) {
	if len(m.Parameters) != len(types) {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Parameters), m.PreparedStatement, len(types))
	}
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(types) {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "bind message has %d parameter formats but %d parameters", n, len(types))
	}
	values := make([]sql.Datum, len(types))
	for i, raw := range m.Parameters {
		if raw == nil {
			continue
		}
		format, err := formatOf(m.ParameterFormatCodes, i)
		if err != nil {
			return nil, err
		}
		if format == binaryFormat {
			values[i], err = sql.ParseBinary(types[i], raw)
		} else {
			values[i], err = sql.ParseTextIn(types[i], string(raw), sql.TextEnv{Loc: loc})
		}
		if err != nil {
			e := *sql.AsError(err)
			e.Detail = fmt.Sprintf("The value is that of parameter $%d.", i+1)
			return nil, &e
		}
	}
	return values, nil
}

package wire

import (
	"context"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Limits on what one connection may keep.
const (
	maxStatements     = 10_000
	maxStatementsSize = 64 << 20 // of their texts
	maxPortals        = 1_000
)

// preparedStmt is a statement made by Parse. A nil prepared is the empty query.
type preparedStmt struct {
	source   string
	parsed   Statement
	prepared Prepared
}

// columns is the shape of the statement's rows; nil when it returns none.
func (s *preparedStmt) columns() sql.Schema {
	if s.prepared == nil {
		return nil
	}
	return s.prepared.Columns()
}

// portal is a bound statement, executed in one or more steps.
type portal struct {
	stmt    *preparedStmt
	params  []sql.Datum
	formats []int16

	started bool
	result  Result
	writer  *rowWriter    // nil before the start, and for statements without rows
	batch   *stream.Batch // rows pulled and not yet all sent
	row     int           // the next row of batch
	done    bool          // all rows are sent, or the portal was closed
	failed  bool          // its transaction failed while it was open
}

func (p *portal) close() {
	if p.result.Rows != nil {
		p.result.Rows.Close()
		p.result.Rows = nil
	}
	p.batch, p.done = nil, true
}

func (c *conn) parse(m *pgproto3.Parse) error {
	c.query, c.running = m.Query, nil
	if m.Name == "" {
		c.forget("") // gone even if this one turns out to be wrong
	} else {
		if c.statements[m.Name] != nil {
			return sql.Errorf("42P05", "prepared statement %q already exists", m.Name)
		}
		if len(c.statements) >= maxStatements || c.kept+len(m.Query) > maxStatementsSize {
			return sql.Errorf("54000", "too many prepared statements").WithHint("The limit of a connection is %d, and %d bytes of text.", maxStatements, maxStatementsSize)
		}
	}
	if err := checkStatement(m.Query); err != nil {
		return err
	}
	st := &preparedStmt{source: m.Query}
	err := c.interruptible(func(ctx context.Context) error {
		return c.timed(ctx, func(ctx context.Context) error { return c.prepare(ctx, st, m) })
	})
	if err != nil {
		return err
	}
	c.statements[m.Name] = st
	c.kept += len(st.source)
	c.send(&pgproto3.ParseComplete{})
	return nil
}

func (c *conn) prepare(ctx context.Context, st *preparedStmt, m *pgproto3.Parse) error {
	stmts, err := c.session.Parse(ctx, m.Query)
	if err != nil {
		return err
	}
	switch len(stmts) {
	case 0:
		return nil
	case 1:
		c.running, st.parsed = stmts[0], stmts[0]
		st.prepared, err = c.session.Prepare(ctx, stmts[0], m.ParameterOIDs)
		return err
	}
	return sql.Errorf(sql.CodeSyntaxError, "cannot insert multiple commands into a prepared statement")
}

// forget drops a prepared statement, if there is one of that name.
func (c *conn) forget(name string) {
	if st := c.statements[name]; st != nil {
		c.kept -= len(st.source)
		delete(c.statements, name)
	}
}

// deallocate drops the statement of that name, or all when it is empty, on behalf of SQL.
func (c *conn) deallocate(name string) bool {
	if name == "" {
		clear(c.statements)
		c.kept = 0
		return true
	}
	found := c.statements[name] != nil
	c.forget(name)
	return found
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
	p := &portal{stmt: st, formats: m.ResultFormatCodes}
	var types []sql.Type
	if st.prepared != nil {
		types = st.prepared.ParamTypes()
	}
	var err error
	if p.params, err = decodeParams(m, types, c.session.Location()); err != nil {
		return err
	}
	if cols := st.columns(); cols != nil {
		if len(p.formats) > 1 && len(p.formats) != len(cols) {
			return sql.Errorf(sql.CodeProtocolViolation, "bind message has %d result formats but query has %d columns", len(p.formats), len(cols))
		}
		for i := range cols {
			if _, err := formatOf(p.formats, i); err != nil {
				return err
			}
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
	c.query = ""
	switch m.ObjectType {
	case 'S':
		st := c.statements[m.Name]
		if st == nil {
			return noStatement(m.Name)
		}
		d := &pgproto3.ParameterDescription{}
		if st.prepared != nil {
			for _, t := range st.prepared.ParamTypes() {
				d.ParameterOIDs = append(d.ParameterOIDs, t.OID())
			}
		}
		c.send(d)
		c.sendDescription(st.columns(), nil)
		return nil
	case 'P':
		if p := c.portals[m.Name]; p != nil {
			c.sendDescription(p.stmt.columns(), p.formats)
			return nil
		}
		if s, ok := c.session.(CursorDescriber); ok {
			if columns, ok := s.CursorColumns(m.Name); ok {
				c.sendDescription(columns, nil)
				return nil
			}
		}
		return noPortal(m.Name)
	}
	return sql.Errorf(sql.CodeProtocolViolation, "invalid DESCRIBE message subtype %d", m.ObjectType)
}

func (c *conn) sendDescription(columns sql.Schema, formats []int16) {
	if columns == nil {
		c.send(&pgproto3.NoData{})
		return
	}
	c.send(newRowWriter(columns, formats, nil).description())
}

func (c *conn) execute(m *pgproto3.Execute) error {
	p := c.portals[m.Portal]
	if p == nil {
		return noPortal(m.Portal)
	}
	c.query, c.running = p.stmt.source, p.stmt.parsed
	if p.stmt.prepared == nil {
		c.send(&pgproto3.EmptyQueryResponse{})
		return nil
	}
	if p.failed {
		return sql.Errorf(sql.CodeInFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	before := c.session.TxStatus()
	err := c.interruptible(func(ctx context.Context) error {
		return c.timed(ctx, func(ctx context.Context) error { return c.executePortal(ctx, m.Portal, p, int64(m.MaxRows)) })
	})
	if err == nil && before != 'I' && c.session.TxStatus() == 'I' { // it was a COMMIT or ROLLBACK
		c.closePortalsOutsideTransaction()
	}
	return err
}

// executePortal starts a portal, or goes on with it, up to limit rows (0 = all). The limit is for
// rows: a statement that returns none is run to its end, whatever the client asks for.
func (c *conn) executePortal(ctx context.Context, name string, p *portal, limit int64) error {
	if !p.started {
		p.started = true
		res, err := p.stmt.prepared.Execute(ctx, p.params)
		if err != nil {
			return err
		}
		if res.Rows == nil {
			rows, err := c.transfer(ctx, res, p.formats, false)
			if err != nil {
				return err
			}
			c.complete(res, rows)
			return nil
		}
		p.result = res
		p.writer = newRowWriter(res.Columns, p.formats, c.session.Location())
	} else if p.writer == nil {
		return sql.Errorf(sql.CodeObjectNotInState, "portal %q cannot be run", name)
	}
	n, err := c.pull(ctx, p, limit)
	if err != nil {
		p.close()
		return err
	}
	if limit > 0 && n == limit { // there may be no more rows: the next Execute finds out, as in PostgreSQL
		c.drain()
		c.send(&pgproto3.PortalSuspended{})
		return nil
	}
	c.complete(p.result, n)
	return nil
}

// pull sends up to limit rows (0 = all) and returns how many. It asks for no row beyond the limit:
// that of a SUBSCRIBE may be long in coming.
func (c *conn) pull(ctx context.Context, p *portal, limit int64) (n int64, err error) {
	for !p.done && (limit == 0 || n < limit) {
		if p.batch == nil || p.row == p.batch.Rows {
			p.row = 0
			if p.batch, err = c.next(ctx, p.result.Rows); err != nil {
				return n, err
			}
			if p.batch == nil {
				p.close()
				break
			}
			p.writer.bind(p.batch)
			continue // it may be empty
		}
		if err := c.row(p.writer, p.row); err != nil {
			return n, err
		}
		p.row++
		n++
	}
	return n, nil
}

func (c *conn) closeNamed(m *pgproto3.Close) error {
	switch m.ObjectType {
	case 'S':
		c.forget(m.Name)
	case 'P':
		if p := c.portals[m.Name]; p != nil {
			p.close()
			delete(c.portals, m.Name)
		}
	default:
		return sql.Errorf(sql.CodeProtocolViolation, "invalid CLOSE message subtype %d", m.ObjectType)
	}
	c.send(&pgproto3.CloseComplete{})
	return nil
}

// closePortalsOutsideTransaction drops the portals once no transaction block is open: they end with
// their transaction.
func (c *conn) closePortalsOutsideTransaction() {
	if len(c.portals) == 0 || c.session.TxStatus() != 'I' {
		return
	}
	for _, p := range c.portals {
		p.close()
	}
	clear(c.portals)
}

// closeStartedPortals ends the running queries of a failed transaction.
func (c *conn) closeStartedPortals() {
	for _, p := range c.portals {
		if p.started {
			p.close()
			p.failed = true
		}
	}
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

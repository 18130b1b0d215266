package engine

import (
	"context"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// prepareSQL is PREPARE name AS statement.
func (s *session) prepareSQL(ctx context.Context, n *ast.Prepare) (*runnable, error) {
	types := make([]sql.Type, len(n.Types))
	for i, t := range n.Types {
		var err error
		if types[i], err = planner.TypeOf(t); err != nil {
			return nil, err
		}
	}
	if _, err := s.analyze(ctx, n.Stmt, "", types); err != nil {
		return nil, err
	}
	return s.alone(func() (string, error) {
		if s.prepared[n.Name] != nil {
			return "", sql.Errorf("42P05", "prepared statement %q already exists", n.Name)
		}
		s.prepared[n.Name] = &sqlPrepared{stmt: n.Stmt, types: types}
		return "PREPARE", nil
	}), nil
}

// executeSQL is EXECUTE name (arguments).
func (s *session) executeSQL(ctx context.Context, n *ast.Execute) (*runnable, error) {
	p := s.prepared[n.Name]
	if p == nil {
		return nil, sql.Errorf("26000", "prepared statement %q does not exist", n.Name)
	}
	inner, err := s.analyze(ctx, p.stmt, "", p.types)
	if err != nil {
		return nil, err
	}
	if len(n.Args) != len(inner.params) {
		return nil, sql.Errorf(sql.CodeSyntaxError, "wrong number of parameters for prepared statement %q", n.Name).
			WithDetail("Expected %d parameters but got %d.", len(inner.params), len(n.Args))
	}
	values := make([]sql.Datum, len(n.Args))
	ec := s.exprContext()
	for i, a := range n.Args {
		x, err := planner.BindExpr(s.env(nil), a, nil, "EXECUTE parameters")
		if err != nil {
			return nil, err
		}
		if x, err = expr.CastTo(x, inner.params[i], expr.Assignment); err != nil {
			return nil, sql.ErrorAt(err, a.Pos())
		}
		if values[i], err = expr.EvalDatum(&ec, x); err != nil {
			return nil, err
		}
	}
	return &runnable{columns: inner.columns, alone: inner.alone, run: func(ctx context.Context, _ []sql.Datum) (wire.Result, error) {
		return inner.run(ctx, values)
	}}, nil
}

// deallocate drops a prepared statement, all when the name is empty. Those that the client made by
// messages of the protocol are under the same names.
func (s *session) deallocate(name string) error {
	if name == "" {
		clear(s.prepared)
		s.client.Deallocate("")
		return nil
	}
	if s.prepared[name] == nil && !s.client.Deallocate(name) {
		return sql.Errorf("26000", "prepared statement %q does not exist", name)
	}
	delete(s.prepared, name)
	return nil
}

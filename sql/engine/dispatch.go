package engine

import (
	"context"
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/wire"
)

// analyze checks a statement against the catalog and returns what runs it. Nothing is changed before
// it runs.
func (s *session) analyze(ctx context.Context, node ast.Stmt, source string, types []sql.Type) (*runnable, error) {
	switch n := node.(type) {
	case *ast.Query:
		return s.query(n, types)
	case *ast.Insert:
		return s.insert(n, source, types)
	case *ast.Update:
		return s.update(n, types)
	case *ast.Delete:
		return s.delete(n, types)
	case *ast.Truncate:
		return s.command(func(ctx context.Context) (string, error) { return "TRUNCATE TABLE", s.truncate(ctx, n) }), nil
	case *ast.Copy:
		return s.copy(n, types)
	case *ast.Subscribe:
		return s.subscribe(n)
	case *ast.Explain:
		return s.explain(n, types)
	case *ast.CreateTable, *ast.CreateSource, *ast.CreateView, *ast.CreateSink, *ast.CreateSchema, *ast.CreateUser,
		*ast.AlterUser, *ast.CreateIndex, *ast.Drop, *ast.AlterJob, *ast.Alter, *ast.Comment:
		return s.ddl(node)
	}
	if r, err := s.utility(node); r != nil || err != nil {
		return r, err
	}
	return s.sessionStatement(ctx, node, types)
}

// command is a statement without rows or parameters.
func (s *session) command(f func(ctx context.Context) (string, error)) *runnable {
	return &runnable{run: func(ctx context.Context, _ []sql.Datum) (wire.Result, error) {
		word, err := f(ctx)
		return wire.Result{Tag: tag(word)}, err
	}}
}

// alone is a command that needs no transaction.
func (s *session) alone(f func() (string, error)) *runnable {
	r := s.command(func(context.Context) (string, error) { return f() })
	r.alone = true
	return r
}

// sessionStatement handles transactions, settings, cursors and prepared statements.
func (s *session) sessionStatement(ctx context.Context, node ast.Stmt, types []sql.Type) (*runnable, error) {
	switch n := node.(type) {
	case *ast.Begin:
		word := "BEGIN"
		if n.Start {
			word = "START TRANSACTION"
		}
		return s.alone(func() (string, error) { return word, s.beginBlock(n) }), nil
	case *ast.Commit:
		r := s.alone(func() (string, error) { return s.commitBlock() })
		r.anytime = true
		return r, nil
	case *ast.Rollback:
		r := s.alone(func() (string, error) { return "ROLLBACK", s.rollbackBlock(n) })
		r.anytime = true
		return r, nil
	case *ast.Savepoint:
		return s.alone(func() (string, error) { return "SAVEPOINT", s.savepoint(n.Name) }), nil
	case *ast.Release:
		return s.alone(func() (string, error) { return "RELEASE", s.release(n.Name) }), nil
	case *ast.SetTransaction:
		return s.alone(func() (string, error) { return "SET", s.setTransaction(n) }), nil
	case *ast.Set:
		return s.alone(func() (string, error) { return "SET", s.setSetting(n) }), nil
	case *ast.Reset:
		return s.alone(func() (string, error) { return "RESET", s.resetSetting(n) }), nil
	case *ast.Show:
		return s.show(n)
	case *ast.Describe:
		return s.describe(n)
	case *ast.Prepare:
		return s.prepareSQL(ctx, n)
	case *ast.Execute:
		return s.executeSQL(ctx, n)
	case *ast.Deallocate:
		word := "DEALLOCATE"
		if n.Name == "" {
			word = "DEALLOCATE ALL"
		}
		return s.alone(func() (string, error) { return word, s.deallocate(n.Name) }), nil
	case *ast.DeclareCursor:
		return s.declare(ctx, n, types)
	case *ast.Fetch:
		return s.fetch(n)
	case *ast.Close:
		return s.alone(func() (string, error) { return "CLOSE CURSOR", s.closeCursor(n.Name) }), nil
	case *ast.Discard:
		return s.alone(func() (string, error) { return "DISCARD " + strings.ToUpper(n.What), s.discard(n.What) }), nil
	}
	return nil, sql.Unsupported(statementName(node), "").At(node.Pos())
}

// utility handles statements that stand alone and those that are accepted for the sake of tools.
func (s *session) utility(node ast.Stmt) (*runnable, error) {
	switch n := node.(type) {
	case *ast.Flush:
		r := s.command(func(ctx context.Context) (string, error) { return "FLUSH", s.flush(ctx) })
		r.alone = true
		return r, nil
	case *ast.Backup:
		return s.backup(n), nil
	case *ast.Maintain:
		switch verb := strings.ToUpper(n.Verb); verb {
		case "ANALYZE", "VACUUM":
			return s.command(func(context.Context) (string, error) { return verb, s.existing(n.Names) }), nil
		case "REFRESH":
			return s.command(func(context.Context) (string, error) { return "REFRESH MATERIALIZED VIEW", s.existing(n.Names) }), nil
		}
	case *ast.Lock:
		return s.command(func(ctx context.Context) (string, error) { return "LOCK TABLE", s.lockTables(ctx, n) }), nil
	case *ast.Listen:
		if strings.EqualFold(n.Verb, "UNLISTEN") {
			return s.alone(func() (string, error) { return "UNLISTEN", nil }), nil
		}
		return nil, sql.Unsupported(strings.ToUpper(n.Verb), "Use SUBSCRIBE TO to follow a view.").At(node.Pos())
	}
	return nil, nil
}

// statementName is the first words of a statement, for error messages.
func statementName(node ast.Stmt) string {
	text := ast.SQL(node)
	words := strings.Fields(text)
	n := 1
	if len(words) > 1 && (words[0] == "CREATE" || words[0] == "ALTER" || words[0] == "DROP") {
		n = 2
	}
	return strings.Join(words[:min(n, len(words))], " ")
}

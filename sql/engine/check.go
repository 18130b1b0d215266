package engine

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/state"
	"github.com/streamsql/streamsql/wire"
)

// Checker plans statements as a server would that runs them, without running anything: DDL changes
// a catalog in memory only, and no connector is asked to connect.
type Checker struct {
	e *Engine
	s *session
}

// Finding is an error in a checked text. Line and Column count from 1, Column in characters.
type Finding struct {
	Line, Column int
	Message      string
}

// NewChecker makes a checker with an empty catalog.
func NewChecker(list []connectors.Connector) (*Checker, error) {
	opts := state.InMemory()
	e, err := Open(Config{Connectors: list, StateOptions: &opts, checkOnly: true})
	if err != nil {
		return nil, err
	}
	client := &wire.Client{User: OwnerName, Database: OwnerName, Notice: func(string, *sql.Error) {}, ParameterStatus: func(string, string) {},
		CancelBackend: func(uint32, bool) bool { return false }, Deallocate: func(string) bool { return false }}
	s, err := e.Connect(context.Background(), client)
	if err != nil {
		return nil, errors.Join(err, e.Close(context.Background()))
	}
	return &Checker{e: e, s: s.(*session)}, nil
}

// Close gives the checker up.
func (c *Checker) Close() error {
	c.s.Close()
	return c.e.Close(context.Background())
}

// Check plans the statements of a text in order and returns what is wrong. A text that does not
// parse has one finding.
func (c *Checker) Check(src string) []Finding {
	stmts, err := parser.Parse(src)
	if err != nil {
		return []Finding{finding(src, 0, err)}
	}
	var out []Finding
	for _, st := range stmts {
		if err := c.statement(st.Node, src[st.Start:st.End]); err != nil {
			out = append(out, finding(src, st.Start, err))
		}
	}
	return out
}

// statement analyses one statement, and runs it when it is DDL or changes the session: then nothing
// but the catalog in memory changes.
func (c *Checker) statement(node ast.Stmt, text string) error {
	ctx := context.Background()
	r, err := c.s.analyze(ctx, node, text, nil)
	if err != nil {
		return err
	}
	if !checkRuns(node) {
		return nil
	}
	if c.s.tx == nil && !r.alone {
		c.s.tx = c.s.e.begin(false)
		if err := c.s.tx.statement(); err != nil {
			return err
		}
	}
	if _, err := r.run(ctx, nil); err != nil {
		c.s.Fail()
		return err
	}
	return c.s.Sync(ctx)
}

// checkRuns tells whether a statement must run for later ones to be planned.
func checkRuns(node ast.Stmt) bool {
	switch node.(type) {
	case *ast.CreateTable, *ast.CreateSource, *ast.CreateView, *ast.CreateSink, *ast.CreateSchema, *ast.CreateUser, *ast.AlterUser,
		*ast.Drop, *ast.Comment, *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Set, *ast.Reset, *ast.Savepoint, *ast.Release:
		return true
	}
	return false
}

func finding(src string, start int, err error) Finding {
	e := sql.AsError(err)
	at := start
	if e.Position > 0 {
		at = e.Position - 1
	}
	at = min(at, len(src))
	for at < len(src) && e.Position == 0 && strings.ContainsRune(" \t\r\n", rune(src[at])) {
		at++
	}
	line := 1 + strings.Count(src[:at], "\n")
	column := 1 + utf8.RuneCountInString(src[strings.LastIndexByte(src[:at], '\n')+1:at])
	msg := e.Message
	if e.Hint != "" {
		msg += " (" + e.Hint + ")"
	}
	return Finding{Line: line, Column: column, Message: msg}
}

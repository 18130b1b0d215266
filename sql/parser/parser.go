package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// Statement is one statement of a source text, without its semicolon: source[Start:End].
// Positions in Node count from the beginning of the source, not of the statement.
type Statement struct {
	Node       ast.Stmt
	Start, End int
}

// Parse parses a text of statements separated by semicolons. An error is an *sql.Error with
// PostgreSQL's code, words and position. An empty text has no statements.
func Parse(src string) ([]Statement, error) { return nil, sql.Unsupported("parsing", "") }

// ParseOne parses a text of exactly one statement.
func ParseOne(src string) (ast.Stmt, error) { return nil, sql.Unsupported("parsing", "") }

// ParseExpr parses an expression.
func ParseExpr(src string) (ast.Expr, error) { return nil, sql.Unsupported("parsing", "") }

// ParseType parses a type name.
func ParseType(src string) (*ast.TypeName, error) { return nil, sql.Unsupported("parsing", "") }

// Package parser is the front end of streamsql's dialect: PostgreSQL's statements with the
// streaming constructs of Flink SQL and RisingWave, parsed into the typed tree of package ast.
//
//	source ── lex ──> tokens ── recursive descent ──> ast with holes ── fill ──> ast
//	                                │ chains of operators                 ▲
//	                                └────────> TiDB's grammar ────────────┘
//
// Our code owns tokens, statements, clauses and operands. TiDB's parser owns the operator trees:
// which of a + b * c = d OR e binds to which. A chain of operators becomes a row of markers joined
// by the operators of TiDB that bind as tightly as PostgreSQL's do (see fragment.go); all chains of
// a source go through one TiDB call, and their trees fill the holes.
//
// Invariants:
//   - Nothing outside this package knows TiDB, and no name or literal of the user reaches it.
//   - The first error stops parsing: the cursor jumps to the end and every later check fails
//     quietly (see cursor.go). So the error reported is the leftmost one, as in PostgreSQL.
//   - Nesting is at most maxDepth, so no source can exhaust the stack here or behind us.
//   - Safe for concurrent use: a parse shares nothing but the pool of TiDB parsers.
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

// maxSourceBytes bounds a source; offsets are held in 32 bits.
const maxSourceBytes = 256 << 20

// Parse parses a text of statements separated by semicolons. An error is an *sql.Error with
// PostgreSQL's code, words and position. An empty text has no statements.
func Parse(src string) ([]Statement, error) {
	p, err := newParser(src)
	if err != nil {
		return nil, err
	}
	var out []Statement
	for {
		for p.accept(";") {
		}
		if p.tok().kind == eof {
			break
		}
		start := p.pos()
		node := p.statement()
		out = append(out, Statement{Node: node, Start: start, End: p.lastEnd()})
		if p.tok().kind != eof && !p.is(";") {
			p.fail()
		}
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return out, nil
}

// ParseOne parses a text of exactly one statement, with or without a semicolon.
func ParseOne(src string) (ast.Stmt, error) {
	stmts, err := Parse(src)
	switch {
	case err != nil:
		return nil, err
	case len(stmts) == 0:
		return nil, sql.Errorf(sql.CodeSyntaxError, "syntax error at end of input").At(len(src))
	case len(stmts) > 1:
		return nil, sql.Errorf(sql.CodeSyntaxError, "cannot insert multiple commands into a prepared statement")
	}
	return stmts[0].Node, nil
}

// ParseExpr parses an expression.
func ParseExpr(src string) (ast.Expr, error) {
	var x ast.Expr
	err := parseAll(src, func(p *parser) { p.expr(&x) })
	if err != nil {
		return nil, err
	}
	return x, nil
}

// ParseType parses a type name.
func ParseType(src string) (*ast.TypeName, error) {
	var t *ast.TypeName
	err := parseAll(src, func(p *parser) { t = p.typeName() })
	if err != nil {
		return nil, err
	}
	return t, nil
}

// parseAll runs one production over the whole source.
func parseAll(src string, production func(*parser)) error {
	p, err := newParser(src)
	if err != nil {
		return err
	}
	production(p)
	if p.tok().kind != eof {
		p.fail()
	}
	return p.finish()
}

func newParser(src string) (*parser, error) {
	if len(src) > maxSourceBytes {
		return nil, sql.Errorf("54000", "statement is longer than %d bytes", maxSourceBytes)
	}
	toks, err := lex(src)
	if err != nil {
		return nil, err
	}
	return &parser{src: src, toks: toks}, nil
}

// finish sends the operator chains to TiDB, or returns the error met before.
func (p *parser) finish() error {
	if p.err != nil {
		return p.err
	}
	if err := fill(p.fragments); err != nil {
		return err
	}
	return nil
}

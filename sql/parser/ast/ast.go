// Package ast is the syntax tree of streamsql's dialect: PostgreSQL's statements plus the
// streaming constructs of Flink SQL and RisingWave.
//
// The tree is typed and holds no text of the source. Two spellings of one thing make one tree
// (`x::int` and `CAST(x AS int)`, both forms of TUMBLE), so whoever walks it sees meaning, not style.
//
// Invariants:
//   - Identifiers are folded: lower case unless quoted. Keywords are not identifiers.
//   - SQL(n) parses back to a tree that is Equal to n, whatever the identifiers are.
//   - A nil interface, pointer or slice means "not written". An empty list is a nil slice.
//   - Trees are not changed after parsing; they may be shared between goroutines.
package ast

import "strings"

// Node is any part of the tree.
type Node interface {
	// Pos is the 0-based byte offset into the statement's source that PostgreSQL would point at
	// in an error about this node, or -1 if unknown: the operator of an operation, the first
	// byte of anything else.
	Pos() int
}

// Position is embedded in every node. The zero value, of a node made by hand, is "unknown".
type Position int32

// At is the position of the 0-based byte offset off.
func At(off int) Position { return Position(off + 1) }

// Pos returns the 0-based byte offset, -1 if unknown.
func (p Position) Pos() int { return int(p) - 1 }

// Expr is a scalar expression.
type Expr interface {
	Node
	expr()
}

// Stmt is a statement. A query is a statement: *Query.
type Stmt interface {
	Node
	stmt()
}

// From is an item of a FROM list.
type From interface {
	Node
	from()
}

// QueryBody is what stands under a query's ORDER BY and LIMIT:
// *Select, *SetOp, *Values or a parenthesised *Query.
type QueryBody interface {
	Node
	body()
}

// Name is a possibly qualified name: ["s", "t"] for s.t.
type Name []string

// Base is the last part of the name.
func (n Name) Base() string {
	if len(n) == 0 {
		return ""
	}
	return n[len(n)-1]
}

// Schema is the part before the last, or empty.
func (n Name) Schema() string {
	if len(n) < 2 {
		return ""
	}
	return n[len(n)-2]
}

// String is the name as PostgreSQL prints it in messages: parts joined by dots, unquoted.
func (n Name) String() string { return strings.Join(n, ".") }

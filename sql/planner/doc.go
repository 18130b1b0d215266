// Package planner turns a statement's tree into what runs: it resolves names and types as
// PostgreSQL does, decides how the query is kept up to date, and builds the execution graph.
//
//	ast ──bind──▶ logical tree ──rewrite──▶ logical tree ──plan──▶ Physical tree ──Graph──▶ exec
//	    scope.go      logical.go   rewrite*.go             physical.go            graph.go
//	    bind*.go                                           plan_*.go              runtime.go
//
// To add an operator: a node in logical.go, a case in physical.go, and a file plan_x.go with its
// properties and how it is built. Joins are bound and rewritten, and wait there for theirs.
//
// A Plan is immutable once it is made: it can be cached, explained and run any number of times, at
// once and with different parameter values.
//
// Invariants:
//   - A column reference is the index of a column of the node's (first) input; names are gone after
//     binding. Every rewrite that changes a node's columns renumbers the references above it.
//   - What the engine can't do is refused here with 0A000; nothing after planning says "unsupported".
//   - Bounded and unbounded queries are the same nodes. Only Purpose tells them apart: a bounded
//     query has no watermarks before its end, so it has no late rows either.
//   - The columns that a query asks for come first; what the changelog's key needs besides follows
//     as hidden columns.
package planner

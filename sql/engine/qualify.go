package engine

import (
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// qualified is the statement with every relation's schema written out, so that what is stored means
// the same under any search path. The tree that came from the parser may be shared, so a fresh one
// is changed.
func (s *session) qualified(n ast.Stmt) ast.Stmt {
	st, err := parser.ParseOne(ast.SQL(n))
	if err != nil {
		panic("engine: what the printer wrote cannot be parsed: " + err.Error())
	}
	ctes := map[string]bool{}
	ast.Walk(st, func(n ast.Node) bool {
		if c, ok := n.(*ast.CTE); ok {
			ctes[c.Name] = true
		}
		return true
	})
	fix := func(name ast.Name) ast.Name {
		if len(name) != 1 || ctes[name[0]] {
			return name
		}
		o, err := s.relation(name)
		if err != nil {
			return name // a system table, or nothing: the planner has said so
		}
		return ast.Name{o.Schema, o.Name}
	}
	ast.Walk(st, func(n ast.Node) bool {
		if t, ok := n.(*ast.TableRef); ok {
			t.Name = fix(t.Name)
		}
		return true
	})
	return st
}

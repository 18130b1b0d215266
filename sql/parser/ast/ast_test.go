package ast

import (
	"slices"
	"strings"
	"testing"
)

func col(name string) Expr { return &ColumnRef{Parts: []string{name}} }

func num(v string) Expr { return &Literal{Kind: Number, Value: v} }

func selectOf(x Expr) *Select { return &Select{Targets: []*Target{{X: x}}} }

// TestSQL prints trees made by hand, as a rewriting planner would.
func TestSQL(t *testing.T) {
	union := &SetOp{Op: "UNION", L: selectOf(num("1")), R: selectOf(num("2"))}
	for _, c := range []struct {
		node Node
		want string
	}{
		{&Binary{Op: "-", L: col("a"), R: &Binary{Op: "-", L: col("b"), R: col("c")}}, "a - (b - c)"},
		{&Binary{Op: "-", L: &Binary{Op: "+", L: col("a"), R: col("b")}, R: col("c")}, "a + b - c"},
		{&Binary{Op: "*", L: &Binary{Op: "+", L: col("a"), R: col("b")}, R: col("c")}, "(a + b) * c"},
		{&Binary{Op: "=", L: &Binary{Op: "=", L: col("a"), R: col("b")}, R: col("c")}, "(a = b) = c"},
		{&Cast{X: &Unary{Op: "-", X: num("1")}, Type: &TypeName{Name: Name{"int4"}}}, "(-1)::int4"},
		{&Field{X: col("r"), Name: "F"}, `(r)."F"`},
		{&ColumnRef{Parts: []string{"select", "größe", "Ab", "emit", "a1"}}, `"select"."größe"."Ab"."emit".a1`},
		{&Query{Body: &SetOp{Op: "INTERSECT", L: union, R: union}}, "(SELECT 1 UNION SELECT 2) INTERSECT (SELECT 1 UNION SELECT 2)"},
		{&Query{Body: &SetOp{Op: "UNION", All: true, L: union, R: union}}, "SELECT 1 UNION SELECT 2 UNION ALL (SELECT 1 UNION SELECT 2)"},
		{&Literal{Kind: String, Value: `it's \ it`}, `E'it''s \\ it'`},
		{&SortKey{X: col("a"), Desc: true, Nulls: "LAST"}, "a DESC NULLS LAST"},
		{nil, ""},
	} {
		if got := SQL(c.node); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestWalk(t *testing.T) {
	inner := &Query{Body: selectOf(col("x"))}
	tree := &Query{Body: &Select{Targets: []*Target{{X: &In{X: col("a"), Query: inner}}}, Where: col("w")}}
	var all, top []string
	Walk(tree, func(n Node) bool {
		if c, ok := n.(*ColumnRef); ok {
			all = append(all, c.Parts[0])
		}
		return true
	})
	Walk(tree, func(n Node) bool {
		if c, ok := n.(*ColumnRef); ok {
			top = append(top, c.Parts[0])
		}
		return n != Node(inner)
	})
	if !slices.Equal(all, []string{"a", "x", "w"}) || !slices.Equal(top, []string{"a", "w"}) {
		t.Errorf("%v, without the subquery %v", all, top)
	}
	Walk(nil, func(Node) bool { t.Error("a node of nothing"); return true })
}

func TestEqual(t *testing.T) {
	a := &Binary{Position: At(3), Op: "+", L: col("a"), R: num("1")}
	if !Equal(a, &Binary{Op: "+", L: col("a"), R: num("1")}) {
		t.Error("positions count")
	}
	for _, b := range []Node{nil, num("1"), &Binary{Op: "+", L: col("a")}, &Binary{Op: "-", L: col("a"), R: num("1")},
		&Binary{Op: "+", L: col("a"), R: num("2")}, &Unary{Op: "+", X: col("a")}} {
		if Equal(a, b) || Equal(b, a) {
			t.Errorf("%s equals %s", SQL(a), SQL(b))
		}
	}
	if !Equal(nil, nil) {
		t.Error("nothing differs from nothing")
	}
}

func TestPosition(t *testing.T) {
	if p := new(Param).Pos(); p != -1 {
		t.Errorf("a node made by hand is at %d", p)
	}
	if p := At(0).Pos(); p != 0 {
		t.Errorf("At(0) is %d", p)
	}
	n := Name{"c", "s", "t"}
	if n.Base() != "t" || n.Schema() != "s" || Name(nil).Base() != "" || n[2:].Schema() != "" || !strings.HasPrefix(n.String(), "c.s") {
		t.Errorf("%s: base %s, schema %s", n, n.Base(), n.Schema())
	}
}

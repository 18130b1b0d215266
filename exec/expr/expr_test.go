package expr

import (
	"testing"

	"github.com/streamsql/streamsql/sql"
)

func lit(s string) Expr { return Literal(s, sql.TypeUnknown) }
func num(n int64) Expr  { return Literal(n, sql.TypeInt4) }

func must(e Expr, err error) Expr {
	if err != nil {
		panic(err)
	}
	return e
}

func TestSmoke(t *testing.T) {
	e := must(Operator("+", num(1), must(Operator("*", num(2), num(3)))))
	var c Context
	d, err := EvalDatum(&c, e)
	if err != nil || d != int64(7) {
		t.Fatal(d, err)
	}
	if got := e.String(); got != "1 + (2 * 3)" {
		t.Fatal(got)
	}
	for name := range map[string]int{"+": 1} {
		if len(overloads(name)) == 0 {
			t.Fatal(name)
		}
	}
}

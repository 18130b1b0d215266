package exec

import (
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// scriptOperators are the operators that scripts name.
func scriptOperators(t *testing.T) map[string]scriptOperator {
	kv := sql.Schema{{Name: "k", Type: sql.TypeText}, {Name: "v", Type: sql.TypeInt4}}
	tkv := sql.Schema{{Name: "ts", Type: sql.TypeTimestamp}, {Name: "k", Type: sql.TypeText}, {Name: "v", Type: sql.TypeInt4}}
	v := expr.Column(1, "v", sql.TypeInt4)
	op := func(name string, args ...expr.Expr) expr.Expr {
		e, err := expr.Operator(name, args...)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	num := func(n int64) expr.Expr { return expr.Literal(n, sql.TypeInt4) }
	ops := map[string]scriptOperator{
		"filter": {kv, kv, NewFilter(op(">", op("/", num(100), v), num(20)), kv), false},
		"project": {kv, sql.Schema{{Name: "q", Type: sql.TypeInt4}, {Name: "k", Type: sql.TypeText}},
			NewProject([]expr.Expr{op("/", num(100), v), expr.Column(0, "k", sql.TypeText)}, kv), false},
		"union":  {kv, kv, NewUnion(), false},
		"sort":   {kv, kv, NewSort(&SortSpec{Keys: []SortKey{{Column: 1, Desc: true, NullsFirst: true}}, Limit: -1}, kv), true},
		"top":    {kv, kv, NewSort(&SortSpec{Keys: []SortKey{{Column: 1}}, Limit: 2, Offset: 1}, kv), true},
		"limit":  {kv, kv, NewLimit(2, 1, false), true},
		"row-id": {kv, append(kv[:2:2], sql.Column{Name: "id", Type: sql.TypeInt8}), NewRowID(), false},
	}
	for name, w := range map[string]*WindowSpec{
		"assign-tumble": {Kind: Tumble, Size: 5 * time.Minute},
		"assign-hop":    {Kind: Hop, Size: 5 * time.Minute, Slide: 2 * time.Minute, Offset: time.Minute},
	} {
		out := append(tkv[:3:3], sql.Column{Type: sql.TypeTimestamp}, sql.Column{Type: sql.TypeTimestamp}, sql.Column{Type: sql.TypeTimestamp})
		ops[name] = scriptOperator{tkv, out, NewWindowAssign(w, sql.TypeTimestamp), false}
	}
	call := func(name string, distinct bool, args ...int) agg.Call {
		types := make([]sql.Type, len(args))
		for i, a := range args {
			types[i] = tkv[a].Type
		}
		return agg.Call{Func: mustFunc(t, name, types...), Args: args, Filter: -1, Distinct: distinct}
	}
	calls := []agg.Call{call("count", false), call("sum", false, 2), call("max", false, 2)}
	aggregate := func(name string, s AggregateSpec) {
		in := tkv
		if strings.HasPrefix(name, "huge") {
			in = append(tkv[:2:2], sql.Column{Name: "v", Type: sql.TypeFloat8})
		}
		s.Input, s.Source = in, "t"
		ops[name] = scriptOperator{in, s.OutputSchema(), NewAggregate(&s, false), false}
		if s.TwoPhase() {
			ops[name+"/local"] = scriptOperator{in, s.PartialSchema(), NewLocalAggregate(&s), false}
			ops[name+"/final"] = scriptOperator{s.PartialSchema(), s.OutputSchema(), NewAggregate(&s, true), false}
		}
	}
	tumble := &WindowSpec{Kind: Tumble, Time: 0, Size: 5 * time.Minute}
	hop := &WindowSpec{Kind: Hop, Time: 0, Size: 10 * time.Minute, Slide: 5 * time.Minute}
	gaps := &WindowSpec{Kind: Hop, Time: 0, Size: 5 * time.Minute, Slide: 10 * time.Minute}
	aggregate("group", AggregateSpec{Keys: []int{1}, Calls: calls, Retract: true})
	aggregate("group-append", AggregateSpec{Keys: []int{1}, Calls: calls})
	aggregate("scalar", AggregateSpec{Calls: calls, Retract: true})
	float := func(name string) agg.Call {
		return agg.Call{Func: mustFunc(t, name, sql.TypeFloat8), Args: []int{2}, Filter: -1}
	}
	huge := []agg.Call{call("count", false), float("sum"), float("stddev_pop")}
	aggregate("huge", AggregateSpec{Keys: []int{1}, Calls: huge, Retract: true})
	aggregate("huge-scalar", AggregateSpec{Calls: huge[:2], Retract: true})
	aggregate("huge-tumble-update", AggregateSpec{Keys: []int{1}, Window: tumble, Calls: huge[:2]})
	aggregate("huge-hop-close", AggregateSpec{Keys: []int{1}, Window: hop, Calls: huge[:2], OnClose: true})
	aggregate("distinct-rows", AggregateSpec{Keys: []int{1, 2}, Retract: true})
	aggregate("distinct-values", AggregateSpec{Keys: []int{1}, Calls: []agg.Call{call("count", true, 2), call("sum", true, 2), call("count", false)}, Retract: true})
	aggregate("lists", AggregateSpec{Keys: []int{1}, Retract: true, Calls: []agg.Call{call("array_agg", false, 2),
		{Func: mustFunc(t, "array_agg", sql.TypeInt4), Args: []int{2}, Filter: -1, OrderBy: []agg.Order{{Column: 2, Desc: true, NullsFirst: true}}}}})
	aggregate("distinct-list", AggregateSpec{Keys: []int{1}, Retract: true, Calls: []agg.Call{
		{Func: mustFunc(t, "array_agg", sql.TypeInt4), Args: []int{2}, Filter: -1, Distinct: true, OrderBy: []agg.Order{{Column: 2}}}}})
	aggregate("tumble-update", AggregateSpec{Keys: []int{1}, Window: tumble, Calls: calls, Retract: true})
	aggregate("tumble-close", AggregateSpec{Keys: []int{1}, Window: tumble, Calls: calls, OnClose: true})
	aggregate("tumble-late", AggregateSpec{Keys: []int{1}, Window: tumble, Calls: calls, OnClose: true, Lateness: time.Minute})
	aggregate("hop-update", AggregateSpec{Keys: []int{1}, Window: hop, Calls: calls})
	aggregate("hop-close", AggregateSpec{Keys: []int{1}, Window: hop, Calls: calls, OnClose: true})
	aggregate("gaps-close", AggregateSpec{Keys: []int{1}, Window: gaps, Calls: calls, OnClose: true})
	return ops
}

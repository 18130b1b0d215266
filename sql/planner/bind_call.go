package planner

import (
	"strings"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// call binds a function call: of the grammar's own functions, an aggregate, or a scalar function.
func (x *exprBinder) call(c *ast.Call) (expr.Expr, error) {
	if err := refuseCall(c); err != nil {
		return nil, err
	}
	name := c.Name.Base()
	if c.SQLSyntax {
		if bound, err, ok := x.keyword(c, name); ok {
			return bound, err
		}
	} else if agg.IsAggregate(name) && isSystemSchema(c.Name.Schema()) && (!c.Star || name == "count") {
		return x.aggregate(c, name)
	}
	for what, given := range map[string]bool{"DISTINCT": c.Distinct, "FILTER": c.Filter != nil, "ORDER BY": len(c.OrderBy) > 0} {
		if given {
			return nil, sql.Errorf(sql.CodeWrongObjectType, "%s specified, but %s is not an aggregate function", what, name)
		}
	}
	if c.Star {
		return nil, sql.Errorf(sql.CodeUndefinedFunction, "function %s() does not exist", name).
			WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
	}
	if isTableFunction(name) && !expr.FunctionExists(name) {
		return nil, sql.Unsupported("the set-returning function "+name+" outside FROM", "Write it in FROM.")
	}
	args, err := x.bindAll(c.Args)
	if err != nil {
		return nil, err
	}
	if !isSystemSchema(c.Name.Schema()) {
		return nil, sql.Errorf(sql.CodeUndefinedFunction, "function %s does not exist", c.Name)
	}
	return x.function(name, args)
}

// function calls a scalar function. What asks the session has no answer in a job.
func (x *exprBinder) function(name string, args []expr.Expr) (expr.Expr, error) {
	e, err := expr.Call(name, args)
	if err == nil && x.b.stream && expr.NeedsSession(e) {
		return nil, sql.Unsupported(name+"() in a query that is kept up to date", "A job has no session: compute it in the query that reads the result.")
	}
	return e, err
}

func isSystemSchema(schema string) bool {
	return schema == "" || schema == "pg_catalog" || schema == "information_schema"
}

// refuseCall names the parts of a call that are recognised and not executed.
func refuseCall(c *ast.Call) error {
	switch {
	case c.Over != nil:
		return sql.Unsupported("a window function (OVER)", "Use a GROUP BY over TUMBLE or HOP.")
	case c.WithinGroup:
		return sql.Unsupported("WITHIN GROUP", "")
	case c.Nulls != "":
		return sql.Unsupported(c.Nulls+" NULLS", "")
	case c.Variadic:
		return sql.Unsupported("VARIADIC", "Give the arguments one by one.")
	}
	for _, n := range c.ArgNames {
		if n != "" {
			return sql.Unsupported("a named argument", "Give the arguments by position.")
		}
	}
	return nil
}

// keyword binds the functions whose names are keywords of the grammar; ok is false for those that
// are looked up like any other.
func (x *exprBinder) keyword(c *ast.Call, name string) (e expr.Expr, err error, ok bool) {
	switch name {
	case "grouping":
		return nil, sql.Unsupported("GROUPING", ""), true
	case "coalesce", "nullif", "greatest", "least":
		args, err := x.bindAll(c.Args)
		if err != nil {
			return nil, err, true
		}
		switch name {
		case "coalesce":
			e, err = expr.Coalesce(args...)
		case "nullif":
			e, err = expr.NullIf(args[0], args[1])
		case "greatest":
			e, err = expr.Greatest(args...)
		case "least":
			e, err = expr.Least(args...)
		}
		return e, x.common(err, strings.ToUpper(name), args, c.Args), true
	case "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp":
		e, err = x.currentTime(c, name)
		return e, err, true
	case "user", "session_user", "current_role":
		e, err = x.function("current_user", nil)
		return e, err, true
	case "current_catalog":
		e, err = x.function("current_database", nil)
		return e, err, true
	}
	return nil, nil, false
}

// currentTime is now(), cut to what the keyword gives.
func (x *exprBinder) currentTime(c *ast.Call, name string) (expr.Expr, error) {
	var t sql.Type
	switch name {
	case "current_timestamp":
		t = sql.TypeTimestamptz
	case "localtimestamp":
		t = sql.TypeTimestamp
	case "current_date":
		t = sql.TypeDate
	case "localtime":
		t = sql.TypeTime
	default:
		return nil, sql.Unsupported("current_time", "There is no time with time zone: use localtime.")
	}
	now, err := expr.Call("now", nil)
	if err != nil {
		return nil, err
	}
	if t.Kind == sql.Time { // by way of the timestamp, as there is no cast from timestamptz in fewer steps
		if now, err = expr.CastTo(now, sql.TypeTimestamp, expr.Explicit); err != nil {
			return nil, err
		}
	}
	if len(c.Args) > 0 {
		if l, ok := c.Args[0].(*ast.Literal); ok && len(l.Value) == 1 && l.Value[0] <= '6' {
			t.Precision = int32(l.Value[0]-'0') + 1
		}
	}
	return expr.CastTo(now, t, expr.Explicit)
}

// aggregate binds an aggregate call.
func (x *exprBinder) aggregate(c *ast.Call, name string) (expr.Expr, error) {
	if x.inCall {
		return nil, sql.Errorf(sql.CodeGrouping, "aggregate function calls cannot be nested")
	}
	if x.group == nil {
		return nil, sql.Errorf(sql.CodeGrouping, "aggregate functions are not allowed in %s", x.place())
	}
	inner := *x
	inner.inCall = true
	g := groupCall{name: name, distinct: c.Distinct}
	var err error
	if g.args, err = inner.bindAll(c.Args); err != nil {
		return nil, err
	}
	types := make([]sql.Type, len(g.args))
	for i, a := range g.args {
		if a.Type().Kind == sql.Unknown {
			if g.args[i], err = expr.CastTo(a, sql.TypeText, expr.Implicit); err != nil {
				return nil, err
			}
		}
		types[i] = g.args[i].Type()
	}
	if len(c.Args) == 0 && !c.Star && name == "count" {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "count(*) must be used to call a parameterless aggregate function")
	}
	if g.fn, err = agg.Lookup(name, types, c.Star); err != nil {
		return nil, err
	}
	if c.Filter != nil {
		filter := inner
		filter.clause, filter.inCall, filter.group = "FILTER", false, nil
		if g.filter, err = filter.condition(c.Filter, "FILTER"); err != nil {
			return nil, err
		}
	}
	for _, key := range c.OrderBy {
		item, err := newSortItem(key)
		if err != nil {
			return nil, err
		}
		if item.expr, err = inner.bind(key.X); err != nil {
			return nil, err
		}
		if item.expr.Type().Kind == sql.Unknown {
			continue // a constant: no order at all
		}
		g.order = append(g.order, item)
	}
	if c.Distinct && len(g.order) > 0 {
		for _, o := range g.order {
			if len(g.args) == 0 || !same(o.expr, g.args[0]) {
				return nil, sql.Errorf("42P10", "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list").At(o.pos)
			}
		}
	}
	return x.group.addCall(g, c.Pos())
}

// place is the clause as it is called in errors about aggregates.
func (x *exprBinder) place() string {
	if x.clause == "JOIN/ON" {
		return "JOIN conditions"
	}
	return x.clause
}

// columnName is the name that PostgreSQL gives to a column of a select list without an alias.
func columnName(e ast.Expr) string {
	if name, _ := figureName(e); name != "" {
		return name
	}
	return "?column?"
}

// figureName returns a name and whether it is a strong one: that of a column or a function, not of
// a type.
func figureName(e ast.Expr) (name string, strong bool) {
	switch e := e.(type) {
	case *ast.ColumnRef:
		return e.Parts[len(e.Parts)-1], true
	case *ast.Call:
		return e.Name.Base(), true
	case *ast.Field:
		return e.Name, true
	case *ast.Index:
		return figureName(e.X)
	case *ast.Collate:
		return figureName(e.X)
	case *ast.AtTimeZone:
		return "timezone", true
	case *ast.Cast:
		if name, strong := figureName(e.X); strong {
			return name, true
		}
		return e.Type.Name.Base(), false
	case *ast.Case:
		if e.Else != nil {
			if name, strong := figureName(e.Else); strong {
				return name, true
			}
		}
		return "case", false
	case *ast.ArrayExpr, *ast.ArrayQuery:
		return "array", true
	case *ast.RowExpr:
		return "row", true
	case *ast.Exists:
		return "exists", true
	case *ast.Subquery:
		if sel, ok := e.Query.Body.(*ast.Select); ok && len(sel.Targets) > 0 {
			if t := sel.Targets[0]; t.Alias != "" {
				return strings.Clone(t.Alias), true
			}
			return figureName(sel.Targets[0].X)
		}
	}
	return "", false
}

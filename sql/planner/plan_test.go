package planner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// TestPlans runs the scripts of testdata/plans. A command is define (CREATE statements), or what a
// statement is planned for: batch, view, sink [append-only], subscribe. Arguments: verbose; types
// (also prints the result's columns and the parameters).
func TestPlans(t *testing.T) {
	datadriven.Walk(t, "testdata/plans", func(t *testing.T, path string) {
		catalog := newTestCatalog()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "define" {
				if err := catalog.defineAll(d.Input); err != nil {
					return printError(err)
				}
				return ""
			}
			purpose := Purpose{Target: map[string]Target{"batch": Batch, "view": ToView, "sink": ToSink, "subscribe": Subscribe}[d.Cmd]}
			purpose.AppendOnly = d.HasArg("append-only")
			out, err := planText(catalog, d.Input, purpose, d)
			if err != nil {
				return printError(err)
			}
			return out
		})
	})
}

func printError(err error) string {
	e := sql.AsError(err)
	out := fmt.Sprintf("error (%s)", e.Code)
	if e.Position > 0 {
		out += fmt.Sprintf(" at %d", e.Position)
	}
	out += ": " + e.Message + "\n"
	if e.Detail != "" {
		out += "DETAIL: " + e.Detail + "\n"
	}
	if e.Hint != "" {
		out += "HINT: " + e.Hint + "\n"
	}
	return out
}

func planText(c *testCatalog, src string, purpose Purpose, d *datadriven.TestData) (string, error) {
	stmt, err := parser.ParseOne(src)
	if err != nil {
		return "", err
	}
	env := testEnv(c)
	var p *Plan
	var extra []string
	switch s := stmt.(type) {
	case *ast.Query:
		p, err = PlanQuery(env, s, purpose)
	case *ast.Insert:
		var ins *Insert
		if ins, err = PlanInsert(env, s, purpose); err == nil {
			p, extra = ins.Query, describeInsert(ins)
		}
	case *ast.Update:
		var ch *Change
		if ch, err = PlanUpdate(env, s); err == nil {
			p, extra = ch.Query, describeReturning(ch.Returning, ch.Result)
		}
	case *ast.Delete:
		var ch *Change
		if ch, err = PlanDelete(env, s); err == nil {
			p, extra = ch.Query, describeReturning(ch.Returning, ch.Result)
		}
	default:
		return "", fmt.Errorf("cannot plan a %T", s)
	}
	if err != nil {
		return "", err
	}
	lines := append(p.Explain(d.HasArg("verbose")), extra...)
	if d.HasArg("types") {
		lines = append(lines, "result: "+describeColumns(p.Columns))
		for i, t := range p.Params {
			lines = append(lines, fmt.Sprintf("$%d: %s", i+1, t))
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

func describeInsert(ins *Insert) []string {
	var names, omitted []string
	for _, c := range ins.Columns {
		names = append(names, ins.Relation.Columns[c].Name)
	}
	for _, c := range ins.Omitted {
		omitted = append(omitted, ins.Relation.Columns[c].Name)
	}
	lines := []string{"writes (" + strings.Join(names, ", ") + "), omitted (" + strings.Join(omitted, ", ") + ")"}
	if c := ins.Conflict; c != nil {
		lines = append(lines, fmt.Sprintf("on conflict %v set %s", c.Columns, describeAll(c.Set, ", ")))
	}
	return append(lines, describeReturning(ins.Returning, ins.Result)...)
}

func describeReturning(exprs []expr.Expr, cols sql.Schema) []string {
	if exprs == nil {
		return nil
	}
	return []string{"returning " + describeAll(exprs, ", ") + " as " + describeColumns(cols)}
}

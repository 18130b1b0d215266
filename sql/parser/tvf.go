package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// windowFuncAhead tells whether TUMBLE(, HOP(, CUMULATE( or SESSION( comes next. In FROM these are
// always the window functions.
func (p *parser) windowFuncAhead() bool {
	return p.isAny("tumble", "hop", "cumulate", "session") && p.at(1).is("(")
}

// tableFunction parses Flink's TABLE(f(…)), which began at pos.
func (p *parser) tableFunction(pos ast.Position, lateral bool) ast.From {
	p.expect("table", "(")
	if p.windowFuncAhead() {
		w := p.windowCall()
		p.expect(")")
		w.Alias, w.Cols = p.alias()
		return w
	}
	f := &ast.FuncRef{Position: pos, Lateral: lateral}
	if !p.funcAhead() {
		p.fail()
		return f
	}
	f.Calls = []*ast.FuncItem{p.funcExpr()}
	p.expect(")")
	p.funcAlias(f)
	return f
}

// windowTVF parses RisingWave's spelling, which is a table by itself.
func (p *parser) windowTVF() ast.From {
	w := p.windowCall()
	w.Alias, w.Cols = p.alias()
	return w
}

// windowArgs are the arguments of the window functions, in order; "?" marks one that may be left out.
var windowArgs = map[ast.WindowKind][]string{
	ast.Tumble:   {"data", "timecol", "size", "offset?"},
	ast.Hop:      {"data", "timecol", "slide", "size", "offset?"},
	ast.Cumulate: {"data", "timecol", "step", "size", "offset?"},
	ast.Session:  {"data", "timecol", "gap"},
}

// windowCall parses TUMBLE(…) and its kin, with positional or named arguments.
func (p *parser) windowCall() *ast.WindowTVF {
	w := &ast.WindowTVF{Position: p.position()}
	w.Kind = ast.WindowKind(p.label())
	args := windowArgs[w.Kind]
	given := map[string]bool{}
	p.expect("(")
	for next := 0; p.err == nil; next++ {
		name := ""
		switch {
		case p.at(1).is("=>"):
			name = p.label()
			p.skip(1)
		case next < len(args):
			name = optional(args[next])
		}
		if given[name] || !p.windowArg(w, args, name) {
			p.fail()
		}
		given[name] = true
		if !p.accept(",") {
			break
		}
	}
	for _, a := range args {
		if a == optional(a) && !given[a] {
			p.failWith(sql.Errorf(sql.CodeSyntaxError, "%s requires argument %q", w.Kind, a).At(w.Pos()))
		}
	}
	p.expect(")")
	return w
}

func optional(arg string) string {
	if n := len(arg) - 1; arg[n] == '?' {
		return arg[:n]
	}
	return arg
}

// windowArg parses the argument of this name; false if the function has none such.
func (p *parser) windowArg(w *ast.WindowTVF, args []string, name string) bool {
	for _, a := range args {
		if optional(a) != name {
			continue
		}
		switch name {
		case "data":
			p.windowInput(w)
		case "timecol":
			w.TimeCol = p.timeColumn()
		case "slide", "step":
			p.expr(&w.Slide)
		case "size", "gap":
			p.expr(&w.Size)
		case "offset":
			p.expr(&w.Offset)
		}
		return true
	}
	return false
}

// windowInput parses TABLE t [PARTITION BY …], t or (query).
func (p *parser) windowInput(w *ast.WindowTVF) {
	pos := p.position()
	if p.atQuery() {
		w.Input = &ast.SubqueryRef{Position: pos, Query: p.parenQuery()}
		return
	}
	table := p.accept("table")
	if table && p.atQuery() {
		w.Input = &ast.SubqueryRef{Position: pos, Query: p.parenQuery()}
	} else {
		w.Input = &ast.TableRef{Position: p.position(), Name: p.qualifiedName()}
	}
	w.PartitionBy = p.argPartition()
}

// timeColumn parses DESCRIPTOR(ts) or ts.
func (p *parser) timeColumn() *ast.ColumnRef {
	c := &ast.ColumnRef{}
	if p.accept("descriptor", "(") {
		c.Position = p.position()
		c.Parts = p.qualifiedName()
		p.expect(")")
		return c
	}
	c.Position = p.position()
	c.Parts = p.qualifiedName()
	return c
}

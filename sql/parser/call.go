package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// call parses the arguments of function n and everything that may follow them.
func (p *parser) call(pos ast.Position, n ast.Name) ast.Expr {
	x := &ast.Call{Position: pos, Name: n}
	p.expect("(")
	if x.Star = p.accept("*"); !x.Star && !p.is(")") {
		if x.Distinct = p.accept("distinct"); !x.Distinct {
			p.accept("all")
		}
		p.args(x)
		if p.accept("order") {
			p.expect("by")
			x.OrderBy = p.sortKeys()
		}
	}
	p.expect(")")
	p.afterCall(x)
	return x
}

// afterCall parses WITHIN GROUP, FILTER, IGNORE NULLS and OVER.
func (p *parser) afterCall(x *ast.Call) {
	if p.is("within", "group") {
		if x.OrderBy != nil {
			p.failWith(sql.Errorf(sql.CodeSyntaxError,
				"cannot use multiple ORDER BY clauses with WITHIN GROUP").At(p.pos()))
		}
		p.skip(2)
		p.expect("(", "order", "by")
		x.OrderBy, x.WithinGroup = p.sortKeys(), true
		p.expect(")")
	}
	if p.is("filter", "(") {
		p.skip(2)
		p.expect("where")
		p.expr(&x.Filter)
		p.expect(")")
	}
	switch {
	case p.accept("ignore", "nulls"):
		x.Nulls = "IGNORE"
	case p.accept("respect", "nulls"):
		x.Nulls = "RESPECT"
	}
	if p.accept("over") {
		x.Over = p.over()
	}
}

// args parses arguments: positional, name => value, VARIADIC last.
func (p *parser) args(x *ast.Call) {
	type arg struct {
		name string
		v    value
	}
	var args []arg
	for first := true; first || !x.Variadic && p.accept(","); first = false {
		var a arg
		if t := p.at(1); p.tok().isLabel() && (t.is("=>") || t.is(":=")) {
			a.name = p.label()
			p.skip(1)
		}
		x.Variadic = p.accept("variadic") // nothing follows it
		a.v = p.arg()
		args = append(args, a)
	}
	x.Args = make([]ast.Expr, len(args))
	for k, a := range args {
		a.v.into(&x.Args[k])
		if a.name != "" {
			if x.ArgNames == nil {
				x.ArgNames = make([]string, len(args))
			}
			x.ArgNames[k] = a.name
		}
	}
}

// arg parses an argument, which in Flink may be TABLE t.
func (p *parser) arg() value {
	if p.is("table") && p.at(1).isName() {
		x := &ast.TableArg{Position: p.position()}
		p.skip(1)
		x.Name = p.qualifiedName()
		x.PartitionBy = p.argPartition()
		x.OrderBy = p.argOrder()
		return value{x: x}
	}
	return p.full()
}

// argOrder parses ORDER BY of a table argument, like argPartition.
func (p *parser) argOrder() []*ast.SortKey {
	switch {
	case !p.accept("order", "by"):
		return nil
	case p.is("("):
		return parens(p, p.sortKeys)
	}
	return []*ast.SortKey{p.sortKey()}
}

// argPartition parses PARTITION BY a or (a, b) of a table argument: without parentheses a comma
// ends the argument.
func (p *parser) argPartition() []ast.Expr {
	switch {
	case !p.accept("partition", "by"):
		return nil
	case p.is("("):
		return p.parenExprs()
	}
	out := make([]ast.Expr, 1)
	p.expr(&out[0])
	return out
}

// sortKeys parses the list after ORDER BY.
func (p *parser) sortKeys() []*ast.SortKey {
	return list(p, p.sortKey)
}

func (p *parser) sortKey() *ast.SortKey {
	k := &ast.SortKey{Position: p.position()}
	p.expr(&k.X)
	p.sortOrder(k)
	return k
}

func (p *parser) sortOrder(k *ast.SortKey) {
	switch {
	case p.accept("desc"):
		k.Desc = true
	case p.accept("using"):
		if p.is("operator", "(") {
			var o operator
			p.operatorName(&o)
			k.Using = o.name
			break
		}
		if !p.tok().isOperator() {
			p.fail()
		}
		k.Using = p.tok().text
		p.skip(1)
	default:
		p.accept("asc")
	}
	switch {
	case p.accept("nulls", "first"):
		k.Nulls = "FIRST"
	case p.accept("nulls", "last"):
		k.Nulls = "LAST"
	}
}

// over parses what follows OVER.
func (p *parser) over() *ast.WindowSpec {
	if !p.is("(") {
		w := &ast.WindowSpec{Position: p.position()}
		w.Name = p.name()
		return w
	}
	return p.windowSpec()
}

// windowSpec parses ([base] [PARTITION BY …] [ORDER BY …] [frame]).
func (p *parser) windowSpec() *ast.WindowSpec {
	w := &ast.WindowSpec{Position: p.position()}
	p.expect("(")
	// These words begin a clause here, though each could name a window.
	if p.tok().isName() && !p.isAny("partition", "rows", "range", "groups") {
		w.Base = p.name()
	}
	if p.accept("partition") {
		p.expect("by")
		w.PartitionBy = p.exprs()
	}
	if p.accept("order") {
		p.expect("by")
		w.OrderBy = p.sortKeys()
	}
	if p.isAny("rows", "range", "groups") {
		w.Frame = p.frame()
	}
	p.expect(")")
	return w
}

func (p *parser) frame() *ast.Frame {
	f := &ast.Frame{Position: p.position()}
	switch p.acceptAny("rows", "range", "groups") {
	case "rows":
		f.Unit = "ROWS"
	case "range":
		f.Unit = "RANGE"
	case "groups":
		f.Unit = "GROUPS"
	}
	if p.accept("between") {
		f.Start = p.bound()
		p.expect("and")
		f.End = p.bound()
		p.checkFrame(f)
	} else {
		f.Start = p.bound()
		f.End = &ast.Bound{Kind: ast.BoundCurrentRow}
		p.checkFrameStart(f.Start)
		if f.Start.Kind == ast.BoundFollowing {
			p.badFrame(f.Start, "frame starting from following row cannot end with current row")
		}
	}
	if p.accept("exclude") {
		switch {
		case p.accept("current", "row"):
			f.Exclude = "CURRENT ROW"
		case p.accept("no", "others"):
			f.Exclude = "NO OTHERS"
		case p.accept("group"):
			f.Exclude = "GROUP"
		default:
			p.expect("ties")
			f.Exclude = "TIES"
		}
	}
	return f
}

func (p *parser) bound() *ast.Bound {
	b := &ast.Bound{Position: p.position()}
	switch {
	case p.accept("current", "row"):
		b.Kind = ast.BoundCurrentRow
		return b
	case p.accept("unbounded"):
		b.Kind = "UNBOUNDED "
	default:
		p.expr(&b.X)
	}
	switch p.expectAny("preceding", "following") {
	case "preceding":
		b.Kind += ast.BoundPreceding
	case "following":
		b.Kind += ast.BoundFollowing
	}
	return b
}

// checkFrame refuses frames that end before they start, as PostgreSQL's grammar does.
func (p *parser) checkFrame(f *ast.Frame) {
	p.checkFrameStart(f.Start)
	ends := f.End.Kind
	switch {
	case ends == ast.BoundUnboundedPreceding:
		p.badFrame(f.End, "frame end cannot be UNBOUNDED PRECEDING")
	case f.Start.Kind == ast.BoundCurrentRow && ends == ast.BoundPreceding:
		p.badFrame(f.End, "frame starting from current row cannot have preceding rows")
	case f.Start.Kind == ast.BoundFollowing && (ends == ast.BoundPreceding || ends == ast.BoundCurrentRow):
		p.badFrame(f.End, "frame starting from following row cannot have preceding rows")
	}
}

func (p *parser) checkFrameStart(b *ast.Bound) {
	if b.Kind == ast.BoundUnboundedFollowing {
		p.badFrame(b, "frame start cannot be UNBOUNDED FOLLOWING")
	}
}

func (p *parser) badFrame(b *ast.Bound, msg string) {
	p.failWith(sql.Errorf("42P20", "%s", msg).At(b.Pos()))
}

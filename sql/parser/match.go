package parser

import (
	"strconv"

	"github.com/streamsql/streamsql/sql/parser/ast"
)

// matchRecognize parses MATCH_RECOGNIZE (…) [AS alias] after its input.
func (p *parser) matchRecognize(input ast.From) ast.From {
	m := &ast.MatchRecognize{Position: p.position(), Input: input}
	p.expect("match_recognize", "(")
	if p.accept("partition") {
		p.expect("by")
		m.PartitionBy = p.exprs()
	}
	if p.accept("order") {
		p.expect("by")
		m.OrderBy = p.sortKeys()
	}
	if p.accept("measures") {
		m.Measures = list(p, func() *ast.Target {
			t := &ast.Target{Position: p.position()}
			p.expr(&t.X)
			p.expect("as")
			t.Alias = p.name()
			return t
		})
	}
	switch p.acceptAny("one", "all") {
	case "one":
		p.expect("row", "per", "match")
	case "all":
		p.expect("rows", "per", "match")
		m.AllRows = true
	}
	if p.accept("after") {
		p.expect("match", "skip")
		p.matchSkip(m)
	}
	p.expect("pattern", "(")
	m.Pattern = p.patternAlt()
	p.expect(")")
	if p.accept("within") {
		p.expr(&m.Within)
	}
	for p.accept("subset") {
		m.Subsets = append(m.Subsets, list(p, p.subset)...)
	}
	p.expect("define")
	m.Define = list(p, func() *ast.Target {
		t := &ast.Target{Position: p.position()}
		t.Alias = p.name()
		p.expect("as")
		p.expr(&t.X)
		return t
	})
	p.expect(")")
	m.Alias, m.Cols = p.alias()
	return m
}

func (p *parser) matchSkip(m *ast.MatchRecognize) {
	switch {
	case p.accept("past", "last", "row"):
		m.Skip = "PAST LAST ROW"
	case p.accept("to", "next", "row"):
		m.Skip = "TO NEXT ROW"
	case p.accept("to", "first"):
		m.Skip, m.SkipTo = "TO FIRST", p.name()
	default:
		p.expect("to")
		p.accept("last") // SKIP TO x is SKIP TO LAST x
		m.Skip, m.SkipTo = "TO LAST", p.name()
	}
}

func (p *parser) subset() *ast.Subset {
	s := &ast.Subset{Position: p.position()}
	s.Name = p.name()
	p.expect("=")
	s.Vars = p.names()
	return s
}

// patternAlt parses a | b | ….
func (p *parser) patternAlt() *ast.Pattern {
	pos := p.position()
	first := p.patternSeq()
	if t := p.tok(); t.kind != op || t.text[0] != '|' {
		return first
	}
	alt := &ast.Pattern{Position: pos, Kind: ast.PatternAlt, Items: []*ast.Pattern{first}}
	for p.acceptPrefix("|") {
		alt.Items = append(alt.Items, p.patternSeq())
	}
	return alt
}

// patternSeq parses a b c…, perhaps nothing.
func (p *parser) patternSeq() *ast.Pattern {
	seq := &ast.Pattern{Position: p.position(), Kind: ast.PatternSeq}
	if !p.enter() {
		return seq
	}
	defer p.leave()
	for p.tok().isName() || p.isAny("(", "{") {
		seq.Items = append(seq.Items, p.patternFactor())
	}
	if len(seq.Items) == 1 {
		return seq.Items[0]
	}
	return seq
}

func (p *parser) patternFactor() *ast.Pattern {
	x := p.patternPrimary()
	r := &ast.Pattern{Position: p.position(), Kind: ast.PatternRepeat, Max: -1, Items: []*ast.Pattern{x}}
	switch {
	case p.acceptPrefix("*"):
	case p.acceptPrefix("+"):
		r.Min = 1
	case p.acceptPrefix("?"):
		r.Max = 1
	case p.is("{") && !p.at(1).is("-"):
		p.patternCount(r)
	default:
		return x
	}
	r.Reluctant = p.acceptPrefix("?")
	return r
}

// patternCount parses {n}, {n,}, {,m} or {n,m}.
func (p *parser) patternCount(r *ast.Pattern) {
	p.expect("{")
	if p.tok().kind == num {
		r.Min = p.count()
	}
	if !p.accept(",") {
		r.Max = r.Min
	} else if p.tok().kind == num {
		r.Max = p.count()
	}
	p.expect("}")
}

func (p *parser) count() int {
	n, err := strconv.Atoi(p.tok().text)
	if err != nil {
		p.fail()
		return 0
	}
	p.skip(1)
	return n
}

func (p *parser) patternPrimary() *ast.Pattern {
	x := &ast.Pattern{Position: p.position()}
	switch {
	case p.accept("("):
		x = p.patternAlt()
		p.expect(")")
	case p.accept("{"):
		p.expect("-")
		x.Kind = ast.PatternExclude
		x.Items = []*ast.Pattern{p.patternAlt()}
		p.expect("-", "}")
	case p.accept("permute", "("):
		x.Kind = ast.PatternPermute
		x.Items = list(p, p.patternAlt)
		p.expect(")")
	default:
		x.Kind, x.Name = ast.PatternVar, p.name()
	}
	return x
}

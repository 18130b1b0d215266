package parser

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// parser is a cursor over the tokens of one source.
//
// Errors are sticky: the first one is kept and the cursor moves to the end, where nothing matches
// any more. Productions therefore go on without looking at errors; every loop in them ends at eof.
type parser struct {
	src       string
	toks      []token
	i         int
	err       *sql.Error
	depth     int
	where     place // of the expression being parsed
	fragments []*fragment
}

// maxDepth bounds the nesting of expressions, queries, types and joins.
const maxDepth = 500

const endOfInput = "syntax error at end of input"

func (p *parser) tok() *token { return &p.toks[p.i] }

// at returns the token k after the current one, eof beyond the end.
func (p *parser) at(k int) *token { return &p.toks[min(p.i+k, len(p.toks)-1)] }

func (p *parser) pos() int               { return int(p.tok().pos) }
func (p *parser) position() ast.Position { return ast.At(p.pos()) }

// lastEnd is where the token before the current one ends.
func (p *parser) lastEnd() int { return int(p.toks[max(p.i-1, 0)].end) }

// skip moves n tokens on, but never past eof.
func (p *parser) skip(n int) { p.i = min(p.i+n, len(p.toks)-1) }

// is tells whether t is this keyword or operator.
func (t *token) is(w string) bool { return t.text == w && (t.kind == word || t.kind == op) }

// is tells whether the next tokens are these keywords and operators.
func (p *parser) is(ws ...string) bool {
	for k, w := range ws {
		if !p.at(k).is(w) {
			return false
		}
	}
	return true
}

// isAny tells whether the current token is one of these keywords or operators.
func (p *parser) isAny(ws ...string) bool { return p.tok().isAny(ws...) }

func (t *token) isAny(ws ...string) bool {
	for _, w := range ws {
		if t.is(w) {
			return true
		}
	}
	return false
}

// accept skips these tokens if all of them come next.
func (p *parser) accept(ws ...string) bool {
	if !p.is(ws...) {
		return false
	}
	p.i += len(ws)
	return true
}

// acceptPrefix skips the first character of an operator: the lexer makes one token of >> in
// ARRAY<ROW<a INT>> and of +?| in the pattern A+?|B.
func (p *parser) acceptPrefix(c string) bool {
	t := p.tok()
	if t.kind != op || t.text[:1] != c {
		return false
	}
	if t.text == c {
		p.skip(1)
		return true
	}
	t.text = t.text[1:]
	t.pos++
	return true
}

// expect skips these tokens and fails at the first that is not there.
func (p *parser) expect(ws ...string) {
	for _, w := range ws {
		if !p.accept(w) {
			p.fail()
		}
	}
}

// acceptAny skips one of these keywords and returns it, or "".
func (p *parser) acceptAny(ws ...string) string {
	for _, w := range ws {
		if p.accept(w) {
			return w
		}
	}
	return ""
}

// expectAny is acceptAny that fails.
func (p *parser) expectAny(ws ...string) string {
	w := p.acceptAny(ws...)
	if w == "" {
		p.fail()
	}
	return w
}

// fail reports a syntax error at the current token.
func (p *parser) fail() { p.failAt(p.tok()) }

func (p *parser) failAt(t *token) {
	if t.kind == eof {
		p.failWith(sql.Errorf(sql.CodeSyntaxError, endOfInput).At(len(p.src)))
		return
	}
	text := clip(p.src[t.pos:t.end])
	p.failWith(sql.Errorf(sql.CodeSyntaxError, "syntax error at or near \"%s\"", text).At(int(t.pos)))
}

func (p *parser) failWith(err *sql.Error) {
	if p.err == nil {
		p.err = err
	}
	p.i = len(p.toks) - 1
}

// enter counts a level of nesting; leave must follow if it returns true.
func (p *parser) enter() bool {
	if p.depth == maxDepth {
		p.failWith(sql.Errorf(sql.CodeStatementTooComplex, "stack depth limit exceeded").At(p.pos()).
			WithHint("Expressions, queries and types nest at most %d levels deep.", maxDepth))
		return false
	}
	p.depth++
	return true
}

func (p *parser) leave() { p.depth-- }

// maxChain bounds what follows one another without nesting in the source but nests in the tree:
// a + b + c, a::b::c, a JOIN b JOIN c, UNION after UNION.
const maxChain = 10_000

// link counts the links of a chain; false if there are too many.
func (p *parser) link(n *int) bool {
	if *n++; *n > maxChain {
		p.failWith(sql.Errorf(sql.CodeStatementTooComplex, "stack depth limit exceeded").At(p.pos()).
			WithHint("At most %d operators, casts, joins or set operations may follow one another.", maxChain))
	}
	return *n <= maxChain
}

// isName tells whether t can name a column or a table (PostgreSQL's ColId).
func (t *token) isName() bool {
	return t.kind == quoted || t.kind == word && !reserved.has(t.text) && !typeFunc.has(t.text)
}

// isLabel tells whether t can stand after AS or a dot (ColLabel).
func (t *token) isLabel() bool { return t.kind == quoted || t.kind == word }

// isBareLabel tells whether t can name a select item without AS (BareColLabel).
func (t *token) isBareLabel() bool {
	return t.kind == quoted || t.kind == word && !asLabel.has(t.text)
}

// isTypeName tells whether t can name a type or a function.
func (t *token) isTypeName() bool { return t.kind == quoted || t.kind == word && !reserved.has(t.text) }

func (p *parser) take(ok bool) string {
	if !ok {
		p.fail()
		return ""
	}
	t := p.tok()
	p.i++
	return t.text
}

func (p *parser) name() string   { return p.take(p.tok().isName()) }
func (p *parser) label() string  { return p.take(p.tok().isLabel()) }
func (p *parser) string() string { return p.take(p.tok().kind == str) }
func (p *parser) number() string { return p.take(p.tok().kind == num) }

// written is the current token as it stands in the source if folding changed it, else "".
func (p *parser) written() string {
	t := p.tok()
	if text := p.src[t.pos:t.end]; t.kind == word && text != t.text {
		return text
	}
	return ""
}

// qualifiedName reads a.b.c.
func (p *parser) qualifiedName() ast.Name {
	n := ast.Name{p.name()}
	for p.accept(".") {
		n = append(n, p.label())
	}
	return n
}

// list reads one or more items separated by commas.
func list[T any](p *parser, item func() T) []T {
	out := []T{item()}
	for p.accept(",") {
		out = append(out, item())
	}
	return out
}

// parens reads what item reads inside parentheses.
func parens[T any](p *parser, item func() T) T {
	p.expect("(")
	v := item()
	p.expect(")")
	return v
}

// names reads (a, b, …).
func (p *parser) names() []string {
	return parens(p, func() []string { return list(p, p.name) })
}

func (p *parser) qualifiedNames() []ast.Name { return list(p, p.qualifiedName) }

// restOfStatement reads tokens up to the end of the statement and returns them separated by spaces.
func (p *parser) restOfStatement() string {
	var b []byte
	for depth := 0; p.tok().kind != eof && !(depth == 0 && p.is(";")); p.i++ {
		t := p.tok()
		if t.is("(") {
			depth++
		} else if t.is(")") {
			depth--
		}
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = append(b, p.src[t.pos:t.end]...)
	}
	return string(b)
}

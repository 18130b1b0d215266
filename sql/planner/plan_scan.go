package planner

import (
	"fmt"
	"slices"
	"time"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// scanOp reads a relation.
type scanOp struct {
	*scan
	follow bool
	// read are the columns to ask the relation for: those of scan.columns that are stored, and what
	// the generated ones are computed from; never nil, which would be all of them. exprs computes scan.columns from them; nil = they are
	// read as they are.
	read  []int
	exprs []expr.Expr
	// watermark is how event time is derived, nil = it is not. Its column is one of scan.columns.
	watermark *exec.WatermarkSpec
	text      string // the watermark's expression, for EXPLAIN
}

// scan plans a scan. One that stands in several places of the tree becomes one Physical.
func (p *physicalPlanner) scan(n *scan) (*Physical, error) {
	if planned := p.shared[n]; planned != nil {
		return planned, nil
	}
	op := &scanOp{scan: n, follow: p.purpose.streaming()}
	var err error
	if err = op.compute(); err != nil {
		return nil, err
	}
	c := Properties{Schema: n.schema(), StreamKey: keyIn(n), source: n.rel}
	if op.follow && !n.rel.AppendOnly {
		c.Mode = Retract
	}
	if at := watermarkColumn(n); at >= 0 && op.follow {
		if op.watermark, op.text, err = n.watermark(at); err != nil {
			return nil, err
		}
		c.Watermarks, c.timed = []int{at}, true
	}
	out := &Physical{Properties: c, op: op}
	if n.uses > 1 {
		p.shared[n] = out
	}
	return out, nil
}

// keyIn is the relation's key as columns of the scan, nil if one is not read.
func keyIn(n *scan) []int {
	var key []int
	for _, k := range n.rel.Key {
		at := slices.Index(n.columns, k)
		if at < 0 {
			return nil
		}
		key = append(key, at)
	}
	return key
}

// watermarkColumn is where the scan has the relation's event time, or -1.
func watermarkColumn(n *scan) int {
	if n.rel.Watermark == nil {
		return -1
	}
	return slices.Index(n.columns, n.rel.Watermark.Column)
}

// isComputed tells whether a column is computed whenever it is read. Generated columns of a table
// are computed when it is written.
func (r *Relation) isComputed(col int) bool {
	return r.Kind == Source && r.Columns[col].Generated != nil
}

// compute finds which columns to read and how to make the generated ones of them.
func (s *scanOp) compute() error {
	rel := s.rel
	s.read = []int{}
	plain := slices.IsSorted(s.columns)
	generated := map[int]expr.Expr{} // over all columns of the relation
	for _, c := range s.columns {
		if !rel.isComputed(c) {
			s.read = insert(s.read, c)
			continue
		}
		plain = false
		e, err := rel.generated(c)
		if err != nil {
			return err
		}
		generated[c] = e
		s.read = mergeColumns(s.read, []expr.Expr{e})
	}
	if plain {
		return nil
	}
	at := positions(len(rel.Columns), s.read)
	for _, c := range s.columns {
		e := generated[c]
		if e == nil {
			e = expr.Column(c, rel.Columns[c].Name, rel.Columns[c].Type)
		}
		s.exprs = append(s.exprs, renumber(e, at))
	}
	return nil
}

// generated is the expression of a computed column over the relation's columns; a computed column
// in it is replaced by its own expression.
func (r *Relation) generated(col int) (expr.Expr, error) {
	e, err := r.bindOwn(r.Columns[col].Generated, r.Columns[col].Type)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", r.Columns[col].Name, err)
	}
	exprs := make([]expr.Expr, len(r.Columns))
	for i, c := range r.Columns {
		exprs[i] = expr.Column(i, c.Name, c.Type)
		if r.isComputed(i) && i < col && slices.Contains(expr.Columns(e), i) {
			if exprs[i], err = r.generated(i); err != nil {
				return nil, err
			}
		}
	}
	return expr.Fold(substitute(e, exprs)), nil
}

// bindOwn binds an expression of the relation's definition over its columns.
func (r *Relation) bindOwn(e ast.Expr, t sql.Type) (expr.Expr, error) {
	s := make(sql.Schema, len(r.Columns))
	for i, c := range r.Columns {
		s[i] = c.Column
	}
	bound, err := BindExpr(&Env{}, e, s, "generation expression")
	if err != nil {
		return nil, err
	}
	if t.Kind == sql.Unknown {
		return bound, nil
	}
	return expr.CastTo(bound, t, expr.Assignment)
}

// watermark derives event time: column - interval in the usual case, any expression otherwise. `at`
// is the column within the scan.
func (n *scan) watermark(at int) (*exec.WatermarkSpec, string, error) {
	rel := n.rel
	text := ast.SQL(rel.Watermark.Expr)
	if d, ok := rel.delay(); ok {
		return &exec.WatermarkSpec{Column: at, Delay: d}, text, nil
	}
	e, err := rel.bindOwn(rel.Watermark.Expr, rel.Columns[rel.Watermark.Column].Type)
	if err != nil {
		return nil, "", fmt.Errorf("watermark of %s: %w", rel.QualifiedName(), err)
	}
	to := positions(len(rel.Columns), n.columns)
	for _, c := range expr.Columns(e) {
		if to[c] < 0 {
			return nil, "", sql.Unsupported("a watermark over columns besides its own", "Write WATERMARK FOR ts AS ts - INTERVAL '…'.")
		}
	}
	return &exec.WatermarkSpec{Column: at, Expr: renumber(e, to)}, text, nil
}

// delay recognises a watermark of the form column or column - interval.
func (r *Relation) delay() (time.Duration, bool) {
	isColumn := func(e ast.Expr) bool {
		ref, ok := e.(*ast.ColumnRef)
		return ok && ref.Parts[len(ref.Parts)-1] == r.Columns[r.Watermark.Column].Name
	}
	if isColumn(r.Watermark.Expr) {
		return 0, true
	}
	b, ok := r.Watermark.Expr.(*ast.Binary)
	if !ok || b.Op != "-" || !isColumn(b.L) {
		return 0, false
	}
	e, err := BindExpr(&Env{}, b.R, nil, "WATERMARK")
	if err != nil {
		return 0, false
	}
	d, _ := expr.LiteralDatum(expr.Fold(e))
	v, ok := d.(sql.IntervalValue)
	if !ok || v.Months != 0 || v.Days < 0 || v.Micros < 0 || v.Days > 365*100 {
		return 0, false
	}
	return time.Duration(v.Days)*24*time.Hour + time.Duration(v.Micros)*time.Microsecond, true
}

func (s *scanOp) name() string { return "Scan" }

func (s *scanOp) detail(*Physical) string {
	d := s.rel.QualifiedName()
	if c := s.rel.Options["connector"]; c != "" {
		d += " (" + c + ")"
	}
	if s.uses > 1 {
		d += ", read once for " + itoa(s.uses) + " branches"
	}
	if s.lookup != nil {
		d += ", key " + s.lookup.describe(s.rel)
	}
	if s.limit != nil {
		d += ", limit " + describeCount(s.limit)
	}
	if s.watermark != nil {
		d += ", watermark " + s.text
	}
	names := make([]string, len(s.read))
	for i, c := range s.read {
		names[i] = sql.QuoteIdent(s.rel.Columns[c].Name)
	}
	return d + ", columns (" + joinNames(names) + ")"
}

func (l *lookup) describe(rel *Relation) string {
	var parts []string
	name := func(i int) string { return sql.QuoteIdent(rel.Columns[rel.Key[i]].Name) }
	for i, e := range l.prefix {
		parts = append(parts, name(i)+" = "+e.String())
	}
	for i, b := range []*keyBound{l.lo, l.hi} {
		if b != nil {
			op := [...]string{">", "<"}[i]
			if b.inclusive {
				op += "="
			}
			parts = append(parts, name(len(l.prefix))+" "+op+" "+b.value.String())
		}
	}
	return joinAnd(parts)
}

// build makes the fragment that reads. If several branches do, each goes on in a fragment of its own.
func (s *scanOp) build(g *graph, p *Physical, _ []*exec.Fragment) (*exec.Fragment, error) {
	if s.uses < 2 {
		return s.leaf(g, p)
	}
	leaf := g.shared[s]
	if leaf == nil {
		var err error
		if leaf, err = s.leaf(g, p); err != nil {
			return nil, err
		}
		g.shared[s] = leaf
	}
	return g.branch(leaf, p.Schema), nil
}

func (s *scanOp) leaf(g *graph, p *Physical) (*exec.Fragment, error) {
	request := &Scan{Relation: s.rel, Columns: s.read, Follow: s.follow, Limit: -1}
	var err error
	if s.lookup != nil {
		if request.Range, err = s.lookup.evaluate(g); err != nil {
			return nil, err
		}
	}
	if s.limit != nil {
		d, err := g.datum(s.limit)
		if err != nil {
			return nil, err
		}
		if n, ok := d.(int64); ok {
			request.Limit = n
		}
	}
	spec, tasks, err := g.rt.Open(request)
	if err != nil {
		return nil, err
	}
	spec.Schema = p.Schema
	if spec.Name == "" {
		spec.Name = s.rel.Name
	}
	spec.Bounded = spec.Bounded || !s.follow
	template := spec.Watermark
	if spec.Watermark = nil; s.watermark != nil {
		w := *s.watermark
		if template != nil {
			w.IdleTimeout, w.MaxSkew = template.IdleTimeout, template.MaxSkew
		}
		spec.Watermark = &w
	}
	if s.exprs != nil {
		spec.Open = computing(spec.Open, s.exprs, g.rt.Context)
	}
	return g.source(spec, tasks), nil
}

// evaluate gives the range its values for one run.
func (l *lookup) evaluate(g *graph) (*KeyRange, error) {
	r := &KeyRange{}
	value := func(e expr.Expr) (sql.Datum, error) {
		d, err := g.datum(e)
		r.Empty = r.Empty || d == nil
		return d, err
	}
	for _, e := range l.prefix {
		d, err := value(e)
		if err != nil {
			return nil, err
		}
		r.Prefix = append(r.Prefix, d)
	}
	for i, b := range []*keyBound{l.lo, l.hi} {
		if b == nil {
			continue
		}
		d, err := value(b.value)
		if err != nil {
			return nil, err
		}
		if end := (&KeyBound{Value: d, Inclusive: b.inclusive}); i == 0 {
			r.Lo = end
		} else {
			r.Hi = end
		}
	}
	return r, nil
}

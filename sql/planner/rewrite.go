package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// rewrite improves a bound tree without changing its rows or its first columns:
//
//	fold              constant parts are computed
//	pushDown          filters move towards the sources, through projections, windows, unions, groups
//	mergeProjects     projections of projections become one
//	recognizeWindows  GROUP BY over TUMBLE and HOP becomes one node that knows when a group is final
//	prune             only needed columns are computed and read
//	emptied           nothing is read where a condition is never true
//	findLookup        filters on a key become ranges of it
//	pushLimit         a LIMIT without an order reads no more rows than it needs
//
// The result has exactly the columns of n.
//
// A query that is kept up to date has no lookups: it sees changes of all keys.
func rewrite(n node, streaming bool) node {
	n = fold(n)
	n = pushDown(n, nil)
	n = transform(n, mergeProjects)
	n = transform(n, recognizeWindows)
	n = pushDown(n, nil) // conditions over the groups, through what recognizeWindows has put there
	n = fold(transform(n, mergeProjects))
	n = pruneRoot(n)
	if streaming {
		return n
	}
	return transform(transform(transform(n, emptied), findLookup), pushLimit)
}

// emptied reads nothing where a condition is never true: tools ask WHERE 1 = 0 for the columns.
func emptied(n node) node {
	f, ok := n.(*filter)
	if !ok || !slices.ContainsFunc(f.conds, isNever) {
		return n
	}
	return &values{cols: n.schema()}
}

func isNever(cond expr.Expr) bool {
	v, ok := expr.LiteralDatum(cond)
	return ok && v != true
}

// pushLimit tells a scan how many rows are needed, where nothing in between drops any.
func pushLimit(n node) node {
	s, ok := n.(*sortLimit)
	if !ok || s.limit == nil || s.offset != nil || len(s.order) > 0 {
		return n
	}
	return s.with([]node{limited(s.in, s.limit)})
}

func limited(n node, limit expr.Expr) node {
	switch n := n.(type) {
	case *project:
		return n.with([]node{limited(n.in, limit)})
	case *scan:
		c := *n
		c.limit = limit
		return &c
	}
	return n
}

// transform applies fn to every node, inputs first.
func transform(n node, fn func(node) node) node {
	ins := n.inputs()
	var changed []node
	for i, in := range ins {
		if t := transform(in, fn); t != in {
			if changed == nil {
				changed = slices.Clone(ins)
			}
			changed[i] = t
		}
	}
	if changed != nil {
		n = n.with(changed)
	}
	return fn(n)
}

// fold computes the constant parts of all expressions. Conditions that are always true vanish.
func fold(n node) node {
	return transform(n, func(n node) node {
		switch n := n.(type) {
		case *project:
			return &project{in: n.in, exprs: foldAll(n.exprs), cols: n.cols}
		case *filter:
			conds := slices.DeleteFunc(foldAll(n.conds), func(c expr.Expr) bool {
				v, ok := expr.LiteralDatum(c)
				return ok && v == true
			})
			if len(conds) == 0 {
				return n.in
			}
			return &filter{in: n.in, conds: conds}
		case *values:
			rows := make([][]expr.Expr, len(n.rows))
			for i := range rows {
				rows[i] = foldAll(n.rows[i])
			}
			return &values{rows: rows, cols: n.cols}
		case *join:
			c := *n
			c.conds = foldAll(n.conds)
			return &c
		}
		return n
	})
}

func foldAll(es []expr.Expr) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = expr.Fold(e)
	}
	return out
}

// substitute replaces column i by exprs[i].
func substitute(e expr.Expr, exprs []expr.Expr) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if i, ok := expr.ColumnIndex(e); ok {
			return exprs[i]
		}
		return e
	})
}

// renumber replaces column i by column to[i].
func renumber(e expr.Expr, to []int) expr.Expr {
	return expr.Rewrite(e, func(e expr.Expr) expr.Expr {
		if i, ok := expr.ColumnIndex(e); ok && to[i] != i {
			return expr.Column(to[i], e.String(), e.Type())
		}
		return e
	})
}

func renumberAll(es []expr.Expr, to []int) []expr.Expr {
	out := make([]expr.Expr, len(es))
	for i, e := range es {
		out[i] = renumber(e, to)
	}
	return out
}

// mergeProjects makes one projection of two, unless that would compute something twice.
func mergeProjects(n node) node {
	p, ok := n.(*project)
	if !ok {
		return n
	}
	inner, ok := p.in.(*project)
	if !ok {
		return n
	}
	uses := make([]int, len(inner.exprs))
	for _, e := range p.exprs {
		expr.Walk(e, func(e expr.Expr) bool {
			if i, ok := expr.ColumnIndex(e); ok {
				uses[i]++
			}
			return true
		})
	}
	for i, e := range inner.exprs {
		if !isTrivial(e) && (uses[i] > 1 || expr.IsVolatile(e)) {
			return n
		}
	}
	merged := &project{in: inner.in, cols: p.cols}
	for _, e := range p.exprs {
		merged.exprs = append(merged.exprs, substitute(e, inner.exprs))
	}
	return mergeProjects(merged)
}

// isTrivial tells whether evaluating e costs nothing: a column or a literal.
func isTrivial(e expr.Expr) bool {
	_, column := expr.ColumnIndex(e)
	_, literal := expr.LiteralDatum(e)
	return column || literal
}

// isIdentity tells whether p passes on the columns of its input as they are.
func isIdentity(p *project) bool {
	for i, e := range p.exprs {
		if at, ok := expr.ColumnIndex(e); !ok || at != i {
			return false
		}
	}
	return len(p.exprs) == len(p.in.schema())
}

// pick is a projection to columns of n.
func pick(n node, cols []int) node {
	s := n.schema()
	p := &project{in: n}
	for _, i := range cols {
		p.exprs = append(p.exprs, expr.Column(i, s[i].Name, s[i].Type))
		p.cols = append(p.cols, s[i])
	}
	if isIdentity(p) {
		return n
	}
	return p
}

func pickSchema(s sql.Schema, cols []int) sql.Schema {
	out := make(sql.Schema, len(cols))
	for i, c := range cols {
		out[i] = s[c]
	}
	return out
}

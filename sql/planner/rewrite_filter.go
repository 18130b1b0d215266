package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
)

// pushDown moves conditions over n's columns, and the filters in n, as far towards the sources as
// they mean the same there. A volatile condition stays where it is.
func pushDown(n node, conds []expr.Expr) node {
	switch n := n.(type) {
	case *filter:
		return pushDown(n.in, append(slices.Clone(n.conds), conds...))
	case *project:
		return pushProject(n, conds)
	case *window:
		below, above := split(conds, func(c expr.Expr) bool { return maxColumn(c) < n.width() })
		return filtered(n.with([]node{pushDown(n.in, below)}), above)
	case *aggregate:
		return pushAggregate(n, conds)
	case *union:
		below, above := split(conds, func(expr.Expr) bool { return true })
		ins := make([]node, len(n.ins))
		for i, in := range n.ins {
			ins[i] = pushDown(in, below)
		}
		return filtered(n.with(ins), above)
	case *join:
		return pushJoin(n, conds)
	case *sortLimit:
		if n.limit == nil && n.offset == nil {
			return n.with([]node{pushDown(n.in, conds)})
		}
		return filtered(n.with([]node{pushDown(n.in, nil)}), conds)
	}
	return filtered(n, conds)
}

func filtered(n node, conds []expr.Expr) node {
	if len(conds) == 0 {
		return n
	}
	return &filter{in: n, conds: conds}
}

// split divides conditions into those that may go below, and the others.
func split(conds []expr.Expr, canGo func(expr.Expr) bool) (below, above []expr.Expr) {
	for _, c := range conds {
		if !expr.IsVolatile(c) && canGo(c) {
			below = append(below, c)
		} else {
			above = append(above, c)
		}
	}
	return below, above
}

// maxColumn is the highest column that e reads, -1 for none.
func maxColumn(e expr.Expr) int {
	if cols := expr.Columns(e); len(cols) > 0 {
		return cols[len(cols)-1]
	}
	return -1
}

func pushProject(n *project, conds []expr.Expr) node {
	below, above := split(conds, func(c expr.Expr) bool {
		return !slices.ContainsFunc(expr.Columns(c), func(i int) bool { return expr.IsVolatile(n.exprs[i]) })
	})
	for i, c := range below {
		below[i] = substitute(c, n.exprs)
	}
	return filtered(n.with([]node{pushDown(n.in, below)}), above)
}

// pushAggregate lets conditions over the keys alone pass: they keep or drop whole groups. Those over
// a window's bounds stay above: below they would only come between a window and its groups.
func pushAggregate(n *aggregate, conds []expr.Expr) node {
	below, above := split(conds, func(c expr.Expr) bool {
		cols := expr.Columns(c)
		return len(cols) > 0 && maxColumn(c) < len(n.keys) &&
			!slices.ContainsFunc(cols, func(i int) bool { return isWindowBound(n.in, n.keys[i]) })
	})
	for i, c := range below {
		below[i] = renumber(c, n.keys)
	}
	return filtered(n.with([]node{pushDown(n.in, below)}), above)
}

// isWindowBound tells whether a column is computed from one that a window adds.
func isWindowBound(n node, col int) bool {
	switch n := n.(type) {
	case *filter:
		return isWindowBound(n.in, col)
	case *project:
		return slices.ContainsFunc(expr.Columns(n.exprs[col]), func(i int) bool { return isWindowBound(n.in, i) })
	case *window:
		return col >= n.width()
	}
	return false
}

// pushJoin sends a condition to the side that it is about, where that side's rows are not made up
// of NULLs by the join.
func pushJoin(n *join, conds []expr.Expr) node {
	width := len(n.left.schema())
	if n.kind == innerJoin {
		conds, n = append(slices.Clone(n.conds), conds...), &join{kind: n.kind, left: n.left, right: n.right, pos: n.pos}
	}
	left, rest := split(conds, func(c expr.Expr) bool {
		return maxColumn(c) < width && (n.kind == innerJoin || n.kind == leftJoin)
	})
	right, rest := split(rest, func(c expr.Expr) bool {
		cols := expr.Columns(c)
		return len(cols) > 0 && cols[0] >= width && (n.kind == innerJoin || n.kind == rightJoin)
	})
	for i, c := range right {
		right[i] = expr.Rewrite(c, func(e expr.Expr) expr.Expr {
			if at, ok := expr.ColumnIndex(e); ok {
				return expr.Column(at-width, e.String(), e.Type())
			}
			return e
		})
	}
	out := *n
	out.left, out.right = pushDown(n.left, left), pushDown(n.right, right)
	if n.kind == innerJoin {
		out.conds = rest
		return &out
	}
	return filtered(&out, rest)
}

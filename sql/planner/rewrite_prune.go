package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/expr"
)

// pruneRoot drops the columns that nothing reads, all the way down to the sources: only needed
// columns are decoded. n's own columns are all needed.
func pruneRoot(n node) node {
	used := make([]int, len(n.schema()))
	for i := range used {
		used[i] = i
	}
	pruned, at := prune(n, used)
	return pick(pruned, lookupAll(at, used))
}

// prune returns n without columns that are neither used (ascending) nor needed by n itself, and
// where each old column now is, -1 for those that are gone.
func prune(n node, used []int) (node, []int) {
	switch n := n.(type) {
	case *scan:
		c := *n
		c.columns = lookupAll(n.columns, used)
		return &c, positions(len(n.columns), used)
	case *values:
		v := &values{cols: pickSchema(n.cols, used), rows: make([][]expr.Expr, len(n.rows))}
		for i, row := range n.rows {
			for _, c := range used {
				v.rows[i] = append(v.rows[i], row[c])
			}
		}
		return v, positions(len(n.cols), used)
	case *filter:
		in, at := prune(n.in, mergeColumns(used, n.conds))
		return &filter{in: in, conds: renumberAll(n.conds, at)}, at
	case *project:
		return pruneProject(n, used)
	case *window:
		return pruneWindow(n, used)
	case *aggregate:
		return pruneAggregate(n, used)
	case *windowAggregate:
		return pruneWindowAggregate(n, used)
	case *union:
		ins := make([]node, len(n.ins))
		for i, in := range n.ins {
			p, at := prune(in, used)
			ins[i] = pick(p, lookupAll(at, used))
		}
		return &union{ins: ins, cols: pickSchema(n.cols, used)}, positions(len(n.cols), used)
	case *sortLimit:
		need := used
		for _, o := range n.order {
			need = insert(need, o.Column)
		}
		in, at := prune(n.in, need)
		c := *n
		c.in, c.order = in, renumberOrder(n.order, at)
		return &c, at
	case *join:
		return pruneJoin(n, used)
	}
	return n, identity(len(n.schema()))
}

func pruneProject(n *project, used []int) (node, []int) {
	p := &project{cols: pickSchema(n.cols, used)}
	for _, i := range used {
		p.exprs = append(p.exprs, n.exprs[i])
	}
	in, at := prune(n.in, mergeColumns(nil, p.exprs))
	p.in, p.exprs = in, renumberAll(p.exprs, at)
	if isIdentity(p) {
		return in, positions(len(n.exprs), used)
	}
	return p, positions(len(n.exprs), used)
}

func pruneWindow(n *window, used []int) (node, []int) {
	need := []int{n.timeCol}
	for _, i := range used {
		if i < n.width() {
			need = insert(need, i)
		}
	}
	in, at := prune(n.in, need)
	c := *n
	c.in, c.timeCol = in, at[n.timeCol]
	for i := range windowColumns {
		at = append(at, len(in.schema())+i)
	}
	return &c, at
}

// pruneAggregate keeps the keys, which make the groups, and the calls that are used.
func pruneAggregate(n *aggregate, used []int) (node, []int) {
	keep, calls := keepCalls(used, len(n.keys), n.calls)
	in, at := pruneGrouped(n.in, callColumns(n.keys, calls))
	c := *n
	c.in, c.keys, c.calls = in, lookupAll(at, n.keys), renumberCalls(calls, at)
	c.cols = pickSchema(n.cols, keep)
	return &c, positions(len(n.cols), keep)
}

func pruneWindowAggregate(n *windowAggregate, used []int) (node, []int) {
	keep, calls := keepCalls(used, len(n.keys)+2, n.calls)
	in, at := pruneGrouped(n.in, insert(callColumns(n.keys, calls), n.timeCol))
	c := *n
	c.in, c.timeCol, c.keys, c.calls = in, at[n.timeCol], lookupAll(at, n.keys), renumberCalls(calls, at)
	c.cols = pickSchema(n.cols, keep)
	return &c, positions(len(n.cols), keep)
}

// pruneGrouped prunes the input of a grouping, which takes its columns from anywhere: a projection
// that only picks columns is left out.
func pruneGrouped(n node, used []int) (node, []int) {
	in, at := prune(n, used)
	p, ok := in.(*project)
	if !ok || slices.ContainsFunc(p.exprs, func(e expr.Expr) bool { _, column := expr.ColumnIndex(e); return !column }) {
		return in, at
	}
	for i, to := range at {
		if to >= 0 {
			at[i], _ = expr.ColumnIndex(p.exprs[to])
		}
	}
	return p.in, at
}

// keepCalls lists the columns to keep, the first `fixed` and the used ones, and the calls of those.
func keepCalls(used []int, fixed int, all []agg.Call) (keep []int, calls []agg.Call) {
	keep = identity(fixed)
	for _, i := range used {
		if i >= fixed {
			keep = append(keep, i)
			calls = append(calls, all[i-fixed])
		}
	}
	return keep, calls
}

// callColumns are the columns that a grouping reads.
func callColumns(keys []int, calls []agg.Call) []int {
	var need []int
	for _, k := range keys {
		need = insert(need, k)
	}
	for _, c := range calls {
		for _, a := range c.Args {
			need = insert(need, a)
		}
		if c.Filter >= 0 {
			need = insert(need, c.Filter)
		}
		for _, o := range c.OrderBy {
			need = insert(need, o.Column)
		}
	}
	return need
}

func renumberCalls(calls []agg.Call, at []int) []agg.Call {
	out := slices.Clone(calls)
	for i, c := range out {
		out[i].Args = lookupAll(at, c.Args)
		if c.Filter >= 0 {
			out[i].Filter = at[c.Filter]
		}
		out[i].OrderBy = renumberOrder(c.OrderBy, at)
	}
	return out
}

func renumberOrder(order []agg.Order, at []int) []agg.Order {
	out := slices.Clone(order)
	for i, o := range out {
		out[i].Column = at[o.Column]
	}
	return out
}

func pruneJoin(n *join, used []int) (node, []int) {
	width := len(n.left.schema())
	need := mergeColumns(used, n.conds)
	var left, right []int
	for _, i := range need {
		if i < width {
			left = append(left, i)
		} else {
			right = append(right, i-width)
		}
	}
	l, atL := prune(n.left, left)
	r, atR := prune(n.right, right)
	at := atL
	for _, i := range atR {
		if i >= 0 {
			i += len(l.schema())
		}
		at = append(at, i)
	}
	c := *n
	c.left, c.right, c.conds = l, r, renumberAll(n.conds, at)
	return &c, at
}

// insert adds i to an ascending list.
func insert(list []int, i int) []int {
	at, found := slices.BinarySearch(list, i)
	if found {
		return list
	}
	return slices.Insert(slices.Clone(list), at, i)
}

// mergeColumns adds the columns that expressions read to an ascending list.
func mergeColumns(list []int, es []expr.Expr) []int {
	for _, e := range es {
		for _, i := range expr.Columns(e) {
			list = insert(list, i)
		}
	}
	return list
}

// positions tells for n columns where each is once only those listed are kept.
func positions(n int, keep []int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = -1
	}
	for i, k := range keep {
		at[k] = i
	}
	return at
}

func identity(n int) []int {
	at := make([]int, n)
	for i := range at {
		at[i] = i
	}
	return at
}

func lookupAll(at, cols []int) []int {
	out := make([]int, len(cols))
	for i, c := range cols {
		out[i] = at[c]
	}
	return out
}

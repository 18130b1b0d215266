package planner

import (
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// withKey appends to n, as hidden columns at its end, what its stream key needs besides the columns
// that are there, and returns the key. nil = n has no key: its rows may repeat.
//
//	SELECT count(*) FROM t GROUP BY k   has the columns count and, hidden, k
func withKey(n node) (node, []int) {
	switch n := n.(type) {
	case *scan:
		return scanKey(n)
	case *filter:
		in, key := withKey(n.in)
		return &filter{in: in, conds: n.conds}, key
	case *project:
		return projectKey(n)
	case *window:
		return windowKey(n)
	case *aggregate:
		return n, identity(len(n.keys))
	case *windowAggregate:
		return n, append(identity(len(n.keys)), len(n.keys)+1)
	case *union:
		return unionKey(n)
	case *sortLimit:
		in, key := withKey(n.in)
		return n.with([]node{in}), key
	}
	return n, nil
}

func scanKey(n *scan) (node, []int) {
	if len(n.rel.Key) == 0 {
		return n, nil
	}
	c := *n
	key := make([]int, len(n.rel.Key))
	for i, k := range n.rel.Key {
		if key[i] = slices.Index(c.columns, k); key[i] < 0 {
			key[i] = len(c.columns)
			c.columns = append(slices.Clip(c.columns), k)
		}
	}
	return &c, key
}

func projectKey(n *project) (node, []int) {
	in, inKey := withKey(n.in)
	if inKey == nil {
		return n, nil
	}
	p := &project{in: in, exprs: slices.Clip(n.exprs), cols: slices.Clip(n.cols)}
	s := in.schema()
	find := func(col int) int {
		return slices.IndexFunc(p.exprs, func(e expr.Expr) bool { i, ok := expr.ColumnIndex(e); return ok && i == col })
	}
	key := make([]int, len(inKey))
	for i, k := range inKey {
		key[i] = find(k)
		if _, windowed := unfiltered(in).(*windowAggregate); windowed && key[i] < 0 && i == len(inKey)-1 {
			key[i] = find(k - 1) // window_start says as much as window_end
		}
		if key[i] < 0 {
			key[i] = len(p.exprs)
			p.exprs, p.cols = append(p.exprs, expr.Column(k, s[k].Name, s[k].Type)), append(p.cols, s[k])
		}
	}
	return p, key
}

func unfiltered(n node) node {
	_, n = belowFilter(n)
	return n
}

// windowKey is the input's key and the window's start. The input's hidden columns move behind the
// bounds.
func windowKey(n *window) (node, []int) {
	width := n.width()
	in, key := withKey(n.in)
	if key == nil {
		return n, nil
	}
	w := n.with([]node{in}).(*window)
	order := identity(width)
	for i := range windowColumns {
		order = append(order, w.width()+i)
	}
	for i := width; i < w.width(); i++ {
		order = append(order, i)
	}
	at := positions(len(order), order)
	return pick(w, order), append(lookupAll(at, key), width)
}

// unionKey is the number of the branch and the branch's key. Keys of different types stand side by
// side, NULL in the branches that they are not of.
func unionKey(n *union) (node, []int) {
	ins, keys := make([]node, len(n.ins)), make([][]int, len(n.ins))
	width, alike := len(n.cols), true
	for i, in := range n.ins {
		if ins[i], keys[i] = withKey(in); keys[i] == nil {
			return n, nil
		}
		alike = alike && slices.EqualFunc(keyTypes(ins[i], keys[i]), keyTypes(ins[0], keys[0]), sql.Type.Equal)
	}
	u := &union{}
	for i, in := range ins {
		s := in.schema()
		p := &project{in: in, exprs: columnsOf(s[:width]), cols: append(sql.Schema(nil), s[:width]...)}
		add := func(e expr.Expr, name string) {
			p.exprs, p.cols = append(p.exprs, e), append(p.cols, sql.Column{Name: name, Type: e.Type()})
		}
		add(expr.Literal(int64(i), sql.TypeInt4), "branch")
		for j := range ins {
			if alike && j != i {
				continue
			}
			for k, t := range keyTypes(ins[j], keys[j]) {
				e := expr.Literal(nil, t)
				if i == j {
					e = expr.Column(keys[i][k], s[keys[i][k]].Name, t)
				}
				add(e, "key_"+itoa(len(p.exprs)-width))
			}
		}
		u.ins = append(u.ins, p)
		if i == 0 {
			u.cols = append(append(sql.Schema(nil), n.cols...), p.cols[width:]...)
		}
	}
	var key []int
	for i := width; i < len(u.cols); i++ {
		key = append(key, i)
	}
	u.key = key
	return u, key
}

func keyTypes(n node, key []int) []sql.Type {
	return pickSchema(n.schema(), key).Types()
}

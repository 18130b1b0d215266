package planner

import "slices"

// shareScans lets a relation that the tree reads in several places be read once, by a scan of all the
// columns that are needed, of which each place picks its own:
//
//	SELECT k FROM t WHERE v > 5 UNION ALL SELECT w FROM t
//
//	union ─┬─ project k ─ filter ─ pick k, v ─┬─ scan t (k, v, w)
//	       └─ project w ─────────── pick w ───┘
//
// The scan is the same node in all these places: the tree is none any more from here on, and what
// comes after must neither copy the scan nor take its places for different ones. A record is decoded
// once and is a dead letter once, there is one position, and all branches have read the same rows
// whenever an epoch ends: a reader never sees one ahead of the other.
//
// Filters stay in the branches. Each works on what is left of the columns, so nothing is copied in a
// branch that it does not need.
//
// A query that ends shares streams only, whose ends may move between two looks at them. Our own rows
// are read from one snapshot anyway, by ranges and limits that differ.
func shareScans(n node, streaming bool) node {
	var groups []*scan // one for each relation, with the columns of all its scans
	group := func(s *scan) *scan {
		if s.lookup != nil || s.limit != nil || !streaming && s.rel.Kind != Source {
			return nil
		}
		if i := slices.IndexFunc(groups, func(g *scan) bool { return g.rel.same(s.rel) }); i >= 0 {
			return groups[i]
		}
		g := &scan{rel: s.rel}
		groups = append(groups, g)
		return g
	}
	transform(n, func(n node) node {
		if s, ok := n.(*scan); ok {
			if g := group(s); g != nil {
				g.uses++
				for _, c := range s.columns {
					g.columns = insert(g.columns, c)
				}
			}
		}
		return n
	})
	return transform(n, func(n node) node {
		s, ok := n.(*scan)
		if !ok {
			return n
		}
		g := group(s)
		if g == nil || g.uses < 2 {
			return n
		}
		at := positions(len(g.rel.Columns), g.columns)
		return pick(g, lookupAll(at, s.columns))
	})
}

package engine

import (
	"slices"
	"strconv"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
)

// statementCache remembers a session's last queries: who sends one text again and again, or the same
// but for the key of the row that it asks for, has it parsed and planned once.
//
// Invariants:
//   - What is in it was planned with this state of the catalog and of the settings. When either has
//     changed it is emptied.
//   - texts are whole messages of one statement each. keyed are those with one number in them, which
//     is the key of a point query and nothing else; it is left out.
type statementCache struct {
	catalog  *catalog.Snapshot
	settings int
	texts    map[string]*cachedQuery
	keyed    map[keyedText]*cachedQuery
}

type cachedQuery struct {
	node  ast.Stmt
	oids  []uint32
	r     *runnable
	point *pointQuery // of keyed
}

// keyedText is a text without the number in it.
type keyedText struct{ before, after string }

const (
	cachedQueries   = 16 // of each of perhaps a thousand sessions
	cachedTextBytes = 2 << 10
)

// fresh empties the cache if what it was made from has changed.
func (c *statementCache) fresh(s *session) {
	if now := s.catalog(); c.catalog != now || c.settings != s.set.version || len(c.texts)+len(c.keyed) > cachedQueries {
		*c = statementCache{catalog: now, settings: s.set.version, texts: map[string]*cachedQuery{}, keyed: map[keyedText]*cachedQuery{}}
	}
}

// find is the statement of a text that was sent before; nil when it was not.
func (c *statementCache) find(s *session, src string) *statement {
	if len(src) > cachedTextBytes {
		return nil
	}
	c.fresh(s)
	if q := c.texts[src]; q != nil {
		return &statement{node: q.node, source: src, text: src, cached: q}
	}
	text, key, ok := withoutKey(src)
	if !ok {
		return nil
	}
	if q := c.keyed[text]; q != nil {
		return &statement{node: q.node, source: src, text: src, cached: q, key: key, keyed: true}
	}
	return nil
}

// prepare is the cached statement ready to run; nil when it has to be planned after all.
func (c *statementCache) prepare(s *session, st *statement, oids []uint32) *runnable {
	q := st.cached
	if q == nil || c.catalog != s.catalog() || c.settings != s.set.version {
		return nil
	}
	if !st.keyed {
		if !slices.Equal(q.oids, oids) {
			return nil
		}
		return q.r
	}
	return s.pointRun(q.point, []sql.Datum{st.key})
}

// keep remembers a query that was planned just now.
func (c *statementCache) keep(s *session, st *statement, oids []uint32, r *runnable) {
	n, ok := st.node.(*ast.Query)
	if !ok || st.text == "" || len(st.text) > cachedTextBytes {
		return
	}
	c.fresh(s)
	if text, key, ok := withoutKey(st.text); ok && r.point != nil && r.point.point.IsKey(key) && s.asksByKey(n, key, r.point.point.Relation) {
		c.keyed[text] = &cachedQuery{node: n, point: r.point}
		return
	}
	c.texts[st.text] = &cachedQuery{node: n, oids: slices.Clone(oids), r: r}
}

// asksByKey tells whether a query reads a relation itself, no view of it, by WHERE column = number
// and nothing more.
func (s *session) asksByKey(n *ast.Query, key int64, rel *planner.Relation) bool {
	sel, ok := n.Body.(*ast.Select)
	if !ok || n.With != nil || len(sel.From) != 1 {
		return false
	}
	ref, ok := sel.From[0].(*ast.TableRef)
	if !ok {
		return false
	}
	where, ok := sel.Where.(*ast.Binary)
	if !ok || where.Op != "=" || where.Schema != "" {
		return false
	}
	column, number := where.L, where.R
	if _, ok := column.(*ast.Literal); ok {
		column, number = number, column
	}
	_, isColumn := column.(*ast.ColumnRef)
	literal, isLiteral := number.(*ast.Literal)
	if !isColumn || !isLiteral {
		return false
	}
	if v, err := strconv.ParseInt(literal.Value, 10, 64); err != nil || v != key {
		return false
	}
	o, err := s.relation(ref.Name)
	return err == nil && o.ID == rel.ID
}

// withoutKey finds the number in a text that has one only. It gives up on whatever is not plain
// names, operators and a number of at most nine digits: on quotes, comments, signs, parameters.
func withoutKey(src string) (text keyedText, key int64, ok bool) {
	from, to := -1, -1
	for i := 0; i < len(src); {
		start := i
		switch b := src[i]; {
		case letter(b):
			for i < len(src) && (letter(src[i]) || digit(src[i])) {
				i++
			}
		case digit(b):
			for i < len(src) && digit(src[i]) {
				i++
			}
			if from >= 0 || i-start > 9 || i < len(src) && (letter(src[i]) || src[i] == '.') || start > 0 && src[start-1] == '.' {
				return keyedText{}, 0, false
			}
			from, to = start, i
		case b == ' ' || b == '\n' || b == '\t' || b == '\r' || b == ',' || b == '.' || b == '(' || b == ')' || b == '=' || b == '*' || b == ';':
			i++
		default:
			return keyedText{}, 0, false
		}
	}
	if from < 0 {
		return keyedText{}, 0, false
	}
	key, err := strconv.ParseInt(src[from:to], 10, 64)
	return keyedText{src[:from], src[to:]}, key, err == nil
}

func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' || b == '_' }
func digit(b byte) bool  { return b >= '0' && b <= '9' }

package planner

import (
	"errors"
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// binder turns a statement's tree into logical nodes: it resolves names and types, with
// PostgreSQL's errors. It is used for one statement; a view in it has a binder of its own.
type binder struct {
	env    *Env
	stream bool // the query is to be kept up to date: what needs an end is refused
	// with is the WITH items in force, innermost last. An item sees those before it.
	with []cte
	// outer is the scope of the query around the one being bound, to tell a correlated subquery
	// from a misspelt name.
	outer *scope
	// emit is the query whose EMIT counts: the outermost.
	emit *ast.Query
	// relations collects what is read.
	relations *[]*Relation
	depth     int // of views in views
}

// cte is a WITH item with the items that it can see.
type cte struct {
	item *ast.CTE
	with []cte
}

func newBinder(env *Env, stream bool) *binder {
	return &binder{env: env, stream: stream, relations: &[]*Relation{}}
}

// relation looks up a relation and notes it.
func (b *binder) relation(name ast.Name, pos int) (*Relation, error) {
	rel, err := b.env.Catalog.Relation(name.Schema(), name.Base())
	if err != nil {
		return nil, sql.ErrorAt(err, pos)
	}
	if !slices.ContainsFunc(*b.relations, rel.same) {
		*b.relations = append(*b.relations, rel)
	}
	return rel, nil
}

// query binds a query with everything around it. Columns of the result may still be of type
// unknown: whoever knows better what they should be casts them, and settle makes them text.
func (b *binder) query(q *ast.Query) (node, error) {
	if q.Recursive {
		return nil, sql.Unsupported("WITH RECURSIVE", "").At(q.Pos())
	}
	if q.Emit != ast.EmitDefault && q != b.emit {
		return nil, sql.Unsupported("EMIT inside a query", "Write it at the end of the outermost query.").At(q.Pos())
	}
	if len(q.Locking) > 0 && b.stream {
		return nil, sql.Unsupported("FOR "+q.Locking[0].Strength, "").At(q.Locking[0].Pos())
	}
	outerWith := b.with
	defer func() { b.with = outerWith }()
	for i, item := range q.With {
		for _, before := range q.With[:i] {
			if before.Name == item.Name {
				return nil, sql.Errorf("42712", "WITH query name %q specified more than once", item.Name).At(item.Pos())
			}
		}
		if _, ok := item.Stmt.(*ast.Query); !ok {
			return nil, sql.Unsupported("a data-modifying statement in WITH", "").At(item.Pos())
		}
		b.with = append(slices.Clip(b.with), cte{item: item, with: b.with})
	}
	return b.body(q)
}

// body binds what stands under WITH. The ORDER BY of a SELECT can name columns that the SELECT
// leaves out, so it is bound with it.
func (b *binder) body(q *ast.Query) (node, error) {
	if sel, ok := q.Body.(*ast.Select); ok {
		return b.selectQuery(sel, q)
	}
	n, err := b.queryBody(q.Body)
	if err != nil {
		return nil, err
	}
	if n, err = settle(n); err != nil {
		return nil, err
	}
	var order []sortItem
	for _, key := range q.OrderBy {
		item, err := b.setOrder(n.schema(), key)
		if err != nil {
			return nil, err
		}
		order = append(order, item)
	}
	return b.sortAndLimit(n, order, q)
}

// queryBody binds one side of a set operation, VALUES, or a query in parentheses.
func (b *binder) queryBody(body ast.QueryBody) (node, error) {
	switch body := body.(type) {
	case *ast.Query:
		return b.query(body)
	case *ast.Select:
		return b.selectQuery(body, &ast.Query{Body: body})
	case *ast.SetOp:
		return b.setOp(body)
	case *ast.Values:
		return b.values(body)
	}
	return nil, errors.New("planner: a query body of an unknown kind")
}

// subquery binds a query in FROM, in a CTE or under a clause: its columns all have types.
func (b *binder) subquery(q *ast.Query) (node, error) {
	n, err := b.query(q)
	if err != nil {
		return nil, err
	}
	return settle(n)
}

// values binds VALUES: the columns are column1, column2, …
func (b *binder) values(v *ast.Values) (node, error) {
	x := b.exprs(&scope{outer: b.outer}, "VALUES")
	rows := make([][]expr.Expr, len(v.Rows))
	for i, row := range v.Rows {
		if len(row) != len(v.Rows[0]) {
			return nil, sql.Errorf(sql.CodeSyntaxError, "VALUES lists must all be the same length").At(start(row[0]))
		}
		rows[i] = make([]expr.Expr, len(row))
		for j, item := range row {
			e, err := x.bind(item)
			if err != nil {
				return nil, err
			}
			rows[i][j] = e
		}
	}
	n := &values{rows: rows, cols: make(sql.Schema, len(rows[0]))}
	for j := range n.cols {
		column := make([]expr.Expr, len(rows))
		for i := range rows {
			column[i] = rows[i][j]
		}
		t, err := expr.CommonType("VALUES", column)
		if err != nil {
			return nil, sql.ErrorAt(err, b.mismatch(v.Rows, j, column))
		}
		for i := range rows {
			if rows[i][j], err = expr.CastTo(column[i], t, expr.Implicit); err != nil {
				return nil, sql.ErrorAt(err, start(v.Rows[i][j]))
			}
		}
		n.cols[j] = sql.Column{Name: "column" + itoa(j+1), Type: t}
	}
	return n, nil
}

// mismatch is the position of the first row of a VALUES column that does not fit the rows above.
func (b *binder) mismatch(rows [][]ast.Expr, j int, column []expr.Expr) int {
	for i := range column {
		if _, err := expr.CommonType("VALUES", column[:i+1]); err != nil {
			return start(rows[i][j])
		}
	}
	return -1
}

// settle makes text of the columns that are still of type unknown.
func settle(n node) (node, error) {
	s := n.schema()
	if !slices.ContainsFunc(s, func(c sql.Column) bool { return c.Type.Kind == sql.Unknown }) {
		return n, nil
	}
	types := s.Types()
	for i := range types {
		if types[i].Kind == sql.Unknown {
			types[i] = sql.TypeText
		}
	}
	return castColumns(n, types, expr.Implicit, nil)
}

// castColumns casts a query's columns. A literal of type unknown is read as the wanted type, so the
// cast goes as far down as the literals are. pos gives the position for errors; nil = unknown.
func castColumns(n node, types []sql.Type, context expr.CastContext, pos func(column int) int) (node, error) {
	switch n := n.(type) {
	case *project:
		exprs, err := castAll(n.exprs, types, context, pos)
		if err != nil {
			return nil, err
		}
		return &project{in: n.in, exprs: exprs, cols: withTypes(n.cols, types)}, nil
	case *values:
		rows := make([][]expr.Expr, len(n.rows))
		for i, row := range n.rows {
			var err error
			if rows[i], err = castAll(row, types, context, pos); err != nil {
				return nil, err
			}
		}
		return &values{rows: rows, cols: withTypes(n.cols, types)}, nil
	case *sortLimit:
		if len(n.order) == 0 {
			in, err := castColumns(n.in, types, context, pos)
			if err != nil {
				return nil, err
			}
			return n.with([]node{in}), nil
		}
	}
	s := n.schema()
	if slices.EqualFunc(s, types, func(c sql.Column, t sql.Type) bool { return c.Type.Equal(t) }) {
		return n, nil
	}
	exprs, err := castAll(columnsOf(s), types, context, pos)
	if err != nil {
		return nil, err
	}
	return &project{in: n, exprs: exprs, cols: withTypes(s, types)}, nil
}

func castAll(exprs []expr.Expr, types []sql.Type, context expr.CastContext, pos func(int) int) ([]expr.Expr, error) {
	out := make([]expr.Expr, len(exprs))
	for i, e := range exprs {
		c, err := expr.CastTo(e, types[i], context)
		if err != nil {
			if pos != nil {
				err = sql.ErrorAt(err, pos(i))
			}
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func withTypes(s sql.Schema, types []sql.Type) sql.Schema {
	s = slices.Clone(s)
	for i := range s {
		s[i].Type = types[i]
	}
	return s
}

// columnsOf is a reference to each column.
func columnsOf(s sql.Schema) []expr.Expr {
	out := make([]expr.Expr, len(s))
	for i, c := range s {
		out[i] = expr.Column(i, c.Name, c.Type)
	}
	return out
}

// renamed gives the columns of n other names.
func renamed(n node, names []string) node {
	s := n.schema()
	same := true
	cols := slices.Clone(s)
	for i, name := range names {
		cols[i].Name = name
		same = same && s[i].Name == name
	}
	if same {
		return n
	}
	if p, ok := n.(*project); ok {
		return &project{in: p.in, exprs: p.exprs, cols: cols}
	}
	return &project{in: n, exprs: columnsOf(s), cols: cols}
}

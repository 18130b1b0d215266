package planner

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// scope is what names mean at one place of a query: the tables of its FROM list, whose columns lie
// side by side in the rows that expressions are evaluated over.
type scope struct {
	tables []*scopeTable
	// outer is the scope of the query around this one. Names found there would make the subquery
	// correlated, which is recognised and refused.
	outer *scope
	// hidden is a table that can't be named here, as one might think it can: for a hint.
	hidden *scopeTable
}

// scopeTable is one item of a FROM list.
type scopeTable struct {
	name    string // alias, or the relation's name; "" for an unnamed subquery
	rel     string // the relation's name, for a hint to who uses it in place of the alias
	schema  string // of a relation without an alias, so that s.t.c works; else ""
	first   int    // index of its first column in the row
	columns []scopeColumn
}

// scopeColumn is a column that can be named.
type scopeColumn struct {
	sql.Column
	hidden bool // not part of *, not nameable: a changelog key's column
	// implicit columns can be named but are not part of *: window_time, which Flink has and
	// RisingWave has not.
	implicit bool
	// merged marks the right-hand column of a USING pair: it can be named only with its table.
	merged bool
}

func newTable(name string, s sql.Schema, first int) *scopeTable {
	t := &scopeTable{name: name, first: first, columns: make([]scopeColumn, len(s))}
	for i, c := range s {
		t.columns[i] = scopeColumn{Column: c}
	}
	return t
}

// rename applies the column list of an alias, which may be shorter than the table.
func (t *scopeTable) rename(cols []string) error {
	n := 0
	for i := range t.columns {
		if t.columns[i].hidden {
			continue
		}
		if n < len(cols) {
			t.columns[i].Name = cols[n]
		}
		n++
	}
	if len(cols) > n {
		return sql.Errorf("42P10", "table %q has %d columns available but %d columns specified", t.name, n, len(cols))
	}
	return nil
}

// index is where the table's column i stands in the row.
func (t *scopeTable) index(i int) int { return t.first + i }

// find returns the visible columns of that name.
func (t *scopeTable) find(name string) []int {
	var found []int
	for i, c := range t.columns {
		if !c.hidden && c.Name == name {
			found = append(found, i)
		}
	}
	return found
}

// width is the number of columns of a row.
func (s *scope) width() int {
	if len(s.tables) == 0 {
		return 0
	}
	last := s.tables[len(s.tables)-1]
	return last.first + len(last.columns)
}

// add appends a table; its name must be new, as in PostgreSQL.
func (s *scope) add(t *scopeTable) error {
	if t.name != "" {
		for _, o := range s.tables {
			if o.name == t.name && (o.schema == t.schema || o.schema == "" || t.schema == "") {
				return sql.Errorf("42712", "table name %q specified more than once", t.name)
			}
		}
	}
	s.tables = append(s.tables, t)
	return nil
}

// table finds a table by the leading parts of a reference: [table] or [schema, table].
func (s *scope) table(parts []string) *scopeTable {
	name, schema := parts[len(parts)-1], ""
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	for _, t := range s.tables {
		if t.name == name && (schema == "" || schema == t.schema) {
			return t
		}
	}
	return nil
}

// resolved is what a column reference means: a column of the row, and the fields of it (for
// row-typed columns) that the reference goes on with; or a whole table.
type resolved struct {
	index  int
	column sql.Column
	fields []string
	whole  *scopeTable
}

// resolve finds what a reference means. The order is PostgreSQL's, with Flink's c.field (where c is
// a row-typed column) after everything that PostgreSQL would accept.
func (s *scope) resolve(ref *ast.ColumnRef) (resolved, error) {
	r, err := s.resolveHere(ref)
	if err != nil && s.outer != nil {
		if _, outerErr := s.outer.resolve(ref); outerErr == nil {
			return resolved{}, sql.Unsupported("a correlated subquery",
				"Write the query with a join, or without the reference to the outer query.").At(ref.Pos())
		}
	}
	return r, err
}

func (s *scope) resolveHere(ref *ast.ColumnRef) (resolved, error) {
	parts := ref.Parts
	if len(parts) == 1 {
		return s.resolveName(parts[0], ref.Pos())
	}
	for n := min(len(parts)-1, 2); n >= 1; n-- {
		t := s.table(parts[:n])
		if t == nil {
			continue
		}
		switch found := t.find(parts[n]); len(found) {
		case 0:
			return resolved{}, s.noColumn(t, parts[n]).At(ref.Pos())
		case 1:
			return resolved{index: t.index(found[0]), column: t.columns[found[0]].Column, fields: parts[n+1:]}, nil
		default:
			return resolved{}, ambiguous(parts[n]).At(ref.Pos())
		}
	}
	if r, err := s.resolveName(parts[0], ref.Pos()); err == nil && r.whole == nil && r.column.Type.Kind == sql.Row {
		r.fields = parts[1:]
		return r, nil
	}
	return resolved{}, s.noTable(parts[:len(parts)-1]).At(ref.Pos())
}

func (s *scope) resolveName(name string, pos int) (resolved, error) {
	var r resolved
	n := 0
	for _, t := range s.tables {
		for _, i := range t.find(name) {
			if t.columns[i].merged {
				continue
			}
			r = resolved{index: t.index(i), column: t.columns[i].Column}
			n++
		}
	}
	switch {
	case n == 1:
		return r, nil
	case n > 1:
		return resolved{}, ambiguous(name).At(pos)
	}
	if t := s.table([]string{name}); t != nil {
		return resolved{whole: t}, nil
	}
	return resolved{}, s.noColumn(nil, name).At(pos)
}

func ambiguous(name string) *sql.Error {
	return sql.Errorf(sql.CodeAmbiguousColumn, "column reference %q is ambiguous", name)
}

// noColumn is the error for a column that doesn't exist, with PostgreSQL's hint when another name
// is near. t is the table it was looked for in, nil for all.
func (s *scope) noColumn(t *scopeTable, name string) *sql.Error {
	err := sql.Errorf(sql.CodeUndefinedColumn, "column %q does not exist", name)
	tables := s.tables
	if t != nil {
		err = sql.Errorf(sql.CodeUndefinedColumn, "column %s.%s does not exist", t.name, name)
		tables = []*scopeTable{t}
	}
	best, hint := min(len(name)/2, 3)+1, "" // farther would be a guess
	for _, t := range tables {
		for _, c := range t.columns {
			if c.hidden {
				continue
			}
			if d := distance(name, c.Name); d < best {
				best, hint = d, strings.TrimPrefix(t.name+"."+c.Name, ".")
			}
		}
	}
	if hint == "" {
		if s.hidden != nil && t == nil && len(s.hidden.find(name)) > 0 {
			return err.WithHint("There is a column named %q in table %q, but it cannot be referenced from this part of the query.", name, s.hidden.name)
		}
		return err
	}
	return err.WithHint("Perhaps you meant to reference the column %q.", hint)
}

// noTable is the error for a qualified reference whose table is not in FROM. A table that is there
// under an alias gets PostgreSQL's hint.
func (s *scope) noTable(parts []string) *sql.Error {
	name := parts[len(parts)-1]
	for _, t := range s.tables {
		if t.rel == name && t.name != name {
			return sql.Errorf(sql.CodeUndefinedTable, "invalid reference to FROM-clause entry for table %q", name).
				WithHint("Perhaps you meant to reference the table alias %q.", t.name)
		}
	}
	return sql.Errorf(sql.CodeUndefinedTable, "missing FROM-clause entry for table %q", name)
}

// star lists what * or t.* stands for.
func (s *scope) star(qualifier []string, pos int) ([]int, []sql.Column, error) {
	tables := s.tables
	if qualifier != nil {
		t := s.table(qualifier)
		if t == nil {
			return nil, nil, s.noTable(qualifier).At(pos)
		}
		tables = []*scopeTable{t}
	} else if len(tables) == 0 {
		return nil, nil, sql.Errorf(sql.CodeSyntaxError, "SELECT * with no tables specified is not valid").At(pos)
	}
	var indexes []int
	var columns []sql.Column
	for _, t := range tables {
		for i, c := range t.columns {
			if c.hidden || c.implicit || c.merged && qualifier == nil {
				continue
			}
			indexes = append(indexes, t.index(i))
			columns = append(columns, c.Column)
		}
	}
	return indexes, columns, nil
}

// distance is the Levenshtein distance of two names, ignoring case.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	prev := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur := slices.Clone(prev)
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
		}
		prev = cur
	}
	return prev[len(b)]
}

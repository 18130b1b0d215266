package engine

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/state"
)

var allRows state.KeyRange

// tableWriter changes the rows of one table within a transaction, for one statement. It keeps
// constraints and gathers the changes.
type tableWriter struct {
	s        *session
	o        *catalog.Object
	rel      *planner.Relation
	rows     *state.RowTable
	types    []sql.Type
	checks   []expr.Expr
	conflict *planner.Conflict
	touched  map[string]bool // keys that this statement inserted or updated, for ON CONFLICT

	changed []([]sql.Datum) // rows in the order of ops
	ops     []int8
	result  [][]sql.Datum // the rows of RETURNING
}

func (s *session) newTableWriter(o *catalog.Object, conflict *planner.Conflict) (*tableWriter, error) {
	rel, err := planRelation(o)
	if err != nil {
		return nil, err
	}
	w := &tableWriter{s: s, o: o, rel: rel, rows: rowsOf(o), types: o.Types(), conflict: conflict}
	env := s.env(nil)
	for _, c := range o.Checks {
		x, err := planner.BindExpr(env, mustParse(c.Expr), tableScope(o, false), "check constraints")
		if err != nil {
			return nil, err
		}
		w.checks = append(w.checks, x)
	}
	if conflict != nil {
		w.touched = map[string]bool{}
		if conflict.Columns != nil && !slices.Equal(conflict.Columns, o.Key) {
			sorted := slices.Sorted(slices.Values(conflict.Columns))
			if !slices.Equal(sorted, slices.Sorted(slices.Values(o.Key))) {
				return nil, sql.Errorf("42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification")
			}
		}
	}
	return w, nil
}

// insertBatch inserts rows whose columns are the table's at the given indexes.
func (w *tableWriter) insertBatch(b *stream.Batch, columns []int) error {
	types := make([]sql.Type, len(columns))
	for i, c := range columns {
		types[i] = w.types[c]
	}
	for i := range b.Rows {
		row := make([]sql.Datum, len(w.types))
		for j, c := range columns {
			row[c] = stream.Value(b.Columns[j], types[j], i)
		}
		if err := w.insert(row); err != nil {
			return err
		}
	}
	return nil
}

func (w *tableWriter) insert(row []sql.Datum) error {
	if id := len(w.types) - 1; w.o.Columns[id].Hidden && row[id] == nil {
		n, err := w.s.e.take(w.o.ID, rowIDColumn, 1)
		if err != nil {
			return err
		}
		row[id] = n
	}
	if err := w.check(row); err != nil {
		return err
	}
	key := w.key(row)
	old, exists, err := w.rows.Get(w.s.tx.data, key)
	if err != nil {
		return err
	}
	if exists {
		return w.conflictWith(old, row, key)
	}
	if w.touched != nil {
		w.touched[string(w.rows.AppendKey(nil, key))] = true
	}
	w.result = append(w.result, row)
	return w.put(nil, row)
}

// conflictWith handles an inserted row whose key is taken by old.
func (w *tableWriter) conflictWith(old, row, key []sql.Datum) error {
	if w.conflict == nil {
		return w.duplicate(key)
	}
	if w.conflict.Set == nil {
		return nil
	}
	k := string(w.rows.AppendKey(nil, key))
	if w.touched[k] {
		return sql.Errorf("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	w.touched[k] = true
	both := datumBatch(append(slices.Clone(w.types), w.types...), [][]sql.Datum{append(slices.Clone(old), row...)})
	ec := w.s.exprContext()
	if w.conflict.Where != nil {
		keep, err := evalRow(&ec, w.conflict.Where, both)
		if err != nil || keep != true {
			return err
		}
	}
	changed := make([]sql.Datum, len(w.types))
	for i, x := range w.conflict.Set {
		var err error
		if changed[i], err = evalRow(&ec, x, both); err != nil {
			return err
		}
	}
	return w.replace(old, changed)
}

func evalRow(ec *expr.Context, x expr.Expr, b *stream.Batch) (sql.Datum, error) {
	col := expr.Eval(ec, x, b)
	if err := ec.TakeFirst(); err != nil {
		return nil, err
	}
	return stream.Value(col, x.Type(), 0), nil
}

// replace puts a new row in the place of an old one, whose key may differ.
func (w *tableWriter) replace(old, row []sql.Datum) error {
	if err := w.check(row); err != nil {
		return err
	}
	was, is := w.rows.AppendKey(nil, w.key(old)), w.rows.AppendKey(nil, w.key(row))
	if string(was) != string(is) {
		if _, taken, err := w.rows.Get(w.s.tx.data, w.key(row)); err != nil {
			return err
		} else if taken {
			return w.duplicate(w.key(row))
		}
	}
	w.result = append(w.result, row)
	return w.put(old, row)
}

func (w *tableWriter) remove(old []sql.Datum) error {
	w.result = append(w.result, old)
	return w.put(old, nil)
}

// put writes the change through to the transaction, so that the statement's next row sees it.
func (w *tableWriter) put(old, row []sql.Datum) error {
	from := len(w.changed)
	if old != nil {
		w.changed, w.ops = append(w.changed, old), append(w.ops, stream.Delete)
	}
	if row != nil {
		w.changed, w.ops = append(w.changed, row), append(w.ops, stream.Insert)
	}
	b := datumBatch(w.types, w.changed[from:])
	b.Ops = w.ops[from:]
	return w.rows.Apply(w.s.tx.data, b)
}

// finish returns all changes in order.
func (w *tableWriter) finish() (*stream.Batch, error) {
	b := datumBatch(w.types, w.changed)
	b.Ops = w.ops
	return b, nil
}

func (w *tableWriter) key(row []sql.Datum) []sql.Datum {
	key := make([]sql.Datum, len(w.o.Key))
	for i, c := range w.o.Key {
		key[i] = row[c]
	}
	return key
}

// check keeps NOT NULL and CHECK.
func (w *tableWriter) check(row []sql.Datum) error {
	for i, c := range w.o.Columns {
		if c.NotNull && row[i] == nil {
			return sql.Errorf(sql.CodeNotNullViolation, "null value in column %q of relation %q violates not-null constraint", c.Name, w.o.Name).
				WithDetail("Failing row contains (%s).", w.rowText(row))
		}
	}
	if len(w.checks) == 0 {
		return nil
	}
	b := datumBatch(w.types, [][]sql.Datum{row})
	ec := w.s.exprContext()
	for i, x := range w.checks {
		ok, err := evalRow(&ec, x, b)
		if err != nil {
			return err
		}
		if ok == false {
			return sql.Errorf("23514", "new row for relation %q violates check constraint %q", w.o.Name, w.o.Checks[i].Name).
				WithDetail("Failing row contains (%s).", w.rowText(row))
		}
	}
	return nil
}

func (w *tableWriter) duplicate(key []sql.Datum) error {
	var names []string
	for _, c := range w.o.Key {
		names = append(names, w.o.Columns[c].Name)
	}
	return sql.Errorf(sql.CodeUniqueViolation, "duplicate key value violates unique constraint %q", w.o.KeyName).
		WithDetail("Key (%s)=(%s) already exists.", strings.Join(names, ", "), w.text(w.o.Key, key))
}

func (w *tableWriter) rowText(row []sql.Datum) string {
	var cols []int
	for i, c := range w.o.Columns {
		if !c.Hidden {
			cols = append(cols, i)
		}
	}
	return w.text(cols, row[:len(cols)])
}

func (w *tableWriter) text(cols []int, values []sql.Datum) string {
	parts := make([]string, len(values))
	for i, v := range values {
		if v == nil {
			parts[i] = "null"
			continue
		}
		parts[i] = string(sql.AppendTextIn(nil, w.types[cols[i]], v, w.s.Location()))
	}
	return strings.Join(parts, ", ")
}

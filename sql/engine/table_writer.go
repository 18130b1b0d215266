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

// writeRows is how many changes are gathered before they go to the transaction.
const writeRows = 4096

// tableWriter changes the rows of one table within a transaction, for one statement. It keeps
// constraints and gathers the changes; until they are in the transaction, pending has them.
type tableWriter struct {
	s        *session
	o        *catalog.Object
	rel      *planner.Relation
	rows     *state.RowTable
	types    []sql.Type
	checks   []expr.Expr
	conflict *planner.Conflict
	touched  map[string]bool // keys that this statement inserted or updated, for ON CONFLICT

	changed [][]sql.Datum // rows in the order of ops
	ops     []int8
	pending map[string][]sql.Datum // the gathered rows by their key in the store; nil = deleted
	count   int64                  // rows affected
	keep    bool                   // the rows affected are wanted, for RETURNING
	result  [][]sql.Datum
}

func (s *session) newTableWriter(o *catalog.Object, conflict *planner.Conflict) (*tableWriter, error) {
	rel, err := planRelation(o)
	if err != nil {
		return nil, err
	}
	w := &tableWriter{s: s, o: o, rel: rel, rows: rowsOf(o), types: o.Types(), conflict: conflict, pending: map[string][]sql.Datum{}}
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
	key := w.rows.AppendKey(nil, w.key(row))
	if exists, err := w.exists(key); err != nil {
		return err
	} else if exists {
		return w.conflictWith(row, string(key))
	}
	if w.touched != nil {
		w.touched[string(key)] = true
	}
	return w.put(nil, row, "", string(key))
}

// exists tells whether the table has a row with a key, changes not yet in the transaction included.
func (w *tableWriter) exists(key []byte) (bool, error) {
	if row, ok := w.pending[string(key)]; ok {
		return row != nil, nil
	}
	if w.o.Columns[len(w.types)-1].Hidden {
		return false, nil // a row id is new by making
	}
	_, ok, err := w.s.tx.data.Get(key)
	return ok, err
}

// get is the row with a key that exists.
func (w *tableWriter) get(row []sql.Datum, key string) ([]sql.Datum, error) {
	if row, ok := w.pending[key]; ok {
		return row, nil
	}
	old, _, err := w.rows.Get(w.s.tx.data, w.key(row))
	return old, err
}

// conflictWith handles an inserted row whose key is taken.
func (w *tableWriter) conflictWith(row []sql.Datum, key string) error {
	if w.conflict == nil {
		return w.duplicate(w.key(row))
	}
	if w.conflict.Set == nil {
		return nil
	}
	if w.touched[key] {
		return sql.Errorf("21000", "ON CONFLICT DO UPDATE command cannot affect row a second time").
			WithHint("Ensure that no rows proposed for insertion within the same command have duplicate constrained values.")
	}
	w.touched[key] = true
	old, err := w.get(row, key)
	if err != nil {
		return err
	}
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
		if taken, err := w.exists(is); err != nil {
			return err
		} else if taken {
			return w.duplicate(w.key(row))
		}
	}
	return w.put(old, row, string(was), string(is))
}

func (w *tableWriter) remove(old []sql.Datum) error {
	return w.put(old, nil, string(w.rows.AppendKey(nil, w.key(old))), "")
}

// put gathers a change: old, at key was, becomes row, at key is.
func (w *tableWriter) put(old, row []sql.Datum, was, is string) error {
	w.count++
	if old != nil {
		w.changed, w.ops = append(w.changed, old), append(w.ops, stream.Delete)
		w.pending[was] = nil
	}
	if row != nil {
		w.changed, w.ops = append(w.changed, row), append(w.ops, stream.Insert)
		w.pending[is] = row
	}
	if w.keep {
		if row == nil {
			row = old
		}
		w.result = append(w.result, row)
	}
	if len(w.ops) < writeRows {
		return nil
	}
	return w.flush()
}

// flush hands what was gathered to the transaction and to the table's log.
func (w *tableWriter) flush() error {
	if len(w.ops) == 0 {
		return nil
	}
	b := datumBatch(w.types, w.changed)
	b.Ops = w.ops
	if err := w.rows.Apply(w.s.tx.data, b); err != nil {
		return err
	}
	w.s.tx.record(w.o.ID, b)
	w.changed, w.ops = nil, nil
	clear(w.pending)
	return w.s.tx.grown()
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
			return w.about(sql.Errorf(sql.CodeNotNullViolation, "null value in column %q of relation %q violates not-null constraint", c.Name, w.o.Name).
				WithDetail("Failing row contains (%s).", w.rowText(row)), c.Name, "")
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
			return w.about(sql.Errorf("23514", "new row for relation %q violates check constraint %q", w.o.Name, w.o.Checks[i].Name).
				WithDetail("Failing row contains (%s).", w.rowText(row)), "", w.o.Checks[i].Name)
		}
	}
	return nil
}

func (w *tableWriter) duplicate(key []sql.Datum) error {
	var names []string
	for _, c := range w.o.Key {
		names = append(names, w.o.Columns[c].Name)
	}
	return w.about(sql.Errorf(sql.CodeUniqueViolation, "duplicate key value violates unique constraint %q", w.o.KeyName).
		WithDetail("Key (%s)=(%s) already exists.", strings.Join(names, ", "), w.text(w.o.Key, key)), "", w.o.KeyName)
}

// about names what the error is about, for programs.
func (w *tableWriter) about(e *sql.Error, column, constraint string) error {
	e.Object = &sql.ErrorObject{Schema: w.o.Schema, Table: w.o.Name, Column: column, Constraint: constraint}
	return e
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

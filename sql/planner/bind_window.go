package planner

import (
	"strings"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// maxWindowsPerRow bounds how often a row of a HOP is repeated.
const maxWindowsPerRow = 10_000

// windowTVF binds a window table function over a table, a view, a WITH item or a subquery.
func (b *binder) windowTVF(w *ast.WindowTVF) (node, *scope, error) {
	name := strings.ToUpper(string(w.Kind))
	if w.Kind != ast.Tumble && w.Kind != ast.Hop {
		return nil, nil, sql.Unsupported("a "+name+" window", "Use TUMBLE or HOP.").At(w.Pos())
	}
	in, s, err := b.fromItem(w.Input)
	if err != nil {
		return nil, nil, err
	}
	n := &window{in: in, kind: w.Kind, pos: w.Pos()}
	if n.timeCol, err = eventTime(w, s); err != nil {
		return nil, nil, err
	}
	if err := b.windowSizes(n, w, name); err != nil {
		return nil, nil, err
	}
	t := &scopeTable{name: string(w.Kind)}
	for _, in := range s.tables {
		t.columns = append(t.columns, in.columns...)
	}
	all := n.schema()
	for _, c := range all[len(t.columns):] {
		t.columns = append(t.columns, scopeColumn{Column: c, implicit: c.Name == "window_time"})
	}
	out, err := b.table(t, w.Alias, w.Cols)
	return n, out, err
}

// eventTime finds the event-time column.
func eventTime(w *ast.WindowTVF, s *scope) (int, error) {
	if w.TimeCol == nil {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "%s needs a time column", strings.ToUpper(string(w.Kind))).
			WithHint("Give it as DESCRIPTOR(column).").At(w.Pos())
	}
	r, err := s.resolve(w.TimeCol)
	if err != nil {
		return 0, err
	}
	if r.whole != nil || len(r.fields) > 0 {
		return 0, sql.Unsupported("a time column that is not a column of the table itself", "").At(w.TimeCol.Pos())
	}
	if k := r.column.Type.Kind; k != sql.Timestamp && k != sql.Timestamptz {
		return 0, sql.Errorf(sql.CodeDatatypeMismatch, "the time column of %s must be of type timestamp or timestamp with time zone, not %s",
			strings.ToUpper(string(w.Kind)), r.column.Type.BaseName()).At(w.TimeCol.Pos())
	}
	return r.index, nil
}

// windowSizes reads and checks size, slide and offset.
func (b *binder) windowSizes(n *window, w *ast.WindowTVF, name string) error {
	var err error
	if n.size, err = b.windowInterval(w.Size, name, "size", w.Pos()); err != nil {
		return err
	}
	n.slide = n.size
	if w.Kind == ast.Hop {
		if n.slide, err = b.windowInterval(w.Slide, name, "slide", w.Pos()); err != nil {
			return err
		}
	}
	if w.Offset != nil {
		if n.offset, err = b.windowInterval(w.Offset, name, "offset", w.Pos()); err != nil {
			return err
		}
	}
	const ms = sql.MicrosPerSecond / 1000
	switch {
	case n.size%ms != 0 || n.slide%ms != 0 || n.offset%ms != 0:
		return sql.Errorf(sql.CodeInvalidParameter, "size, slide and offset of %s must be whole milliseconds", name).At(w.Size.Pos())
	case n.size <= 0:
		return sql.Errorf(sql.CodeInvalidParameter, "the window size of %s must be greater than zero", name).At(w.Size.Pos())
	case n.slide <= 0:
		return sql.Errorf(sql.CodeInvalidParameter, "the slide of %s must be greater than zero", name).At(w.Slide.Pos())
	case n.size/n.slide > maxWindowsPerRow:
		return sql.Errorf(sql.CodeInvalidParameter, "the window size of %s is more than %d times its slide", name, maxWindowsPerRow).
			WithHint("The slide comes before the size.").At(w.Size.Pos())
	}
	return nil
}

// windowInterval reads a constant interval in microseconds.
func (b *binder) windowInterval(x ast.Expr, name, what string, pos int) (int64, error) {
	if x == nil {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "%s needs a %s", name, what).At(pos)
	}
	if ref := firstColumnRef(x); ref != nil {
		return 0, sql.Errorf(sql.CodeInvalidParameter, "the %s of %s must be a constant", what, name).At(ref.Pos())
	}
	e, err := b.exprs(&scope{}, "window arguments").bind(x)
	if err != nil {
		return 0, err
	}
	if k := e.Type().Kind; k != sql.Interval && k != sql.Unknown {
		return 0, sql.Errorf(sql.CodeDatatypeMismatch, "the %s of %s must be of type interval, not %s", what, name, e.Type().BaseName()).At(x.Pos())
	}
	if e, err = expr.CastTo(e, sql.TypeInterval, expr.Implicit); err != nil {
		return 0, sql.ErrorAt(err, x.Pos())
	}
	d, ok := expr.LiteralDatum(expr.Fold(e))
	v, isInterval := d.(sql.IntervalValue)
	switch {
	case !ok:
		return 0, sql.Errorf(sql.CodeInvalidParameter, "the %s of %s must be a constant", what, name).At(x.Pos())
	case !isInterval:
		return 0, sql.Errorf("22004", "the %s of %s must not be null", what, name).At(x.Pos())
	case v.Months != 0:
		return 0, sql.Errorf(sql.CodeInvalidParameter, "the %s of %s must not contain months or years", what, name).
			WithHint("Months differ in length: give the %s in days or smaller units.", what).At(x.Pos())
	}
	const limit = 1 << 62 / sql.MicrosPerDay
	if days := int64(v.Days); days > limit/2 || days < -limit/2 {
		return 0, sql.Errorf(sql.CodeDatetimeOverflow, "interval out of range").At(x.Pos())
	}
	return int64(v.Days)*sql.MicrosPerDay + v.Micros, nil
}

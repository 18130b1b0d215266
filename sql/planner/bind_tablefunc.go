package planner

import (
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
)

// isTableFunction tells whether name is a set-returning function that can stand in FROM.
func isTableFunction(name string) bool { return name == "generate_series" || name == "unnest" }

// resolve types the function's arguments and its column.
func (f *tableFunc) resolve() error {
	switch f.name {
	case "unnest":
		return f.resolveUnnest()
	default:
		return f.resolveSeries()
	}
}

func (f *tableFunc) resolveUnnest() error {
	if len(f.args) != 1 {
		return sql.Unsupported("unnest with several arguments", "")
	}
	t := f.args[0].Type()
	switch t.Kind {
	case sql.Array:
		t = *t.Elem
	case sql.Int2Vector:
		t = sql.TypeInt2
	case sql.OIDVector:
		t = sql.TypeOID
	case sql.Unknown:
		return sql.Errorf("42725", "function unnest(unknown) is not unique").
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.")
	default:
		return undefinedFunction(f)
	}
	f.cols = sql.Schema{{Name: "unnest", Type: t}}
	return nil
}

// resolveSeries finds the type of a generate_series: integer, bigint, numeric, timestamp or
// timestamptz, the last two with a step of type interval.
func (f *tableFunc) resolveSeries() error {
	if len(f.args) < 2 || len(f.args) > 3 {
		return undefinedFunction(f)
	}
	t, err := expr.CommonType("generate_series", f.args[:2])
	if err != nil {
		return undefinedFunction(f)
	}
	step := t
	switch t.Kind {
	case sql.Int2:
		t, step = sql.TypeInt4, sql.TypeInt4
	case sql.Int4:
		if len(f.args) == 3 && f.args[2].Type().Kind == sql.Int8 {
			t, step = sql.TypeInt8, sql.TypeInt8
		}
	case sql.Int8:
	case sql.Numeric:
		t, step = sql.TypeNumeric, sql.TypeNumeric
	case sql.Date, sql.Timestamp, sql.Timestamptz:
		if step = sql.TypeInterval; len(f.args) == 2 {
			return undefinedFunction(f)
		}
		if t.Precision = 0; t.Kind == sql.Date {
			t = sql.TypeTimestamptz
		}
	default:
		return undefinedFunction(f)
	}
	for i := range f.args {
		want := t
		if i == 2 {
			want = step
		}
		if f.args[i], err = expr.CastTo(f.args[i], want, expr.Implicit); err != nil {
			return undefinedFunction(f)
		}
	}
	f.cols = sql.Schema{{Name: "generate_series", Type: t}}
	return nil
}

func undefinedFunction(f *tableFunc) error {
	list := ""
	for i, a := range f.args {
		if i > 0 {
			list += ", "
		}
		list += a.Type().BaseName()
	}
	return sql.Errorf(sql.CodeUndefinedFunction, "function %s(%s) does not exist", f.name, list).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

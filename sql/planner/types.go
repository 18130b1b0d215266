package planner

import (
	"strconv"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// TypeOf resolves a type as written.
func TypeOf(t *ast.TypeName) (sql.Type, error) {
	typ, err := baseType(t)
	if err != nil {
		return sql.Type{}, sql.ErrorAt(err, t.Pos())
	}
	for range t.Dims {
		typ = sql.ArrayOf(typ)
	}
	return typ, nil
}

func baseType(t *ast.TypeName) (sql.Type, error) {
	switch {
	case t.RowFields != nil:
		fields := make([]sql.Field, len(t.RowFields))
		for i, f := range t.RowFields {
			ft, err := TypeOf(f.Type)
			if err != nil {
				return sql.Type{}, err
			}
			fields[i] = sql.Field{Name: f.Name, Type: ft}
		}
		return sql.RowOf(fields...), nil
	case t.Key != nil:
		key, err := TypeOf(t.Key)
		if err != nil {
			return sql.Type{}, err
		}
		elem, err := TypeOf(t.Elem)
		return sql.MapOf(key, elem), err
	case t.Elem != nil:
		if t.Name.Base() == "multiset" {
			return sql.Type{}, sql.Unsupported("type multiset", "Use an array.")
		}
		elem, err := TypeOf(t.Elem)
		return sql.ArrayOf(elem), err
	case t.SetOf:
		return sql.Type{}, sql.Unsupported("SETOF", "")
	}
	name := t.Name.Base()
	switch name {
	case "bit", "varbit", "timetz":
		return sql.Type{}, sql.Unsupported("type "+name, "")
	case "char":
		name = `"char"` // the keyword char is bpchar; what is left was quoted
	}
	mods := make([]int32, len(t.Mods))
	for i, m := range t.Mods {
		n, err := strconv.ParseInt(m, 10, 32)
		if err != nil {
			return sql.Type{}, sql.Errorf(sql.CodeInvalidParameter, "type modifiers must be simple constants or identifiers")
		}
		mods[i] = int32(n)
	}
	typ, err := sql.TypeFromName(name, mods)
	if err != nil && t.Name.Schema() != "" && sql.AsError(err).Code == sql.CodeUndefinedObject {
		return typ, sql.Errorf(sql.CodeUndefinedObject, "type %q does not exist", t.Name.String())
	}
	return typ, err
}

func itoa(i int) string { return strconv.Itoa(i) }

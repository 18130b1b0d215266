package postgres

import "github.com/streamsql/streamsql/sql"

// pgType is a type of the database; a domain is the type under it.
type pgType struct {
	name string // in pg_type
	kind byte   // pg_type.typtype: b base, e enum, …
	elem string // of an array: the name of its element's type
}

// kinds are the types of PostgreSQL that are written, by their names in pg_type.
var kinds = map[string]sql.Type{
	"bool": sql.TypeBool, "int2": sql.TypeInt2, "int4": sql.TypeInt4, "int8": sql.TypeInt8, "float4": sql.TypeFloat4, "float8": sql.TypeFloat8,
	"numeric": sql.TypeNumeric, "text": sql.TypeText, "varchar": sql.TypeVarchar, "bpchar": {Kind: sql.Char}, "citext": sql.TypeText, "name": sql.TypeName,
	"bytea": sql.TypeBytea, "date": sql.TypeDate, "time": sql.TypeTime, "timestamp": sql.TypeTimestamp, "timestamptz": sql.TypeTimestamptz,
	"interval": sql.TypeInterval, "uuid": sql.TypeUUID, "json": sql.TypeJSON, "jsonb": sql.TypeJSONB,
}

// wireType is the form in which values of our type t travel to a column of type p; ok is false when the
// column could not take every value of t that lies in its range.
func wireType(t sql.Type, p pgType) (wire sql.Type, ok bool) {
	if p.elem != "" {
		elem, ok := kinds[p.elem]
		inner := t
		for inner.Kind == sql.Array {
			inner = *inner.Elem
		}
		if !ok || t.Kind != sql.Array || inner.Kind == sql.Row || inner.Kind == sql.Map || elem.Kind == sql.Numeric && inner.Kind != sql.Numeric || !takes(elem, inner) {
			return wire, false
		}
		for ; t.Kind == sql.Array; t = *t.Elem {
			elem = sql.ArrayOf(elem)
		}
		return elem, true
	}
	wire, ok = kinds[p.name]
	if p.kind == 'e' {
		wire, ok = sql.TypeText, true // an enum's binary form is its label
	}
	if !ok || !takes(wire, t) {
		return wire, false
	}
	if wire.IsString() {
		wire = sql.TypeText
	}
	return wire, true
}

// takes tells whether a column of type to takes every value of type t, or refuses it for its size.
func takes(to, t sql.Type) bool {
	switch t.Kind {
	case sql.Int2, sql.Int4, sql.Int8:
		return to.Kind >= t.Kind && to.Kind <= sql.Int8 || to.Kind == sql.Numeric
	case sql.Float4, sql.Float8:
		return to.Kind == t.Kind || to.Kind == sql.Float8
	case sql.JSON, sql.JSONB, sql.Row, sql.Record, sql.Map, sql.Array:
		return to.Kind == sql.JSON || to.Kind == sql.JSONB
	}
	return to.Kind == t.Kind || to.IsString() && t.IsString()
}

// createdType is the type of a column that create_table makes.
func createdType(t sql.Type) string {
	inner := t
	for inner.Kind == sql.Array {
		inner = *inner.Elem
	}
	switch {
	case inner.Kind == sql.Row || inner.Kind == sql.Record || inner.Kind == sql.Map:
		return "jsonb"
	case inner.IsString() && inner.Kind != sql.Varchar && inner.Kind != sql.Char:
		inner = sql.TypeText
	}
	name := inner.String()
	for ; t.Kind == sql.Array; t = *t.Elem {
		name += "[]"
	}
	return name
}

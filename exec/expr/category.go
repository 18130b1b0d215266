package expr

import "github.com/streamsql/streamsql/sql"

// category is PostgreSQL's pg_type.typcategory, which overload resolution and CommonType go by.
type category byte

const (
	catBool      category = 'B'
	catNumber    category = 'N'
	catString    category = 'S'
	catDateTime  category = 'D'
	catInterval  category = 'T'
	catArray     category = 'A'
	catComposite category = 'C'
	catUser      category = 'U'
	catUnknown   category = 'X'
	catInternal  category = 'Z'
	catPseudo    category = 'P'
	catInvalid   category = 0
)

func categoryOf(t sql.Type) category {
	switch t.Kind {
	case sql.Unknown:
		return catUnknown
	case sql.Bool:
		return catBool
	case sql.Int2, sql.Int4, sql.Int8, sql.Float4, sql.Float8, sql.Numeric, sql.OID,
		sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		return catNumber
	case sql.Text, sql.Varchar, sql.Char, sql.Name:
		return catString
	case sql.InternalChar:
		return catInternal
	case sql.Date, sql.Time, sql.Timestamp, sql.Timestamptz:
		return catDateTime
	case sql.Interval:
		return catInterval
	case sql.Array, sql.Int2Vector, sql.OIDVector:
		return catArray
	case sql.Row:
		return catComposite
	case sql.Record, sql.Void:
		return catPseudo
	}
	if t.Kind >= kindAny {
		return catPseudo
	}
	return catUser
}

// isPreferred tells whether t is the type of its category that resolution leans to.
func isPreferred(t sql.Type) bool {
	switch t.Kind {
	case sql.Bool, sql.Float8, sql.OID, sql.Text, sql.Timestamptz, sql.Interval:
		return true
	}
	return false
}

// sameType compares types without modifiers: those of a numeric, a string or a time are not part of
// its identity in overload resolution.
func sameType(a, b sql.Type) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case sql.Array:
		return sameType(*a.Elem, *b.Elem)
	case sql.Map:
		return sameType(*a.Key, *b.Key) && sameType(*a.Elem, *b.Elem)
	case sql.Row, sql.Record:
		if len(a.Fields) != len(b.Fields) {
			return false
		}
		for i := range a.Fields {
			if !sameType(a.Fields[i].Type, b.Fields[i].Type) {
				return false
			}
		}
	}
	return true
}

// withoutModifiers is t without length, precision and scale.
func withoutModifiers(t sql.Type) sql.Type {
	t.Precision, t.Scale = 0, 0
	if t.Kind == sql.Array {
		return sql.ArrayOf(withoutModifiers(*t.Elem))
	}
	return t
}

package sql

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// Kind is a type without its modifiers.
type Kind uint8

// The kinds. Their Arrow layout is in Type.Arrow.
const (
	Unknown      Kind = iota // an untyped literal or NULL; never a column's type
	Bool                     // boolean
	Int2                     // smallint
	Int4                     // integer
	Int8                     // bigint
	Float4                   // real
	Float8                   // double precision
	Numeric                  // numeric, numeric(p,s)
	Text                     // text, string
	Varchar                  // varchar, varchar(n)
	Char                     // char(n): PostgreSQL's bpchar, kept blank-padded
	Bytea                    // bytea
	Date                     // date
	Time                     // time, time(p)
	Timestamp                // timestamp, timestamp(p)
	Timestamptz              // timestamp with time zone
	Interval                 // interval
	UUID                     // uuid
	JSON                     // json: text kept as given
	JSONB                    // jsonb: text in PostgreSQL's canonical form
	Array                    // Elem
	Row                      // Fields
	Map                      // Key, Elem
	Name                     // pg_catalog's name: text
	OID                      // pg_catalog's oid
	InternalChar             // pg_catalog's "char": one byte, as text
	Regclass                 // an OID printed as a relation's name
	Regtype                  // an OID printed as a type's name
	Regproc                  // an OID printed as a function's name
	Regnamespace             // an OID printed as a schema's name
	Int2Vector               // pg_catalog's int2vector: a 0-based smallint array
	OIDVector                // pg_catalog's oidvector
	Void                     // the result of a function called for its effect
	Record                   // an anonymous row whose fields are in Fields
)

// Type is an SQL type. The zero Type is Unknown. Compare with Equal, not ==.
//
// A numeric with Precision > 0 is fixed: every value has exactly Scale fractional digits and is
// stored as an Arrow decimal of that scale (64 bits up to 18 digits, 128 up to 38, 256 up to 76).
// A numeric with Precision 0 is variable: each value carries its own scale, as in PostgreSQL, and
// is stored in the binary form of AppendNumeric. An expression over fixed numerics keeps a fixed
// type as long as PostgreSQL's display scale of every result would be the same.
type Type struct {
	Kind      Kind
	Precision int32   // Numeric: digits, 0 = variable. Varchar, Char: length, 0 = none. Time, Timestamp(tz): digits + 1, 0 = none
	Scale     int32   // Numeric with Precision > 0: fractional digits
	Elem      *Type   // Array: element. Map: value
	Key       *Type   // Map: key
	Fields    []Field // Row, Record
}

// Field is one field of a Row.
type Field struct {
	Name string
	Type Type
}

// The plain types.
var (
	TypeUnknown     = Type{Kind: Unknown}
	TypeBool        = Type{Kind: Bool}
	TypeInt2        = Type{Kind: Int2}
	TypeInt4        = Type{Kind: Int4}
	TypeInt8        = Type{Kind: Int8}
	TypeFloat4      = Type{Kind: Float4}
	TypeFloat8      = Type{Kind: Float8}
	TypeNumeric     = Type{Kind: Numeric}
	TypeText        = Type{Kind: Text}
	TypeVarchar     = Type{Kind: Varchar}
	TypeBytea       = Type{Kind: Bytea}
	TypeDate        = Type{Kind: Date}
	TypeTime        = Type{Kind: Time}
	TypeTimestamp   = Type{Kind: Timestamp}
	TypeTimestamptz = Type{Kind: Timestamptz}
	TypeInterval    = Type{Kind: Interval}
	TypeUUID        = Type{Kind: UUID}
	TypeJSON        = Type{Kind: JSON}
	TypeJSONB       = Type{Kind: JSONB}
	TypeName        = Type{Kind: Name}
	TypeOID         = Type{Kind: OID}
	TypeVoid        = Type{Kind: Void}
)

// FixedNumeric is numeric(p,s).
func FixedNumeric(p, s int32) Type { return Type{Kind: Numeric, Precision: p, Scale: s} }

// ArrayOf is elem[].
func ArrayOf(elem Type) Type { return Type{Kind: Array, Elem: &elem} }

// MapOf is map(key, value).
func MapOf(key, value Type) Type { return Type{Kind: Map, Key: &key, Elem: &value} }

// RowOf is a row of the fields.
func RowOf(fields ...Field) Type { return Type{Kind: Row, Fields: fields} }

// IsFixed tells whether t is a numeric stored as an Arrow decimal of one scale.
func (t Type) IsFixed() bool { return t.Kind == Numeric && t.Precision > 0 }

// IsNumber tells whether t is an integer, a float or a numeric.
func (t Type) IsNumber() bool { return t.Kind >= Int2 && t.Kind <= Numeric }

// IsInteger tells whether t is smallint, integer or bigint.
func (t Type) IsInteger() bool { return t.Kind >= Int2 && t.Kind <= Int8 }

// IsString tells whether values of t are held as Go strings and compared by bytes.
func (t Type) IsString() bool {
	switch t.Kind {
	case Text, Varchar, Char, Name, InternalChar, Unknown:
		return true
	}
	return false
}

// IsOID tells whether t is oid or one of the reg types, held as an int64.
func (t Type) IsOID() bool { return t.Kind == OID || t.Kind >= Regclass && t.Kind <= Regnamespace }

// TimePrecision returns the digits of a time(p) or timestamp(p), and whether they were given.
func (t Type) TimePrecision() (digits int, ok bool) { return int(t.Precision) - 1, t.Precision > 0 }

// Equal compares types with their modifiers; field names count.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind || t.Precision != u.Precision || t.Scale != u.Scale || len(t.Fields) != len(u.Fields) {
		return false
	}
	if (t.Elem == nil) != (u.Elem == nil) || (t.Key == nil) != (u.Key == nil) {
		return false
	}
	if t.Elem != nil && !t.Elem.Equal(*u.Elem) || t.Key != nil && !t.Key.Equal(*u.Key) {
		return false
	}
	for i, f := range t.Fields {
		if f.Name != u.Fields[i].Name || !f.Type.Equal(u.Fields[i].Type) {
			return false
		}
	}
	return true
}

var kindNames = [...]string{
	Unknown: "unknown", Bool: "boolean", Int2: "smallint", Int4: "integer", Int8: "bigint",
	Float4: "real", Float8: "double precision", Numeric: "numeric", Text: "text",
	Varchar: "character varying", Char: "character", Bytea: "bytea", Date: "date",
	Time: "time without time zone", Timestamp: "timestamp without time zone",
	Timestamptz: "timestamp with time zone", Interval: "interval", UUID: "uuid", JSON: "json",
	JSONB: "jsonb", Array: "array", Row: "row", Map: "map", Name: "name", OID: "oid",
	InternalChar: `"char"`, Regclass: "regclass", Regtype: "regtype", Regproc: "regproc",
	Regnamespace: "regnamespace", Int2Vector: "int2vector", OIDVector: "oidvector", Void: "void",
	Record: "record",
}

// String is the type as PostgreSQL's format_type prints it, which also parses back.
func (t Type) String() string {
	switch t.Kind {
	case Array:
		return t.Elem.String() + "[]"
	case Map:
		return "map(" + t.Key.String() + ", " + t.Elem.String() + ")"
	case Row:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = QuoteIdent(f.Name) + " " + f.Type.String()
		}
		return "row(" + strings.Join(parts, ", ") + ")"
	case Numeric:
		if t.Precision > 0 {
			return fmt.Sprintf("numeric(%d,%d)", t.Precision, t.Scale)
		}
	case Varchar, Char:
		if t.Precision > 0 {
			return fmt.Sprintf("%s(%d)", kindNames[t.Kind], t.Precision)
		}
		if t.Kind == Char {
			return "bpchar" // character without a length is character(1)
		}
	case Time, Timestamp, Timestamptz:
		if p, ok := t.TimePrecision(); ok {
			word, rest, _ := strings.Cut(kindNames[t.Kind], " ")
			return fmt.Sprintf("%s(%d) %s", word, p, rest)
		}
	}
	return kindNames[t.Kind]
}

// BaseName is the type's name without modifiers, as error messages print it.
func (t Type) BaseName() string {
	switch t.Kind {
	case Array:
		return t.Elem.BaseName() + "[]"
	case Map, Row:
		return t.String()
	}
	return kindNames[t.Kind]
}

// Arrow is the physical layout of a column of t. Times are microseconds; timestamps count from
// 1970-01-01 UTC with the extremes of int64 (int32 for dates) as ±infinity. An interval is 16 bytes:
// microseconds int64, days int32, months int32, little endian. OIDs are int64.
func (t Type) Arrow() arrow.DataType {
	switch t.Kind {
	case Bool:
		return arrow.FixedWidthTypes.Boolean
	case Int2:
		return arrow.PrimitiveTypes.Int16
	case Int4:
		return arrow.PrimitiveTypes.Int32
	case Int8, OID, Regclass, Regtype, Regproc, Regnamespace:
		return arrow.PrimitiveTypes.Int64
	case Float4:
		return arrow.PrimitiveTypes.Float32
	case Float8:
		return arrow.PrimitiveTypes.Float64
	case Numeric:
		switch {
		case t.Precision == 0:
			return arrow.BinaryTypes.Binary
		case t.Precision <= 18:
			return &arrow.Decimal64Type{Precision: t.Precision, Scale: t.Scale}
		case t.Precision <= 38:
			return &arrow.Decimal128Type{Precision: t.Precision, Scale: t.Scale}
		}
		return &arrow.Decimal256Type{Precision: t.Precision, Scale: t.Scale}
	case Bytea:
		return arrow.BinaryTypes.Binary
	case Date:
		return arrow.FixedWidthTypes.Date32
	case Time:
		return arrow.FixedWidthTypes.Time64us
	case Timestamp:
		return timestampMicros
	case Timestamptz:
		return arrow.FixedWidthTypes.Timestamp_us
	case Interval, UUID:
		return fixed16
	case Array:
		return arrow.ListOf(t.Elem.Arrow())
	case Int2Vector:
		return arrow.ListOf(arrow.PrimitiveTypes.Int16)
	case OIDVector:
		return arrow.ListOf(arrow.PrimitiveTypes.Int64)
	case Map:
		return arrow.MapOf(t.Key.Arrow(), t.Elem.Arrow())
	case Row, Record:
		fields := make([]arrow.Field, len(t.Fields))
		for i, f := range t.Fields {
			fields[i] = arrow.Field{Name: f.Name, Type: f.Type.Arrow(), Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	return arrow.BinaryTypes.String // Text, Varchar, Char, Name, JSON, JSONB, InternalChar, Unknown, Void
}

var (
	timestampMicros = &arrow.TimestampType{Unit: arrow.Microsecond}
	fixed16         = &arrow.FixedSizeBinaryType{ByteWidth: 16}
)

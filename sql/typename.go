package sql

import "strings"

// TypeFromName finds a type by a name or alias of PostgreSQL or Flink, in any case and with single
// spaces, and applies the modifiers in parentheses: ("numeric", 10, 2), ("timestamp", 3), ("float",
// 24). "[]" after the name makes an array. 42704 when there is no such type, 22023 or 42601 for
// modifiers it can't have.
func TypeFromName(name string, mods []int32) (Type, error) {
	if elem, found := strings.CutSuffix(name, "[]"); found {
		t, err := TypeFromName(elem, mods)
		if err != nil {
			return Type{}, err
		}
		return ArrayOf(t), nil
	}
	lower := strings.ToLower(name)
	if lower == "float" {
		return floatOf(mods)
	}
	t, ok := typeNames[lower]
	if !ok {
		return Type{}, Errorf(CodeUndefinedObject, "type %q does not exist", name)
	}
	return withModifiers(t, name, mods)
}

// typeNames maps lower-case names to types. "char" as the internal type is spelt with its quotes.
var typeNames = map[string]Type{
	"bool": TypeBool, "boolean": TypeBool,
	"int2": TypeInt2, "smallint": TypeInt2,
	"int": TypeInt4, "int4": TypeInt4, "integer": TypeInt4,
	"int8": TypeInt8, "bigint": TypeInt8,
	"tinyint": TypeInt2, // Flink's; one byte narrower than what we have
	"float4":  TypeFloat4, "real": TypeFloat4,
	"float8": TypeFloat8, "double precision": TypeFloat8, "double": TypeFloat8,
	"numeric": TypeNumeric, "decimal": TypeNumeric, "dec": TypeNumeric,
	"text": TypeText, "string": TypeText, "character varying": TypeVarchar, "varchar": TypeVarchar,
	"character": {Kind: Char}, "char": {Kind: Char}, "nchar": {Kind: Char}, "bpchar": {Kind: Char},
	"national character": {Kind: Char}, "national char": {Kind: Char},
	"national character varying": TypeVarchar, "char varying": TypeVarchar,
	"bytea": TypeBytea, "bytes": TypeBytea, "varbinary": TypeBytea, "binary": TypeBytea,
	"date": TypeDate, "time": TypeTime, "time without time zone": TypeTime,
	"timestamp": TypeTimestamp, "timestamp without time zone": TypeTimestamp,
	"timestamptz": TypeTimestamptz, "timestamp with time zone": TypeTimestamptz,
	"timestamp_ltz": TypeTimestamptz, "timestamp with local time zone": TypeTimestamptz,
	"interval": TypeInterval, "uuid": TypeUUID, "json": TypeJSON, "jsonb": TypeJSONB,
	"name": TypeName, "oid": TypeOID, `"char"`: {Kind: InternalChar}, "regclass": {Kind: Regclass},
	"regtype": {Kind: Regtype}, "regproc": {Kind: Regproc}, "regnamespace": {Kind: Regnamespace},
	"int2vector": {Kind: Int2Vector}, "oidvector": {Kind: OIDVector}, "void": TypeVoid,
	"record": {Kind: Record}, "unknown": TypeUnknown,
}

// maxCharLength is PostgreSQL's limit of varchar(n); maxNumericPrecision is where a fixed numeric
// stops fitting an Arrow decimal.
const (
	maxCharLength       = 10485760
	maxNumericPrecision = 76
)

func withModifiers(t Type, name string, mods []int32) (Type, error) {
	if len(mods) == 0 {
		if t.Kind == Char && strings.ToLower(name) != "bpchar" {
			t.Precision = 1 // char is char(1); bpchar has no limit
		}
		return t, nil
	}
	switch t.Kind {
	case Numeric:
		return numericOf(mods)
	case Varchar, Char:
		return lengthOf(t, mods)
	case Bytea:
		return t, nil // Flink's VARBINARY(n): the length is not enforced
	case Time, Timestamp, Timestamptz:
		return precisionOf(t, mods)
	case Interval:
		return t, nil
	}
	return Type{}, Errorf(CodeSyntaxError, "type modifier is not allowed for type %q", name)
}

func numericOf(mods []int32) (Type, error) {
	if len(mods) > 2 {
		return Type{}, Errorf(CodeInvalidParameter, "invalid NUMERIC type modifier")
	}
	p, s := mods[0], int32(0)
	if len(mods) == 2 {
		s = mods[1]
	}
	switch {
	case p < 1 || p > 1000:
		return Type{}, Errorf(CodeInvalidParameter, "NUMERIC precision %d must be between 1 and 1000", p)
	case s < -1000 || s > 1000:
		return Type{}, Errorf(CodeInvalidParameter, "NUMERIC scale %d must be between -1000 and 1000", s)
	case p > maxNumericPrecision:
		return Type{}, Unsupported("a numeric precision above 76", "Use numeric without modifiers.")
	}
	return FixedNumeric(p, s), nil
}

func lengthOf(t Type, mods []int32) (Type, error) {
	word := "varchar"
	if t.Kind == Char {
		word = "char"
	}
	switch n := mods[0]; {
	case len(mods) > 1:
		return Type{}, Errorf(CodeInvalidParameter, "invalid type modifier")
	case n < 1:
		return Type{}, Errorf(CodeInvalidParameter, "length for type %s must be at least 1", word)
	case n > maxCharLength:
		if t.Kind == Varchar && n == 1<<31-1 {
			return TypeVarchar, nil // what Flink prints for STRING
		}
		return Type{}, Errorf(CodeInvalidParameter, "length for type %s cannot exceed %d", word, maxCharLength)
	default:
		t.Precision = n
		return t, nil
	}
}

func precisionOf(t Type, mods []int32) (Type, error) {
	p := mods[0]
	if len(mods) > 1 {
		return Type{}, Errorf(CodeInvalidParameter, "invalid type modifier")
	}
	if p < 0 {
		return Type{}, Errorf(CodeInvalidParameter, "%s(%d) precision must not be negative",
			strings.ToUpper(strings.Fields(kindNames[t.Kind])[0]), p)
	}
	t.Precision = min(p, 6) + 1 // PostgreSQL lowers more digits to 6 with a warning
	return t, nil
}

func floatOf(mods []int32) (Type, error) {
	switch {
	case len(mods) == 0:
		return TypeFloat8, nil
	case len(mods) > 1:
		return Type{}, Errorf(CodeSyntaxError, "type modifier is not allowed for type %q", "float")
	case mods[0] < 1:
		return Type{}, Errorf(CodeInvalidParameter, "precision for type float must be at least 1 bit")
	case mods[0] > 53:
		return Type{}, Errorf(CodeInvalidParameter, "precision for type float must be less than 54 bits")
	case mods[0] <= 24:
		return TypeFloat4, nil
	}
	return TypeFloat8, nil
}

package sql

// OIDs of PostgreSQL's types. A type that PostgreSQL lacks travels as text.
const (
	oidBool, oidBytea, oidChar, oidName       = 16, 17, 18, 19
	oidInt8, oidInt2, oidInt2Vector, oidInt4  = 20, 21, 22, 23
	oidRegproc, oidText, oidOID, oidOIDVector = 24, 25, 26, 30
	oidJSON, oidFloat4, oidFloat8, oidUnknown = 114, 700, 701, 705
	oidBpchar, oidVarchar, oidDate, oidTime   = 1042, 1043, 1082, 1083
	oidTimestamp, oidTimestamptz, oidInterval = 1114, 1184, 1186
	oidNumeric, oidRegclass, oidRegtype       = 1700, 2205, 2206
	oidRecord, oidVoid, oidUUID, oidJSONB     = 2249, 2278, 2950, 3802
	oidRegnamespace, oidRecordArray           = 4089, 2287
)

// oidEntry is one type's OIDs and its fixed length (-1 = variable).
type oidEntry struct {
	kind     Kind
	oid      uint32
	arrayOID uint32
	length   int16
}

var oidTable = [...]oidEntry{
	{Bool, oidBool, 1000, 1}, {Bytea, oidBytea, 1001, -1}, {InternalChar, oidChar, 1002, 1},
	{Name, oidName, 1003, 64}, {Int8, oidInt8, 1016, 8}, {Int2, oidInt2, 1005, 2},
	{Int2Vector, oidInt2Vector, 1006, -1}, {Int4, oidInt4, 1007, 4}, {Regproc, oidRegproc, 1008, 4},
	{Text, oidText, 1009, -1}, {OID, oidOID, 1028, 4}, {OIDVector, oidOIDVector, 1013, -1},
	{JSON, oidJSON, 199, -1}, {Float4, oidFloat4, 1021, 4}, {Float8, oidFloat8, 1022, 8},
	{Unknown, oidUnknown, 1009, -2}, {Char, oidBpchar, 1014, -1}, {Varchar, oidVarchar, 1015, -1},
	{Date, oidDate, 1182, 4}, {Time, oidTime, 1183, 8}, {Timestamp, oidTimestamp, 1115, 8},
	{Timestamptz, oidTimestamptz, 1185, 8}, {Interval, oidInterval, 1187, 16},
	{Numeric, oidNumeric, 1231, -1}, {Regclass, oidRegclass, 2210, 4}, {Regtype, oidRegtype, 2211, 4},
	{Record, oidRecord, oidRecordArray, -1}, {Row, oidRecord, oidRecordArray, -1},
	{Void, oidVoid, 0, 4}, {UUID, oidUUID, 2951, 16}, {JSONB, oidJSONB, 3807, -1},
	{Regnamespace, oidRegnamespace, 4090, 4},
}

var oidByKind = func() (byKind [Record + 1]oidEntry) {
	for _, e := range oidTable {
		byKind[e.kind] = e
	}
	// PostgreSQL has no maps: clients get them as text.
	byKind[Map] = oidEntry{Map, oidText, 1009, -1}
	return byKind
}()

var kindByOID = func() map[uint32]Kind {
	m := map[uint32]Kind{}
	for _, e := range oidTable {
		if e.kind != Row {
			m[e.oid] = e.kind
		}
	}
	return m
}()

// OID is the type's OID in pg_type. An array has its element's array OID, a row is a record, and a
// map is text. An array of arrays has its innermost element's, as dimensions don't count.
func (t Type) OID() uint32 {
	if t.Kind == Array {
		return t.Elem.ArrayOID()
	}
	return oidByKind[t.Kind].oid
}

// ArrayOID is the OID of an array of t.
func (t Type) ArrayOID() uint32 {
	if t.Kind == Array {
		return t.Elem.ArrayOID()
	}
	return oidByKind[t.Kind].arrayOID
}

// Len is pg_type's typlen: the fixed length in bytes, -1 = variable, -2 = a C string.
func (t Type) Len() int16 {
	if t.Kind == Array {
		return -1
	}
	return oidByKind[t.Kind].length
}

// TypeByOID is the type of an OID without modifiers. OID 0 is Unknown: the client leaves the
// choice to us. ok is false for an OID that no type has.
func TypeByOID(oid uint32) (t Type, ok bool) {
	if oid == 0 {
		return TypeUnknown, true
	}
	if k, found := kindByOID[oid]; found {
		return Type{Kind: k}, true
	}
	for _, e := range oidTable {
		if e.arrayOID == oid && e.kind != Row && e.kind != Unknown {
			return ArrayOf(Type{Kind: e.kind}), true
		}
	}
	return Type{}, false
}

// Typmod is pg_attribute's atttypmod: the modifiers in PostgreSQL's encoding, -1 = none. An array
// has its element's.
func (t Type) Typmod() int32 {
	switch t.Kind {
	case Array:
		return t.Elem.Typmod()
	case Numeric:
		if t.Precision > 0 {
			return t.Precision<<16 | t.Scale&0x7ff + 4
		}
	case Varchar, Char:
		if t.Precision > 0 {
			return t.Precision + 4
		}
	case Time, Timestamp, Timestamptz:
		return t.Precision - 1
	}
	return -1
}

// WithTypmod is t with the modifiers that m encodes.
func (t Type) WithTypmod(m int32) Type {
	if m < 0 {
		return t
	}
	switch t.Kind {
	case Array:
		return ArrayOf(t.Elem.WithTypmod(m))
	case Numeric:
		t.Precision, t.Scale = (m-4)>>16&0xffff, ((m-4)&0x7ff^1024)-1024
	case Varchar, Char:
		t.Precision = m - 4
	case Time, Timestamp, Timestamptz:
		t.Precision = m + 1
	}
	return t
}

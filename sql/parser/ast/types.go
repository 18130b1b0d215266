package ast

// TypeName is a type as written, before any catalog is asked.
//
// Keyword types have PostgreSQL's internal names: int2, int4, int8, float4, float8, numeric, bool,
// varchar, bpchar, bit, varbit, time, timetz, timestamp, timestamptz, interval. char without a
// length is bpchar(1); "char" in quotes is ["char"]. Flink's ROW<…>, ARRAY<…>, MULTISET<…> and
// MAP<…> are row, array, multiset and map with RowFields, Elem and Key; TIMESTAMP_LTZ(p) is
// timestamptz. Other words (text, string, bytes, jsonb, serial, …) are kept.
type TypeName struct {
	Position
	Name      Name
	Mods      []string    // of numeric(10,2), varchar(5), timestamp(3), interval(3)
	Fields    string      // of interval: "day", "day to second", …
	Dims      int         // number of trailing []
	SetOf     bool        // RETURNS SETOF
	Key       *TypeName   // map
	Elem      *TypeName   // array, multiset: element; map: value
	RowFields []*RowField // row
	NotNull   bool        // Flink: T NOT NULL inside <…>
}

// RowField is a field of ROW<…>.
type RowField struct {
	Position
	Name    string
	Written string // Name before folding if that changed it; else ""
	Type    *TypeName
	Comment string
}

package engine

import (
	"maps"
	"slices"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// pgTypeTables is pg_type.
func pgTypeTables() []systemTable {
	return []systemTable{
		{catalog.PGCatalog, "pg_type", cols("oid", sql.TypeOID, "typname", sql.TypeName, "typnamespace", sql.TypeOID, "typowner", sql.TypeOID,
			"typlen", sql.TypeInt2, "typbyval", sql.TypeBool, "typtype", typeChar, "typcategory", typeChar, "typispreferred", sql.TypeBool,
			"typisdefined", sql.TypeBool, "typdelim", typeChar, "typrelid", sql.TypeOID, "typelem", sql.TypeOID, "typarray", sql.TypeOID,
			"typnotnull", sql.TypeBool, "typbasetype", sql.TypeOID, "typtypmod", sql.TypeInt4, "typcollation", sql.TypeOID, "typdefault", sql.TypeText), typeRows},
	}
}

// pgTypes are the types that pg_type lists, with PostgreSQL's names and categories.
var pgTypes = []struct {
	t         sql.Type
	name      string
	category  string
	preferred bool
}{
	{sql.TypeBool, "bool", "B", true}, {sql.TypeBytea, "bytea", "U", false}, {sql.Type{Kind: sql.InternalChar}, "char", "Z", false},
	{sql.TypeName, "name", "S", false}, {sql.TypeInt8, "int8", "N", false}, {sql.TypeInt2, "int2", "N", false},
	{sql.Type{Kind: sql.Int2Vector}, "int2vector", "A", false}, {sql.TypeInt4, "int4", "N", false}, {sql.Type{Kind: sql.Regproc}, "regproc", "N", false},
	{sql.TypeText, "text", "S", true}, {sql.TypeOID, "oid", "N", true}, {sql.Type{Kind: sql.OIDVector}, "oidvector", "A", false},
	{sql.TypeJSON, "json", "U", false}, {sql.TypeFloat4, "float4", "N", false}, {sql.TypeFloat8, "float8", "N", true},
	{sql.TypeUnknown, "unknown", "X", false}, {sql.Type{Kind: sql.Char}, "bpchar", "S", false}, {sql.TypeVarchar, "varchar", "S", false},
	{sql.TypeDate, "date", "D", false}, {sql.TypeTime, "time", "D", false}, {sql.TypeTimestamp, "timestamp", "D", false},
	{sql.TypeTimestamptz, "timestamptz", "D", true}, {sql.TypeInterval, "interval", "T", true}, {sql.TypeNumeric, "numeric", "N", false},
	{sql.Type{Kind: sql.Regclass}, "regclass", "N", false}, {sql.Type{Kind: sql.Regtype}, "regtype", "N", false},
	{sql.TypeUUID, "uuid", "U", false}, {sql.TypeJSONB, "jsonb", "U", false}, {sql.TypeVoid, "void", "P", false},
	{sql.Type{Kind: sql.Record}, "record", "P", false}, {sql.Type{Kind: sql.Regnamespace}, "regnamespace", "N", false},
}

func typeRows(*systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	add := func(oid int64, name string, length int64, kind, category string, preferred bool, elem, array int64) {
		delim := ","
		rows = append(rows, []sql.Datum{oid, name, int64(oidPGCatalog), int64(oidOwner), length, length > 0 && length <= 8, kind, category, preferred,
			true, delim, int64(0), elem, array, false, int64(0), int64(-1), int64(0), nil})
	}
	for _, p := range pgTypes {
		kind := "b"
		if p.category == "P" {
			kind = "p"
		}
		array := int64(p.t.ArrayOID())
		add(int64(p.t.OID()), p.name, int64(p.t.Len()), kind, p.category, p.preferred, 0, array)
		if array != 0 {
			add(array, "_"+p.name, -1, "b", "A", false, int64(p.t.OID()), 0)
		}
	}
	return rows, nil
}

// pgServerTables describe the server: databases, roles, settings, sessions.
func pgServerTables() []systemTable {
	const schema = catalog.PGCatalog
	return []systemTable{
		{schema, "pg_database", cols("oid", sql.TypeOID, "datname", sql.TypeName, "datdba", sql.TypeOID, "encoding", sql.TypeInt4,
			"datlocprovider", typeChar, "datistemplate", sql.TypeBool, "datallowconn", sql.TypeBool, "datconnlimit", sql.TypeInt4,
			"dattablespace", sql.TypeOID, "datcollate", sql.TypeText, "datctype", sql.TypeText, "daticulocale", sql.TypeText, "datacl", typeTexts), databaseRows},
		{schema, "pg_roles", cols("oid", sql.TypeOID, "rolname", sql.TypeName, "rolsuper", sql.TypeBool, "rolinherit", sql.TypeBool,
			"rolcreaterole", sql.TypeBool, "rolcreatedb", sql.TypeBool, "rolcanlogin", sql.TypeBool, "rolreplication", sql.TypeBool,
			"rolconnlimit", sql.TypeInt4, "rolpassword", sql.TypeText, "rolvaliduntil", sql.TypeTimestamptz, "rolbypassrls", sql.TypeBool), roleRows},
		{schema, "pg_user", cols("usename", sql.TypeName, "usesysid", sql.TypeOID, "usecreatedb", sql.TypeBool, "usesuper", sql.TypeBool), userRows},
		{schema, "pg_settings", cols("name", sql.TypeText, "setting", sql.TypeText, "unit", sql.TypeText, "category", sql.TypeText,
			"short_desc", sql.TypeText, "context", sql.TypeText, "vartype", sql.TypeText, "source", sql.TypeText, "boot_val", sql.TypeText,
			"reset_val", sql.TypeText), settingRows},
		{schema, "pg_stat_activity", cols("datid", sql.TypeOID, "datname", sql.TypeName, "pid", sql.TypeInt4, "usename", sql.TypeName,
			"application_name", sql.TypeText, "client_addr", sql.TypeText, "backend_start", sql.TypeTimestamptz, "query_start", sql.TypeTimestamptz,
			"state", sql.TypeText, "query", sql.TypeText, "backend_type", sql.TypeText), activityRows},
		{schema, "pg_am", cols("oid", sql.TypeOID, "amname", sql.TypeName, "amhandler", sql.TypeOID, "amtype", typeChar),
			func(*systemView) ([][]sql.Datum, error) {
				return [][]sql.Datum{{int64(oidHeap), "heap", int64(3), "t"}}, nil
			}},
	}
}

func databaseRows(v *systemView) ([][]sql.Datum, error) {
	return [][]sql.Datum{{int64(oidDatabase), v.database(), int64(oidOwner), int64(6), "c", false, true, int64(-1), int64(1663), "C.UTF-8", "C.UTF-8", nil, nil}}, nil
}

func (v *systemView) database() string {
	if v.s == nil {
		return OwnerName
	}
	return v.s.Database()
}

func (v *systemView) roles() []string {
	names := []string{OwnerName}
	for _, o := range v.snap.All(catalog.User) {
		names = append(names, o.Name)
	}
	if v.s != nil && !slices.Contains(names, v.s.client.User) {
		names = append(names, v.s.client.User)
	}
	return names
}

func roleRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, n := range v.roles() {
		rows = append(rows, []sql.Datum{v.roleOID(n), n, true, true, true, true, true, false, int64(-1), "********", nil, true})
	}
	return rows, nil
}

func userRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, n := range v.roles() {
		rows = append(rows, []sql.Datum{n, v.roleOID(n), true, true})
	}
	return rows, nil
}

func settingRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		d := settings[name]
		value := d.def
		if v.s != nil {
			value, _ = v.s.set.get(name)
		}
		context := "user"
		if d.readOnly {
			context = "internal"
		}
		rows = append(rows, []sql.Datum{displayName(name), value, nil, "Client", d.desc, context, "string", "default", d.def, d.def})
	}
	return rows, nil
}

func activityRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, i := range v.e.sessions.list() {
		i.mu.Lock()
		rows = append(rows, []sql.Datum{int64(oidDatabase), i.database, int64(i.pid), i.user, i.app, i.remote, at(i.since), at(i.start), i.state, orNull(i.query), "client backend"})
		i.mu.Unlock()
	}
	return rows, nil
}

// infoSchemaTables are the tables of information_schema.
func infoSchemaTables() []systemTable {
	const schema = catalog.InfoSchema
	return []systemTable{
		{schema, "schemata", cols("catalog_name", sql.TypeName, "schema_name", sql.TypeName, "schema_owner", sql.TypeName), schemataRows},
		{schema, "tables", cols("table_catalog", sql.TypeName, "table_schema", sql.TypeName, "table_name", sql.TypeName, "table_type", sql.TypeText,
			"is_insertable_into", sql.TypeText), infoTableRows},
		{schema, "views", cols("table_catalog", sql.TypeName, "table_schema", sql.TypeName, "table_name", sql.TypeName, "view_definition", sql.TypeText), infoViewRows},
		{schema, "columns", cols("table_catalog", sql.TypeName, "table_schema", sql.TypeName, "table_name", sql.TypeName, "column_name", sql.TypeName,
			"ordinal_position", sql.TypeInt4, "column_default", sql.TypeText, "is_nullable", sql.TypeText, "data_type", sql.TypeText,
			"character_maximum_length", sql.TypeInt4, "numeric_precision", sql.TypeInt4, "numeric_scale", sql.TypeInt4,
			"datetime_precision", sql.TypeInt4, "udt_schema", sql.TypeName, "udt_name", sql.TypeName, "is_identity", sql.TypeText,
			"is_generated", sql.TypeText), infoColumnRows},
	}
}

func schemataRows(v *systemView) ([][]sql.Datum, error) {
	ns, err := namespaceRows(v)
	var rows [][]sql.Datum
	for _, n := range ns {
		rows = append(rows, []sql.Datum{v.database(), n[1], OwnerName})
	}
	return rows, err
}

func infoTableRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		kind, insertable := "BASE TABLE", "YES"
		switch r.kind {
		case "v":
			kind, insertable = "VIEW", "NO"
		case "m":
			continue // as in PostgreSQL, materialized views are not in the standard's tables
		}
		rows = append(rows, []sql.Datum{v.database(), r.schema, r.name, kind, insertable})
	}
	return rows, nil
}

func infoViewRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range viewRows(v, "v") {
		rows = append(rows, []sql.Datum{v.database(), r[0], r[1], r[3]})
	}
	return rows, nil
}

func infoColumnRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	yes := map[bool]string{true: "YES", false: "NO"}
	for _, r := range v.relations() {
		if r.kind == "m" {
			continue
		}
		for i, c := range r.columns {
			var length, precision, scale, digits sql.Datum
			switch {
			case c.Type.Kind == sql.Varchar || c.Type.Kind == sql.Char:
				if c.Type.Precision > 0 {
					length = int64(c.Type.Precision)
				}
			case c.Type.IsFixed():
				precision, scale = int64(c.Type.Precision), int64(c.Type.Scale)
			case c.Type.Kind == sql.Timestamp || c.Type.Kind == sql.Timestamptz || c.Type.Kind == sql.Time:
				digits = int64(6)
				if p, ok := c.Type.TimePrecision(); ok {
					digits = int64(p)
				}
			}
			kind := c.Type.BaseName()
			if c.Type.Kind == sql.Array {
				kind = "ARRAY"
			}
			generated := "NEVER"
			if c.Generated != "" {
				generated = "ALWAYS"
			}
			rows = append(rows, []sql.Datum{v.database(), r.schema, r.name, c.Name, int64(i + 1), orNull(defaultText(r, c)), yes[!c.NotNull], kind,
				length, precision, scale, digits, catalog.PGCatalog, udtName(c.Type), yes[c.Identity == "always" || c.Identity == "by default"], generated})
		}
	}
	return rows, nil
}

// udtName is pg_type's name of a type.
func udtName(t sql.Type) string {
	prefix := ""
	if t.Kind == sql.Array {
		prefix, t = "_", *t.Elem
	}
	for _, p := range pgTypes {
		if p.t.Kind == t.Kind {
			return prefix + p.name
		}
	}
	return prefix + t.BaseName()
}

package engine

import (
	"hash/fnv"
	"slices"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// OIDs of what PostgreSQL has fixed ones for.
const (
	oidPGCatalog  = 11
	oidPublic     = 2200
	oidStreamSQL  = 11_998
	oidInfoSchema = 11_999
	oidOwner      = 10
	oidDatabase   = 5
	oidHeap       = 2
)

// OwnerName is the role that owns what nobody made.
const OwnerName = "streamsql"

// schemaOID is a schema's OID.
func (v *systemView) schemaOID(schema string) int64 {
	switch schema {
	case catalog.PGCatalog:
		return oidPGCatalog
	case catalog.PublicSchema:
		return oidPublic
	case catalog.SystemSchema:
		return oidStreamSQL
	case catalog.InfoSchema:
		return oidInfoSchema
	}
	if o := v.snap.SchemaObject(schema); o != nil {
		return int64(o.ID)
	}
	return 0
}

// roleOID is a role's OID: that of its object, or one made of its name.
func (v *systemView) roleOID(role string) int64 {
	if role == "" || role == OwnerName {
		return oidOwner
	}
	if o := v.snap.User(role); o != nil {
		return int64(o.ID)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(role)) // a hash's Write never fails
	return int64(h.Sum32()%1_000_000) + 1_000_000_000
}

// pgRelation is a relation as pg_class has it.
type pgRelation struct {
	oid          int64
	schema, name string
	kind         string // relkind
	owner        string
	columns      []catalog.Column
	key          []int
	object       *catalog.Object // nil for system tables
}

// relations lists everything that pg_class has: what was created, then the system tables.
func (v *systemView) relations() []pgRelation {
	var out []pgRelation
	for _, o := range v.snap.All() {
		kind := ""
		switch o.Kind {
		case catalog.Table, catalog.Source:
			kind = "r"
		case catalog.View:
			kind = "v"
		case catalog.MaterializedView:
			kind = "m"
		default:
			continue
		}
		visible := slices.DeleteFunc(slices.Clone(o.Columns), func(c catalog.Column) bool { return c.Hidden })
		key := o.Key
		if slices.ContainsFunc(key, func(k int) bool { return k >= len(visible) }) {
			key = nil
		}
		out = append(out, pgRelation{int64(o.ID), o.Schema, o.Name, kind, o.Owner, visible, key, o})
	}
	for _, e := range systemByName() {
		r := pgRelation{oid: int64(e.relation.ID), schema: e.relation.Schema, name: e.relation.Name, kind: "r", owner: OwnerName}
		if r.schema != catalog.PGCatalog {
			r.kind = "v"
		}
		for _, c := range e.relation.Columns {
			r.columns = append(r.columns, catalog.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull})
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b pgRelation) int { return int(a.oid - b.oid) })
	return out
}

var (
	typeChar  = sql.Type{Kind: sql.InternalChar}
	typeTexts = sql.ArrayOf(sql.TypeText)
)

// pgRelationTables are pg_class, pg_attribute and what else describes relations.
func pgRelationTables() []systemTable {
	const schema = catalog.PGCatalog
	return []systemTable{
		{schema, "pg_namespace", cols("oid", sql.TypeOID, "nspname", sql.TypeName, "nspowner", sql.TypeOID, "nspacl", typeTexts), namespaceRows},
		{schema, "pg_class", cols("oid", sql.TypeOID, "relname", sql.TypeName, "relnamespace", sql.TypeOID, "reltype", sql.TypeOID,
			"reloftype", sql.TypeOID, "relowner", sql.TypeOID, "relam", sql.TypeOID, "relfilenode", sql.TypeOID, "reltablespace", sql.TypeOID,
			"relpages", sql.TypeInt4, "reltuples", sql.TypeFloat4, "relallvisible", sql.TypeInt4, "reltoastrelid", sql.TypeOID,
			"relhasindex", sql.TypeBool, "relisshared", sql.TypeBool, "relpersistence", typeChar, "relkind", typeChar,
			"relnatts", sql.TypeInt2, "relchecks", sql.TypeInt2, "relhasrules", sql.TypeBool, "relhastriggers", sql.TypeBool,
			"relhassubclass", sql.TypeBool, "relrowsecurity", sql.TypeBool, "relforcerowsecurity", sql.TypeBool,
			"relispopulated", sql.TypeBool, "relreplident", typeChar, "relispartition", sql.TypeBool, "relrewrite", sql.TypeOID,
			"relacl", typeTexts, "reloptions", typeTexts, "relpartbound", sql.TypeText), classRows},
		{schema, "pg_attribute", cols("attrelid", sql.TypeOID, "attname", sql.TypeName, "atttypid", sql.TypeOID, "attstattarget", sql.TypeInt4,
			"attlen", sql.TypeInt2, "attnum", sql.TypeInt2, "attndims", sql.TypeInt4, "atttypmod", sql.TypeInt4, "attbyval", sql.TypeBool,
			"attalign", typeChar, "attstorage", typeChar, "attcompression", typeChar, "attnotnull", sql.TypeBool, "atthasdef", sql.TypeBool,
			"atthasmissing", sql.TypeBool, "attidentity", typeChar, "attgenerated", typeChar, "attisdropped", sql.TypeBool,
			"attislocal", sql.TypeBool, "attinhcount", sql.TypeInt4, "attcollation", sql.TypeOID, "attacl", typeTexts, "attoptions", typeTexts), attributeRows},
		{schema, "pg_attrdef", cols("oid", sql.TypeOID, "adrelid", sql.TypeOID, "adnum", sql.TypeInt2, "adbin", sql.TypeText), attrdefRows},
		{schema, "pg_description", cols("objoid", sql.TypeOID, "classoid", sql.TypeOID, "objsubid", sql.TypeInt4, "description", sql.TypeText), descriptionRows},
		{schema, "pg_tables", cols("schemaname", sql.TypeName, "tablename", sql.TypeName, "tableowner", sql.TypeName, "tablespace", sql.TypeName,
			"hasindexes", sql.TypeBool, "hasrules", sql.TypeBool, "hastriggers", sql.TypeBool, "rowsecurity", sql.TypeBool), tablesRows},
		{schema, "pg_views", cols("schemaname", sql.TypeName, "viewname", sql.TypeName, "viewowner", sql.TypeName, "definition", sql.TypeText),
			func(v *systemView) ([][]sql.Datum, error) { return viewRows(v, "v"), nil }},
		{schema, "pg_matviews", cols("schemaname", sql.TypeName, "matviewname", sql.TypeName, "matviewowner", sql.TypeName, "tablespace", sql.TypeName,
			"hasindexes", sql.TypeBool, "ispopulated", sql.TypeBool, "definition", sql.TypeText), matviewRows},
	}
}

func namespaceRows(v *systemView) ([][]sql.Datum, error) {
	names := []string{catalog.PGCatalog, catalog.PublicSchema, catalog.SystemSchema, catalog.InfoSchema}
	for _, o := range v.snap.All(catalog.Schema) {
		names = append(names, o.Name)
	}
	var rows [][]sql.Datum
	for _, n := range names {
		rows = append(rows, []sql.Datum{v.schemaOID(n), n, int64(oidOwner), nil})
	}
	return rows, nil
}

func classRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		am := int64(0)
		if r.kind == "r" || r.kind == "m" {
			am = oidHeap
		}
		checks := int64(0)
		if r.object != nil {
			checks = int64(len(r.object.Checks))
		}
		rows = append(rows, []sql.Datum{r.oid, r.name, v.schemaOID(r.schema), int64(0), int64(0), v.roleOID(r.owner), am, r.oid, int64(0),
			int64(0), float64(-1), int64(0), int64(0), false, false, "p", r.kind, int64(len(r.columns)), checks, r.kind == "v", false,
			false, false, false, true, "d", false, int64(0), nil, nil, nil})
	}
	return rows, nil
}

func attributeRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		for i, c := range r.columns {
			identity, generated := "", ""
			switch c.Identity {
			case "always":
				identity = "a"
			case "by default":
				identity = "d"
			}
			if c.Generated != "" {
				generated = "s"
			}
			length := int64(c.Type.Len())
			rows = append(rows, []sql.Datum{r.oid, c.Name, int64(c.Type.OID()), int64(-1), length, int64(i + 1), int64(dims(c.Type)),
				int64(c.Type.Typmod()), length > 0 && length <= 8, "i", "p", "", c.NotNull, c.Default != "" || c.Generated != "" || c.Identity == "serial",
				false, identity, generated, false, true, int64(0), int64(0), nil, nil})
		}
	}
	return rows, nil
}

func dims(t sql.Type) int {
	if t.Kind == sql.Array {
		return 1
	}
	return 0
}

func attrdefRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		for i, c := range r.columns {
			if text := defaultText(r, c); text != "" {
				rows = append(rows, []sql.Datum{r.oid*1000 + int64(i), r.oid, int64(i + 1), text})
			}
		}
	}
	return rows, nil
}

// defaultText is a column's default as tools read it.
func defaultText(r pgRelation, c catalog.Column) string {
	switch {
	case c.Identity == "serial":
		return "nextval('" + r.name + "_" + c.Name + "_seq'::regclass)"
	case c.Generated != "":
		return c.Generated
	}
	return c.Default
}

func descriptionRows(v *systemView) ([][]sql.Datum, error) {
	const classOID = 1259
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		if r.object != nil && r.object.Comment != "" {
			rows = append(rows, []sql.Datum{r.oid, int64(classOID), int64(0), r.object.Comment})
		}
		for i, c := range r.columns {
			if c.Comment != "" {
				rows = append(rows, []sql.Datum{r.oid, int64(classOID), int64(i + 1), c.Comment})
			}
		}
	}
	return rows, nil
}

func tablesRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		if r.kind == "r" {
			rows = append(rows, []sql.Datum{r.schema, r.name, roleName(r.owner), nil, false, false, false, false})
		}
	}
	return rows, nil
}

func roleName(owner string) string {
	if owner == "" {
		return OwnerName
	}
	return owner
}

func viewRows(v *systemView, kind string) [][]sql.Datum {
	var rows [][]sql.Datum
	for _, r := range v.relations() {
		if r.kind != kind {
			continue
		}
		def := ""
		if r.object != nil {
			def = " " + r.object.Query + ";"
		}
		rows = append(rows, []sql.Datum{r.schema, r.name, roleName(r.owner), def})
	}
	return rows
}

func matviewRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, r := range viewRows(v, "m") {
		rows = append(rows, []sql.Datum{r[0], r[1], r[2], nil, false, true, r[3]})
	}
	return rows, nil
}

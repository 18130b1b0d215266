package engine

import (
	"sync"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/planner"
)

// systemTable is a virtual table: its rows are made when a query reads it. The tables of schema
// streamsql show what the engine does; those of pg_catalog and information_schema show the catalog
// to tools, in PostgreSQL's shape. To grow one is to add a column here and a value to its rows.
type systemTable struct {
	schema, name string
	columns      sql.Schema
	rows         func(v *systemView) ([][]sql.Datum, error)
}

// systemView is what the rows of system tables are made of: the session's view of the catalog.
type systemView struct {
	e    *Engine
	s    *session
	snap *catalog.Snapshot
}

// systemTables lists them all.
func systemTables() []systemTable {
	var all []systemTable
	for _, list := range [][]systemTable{streamTables(), pgRelationTables(), pgTypeTables(), pgServerTables(), infoSchemaTables()} {
		all = append(all, list...)
	}
	return all
}

// systemEntries is made at first use; a variable with an initial value would refer to itself, since
// the tables list the tables.
var (
	systemOnce    sync.Once
	systemEntries map[[2]string]*systemEntry
)

// systemByName has the tables by schema and name.
func systemByName() map[[2]string]*systemEntry {
	systemOnce.Do(func() { systemEntries = makeSystemTables() })
	return systemEntries
}

// makeSystemTables gives the tables ids, which are below those of the catalog.
func makeSystemTables() map[[2]string]*systemEntry {
	m := map[[2]string]*systemEntry{}
	for i, t := range systemTables() {
		rel := &planner.Relation{ID: firstSystemID + uint32(i), Schema: t.schema, Name: t.name, Kind: planner.System, AppendOnly: true}
		for _, c := range t.columns {
			rel.Columns = append(rel.Columns, planner.Column{Column: c})
		}
		m[[2]string{t.schema, t.name}] = &systemEntry{rel, t}
	}
	return m
}

const firstSystemID = 12_000

type systemEntry struct {
	relation *planner.Relation
	table    systemTable
}

// systemRelation finds a system table by name. Without a schema only pg_catalog is searched, which
// is always part of the search path.
func (e *Engine) systemRelation(schema, name string) *planner.Relation {
	if schema == "" {
		schema = catalog.PGCatalog
	}
	if s := systemByName()[[2]string{schema, name}]; s != nil {
		return s.relation
	}
	return nil
}

// systemRows makes the rows of a system table.
func systemRows(rel *planner.Relation, v *systemView) ([][]sql.Datum, error) {
	return systemByName()[[2]string{rel.Schema, rel.Name}].table.rows(v)
}

// column helpers keep the tables' definitions readable.
func col(name string, t sql.Type) sql.Column { return sql.Column{Name: name, Type: t} }

func cols(list ...any) sql.Schema {
	var s sql.Schema
	for i := 0; i < len(list); i += 2 {
		s = append(s, col(list[i].(string), list[i+1].(sql.Type)))
	}
	return s
}

func orNull(s string) sql.Datum {
	if s == "" {
		return nil
	}
	return s
}

package engine

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// The session answers the functions that ask about it or about the catalog.
var _ expr.Session = (*session)(nil)

// Setting implements expr.Session.
func (s *session) Setting(name string) (string, bool) { return s.set.get(name) }

// User implements expr.Session.
func (s *session) User() string { return s.client.User }

// Database implements expr.Session. There is one database; it has the name that the client asked for.
func (s *session) Database() string { return s.client.Database }

// Schema implements expr.Session.
func (s *session) Schema() string {
	for _, p := range s.set.searchPath() {
		if s.catalog().HasSchema(p) {
			return p
		}
	}
	return ""
}

// CatalogFunction implements expr.Session.
func (s *session) CatalogFunction(name string, args []sql.Datum) (sql.Datum, error) {
	f := catalogFunctions(name)
	if f == nil {
		return nil, sql.Unsupported("function "+name, "")
	}
	return f(s, args)
}

// catalogFunction computes a function over the catalog or the session. NULL arguments have been
// handled before.
type catalogFunction func(s *session, args []sql.Datum) (sql.Datum, error)

// catalogFunctions are all of them, by name.
func catalogFunctions(name string) catalogFunction {
	switch name {
	case "set_config":
		return (*session).setConfig
	case "pg_cancel_backend":
		return func(s *session, args []sql.Datum) (sql.Datum, error) { return s.cancelBackend(args, false) }
	case "pg_terminate_backend":
		return func(s *session, args []sql.Datum) (sql.Datum, error) { return s.cancelBackend(args, true) }
	case "pg_backend_pid":
		return func(s *session, _ []sql.Datum) (sql.Datum, error) { return int64(s.client.PID), nil }
	case "pg_get_viewdef":
		return (*session).viewDef
	case "pg_table_is_visible":
		return func(s *session, args []sql.Datum) (sql.Datum, error) { return s.visible(num(args[0])), nil }
	case "pg_get_userbyid":
		return (*session).userByID
	case "to_regclass", "regclassin":
		return func(s *session, args []sql.Datum) (sql.Datum, error) {
			return s.regclass(str(args[0]), name == "regclassin")
		}
	case "regclassout":
		return func(s *session, args []sql.Datum) (sql.Datum, error) { return s.regclassText(num(args[0])), nil }
	case "version":
		return func(s *session, _ []sql.Datum) (sql.Datum, error) {
			return "PostgreSQL " + ServerVersion + " (streamsql " + s.e.cfg.Version + ")", nil
		}
	case expr.NextvalFunction:
		return func(s *session, args []sql.Datum) (sql.Datum, error) {
			return s.e.take(uint32(num(args[0])), str(args[1]), 1)
		}
	case "pg_sleep":
		return (*session).sleep
	case "current_schemas":
		return (*session).currentSchemas
	case "pg_postmaster_start_time":
		return func(s *session, _ []sql.Datum) (sql.Datum, error) { return at(s.e.started), nil }
	case "pg_get_expr":
		return func(_ *session, args []sql.Datum) (sql.Datum, error) { return args[0], nil }
	case "obj_description", "col_description":
		return (*session).description
	case "pg_relation_size", "pg_table_size", "pg_total_relation_size":
		return (*session).relationSize
	}
	return constantFunction(name)
}

// constantFunction is a function whose answer is the same for everything that there is here: every
// user may do everything, there are no indexes, constraints by name, or sequences as objects.
func constantFunction(name string) catalogFunction {
	var answer sql.Datum
	switch name {
	case "pg_is_in_recovery":
		answer = false
	case "pg_type_is_visible", "pg_function_is_visible", "has_table_privilege", "has_schema_privilege", "has_database_privilege":
		answer = true
	case "txid_current":
		answer = int64(1)
	case "pg_get_indexdef", "pg_get_constraintdef", "pg_get_serial_sequence", "shobj_description":
	default:
		return nil
	}
	return func(*session, []sql.Datum) (sql.Datum, error) { return answer, nil }
}

// regclass finds a relation by name or number; must makes an unknown one an error.
func (s *session) regclass(text string, must bool) (sql.Datum, error) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return int64(n), nil
	}
	if oid, ok := s.toRegclass(text); ok {
		return oid, nil
	}
	if must {
		return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", text)
	}
	return nil, nil
}

// regclassText is a relation's name, with its schema where it is not found without.
func (s *session) regclassText(oid int64) string {
	schema, name, ok := s.relationByOID(oid)
	switch {
	case !ok:
		return strconv.FormatInt(oid, 10)
	case s.visible(oid):
		return sql.QuoteIdent(name)
	}
	return sql.QuoteIdent(schema) + "." + sql.QuoteIdent(name)
}

func (s *session) currentSchemas(args []sql.Datum) (sql.Datum, error) {
	var out []sql.Datum
	if implicit, _ := args[0].(bool); implicit {
		out = append(out, catalog.PGCatalog)
	}
	for _, p := range s.set.searchPath() {
		if s.catalog().HasSchema(p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// sleep waits, at most until the statement is cancelled.
func (s *session) sleep(args []sql.Datum) (sql.Datum, error) {
	seconds, _ := args[0].(float64)
	ctx := *s.running.Load()
	select {
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return "", nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// description is the comment on a relation, or on a column of it.
func (s *session) description(args []sql.Datum) (sql.Datum, error) {
	o := s.catalog().Get(uint32(num(args[0])))
	if o == nil {
		return nil, nil
	}
	if column, ok := args[len(args)-1].(int64); ok && len(args) == 2 {
		if column < 1 || int(column) > len(o.Columns) {
			return nil, nil
		}
		return orNull(o.Columns[column-1].Comment), nil
	}
	return orNull(o.Comment), nil
}

func (s *session) relationSize(args []sql.Datum) (sql.Datum, error) {
	o := s.catalog().Get(uint32(num(args[0])))
	if o == nil || o.RowsTable == 0 {
		return int64(0), nil
	}
	return s.e.store.TableBytes(state.TableID(o.RowsTable))
}

func (s *session) userByID(args []sql.Datum) (sql.Datum, error) {
	v := s.view()
	for _, n := range v.roles() {
		if v.roleOID(n) == num(args[0]) {
			return n, nil
		}
	}
	return "unknown (OID=" + strconv.FormatInt(num(args[0]), 10) + ")", nil
}

func (s *session) view() *systemView { return &systemView{s.e, s, s.catalog()} }

func str(d sql.Datum) string { v, _ := d.(string); return v }
func num(d sql.Datum) int64  { v, _ := d.(int64); return v }

func (s *session) setConfig(args []sql.Datum) (sql.Datum, error) {
	local, _ := args[2].(bool)
	if err := s.applySetting(str(args[0]), str(args[1]), local && s.tx != nil && s.tx.explicit); err != nil {
		return nil, err
	}
	v, _ := s.set.get(str(args[0]))
	return v, nil
}

func (s *session) cancelBackend(args []sql.Datum, terminate bool) (sql.Datum, error) {
	pid := num(args[0])
	if pid <= 0 || !s.client.CancelBackend(uint32(pid), terminate) {
		s.warning("01000", "PID %d is not a PostgreSQL server process", pid)
		return false, nil
	}
	return true, nil
}

// relationByOID finds a relation by its OID.
func (s *session) relationByOID(oid int64) (schema, name string, ok bool) {
	if o := s.catalog().Get(uint32(oid)); o != nil && o.IsRelation() {
		return o.Schema, o.Name, true
	}
	for _, e := range systemByName() {
		if int64(e.relation.ID) == oid {
			return e.relation.Schema, e.relation.Name, true
		}
	}
	return "", "", false
}

// toRegclass finds a relation's OID by name, quoted or not.
func (s *session) toRegclass(text string) (int64, bool) {
	var parts []string
	for _, p := range strings.Split(text, ".") {
		if q, ok := strings.CutPrefix(p, `"`); ok {
			p = strings.TrimSuffix(q, `"`)
		} else {
			p = strings.ToLower(p)
		}
		parts = append(parts, p)
	}
	schema := ""
	if len(parts) > 1 {
		schema = parts[len(parts)-2]
	}
	c := &planCatalog{s.e, s.catalog(), s.lookupPath()}
	rel, err := c.Relation(schema, parts[len(parts)-1])
	if err != nil {
		return 0, false
	}
	return int64(rel.ID), true
}

// visible tells whether a relation is found by its name alone.
func (s *session) visible(oid int64) bool {
	schema, name, ok := s.relationByOID(oid)
	if !ok {
		return false
	}
	found, ok := s.toRegclass(sql.QuoteIdent(name))
	return ok && found == oid && schema != ""
}

// viewDef is pg_get_viewdef.
func (s *session) viewDef(args []sql.Datum) (sql.Datum, error) {
	var oid int64
	switch v := args[0].(type) {
	case int64:
		oid = v
	case string:
		var ok bool
		if oid, ok = s.toRegclass(v); !ok {
			if n, err := strconv.ParseInt(v, 10, 64); err == nil {
				oid = n
			} else {
				return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", v)
			}
		}
	}
	if o := s.catalog().Get(uint32(oid)); o != nil && (o.Kind == catalog.View || o.Kind == catalog.MaterializedView) {
		return " " + o.Query + ";", nil
	}
	return nil, nil
}

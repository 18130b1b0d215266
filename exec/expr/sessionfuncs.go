package expr

import (
	"crypto/rand"
	"fmt"

	"github.com/streamsql/streamsql/sql"
)

// NextvalFunction gives the next value of a serial or identity column, named by table id and column:
// the default of such a column.
const NextvalFunction = "streamsql_nextval"

// sessionFunctions tell about types, the session and the catalog. The last go through
// Context.Session.
func sessionFunctions() []Function {
	text, name, int4, int8, oid, boolean := sql.TypeText, sql.TypeName, sql.TypeInt4, sql.TypeInt8, sql.TypeOID, sql.TypeBool
	regtype := sql.Type{Kind: sql.Regtype}
	fns := []Function{
		{Name: "pg_typeof", Args: types(Any), Result: regtype, Volatility: Stable, CalledOnNull: true, Kernel: RowN(typeOf)},
		{Name: "format_type", Args: types(oid, int4), Result: text, Volatility: Stable, CalledOnNull: true, Kernel: RowN(formatType)},
		{Name: "gen_random_uuid", Result: sql.TypeUUID, Volatility: Volatile, Kernel: Row0(randomUUID)},
		{Name: "pg_encoding_to_char", Args: types(int4), Result: name, Volatility: Stable, Kernel: Pure1(func(n int32) string {
			if n == 6 {
				return "UTF8"
			}
			return ""
		})},
		{Name: "pg_size_pretty", Args: types(int8), Result: text, Kernel: Pure1(prettySize)},
		{Name: "current_setting", Args: types(text), Result: text, Volatility: Stable, OfSession: true, Kernel: RowN(currentSetting)},
		{Name: "current_setting", Args: types(text, boolean), Result: text, Volatility: Stable, OfSession: true, Kernel: RowN(currentSetting)},
	}
	for n, get := range map[string]func(Session) string{
		"current_user": Session.User, "session_user": Session.User, "user": Session.User, "current_role": Session.User,
		"current_database": Session.Database, "current_catalog": Session.Database, "current_schema": Session.Schema,
	} {
		fns = append(fns, Function{Name: n, Result: name, Volatility: Stable, OfSession: true, Kernel: Row0(func(c *Context) (string, error) {
			if c.Session == nil {
				return "", errNoSession(n)
			}
			if s := get(c.Session); s != "" {
				return s, nil
			}
			return "", Null
		})})
	}
	return append(fns, catalogCalls()...)
}

// catalogCalls are functions that are computed by the session.
func catalogCalls() []Function {
	text, name, int4, int8, oid, boolean := sql.TypeText, sql.TypeName, sql.TypeInt4, sql.TypeInt8, sql.TypeOID, sql.TypeBool
	regclass, regtype := sql.Type{Kind: sql.Regclass}, sql.Type{Kind: sql.Regtype}
	fns := []Function{
		{Name: "version", Result: text},
		{Name: "pg_backend_pid", Result: int4},
		{Name: "pg_is_in_recovery", Result: boolean},
		{Name: "pg_postmaster_start_time", Result: sql.TypeTimestamptz},
		{Name: "txid_current", Result: int8},
		{Name: "set_config", Args: types(text, text, boolean), Result: text},
		{Name: "current_schemas", Args: types(boolean), Result: sql.ArrayOf(name)},
		{Name: "to_regclass", Args: types(text), Result: regclass},
		{Name: "to_regtype", Args: types(text), Result: regtype},
		{Name: "to_regnamespace", Args: types(text), Result: sql.Type{Kind: sql.Regnamespace}},
		{Name: "pg_get_userbyid", Args: types(oid), Result: name},
		{Name: "pg_table_is_visible", Args: types(oid), Result: boolean},
		{Name: "pg_type_is_visible", Args: types(oid), Result: boolean},
		{Name: "pg_function_is_visible", Args: types(oid), Result: boolean},
		{Name: "pg_get_viewdef", Args: types(oid), Result: text},
		{Name: "pg_get_viewdef", Args: types(oid, boolean), Result: text},
		{Name: "pg_get_indexdef", Args: types(oid), Result: text},
		{Name: "pg_get_indexdef", Args: types(oid, int4, boolean), Result: text},
		{Name: "pg_get_constraintdef", Args: types(oid), Result: text},
		{Name: "pg_get_constraintdef", Args: types(oid, boolean), Result: text},
		{Name: "pg_get_expr", Args: types(text, oid), Result: text},
		{Name: "pg_get_expr", Args: types(text, oid, boolean), Result: text},
		{Name: "pg_get_serial_sequence", Args: types(text, text), Result: text},
		{Name: "obj_description", Args: types(oid), Result: text},
		{Name: "obj_description", Args: types(oid, name), Result: text},
		{Name: "shobj_description", Args: types(oid, name), Result: text},
		{Name: "col_description", Args: types(oid, int4), Result: text},
		{Name: "pg_relation_size", Args: types(regclass), Result: int8},
		{Name: "pg_table_size", Args: types(regclass), Result: int8},
		{Name: "pg_total_relation_size", Args: types(regclass), Result: int8},
		{Name: "has_table_privilege", Args: types(oid, text), Result: boolean},
		{Name: "has_table_privilege", Args: types(text, text), Result: boolean},
		{Name: "has_schema_privilege", Args: types(oid, text), Result: boolean},
		{Name: "has_schema_privilege", Args: types(text, text), Result: boolean},
		{Name: "has_database_privilege", Args: types(oid, text), Result: boolean},
		{Name: "has_database_privilege", Args: types(text, text), Result: boolean},
		{Name: "pg_cancel_backend", Args: types(int4), Result: boolean, Volatility: Volatile},
		{Name: "pg_terminate_backend", Args: types(int4), Result: boolean, Volatility: Volatile},
		{Name: "pg_sleep", Args: types(sql.TypeFloat8), Result: sql.TypeVoid, Volatility: Volatile},
		{Name: NextvalFunction, Args: types(int8, text), Result: int8, Volatility: Volatile},
	}
	for i := range fns {
		f := &fns[i]
		if f.Volatility == Immutable {
			f.Volatility = Stable
		}
		f.OfSession = true
		f.Kernel = RowN(func(c *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
			if c.Session == nil {
				return nil, errNoSession(f.Name)
			}
			return c.Session.CatalogFunction(f.Name, args)
		})
	}
	return fns
}

func errNoSession(name string) error {
	return sql.Unsupported(name+"() in a job, which has no session,", "Compute it in the query that reads the result.")
}

func typeOf(_ *Context, in *Input, _ []sql.Datum) (sql.Datum, error) {
	return int64(in.Args[0].Type.OID()), nil
}

// formatType is the name of a type's OID with its modifiers; NULL modifiers are none.
func formatType(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	if args[0] == nil {
		return nil, nil
	}
	id := args[0].(int64)
	if id == 0 {
		return "-", nil
	}
	t, ok := sql.TypeByOID(uint32(id))
	if !ok {
		return "???", nil
	}
	if m, ok := args[1].(int64); ok {
		t = t.WithTypmod(int32(m))
	}
	return t.String(), nil
}

func randomUUID(*Context) (sql.UUIDValue, error) {
	var u sql.UUIDValue
	_, err := rand.Read(u[:])
	u[6] = u[6]&0x0f | 0x40 // version 4
	u[8] = u[8]&0x3f | 0x80 // variant 1
	return u, err
}

// prettySize prints bytes in the largest unit that keeps at least ten of it, rounding halves away
// from zero.
func prettySize(n int64) string {
	units := []string{"bytes", "kB", "MB", "GB", "TB", "PB"}
	if n > -10*1024 && n < 10*1024 {
		return fmt.Sprintf("%d bytes", n)
	}
	half, u := n>>9, 1 // in half kilobytes, so as to round
	if n < 0 {
		half = -(-n >> 9)
		if n == -n {
			half = n >> 9
		}
	}
	for ; u < len(units)-1 && (half >= 20*1024-1 || half <= -(20*1024-1)); u++ {
		half /= 1024
	}
	if half < 0 {
		return fmt.Sprintf("%d %s", (half-1)/2, units[u])
	}
	return fmt.Sprintf("%d %s", (half+1)/2, units[u])
}

func currentSetting(c *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	if c.Session == nil {
		return nil, errNoSession("current_setting")
	}
	name := args[0].(string)
	if v, ok := c.Session.Setting(name); ok {
		return v, nil
	}
	if len(args) > 1 && args[1].(bool) {
		return nil, nil
	}
	return nil, sql.Errorf(sql.CodeUndefinedObject, "unrecognized configuration parameter \"%s\"", name)
}

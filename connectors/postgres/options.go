package postgres

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// engineOptions are options of a relation that the connector accepts and leaves to the engine.
var engineOptions = []string{"delivery", "checkpoint_interval", "parallelism", "sink.parallelism"}

// What to do with a row that PostgreSQL refuses.
const (
	onErrorDeadLetter = "dead-letter"
	onErrorFail       = "fail"
	onErrorSkip       = "skip"
)

// config is a relation's options, read and checked.
type config struct {
	job         string
	conn        *pgconn.Config
	schema      string // empty = the first of the search path that has the table
	table       string
	columns     []connectors.Column
	key         []int // indexes into columns; nil of an append-only sink
	create      bool  // the table, when it does not exist
	onError     string
	bookkeeping string // the schema of the table of delivered epochs
}

// isUpsert tells whether the rows of r have a key by which they are replaced.
func isUpsert(r connectors.Relation) bool {
	if t := r.Options["type"]; t != "" {
		return strings.EqualFold(t, "upsert")
	}
	return len(r.Key) > 0 || r.Options["primary_key"] != ""
}

// readConfig reads the options of r. Every option it asks for is thereby known.
func readConfig(r connectors.Relation) (*config, error) {
	o := connectors.NewOptions(r.Options)
	c := &config{job: r.Job, columns: r.Columns}
	c.readConnection(o)
	c.readTable(o)
	o.Enum("type", "append-only", "append-only", "upsert")
	key := o.String("primary_key", "")
	if isUpsert(r) {
		c.key = r.Key
		if key != "" {
			c.key = columnList(o, r, key)
		}
		if len(c.key) == 0 {
			o.Fail(sql.Errorf(sql.CodeInvalidParameter, "an upsert sink requires a primary key").
				WithHint("Declare PRIMARY KEY …, or set the option primary_key."))
		}
	}
	c.create = o.Bool("create_table", false)
	c.onError = o.Enum("on-error", onErrorDeadLetter, onErrorDeadLetter, onErrorFail, onErrorSkip)
	c.bookkeeping = o.String("bookkeeping.schema", "streamsql")
	o.Enum("sink.delivery-guarantee", "exactly-once", "exactly-once", "at-least-once", "none") // the engine's choice
	for _, name := range engineOptions {
		o.Has(name)
	}
	for _, col := range r.Columns {
		if col.Metadata != "" {
			o.Fail(sql.Unsupported("the metadata column "+strconv.Quote(col.Name)+" of a table of PostgreSQL", "Leave it out."))
		}
	}
	return c, o.Err()
}

// columnList finds the columns that primary_key names.
func columnList(o *connectors.Options, r connectors.Relation, list string) []int {
	var out []int
	for _, name := range connectors.KeyNames(list) {
		i := slices.IndexFunc(r.Columns, func(c connectors.Column) bool { return c.Name == name })
		if i < 0 {
			if len(r.Columns) > 0 { // asked before the columns are known
				o.Fail(sql.Errorf(sql.CodeUndefinedColumn, "column %q named in option %q does not exist", name, "primary_key"))
			}
			return nil
		}
		out = append(out, i)
	}
	return out
}

// readTable reads the target's name: as it is, with its schema before a dot or in an option of its own.
func (c *config) readTable(o *connectors.Options) {
	for _, name := range []string{"table", "table.name", "table-name"} {
		if v := o.String(name, ""); v != "" {
			c.table = v
		}
	}
	for _, name := range []string{"schema", "schema.name"} {
		if v := o.String(name, ""); v != "" {
			c.schema = v
		}
	}
	if c.table == "" {
		o.Required("table")
		return
	}
	given := c.schema
	parts, ok := splitName(c.table)
	switch {
	case !ok || len(parts) > 2 && given == "":
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "invalid value for option %q: %q", "table", c.table).
			WithHint("Write table or schema.table; a part that holds a dot stands in double quotes."))
	case len(parts) == 1:
		c.table = parts[0]
	case given == "":
		c.schema, c.table = parts[0], parts[1]
	}
}

// splitName takes schema.table apart. A part in double quotes may hold a dot.
func splitName(s string) (parts []string, ok bool) {
	for {
		part, rest, more := strings.Cut(s, ".")
		if strings.HasPrefix(s, `"`) {
			end := 1
			for ; end < len(s); end++ {
				if s[end] == '"' {
					if !strings.HasPrefix(s[end+1:], `"`) {
						break
					}
					end++
				}
			}
			if end >= len(s) {
				return nil, false
			}
			part, rest = strings.ReplaceAll(s[1:end], `""`, `"`), s[end+1:]
			if more = rest != ""; more && rest[0] != '.' {
				return nil, false
			}
			rest = strings.TrimPrefix(rest, ".")
		}
		if part == "" {
			return nil, false
		}
		parts = append(parts, part)
		if !more {
			return parts, true
		}
		s = rest
	}
}

// readConnection reads where the database is. A URL may hold all of it; other options come before it.
func (c *config) readConnection(o *connectors.Options) {
	settings := map[string]string{"password": "", "passfile": os.DevNull} // not those of the server's own environment
	for _, name := range []string{"url", "jdbc.url"} {
		if text := o.String(name, ""); text != "" && !c.readURL(text, settings) {
			o.Fail(sql.Errorf(sql.CodeInvalidParameter, "option %q is not a valid URL of PostgreSQL", name).
				WithHint("Write postgres://user:password@host:port/database?sslmode=verify-full; other characters than letters and digits in a password as %%40."))
			return
		}
	}
	// Options are known by their own names, settings by libpq's.
	for _, name := range [][2]string{{"hostname", "host"}, {"host", "host"}, {"port", "port"}, {"username", "user"}, {"user", "user"},
		{"password", "password"}, {"database", "dbname"}, {"database.name", "dbname"}, {"sslmode", "sslmode"}, {"sslrootcert", "sslrootcert"}, {"sslcert", "sslcert"},
		{"sslkey", "sslkey"}, {"sslpassword", "sslpassword"}, {"connect_timeout", "connect_timeout"}} {
		if v := o.String(name[0], ""); v != "" {
			settings[name[1]] = v
		}
	}
	if settings["host"] == "" {
		o.Required("url")
		return
	}
	o.Int("port", 5432, 1, 65535)
	o.Int("connect_timeout", 10, 0, 3600)
	o.Enum("sslmode", "prefer", "disable", "allow", "prefer", "require", "verify-ca", "verify-full")
	if o.ValueErr() != nil {
		return
	}
	defaults(settings, "connect_timeout", "10")
	defaults(settings, "application_name", "streamsql")
	defaults(settings, "client_encoding", "UTF8")
	cfg, err := pgconn.ParseConfig(dsn(settings))
	if err != nil {
		o.Fail(connectionOption(err))
		return
	}
	c.conn = cfg
}

func defaults(settings map[string]string, key, value string) {
	if settings[key] == "" {
		settings[key] = value
	}
}

// dsn is settings as libpq reads them.
func dsn(settings map[string]string) string {
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for k, v := range settings {
		b.WriteString(k + "='" + escape.Replace(v) + "' ")
	}
	return b.String()
}

// connectionOption is what is wrong with the settings. The parser's error repeats the connection
// string, so only what it wraps is told, and only if that is about a file.
func connectionOption(err error) *sql.Error {
	e := sql.Errorf(sql.CodeInvalidParameter, "invalid connection options")
	var file *os.PathError
	if errors.As(err, &file) {
		return e.WithDetail("%s.", file.Error())
	}
	text := err.Error()
	for _, known := range []string{"sslmode is invalid", "unable to add CA to cert pool", "unable to read CA file", "unable to read sslkey", "unable to read cert",
		"failed to decode sslkey", "both \"sslcert\" and \"sslkey\" are required", "invalid port", "unable to decrypt"} {
		if strings.Contains(text, known) {
			return e.WithDetail("%s.", known)
		}
	}
	return e
}

// jdbcOnly are parameters of JDBC's URLs that tell its driver what has no meaning here.
var jdbcOnly = []string{"reWriteBatchedInserts", "stringtype", "prepareThreshold", "tcpKeepAlive", "socketTimeout", "loginTimeout", "defaultRowFetchSize", "autosave", "targetServerType"}

// readURL reads postgres://… or jdbc:postgresql://…
func (c *config) readURL(text string, settings map[string]string) bool {
	jdbc := strings.HasPrefix(text, "jdbc:")
	u, err := url.Parse(strings.TrimPrefix(text, "jdbc:"))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return false
	}
	if u.User != nil {
		settings["user"] = u.User.Username()
		if p, ok := u.User.Password(); ok {
			settings["password"] = p
		}
	}
	var hosts, ports []string
	for _, h := range strings.Split(u.Host, ",") {
		one := url.URL{Host: h}
		hosts = append(hosts, one.Hostname())
		port := one.Port()
		if port == "" {
			port = "5432"
		}
		ports = append(ports, port)
	}
	settings["host"], settings["port"] = strings.Join(hosts, ","), strings.Join(ports, ",")
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		settings["dbname"] = db
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	for k, v := range query {
		switch {
		case k == "currentSchema":
			c.schema = v[0]
		case k == "ApplicationName":
			settings["application_name"] = v[0]
		case k == "connectTimeout":
			settings["connect_timeout"] = v[0]
		case k == "ssl":
			if b, err := strconv.ParseBool(v[0]); (err == nil && b || v[0] == "") && !query.Has("sslmode") {
				settings["sslmode"] = "verify-full"
			}
		case jdbc && slices.Contains(jdbcOnly, k):
		default:
			settings[k] = v[0]
		}
	}
	return true
}

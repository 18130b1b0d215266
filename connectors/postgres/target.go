package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// target is the table as the database has it.
type target struct {
	oid     string
	name    string   // quoted, with the schema
	columns []column // those that are written, in the order of the relation
	types   string   // to see whether they are still what they were
	all     []int    // their indexes

	copySQL, putSQL, deleteSQL string
}

// column is a column that is written.
type column struct {
	name string   // quoted
	wire sql.Type // the form in which values travel
	elem string   // the type of an element of the array that carries many values
	cast string   // the column's own type
}

// attribute is a column of the table.
type attribute struct {
	number    string
	name      string
	base      pgType
	typeText  string // as PostgreSQL prints it
	cast      string // without a length, which a cast would cut to in silence
	notNull   bool
	hasValue  bool // a default, an identity
	generated bool
}

// target learns and checks what the table is. The connection remembers it.
func (d *database) target(ctx context.Context) (*target, error) {
	if d.to != nil {
		return d.to, nil
	}
	t := &target{}
	if err := d.find(ctx, t); err != nil {
		return nil, err
	}
	attributes, err := d.attributes(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := d.cfg.match(t, attributes); err != nil {
		return nil, err
	}
	if d.cfg.key != nil {
		if err := d.checkKey(ctx, t, attributes); err != nil {
			return nil, err
		}
	}
	if t.types, err = d.types(ctx, t); err != nil {
		return nil, err
	}
	t.statements(d.cfg.key)
	d.to = t
	return t, nil
}

// written is the table's name as the options have it, quoted.
func (c *config) written() string {
	if c.schema != "" {
		return quoteName(c.schema, c.table)
	}
	return quoteName(c.table)
}

// find looks the table up.
func (d *database) find(ctx context.Context, t *target) error {
	rows, err := d.query(ctx, "SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass("+literal(d.cfg.written())+")")
	if err != nil {
		return d.cfg.wrap(err, "look for "+d.cfg.where())
	}
	if len(rows) == 0 {
		return sql.Errorf(sql.CodeUndefinedTable, "%s does not exist", d.cfg.where()).
			WithHint("Create it, or set the option create_table = true. Names are taken as they are written, case included.")
	}
	if kind := string(rows[0][2]); kind != "r" && kind != "p" {
		return sql.Errorf(sql.CodeWrongObjectType, "%s is not an ordinary or partitioned table", d.cfg.where())
	}
	t.oid, t.name = string(rows[0][0]), string(rows[0][1])
	return nil
}

func (d *database) attributes(ctx context.Context, t *target) (map[string]*attribute, error) {
	rows, err := d.query(ctx, `SELECT a.attnum, a.attname, b.typname, b.typtype, coalesce(e.typname, ''), format_type(a.atttypid, a.atttypmod),
format_type(a.atttypid, CASE WHEN b.typname IN ('varchar', 'bpchar') THEN -1 ELSE a.atttypmod END),
a.attnotnull OR t.typnotnull, a.atthasdef AND a.attgenerated = '' OR a.attidentity <> '' OR t.typdefault IS NOT NULL, a.attgenerated <> ''
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typlen = -1 AND b.typcategory = 'A'
WHERE a.attrelid = `+t.oid+` AND a.attnum > 0 AND NOT a.attisdropped`)
	if err != nil {
		return nil, d.cfg.wrap(err, "read the columns of "+d.cfg.where())
	}
	out := map[string]*attribute{}
	for _, r := range rows {
		is := func(i int) bool { return string(r[i]) == "t" }
		a := &attribute{number: string(r[0]), name: string(r[1]), base: pgType{name: string(r[2]), kind: r[3][0], elem: string(r[4])},
			typeText: string(r[5]), cast: string(r[6]), notNull: is(7), hasValue: is(8), generated: is(9)}
		out[a.name] = a
	}
	return out, nil
}

// match sees that every column written is there and takes our type, and that no other one needs a value.
func (c *config) match(t *target, attributes map[string]*attribute) error {
	written := map[string]bool{}
	for _, col := range c.columns {
		a := attributes[col.Name]
		if a == nil {
			return sql.Errorf(sql.CodeUndefinedColumn, "column %q of %s does not exist", col.Name, c.where()).WithHint("%s", nearest(col.Name, attributes))
		}
		written[col.Name] = true
		if a.generated {
			return sql.Errorf(codeGeneratedWrite, "column %q of %s is a generated column", col.Name, c.where()).WithHint("Leave it out of the sink.")
		}
		w, ok := wireType(col.Type, a.base)
		if !ok {
			return sql.Errorf(sql.CodeDatatypeMismatch, "column %q is of type %s in %s but of type %s here", col.Name, a.typeText, c.where(), col.Type).
				WithHint("Cast it in the query: CAST(%s AS %s).", sql.QuoteIdent(col.Name), a.typeText)
		}
		out := column{name: quoteName(col.Name), wire: w, elem: w.BaseName(), cast: a.cast}
		if w.Kind == sql.Array && c.key != nil { // PostgreSQL unnests nested arrays down to their elements
			out.elem, out.wire = "text", sql.TypeText
		}
		t.columns = append(t.columns, out)
	}
	for _, a := range attributes {
		if a.notNull && !a.hasValue && !a.generated && !written[a.name] {
			return sql.Errorf(sql.CodeNotNullViolation, "column %q of %s has no default and must not be NULL, but is not written", a.name, c.where()).
				WithHint("Add it to the query, or give it a default.")
		}
	}
	return nil
}

func nearest(name string, attributes map[string]*attribute) string {
	var names []string
	for n := range attributes {
		names = append(names, n)
	}
	if n := connectors.Nearest(name, names); n != "" {
		return fmt.Sprintf("Did you mean %q? Names are taken as they are written, case included.", n)
	}
	slices.Sort(names)
	return "The table has the columns " + strings.Join(names, ", ") + "."
}

// checkKey sees that a unique index has the key's columns and no others.
func (d *database) checkKey(ctx context.Context, t *target, attributes map[string]*attribute) error {
	var want, names []string
	for _, k := range d.cfg.key {
		want = append(want, attributes[d.cfg.columns[k].Name].number)
		names = append(names, d.cfg.columns[k].Name)
	}
	slices.Sort(want)
	rows, err := d.query(ctx, "SELECT indkey, indnkeyatts FROM pg_index WHERE indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL AND indrelid = "+t.oid)
	if err != nil {
		return d.cfg.wrap(err, "read the keys of "+d.cfg.where())
	}
	for _, r := range rows {
		have := strings.Fields(string(r[0]))[:number(r[1])]
		slices.Sort(have)
		if slices.Equal(have, want) {
			return nil
		}
	}
	return sql.Errorf("42P10", "%s has no unique index on exactly the key (%s)", d.cfg.where(), strings.Join(names, ", ")).
		WithHint("Create one: CREATE UNIQUE INDEX ON %s (%s); it must not be partial or deferrable.", t.name, quotedList(names))
}

func quotedList(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = sql.QuoteIdent(n)
	}
	return strings.Join(out, ", ")
}

// types are the types of the table's columns now. COPY's binary form does not tell them: a column that
// has got another type of the same width would take any bytes.
func (d *database) types(ctx context.Context, t *target) (string, error) {
	rows, err := d.query(ctx, "SELECT coalesce(string_agg(attnum || ' ' || atttypid, ',' ORDER BY attnum), '') FROM pg_attribute WHERE NOT attisdropped AND attnum > 0 AND attrelid = "+t.oid)
	if err != nil {
		return "", d.cfg.wrap(err, "read the columns of "+d.cfg.where())
	}
	return string(rows[0][0]), nil
}

// ensureTable creates the table when it is missing and create_table says so.
func (d *database) ensureTable(ctx context.Context, notice connectors.Notice) error {
	if !d.cfg.create {
		return nil
	}
	err := d.find(ctx, &target{})
	if err == nil || sql.AsError(err).Code != sql.CodeUndefinedTable {
		return err
	}
	var b strings.Builder
	if d.cfg.schema != "" {
		rows, err := d.query(ctx, "SELECT to_regnamespace("+literal(quoteName(d.cfg.schema))+") IS NULL")
		if err != nil {
			return d.cfg.wrap(err, "look for schema "+d.cfg.schema)
		}
		if string(rows[0][0]) == "t" {
			b.WriteString("CREATE SCHEMA IF NOT EXISTS " + quoteName(d.cfg.schema) + "; ")
		}
	}
	b.WriteString("CREATE TABLE IF NOT EXISTS " + d.cfg.written() + " (")
	for i, c := range d.cfg.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(c.Name) + " " + createdType(c.Type))
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
	}
	if d.cfg.key != nil {
		var key []string
		for _, k := range d.cfg.key {
			key = append(key, quoteName(d.cfg.columns[k].Name))
		}
		b.WriteString(", PRIMARY KEY (" + strings.Join(key, ", ") + ")")
	}
	if _, err := d.exec(ctx, b.String()+")"); err != nil {
		return d.cfg.wrap(err, "create "+d.cfg.where())
	}
	if notice != nil {
		notice(d.cfg.where() + " did not exist and was created")
	}
	return nil
}

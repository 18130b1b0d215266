package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// rowIDColumn is the hidden key of a table without a primary key.
const rowIDColumn = "_row_id"

// createTable is CREATE TABLE: a stream when WITH names a connector, else rows of our own.
func (s *session) createTable(ctx context.Context, n *ast.CreateTable) (string, error) {
	switch {
	case n.Temp:
		return "", sql.Unsupported("a temporary table", "Create an ordinary table and drop it.").At(n.Pos())
	case len(n.Likes) > 0:
		return "", sql.Unsupported("LIKE in CREATE TABLE", "List the columns.").At(n.Likes[0].Pos())
	case n.PartitionBy != nil && len(n.With) == 0:
		return "", sql.Unsupported("PARTITION BY", "").At(n.PartitionBy.Pos())
	case n.OrReplace:
		return "", sql.Unsupported("CREATE OR REPLACE TABLE", "Drop the table first.").At(n.Pos())
	}
	if len(n.With) > 0 || n.Format != nil {
		if n.Query != nil {
			return "", sql.Unsupported("CREATE TABLE … WITH (…) AS", "Use CREATE SINK … AS.").At(n.Pos())
		}
		return "CREATE TABLE", s.createConnectorTable(ctx, &n.Relation, catalog.Table, n)
	}
	if n.Query != nil {
		return s.createTableAs(ctx, n)
	}
	o, err := s.tableObject(&n.Relation, catalog.Table, n)
	if err != nil {
		return "", err
	}
	s.giveRows(o)
	_, err = s.create(o, n.IfNotExists)
	return "CREATE TABLE", err
}

// giveRows makes o a table of our own: state tables, and a hidden key when it has none.
func (s *session) giveRows(o *catalog.Object) {
	o.RowsTable, o.Changelog = s.e.newID(), s.e.newID()
	if len(o.Key) == 0 {
		o.Key = []int{len(o.Columns)}
		o.Columns = append(o.Columns, catalog.Column{Name: rowIDColumn, Type: sql.TypeInt8, NotNull: true, Hidden: true})
	}
}

// createTableAs is CREATE TABLE … AS query.
func (s *session) createTableAs(ctx context.Context, n *ast.CreateTable) (string, error) {
	schema, err := s.creationSchema(n.Name)
	if err != nil {
		return "", err
	}
	plan, err := planner.PlanQuery(s.env(nil), n.Query, planner.Purpose{Target: planner.Batch})
	if err != nil {
		return "", err
	}
	o := &catalog.Object{Kind: catalog.Table, Schema: schema, Name: n.Name.Base()}
	for _, c := range plan.Columns {
		o.Columns = append(o.Columns, catalog.Column{Name: c.Name, Type: storedType(c.Type)})
	}
	for i, c := range n.Columns {
		if i >= len(o.Columns) {
			return "", sql.Errorf(sql.CodeSyntaxError, "too many column names were specified").At(c.Pos())
		}
		o.Columns[i].Name = c.Name
	}
	if err := distinctNames(o.Columns); err != nil {
		return "", err
	}
	o.SQL = createTableSQL(o)
	s.giveRows(o)
	created, err := s.create(o, n.IfNotExists)
	if err != nil || !created || n.NoData {
		return "CREATE TABLE AS", err
	}
	ins := &ast.Insert{Table: &ast.TableRef{Name: ast.Name{o.Schema, o.Name}}, Query: n.Query}
	r, err := s.insert(ins, "", nil)
	if err != nil {
		return "", err
	}
	var res wire.Result
	if res, err = r.run(ctx, nil); err != nil {
		return "", err
	}
	return strings.Replace(res.Tag(0), "INSERT 0", "SELECT", 1), nil
}

// storedType is the type of a column that holds an expression's values: unknown becomes text.
func storedType(t sql.Type) sql.Type {
	if t.Kind == sql.Unknown {
		return sql.TypeText
	}
	return t
}

// tableObject makes a catalog object of a table's definition.
func (s *session) tableObject(n *ast.Relation, kind catalog.Kind, node ast.Stmt) (*catalog.Object, error) {
	schema, err := s.creationSchema(n.Name)
	if err != nil {
		return nil, err
	}
	o := &catalog.Object{Kind: kind, Schema: schema, Name: n.Name.Base(), SQL: ast.SQL(node), AppendOnly: n.AppendOnly}
	for _, c := range n.Columns {
		col, err := tableColumn(c)
		if err != nil {
			return nil, err
		}
		o.Columns = append(o.Columns, col)
	}
	for _, inc := range n.Includes {
		col, err := includeColumn(inc)
		if err != nil {
			return nil, err
		}
		o.Columns = append(o.Columns, col)
	}
	if err := distinctNames(o.Columns); err != nil {
		return nil, err
	}
	for _, c := range n.Columns {
		for _, k := range c.Constraints {
			if err := constraint(o, k, []string{c.Name}); err != nil {
				return nil, err
			}
		}
	}
	for _, k := range n.Constraints {
		if err := constraint(o, k, k.Cols); err != nil {
			return nil, err
		}
	}
	if n.Watermark != nil {
		if len(n.Watermark.Col) != 1 {
			return nil, sql.Unsupported("a watermark for a field of a row", "Add a computed column and name that.").At(n.Watermark.Pos())
		}
		o.Watermark = &catalog.Watermark{Column: n.Watermark.Col[0], Expr: ast.SQL(n.Watermark.Expr)}
	}
	return o, s.checkExpressions(o, n)
}

// tableColumn is one column of a definition, without its constraints.
func tableColumn(c *ast.ColumnDef) (catalog.Column, error) {
	col := catalog.Column{Name: c.Name, Metadata: c.Metadata, Path: c.Written, Comment: c.Comment}
	if c.Computed != nil {
		col.Generated = ast.SQL(c.Computed)
	}
	if c.Type == nil {
		col.Type = sql.TypeUnknown // of a computed column: checkExpressions finds it
		return col, nil
	}
	if serial, ok := serialType(c.Type); ok {
		col.Type, col.NotNull, col.Identity = serial, true, "serial"
		return col, nil
	}
	t, err := planner.TypeOf(c.Type)
	if err != nil {
		return col, err
	}
	col.Type = t
	return col, nil
}

func serialType(t *ast.TypeName) (sql.Type, bool) {
	if t.Dims > 0 {
		return sql.Type{}, false
	}
	switch t.Name.Base() {
	case "serial", "serial4":
		return sql.TypeInt4, true
	case "bigserial", "serial8":
		return sql.TypeInt8, true
	case "smallserial", "serial2":
		return sql.TypeInt2, true
	}
	return sql.Type{}, false
}

// includeColumn is RisingWave's INCLUDE what AS alias.
func includeColumn(n *ast.Include) (catalog.Column, error) {
	name := n.Alias
	if name == "" {
		name = "_rw_kafka_" + n.What
	}
	col := catalog.Column{Name: name, Metadata: n.What}
	switch n.What {
	case "key", "payload":
		col.Type = sql.TypeBytea
	case "topic":
		col.Type = sql.TypeText
	case "partition":
		col.Type = sql.TypeInt4
	case "offset":
		col.Type = sql.TypeInt8
	case "timestamp":
		col.Type = sql.TypeTimestamptz
	case "header", "headers":
		col.Metadata = "headers"
		col.Type = sql.MapOf(sql.TypeText, sql.TypeBytea)
	default:
		return col, sql.Unsupported("INCLUDE "+n.What, "Known are key, partition, offset, timestamp and headers.").At(n.Pos())
	}
	if n.Field != "" {
		return col, sql.Unsupported("INCLUDE of one header", "Use INCLUDE headers and a subscript.").At(n.Pos())
	}
	if n.Type != nil {
		t, err := planner.TypeOf(n.Type)
		if err != nil {
			return col, err
		}
		col.Type = t
	}
	return col, nil
}

func distinctNames(cols []catalog.Column) error {
	seen := map[string]bool{}
	for _, c := range cols {
		if seen[c.Name] {
			return sql.Errorf(sql.CodeDuplicateColumn, "column %q specified more than once", c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// constraint applies one constraint to the columns it names.
func constraint(o *catalog.Object, k *ast.Constraint, cols []string) error {
	idx, err := columnIndexes(o, cols)
	if err != nil {
		return err
	}
	switch k.Kind {
	case ast.NotNull:
		o.Columns[idx[0]].NotNull = true
	case ast.Nullable:
	case ast.PrimaryKey:
		if o.Key != nil {
			return sql.Errorf(sql.CodeInvalidTableDefinition, "multiple primary keys for table %q are not allowed", o.Name).At(k.Pos())
		}
		o.Key, o.KeyName = idx, k.Name
		if o.KeyName == "" {
			o.KeyName = o.Name + "_pkey"
		}
		for _, i := range idx {
			o.Columns[i].NotNull = true
		}
	case ast.DefaultTo:
		o.Columns[idx[0]].Default = ast.SQL(k.Expr)
	case ast.Generated:
		o.Columns[idx[0]].Generated = ast.SQL(k.Expr)
	case ast.Identity:
		c := &o.Columns[idx[0]]
		if !c.Type.IsInteger() {
			return sql.Errorf(sql.CodeInvalidParameter, "identity column type must be smallint, integer, or bigint").At(k.Pos())
		}
		c.NotNull, c.Identity = true, "by default"
		if k.Always {
			c.Identity = "always"
		}
	case ast.Check:
		name := k.Name
		if name == "" {
			name = checkName(o, cols)
		}
		o.Checks = append(o.Checks, catalog.Check{Name: name, Expr: ast.SQL(k.Expr)})
	case ast.Unique:
		return sql.Unsupported("UNIQUE", "Use PRIMARY KEY.").At(k.Pos())
	case ast.ForeignKey:
		return sql.Unsupported("FOREIGN KEY", "").At(k.Pos())
	default:
		return sql.Unsupported(string(k.Kind), "").At(k.Pos())
	}
	return nil
}

// checkName is the name that PostgreSQL gives a CHECK: table_column_check, numbered when taken.
func checkName(o *catalog.Object, cols []string) string {
	base := o.Name + "_check"
	if len(cols) == 1 {
		base = o.Name + "_" + cols[0] + "_check"
	}
	name := base
	for i := 1; slices.ContainsFunc(o.Checks, func(c catalog.Check) bool { return c.Name == name }); i++ {
		name = fmt.Sprint(base, i)
	}
	return name
}

func columnIndexes(o *catalog.Object, cols []string) ([]int, error) {
	var idx []int
	for _, name := range cols {
		i := slices.IndexFunc(o.Columns, func(c catalog.Column) bool { return c.Name == name && !c.Hidden })
		if i < 0 {
			return nil, sql.Errorf(sql.CodeUndefinedColumn, "column %q named in key does not exist", name)
		}
		if slices.Contains(idx, i) {
			return nil, sql.Errorf(sql.CodeDuplicateColumn, "column %q appears twice in primary key constraint", name)
		}
		idx = append(idx, i)
	}
	return idx, nil
}

// checkExpressions binds every expression of the definition, so that what is wrong is told now, and
// gives computed columns without a type theirs.
func (s *session) checkExpressions(o *catalog.Object, n *ast.Relation) error {
	bare := tableScope(o, true)
	for i := range o.Columns {
		c := &o.Columns[i]
		if c.Generated != "" {
			t, err := s.checkExpr(c.Generated, bare, c.Type, "generation expression")
			if err != nil {
				return err
			}
			c.Type = t
		}
		if c.Default != "" {
			if _, err := s.checkExpr(c.Default, nil, c.Type, "DEFAULT expressions"); err != nil {
				return err
			}
		}
	}
	whole := tableScope(o, false)
	for _, k := range o.Checks {
		if _, err := s.checkExpr(k.Expr, whole, sql.TypeBool, "check constraints"); err != nil {
			return err
		}
	}
	if o.Watermark == nil {
		return nil
	}
	i := whole.Index(o.Watermark.Column)
	if i < 0 {
		return sql.Errorf(sql.CodeUndefinedColumn, "column %q does not exist", o.Watermark.Column).At(n.Watermark.Pos())
	}
	if k := whole[i].Type.Kind; k != sql.Timestamp && k != sql.Timestamptz {
		return sql.Errorf(sql.CodeDatatypeMismatch, "the watermark column %q must be of type timestamp or timestamptz, not %s", o.Watermark.Column, whole[i].Type).
			At(n.Watermark.Pos())
	}
	x, err := planner.BindExpr(s.env(nil), n.Watermark.Expr, whole, "watermark expressions")
	if err == nil {
		_, err = expr.CastTo(x, whole[i].Type, expr.Assignment)
	}
	return err
}

// checkExpr binds an expression of the definition and sees that it can become a value of type t;
// when t is not known it is the expression's own. It returns the column's type.
func (s *session) checkExpr(text string, columns sql.Schema, t sql.Type, clause string) (sql.Type, error) {
	parsed := mustParse(text)
	x, err := planner.BindExpr(s.env(nil), parsed, columns, clause)
	if err != nil {
		return t, err
	}
	if t.Kind == sql.Unknown {
		return storedType(x.Type()), nil
	}
	_, err = expr.CastTo(x, t, expr.Assignment)
	return t, sql.ErrorAt(err, parsed.Pos())
}

// mustParse reads back an expression that was printed by us a moment ago.
func mustParse(text string) ast.Expr {
	x, err := parseStored(text)
	if err != nil {
		panic("engine: what the printer wrote cannot be parsed: " + err.Error())
	}
	return x
}

// tableScope is the columns that an expression of the definition may name; with bare, those that
// are not computed.
func tableScope(o *catalog.Object, bare bool) sql.Schema {
	var sc sql.Schema
	for _, c := range o.Columns {
		if !(bare && c.Generated != "") {
			sc = append(sc, sql.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull})
		}
	}
	return sc
}

// createTableSQL prints the definition of a table that was made by a query.
func createTableSQL(o *catalog.Object) string {
	var cols []string
	for _, c := range o.Columns {
		if !c.Hidden {
			cols = append(cols, sql.QuoteIdent(c.Name)+" "+c.Type.String())
		}
	}
	return "CREATE TABLE " + o.QualifiedName() + " (" + strings.Join(cols, ", ") + ")"
}

// createConnectorTable is CREATE TABLE … WITH (connector = …) and CREATE SOURCE.
func (s *session) createConnectorTable(ctx context.Context, n *ast.Relation, kind catalog.Kind, node ast.Stmt) error {
	if n.AllColumns {
		return sql.Unsupported("columns from a schema registry", "List the columns.").At(-1)
	}
	o, err := s.tableObject(n, kind, node)
	if err != nil {
		return err
	}
	if o.Options, err = connectorOptions(n.With, n.Format); err != nil {
		return err
	}
	o.Connector = o.Options["connector"]
	if o.Connector == "" {
		return sql.Errorf(sql.CodeInvalidParameter, "option %q is required", "connector")
	}
	c, err := s.e.connector(o.Connector)
	if err != nil {
		return err
	}
	for _, col := range o.Columns {
		if col.Default != "" || col.Identity != "" {
			return sql.Unsupported("a default in a connector table", "Use COALESCE in the query.")
		}
	}
	rel, err := s.e.checkOptions(o)
	if err != nil {
		return err
	}
	if w, ok := c.(connectors.WriteOnly); ok {
		o.WriteOnly = w.WriteOnly()
		if kind == catalog.Source {
			return sql.Unsupported(o.WriteOnly, "Use CREATE TABLE or CREATE SINK.")
		}
	}
	o.AppendOnly = true
	created, err := s.create(o, n.IfNotExists)
	if check, ok := c.(connectors.Checker); ok && err == nil && created && !s.e.cfg.checkOnly {
		return check.Check(ctx, rel, func(message string) { s.notice("%s", message) })
	}
	return err
}

// connectorOptions merges WITH (…) and FORMAT … ENCODE … (…).
func connectorOptions(with []*ast.Option, f *ast.Format) (map[string]string, error) {
	opts := map[string]string{}
	if err := optionText(with, opts); err != nil {
		return nil, err
	}
	switch opts["connector"] {
	case "upsert-kafka": // Flink's name for a topic that is keyed
		opts["connector"], opts["type"] = "kafka", "upsert"
	case "jdbc": // Flink's and RisingWave's name for what is a URL's matter to them
		opts["connector"] = "postgres"
	}
	if f == nil {
		return opts, nil
	}
	switch f.Format {
	case "plain", "":
	case "upsert":
		opts["type"] = "upsert"
	default:
		return nil, sql.Unsupported("FORMAT "+strings.ToUpper(f.Format), "Use FORMAT PLAIN.").At(f.Pos())
	}
	opts["format"] = f.Encode
	sub := map[string]string{}
	if err := optionText(f.Options, sub); err != nil {
		return nil, err
	}
	for k, v := range sub {
		opts[f.Encode+"."+k] = v
	}
	return opts, nil
}

package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// copy is COPY … TO STDOUT and COPY … FROM STDIN.
func (s *session) copy(n *ast.Copy, types []sql.Type) (*runnable, error) {
	if !n.Stdio {
		return nil, sql.Unsupported("COPY with a file or program", `Use COPY … STDIN or STDOUT, or psql's \copy.`).At(n.Pos())
	}
	if n.From {
		return s.copyFrom(n)
	}
	return s.copyTo(n, types)
}

func (s *session) copyTo(n *ast.Copy, types []sql.Type) (*runnable, error) {
	var inner *runnable
	var err error
	switch st := n.Stmt.(type) {
	case nil:
		inner, err = s.query(selectColumns(n.Table, n.Cols), types)
	case *ast.Query:
		inner, err = s.query(st, types)
	case *ast.Subscribe:
		inner, err = s.subscribe(st)
	default:
		return nil, sql.Unsupported("COPY of "+statementName(st), "").At(n.Pos())
	}
	if err != nil {
		return nil, err
	}
	format, err := copyFormat(n.Options, inner.columns)
	if err != nil {
		return nil, err
	}
	return &runnable{params: inner.params, run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		res, err := inner.run(ctx, params)
		return wire.Result{CopyOut: &wire.CopyOut{Format: format, Columns: inner.columns, Rows: res.Rows}, Tag: countTag("COPY")}, err
	}}, nil
}

// selectColumns is SELECT columns FROM name, all when none is named.
func selectColumns(name ast.Name, cols []string) *ast.Query {
	q := selectAll(name)
	if len(cols) > 0 {
		sel := q.Body.(*ast.Select)
		sel.Targets = nil
		for _, c := range cols {
			sel.Targets = append(sel.Targets, &ast.Target{X: &ast.ColumnRef{Parts: []string{c}}})
		}
	}
	return q
}

// copyFrom is COPY table FROM STDIN: rows go through the same checks as those of INSERT.
func (s *session) copyFrom(n *ast.Copy) (*runnable, error) {
	if n.Where != nil {
		return nil, sql.Unsupported("COPY … WHERE", "Copy into a table and INSERT from it.").At(n.Pos())
	}
	o, err := s.relation(n.Table)
	if err != nil {
		return nil, err
	}
	if o.Kind != catalog.Table || o.Connector != "" {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "cannot copy to %s %q", o.Kind, o.Name)
	}
	cols := n.Cols
	if cols == nil {
		for _, c := range o.Columns {
			if !c.Hidden && c.Generated == "" {
				cols = append(cols, c.Name)
			}
		}
	}
	var schema sql.Schema
	for _, name := range cols {
		i := o.RowSchema().Index(name)
		if i < 0 {
			return nil, sql.Errorf(sql.CodeUndefinedColumn, "column %q of relation %q does not exist", name, o.Name)
		}
		schema = append(schema, o.RowSchema()[i])
	}
	format, err := copyFormat(n.Options, schema)
	if err != nil {
		return nil, err
	}
	return &runnable{run: func(ctx context.Context, _ []sql.Datum) (wire.Result, error) {
		return s.runCopyFrom(ctx, o, cols, schema, format)
	}}, nil
}

func (s *session) runCopyFrom(ctx context.Context, o *catalog.Object, cols []string, schema sql.Schema, format wire.CopyFormat) (wire.Result, error) {
	if err := s.tx.lock(ctx, o.ID); err != nil {
		return wire.Result{}, err
	}
	w, err := s.newTableWriter(o, nil)
	if err != nil {
		return wire.Result{}, err
	}
	input := copyInput(schema)
	plan, err := s.planCopy(o, cols, input)
	if err != nil {
		return wire.Result{}, err
	}
	in := &wire.CopyIn{Format: format, Columns: schema}
	in.Write = func(ctx context.Context, rows [][]sql.Datum) error {
		r, err := s.startGiven(plan.Query, nil, map[*planner.Relation][]*stream.Batch{input: datumBatches(schema.Types(), rows)})
		if err != nil {
			return err
		}
		batches, err := r.all(ctx)
		if err != nil {
			return err
		}
		for _, b := range batches {
			if err := w.insertBatch(b, plan.Columns); err != nil {
				return err
			}
		}
		return nil
	}
	in.Finish = func(context.Context) error { return w.flush() }
	return wire.Result{CopyIn: in, Tag: countTag("COPY")}, nil
}

// copyInput is the relation that a COPY's rows are read from.
func copyInput(schema sql.Schema) *planner.Relation {
	r := &planner.Relation{Schema: catalog.SystemSchema, Name: "copy_input", Kind: planner.System, AppendOnly: true}
	for _, c := range schema {
		r.Columns = append(r.Columns, planner.Column{Column: sql.Column{Name: c.Name, Type: c.Type}})
	}
	return r
}

// copyCatalog has one relation more.
type copyCatalog struct {
	planner.Catalog
	input *planner.Relation
}

// Relation implements planner.Catalog.
func (c copyCatalog) Relation(schema, name string) (*planner.Relation, error) {
	if schema == c.input.Schema && name == c.input.Name {
		return c.input, nil
	}
	return c.Catalog.Relation(schema, name)
}

// planCopy plans INSERT INTO table (cols) SELECT * FROM input, which fills in defaults and computed
// columns.
func (s *session) planCopy(o *catalog.Object, cols []string, input *planner.Relation) (*planner.Insert, error) {
	ins := &ast.Insert{Table: &ast.TableRef{Name: ast.Name{o.Schema, o.Name}}, Query: selectAll(ast.Name{input.Schema, input.Name})}
	for _, c := range cols {
		ins.Cols = append(ins.Cols, &ast.InsertCol{Name: c})
	}
	env := s.env(nil)
	env.Catalog = copyCatalog{env.Catalog, input}
	return planner.PlanInsert(env, ins, planner.Purpose{Target: planner.Batch})
}

// copyFormat reads COPY's options.
func copyFormat(options []*ast.Option, columns sql.Schema) (wire.CopyFormat, error) {
	f := wire.CopyFormat{Format: "text", Delimiter: '\t', Null: `\N`, Quote: '"', Escape: '"'}
	values := map[string]*ast.Option{}
	for _, o := range options {
		name := strings.ToLower(o.Name)
		if values[name] != nil {
			return f, sql.Errorf(sql.CodeSyntaxError, "conflicting or redundant options").At(o.Pos())
		}
		values[name] = o
	}
	if o := values["format"]; o != nil {
		switch v := strings.ToLower(o.Value); v {
		case "text", "csv", "binary":
			f.Format = v
		default:
			return f, sql.Errorf(sql.CodeInvalidParameter, "COPY format %q not recognized", o.Value).At(o.Pos())
		}
	}
	if f.Format == "csv" {
		f.Delimiter, f.Null = ',', ""
	}
	for _, o := range options {
		if err := copyOption(&f, o, columns); err != nil {
			return f, sql.ErrorAt(err, o.Pos())
		}
	}
	if values["quote"] != nil && values["escape"] == nil {
		f.Escape = f.Quote
	}
	return f, checkCopyOptions(&f, values)
}

// copyOption reads one of COPY's options, but for the format.
func copyOption(f *wire.CopyFormat, o *ast.Option, columns sql.Schema) (err error) {
	switch name := strings.ToLower(o.Name); name {
	case "format", "freeze":
	case "encoding":
		if _, err := checkEncoding(o.Value); err != nil {
			return sql.Errorf(sql.CodeInvalidParameter, "argument to option %q must be a valid encoding name", name).WithDetail("%s", err)
		}
	case "delimiter":
		f.Delimiter, err = oneByte(o)
	case "quote":
		f.Quote, err = oneByte(o)
	case "escape":
		f.Escape, err = oneByte(o)
	case "null":
		f.Null = o.Value
	case "header":
		v, err := checkBool(o.Value)
		if o.Value != "" && err != nil {
			return sql.Errorf(sql.CodeSyntaxError, "header requires a Boolean value")
		}
		f.Header = o.Value == "" || v == "on"
	case "force_null":
		f.ForceNull = make([]bool, len(columns))
		for i, c := range columns {
			f.ForceNull[i] = slices.Contains(o.Args, c.Name) || o.Value == "*"
		}
	default:
		return sql.Unsupported("the COPY option "+strings.ToUpper(name), "")
	}
	return err
}

// checkCopyOptions refuses, as PostgreSQL does, what the format has no use for.
func checkCopyOptions(f *wire.CopyFormat, values map[string]*ast.Option) error {
	for _, name := range []string{"delimiter", "null"} {
		if o := values[name]; o != nil && f.Format == "binary" {
			return sql.Errorf(sql.CodeSyntaxError, "cannot specify %s in BINARY mode", strings.ToUpper(name)).At(o.Pos())
		}
	}
	if f.Header && f.Format == "binary" {
		return sql.Errorf(sql.CodeFeatureNotSupported, "cannot specify HEADER in BINARY mode").At(values["header"].Pos())
	}
	for _, name := range []string{"quote", "escape", "force_null"} {
		if o := values[name]; o != nil && f.Format != "csv" {
			return sql.Errorf(sql.CodeFeatureNotSupported, "COPY %s available only in CSV mode", strings.ReplaceAll(name, "_", " ")).At(o.Pos())
		}
	}
	return nil
}

func oneByte(o *ast.Option) (byte, error) {
	if len(o.Value) != 1 {
		return 0, sql.Errorf(sql.CodeFeatureNotSupported, "COPY %s must be a single one-byte character", strings.ToLower(o.Name))
	}
	return o.Value[0], nil
}

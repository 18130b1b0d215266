package engine

import (
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
)

// planCatalog is the catalog as the planner sees it, for one statement: planner.Catalog.
type planCatalog struct {
	e    *Engine
	snap *catalog.Snapshot
	path []string
}

// Relation implements planner.Catalog.
func (c *planCatalog) Relation(schema, name string) (*planner.Relation, error) {
	if schema == "" || schema == catalog.SystemSchema || schema == catalog.PGCatalog || schema == catalog.InfoSchema {
		if r := c.e.systemRelation(schema, name); r != nil {
			return r, nil
		}
	}
	o, err := c.object(schema, name)
	if err != nil {
		return nil, err
	}
	return planRelation(o)
}

func (c *planCatalog) object(schema, name string) (*catalog.Object, error) {
	return lookup(c.snap, c.path, schema, name)
}

// lookup finds a relation by name along the search path.
func lookup(snap *catalog.Snapshot, path []string, schema, name string) (*catalog.Object, error) {
	if schema != "" {
		if !snap.HasSchema(schema) {
			return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", schema+"."+name)
		}
		path = []string{schema}
	}
	for _, p := range path {
		if o := snap.Relation(p, name); o != nil {
			return o, nil
		}
	}
	full := name
	if schema != "" {
		full = schema + "." + name
	}
	err := sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", full)
	var names []string
	for _, o := range snap.All() {
		if o.IsRelation() {
			names = append(names, o.Name)
		}
	}
	if near := connectors.Nearest(name, names); near != "" {
		return nil, err.WithHint("Did you mean %q?", near)
	}
	return nil, err
}

// relation finds what a statement names, with the position of nothing: names carry none.
func (s *session) relation(n ast.Name) (*catalog.Object, error) {
	return lookup(s.catalog(), s.set.searchPath(), n.Schema(), n.Base())
}

// creationSchema is where CREATE puts a name without a schema.
func (s *session) creationSchema(n ast.Name) (string, error) {
	if schema := n.Schema(); schema != "" {
		if !s.catalog().HasSchema(schema) {
			return "", sql.Errorf(sql.CodeInvalidSchema, "schema %q does not exist", schema)
		}
		switch schema {
		case catalog.SystemSchema, catalog.PGCatalog, catalog.InfoSchema:
			return "", sql.Errorf(sql.CodeInsufficientPrivilege, "permission denied to create %q", n.String()).
				WithDetail("System catalog modifications are currently disallowed.")
		}
		return schema, nil
	}
	for _, p := range s.set.searchPath() {
		if s.catalog().HasSchema(p) {
			return p, nil
		}
	}
	return "", sql.Errorf(sql.CodeInvalidSchema, "no schema has been selected to create in")
}

// planned caches what planRelation made of an object, as long as there is one: objects are immutable.
var planned sync.Map // weak.Pointer[catalog.Object] → *planner.Relation

// planRelation is an object as the planner sees it.
func planRelation(o *catalog.Object) (*planner.Relation, error) {
	object := weak.Make(o)
	if r, ok := planned.Load(object); ok {
		return r.(*planner.Relation), nil
	}
	r := &planner.Relation{ID: o.ID, Schema: o.Schema, Name: o.Name, Kind: relationKind(o), Key: o.Key, Options: o.Options, AppendOnly: o.AppendOnly, WriteOnly: o.WriteOnly}
	if v := o.Options["allowed-lateness"]; v != "" {
		d, err := connectors.ParseDuration(v)
		if err != nil {
			return nil, err
		}
		r.Lateness = d
	}
	for _, c := range o.Columns {
		pc := planner.Column{Column: sql.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull}, Hidden: c.Hidden, ReadOnly: c.Metadata != ""}
		var err error
		if pc.Default, err = parseStored(c.Default); err != nil {
			return nil, err
		}
		if c.Identity != "" {
			pc.Default = nextValue(o.ID, c.Name)
		}
		if pc.Generated, err = parseStored(c.Generated); err != nil {
			return nil, err
		}
		r.Columns = append(r.Columns, pc)
	}
	if o.Watermark != nil {
		x, err := parseStored(o.Watermark.Expr)
		if err != nil {
			return nil, err
		}
		r.Watermark = &planner.Watermark{Column: r.Column(o.Watermark.Column), Expr: x}
	}
	if o.Kind == catalog.View {
		q, err := parseQuery(o.Query)
		if err != nil {
			return nil, err
		}
		r.Query = q
	}
	if _, ok := planned.Swap(object, r); !ok {
		runtime.AddCleanup(o, func(object weak.Pointer[catalog.Object]) { planned.Delete(object) }, object)
	}
	return r, nil
}

// nextValue is the default of a serial or identity column.
func nextValue(table uint32, column string) ast.Expr {
	return &ast.Call{Name: ast.Name{expr.NextvalFunction}, Args: []ast.Expr{
		&ast.Literal{Kind: ast.Number, Value: itoa(table)}, &ast.Literal{Kind: ast.String, Value: column}}}
}

func relationKind(o *catalog.Object) planner.RelationKind {
	switch {
	case o.Kind == catalog.View:
		return planner.View
	case o.Kind == catalog.MaterializedView:
		return planner.MaterializedView
	case o.Kind == catalog.Sink || o.Kind == catalog.Job:
		return planner.Sink
	case o.Connector != "":
		return planner.Source
	}
	return planner.Table
}

func parseStored(text string) (ast.Expr, error) {
	if text == "" {
		return nil, nil
	}
	x, err := parser.ParseExpr(text)
	if err != nil {
		return nil, sql.Errorf(sql.CodeInternal, "stored expression %q: %w", text, err)
	}
	return x, nil
}

func parseQuery(text string) (*ast.Query, error) {
	st, err := parser.ParseOne(text)
	if err != nil {
		return nil, sql.Errorf(sql.CodeInternal, "stored query %q: %w", text, err)
	}
	q, ok := st.(*ast.Query)
	if !ok {
		return nil, sql.Errorf(sql.CodeInternal, "stored query %q is not a query", text)
	}
	return q, nil
}

// env is what planning a statement of the session depends on.
func (s *session) env(types []sql.Type) *planner.Env {
	return &planner.Env{Catalog: &planCatalog{s.e, s.catalog(), s.lookupPath()}, Params: &expr.ParamTypes{Types: slices.Clone(types)}}
}

// lookupPath is the search path with pg_catalog in front, as PostgreSQL has it.
func (s *session) lookupPath() []string {
	path := s.set.searchPath()
	if !slices.Contains(path, catalog.PGCatalog) {
		path = append([]string{catalog.PGCatalog}, path...)
	}
	return path
}

func (s *session) exprContext() expr.Context {
	now := nowMicros()
	if s.tx != nil {
		now = s.tx.started
	}
	return expr.Context{Now: now, Location: s.set.location(), Session: s}
}

// connectorRelation is a connector table as its connector sees it.
func connectorRelation(o *catalog.Object, job string) connectors.Relation {
	r := connectors.Relation{Name: o.Name, Key: nil, Options: o.Options, Job: job}
	at := make([]int, len(o.Columns)) // catalog column → connector column
	for i, c := range o.Columns {
		at[i] = -1
		if c.Generated != "" || c.Hidden {
			continue
		}
		at[i] = len(r.Columns)
		r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: c.Name, Type: c.Type, NotNull: c.NotNull}, Metadata: c.Metadata, Path: c.Path})
	}
	for _, k := range o.Key {
		if at[k] >= 0 {
			r.Key = append(r.Key, at[k])
		}
	}
	return r
}

// optionText is an option list as a map; a key may be written twice only with one value.
func optionText(list []*ast.Option, into map[string]string) error {
	for _, o := range list {
		key := strings.ToLower(o.Name)
		if old, twice := into[key]; twice && old != o.Value {
			return sql.Errorf(sql.CodeSyntaxError, "option %q specified more than once", key).At(o.Pos())
		}
		into[key] = o.Value
		if o.Kind == ast.OptionSecret {
			into[key] = secretReference + o.Value
		}
	}
	return nil
}

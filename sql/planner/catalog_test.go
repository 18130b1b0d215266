package planner

import (
	"fmt"
	"time"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// testCatalog is a catalog made by CREATE statements.
type testCatalog struct {
	relations map[string]*Relation
}

func newTestCatalog() *testCatalog { return &testCatalog{relations: map[string]*Relation{}} }

func (c *testCatalog) Relation(schema, name string) (*Relation, error) {
	if r := c.relations[name]; r != nil && (schema == "" || schema == r.Schema) {
		return r, nil
	}
	if schema != "" {
		name = schema + "." + name
	}
	return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", name)
}

func (c *testCatalog) add(r *Relation) {
	r.ID = uint32(len(c.relations) + 1)
	if r.Schema == "" {
		r.Schema = "public"
	}
	c.relations[r.Name] = r
}

// define executes one CREATE statement.
func (c *testCatalog) define(stmt ast.Stmt) error {
	switch s := stmt.(type) {
	case *ast.CreateTable:
		return c.table(&s.Relation)
	case *ast.CreateView:
		return c.view(s)
	}
	return fmt.Errorf("cannot define a %T", stmt)
}

func (c *testCatalog) table(def *ast.Relation) error {
	r := &Relation{Name: def.Name.Base(), Options: map[string]string{}}
	for _, o := range def.With {
		r.Options[o.Name] = o.Value
	}
	if r.Options["connector"] != "" {
		r.Kind, r.AppendOnly = Source, true
	}
	if l := r.Options["allowed-lateness"]; l != "" {
		r.Lateness, _ = time.ParseDuration(l)
	}
	for _, d := range def.Columns {
		col, err := testColumn(d)
		if err != nil {
			return err
		}
		for _, k := range d.Constraints {
			switch k.Kind {
			case ast.NotNull:
				col.NotNull = true
			case ast.PrimaryKey:
				col.NotNull, r.Key = true, []int{len(r.Columns)}
			case ast.DefaultTo:
				col.Default = k.Expr
			case ast.Generated:
				col.Generated = k.Expr
			}
		}
		r.Columns = append(r.Columns, col)
		if d.Type == nil && d.Computed != nil { // its type is that of its expression
			e, err := r.bindOwn(d.Computed, sql.TypeUnknown)
			if err != nil {
				return err
			}
			r.Columns[len(r.Columns)-1].Type = e.Type()
		}
	}
	for _, k := range def.Constraints {
		for _, name := range k.Cols {
			r.Key = append(r.Key, r.Column(name))
		}
	}
	if w := def.Watermark; w != nil {
		r.Watermark = &Watermark{Column: r.Column(w.Col.Base()), Expr: w.Expr}
	}
	if r.Kind == Table && r.Key == nil {
		r.Key = []int{len(r.Columns)}
		r.Columns = append(r.Columns, Column{Column: sql.Column{Name: "_row_id", Type: sql.TypeInt8, NotNull: true}, Hidden: true})
	}
	c.add(r)
	return nil
}

func testColumn(d *ast.ColumnDef) (Column, error) {
	col := Column{Column: sql.Column{Name: d.Name}, Generated: d.Computed, ReadOnly: d.Virtual}
	if d.Type == nil {
		return col, nil
	}
	var err error
	col.Type, err = TypeOf(d.Type)
	return col, err
}

func (c *testCatalog) view(s *ast.CreateView) error {
	r := &Relation{Name: s.Name.Base(), Kind: View, Query: s.Query, Options: map[string]string{}}
	purpose := Purpose{Target: Batch}
	if s.Materialized {
		r.Kind, purpose.Target = MaterializedView, ToView
	}
	p, err := PlanQuery(&Env{Catalog: c}, s.Query, purpose)
	if err != nil {
		return err
	}
	for i, col := range p.Schema() {
		if i < len(s.Cols) {
			col.Name = s.Cols[i]
		} else if i < len(p.Columns) {
			col.Name = p.Columns[i].Name
		}
		if i < len(p.Columns) || s.Materialized {
			r.Columns = append(r.Columns, Column{Column: col, Hidden: i >= len(p.Columns)})
		}
	}
	if s.Materialized {
		r.Key, r.AppendOnly = p.StreamKey(), p.Mode() == Append
	}
	c.add(r)
	return nil
}

// defineAll executes CREATE statements; an error is the caller's mistake.
func (c *testCatalog) defineAll(src string) error {
	stmts, err := parser.Parse(src)
	if err != nil {
		return err
	}
	for _, s := range stmts {
		if err := c.define(s.Node); err != nil {
			return fmt.Errorf("%s: %w", src[s.Start:s.End], err)
		}
	}
	return nil
}

func testEnv(c Catalog) *Env { return &Env{Catalog: c, Params: &expr.ParamTypes{}} }

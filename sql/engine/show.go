package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

func textColumns(names ...string) sql.Schema {
	var s sql.Schema
	for _, n := range names {
		s = append(s, sql.Column{Name: n, Type: sql.TypeText})
	}
	return s
}

// listing is a statement that shows rows made on the spot.
func (s *session) listing(schema sql.Schema, word string, f func() ([][]sql.Datum, error)) *runnable {
	return &runnable{columns: schema, alone: true, run: func(context.Context, []sql.Datum) (wire.Result, error) {
		rows, err := f()
		if err != nil {
			return wire.Result{}, err
		}
		return rowsResult(schema, rows, word), nil
	}}
}

// show is SHOW of objects, definitions and settings.
func (s *session) show(n *ast.Show) (*runnable, error) {
	switch n.What {
	case "setting":
		return s.showSetting(n.Setting)
	case "all":
		return s.listing(textColumns("name", "setting", "description"), "SHOW", func() ([][]sql.Datum, error) {
			var rows [][]sql.Datum
			for _, name := range slices.Sorted(maps.Keys(settings)) {
				v, _ := s.set.get(name)
				rows = append(rows, []sql.Datum{displayName(name), v, settings[name].desc})
			}
			return rows, nil
		}), nil
	case "create":
		return s.showCreate(n)
	case "columns":
		return s.describe(&ast.Describe{Position: n.Position, Name: n.Name})
	case "jobs":
		return s.showJobs(n)
	case "schemas", "databases", "users", "roles":
		return s.showNames(n)
	}
	kinds, ok := map[string][]catalog.Kind{
		"tables": {catalog.Table}, "sources": {catalog.Source, catalog.Table}, "views": {catalog.View},
		"materialized views": {catalog.MaterializedView}, "sinks": {catalog.Sink},
	}[n.What]
	if !ok {
		return nil, sql.Unsupported("SHOW "+strings.ToUpper(n.What), "Known are TABLES, SOURCES, VIEWS, MATERIALIZED VIEWS, SINKS, JOBS, SCHEMAS, COLUMNS, CREATE and settings.").At(n.Pos())
	}
	return s.listing(textColumns("name", "schema", "connector"), "SHOW", func() ([][]sql.Datum, error) {
		var rows [][]sql.Datum
		for _, o := range s.catalog().All(kinds...) {
			if n.What == "sources" && o.Connector == "" || !s.shows(n, o) {
				continue
			}
			var connector sql.Datum
			if o.Connector != "" {
				connector = o.Connector
			}
			rows = append(rows, []sql.Datum{o.Name, o.Schema, connector})
		}
		return rows, nil
	}), nil
}

// shows applies FROM schema and LIKE.
func (s *session) shows(n *ast.Show, o *catalog.Object) bool {
	if n.From != nil && o.Schema != n.From.Base() {
		return false
	}
	return n.Like == "" || likeMatch(o.Name, n.Like)
}

// likeMatch is LIKE for the names of SHOW.
func likeMatch(name, pattern string) bool {
	if pattern == "" {
		return name == ""
	}
	switch pattern[0] {
	case '%':
		for i := 0; i <= len(name); i++ {
			if likeMatch(name[i:], pattern[1:]) {
				return true
			}
		}
		return false
	case '_':
		return name != "" && likeMatch(name[1:], pattern[1:])
	}
	return name != "" && name[0] == pattern[0] && likeMatch(name[1:], pattern[1:])
}

func (s *session) showSetting(name string) (*runnable, error) {
	name = strings.ToLower(name)
	if _, ok := s.set.get(name); !ok {
		return nil, unknownSetting(name)
	}
	schema := textColumns(displayName(name))
	return s.listing(schema, "SHOW", func() ([][]sql.Datum, error) {
		v, _ := s.set.get(name)
		return [][]sql.Datum{{v}}, nil
	}), nil
}

func (s *session) showNames(n *ast.Show) (*runnable, error) {
	return s.listing(textColumns("name"), "SHOW", func() ([][]sql.Datum, error) {
		var names []string
		switch n.What {
		case "schemas":
			names = []string{catalog.InfoSchema, catalog.PGCatalog, catalog.PublicSchema, catalog.SystemSchema}
			for _, o := range s.catalog().All(catalog.Schema) {
				names = append(names, o.Name)
			}
		case "databases":
			names = []string{s.Database()}
		default:
			for _, o := range s.catalog().All(catalog.User) {
				names = append(names, o.Name)
			}
		}
		slices.Sort(names)
		var rows [][]sql.Datum
		for _, name := range names {
			if n.Like == "" || likeMatch(name, n.Like) {
				rows = append(rows, []sql.Datum{name})
			}
		}
		return rows, nil
	}), nil
}

func (s *session) showJobs(n *ast.Show) (*runnable, error) {
	return s.listing(textColumns("name", "kind", "state", "last_error"), "SHOW", func() ([][]sql.Datum, error) {
		var rows [][]sql.Datum
		for _, j := range s.e.jobs.list() {
			o := j.obj
			if !s.shows(n, o) {
				continue
			}
			st := j.status()
			var last sql.Datum
			if st.lastError != "" {
				last = st.lastError
			}
			rows = append(rows, []sql.Datum{o.Name, string(o.Kind), st.state, last})
		}
		return rows, nil
	}), nil
}

// showCreate is SHOW CREATE kind name.
func (s *session) showCreate(n *ast.Show) (*runnable, error) {
	o, err := s.relation(n.Name)
	if err != nil {
		return nil, err
	}
	if n.Kind != "" && catalog.Kind(n.Kind) != o.Kind {
		return nil, sql.Errorf(sql.CodeWrongObjectType, "%q is not a %s", o.Name, n.Kind)
	}
	return s.listing(textColumns("name", "create_sql"), "SHOW", func() ([][]sql.Datum, error) {
		return [][]sql.Datum{{o.QualifiedName(), maskedSQL(o)}}, nil
	}), nil
}

// describe is DESCRIBE name.
func (s *session) describe(n *ast.Describe) (*runnable, error) {
	c := &planCatalog{s.e, s.catalog(), s.lookupPath()}
	rel, err := c.Relation(n.Name.Schema(), n.Name.Base())
	if err != nil {
		return nil, err
	}
	return s.listing(textColumns("name", "type", "nullable", "key", "extra"), "DESCRIBE", func() ([][]sql.Datum, error) {
		var rows [][]sql.Datum
		for i, col := range rel.Columns {
			if col.Hidden {
				continue
			}
			nullable, key := "true", sql.Datum(nil)
			if col.NotNull {
				nullable = "false"
			}
			if k := slices.Index(rel.Key, i); k >= 0 {
				key = fmt.Sprintf("key %d", k+1)
			}
			rows = append(rows, []sql.Datum{col.Name, col.Type.String(), nullable, key, extra(rel, i)})
		}
		return rows, nil
	}), nil
}

func extra(rel *planner.Relation, i int) sql.Datum {
	col := rel.Columns[i]
	switch {
	case rel.Watermark != nil && rel.Watermark.Column == i:
		return "WATERMARK AS " + ast.SQL(rel.Watermark.Expr)
	case col.Generated != nil:
		return "AS " + ast.SQL(col.Generated)
	case col.Default != nil:
		return "DEFAULT " + ast.SQL(col.Default)
	}
	return nil
}

// explain is EXPLAIN of a query, or of the query of a view, a sink, a SUBSCRIBE or an INSERT.
func (s *session) explain(n *ast.Explain, types []sql.Type) (*runnable, error) {
	verbose := false
	for _, o := range n.Options {
		switch strings.ToLower(o.Name) {
		case "verbose":
			verbose = o.Value == "" || strings.EqualFold(o.Value, "true") || strings.EqualFold(o.Value, "on")
		case "costs", "buffers", "timing", "summary", "settings":
		case "format":
			if !strings.EqualFold(o.Value, "text") {
				return nil, sql.Unsupported("EXPLAIN (FORMAT "+strings.ToUpper(o.Value)+")", "Use FORMAT TEXT.").At(o.Pos())
			}
		default:
			return nil, sql.Unsupported("EXPLAIN "+strings.ToUpper(o.Name), "Use EXPLAIN or EXPLAIN VERBOSE.").At(o.Pos())
		}
	}
	plan, err := s.explained(n.Stmt, types)
	if err != nil {
		return nil, err
	}
	r := s.listing(textColumns("QUERY PLAN"), "EXPLAIN", func() ([][]sql.Datum, error) {
		var rows [][]sql.Datum
		for _, line := range plan.Explain(verbose) {
			rows = append(rows, []sql.Datum{line})
		}
		return rows, nil
	})
	r.params = plan.Params
	return r, nil
}

func (s *session) explained(stmt ast.Stmt, types []sql.Type) (*planner.Plan, error) {
	env := s.env(types)
	switch n := stmt.(type) {
	case *ast.Query:
		return planner.PlanQuery(env, n, planner.Purpose{Target: planner.Batch})
	case *ast.CreateView:
		target := planner.Batch
		if n.Materialized {
			target = planner.ToView
		}
		return planner.PlanQuery(env, n.Query, planner.Purpose{Target: target})
	case *ast.CreateTable:
		if n.Query != nil {
			return planner.PlanQuery(env, n.Query, planner.Purpose{Target: planner.Batch})
		}
	case *ast.CreateSink:
		q := n.Query
		if q == nil {
			q = selectAll(n.From)
		}
		opts, err := connectorOptions(n.With, n.Format)
		if err != nil {
			return nil, err
		}
		c, err := s.e.connector(opts["connector"])
		if err != nil {
			return nil, err
		}
		return planner.PlanQuery(env, q, purposeOf(c, &catalog.Object{Options: opts}))
	case *ast.Subscribe:
		return s.planSubscribe(n)
	case *ast.Insert:
		return s.explainInsert(n, types)
	case *ast.Update:
		ch, err := planner.PlanUpdate(env, n)
		if err != nil {
			return nil, err
		}
		return ch.Query, nil
	case *ast.Delete:
		ch, err := planner.PlanDelete(env, n)
		if err != nil {
			return nil, err
		}
		return ch.Query, nil
	}
	return nil, sql.Unsupported("EXPLAIN "+statementName(stmt), "").At(stmt.Pos())
}

func (s *session) explainInsert(n *ast.Insert, types []sql.Type) (*planner.Plan, error) {
	target, err := s.relation(n.Table.Name)
	if err != nil {
		return nil, sql.ErrorAt(err, n.Table.Pos())
	}
	purpose := planner.Purpose{Target: planner.Batch}
	if target.Connector != "" && !boundedValues(n.Query) {
		if purpose, err = s.e.sinkPurpose(target); err != nil {
			return nil, err
		}
	}
	ins, err := planner.PlanInsert(s.env(types), n, purpose)
	if err != nil {
		return nil, err
	}
	return ins.Query, nil
}

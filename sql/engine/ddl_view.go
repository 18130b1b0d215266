package engine

import (
	"context"
	"slices"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
)

// createView is CREATE [OR REPLACE] VIEW.
func (s *session) createView(n *ast.CreateView) error {
	if n.Temp {
		return sql.Unsupported("a temporary view", "Create an ordinary view and drop it.").At(n.Pos())
	}
	schema, err := s.creationSchema(n.Name)
	if err != nil {
		return err
	}
	plan, err := planner.PlanQuery(s.env(nil), n.Query, planner.Purpose{Target: planner.Batch})
	if err != nil {
		return err
	}
	o := &catalog.Object{Kind: catalog.View, Schema: schema, Name: n.Name.Base(), SQL: ast.SQL(n), Query: ast.SQL(s.qualified(n.Query)), Deps: deps(plan)}
	if o.Columns, err = viewColumns(plan.Columns, n.Cols); err != nil {
		return err
	}
	if n.OrReplace {
		if old := s.catalog().Relation(schema, o.Name); old != nil {
			return s.replaceView(old, o)
		}
	}
	_, err = s.create(o, n.IfNotExists)
	return err
}

// replaceView puts a new query under a view's name. As in PostgreSQL, the old columns must stay, and
// new ones may follow. Jobs that read the view keep the query that they were made with.
func (s *session) replaceView(old, o *catalog.Object) error {
	if old.Kind != catalog.View {
		return sql.Errorf(sql.CodeWrongObjectType, "%q is not a view", old.Name)
	}
	for i, c := range old.Columns {
		switch {
		case i >= len(o.Columns):
			return sql.Errorf(sql.CodeInvalidTableDefinition, "cannot drop columns from view")
		case o.Columns[i].Name != c.Name:
			return sql.Errorf(sql.CodeInvalidTableDefinition, "cannot change name of view column %q to %q", c.Name, o.Columns[i].Name)
		case o.Columns[i].Type.OID() != c.Type.OID():
			return sql.Errorf(sql.CodeInvalidTableDefinition, "cannot change data type of view column %q from %s to %s", c.Name, c.Type, o.Columns[i].Type)
		}
	}
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	if d := edit.View().Dependents(old.ID); len(d) > 0 {
		return sql.Errorf(sql.CodeDependentObjects, "cannot replace view %s because other objects depend on it", old.QualifiedName()).
			WithDetail("%s %s depends on view %s.", d[0].Kind, d[0].QualifiedName(), old.QualifiedName())
	}
	if slices.Contains(o.Deps, old.ID) {
		return sql.Errorf("42P17", "infinite recursion detected in rules for relation %q", o.Name)
	}
	o.ID, o.Owner, o.Created = old.ID, old.Owner, old.Created
	return edit.Replace(o)
}

// viewColumns names a query's columns, by the list after the view's name where there is one.
func viewColumns(schema sql.Schema, names []string) ([]catalog.Column, error) {
	if len(names) > len(schema) {
		return nil, sql.Errorf(sql.CodeSyntaxError, "CREATE VIEW specifies more column names than columns")
	}
	var cols []catalog.Column
	for i, c := range schema {
		if i < len(names) {
			c.Name = names[i]
		}
		cols = append(cols, catalog.Column{Name: c.Name, Type: storedType(c.Type), NotNull: c.NotNull})
	}
	return cols, distinctNames(cols)
}

// deps are the relations that a plan reads and the catalog holds.
func deps(p *planner.Plan) []uint32 {
	var ids []uint32
	for _, r := range p.Relations {
		if r.Kind != planner.System && !slices.Contains(ids, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// createMaterializedView is CREATE MATERIALIZED VIEW: a job that keeps the query's rows.
func (s *session) createMaterializedView(n *ast.CreateView) error {
	schema, err := s.creationSchema(n.Name)
	if err != nil {
		return err
	}
	plan, err := planner.PlanQuery(s.env(nil), n.Query, planner.Purpose{Target: planner.ToView})
	if err != nil {
		return err
	}
	if err := followable(s.tx.catalog(), deps(plan)); err != nil {
		return err
	}
	o := &catalog.Object{Kind: catalog.MaterializedView, Schema: schema, Name: n.Name.Base(), SQL: ast.SQL(n), Query: ast.SQL(s.qualified(n.Query)),
		Deps: deps(plan), AppendOnly: plan.Mode() == planner.Append, Options: map[string]string{}}
	if err := optionText(n.With, o.Options); err != nil {
		return err
	}
	if err := s.jobOptions(o); err != nil {
		return err
	}
	if err := jobOptionsOf(o).Err(); err != nil {
		return err
	}
	if o.Columns, err = viewColumns(plan.Columns, n.Cols); err != nil {
		return err
	}
	materialize(o, plan)
	o.RowsTable, o.Changelog = s.e.newID(), s.e.newID()
	if n.OrReplace {
		if old := s.catalog().Relation(schema, o.Name); old != nil {
			return sql.Unsupported("CREATE OR REPLACE MATERIALIZED VIEW", "Drop the view first.").At(n.Pos())
		}
	}
	return s.createJob(o, n.IfNotExists)
}

// materialize gives the view the columns and the key that its rows are stored by: the query's
// columns and, hidden, what the stream key needs besides.
func materialize(o *catalog.Object, plan *planner.Plan) {
	for i, c := range plan.Schema()[len(plan.Columns):] {
		o.Columns = append(o.Columns, catalog.Column{Name: "_key_" + itoa(uint32(i)) + "_" + c.Name, Type: storedType(c.Type), Hidden: true})
	}
	o.Key = plan.StreamKey()
}

// jobOptions gives a view, sink or INSERT job the session's settings where its own options say
// nothing, and checks them.
func (s *session) jobOptions(o *catalog.Object) error {
	if v, ok := s.set.session["checkpoint_interval"]; ok && o.Options["checkpoint_interval"] == "" {
		o.Options["checkpoint_interval"] = v
	}
	if v, _ := s.set.get("parallelism"); v != "0" && o.Options["parallelism"] == "" {
		o.Options["parallelism"] = v
	}
	o.TimeZone, _ = s.set.get("timezone")
	if v := o.Options["checkpoint_interval"]; v != "" {
		if _, err := checkInterval(v); err != nil {
			return invalidSetting("checkpoint_interval", v, err)
		}
	}
	return jobOptionsOf(o).ValueErr()
}

// jobOptionsOf are the options of any job; a sink has its connector's besides.
func jobOptionsOf(o *catalog.Object) *connectors.Options {
	opts := connectors.NewOptions(o.Options)
	opts.Has("checkpoint_interval")
	opts.Int("parallelism", 0, 0, 256)
	return opts
}

// createJob adds an object that a job keeps, and starts the job once the transaction is committed.
func (s *session) createJob(o *catalog.Object, ifNotExists bool) error {
	if o.JobKey == "" {
		key, err := newJobKey()
		if err != nil {
			return err
		}
		o.JobKey = key
	}
	created, err := s.create(o, ifNotExists)
	if err != nil || !created {
		return err
	}
	s.tx.after(func(committed bool) {
		if committed {
			s.e.jobs.start(o)
		}
	})
	return nil
}

// createSink is CREATE SINK … FROM relation | AS query WITH (…): a job whose rows go to a connector.
func (s *session) createSink(ctx context.Context, n *ast.CreateSink) error {
	if n.OrReplace {
		return sql.Unsupported("CREATE OR REPLACE SINK", "Drop the sink first.").At(n.Pos())
	}
	schema, err := s.creationSchema(n.Name)
	if err != nil {
		return err
	}
	query := n.Query
	if query == nil {
		query = selectAll(n.From)
	}
	if n.Into != nil {
		return sql.Unsupported("CREATE SINK … INTO", "Use INSERT INTO … SELECT.").At(n.Pos())
	}
	o := &catalog.Object{Kind: catalog.Sink, Schema: schema, Name: n.Name.Base(), SQL: ast.SQL(n), Query: ast.SQL(s.qualified(query))}
	if o.Options, err = connectorOptions(n.With, n.Format); err != nil {
		return err
	}
	if o.Connector = o.Options["connector"]; o.Connector == "" {
		return sql.Errorf(sql.CodeInvalidParameter, "option %q is required", "connector")
	}
	c, err := s.e.connector(o.Connector)
	if err != nil {
		return err
	}
	if err := s.jobOptions(o); err != nil {
		return err
	}
	plan, err := planner.PlanQuery(s.env(nil), query, purposeOf(c, o))
	if err != nil {
		return err
	}
	if o.Columns, err = viewColumns(plan.Columns, nil); err != nil {
		return err
	}
	if err := s.sinkKey(o); err != nil {
		return err
	}
	rel, err := s.e.revealed(connectorRelation(o, ""))
	if err != nil {
		return err
	}
	if err := c.Validate(rel, true); err != nil {
		return err
	}
	if err := checkStreamOptions(o); err != nil {
		return err
	}
	o.Deps = deps(plan)
	if err := followable(s.tx.catalog(), o.Deps); err != nil {
		return err
	}
	s.warnOfSharedKeys(o.Name, plan, o.Key)
	return s.startSink(ctx, o, n.IfNotExists)
}

// startSink connects to the target once, so that a wrong address is an error of CREATE, and adds the job.
func (s *session) startSink(ctx context.Context, o *catalog.Object, ifNotExists bool) error {
	o.Changelog = s.e.newID()
	if !s.e.cfg.checkOnly {
		if err := s.probeSink(ctx, o); err != nil {
			return err
		}
	}
	return s.createJob(o, ifNotExists)
}

// selectAll is SELECT * FROM name.
func selectAll(name ast.Name) *ast.Query {
	return &ast.Query{Body: &ast.Select{Targets: []*ast.Target{{X: &ast.Star{}}}, From: []ast.From{&ast.TableRef{Name: name}}}}
}

package engine

import (
	"context"
	"strings"
	"time"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// ddl returns what runs a statement that changes the catalog. Names are looked up and the query is
// planned when it runs, inside the transaction: an earlier statement of it may have made them.
func (s *session) ddl(node ast.Stmt) (*runnable, error) {
	switch n := node.(type) {
	case *ast.CreateTable:
		return s.command(func(ctx context.Context) (string, error) { return s.createTable(ctx, n) }), nil
	case *ast.CreateSource:
		return s.command(func(ctx context.Context) (string, error) {
			return "CREATE SOURCE", s.createConnectorTable(ctx, &n.Relation, catalog.Source, n)
		}), nil
	case *ast.CreateView:
		if n.Materialized {
			return s.command(func(context.Context) (string, error) {
				return "CREATE MATERIALIZED VIEW", s.createMaterializedView(n)
			}), nil
		}
		return s.command(func(context.Context) (string, error) { return "CREATE VIEW", s.createView(n) }), nil
	case *ast.CreateSink:
		return s.command(func(ctx context.Context) (string, error) { return "CREATE SINK", s.createSink(ctx, n) }), nil
	case *ast.CreateSchema:
		return s.command(func(context.Context) (string, error) { return "CREATE SCHEMA", s.createSchema(n) }), nil
	case *ast.CreateUser:
		return s.command(func(context.Context) (string, error) { return "CREATE ROLE", s.createUser(n) }), nil
	case *ast.AlterUser:
		return s.command(func(context.Context) (string, error) { return "ALTER ROLE", s.alterUser(n) }), nil
	case *ast.Drop:
		return s.command(func(ctx context.Context) (string, error) { return dropTag(n), s.drop(ctx, n) }), nil
	case *ast.AlterJob:
		return s.command(func(context.Context) (string, error) { return "ALTER JOB", s.alterJob(n) }), nil
	case *ast.Alter:
		if (n.Kind != ast.KindTable && n.Kind != ast.KindSource) || n.IfExists || !setsOptions(n) {
			return nil, unsupportedAlter(n)
		}
		return s.command(func(context.Context) (string, error) {
			return "ALTER " + strings.ToUpper(string(n.Kind)), s.alterTable(n)
		}), nil
	case *ast.Comment:
		return s.command(func(context.Context) (string, error) { return "COMMENT", s.comment(n) }), nil
	case *ast.CreateIndex:
		return nil, sql.Unsupported("CREATE INDEX", "A table or view is read fast by its primary or stream key.").At(n.Pos())
	}
	return nil, sql.Unsupported(statementName(node), "Drop the object and create it anew.").At(node.Pos())
}

// create adds an object to the transaction's catalog. It tells whether it did: with ifNotExists, a
// name that is taken is a notice.
func (s *session) create(o *catalog.Object, ifNotExists bool) (bool, error) {
	edit, err := s.tx.edits()
	if err != nil {
		return false, err
	}
	if ifNotExists && edit.View().Relation(o.Schema, o.Name) != nil {
		s.client.Notice("NOTICE", &sql.Error{Code: sql.CodeDuplicateTable, Message: "relation \"" + o.Name + "\" already exists, skipping"})
		return false, nil
	}
	if s.e.systemRelation(o.Schema, o.Name) != nil && o.Schema != catalog.PublicSchema {
		return false, catalog.Duplicate(o.Kind, o.Name)
	}
	o.ID = s.e.newID()
	o.Owner = s.client.User
	o.Created = time.Now().UTC()
	if err := edit.Create(o); err != nil {
		return false, err
	}
	return true, nil
}

func (s *session) createSchema(n *ast.CreateSchema) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	name := n.Name.Base()
	if name == "" {
		name = n.Owner
	}
	if edit.View().HasSchema(name) {
		if n.IfNotExists {
			s.client.Notice("NOTICE", &sql.Error{Code: "42P06", Message: "schema \"" + name + "\" already exists, skipping"})
			return nil
		}
		return catalog.Duplicate(catalog.Schema, name)
	}
	return edit.Create(&catalog.Object{ID: s.e.newID(), Kind: catalog.Schema, Name: name, Owner: s.client.User, Created: time.Now().UTC()})
}

func (s *session) comment(n *ast.Comment) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	name, column := n.Name, ""
	switch n.Kind {
	case "table", "view", "materialized view", "source", "sink":
	case "column":
		column = n.Name.Base()
		name = n.Name[:len(n.Name)-1]
	default:
		return nil // comments on what we have no object for are accepted and forgotten, as dumps hold them
	}
	o, err := s.relation(name)
	if err != nil {
		return err
	}
	c := *o
	if column == "" {
		c.Comment = n.Text
		return edit.Replace(&c)
	}
	i := o.RowSchema().Index(column)
	if i < 0 {
		return sql.Errorf(sql.CodeUndefinedColumn, "column %q of relation %q does not exist", column, o.Name)
	}
	c.Columns = append([]catalog.Column(nil), o.Columns...)
	for j := range c.Columns {
		if c.Columns[j].Name == column {
			c.Columns[j].Comment = n.Text
		}
	}
	return edit.Replace(&c)
}

// alterJob is ALTER JOB … PAUSE | RESUME | ACCEPT TARGET, of any object that a job keeps up to date.
// RESUME also runs a job that has failed, and at once one that waits to be tried again; on one that runs
// it does nothing.
func (s *session) alterJob(n *ast.AlterJob) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	o, err := s.relation(n.Name)
	if err != nil {
		return err
	}
	if !o.HasJob() {
		return sql.Errorf(sql.CodeWrongObjectType, "%q is not a job", o.Name)
	}
	if n.Action == ast.AcceptTarget && o.Kind == catalog.MaterializedView {
		return sql.Errorf(sql.CodeWrongObjectType, "%q has no target", o.Name)
	}
	c := *o
	c.Paused = n.Action == ast.PauseJob
	if c.Paused != o.Paused {
		if err := edit.Replace(&c); err != nil {
			return err
		}
	}
	s.tx.after(func(committed bool) {
		switch {
		case !committed:
		case c.Paused:
			s.e.jobs.pause(c.ID)
		case n.Action == ast.AcceptTarget:
			s.e.jobs.acceptTarget(&c)
		default:
			s.e.jobs.start(&c)
		}
	})
	return nil
}

package engine

import (
	"maps"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// changeable are the options of a connector table that ALTER TABLE changes: what a job does about
// records that it can't go on with. A job that fails for them finds the new value when it is run again.
// What the others say is part of what a job has read by now.
var changeable = []string{"on-error", "on-offset-gone"}

// alterTable is ALTER TABLE | SOURCE … SET (option = value, …).
func (s *session) alterTable(n *ast.Alter) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	old, err := s.relation(n.Name)
	if err != nil {
		return err
	}
	if catalog.Kind(n.Kind) != old.Kind {
		return sql.Errorf(sql.CodeWrongObjectType, "%q is not a %s", old.Name, n.Kind)
	}
	if old.Connector == "" {
		return unsupportedAlter(n)
	}
	o := *old
	if o.Options = maps.Clone(old.Options); o.Options == nil {
		o.Options = map[string]string{}
	}
	for _, a := range n.Actions {
		for _, option := range a.Options {
			name := strings.ToLower(option.Name)
			if !slices.Contains(changeable, name) {
				return sql.Unsupported("changing option \""+name+"\"", "Only "+strings.Join(changeable, " and ")+" can be changed. Drop the table and create it anew.").At(option.Pos())
			}
			o.Options[name] = option.Value
			if o.SQL, err = withOption(o.SQL, option); err != nil {
				return err
			}
		}
	}
	if _, err := s.e.checkOptions(&o); err != nil {
		return err
	}
	return edit.Replace(&o)
}

// checkOptions checks the options of a connector table, and returns it as its connector gets it.
func (e *Engine) checkOptions(o *catalog.Object) (connectors.Relation, error) {
	rel, err := e.revealed(connectorRelation(o, ""))
	if err != nil {
		return rel, err
	}
	c, err := e.connector(o.Connector)
	if err != nil {
		return rel, err
	}
	if err := c.Validate(rel, false); err != nil {
		return rel, err
	}
	return rel, checkStreamOptions(o)
}

// withOption is the text of a CREATE TABLE or CREATE SOURCE with an option changed or added.
func withOption(text string, option *ast.Option) (string, error) {
	node, err := parser.ParseOne(text)
	if err != nil {
		return "", err
	}
	var rel *ast.Relation
	switch n := node.(type) {
	case *ast.CreateTable:
		rel = &n.Relation
	case *ast.CreateSource:
		rel = &n.Relation
	default:
		return "", sql.Errorf(sql.CodeInternal, "stored statement %q makes no table", statementName(node))
	}
	rel.With = slices.DeleteFunc(rel.With, func(o *ast.Option) bool { return strings.EqualFold(o.Name, option.Name) })
	rel.With = append(rel.With, option)
	return ast.SQL(node), nil
}

// setsOptions tells whether all of an ALTER's actions are SET (option = value, …).
func setsOptions(n *ast.Alter) bool {
	return !slices.ContainsFunc(n.Actions, func(a *ast.AlterAction) bool { return a.Kind != ast.SetOption })
}

func unsupportedAlter(n *ast.Alter) error {
	if n.Kind == ast.KindJob {
		return sql.Unsupported("changing the options of a job", "They are given WITH the view or sink when it is created: drop it and create it anew.").At(n.Pos())
	}
	return sql.Unsupported(statementName(n), "Drop the object and create it anew.").At(n.Pos())
}

package engine

import (
	"strings"
	"time"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/wire"
)

// createUser is CREATE USER and CREATE ROLE. A user without a password is let in from where the
// server trusts clients, and nowhere else.
func (s *session) createUser(n *ast.CreateUser) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	if edit.View().User(n.Name) != nil && n.IfNotExists {
		s.notice("role %q already exists, skipping", n.Name)
		return nil
	}
	o := &catalog.Object{ID: s.e.newID(), Kind: catalog.User, Name: n.Name, Owner: s.client.User, Created: time.Now().UTC()}
	if err := userOptions(o, n.Options); err != nil {
		return err
	}
	return edit.Create(o)
}

func (s *session) alterUser(n *ast.AlterUser) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	old := edit.View().User(n.Name)
	if old == nil {
		return sql.Errorf(sql.CodeUndefinedObject, "role %q does not exist", n.Name)
	}
	c := *old
	if n.Rename != "" {
		c.Name = n.Rename
	}
	if err := userOptions(&c, n.Options); err != nil {
		return err
	}
	return edit.Replace(&c)
}

// userOptions applies PASSWORD. What only says who may do what is accepted: everybody may do
// everything as yet.
func userOptions(o *catalog.Object, options []*ast.UserOption) error {
	for _, opt := range options {
		switch opt.Name {
		case "password", "encrypted password":
			if opt.Null {
				o.Auth = nil
				continue
			}
			if strings.TrimSpace(opt.Value) == "" {
				return sql.Errorf(sql.CodeInvalidParameter, "the password must not be empty").At(opt.Pos())
			}
			c, err := wire.NewCredentials(opt.Value)
			if err != nil {
				return err
			}
			o.Auth = &catalog.Auth{Salt: c.Salt, Iterations: c.Iterations, StoredKey: c.StoredKey, ServerKey: c.ServerKey}
		case "login", "superuser", "createdb", "createrole", "inherit", "nosuperuser", "nocreatedb", "nocreaterole", "noinherit", "noreplication", "nobypassrls":
		default:
			return sql.Unsupported("the role option "+strings.ToUpper(opt.Name), "Use PASSWORD.").At(opt.Pos())
		}
	}
	return nil
}

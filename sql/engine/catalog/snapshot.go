package catalog

import (
	"maps"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// Snapshot is the catalog at one moment.
type Snapshot struct {
	objects map[uint32]*Object
	names   map[name]uint32
}

type name struct{ space, schema, name string }

func nameOf(o *Object) name {
	switch o.Kind {
	case Schema:
		return name{"schema", "", o.Name}
	case User:
		return name{"user", "", o.Name}
	}
	return name{"relation", o.Schema, o.Name}
}

// NewSnapshot makes a snapshot of the objects.
func NewSnapshot(objects []*Object) *Snapshot {
	s := &Snapshot{objects: map[uint32]*Object{}, names: map[name]uint32{}}
	for _, o := range objects {
		s.objects[o.ID] = o
		s.names[nameOf(o)] = o.ID
	}
	return s
}

// Get returns an object by id, or nil.
func (s *Snapshot) Get(id uint32) *Object { return s.objects[id] }

// Relation returns a relation or job by name, or nil.
func (s *Snapshot) Relation(schema, relation string) *Object {
	return s.objects[s.names[name{"relation", schema, relation}]]
}

// User returns a user, or nil.
func (s *Snapshot) User(user string) *Object { return s.objects[s.names[name{"user", "", user}]] }

// HasSchema tells whether a schema exists.
func (s *Snapshot) HasSchema(schema string) bool {
	switch schema {
	case PublicSchema, SystemSchema, PGCatalog, InfoSchema:
		return true
	}
	_, ok := s.names[name{"schema", "", schema}]
	return ok
}

// SchemaObject returns a created schema, or nil.
func (s *Snapshot) SchemaObject(schema string) *Object {
	return s.objects[s.names[name{"schema", "", schema}]]
}

// All lists the objects of the given kinds (all when none is given) by schema and name.
func (s *Snapshot) All(kinds ...Kind) []*Object {
	var out []*Object
	for _, o := range s.objects {
		if len(kinds) == 0 || slices.Contains(kinds, o.Kind) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *Object) int {
		if c := strings.Compare(a.Schema, b.Schema); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// Dependents lists what directly depends on id, by id.
func (s *Snapshot) Dependents(id uint32) []*Object {
	var out []*Object
	for _, o := range s.objects {
		if slices.Contains(o.Deps, id) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *Object) int { return int(a.ID) - int(b.ID) })
	return out
}

// Closure lists id's dependents, theirs and so on, the last dependent first, id itself excluded.
func (s *Snapshot) Closure(id uint32) []*Object {
	seen := map[uint32]bool{id: true}
	var out []*Object
	var visit func(id uint32)
	visit = func(id uint32) {
		for _, d := range s.Dependents(id) {
			if !seen[d.ID] {
				seen[d.ID] = true
				visit(d.ID)
				out = append(out, d)
			}
		}
	}
	visit(id)
	return out
}

// Edit is a transaction's changes over a snapshot. It is used by one goroutine.
type Edit struct {
	base    *Snapshot
	view    *Snapshot
	changes []Change
}

// Change is one step of an Edit: an object put (created or replaced), or dropped.
type Change struct {
	Put  *Object
	Drop *Object
}

// Edit starts changing a copy of s.
func (s *Snapshot) Edit() *Edit {
	return &Edit{base: s, view: s}
}

// View is the catalog as the edit has made it so far.
func (e *Edit) View() *Snapshot { return e.view }

// Changes lists the steps in order.
func (e *Edit) Changes() []Change { return e.changes }

// Mark is a savepoint for RollbackTo.
func (e *Edit) Mark() int { return len(e.changes) }

// RollbackTo undoes every step after the mark.
func (e *Edit) RollbackTo(mark int) {
	again, err := e.base.Edit().replay(e.changes[:mark])
	if err != nil {
		panic("catalog: steps that were applied cannot be applied again: " + err.Error())
	}
	*e = *again
}

// Create adds an object whose name must be free.
func (e *Edit) Create(o *Object) error {
	if o.Kind != Schema && o.Kind != User && !e.view.HasSchema(o.Schema) {
		return sql.Errorf(sql.CodeInvalidSchema, "schema %q does not exist", o.Schema)
	}
	if _, taken := e.view.names[nameOf(o)]; taken {
		return Duplicate(o.Kind, o.Name)
	}
	for _, d := range o.Deps {
		if e.view.objects[d] == nil {
			return sql.Errorf(sql.CodeUndefinedTable, "a relation that %s %q depends on does not exist any more", o.Kind, o.Name)
		}
	}
	e.put(o)
	return nil
}

// Replace puts a new version of an object with the same id.
func (e *Edit) Replace(o *Object) error {
	old := e.view.objects[o.ID]
	if old == nil {
		return sql.Errorf(sql.CodeUndefinedTable, "%s %q does not exist", o.Kind, o.Name)
	}
	if id, taken := e.view.names[nameOf(o)]; taken && id != o.ID {
		return Duplicate(o.Kind, o.Name)
	}
	e.put(o)
	return nil
}

// step makes the next view: those that were handed out stay as they are.
func (e *Edit) step() {
	v := e.view
	e.view = &Snapshot{objects: maps.Clone(v.objects), names: maps.Clone(v.names)}
}

func (e *Edit) put(o *Object) {
	e.step()
	if old := e.view.objects[o.ID]; old != nil {
		delete(e.view.names, nameOf(old))
	}
	e.view.objects[o.ID] = o
	e.view.names[nameOf(o)] = o.ID
	e.changes = append(e.changes, Change{Put: o})
}

// Drop removes an object; its dependents must be gone.
func (e *Edit) Drop(id uint32) error {
	o := e.view.objects[id]
	if o == nil {
		return sql.Errorf(sql.CodeUndefinedTable, "an object that is to be dropped does not exist any more")
	}
	if d := e.view.Dependents(id); len(d) > 0 {
		return sql.Errorf(sql.CodeDependentObjects, "cannot drop %s %s because other objects depend on it", o.Kind, o.QualifiedName())
	}
	e.step()
	delete(e.view.objects, id)
	delete(e.view.names, nameOf(o))
	e.changes = append(e.changes, Change{Drop: o})
	return nil
}

// Rebase applies the edit's steps to a newer snapshot: what a transaction does at commit when
// others committed DDL in between. A step that no longer applies is 40001.
func (e *Edit) Rebase(s *Snapshot) (*Edit, error) {
	if s == e.base {
		return e, nil
	}
	again, err := s.Edit().replay(e.changes)
	if err != nil {
		return nil, &sql.Error{Code: sql.CodeSerializationFailure, Message: "could not serialize access due to a concurrent change of the catalog",
			Detail: err.Error() + ".", Hint: "The transaction might succeed if retried.", Cause: err}
	}
	return again, nil
}

func (e *Edit) replay(changes []Change) (*Edit, error) {
	for _, c := range changes {
		var err error
		switch {
		case c.Drop != nil:
			err = e.Drop(c.Drop.ID)
		case e.view.objects[c.Put.ID] != nil:
			err = e.Replace(c.Put)
		default:
			err = e.Create(c.Put)
		}
		if err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Duplicate is the error for a name that is taken.
func Duplicate(k Kind, name string) *sql.Error {
	switch k {
	case Schema:
		return sql.Errorf("42P06", "schema %q already exists", name)
	case User:
		return sql.Errorf("42710", "role %q already exists", name)
	}
	return sql.Errorf(sql.CodeDuplicateTable, "relation %q already exists", name)
}

// Readers lists the objects whose jobs read id, directly or through views that are only queries.
func (s *Snapshot) Readers(id uint32) []*Object {
	var out []*Object
	for _, d := range s.Dependents(id) {
		switch {
		case d.HasJob() && d.Target != id:
			out = append(out, d)
		case d.Kind == View:
			out = append(out, s.Readers(d.ID)...)
		}
	}
	return out
}

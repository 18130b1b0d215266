package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/state"
)

func dropTag(n *ast.Drop) string {
	if n.Kind == ast.KindUser {
		return "DROP ROLE"
	}
	return "DROP " + strings.ToUpper(string(n.Kind))
}

// drop is DROP of anything. Objects that depend on each other may go in one statement, in any order.
func (s *session) drop(ctx context.Context, n *ast.Drop) error {
	edit, err := s.tx.edits()
	if err != nil {
		return err
	}
	var targets []*catalog.Object
	for _, name := range n.Names {
		o, err := s.dropTarget(n, name)
		if err != nil {
			return err
		}
		if o != nil && !slices.Contains(targets, o) {
			targets = append(targets, o)
		}
	}
	all := dropOrder(edit.View(), targets)
	if len(all) > len(targets) {
		if !n.Cascade {
			return dependents(all, targets)
		}
		s.cascadeNotice(all, targets)
	}
	for _, o := range all {
		if err := s.dropObject(ctx, edit, o); err != nil {
			return err
		}
	}
	return nil
}

// dropOrder lists what goes with the targets, and these, the last dependent first.
func dropOrder(view *catalog.Snapshot, targets []*catalog.Object) []*catalog.Object {
	var all []*catalog.Object
	for _, t := range targets {
		with := view.Closure(t.ID)
		if t.Kind == catalog.Schema {
			with = inSchema(view, t.Name)
		}
		for _, o := range append(with, t) {
			if !slices.Contains(all, o) {
				all = append(all, o)
			}
		}
	}
	return all
}

// dependents is the error for a DROP without CASCADE of what others depend on.
func dependents(all, targets []*catalog.Object) error {
	var detail []string
	for _, d := range slices.SortedFunc(slices.Values(all), func(a, b *catalog.Object) int { return int(a.ID) - int(b.ID) }) {
		if slices.Contains(targets, d) {
			continue
		}
		on := targets[0] // of a schema, which objects lie in but do not name
		if i := slices.IndexFunc(all, func(o *catalog.Object) bool { return slices.Contains(d.Deps, o.ID) }); i >= 0 {
			on = all[i]
		}
		detail = append(detail, fmt.Sprintf("%s %s depends on %s %s", d.Kind, d.QualifiedName(), on.Kind, on.QualifiedName()))
	}
	e := sql.Errorf(sql.CodeDependentObjects, "cannot drop desired object(s) because other objects depend on them")
	if len(targets) == 1 {
		e = sql.Errorf(sql.CodeDependentObjects, "cannot drop %s %s because other objects depend on it", targets[0].Kind, targets[0].QualifiedName())
	}
	e.Detail, e.Hint = strings.Join(detail, "\n"), "Use DROP ... CASCADE to drop the dependent objects too."
	return e
}

func (s *session) cascadeNotice(all, targets []*catalog.Object) {
	if n := len(all) - len(targets); n > 1 {
		s.notice("drop cascades to %d other objects", n)
		return
	}
	for _, d := range all {
		if !slices.Contains(targets, d) {
			s.notice("drop cascades to %s %s", d.Kind, d.QualifiedName())
		}
	}
}

// dropTarget finds what is to be dropped and checks its kind; nil = it is not there, and IF EXISTS
// has said so.
func (s *session) dropTarget(n *ast.Drop, name ast.Name) (*catalog.Object, error) {
	snap := s.catalog()
	var o *catalog.Object
	var missing *sql.Error
	switch n.Kind {
	case ast.KindSchema:
		o = snap.SchemaObject(name.Base())
		missing = sql.Errorf(sql.CodeInvalidSchema, "schema %q does not exist", name.Base())
		if o == nil && snap.HasSchema(name.Base()) {
			return nil, sql.Errorf(sql.CodeDependentObjects, "cannot drop schema %s because it is required by the system", name.Base())
		}
	case ast.KindUser:
		o = snap.User(name.Base())
		missing = sql.Errorf(sql.CodeUndefinedObject, "role %q does not exist", name.Base())
	case ast.KindTable, ast.KindSource, ast.KindView, ast.KindMaterializedView, ast.KindSink, ast.KindJob:
		var err error
		if o, err = s.relation(name); err != nil {
			o = nil
		}
		missing = sql.Errorf(sql.CodeUndefinedTable, "%s %q does not exist", n.Kind, name.String())
	default:
		missing = sql.Errorf(sql.CodeUndefinedObject, "%s %q does not exist", n.Kind, name.String())
	}
	if o == nil {
		if n.IfExists {
			s.notice("%s, skipping", missing.Message)
			return nil, nil
		}
		return nil, missing
	}
	if want := catalog.Kind(n.Kind); o.Kind != want {
		e := sql.Errorf(sql.CodeWrongObjectType, "%q is not a %s", o.Name, want)
		return nil, e.WithHint("Use DROP %s to remove a %s.", strings.ToUpper(string(o.Kind)), o.Kind)
	}
	return o, nil
}

func inSchema(snap *catalog.Snapshot, schema string) []*catalog.Object {
	var out []*catalog.Object
	seen := map[uint32]bool{}
	for _, o := range snap.All() {
		if o.Schema != schema || !o.IsRelation() {
			continue
		}
		for _, d := range append(snap.Closure(o.ID), o) {
			if !seen[d.ID] {
				seen[d.ID] = true
				out = append(out, d)
			}
		}
	}
	return out
}

// dropObject removes one object from the catalog; its job stops and its state goes once the
// transaction has committed.
func (s *session) dropObject(ctx context.Context, edit *catalog.Edit, o *catalog.Object) error {
	if o.Kind == catalog.Table && o.Connector == "" {
		if err := s.tx.lock(ctx, o.ID); err != nil {
			return err
		}
	}
	forgetTarget := s.e.forgetter(o, edit.View())
	if err := edit.Drop(o.ID); err != nil {
		return err
	}
	s.tx.after(func(committed bool) {
		if committed {
			s.e.discard(o)
			forgetTarget()
		}
	})
	return nil
}

// discard stops the job of a dropped object and deletes its state. A crash in between leaves only
// state that nothing refers to; sweep removes it at the next start.
func (e *Engine) discard(o *catalog.Object) {
	if o.HasJob() {
		e.jobs.remove(o.ID)
	}
	e.tails.end(o.ID)
	if err := e.deleteState(o); err != nil {
		e.log.Warn("state of a dropped object stays until the next start", "object", o.Name, "error", err)
	}
}

// forgetWait is how long a DROP waits for a target that is to forget a job.
const forgetWait = 3 * time.Second

// forgetter returns what removes a job's traces from its target, best effort: a target that is away
// keeps them.
func (e *Engine) forgetter(o *catalog.Object, snap *catalog.Snapshot) func() {
	if o.Kind != catalog.Sink && o.Kind != catalog.Job {
		return func() {}
	}
	rel, c, err := e.sinkTarget(o, snap)
	f, ok := c.(connectors.Forgetter)
	if err != nil || !ok {
		return func() {}
	}
	return func() {
		ctx, cancel := context.WithTimeout(e.ctx, forgetWait)
		defer cancel()
		if err := f.Forget(ctx, rel); err != nil {
			e.log.Warn("the target of a dropped job keeps what it knows of it", "job", o.Name, "error", err)
		}
	}
}

func (e *Engine) deleteState(o *catalog.Object) error {
	b := e.store.NewBatch()
	for _, id := range []uint32{o.RowsTable, o.Changelog} {
		if id != 0 {
			b.DeleteRange(state.TableRange(state.TableID(id)))
		}
	}
	if o.HasJob() {
		if err := e.dropJobState(b, o.ID); err != nil {
			return err
		}
	}
	for _, c := range o.Columns {
		e.meta.Delete(b, sequenceRecord(o.ID, c.Name))
	}
	return b.Commit()
}

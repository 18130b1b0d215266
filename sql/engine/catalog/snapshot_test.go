package catalog

import (
	"errors"
	"testing"

	"github.com/streamsql/streamsql/sql"
)

func code(err error) string {
	var e *sql.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func table(id uint32, name string, deps ...uint32) *Object {
	return &Object{ID: id, Kind: Table, Schema: PublicSchema, Name: name, Deps: deps}
}

func TestEditIsolatedUntilPublished(t *testing.T) {
	base := NewSnapshot([]*Object{table(1, "a")})
	e := base.Edit()
	if err := e.Create(table(2, "b", 1)); err != nil {
		t.Fatal(err)
	}
	if base.Relation(PublicSchema, "b") != nil || e.View().Relation(PublicSchema, "b") == nil {
		t.Fatal("an edit must show in its view and nowhere else")
	}
	if err := e.Create(table(3, "a")); code(err) != sql.CodeDuplicateTable {
		t.Fatalf("a taken name: %v", err)
	}
	if err := e.Drop(1); code(err) != sql.CodeDependentObjects {
		t.Fatalf("dropping what others need: %v", err)
	}
}

func TestRollbackToSavepoint(t *testing.T) {
	e := NewSnapshot(nil).Edit()
	_ = e.Create(table(1, "a"))
	mark := e.Mark()
	_ = e.Create(table(2, "b"))
	_ = e.Drop(1)
	e.RollbackTo(mark)
	v := e.View()
	if v.Relation(PublicSchema, "a") == nil || v.Relation(PublicSchema, "b") != nil || len(e.Changes()) != 1 {
		t.Fatal("rollback to a savepoint must undo exactly what came after it")
	}
}

func TestRebase(t *testing.T) {
	base := NewSnapshot([]*Object{table(1, "a")})
	mine, theirs := base.Edit(), base.Edit()
	_ = mine.Create(table(2, "b", 1))
	_ = theirs.Create(table(3, "c"))
	merged, err := mine.Rebase(theirs.View())
	if err != nil || merged.View().Relation(PublicSchema, "b") == nil || merged.View().Relation(PublicSchema, "c") == nil {
		t.Fatalf("unrelated DDL must merge: %v", err)
	}
	dropper := base.Edit()
	_ = dropper.Drop(1)
	if _, err := mine.Rebase(dropper.View()); code(err) != sql.CodeSerializationFailure {
		t.Fatalf("a dependency dropped meanwhile: %v", err)
	}
}

func TestClosureListsLastDependentFirst(t *testing.T) {
	s := NewSnapshot([]*Object{table(1, "a"), table(2, "b", 1), table(3, "c", 2), table(4, "d", 1, 3)})
	var ids []uint32
	for _, o := range s.Closure(1) {
		ids = append(ids, o.ID)
	}
	for i, want := range []uint32{4, 3, 2} {
		if ids[i] != want {
			t.Fatalf("closure %v", ids)
		}
	}
}

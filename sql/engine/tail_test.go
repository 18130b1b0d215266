package engine

import (
	"strings"
	"testing"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// A subscriber that does not read is left behind once the log has grown too long for it, and is told
// so. One that reads gets everything.
func TestSubscriberThatStopsReading(t *testing.T) {
	n := newNode(t, "127.0.0.1:1")
	n.exec("CREATE TABLE t (id INT PRIMARY KEY)")
	o := n.e.catalog.Load().All(catalog.Table)[0]
	stuck, err := n.e.tail(o, false)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Close()
	reads, err := n.e.tail(o, false)
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	next := func() {
		t.Helper()
		if b, err := reads.Next(t.Context()); err != nil || b.Rows != 1 {
			t.Fatalf("%v, %v", b, err)
		}
	}
	n.exec("INSERT INTO t VALUES (1)")
	next()
	if err := n.e.trimChangelogs(); err != nil { // within the limit it is waited for
		t.Fatal(err)
	}
	if b, err := stuck.Next(t.Context()); err != nil || b.Rows != 1 {
		t.Fatalf("%v, %v", b, err)
	}
	n.exec("INSERT INTO t VALUES (2)")
	next()
	n.exec("INSERT INTO t VALUES (3)")
	next()
	n.e.cfg.tailBytes = -1
	if err := n.e.trimChangelogs(); err != nil {
		t.Fatal(err)
	}
	for { // what it had begun to read it may have
		b, err := stuck.nextChange()
		if b == nil && err == nil {
			continue
		}
		if err != nil {
			if sql.AsError(err).Code != sql.CodeObjectNotInState || !strings.Contains(err.Error(), "too far behind") {
				t.Errorf("got %v", err)
			}
			break
		}
	}
	n.exec("INSERT INTO t VALUES (4)")
	next()
}

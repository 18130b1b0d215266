package pgtest

import (
	"context"
	"testing"
)

// The data survives both ways of stopping.
func TestServer(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	s := Start(t)
	ctx := context.Background()
	if _, err := s.Conn(t).Exec(ctx, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	for _, stop := range []func() error{s.Stop, s.Kill} {
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(); err != nil {
			t.Fatal(err)
		}
		var n int
		var version string
		if err := s.Conn(t).QueryRow(ctx, "SELECT count(*), version() FROM t").Scan(&n, &version); err != nil {
			t.Fatal(err)
		}
		if n != 1 {
			t.Fatalf("%d rows after a restart, want 1 (%s)", n, version)
		}
	}
}

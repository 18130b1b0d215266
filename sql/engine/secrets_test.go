package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/streamsql/streamsql/connectors"
)

// guardedTarget notes which password it gets when a table over it is made.
type guardedTarget struct {
	memoryTarget
	seen []string
}

func (g *guardedTarget) Validate(r connectors.Relation, _ bool) error {
	g.locked(func() { g.seen = append(g.seen, r.Options["password"]) })
	return nil
}

func (g *guardedTarget) Check(_ context.Context, r connectors.Relation, _ connectors.Notice) error {
	return g.Validate(r, true)
}

// A secret may change at any time, and asking for it may be dear: what the options are checked with is
// what the target is asked with.
func TestSecretIsAskedForOnce(t *testing.T) {
	g := &guardedTarget{}
	asked := 0
	n := &node{t: t, dir: t.TempDir(), connectors: []connectors.Connector{g}, change: func(cfg *Config) {
		cfg.Secret = func(name string) (string, error) {
			asked++
			return fmt.Sprint(name, " ", asked), nil
		}
	}}
	n.start()
	t.Cleanup(n.stop)
	n.exec("CREATE TABLE t (v text) WITH (connector = 'memory', password = SECRET door)")
	var seen []string
	g.locked(func() { seen = slices.Clone(g.seen) })
	if !slices.Equal(seen, []string{"door 1", "door 1"}) {
		t.Errorf("the target was opened with %q", seen)
	}
}

package crashfs

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLinkBesideClones: with a bare MemFS most runs hang under the race detector, and few without.
func TestLinkBesideClones(t *testing.T) {
	fs := New()
	f, err := fs.Create("a", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	linked := make(chan error, 1)
	go func() {
		for i := range 3000 {
			if err := fs.Link("a", fmt.Sprint(i)); err != nil {
				linked <- err
				return
			}
		}
		linked <- nil
	}()
	cloned := make(chan struct{}, 1)
	for timeout := time.After(time.Minute); ; {
		go func() { fs.CrashClone(vfs.CrashCloneCfg{}); cloned <- struct{}{} }()
		select {
		case <-cloned:
		case err := <-linked:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-timeout:
			t.Fatal("all wait for each other")
		}
	}
}

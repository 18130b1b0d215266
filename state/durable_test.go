package state

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/streamsql/streamsql/state/crashfs"
)

// What was read is on disk: while a commit's sync has not returned, its writes can be in the store
// already, and nobody gets a snapshot with them.
func TestSnapshotsAreOnDisk(t *testing.T) {
	commits := map[string]func(b *Batch) error{
		"Commit": func(b *Batch) error { return b.Commit() },
		"CommitThenSync": func(b *Batch) error {
			sync, err := b.CommitThenSync()
			if err != nil {
				return err
			}
			return sync()
		},
	}
	for name, commit := range commits {
		t.Run(name, func(t *testing.T) {
			var held atomic.Bool // syncs of logs wait for release
			release := make(chan struct{})
			mem := crashfs.New()
			s := openMem(t, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if held.Load() && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
					<-release
				}
				return nil
			})))
			key := []byte("k")
			b := s.NewBatch()
			b.Put(key, []byte("v"))
			held.Store(true)
			done := make(chan error, 1)
			go func() { done <- commit(b) }()
			for visible := false; !visible; time.Sleep(time.Millisecond) { // before it is on disk
				var err error
				if _, visible, err = s.Get(key); err != nil {
					t.Fatal(err)
				}
			}
			reads := make(chan bool, 2)
			go func() {
				snap := s.Snapshot()
				defer snap.Close()
				_, found, _ := snap.Get(key)
				reads <- found
			}()
			go func() {
				_, found, _ := s.Get(key)
				s.AwaitDurable()
				reads <- found
			}()
			select {
			case found := <-reads:
				t.Errorf("a reader was served before the sync returned (found %t)", found)
			case <-time.After(20 * time.Millisecond):
			}
			close(release)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if !<-reads {
					t.Error("a reader that waited does not see the write")
				}
			}
			after := openMem(t, mem.CrashClone(vfs.CrashCloneCfg{}))
			if _, found, err := after.Get(key); err != nil || !found {
				t.Errorf("after a crash what was read is gone (%v)", err)
			}
		})
	}
}

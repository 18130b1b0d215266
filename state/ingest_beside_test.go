package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// besideID is the table of a job beside one that ingests: between its tables.
const besideID = TableID(3000)

// openIngesting opens a store that makes tables of batches of more than 100 bytes. What fails is asked of
// each operation on a table of the store.
func openIngesting(t *testing.T, fs vfs.FS, fails func(op errorfs.Op) error) *Store {
	t.Helper()
	disk := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".sst") && !strings.HasSuffix(op.Path, newTable) {
			return fails(op)
		}
		return nil
	}))
	s, err := Open(Options{Dir: "db", Logger: quiet, ReserveBytes: -1}.On(disk).Ingest(100))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tablesBatch is a batch that is ingested: the keys in a table, and one in the table behind besideID.
func tablesBatch(s *Store, keys ...byte) *Batch {
	g := s.NewGatherer().New(0)
	part := g.Part()
	for _, i := range keys {
		NewState(2000).Put(part, 0, []byte{i}, make([]byte, 100))
		part.handOver()
	}
	NewState(4000).Put(part, 0, nil, nil)
	part.HandOver()
	return g.Batch()
}

func commitKey(s *Store, id TableID, key byte) error {
	b := s.NewBatch()
	NewState(id).Put(b, 0, []byte{key}, nil)
	return b.Commit()
}

// workBeside commits a hundred keys and takes a snapshot after each, for half a second. In a synctest
// bubble none of that takes any time, unless it waits for another's pause.
func workBeside(t *testing.T, s *Store) {
	for i := range byte(100) {
		start := time.Now()
		if err := errors.Join(commitKey(s, besideID, i), s.Snapshot().Close()); err != nil {
			t.Error(err)
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("commit %d beside the ingests waited %v", i, waited)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func wantKeys(t *testing.T, s *Store, want int) {
	t.Helper()
	if n := strings.Count(allOf(t, s), "\n") - 1; n != want { // without the format's version
		t.Errorf("%d keys, not %d:\n%s", n, want, allOf(t, s))
	}
}

// A batch whose tables overlap some that can't be read fails, and nobody else waits for it, although
// compactions fail as well, so that reads that fail take their time: Pebble holds up all commits while
// it looks into those tables. When they can be read again, so can what the batch writes.
func TestIngestOverFailingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		fails := func(op errorfs.Op) error {
			if broken.Load() && op.Kind == errorfs.OpFileReadAt {
				return syscall.EIO
			}
			return nil
		}
		fs := vfs.NewMem()
		s := openIngesting(t, fs, fails)
		if err := tablesBatch(s, 10, 20, 30, 40).Commit(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil { // and with it what is cached
			t.Fatal(err)
		}
		s = openIngesting(t, fs, fails)
		synctest.Wait() // for Pebble, which reads something of each table when it opens
		broken.Store(true)
		var others sync.WaitGroup
		defer func() {
			others.Wait()
			s.Close()
		}()
		others.Go(func() { workBeside(t, s) })
		again := tablesBatch(s, 21, 22, 23) // between two keys of a table: are they?
		for range 4 {
			s.events.backgroundError(errors.New("a compaction failed"))
			wantCode(t, again.Commit(), codeIOError, "input/output error")
		}
		broken.Store(false)
		if err := again.Commit(); err != nil {
			t.Error(err)
		}
		others.Wait()
		wantKeys(t, s, 4+3+1+100)
	})
}

// It fails also if a memory table has keys between its own, and never joins that one on the way to the
// disk: a flush that looks into tables that can't be read holds Pebble's lock, and everybody up, again
// and again.
func TestIngestOverMemTable(t *testing.T) {
	var broken, flushes atomic.Bool
	var s *Store
	fails := func(op errorfs.Op) error {
		switch {
		case broken.Load() && op.Kind == errorfs.OpFileReadAt:
			return syscall.EIO
		case op.Kind == errorfs.OpCreate && flushes.CompareAndSwap(true, false):
			// To the next memory table, which is not flushed ahead.
			return errors.Join(commitKey(s, 2000, 5), commitKey(s, 2000, 25), commitKey(s, 2000, 50))
		}
		return nil
	}
	fs := vfs.NewMem()
	s = openIngesting(t, fs, fails)
	if err := tablesBatch(s, 10, 20, 30, 40).Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openIngesting(t, fs, fails)
	defer func() {
		broken.Store(false)
		s.Close()
	}()
	if err := commitKey(s, besideID, 0); err != nil {
		t.Fatal(err)
	}
	again := tablesBatch(s, 22, 28)
	broken.Store(true)
	flushes.Store(true)
	wantCode(t, again.Commit(), codeIOError, "input/output error")
	if flushes.Load() {
		t.Fatal("nothing was flushed")
	}
	broken.Store(false)
	if err := again.Commit(); err != nil {
		t.Fatal(err)
	}
	wantKeys(t, s, 4+2+1+3+1)
}

// A batch that overlaps a memory table waits for its flush, as long as that fails, and nobody else does:
// no commit and no snapshot, also of a table between those of the batch.
func TestIngestAwaitsFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		s := openIngesting(t, vfs.NewMem(), func(op errorfs.Op) error {
			if full.Load() && op.Kind == errorfs.OpCreate {
				return syscall.ENOSPC
			}
			return nil
		})
		var others sync.WaitGroup
		defer func() {
			others.Wait()
			s.Close()
		}()
		if err := commitKey(s, 2000, 25); err != nil {
			t.Fatal(err)
		}
		full.Store(true)
		others.Go(func() { workBeside(t, s) })
		time.AfterFunc(300*time.Millisecond, func() { full.Store(false) })
		start := time.Now()
		if err := tablesBatch(s, 22, 28).Commit(); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 300*time.Millisecond {
			t.Errorf("it was ingested after %v, over a memory table that was not flushed", took)
		}
		others.Wait()
		wantKeys(t, s, 1+2+1+100)
	})
}

// BenchmarkCommitBesideIngest is how long the small commits of one job take, 20 KB each 5 ms, and
// snapshots as often, while another job commits epochs of 60 MiB with half a second between them: through
// the log; as tables; as tables when the memory table has some of their keys, which came in small commits;
// and as tables on both sides of those of the first job.
func BenchmarkCommitBesideIngest(b *testing.B) {
	for _, c := range []struct {
		name   string
		chunk  int // batches that are larger become tables; 0 = as usual
		epochs epochs
	}{
		{name: "log", chunk: 1 << 30, epochs: epochs{small: 20}},
		{name: "tables"},
		{name: "tables-overlap", epochs: epochs{small: 20}},
		{name: "tables-around", epochs: epochs{around: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Logger: quiet}.Ingest(c.chunk))
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			done, commits, snapshots := make(chan struct{}), make(chan []time.Duration, 1), make(chan []time.Duration, 1)
			go func() {
				w, i, st := s.NewBatch(), 0, NewState(besideID)
				commits <- every5ms(b, done, func() error {
					for range 100 {
						st.Put(w, uint8(i), fmt.Appendf(nil, "key-%08d", i%10_000), make([]byte, 200))
						i++
					}
					return w.Commit()
				})
			}()
			go func() { snapshots <- every5ms(b, done, func() error { return s.Snapshot().Close() }) }()
			gatherer := s.NewGatherer()
			for b.Loop() {
				if err := c.epochs.commit(gatherer); err != nil {
					b.Fatal(err)
				}
			}
			close(done)
			reportWaits(b, "commit", <-commits)
			reportWaits(b, "snapshot", <-snapshots)
		})
	}
}

// epochs is how a job of large epochs works.
type epochs struct {
	small  int  // small commits before each
	around bool // they also write to a table in front of besideID
}

func (e epochs) commit(gatherer *Gatherer) error {
	const rest, bytes = 500 * time.Millisecond, 60 << 20
	value := make([]byte, 200)
	put := func(w *Batch, id TableID) {
		i := rand.Uint32N(1 << 20)
		NewState(id).Put(w, uint8(i), binary.BigEndian.AppendUint32(nil, i), value)
	}
	for range e.small {
		w := gatherer.store.NewBatch()
		for range 20 {
			put(w, 4000)
		}
		if err := w.Commit(); err != nil {
			return err
		}
		time.Sleep(rest / time.Duration(e.small))
	}
	if e.small == 0 {
		time.Sleep(rest)
	}
	g := gatherer.New(0)
	part := g.Part()
	if e.around {
		put(part, besideID-1)
	}
	for id := TableID(4000); id < 4002; id++ {
		for range bytes / 2 / (len(value) + 12) {
			put(part, id)
		}
	}
	part.HandOver()
	defer g.Done()
	return g.Batch().Commit()
}

// every5ms does something each 5 ms, and returns how long it took each time, sorted.
func every5ms(b *testing.B, done <-chan struct{}, do func() error) (took []time.Duration) {
	for {
		select {
		case <-done:
			slices.Sort(took)
			return took
		case <-time.After(5 * time.Millisecond):
		}
		start := time.Now()
		if err := do(); err != nil {
			b.Error(err)
		}
		took = append(took, time.Since(start))
	}
}

func reportWaits(b *testing.B, name string, sorted []time.Duration) {
	ms := func(i int) float64 { return float64(sorted[i].Microseconds()) / 1000 }
	n := len(sorted)
	b.ReportMetric(ms(n/2), name+"-p50-ms")
	b.ReportMetric(ms(n*99/100), name+"-p99-ms")
	b.ReportMetric(ms(n-1), name+"-max-ms")
}

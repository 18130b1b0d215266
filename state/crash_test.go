package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state/crashfs"
)

const (
	crashJobs  = 4
	crashTasks = 3
	crashCells = 12 // a task
)

// crashJob commits epoch after epoch as a job does: its tasks fill parts of a batch. Some are so large
// that they become tables. Each epoch writes its number into every cell, appends it to a
// changelog, trims that, deletes a range, and notes which epochs of the other jobs were
// acknowledged before it.
type crashJob struct {
	id      int
	started atomic.Uint64 // epochs whose commit has begun, and has returned
	acked   atomic.Uint64
}

func (j *crashJob) state() *State { return NewState(TableID(1024 + j.id)) }
func (j *crashJob) log() *Changelog {
	return NewChangelog(TableID(2048+j.id), []sql.Type{sql.TypeInt8})
}
func (j *crashJob) seen() *State { return NewState(TableID(4096 + j.id)) }

func (j *crashJob) run(s *Store, r *rand.Rand, jobs []*crashJob, stop *atomic.Bool) error {
	apps := make([]*Appender, crashTasks)
	for i := range apps {
		apps[i] = j.log().Appender(uint16(i))
	}
	gatherer := s.NewGatherer()
	for epoch := uint64(1); !stop.Load(); epoch++ {
		number := binary.BigEndian.AppendUint64(nil, epoch)
		gathered := gatherer.New(0)
		for task := range crashTasks {
			b := gathered.Part()
			st := j.state()
			shard, last := ShardsOf(task, crashTasks)
			st.DeleteRange(b, shard, last, []byte{0x80}, []byte{0x81})
			for c := range byte(crashCells) {
				st.Put(b, shard, []byte{c}, append(number, make([]byte, r.IntN(100))...))
			}
			st.Put(b, shard, append([]byte{0x80}, number...), nil)
			if err := apps[task].Append(b, epoch, batchOf([]sql.Type{sql.TypeInt8}, [][]sql.Datum{{int64(epoch)}}, nil)); err != nil {
				return err
			}
			b.HandOver()
		}
		all := gathered.Batch()
		for _, o := range jobs {
			j.seen().Put(all, 0, []byte{byte(o.id)}, binary.BigEndian.AppendUint64(nil, o.acked.Load()))
		}
		if epoch%10 == 0 {
			if err := j.log().Trim(s, all, epoch-5); err != nil {
				return err
			}
		}
		j.started.Store(epoch)
		if err := all.Commit(); err != nil {
			return err
		}
		j.acked.Store(epoch)
		gathered.Done()
	}
	return nil
}

// check reads the job's state after a crash and returns its epoch.
func (j *crashJob) check(s *Store) (uint64, error) {
	var epoch uint64
	first := true
	for task := range crashTasks {
		shard, _ := ShardsOf(task, crashTasks)
		it := shardOf(s, j.state().ID(), shard)
		defer it.Close()
		cells := 0
		for ok := it.First(); ok; ok = it.Next() {
			number := it.Value()
			if key := CellKey(it); key[0] == 0x80 {
				number = key[1:]
			}
			n := binary.BigEndian.Uint64(number)
			if !first && n != epoch {
				return 0, fmt.Errorf("job %d: a cell of epoch %d beside epoch %d", j.id, n, epoch)
			}
			epoch, first = n, false
			cells++
		}
		if err := it.Close(); err != nil {
			return 0, err
		}
		if want := crashCells + 1; cells != want && epoch != 0 {
			return 0, fmt.Errorf("job %d, epoch %d: task %d has %d cells, want %d", j.id, epoch, task, cells, want)
		}
	}
	return epoch, j.checkLog(s, epoch)
}

func (j *crashJob) checkLog(s *Store, epoch uint64) error {
	trimmed, err := j.log().Trimmed(s)
	if err != nil {
		return err
	}
	if want := max(epoch/10*10, 5) - 5; trimmed != want {
		return fmt.Errorf("job %d, epoch %d: changelog trimmed up to %d, want %d", j.id, epoch, trimmed, want)
	}
	r, err := j.log().Read(s, trimmed+1, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	for want := (trimmed + 1) * crashTasks; ; want++ {
		e, b, err := r.Next()
		switch {
		case err != nil:
			return err
		case b == nil && want != (epoch+1)*crashTasks:
			return fmt.Errorf("job %d, epoch %d: changelog ends before epoch %d", j.id, epoch, want/crashTasks)
		case b == nil:
			return nil
		case e != want/crashTasks || rowsOf([]sql.Type{sql.TypeInt8}, b)[0][0] != int64(e):
			return fmt.Errorf("job %d, epoch %d: changelog has epoch %d in place of %d", j.id, epoch, e, want/crashTasks)
		}
	}
}

// The machine crashes at random moments while jobs commit at once: whatever the disk kept of what
// was not synced, the state is that after some prefix of the commits, with every acknowledged one.
func TestCrash(t *testing.T) {
	seed := seedtest.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	for round := 0; round < 4; round++ {
		fs := crashfs.New()
		// Small memory tables, so that crashes also hit flushes and compactions. An epoch has 3 to 6 KB.
		o := Options{Dir: "db", Logger: quiet, MemTableBytes: 256 << 10, CacheBytes: 1 << 20, fs: fs}
		s, err := Open(o.Ingest([]int{1 << 10, 4 << 10, 5 << 10, 1 << 20}[round]))
		if err != nil {
			t.Fatal(err)
		}
		var stop atomic.Bool
		var wg sync.WaitGroup
		jobs := make([]*crashJob, crashJobs)
		for i := range jobs {
			jobs[i] = &crashJob{id: i}
		}
		for _, j := range jobs {
			jr := rand.New(rand.NewPCG(seed, uint64(1+j.id)))
			wg.Go(func() {
				if err := j.run(s, jr, jobs, &stop); err != nil {
					t.Error(err)
				}
			})
		}
		for range 5 {
			time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond)
			acked := make([]uint64, crashJobs)
			for i, j := range jobs {
				acked[i] = j.acked.Load()
			}
			crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: pick(r, 0, 20, 50, 90, 100), RNG: r})
			started := make([]uint64, crashJobs)
			for i, j := range jobs {
				started[i] = j.started.Load()
			}
			checkCrash(t, crashed, jobs, acked, started)
		}
		stop.Store(true)
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func checkCrash(t *testing.T, fs crashfs.FS, jobs []*crashJob, acked, started []uint64) {
	t.Helper()
	s := openMem(t, fs)
	defer s.Close()
	epochs := make([]uint64, len(jobs))
	for i, j := range jobs {
		var err error
		if epochs[i], err = j.check(s); err != nil {
			t.Fatal(err)
		}
		if epochs[i] < acked[i] || epochs[i] > started[i] {
			t.Fatalf("job %d is at epoch %d after the crash; %d was acknowledged, %d begun", i, epochs[i], acked[i], started[i])
		}
	}
	// A prefix of the commits: what was acknowledged before a commit began is there if the commit is.
	for i, j := range jobs {
		for k := range jobs {
			v, ok, err := s.Get(j.seen().key(0, []byte{byte(k)}))
			if err != nil || !ok && epochs[i] > 0 {
				t.Fatalf("job %d: %v", i, err)
			}
			if ok && binary.BigEndian.Uint64(v) > epochs[k] {
				t.Fatalf("job %d at epoch %d saw epoch %d of job %d, which is at %d", i, epochs[i], binary.BigEndian.Uint64(v), k, epochs[k])
			}
		}
	}
}

// TestSync cuts the power behind unsynced commits: Sync makes them last.
func TestSync(t *testing.T) {
	for _, sync := range []bool{false, true} {
		fs := crashfs.New()
		s := openMem(t, fs)
		b := s.NewBatch()
		b.Put([]byte("key"), []byte("v"))
		if err := b.CommitNoSync(); err != nil {
			t.Fatal(err)
		}
		if sync {
			if err := s.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		after := openMem(t, fs.CrashClone(vfs.CrashCloneCfg{}))
		_, ok, err := after.Get([]byte("key"))
		if err != nil || ok != sync {
			t.Errorf("synced %v: found %v, error %v", sync, ok, err)
		}
		after.Close()
		s.Close()
	}
}

// TestMarkerBehindManifest cuts the power while the marker moves to a new MANIFEST, when its new name
// may be on disk or not: whatever it names is there.
func TestMarkerBehindManifest(t *testing.T) {
	mem := crashfs.New()
	s := openMem(t, mem)
	b := s.NewBatch()
	b.Put([]byte("key"), []byte("v"))
	if err := errors.Join(b.Commit(), s.Close()); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(seedtest.Seed(t), 0))
	var crashed []crashfs.FS
	watched := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpRemove && strings.HasPrefix(mem.PathBase(op.Path), "marker.manifest") { // the old one: the new is there
			for range 20 {
				crashed = append(crashed, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: r}))
			}
		}
		return nil
	}))
	if err := openMem(t, watched).Close(); err != nil { // begins a MANIFEST
		t.Fatal(err)
	}
	if len(crashed) == 0 {
		t.Fatal("the marker did not move")
	}
	for _, fs := range crashed {
		after := openMem(t, fs)
		if _, ok, err := after.Get([]byte("key")); err != nil || !ok {
			t.Errorf("found %v, error %v", ok, err)
		}
		after.Close()
	}
}

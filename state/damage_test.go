package state

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state/crashfs"
)

// damageBase is a directory with all kinds of files: tables of several levels, logs, MANIFESTs that
// were begun anew. Its commits are numbered; the last ones are in a log only.
func damageBase(t *testing.T) (fs crashfs.FS, commits int) {
	t.Helper()
	fs = crashfs.New()
	s := openMem(t, fs)
	r := newRand(t)
	commit := func() {
		b := s.NewBatch()
		commits++
		for range 1 + r.IntN(20) {
			b.Put(fmt.Appendf(nil, "key%03d", r.IntN(300)), fmt.Appendf(nil, "%d %x", commits, make([]byte, r.IntN(100))))
		}
		b.Put([]byte("last"), fmt.Append(nil, commits))
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 4 {
		for range 40 {
			commit()
			if r.IntN(10) == 0 {
				s.db.Flush()
			}
		}
		if round == 1 {
			s.db.Compact(t.Context(), []byte("a"), []byte("z"), false)
		}
		if round == 2 {
			s.Close()
			s = openMem(t, fs)
		}
	}
	t.Cleanup(func() { s.Close() })
	return fs, commits
}

// everything reads all keys and values, in order and each by its key.
func everything(s *Store) (map[string]string, error) {
	all := map[string]string{}
	it := s.Iter(nil, nil)
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key())] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	for k := range all { // filters too
		if _, ok, err := s.Get([]byte(k)); err != nil || !ok {
			return nil, fmt.Errorf("get %s: %v %w", k, ok, err)
		}
	}
	return all, nil
}

func readMem(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// harm damages a file and says how.
func harm(t *testing.T, r *rand.Rand, fs vfs.FS, name string) (how string) {
	t.Helper()
	data := readMem(t, fs, name)
	at := 0
	if len(data) > 0 {
		at = r.IntN(len(data))
		if r.IntN(3) == 0 { // near the end, where crashes tear
			at = max(0, len(data)-1-r.IntN(100))
		}
	}
	part := data[at:min(len(data), at+1+r.IntN(200))]
	switch r.IntN(5) {
	case 0:
		if err := fs.Remove(name); err != nil {
			t.Fatal(err)
		}
		return "deleted"
	case 1:
		how, data = fmt.Sprintf("cut at %d of %d", at, len(data)), data[:at]
	case 2:
		how = fmt.Sprintf("zeroed %d bytes at %d of %d", len(part), at, len(data))
		clear(part)
	case 3:
		how = fmt.Sprintf("flipped a bit at %d of %d", at, len(data))
		if len(part) > 0 {
			part[0] ^= 1 << r.IntN(8)
		}
	default:
		how = fmt.Sprintf("flipped %d bytes at %d of %d", len(part), at, len(data))
		for i := range part {
			part[i] ^= byte(1 + r.IntN(255))
		}
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(data); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return how
}

// Any file is damaged anywhere: the store opens with everything, or it says which file is damaged,
// when it is opened or when the damage is met. A log that was open when the process was killed may
// lose its last commits, as from a crash.
func TestDamagedFiles(t *testing.T) {
	seed := seedtest.Seed(t)
	base, commits := damageBase(t)
	killed := func() crashfs.FS {
		return base.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(seed, 1))})
	}
	r := rand.New(rand.NewPCG(seed, 2))
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	for round := range rounds {
		fs := killed()
		stopped := r.IntN(2) == 0
		if stopped {
			openMem(t, fs).Close()
		}
		want, err := everything(openMem(t, fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: r})))
		if err != nil || want["last"] != fmt.Sprint(commits) {
			t.Fatal(err, want["last"])
		}
		names, err := fs.List("db")
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(names)
		logs := logsOf(names)
		name := pick(r, names...)
		how := harm(t, r, fs, fs.PathJoin("db", name))
		tell := fmt.Sprintf("round %d, seed %d: %s %s, stopped %v", round, seed, name, how, stopped)
		got, err := openDamaged(fs)
		if err != nil {
			file, _, _ := strings.Cut(name, ".0") // of a marker
			if strings.HasSuffix(name, ".log") || strings.HasSuffix(name, ".sst") {
				file = strings.TrimLeft(name[:6], "0") // Pebble's errors have the number
			}
			if e := sql.AsError(err); e.Code != codeDataCorrupted || !strings.Contains(e.Message+e.Detail, file) || e.Hint == "" {
				t.Errorf("%s: (%s) %s\n%s\n%s", tell, e.Code, e.Message, e.Detail, e.Hint)
			}
			continue
		}
		if maps.Equal(got, want) {
			continue
		}
		var last int
		fmt.Sscan(got["last"], &last)
		if torn := !stopped && name == logs[len(logs)-1].name; !torn || !strings.HasPrefix(how, "cut") && how != "deleted" && last < commits-6 {
			t.Errorf("%s: opened with %d keys up to commit %s, want %d up to %d", tell, len(got), got["last"], len(want), commits)
		}
	}
}

// The newest log is the last one also when the numbers of files get another digit: it is the only one
// that may lack its end.
func TestLogsOf(t *testing.T) {
	got := logsOf([]string{"1000000.log", "000007.sst", "999999.log", "OPTIONS-999998", "1000002.log", "LOCK"})
	want := []logFile{{"999999.log", 999999}, {"1000000.log", 1000000}, {"1000002.log", 1000002}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func openDamaged(fs vfs.FS) (map[string]string, error) {
	s, err := Open(Options{Dir: "db", Logger: quiet, fs: fs})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return everything(s)
}

// A flush that fails is tried again, at a pace that leaves the machine alone, and is logged once.
// What was committed is in the log meanwhile.
func TestFailingFlush(t *testing.T) {
	var creates, fails atomic.Int32
	fails.Store(5)
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind != errorfs.OpCreate || !strings.HasSuffix(op.Path, ".sst") {
			return nil
		}
		creates.Add(1)
		if fails.Add(-1) >= 0 {
			return syscall.ENOSPC
		}
		return nil
	}))
	var log bytes.Buffer
	s, err := Open(Options{Dir: "db", Logger: slog.New(slog.NewTextHandler(&log, nil)), fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	commitKeys(t, s, "v", "k")
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); creates.Load() != 6 || took < 300*time.Millisecond {
		t.Errorf("%d tries in %v", creates.Load(), took)
	}
	s.Close()
	if n := strings.Count(log.String(), "failed"); n != 1 || strings.Contains(log.String(), ".go:") {
		t.Errorf("logged %d times: %s", n, log.String())
	}
}

// One lookup looks many keys up. A key that could not be read is an error at its end, not a key that
// is not there, although others were read after it.
func TestIterKeepsErrors(t *testing.T) {
	var fails atomic.Int32
	disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileReadAt && strings.HasSuffix(op.Path, ".sst") && fails.Add(-1) >= 0 {
			return syscall.EIO
		}
		return nil
	}))
	open := func() *Store {
		s, err := Open(Options{Dir: "db", Logger: quiet, fs: disk})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	commitKeys(t, s, strings.Repeat("v", 20_000), "a", "b", "c") // a block each
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for name, move := range map[string]func(*Iter) bool{
		"Get":    func(i *Iter) bool { _, ok := i.Get([]byte("a")); return ok },
		"SeekGE": func(i *Iter) bool { return i.SeekGE([]byte("a")) },
		"First":  (*Iter).First,
		"Last":   (*Iter).Last,
	} {
		for _, tx := range []bool{false, true} {
			s := open() // nothing is in the cache
			x := s.NewTx()
			x.Put([]byte("d"), nil)
			r := Reader(s)
			if tx {
				r = x
			}
			it := r.Iter(nil, nil)
			if !it.SeekGE([]byte("b")) {
				t.Fatal("b is not there")
			}
			fails.Store(1 << 20)
			found := move(it)
			fails.Store(0)
			_, ok := it.Get([]byte("c"))
			if err := it.Close(); err == nil && !found {
				t.Errorf("%s, transaction %v: nothing found, then c %v, and no error", name, tx, ok)
			}
			x.Close()
			s.Close()
		}
	}
}

package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/streamsql/streamsql/sql"
)

func wantCode(t *testing.T, err error, code, part string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", code)
	}
	if e := sql.AsError(err); e.Code != code || !strings.Contains(e.Message+"\n"+e.Detail, part) {
		t.Fatalf("error (%s) %s\n%s\nwant (%s) … %s …", e.Code, e.Message, e.Detail, code, part)
	}
}

func commitKeys(t *testing.T, s *Store, value string, keys ...string) {
	t.Helper()
	b := s.NewBatch()
	for _, k := range keys {
		b.Put([]byte(k), []byte(value))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("STATE_TEST_DIR") != "" { // the other process
		_, err := Open(Options{Dir: os.Getenv("STATE_TEST_DIR"), Logger: quiet})
		wantCode(t, err, codeObjectInUse, os.Getenv("STATE_TEST_DIR"))
		return
	}
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: dir, Logger: quiet})
	wantCode(t, err, codeObjectInUse, "is used by another server")
	other := exec.Command(os.Args[0], "-test.run=^TestDirectoryInUse$")
	other.Env = append(os.Environ(), "STATE_TEST_DIR="+dir)
	if out, err := other.CombinedOutput(); err != nil {
		t.Fatalf("another process: %v\n%s", err, out)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestUnknownFormat(t *testing.T) {
	for _, version := range []uint64{formatVersion - 1, 99} {
		fs := vfs.NewMem()
		s := openMem(t, fs)
		commitKeys(t, s, string(binary.AppendUvarint(nil, version)), string(AppendPrefix(nil, storeTable, 0))+"format")
		s.Close()
		_, err := Open(Options{Dir: "db", Logger: quiet, fs: fs})
		wantCode(t, err, sql.CodeObjectNotInState, fmt.Sprintf("format version %d, and this server reads version %d", version, formatVersion))
	}
}

// damage flips 1000 bytes at an offset of the longest file that matches the pattern, and returns
// its name.
func damage(t *testing.T, dir, pattern string, at int) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no file %s: %v", pattern, err)
	}
	var name string
	var content []byte
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > len(content) {
			name, content = n, b
		}
	}
	for i := range 1000 {
		content[at+i] ^= 0x55
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Base(name)
}

func TestCorruptTable(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	r := newRand(t)
	b := s.NewBatch()
	for i := range 2000 {
		b.Put(fmt.Appendf(nil, "key%04d", i), fmt.Append(nil, r.Uint64(), r.Uint64()))
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	name := damage(t, dir, "*.sst", 10_000)
	s, err = Open(Options{Dir: dir, Logger: quiet})
	if err == nil {
		it := s.Iter(nil, nil)
		for ok := it.First(); ok; ok = it.Next() {
			it.Value()
		}
		err = it.Close()
		s.Close()
	}
	wantCode(t, err, codeDataCorrupted, strings.TrimSuffix(name, ".sst"))
}

// A log that is damaged before its end is not taken for one that a crash cut short: acknowledged
// commits would be lost in silence.
func TestCorruptLog(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "db"), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 100 {
		commitKeys(t, s, strings.Repeat("v", 2000), fmt.Sprint(i))
	}
	crashed := filepath.Join(dir, "crashed")
	if err := os.CopyFS(crashed, os.DirFS(filepath.Join(dir, "db"))); err != nil {
		t.Fatal(err)
	}
	name := damage(t, crashed, "*.log", 50_000)
	_, err = Open(Options{Dir: crashed, Logger: quiet})
	wantCode(t, err, codeDataCorrupted, strings.TrimSuffix(name, ".log"))
}

// fullFS is a file system that says how much is free.
type fullFS struct {
	vfs.FS
	free atomic.Uint64
}

func (f *fullFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free.Load()}, nil
}

func TestDiskFull(t *testing.T) {
	fs := &fullFS{FS: vfs.NewMem()}
	fs.free.Store(1 << 30)
	s := openMem(t, fs)
	defer s.Close()
	fs.free.Store(1 << 20)
	s.spaceSeen.Store(0)
	b := s.NewBatch()
	b.Put([]byte("k"), []byte("v"))
	wantCode(t, b.Commit(), codeDiskFull, "only 1048576 bytes are free")
	if _, ok, _ := s.Get([]byte("k")); ok {
		t.Fatal("a refused commit is visible")
	}
	fs.free.Store(1 << 30)
	s.spaceSeen.Store(0)
	if err := b.Commit(); err != nil { // the batch kept its writes
		t.Fatal(err)
	}
	if v, ok, _ := s.Get([]byte("k")); !ok || string(v) != "v" {
		t.Fatalf("after the disk has space again: %q %v", v, ok)
	}
}

func TestBatch(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	commitKeys(t, s, "old", "a", "b", "c", "d")
	b, o := s.NewBatch(), s.NewBatch()
	b.Put([]byte("a"), nil)
	o.DeleteRange([]byte("b"), []byte("d"))
	o.Put([]byte("c"), []byte("new"))
	b.Merge(o)
	b.Merge(s.NewBatch())
	b.Delete([]byte("d"))
	if b.Len() != 4 || b.Size() == 0 {
		t.Fatalf("len %d, size %d", b.Len(), b.Size())
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	if b.Len() != 0 || b.Size() != 0 {
		t.Fatal("a committed batch is not empty")
	}
	for key, want := range map[string]string{"a": "", "b": "none", "c": "new", "d": "none"} {
		v, ok, err := s.Get([]byte(key))
		if got := string(v); err != nil || ok && (v == nil || got != want) || !ok && want != "none" {
			t.Errorf("%s is %q %v %v, want %s", key, got, ok, err, want)
		}
	}
	if v, ok, err := s.AppendGet([]byte("x"), []byte("c")); err != nil || !ok || string(v) != "xnew" {
		t.Errorf("appended %q %v %v", v, ok, err)
	}
	if v, ok, err := s.AppendGet([]byte("x"), []byte("b")); err != nil || ok || string(v) != "x" {
		t.Errorf("appended %q %v %v", v, ok, err)
	}
	if err := b.Commit(); err != nil {
		t.Fatalf("empty batch: %v", err)
	}
}

// Readers see whole commits only, and a snapshot does not move, while a writer commits.
func TestReadersSeeWholeCommits(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	keys := []string{"a", "m", "z"}
	commitKeys(t, s, "0", keys...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				snap := s.Snapshot()
				for _, r := range []Reader{snap, snap, s} {
					var seen []string
					it := r.Iter([]byte("a"), nil)
					for ok := it.First(); ok; ok = it.Next() {
						seen = append(seen, string(it.Value()))
					}
					if err := it.Close(); err != nil || len(seen) != 3 || seen[0] != seen[1] || seen[1] != seen[2] {
						t.Errorf("read %v, %v", seen, err)
					}
					if r == s {
						continue
					}
					if v, _, _ := snap.Get([]byte("m")); string(v) != seen[0] {
						t.Errorf("the snapshot moved from %s to %s", seen[0], v)
					}
				}
				snap.Close()
			}
		})
	}
	for i := range 300 {
		commitKeys(t, s, fmt.Sprint(i), keys...)
	}
	close(done)
	wg.Wait()
}

func TestWatch(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	one, cancelOne := s.Watch(2000)
	two, cancelTwo := s.Watch(2001)
	defer cancelTwo()
	signalled := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	b := s.NewBatch()
	NewState(2000).Put(b, 3, []byte("k"), nil)
	if signalled(one) {
		t.Fatal("signalled before the commit")
	}
	o := s.NewBatch()
	o.Touch(2001)
	b.Merge(o)
	for range 2 { // twice, to see that signals coalesce
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
		NewState(2000).Put(b, 3, []byte("k"), nil)
	}
	if !signalled(one) || !signalled(two) {
		t.Fatal("not signalled after the commit")
	}
	if signalled(one) || signalled(two) {
		t.Fatal("signalled twice")
	}
	cancelOne()
	b.Commit()
	if signalled(one) || len(s.watches.tables) != 1 {
		t.Fatal("signalled after cancel")
	}
}

func TestBackup(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "db"), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	commitKeys(t, s, "before", "k")
	copyDir := filepath.Join(dir, "copy")
	if n, err := s.Backup(copyDir); err != nil || n == 0 {
		t.Fatal(err)
	}
	commitKeys(t, s, "after", "k")
	c, err := Open(Options{Dir: copyDir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, _, err := c.Get([]byte("k")); err != nil || string(v) != "before" {
		t.Fatalf("the copy has %q, %v", v, err)
	}
	_, err = s.Backup(copyDir)
	wantCode(t, err, codeIOError, "back up")
}

func TestSizesAndMetrics(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	r := newRand(t)
	b := s.NewBatch()
	for i := range 1000 {
		value := make([]byte, 100)
		for j := range value {
			value[j] = byte(r.Uint32())
		}
		NewState(2000).Put(b, uint8(i), fmt.Append(nil, i), value)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	s.db.Flush()
	if n, err := s.TableBytes(2000); err != nil || n < 90_000 || n > 200_000 {
		t.Errorf("table takes %d bytes, %v", n, err)
	}
	if n, err := s.TableBytes(2001); err != nil || n != 0 {
		t.Errorf("empty table takes %d bytes, %v", n, err)
	}
	m := s.Metrics()
	if m.DiskBytes < 90_000 || m.MemTableBytes == 0 {
		t.Errorf("metrics %+v", m)
	}
}

func TestSplitBudget(t *testing.T) {
	for _, total := range []int64{64 << 20, 1 << 30, 64 << 30} {
		cache, memTable, operators := SplitBudget(total)
		if cache+2*memTable+operators > total+total/10 || operators < total/4 || memTable > 64<<20 {
			t.Errorf("%d is split into %d, %d, %d", total, cache, memTable, operators)
		}
	}
}

func TestEventLog(t *testing.T) {
	fs := vfs.NewMem()
	s := openMem(t, fs)
	l := NewEventLog(2000)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	add := func(at time.Time, value []byte) {
		t.Helper()
		b := s.NewBatch()
		l.Append(s, b, at, value)
		if err := b.CommitNoSync(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		add(start.Add(time.Duration(i/2)*time.Hour), []byte{byte('a' + i)}) // two at a time
	}
	s.Close()
	s = openMem(t, fs)
	defer s.Close()
	add(start.Add(2*time.Hour), []byte("f"))
	list := func(newest bool) string {
		var out bytes.Buffer
		if err := l.Scan(s, newest, func(at time.Time, v []byte) bool {
			fmt.Fprintf(&out, "%s%d ", v, int(at.Sub(start).Hours()))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := list(false); got != "a0 b0 c1 d1 e2 f2 " {
		t.Fatalf("oldest first: %s", got)
	}
	if got := list(true); got != "f2 e2 d1 c1 b0 a0 " {
		t.Fatalf("newest first: %s", got)
	}
	trim := func(age time.Duration, size int64) {
		t.Helper()
		b := s.NewBatch()
		if err := l.Trim(s, b, start.Add(3*time.Hour), age, size); err != nil {
			t.Fatal(err)
		}
		if err := b.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	trim(2*time.Hour, 1<<30)
	if got := list(false); got != "c1 d1 e2 f2 " {
		t.Fatalf("after trimming by age: %s", got)
	}
	r := newRand(t)
	for i := range 200 {
		noise := make([]byte, 1000)
		for j := range noise {
			noise[j] = byte(r.Uint32())
		}
		add(start.Add(time.Duration(150+i)*time.Minute), noise)
	}
	s.db.Flush()
	trim(24*time.Hour, 100_000)
	n, newest := 0, time.Time{}
	l.Scan(s, false, func(at time.Time, v []byte) bool { n++; newest = at; return true })
	if n < 90 || n > 130 || !newest.Equal(start.Add(349*time.Minute)) {
		t.Fatalf("after trimming to half: %d events, the newest of %s", n, newest)
	}
}

func TestMeta(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	type record struct {
		Epoch     uint64
		Positions map[string]int64
	}
	m := NewMeta(5)
	b := s.NewBatch()
	for i, name := range []string{"job/1", "job/2", "other"} {
		if err := m.Put(b, name, record{Epoch: uint64(i), Positions: map[string]int64{"p": int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	m.Delete(b, "job/1")
	b.Put(m.key("broken"), []byte("{"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	var r record
	if ok, err := m.Get(s, "job/2", &r); !ok || err != nil || r.Epoch != 1 || r.Positions["p"] != 1 {
		t.Fatalf("got %+v %v %v", r, ok, err)
	}
	if ok, err := m.Get(s, "job/1", &r); ok || err != nil {
		t.Fatalf("deleted record: %v %v", ok, err)
	}
	_, err := m.Get(s, "broken", &r)
	wantCode(t, err, codeDataCorrupted, `"broken"`)
	var names []string
	if err := m.Scan(s, "job/", func(name string, _ []byte) error { names = append(names, name); return nil }); err != nil || fmt.Sprint(names) != "[job/2]" {
		t.Fatalf("scanned %v, %v", names, err)
	}
}

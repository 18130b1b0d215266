package state

import (
	"encoding/binary"
	"errors"
	"math"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/streamsql/streamsql/sql"
)

// Reader reads one state of everything. *Store reads the newest, *Snapshot a fixed one, *Tx a
// fixed one under its own writes. All but *Tx are safe for concurrent use.
type Reader interface {
	// Get returns the value of key in memory of the caller's.
	Get(key []byte) (value []byte, ok bool, err error)
	// AppendGet appends the value of key to dst: Get without an allocation. When there is no such
	// key it returns dst as it was.
	AppendGet(dst, key []byte) (value []byte, ok bool, err error)
	// Iter reads the keys in [lo, hi); nil is unbounded. It keeps the state of its creation,
	// whatever is written meanwhile, and must be closed.
	Iter(lo, hi []byte) *Iter
}

// Writer takes writes: a *Batch or a *Tx. Keys and values are copied.
type Writer interface {
	Put(key, value []byte)
	Delete(key []byte)
	// DeleteRange deletes the keys in [lo, hi), none if lo ≥ hi.
	DeleteRange(lo, hi []byte)
}

var (
	_ Reader = (*Store)(nil)
	_ Reader = (*Snapshot)(nil)
	_ Reader = (*Tx)(nil)
	_ Writer = (*Batch)(nil)
	_ Writer = (*Tx)(nil)
)

// Store is the state of one node, in one directory. It is safe for concurrent use.
type Store struct {
	dir      string
	fs       vfs.FS
	db       *pebble.DB
	lock     *pebble.Lock
	events   *events
	witness  *witness
	opened   atomic.Bool // compactions may run
	watches  watches
	unsynced unsynced
	room     room
	ingester *ingester
	reserve  int64
	eventID  atomic.Uint64 // makes the keys of event logs unique

	memTableBytes int64
	chunkBytes    int // see Gathered: what does not fit into a memory table would be sorted by Pebble otherwise

	// The free space as last seen; statfs costs more than we want to pay with every commit.
	spaceSeen atomic.Int64 // unix nanoseconds
	spaceFree atomic.Int64
}

// Open opens the state in o.Dir and creates it when there is none. It refuses a directory that
// another process uses (55006) or that a different version wrote (55000); damaged data that is
// noticed now is XX001 with the file's name.
func Open(o Options) (*Store, error) {
	o = o.withDefaults()
	s := &Store{dir: o.Dir, fs: o.fs, reserve: o.ReserveBytes, memTableBytes: o.MemTableBytes, chunkBytes: o.chunkBytes}
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return nil, s.wrap("create files", err)
	}
	if err := s.lockDir(); err != nil {
		return nil, err
	}
	if err := s.checkStart(); err != nil {
		s.lock.Close()
		return nil, err
	}
	s.spaceFree.Store(math.MaxInt64)
	s.events = newEvents(o.Logger)
	s.eventID.Store(uint64(time.Now().UnixNano()))
	s.witness = &witness{dir: s.dir, events: s.events}
	s.witness.read(s.fs)
	listener := s.events.listener()
	s.room.listen(listener)
	po := pebbleOptions(o, &pacedFS{&witnessFS{s.fs, s.witness}, s.events}, s.lock, listener, s.events, &s.opened)
	s.ingester = newIngester(s.dir, po)
	if err := s.openDB(po); err != nil {
		s.lock.Close()
		s.events.close()
		return nil, err
	}
	s.opened.Store(true)
	if err := s.ingester.clean(); err != nil {
		s.Close()
		return nil, s.wrap("remove files", err)
	}
	if err := s.checkFormat(); err != nil {
		s.Close()
		return nil, err
	}
	// A flush of what little there is has two effects. Pebble counts its compactions anew, so that
	// those that were held back begin. And a new directory gets another log: Pebble begins the first
	// one in its oldest format, in which damage can't be told from the end of the log.
	if _, err := s.db.AsyncFlush(); err != nil {
		s.Close()
		return nil, s.wrap("open the state", err)
	}
	return s, nil
}

// openDB opens Pebble's database. What it complains of, unless the operating system refused a call,
// is damage.
func (s *Store) openDB(o *pebble.Options) (err error) {
	if err := s.checkFiles(o); err != nil {
		return err
	}
	if s.db, err = pebble.Open(s.dir, o); err == nil {
		return nil
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != syscall.ENOENT || pebble.IsCorruptionError(err) {
		return s.wrap("open the state", err)
	}
	return sql.Errorf(codeDataCorrupted, "could not open the state in data directory %q: %w", s.dir, err).WithHint("%s", restoreHint)
}

func (s *Store) lockDir() error {
	lock, err := pebble.LockDirectory(s.dir, s.fs)
	if err == nil {
		s.lock = lock
		return nil
	}
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) {
		return s.wrap("lock", err)
	}
	return sql.Errorf(codeObjectInUse, "data directory %q is used by another server: %w", s.dir, err).
		WithHint("Stop the other server, or give this one a directory of its own.")
}

// checkFormat compares the format version, and writes it into a new directory.
func (s *Store) checkFormat() error {
	key := append(AppendPrefix(nil, storeTable, 0), "format"...)
	v, ok, err := s.Get(key)
	if err != nil {
		return err
	}
	if !ok {
		b := s.NewBatch()
		b.Put(key, binary.AppendUvarint(nil, formatVersion))
		return b.Commit()
	}
	if got, _ := binary.Uvarint(v); got != formatVersion {
		return sql.Errorf(sql.CodeObjectNotInState, "data directory %q has format version %d, and this server reads version %d", s.dir, got, formatVersion).
			WithHint("Start it with the version of streamsql that wrote it.")
	}
	return nil
}

// Sync makes all that was committed durable.
func (s *Store) Sync() error { return s.wrap("sync the state", s.db.LogData(nil, pebble.Sync)) }

// Close ends the use of the directory. Snapshots, iterators and transactions must be closed first.
func (s *Store) Close() error {
	err := s.db.Close()
	if names, lerr := s.fs.List(s.dir); err == nil && lerr == nil {
		if logs := logsOf(names); len(logs) > 0 {
			s.witness.closed(s.fs, logs[len(logs)-1].name)
		}
	}
	if lerr := s.lock.Close(); err == nil {
		err = lerr
	}
	s.events.close()
	return s.wrap("close the state", err)
}

// Get implements Reader.
func (s *Store) Get(key []byte) ([]byte, bool, error) { return s.AppendGet(nil, key) }

// AppendGet implements Reader.
func (s *Store) AppendGet(dst, key []byte) ([]byte, bool, error) { return s.appendGet(s.db, dst, key) }

func (s *Store) appendGet(r pebble.Reader, dst, key []byte) ([]byte, bool, error) {
	v, closer, err := r.Get(key)
	if err == pebble.ErrNotFound {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, s.wrap("read", err)
	}
	if dst == nil {
		dst = make([]byte, 0, len(v)) // a value of no bytes is not nil
	}
	dst = append(dst, v...)
	return dst, true, s.wrap("read", closer.Close())
}

// Iter implements Reader.
func (s *Store) Iter(lo, hi []byte) *Iter { return s.newIter(s.db, lo, hi) }

// Size estimates the bytes on disk of the keys in [lo, hi). What is still in memory tables is not
// in it.
func (s *Store) Size(lo, hi []byte) (int64, error) {
	n, err := s.db.EstimateDiskUsage(lo, hi)
	return int64(n), s.wrap("measure", err)
}

// TableBytes is Size of a table.
func (s *Store) TableBytes(id TableID) (int64, error) { return s.Size(TableRange(id)) }

// free is how many bytes the disk has left. A file system that can't tell is not checked.
func (s *Store) free() int64 {
	u, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return math.MaxInt64
	}
	return int64(min(u.AvailBytes, math.MaxInt64))
}

// startBytes must be free for Open: it begins a MANIFEST and a log, and on a full disk would leave another
// unfinished MANIFEST with each try.
const startBytes = 1 << 20

func (s *Store) checkStart() error {
	if free := s.free(); free < min(startBytes, s.reserve) {
		return sql.Errorf(codeDiskFull, "could not open the state in data directory %q: only %d bytes are free on the disk", s.dir, free).
			WithHint("Free disk space, and start again.")
	}
	return nil
}

// checkSpace refuses writes before the disk is full: running out of space inside the write-ahead
// log ends the process, refusing a commit only makes one job wait.
func (s *Store) checkSpace() error {
	if s.reserve < 0 {
		return nil
	}
	now := time.Now().UnixNano()
	if seen := s.spaceSeen.Load(); now-seen > int64(time.Second) && s.spaceSeen.CompareAndSwap(seen, now) {
		s.spaceFree.Store(s.free())
	}
	if free := s.spaceFree.Load(); free < s.reserve {
		return sql.Errorf(codeDiskFull, "could not commit in data directory %q: only %d bytes are free on the disk", s.dir, free).
			WithHint("Free disk space; the server goes on by itself.")
	}
	return nil
}

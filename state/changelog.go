package state

import (
	"encoding/binary"
	"math"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Changelog is the log of a job's output: the batches of each epoch, in order. It is written with
// the epoch and read from any epoch that has not been trimmed. It is safe for concurrent use.
//
// State: shard 0: epoch, task, sequence → batch. Shard 1: the last trimmed epoch.
//
// An epoch without changes leaves no trace here; how far a job has got is in its own record.
type Changelog struct {
	id    TableID
	types []sql.Type
}

// Within a table, the shards of a changelog.
const (
	logEntries = 0
	logTrimmed = 1
)

// NewChangelog describes the changelog id with its columns.
func NewChangelog(id TableID, columns []sql.Type) *Changelog {
	return &Changelog{id: id, types: columns}
}

// ID is the changelog's table id, to Watch it.
func (l *Changelog) ID() TableID { return l.id }

// Appender makes an appender for a task of the job. Each task that writes the log has one, because
// the batches of an epoch are ordered by task and then as they came.
func (l *Changelog) Appender(task uint16) *Appender {
	return &Appender{log: l, task: task, enc: NewBatchEncoder(l.types)}
}

// Appender appends one task's batches to a changelog. One goroutine uses it.
type Appender struct {
	log   *Changelog
	task  uint16
	epoch uint64
	seq   uint32
	enc   *BatchEncoder
	key   []byte
	value []byte
	bytes int64
}

// Bytes is how much was appended, keys and values.
func (a *Appender) Bytes() int64 { return a.bytes }

// Append adds changes to an epoch, in the write set that commits it. Epochs don't go back, except
// when a job starts again from its last committed epoch with new appenders.
func (a *Appender) Append(w Writer, epoch uint64, changes *stream.Batch) error {
	if changes.Rows == 0 {
		return nil
	}
	if epoch != a.epoch {
		a.epoch, a.seq = epoch, 0
	}
	a.key = appendEpoch(a.key[:0], a.log.id, epoch)
	a.key = binary.BigEndian.AppendUint16(a.key, a.task)
	a.key = binary.BigEndian.AppendUint32(a.key, a.seq)
	a.seq++
	a.value = a.enc.Append(a.value[:0], changes)
	w.Put(a.key, a.value)
	a.bytes += int64(len(a.key) + len(a.value))
	return nil
}

func appendEpoch(dst []byte, id TableID, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendPrefix(dst, id, logEntries), epoch)
}

// epochOf is the epoch of an entry's key.
func epochOf(key []byte) (uint64, error) {
	if len(key) < prefixLen+8 {
		return 0, corrupt("changelog has a key of %d bytes", len(key))
	}
	return binary.BigEndian.Uint64(key[prefixLen:]), nil
}

// Read reads the log from epoch `from` on. The batches have the columns `needed`, nil for all. An
// epoch that has been trimmed is an error (55000). The reader must be closed.
func (l *Changelog) Read(r Reader, from uint64, needed []int) (*LogReader, error) {
	trimmed, err := l.Trimmed(r)
	if err != nil {
		return nil, err
	}
	if from <= trimmed && trimmed > 0 {
		return nil, sql.Errorf(sql.CodeObjectNotInState, "changelog no longer holds epoch %d: it begins at epoch %d", from, trimmed+1)
	}
	lo, hi := appendEpoch(nil, l.id, from), AppendPrefix(nil, l.id, logTrimmed)
	return &LogReader{it: r.Iter(lo, hi), dec: NewBatchDecoder(l.types, needed)}, nil
}

// LogReader reads a changelog, as of the state it was opened on. One goroutine uses it.
type LogReader struct {
	it      *Iter
	dec     *BatchDecoder
	started bool
}

// Next returns the next batch and its epoch; a nil batch is the end.
func (r *LogReader) Next() (epoch uint64, b *stream.Batch, err error) {
	move := r.it.Next
	if !r.started {
		r.started, move = true, r.it.First
	}
	if !move() {
		return 0, nil, r.it.Close()
	}
	if epoch, err = epochOf(r.it.Key()); err != nil {
		return 0, nil, err
	}
	b, err = r.dec.Decode(r.it.Value())
	return epoch, b, err
}

// Close gives the reader up.
func (r *LogReader) Close() error { return r.it.Close() }

// EachEpoch tells of each epoch how much was appended, as Appender.Bytes counts it. It reads the whole log.
func (l *Changelog) EachEpoch(r Reader, f func(epoch uint64, bytes int64)) error {
	it := r.Iter(AppendPrefix(nil, l.id, logEntries), AppendPrefix(nil, l.id, logTrimmed))
	defer it.Close()
	at, bytes := uint64(0), int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		epoch, err := epochOf(it.Key())
		if err != nil {
			return err
		}
		if epoch != at && bytes > 0 {
			f(at, bytes)
			bytes = 0
		}
		at, bytes = epoch, bytes+int64(len(it.Key())+len(it.Value()))
	}
	if bytes > 0 {
		f(at, bytes)
	}
	return it.Close()
}

// First is the first epoch that has changes, 0 when there are none.
func (l *Changelog) First(r Reader) (uint64, error) { return l.end(r, (*Iter).First) }

// Last is the last epoch that has changes, 0 when there are none.
func (l *Changelog) Last(r Reader) (uint64, error) { return l.end(r, (*Iter).Last) }

func (l *Changelog) end(r Reader, move func(*Iter) bool) (epoch uint64, err error) {
	it := r.Iter(AppendPrefix(nil, l.id, logEntries), AppendPrefix(nil, l.id, logTrimmed))
	defer it.Close()
	if move(it) {
		if epoch, err = epochOf(it.Key()); err != nil {
			return 0, err
		}
	}
	return epoch, it.Close()
}

// Trimmed is the last epoch that Trim removed, 0 when nothing was removed.
func (l *Changelog) Trimmed(r Reader) (uint64, error) {
	v, ok, err := r.Get(AppendPrefix(nil, l.id, logTrimmed))
	if err != nil || !ok {
		return 0, err
	}
	if len(v) != 8 {
		return 0, corrupt("changelog has a trim mark of %d bytes", len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

// Trim removes the epochs up to and including upto. r is where the log is trimmed now: the range
// that is deleted begins there, because range deletes that all began at the log's start would
// overlap and slow each other down.
func (l *Changelog) Trim(r Reader, w Writer, upto uint64) error {
	trimmed, err := l.Trimmed(r)
	if err != nil || upto <= trimmed {
		return err
	}
	from := trimmed
	if trimmed > 0 {
		from++
	}
	upto = min(upto, math.MaxUint64-1)
	w.DeleteRange(appendEpoch(nil, l.id, from), appendEpoch(nil, l.id, upto+1))
	w.Put(AppendPrefix(nil, l.id, logTrimmed), binary.BigEndian.AppendUint64(nil, upto))
	return nil
}

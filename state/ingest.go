package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ingester makes tables of large batches. An epoch of a million changed groups is a hundred megabytes:
// through the log it would be copied, written and synced, then sorted by comparing keys all over its
// memory, which it holds until it is written a second time. As tables it is sorted once and written
// once, and its memory is free when it is committed:
//
//	batch ─▶ sorted ─▶ table, table, … synced ─▶ one record of the MANIFEST
//
// A crash before the record leaves files that the next start removes; after it, the whole batch is there.
type ingester struct {
	fs      vfs.FS
	dir     string
	options sstable.WriterOptions
	table   int           // bytes of one
	number  atomic.Uint64 // of the last file
}

const (
	// newTable ends the names of tables that are not yet part of the store.
	newTable = ".new.sst"
	// A compaction takes whole tables.
	tableBytes = 16 << 20
)

func newIngester(dir string, o *pebble.Options) *ingester {
	o = o.Clone()
	o.EnsureDefaults()
	return &ingester{
		fs:      o.FS,
		dir:     dir,
		table:   tableBytes,
		options: o.MakeWriterOptions(0, o.FormatMajorVersion.MaxTableFormat()),
	}
}

// clean removes what a crash left.
func (in *ingester) clean() error {
	names, err := in.fs.List(in.dir)
	for _, name := range names {
		if strings.HasSuffix(name, newTable) {
			err = errors.Join(err, in.fs.Remove(in.fs.PathJoin(in.dir, name)))
		}
	}
	return err
}

// ingest commits a batch: when it returns it is durable and visible, or, with an error, not there.
//
// Pebble flushes a memory table before it ingests what overlaps it, and no other commit gets through
// meanwhile: for ever, if the flush fails. So what the batch may overlap is flushed here, where nobody
// waits for it. What is written after that overlaps none of the tables, because each belongs to one
// TableID, and those to one job.
func (s *Store) ingest(batch []*pebble.Batch) error {
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		return err
	}
	t := tableWriter{ingester: s.ingester}
	if err = t.write(sortWrites(batch)); err == nil {
		<-flushed
		// What was committed without a sync before must not be lost when this is not.
		err = s.db.LogData(nil, pebble.Sync)
	}
	if err == nil {
		s.events.ingests.Add(1)
		err = s.db.Ingest(context.Background(), t.paths)
		s.events.ingests.Add(-1)
	}
	if err != nil {
		return errors.Join(err, t.remove())
	}
	s.room.logs.Add(1) // there is another layer of tables
	return nil
}

// tableWriter writes the tables of one batch. Their keys are apart from each other.
type tableWriter struct {
	*ingester
	paths []string
	open  *sstable.Writer // nil = the next write begins one
	size  int             // of what was written to it
	id    TableID         // of the last write
	upTo  []byte          // the end of the last range delete: the table must not end before
}

func (t *tableWriter) write(s *sorted) (err error) {
	defer func() { err = errors.Join(err, t.end()) }()
	ranges := s.ranges
	for w := range s.points() {
		for len(ranges) > 0 && bytes.Compare(ranges[0].lo, w.key) <= 0 {
			if err := t.deleteRange(ranges[0]); err != nil {
				return err
			}
			ranges = ranges[1:]
		}
		if err := t.point(w); err != nil {
			return err
		}
	}
	for _, r := range ranges {
		if err := t.deleteRange(r); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableWriter) point(w write) error {
	if err := t.at(w.key); err != nil {
		return err
	}
	t.size += len(w.key) + len(w.value)
	switch w.kind {
	case pebble.InternalKeyKindSet:
		return t.open.Set(w.key, w.value)
	case pebble.InternalKeyKindDelete:
		return t.open.Delete(w.key)
	case pebble.InternalKeyKindMerge:
		return t.open.Merge(w.key, w.value)
	}
	panic(fmt.Sprintf("state: a batch has a write of kind %s", w.kind))
}

func (t *tableWriter) deleteRange(r rangeDelete) error {
	if err := t.at(r.lo); err != nil {
		return err
	}
	t.upTo = r.hi
	return t.open.DeleteRange(r.lo, r.hi)
}

// at makes sure that there is a table to write the key to: one of its TableID, so that it is compacted, or
// dropped with the epochs of a log, without those of others.
func (t *tableWriter) at(key []byte) error {
	id := TableOf(key)
	full := id != t.id || t.size >= t.table
	if t.id = id; full && bytes.Compare(t.upTo, key) <= 0 {
		if err := t.end(); err != nil {
			return err
		}
	}
	if t.open != nil {
		return nil
	}
	path := t.fs.PathJoin(t.dir, fmt.Sprintf("%d%s", t.number.Add(1), newTable))
	f, err := t.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	t.paths = append(t.paths, path)
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 1 << 20})
	t.open = sstable.NewWriter(objstorageprovider.NewFileWritable(f), t.options)
	return nil
}

// end finishes and syncs the table, if there is one.
func (t *tableWriter) end() error {
	if t.open == nil {
		return nil
	}
	err := t.open.Close()
	t.open, t.size = nil, 0
	return err
}

// remove removes the tables again.
func (t *tableWriter) remove() (err error) {
	for _, path := range t.paths {
		err = errors.Join(err, t.fs.Remove(path))
	}
	return err
}

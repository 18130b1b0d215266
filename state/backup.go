package state

import (
	"errors"
	"math"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Backup writes a consistent copy of everything, as of now, to dir, which must not exist, and returns
// its size. The store goes on meanwhile. When it returns nil the copy is durable. Tables are hard links
// where the file system allows it: they never change.
func (s *Store) Backup(dir string) (bytes int64, err error) {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return 0, s.wrap("back up to "+dir, err)
	}
	if err := s.finishBackup(dir); err != nil {
		return 0, s.wrap("back up to "+dir, errors.Join(err, s.fs.RemoveAll(dir)))
	}
	names, err := s.fs.List(dir)
	for _, name := range names {
		info, serr := s.fs.Stat(s.fs.PathJoin(dir, name))
		if serr != nil {
			return 0, s.wrap("back up to "+dir, serr)
		}
		bytes += info.Size()
	}
	return bytes, s.wrap("back up to "+dir, err)
}

// finishBackup cuts the newest log where it can't be read any more, and writes a witness. The log was
// read while it was written: in a file that is used again, what was written behind the reader is
// missing, although what comes next was synced and is there. All that was committed before the backup
// began stands before that.
func (s *Store) finishBackup(dir string) error {
	names, err := s.fs.List(dir)
	if err != nil {
		return err
	}
	if logs := logsOf(names); len(logs) > 0 {
		newest := logs[len(logs)-1]
		if err := s.cutLog(s.fs.PathJoin(dir, newest.name), newest.num); err != nil {
			return err
		}
	}
	desc, err := pebble.Peek(dir, s.fs)
	if err != nil {
		return err
	}
	info, err := s.fs.Stat(desc.ManifestFilename)
	if err != nil {
		return err
	}
	note := witnessNote{Manifests: []manifestNote{{s.fs.PathBase(desc.ManifestFilename), info.Size()}}}
	if err := note.write(s.fs, dir); err != nil {
		return err
	}
	return syncDir(s.fs, dir)
}

func (s *Store) cutLog(path string, num uint64) error {
	f, err := s.fs.Open(path)
	if err != nil {
		return err
	}
	c := logCheck{num: uint32(num), invalid: math.MaxInt64}
	if err := errors.Join(c.read(f), f.Close()); err != nil || !c.promised {
		return err
	}
	cut := path + ".cut"
	if err := vfs.LimitedCopy(s.fs, path, cut, c.invalid); err != nil {
		return err
	}
	return s.fs.Rename(cut, path)
}

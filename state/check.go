package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/streamsql/streamsql/sql"
)

// What Pebble does not notice when it opens a database, and would lose data by:
//
//   - no marker of the MANIFEST: it makes a new database, and deletes the old one's files;
//   - a damaged or shortened MANIFEST: see witness;
//   - a log that is damaged less than a block (32 KiB) before its end, which it takes for torn;
//   - a log that lost its end although it was closed.
//
// So the files are checked before. Tables are not read: their blocks have checksums, which are looked
// at whenever a block is read. What can't be told from a crash is damage to the last records of the
// log that was open when the process was killed: nothing behind them says that they were synced.

// damaged is the error for a file that can't be used.
func (s *Store) damaged(file, format string, args ...any) error {
	return sql.Errorf(codeDataCorrupted, "file %q in data directory %q is damaged: %s", file, s.dir, fmt.Sprintf(format, args...)).WithHint("%s", restoreHint)
}

const restoreHint = "Restore the data directory from a backup."

// checkFiles refuses a directory whose files can't be what was synced to them.
func (s *Store) checkFiles(o *pebble.Options) error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return s.wrap("read the directory", err)
	}
	desc, err := pebble.Peek(s.dir, s.fs)
	if err != nil {
		return s.damaged("marker", "%s", err)
	}
	logs := logsOf(names)
	// A crash while the database was made leaves a MANIFEST without the first, or a log without the
	// second of the markers.
	table := slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(name, ".sst") })
	switch {
	case !desc.Exists && (table || len(logs) > 0):
		return s.damaged("marker.manifest", "it is missing")
	case !desc.Exists:
		return nil
	case desc.FormatMajorVersion == pebble.FormatDefault && table:
		return s.damaged("marker.format-version", "it is missing")
	}
	if desc.OptionsFilename != "" {
		text, err := readAll(s.fs, desc.OptionsFilename)
		if err == nil {
			o = o.Clone()
			o.EnsureDefaults()
			err = o.CheckCompatibility(s.dir, string(text))
		}
		if err != nil {
			return s.damaged(s.fs.PathBase(desc.OptionsFilename), "%s", err)
		}
	}
	manifest := s.fs.PathBase(desc.ManifestFilename)
	length, last := s.witness.note.length(manifest)
	read, firstLog, err := s.readManifest(desc.ManifestFilename)
	if err != nil {
		return err
	}
	if read < length {
		return s.damaged(manifest, "%d of its %d bytes can be read", read, length)
	}
	closed := ""
	if last && read == length { // nothing was done since the store was closed
		closed = s.witness.note.Log
	}
	return s.checkLogs(logs, firstLog, closed)
}

// logFile is a write-ahead log.
type logFile struct {
	name string
	num  uint64
}

// logsOf is the logs among the files of a directory, oldest first. Names have six digits until there are
// more: they order as numbers only.
func logsOf(names []string) (logs []logFile) {
	for _, name := range names {
		base, ok := strings.CutSuffix(name, ".log")
		if num, err := strconv.ParseUint(base, 10, 64); ok && err == nil {
			logs = append(logs, logFile{name, num})
		}
	}
	slices.SortFunc(logs, func(a, b logFile) int { return cmp.Compare(a.num, b.num) })
	return logs
}

func readAll(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// readManifest returns how many bytes of a MANIFEST make whole records, and the first log that the
// tables do not hold.
func (s *Store) readManifest(path string) (read int64, firstLog uint64, err error) {
	name := s.fs.PathBase(path)
	f, err := s.fs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, s.damaged(name, "it is missing")
	}
	if err != nil {
		return 0, 0, s.wrap("read "+name, err)
	}
	defer f.Close()
	r := record.NewReader(f, 0)
	for {
		edit, err := r.Next()
		var content []byte
		if err == nil {
			content, err = io.ReadAll(edit)
		}
		switch {
		case err == nil:
			read = r.Offset()
			if num := firstLogOf(content); num > 0 {
				firstLog = num
			}
		case err == io.EOF || record.IsInvalidRecord(err) || errors.Is(err, record.ErrInvalidChunk):
			return read, firstLog, nil
		default:
			return 0, 0, s.wrap("read "+name, err)
		}
	}
}

// firstLogOf reads the number of the first log needed out of a version edit: it stands at its head,
// behind the comparer's name. 0 = it has none.
func firstLogOf(edit []byte) uint64 {
	const comparer, firstLog = 1, 2
	if len(edit) > 0 && edit[0] == comparer {
		n, size := binary.Uvarint(edit[1:])
		if size <= 0 || n > uint64(len(edit)-1-size) {
			return 0
		}
		edit = edit[1+size+int(n):]
	}
	if len(edit) == 0 || edit[0] != firstLog {
		return 0
	}
	num, _ := binary.Uvarint(edit[1:])
	return num
}

// checkLogs looks at the logs that will be replayed. All but the newest, and that too if the store
// was closed, must have their ends.
func (s *Store) checkLogs(logs []logFile, first uint64, closed string) error {
	if closed != "" && !slices.ContainsFunc(logs, func(l logFile) bool { return l.name == closed }) {
		return s.damaged(closed, "it is missing")
	}
	for i, l := range logs {
		if l.num < first {
			continue // its content is in tables; it was about to be deleted
		}
		f, err := s.fs.Open(s.fs.PathJoin(s.dir, l.name))
		if err != nil {
			return s.wrap("read "+l.name, err)
		}
		c := logCheck{num: uint32(l.num), invalid: math.MaxInt64}
		err = errors.Join(c.read(f), f.Close())
		switch {
		case err != nil:
			return s.wrap("read "+l.name, err)
		case c.promised:
			return s.damaged(l.name, "what was synced at byte %d can't be read", c.invalid)
		case !c.closed && (i < len(logs)-1 || l.name == closed):
			return s.damaged(l.name, "it was closed, but its end is missing")
		}
	}
	return nil
}

// Chunks of a log, as Pebble's package record describes them: checksum (4), length (2), type (1),
// number of the log (4), and the offset (8) up to which the log was synced when the chunk was written.
const (
	logBlock           = 32 << 10
	logHeader          = 7
	numberedHeader     = logHeader + 4
	syncHeader         = numberedHeader + 8
	firstNumberedChunk = 5
	firstSyncChunk     = 9
	lastSyncChunk      = 12
)

// logCheck reads a log's blocks. Once a chunk can't be read, it looks for one behind it that says
// that it had been synced.
type logCheck struct {
	num      uint32
	invalid  int64 // where the first bad chunk begins
	promised bool  // it was synced
	closed   bool  // the log's end is there
}

func (c *logCheck) read(r io.Reader) error {
	block := make([]byte, logBlock)
	for at := int64(0); ; at += logBlock {
		n, err := io.ReadFull(r, block)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		c.block(at, block[:n])
		if err != nil || c.closed || c.promised {
			return nil
		}
	}
}

func (c *logCheck) block(at int64, b []byte) {
	i := 0
	for c.invalid == math.MaxInt64 {
		size, ok := c.chunk(b[i:])
		switch {
		case ok && size == 0:
			c.closed = true
			return
		case ok:
			i += size
		case len(b)-i < syncHeader && isZero(b[i:]): // too little room for a chunk
			return
		default:
			c.invalid = at + int64(i)
		}
	}
	number := binary.LittleEndian.AppendUint32(nil, c.num)
	for {
		next := bytes.Index(b[min(i+logHeader, len(b)):], number)
		if next < 0 {
			return
		}
		i += next
		if size, ok := c.chunk(b[i:]); ok && size > 0 && b[i+6] >= firstSyncChunk {
			if synced := binary.LittleEndian.Uint64(b[i+numberedHeader:]); synced > uint64(c.invalid) {
				c.promised = true
				return
			}
		}
		i++
	}
}

// chunk returns the length of the chunk that b begins with, if it is sound; 0 is the log's end.
func (c *logCheck) chunk(b []byte) (size int, ok bool) {
	if len(b) < logHeader {
		return 0, false
	}
	sum, size, kind := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint16(b[4:])), b[6]
	switch {
	case kind < firstNumberedChunk || kind > lastSyncChunk || len(b) < numberedHeader:
		return 0, false
	case binary.LittleEndian.Uint32(b[logHeader:]) == c.num+1 && sum == 0 && size == 0:
		return 0, true
	case binary.LittleEndian.Uint32(b[logHeader:]) != c.num:
		return 0, false
	case kind >= firstSyncChunk:
		size += syncHeader
	default:
		size += numberedHeader
	}
	if size > len(b) || sum != maskedCRC(b[6:size]) {
		return 0, false
	}
	return size, true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func maskedCRC(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// witnessFile stands beside Pebble's files.
const witnessFile = "WITNESS"

// witness remembers how long the MANIFEST is, in a small file of its own. Pebble takes the first
// record of a MANIFEST that it can't read for one that a crash tore, and everything before it for
// the whole: a damaged or shortened MANIFEST opens without an error, as an older state of the
// database or as an empty one, and the tables that it does not know are deleted. With a witness the
// two can be told apart, because what was synced can't be torn.
//
// Invariants:
//   - What the witness says was synced before it was written. It may say too little, after a crash
//     of the machine, but never too much.
//   - A witness that can't be read is none.
type witness struct {
	dir    string
	events *events
	mu     sync.Mutex
	note   witnessNote
}

// witnessNote is what the file holds, as JSON, behind its checksum.
type witnessNote struct {
	Manifests []manifestNote // the two newest: the marker may not have moved to the last yet
	// Log is the log that was closed last, when the store was closed in order: it must be there,
	// with its end.
	Log string `json:",omitempty"`
}

type manifestNote struct {
	Name  string
	Bytes int64
}

// length is how many bytes of a MANIFEST have to be there; last tells that none was synced behind
// them.
func (n *witnessNote) length(manifest string) (bytes int64, last bool) {
	for i, m := range n.Manifests {
		if m.Name == manifest {
			return m.Bytes, i == len(n.Manifests)-1
		}
	}
	return 0, false
}

// read reads the file. What is wrong with it is logged.
func (w *witness) read(fs vfs.FS) {
	note, err := readWitness(fs, w.dir)
	if err != nil {
		w.events.post(slog.LevelWarn, "no witness of the state's files", "error", err)
	}
	w.note = note
}

func readWitness(fsys vfs.FS, dir string) (note witnessNote, err error) {
	name := fsys.PathJoin(dir, witnessFile)
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return note, nil
	}
	if err != nil {
		return note, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return note, err
	}
	sum, text, _ := bytes.Cut(data, []byte(" "))
	if string(sum) != checksum(text) {
		return note, fmt.Errorf("%s has a wrong checksum", name)
	}
	return note, json.Unmarshal(text, &note)
}

func checksum(text []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) }

func (n *witnessNote) write(fs vfs.FS, dir string) error {
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	name := fs.PathJoin(dir, witnessFile)
	f, err := fs.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(append([]byte(checksum(text)+" "), text...))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return fs.Rename(name+".new", name)
}

// synced notes that so much of a MANIFEST is durable.
func (w *witness) synced(fs vfs.FS, manifest string, bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note.Log = ""
	if n := len(w.note.Manifests); n > 0 && w.note.Manifests[n-1].Name == manifest {
		w.note.Manifests[n-1].Bytes = bytes
	} else {
		w.note.Manifests = append(w.note.Manifests[max(n-1, 0):], manifestNote{manifest, bytes})
	}
	w.save(fs)
}

// closed notes the log that the store ended with.
func (w *witness) closed(fs vfs.FS, log string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note.Log = log
	w.save(fs)
}

// save writes the file. An old one says too little, which does no harm.
func (w *witness) save(fs vfs.FS) {
	if err := w.note.write(fs, w.dir); err != nil {
		w.events.post(slog.LevelWarn, "witness of the state's files not written", "error", err)
	}
}

// witnessFS shows the witness what is written to MANIFEST files.
type witnessFS struct {
	vfs.FS
	w *witness
}

// Unwrap lets Pebble find the operating system's file system.
func (f *witnessFS) Unwrap() vfs.FS { return f.FS }

func (f *witnessFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	dir, base := filepath.Split(name)
	if err == nil && strings.HasPrefix(base, "MANIFEST-") && filepath.Clean(dir) == filepath.Clean(f.w.dir) { // not a backup's
		return &manifestFile{File: file, fs: f, name: base}, nil
	}
	return file, err
}

// manifestFile counts what is written. Pebble writes a MANIFEST from one goroutine at a time.
type manifestFile struct {
	vfs.File
	fs      *witnessFS
	name    string
	written int64
	named   bool // the directory has the name for good
}

func (f *manifestFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written += int64(n)
	return n, err
}

// Sync makes the file durable, and first its name: Pebble moves the marker to a new MANIFEST next,
// and syncs the directory once, behind that. A crash in between could keep the marker alone.
func (f *manifestFile) Sync() error {
	written := f.written
	err := f.File.Sync()
	if err == nil && !f.named {
		err = syncDir(f.fs.FS, f.fs.w.dir)
		f.named = err == nil
	}
	if err == nil {
		f.fs.w.synced(f.fs.FS, f.name, written)
	}
	return err
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

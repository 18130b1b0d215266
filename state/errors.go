package state

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/streamsql/streamsql/sql"
)

// SQLSTATEs of the storage layer.
const (
	codeObjectInUse   = "55006"
	codeDiskFull      = "53100"
	codeIOError       = "58030"
	codeDataCorrupted = "XX001"
)

// wrap turns an error of the storage engine into the error a user meets. Errors that are already
// a *sql.Error pass through. Pebble's message or its detail names the file.
func (s *Store) wrap(action string, err error) error {
	var e *sql.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return sql.Errorf(codeDiskFull, "could not %s in data directory %q: no space left on device: %w", action, s.dir, err).
			WithHint("Free disk space; the server goes on by itself.")
	case pebble.IsCorruptionError(err):
		e = sql.Errorf(codeDataCorrupted, "could not %s in data directory %q: data is corrupted: %w", action, s.dir, err).WithHint("%s", restoreHint)
		var d interface{ ErrorDetail() string } // of the log: which file, and where
		if errors.As(err, &d) {
			e = e.WithDetail("%s", d.ErrorDetail())
		}
		return e
	case errors.Is(err, fs.ErrPermission):
		return sql.Errorf(codeIOError, "could not %s in data directory %q: permission denied: %w", action, s.dir, err)
	}
	return sql.Errorf(codeIOError, "could not %s in data directory %q: %w", action, s.dir, err)
}

// corrupt is the error for bytes that this package wrote and can no longer read.
func corrupt(format string, args ...any) error {
	return sql.Errorf(codeDataCorrupted, format, args...)
}

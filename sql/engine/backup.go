package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/wire"
)

// backup is BACKUP TO 'directory', on the server's machine.
func (s *session) backup(n *ast.Backup) *runnable {
	schema := sql.Schema{{Name: "directory", Type: sql.TypeText}, {Name: "bytes", Type: sql.TypeInt8}, {Name: "table_epoch", Type: sql.TypeInt8}, {Name: "jobs", Type: sql.TypeInt8}}
	return &runnable{columns: schema, alone: true, run: func(context.Context, []sql.Datum) (wire.Result, error) {
		if s.tx != nil && s.tx.explicit {
			return wire.Result{}, sql.Errorf(sql.CodeActiveTransaction, "BACKUP cannot run inside a transaction block")
		}
		epoch, jobs, bytes, err := s.e.Backup(n.Dir)
		if err != nil {
			return wire.Result{}, err
		}
		s.e.log.Info("backed up", "directory", n.Dir, "bytes", bytes, "table_epoch", epoch)
		return rowsResult(schema, [][]sql.Datum{{n.Dir, bytes, int64(epoch), int64(jobs)}}, "BACKUP"), nil
	}}
}

// Backup copies the data directory, consistently, while the server runs: what was committed when it
// began is in the copy, and each transaction and epoch after that as a whole or not at all. A server
// can be started on the copy. The directory must be absolute, and empty or missing.
func (e *Engine) Backup(dir string) (tableEpoch uint64, jobs int, bytes int64, err error) {
	if !filepath.IsAbs(dir) {
		return 0, 0, 0, sql.Errorf(sql.CodeInvalidParameter, "directory %q of a backup is not absolute", dir).
			WithHint("It is on the server's machine, whose working directory is not the client's.")
	}
	files, err := os.ReadDir(dir)
	switch {
	case err == nil && len(files) > 0:
		return 0, 0, 0, sql.Errorf(sql.CodeObjectNotInState, "directory %q is not empty", dir).WithHint("Give each backup a directory of its own.")
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return 0, 0, 0, sql.Errorf(sql.CodeInvalidParameter, "could not back up to directory %q: %w", dir, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, 0, 0, sql.Errorf(sql.CodeInvalidParameter, "could not back up to directory %q: %w", dir, err)
	}
	e.commit.Lock()
	tableEpoch = e.tableEpoch
	e.commit.Unlock()
	bytes, err = e.store.Backup(filepath.Join(dir, stateDir))
	return tableEpoch, len(e.jobs.list()), bytes, err
}

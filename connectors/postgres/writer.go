package postgres

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
)

// What a writer gathers at most.
const (
	writerRows  = 50_000
	writerBytes = 32 << 20
)

// writer writes rows at least once. It gathers them until Flush: only an epoch's changes together tell
// what a key holds after them.
type writer struct {
	cfg  *config
	db   *database
	rows *rows
}

var _ connectors.Writer = (*writer)(nil)

// Write takes rows over.
func (w *writer) Write(ctx context.Context, b *stream.Batch) ([]connectors.DeadLetter, error) {
	if w.rows == nil {
		if err := w.open(ctx); err != nil {
			return nil, err
		}
	}
	if err := w.rows.add(b); err != nil {
		return nil, err
	}
	if (w.rows.arrived >= writerRows || len(w.rows.data) >= writerBytes) && w.cfg.job != "" { // a statement is all or nothing
		return w.Flush(ctx)
	}
	return nil, nil
}

func (w *writer) open(ctx context.Context) error {
	if err := w.db.connect(ctx); err != nil {
		return err
	}
	to, err := w.db.target(ctx)
	if err != nil {
		return err
	}
	w.rows, err = newRows(w.cfg, to)
	return err
}

// Flush writes what was gathered, in one transaction.
func (w *writer) Flush(ctx context.Context) ([]connectors.DeadLetter, error) {
	if w.rows == nil || w.rows.arrived == 0 && len(w.rows.dead) == 0 {
		return nil, nil
	}
	_, err := w.db.begin(ctx, constraintsNow+savepoint)
	if err == nil {
		err = commit(ctx, w.db, w.rows, func([]connectors.DeadLetter) error { return nil })
	}
	if err != nil {
		w.db.close()
		return nil, w.cfg.wrap(err, "write to "+w.cfg.where())
	}
	dead := w.rows.dead
	w.rows.reset()
	return dead, nil
}

// Close ends the connection.
func (w *writer) Close() error {
	w.db.close()
	return nil
}

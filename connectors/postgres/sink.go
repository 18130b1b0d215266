package postgres

import (
	"context"
	"fmt"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// sink delivers epochs exactly once: the rows and the epoch's number in the sink's row of the
// bookkeeping table are one transaction.
//
// State: `held` is the epoch that the target holds as far as we know; claimed says that we know, and
// that the row is ours. After a failure claimed is false and the connection is gone: whether the
// transaction took effect is then read from the row, never guessed.
type sink struct {
	cfg     *config
	c       *Connector
	db      *database
	marker  *marker
	rows    *rows
	rowsTo  *target // that rows are encoded for
	claimed bool
	held    uint64
	known   uint64 // the epoch that the caller counts from
	limit   uint64 // a target that holds more than this is not claimed, before it is ours
}

var (
	_ connectors.Sink   = (*sink)(nil)
	_ connectors.Marker = (*sink)(nil)
)

// Delivered returns the epoch that the target holds, and makes the target ours if that is no more than
// the job's.
func (s *sink) Delivered(ctx context.Context) (epoch uint64, marked bool, err error) {
	if err := s.claim(ctx); err != nil {
		return 0, false, s.failed(err)
	}
	s.known = s.held
	return s.held, true, nil
}

// claim makes the sink's row ours and learns what the target holds. It does nothing when that is known
// already.
func (s *sink) claim(ctx context.Context) error {
	if s.claimed {
		return nil
	}
	if err := s.db.connect(ctx); err != nil {
		return err
	}
	last, again := s.c.last(s.cfg.job)
	held, ours, err := s.marker.claim(ctx, s.db, s.limit, last, again)
	if err != nil {
		return err
	}
	if ours {
		s.c.note(s.cfg.job, held)
	}
	s.held, s.claimed = held, ours
	return nil
}

// Deliver writes the rows up to and including epoch, and its number.
func (s *sink) Deliver(ctx context.Context, epoch uint64, batches []*stream.Batch, refused connectors.Refused) error {
	if err := s.claim(ctx); err != nil {
		return s.failed(err)
	}
	if !s.claimed {
		return s.failed(sql.Errorf(sql.CodeObjectNotInState, "%s holds epoch %d of sink %q, whose job has made only %d", s.cfg.where(), s.held, s.cfg.job, s.limit))
	}
	if epoch <= s.held { // an attempt whose outcome was unknown had taken effect
		s.known = s.held
		return nil
	}
	if s.known != s.held {
		return s.failed(sql.Errorf(sql.CodeSerializationFailure, "%s holds epoch %d, not %d: deliver again from there", s.cfg.where(), s.held, s.known))
	}
	if err := s.encode(ctx, batches); err != nil {
		return s.failed(err)
	}
	defer s.rows.reset()
	if err := s.transact(ctx, epoch, refused); err != nil {
		return s.failed(s.cfg.wrap(err, fmt.Sprintf("deliver epoch %d", epoch)))
	}
	s.held, s.known = epoch, epoch
	s.c.note(s.cfg.job, epoch)
	return nil
}

// Mark makes epoch the one that the target holds. As long as the row is ours, it was ours to say; else it
// is taken over, whatever it is.
func (s *sink) Mark(ctx context.Context, epoch uint64) error {
	if err := s.db.connect(ctx); err != nil {
		return s.failed(err)
	}
	if err := s.marker.set(ctx, s.db, epoch, s.claimed); err != nil {
		return s.failed(err)
	}
	s.c.note(s.cfg.job, epoch)
	s.held, s.known, s.claimed = epoch, epoch, true
	return nil
}

// encode makes rows of batches, in the form that the table wants.
func (s *sink) encode(ctx context.Context, batches []*stream.Batch) error {
	to, err := s.db.target(ctx)
	if err != nil {
		return err
	}
	if s.rows == nil || s.rowsTo != to {
		if s.rows, err = newRows(s.cfg, to); err != nil {
			return err
		}
		s.rowsTo = to
	}
	for _, b := range batches {
		if err := s.rows.add(b); err != nil {
			return err
		}
	}
	return nil
}

// transact is one transaction. Its first write takes the lock of the sink's row.
func (s *sink) transact(ctx context.Context, epoch uint64, refused connectors.Refused) error {
	results, err := s.db.begin(ctx, constraintsNow+s.marker.advance(s.held, epoch)+";"+savepoint)
	if err != nil {
		return err
	}
	if results[len(results)-2].CommandTag.RowsAffected() != 1 {
		s.db.rollback(ctx)
		return s.marker.lost(ctx, s.db, s.held)
	}
	return commit(ctx, s.db, s.rows, refused)
}

// Of a transaction that writes rows: what constraints refuse must be known before its end, and a row
// that is refused must not undo what was before it.
const (
	constraintsNow = "SET CONSTRAINTS ALL IMMEDIATE;\n"
	savepoint      = "SAVEPOINT rows"
)

// commit writes rows in the transaction that has begun, and ends it.
func commit(ctx context.Context, d *database, r *rows, refused connectors.Refused) error {
	t := &transfer{db: d, to: d.to, rows: r}
	if err := t.write(ctx); err != nil {
		return err
	}
	if types, err := d.types(ctx, d.to); err != nil || types != d.to.types {
		if err == nil {
			err = sql.Errorf(sql.CodeSerializationFailure, "%s has been altered", d.cfg.where())
		}
		return err
	}
	if len(r.dead) > 0 {
		if err := refused(r.dead); err != nil {
			return err
		}
	}
	_, err := d.exec(ctx, "COMMIT")
	return err
}

// failed handles an error after which the outcome is unknown or nothing was written: the next call
// connects and claims again.
func (s *sink) failed(err error) error {
	s.claimed = false
	s.db.close()
	return err
}

// Close ends the connection.
func (s *sink) Close() error {
	s.db.close()
	return nil
}

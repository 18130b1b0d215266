package engine

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/connectors"
)

// refusals is the record of the rows that the target refuses of the epochs up to one that is being
// delivered.
type refusals struct {
	Epoch   uint64                  `json:"epoch"`
	Letters []connectors.DeadLetter `json:"letters"`
}

const recordRefusals = "refusals/" // + job id: refusals

// refuse notes, before the target commits, what it refuses. Whether these are dead letters is known
// once the target's epoch is: so each becomes one exactly once, whatever crashes in between.
func (d *delivery) refuse(upto uint64) connectors.Refused {
	return func(letters []connectors.DeadLetter) error {
		d.unsettled = true
		b := d.j.e.store.NewBatch()
		if err := d.j.e.meta.Put(b, recordRefusals+itoa(d.j.obj.ID), refusals{upto, letters}); err != nil {
			return err
		}
		return b.Commit()
	}
}

// settle notes that the target holds the epochs up to last: their rows leave the log, and what the
// target refused of them becomes dead letters. What it refused of a transaction that did not take
// effect is forgotten: it will be refused again.
func (d *delivery) settle(ctx context.Context, last uint64) error {
	d.marked = time.Now()
	d.note(last)
	b := d.j.e.store.NewBatch()
	if err := d.log.Trim(d.j.e.store, b, last); err != nil {
		return err
	}
	if d.unsettled {
		var r refusals
		ok, err := d.j.e.meta.Get(d.j.e.store, recordRefusals+itoa(d.j.obj.ID), &r)
		if err != nil {
			return err
		}
		if ok && r.Epoch <= last {
			if err := d.events.refused(ctx, b, r.Letters); err != nil {
				return err
			}
		}
		d.j.e.meta.Delete(b, recordRefusals+itoa(d.j.obj.ID))
	}
	if err := b.CommitNoSync(); err != nil {
		return err
	}
	d.unsettled, d.unsynced = false, true
	return nil
}

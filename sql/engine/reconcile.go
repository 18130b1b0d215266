package engine

import (
	"context"
	"errors"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// Where a delivery goes on, from what the target says and what we remember:
//
//	target                    we
//	no mark                   never delivered to it         from the start
//	epoch N                   hold what follows N           behind N
//	no mark                   confirmed all that we hold    behind that: the mark expired or was deleted
//	no mark                   hold more than is confirmed   refused: some of it may be there already
//	another target            -                             refused: what the old one got is not there
//	epoch N                   confirmed up to more          refused: the target was restored to an older state
//	epoch N                   have made less                refused: the data directory was restored
//
// Another target may have a mark: the one that we made ourselves in a topic that was deleted and created
// again between two deliveries, or one that Kafka has kept, as it is the group's.
//
// What is confirmed is in the log's trim mark. That is not synced by itself, so a crash may take some
// of it back, and nothing but the target's mark can tell what was delivered in the last moments.
//
// What is refused ends the job with state 'failed' and is never tried again by itself, so that two
// servers don't take a target from each other in turns. ALTER JOB … ACCEPT TARGET goes on with what
// the log has not confirmed, and so accepts that rows are missing or doubled in the target.

// sinkTarget is the record of the target that a job delivers to. It is written once the target has a
// mark, and before anything is delivered.
type sinkTarget struct {
	Identity string `json:"identity"`
}

const recordSinkTarget = "sink-target/" // + job id: sinkTarget

// reconcile asks the target where it is, decides where to go on, and settles what was in doubt.
func (d *delivery) reconcile(ctx context.Context) (uint64, error) {
	last, err := d.locate(ctx)
	if err != nil {
		return 0, err
	}
	return last, d.settle(ctx, last)
}

func (d *delivery) locate(ctx context.Context) (uint64, error) {
	e := d.j.e
	last, marked, err := d.sink.Delivered(ctx)
	if err != nil && !(d.accept && sql.AsError(err).Code == sql.CodeObjectNotInState) { // what is accepted may be just that
		return 0, err
	}
	is, err := d.identity(ctx)
	if err != nil {
		return 0, err
	}
	var was sinkTarget
	known, err := e.meta.Get(e.store, recordSinkTarget+itoa(d.j.obj.ID), &was)
	if err != nil {
		return 0, err
	}
	trimmed, err := d.log.Trimmed(e.store)
	if err != nil {
		return 0, err
	}
	end, err := d.log.Last(e.store)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	epoch := d.durable
	d.mu.Unlock()
	switch lost := !marked && (known || trimmed > 0); {
	case d.accept:
		return d.acceptTarget(ctx, is, min(max(last, trimmed), epoch))
	case known && was.Identity != is:
		return 0, mismatch("the sink's target is not the one that was delivered to before").
			WithDetail("It was deleted and created again, or another server answers at its address.")
	case lost && end > trimmed:
		return 0, mismatch("the sink's target has lost the mark of what it holds: epochs from %d to %d may be there or not", trimmed+1, end)
	case lost:
		e.log.Warn("the sink's target has no mark; going on behind what it confirmed before", "job", d.j.obj.Name, "epoch", trimmed)
		return trimmed, nil
	case last < trimmed:
		return 0, mismatch("the sink's target holds epochs up to %d, but those up to %d were delivered before", last, trimmed).
			WithDetail("The target seems to have been restored to an older state or replaced.")
	case last > epoch:
		// Only committed epochs are delivered, so the target can be ahead only of a job that was set back.
		return 0, mismatch("the sink's target holds epochs up to %d, but the job has made only those up to %d", last, epoch).
			WithDetail("The data directory seems to have been restored to an older state: what was delivered since would be delivered again, cut differently.")
	case !known:
		return last, d.remember(ctx, is, last, !marked)
	}
	return last, nil
}

func mismatch(format string, args ...any) *sql.Error {
	return sql.Errorf(sql.CodeObjectNotInState, format, args...).
		WithHint("Drop the sink and create it anew with a new target, restore the other side, or accept that rows may be missing or doubled in the target with ALTER JOB … ACCEPT TARGET.")
}

// acceptTarget makes an epoch the one that the target holds.
func (d *delivery) acceptTarget(ctx context.Context, identity string, epoch uint64) (uint64, error) {
	if _, ok := d.sink.(connectors.Marker); !ok {
		return 0, sql.Unsupported("ACCEPT TARGET for this kind of sink", "Drop the sink and create it anew.")
	}
	if err := d.remember(ctx, identity, epoch, true); err != nil {
		return 0, err
	}
	d.accept = false
	d.j.e.log.Warn("the sink's target is taken as it is", "job", d.j.obj.Name, "epoch", epoch)
	return epoch, nil
}

// remember gives the target its mark, if it is to have another, and then notes whose it is.
func (d *delivery) remember(ctx context.Context, identity string, epoch uint64, mark bool) error {
	if m, ok := d.sink.(connectors.Marker); ok && mark {
		if err := m.Mark(ctx, epoch); err != nil {
			return err
		}
	}
	b := d.j.e.store.NewBatch()
	if err := d.j.e.meta.Put(b, recordSinkTarget+itoa(d.j.obj.ID), sinkTarget{identity}); err != nil {
		return err
	}
	return b.Commit()
}

// identity is the target's name for itself, empty if it has none.
func (d *delivery) identity(ctx context.Context) (string, error) {
	if t, ok := d.sink.(connectors.Identified); ok {
		return t.Identity(ctx)
	}
	return "", nil
}

// final tells whether trying again is of no use: another server has taken the target over, or it is
// not what it was.
func final(err error) bool {
	var e *sql.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sql.CodeFeatureNotSupported, sql.CodeObjectNotInState, sql.CodeInvalidParameter, sql.CodeUndefinedTable, sql.CodeUndefinedColumn, sql.CodeDatatypeMismatch:
		return true
	}
	return false
}

// refusedTarget is an error of a delivery after which the job is not run again by itself.
type refusedTarget struct{ error }

func (r refusedTarget) Unwrap() error { return r.error }

// refusal marks the errors that only somebody who knows both sides can get over.
func refusal(err error) error {
	if err != nil && sql.AsError(err).Code == sql.CodeObjectNotInState {
		return refusedTarget{err}
	}
	return err
}

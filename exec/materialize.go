package exec

import (
	"context"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/state"
)

// materialize writes changes to a view's rows, to its changelog, or to both. They are part of the
// epoch's batch, so readers see all of an epoch or nothing of it. It passes the changes on.
//
// State: none of its own. All changes of one stream key must come to one task, in order.
type materialize struct {
	task  *Task
	table *state.RowTable
	log   *state.Appender
}

var _ stream.Operator = (*materialize)(nil)

// NewMaterialize makes the operator. table keeps the rows by the stream key, nil = a sink's log needs
// none; log gets the changes, nil = nobody follows them.
func NewMaterialize(table *state.RowTable, log *state.Changelog) Constructor {
	return func(t *Task) (stream.Operator, error) {
		m := &materialize{task: t, table: table}
		if log != nil {
			m.log = log.Appender(uint16(t.Index))
		}
		return m, nil
	}
}

func (m *materialize) Batch(_ int, b *stream.Batch, out stream.Output) error {
	if m.table != nil {
		if err := m.table.Apply(m.task.Batch(), b); err != nil {
			return err
		}
	}
	if m.log != nil {
		before := m.log.Bytes()
		if err := m.log.Append(m.task.Batch(), m.task.Epoch(), b); err != nil {
			return err
		}
		m.task.logged += m.log.Bytes() - before
	}
	if m.task.Batch().Size() > m.mostStaged() {
		m.task.CloseEpoch()
	}
	return out.Batch(b)
}

// When a task's batch is big enough to be committed early: it lies in memory, and a commit of
// gigabytes would stop everything. The longer the epoch, the fewer writes do for a row that changes
// again and again; a log saves nothing by waiting, and what is delivered and trimmed while it is in
// memory never becomes a table on disk.
const (
	maxStagedBytes    = 32 << 20 // of a task
	maxStagedLogBytes = 4 << 20  // of all tasks that write a log only
)

func (m *materialize) mostStaged() int {
	if m.table == nil {
		return maxStagedLogBytes / m.task.Parallelism
	}
	return maxStagedBytes
}

func (m *materialize) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (m *materialize) Barrier(stream.Barrier, stream.Output) error { return nil }

// rowID appends a bigint column that no two rows share: the stream key of append-only rows without
// one. It rises with the epochs, and within an epoch in each task.
type rowID struct {
	task *Task
	seq  int64 // rows in this epoch
}

var _ stream.Operator = (*rowID)(nil)

// rowIDBits is how many bits of an id count the rows of an epoch; the others are its number.
const rowIDBits = 29

// NewRowID makes the operator. Its input must hold no deletes.
func NewRowID() Constructor {
	return func(t *Task) (stream.Operator, error) { return &rowID{task: t}, nil }
}

func (r *rowID) Batch(_ int, b *stream.Batch, out stream.Output) error {
	ids := make([]int64, b.Rows)
	for i := range ids {
		ids[i] = int64(r.task.Epoch())<<rowIDBits + r.seq*int64(r.task.Parallelism) + int64(r.task.Index)
		r.seq++
	}
	if r.seq*int64(r.task.Parallelism) >= 1<<(rowIDBits-1) {
		r.task.CloseEpoch()
	}
	res := &stream.Batch{Columns: append(b.Columns[:len(b.Columns):len(b.Columns)], stream.Int64s(ids, nil)), Rows: b.Rows}
	return out.Batch(res)
}

func (r *rowID) Watermark(w stream.Watermark, out stream.Output) error { return out.Watermark(w) }

func (r *rowID) Barrier(stream.Barrier, stream.Output) error {
	r.seq = 0
	return nil
}

// writer hands rows to a connector as they come, before their epoch is committed: at least once.
type writer struct {
	task *Task
	w    connectors.Writer
}

var _ stream.Operator = (*writer)(nil)

// NewWriter makes the operator; open is called once for each task. The sink's refusals are dead
// letters.
func NewWriter(open func(ctx context.Context) (connectors.Writer, error)) Constructor {
	return func(t *Task) (stream.Operator, error) {
		w, err := open(t.Context)
		if err != nil {
			return nil, err
		}
		return &writer{task: t, w: w}, nil
	}
}

func (w *writer) Batch(_ int, b *stream.Batch, out stream.Output) error {
	dead, err := w.w.Write(w.task.Context, b)
	if err != nil {
		return err
	}
	if err := w.task.Dead("", dead...); err != nil {
		return err
	}
	return out.Batch(b)
}

// Watermark forwards the watermark; at the end of a bounded input the rows are at the target first.
func (w *writer) Watermark(wm stream.Watermark, out stream.Output) error {
	if wm == stream.MaxWatermark {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return out.Watermark(wm)
}

// Barrier makes sure that no committed position is ahead of what the target holds. If the connector
// can, the coordinator waits for that and not this task: rows behind the barrier go on to the target.
func (w *writer) Barrier(stream.Barrier, stream.Output) error {
	if a, ok := w.w.(connectors.AsyncWriter); ok {
		confirmed, stats := a.Confirm(), w.task.stats
		w.task.confirm = append(w.task.confirm, func(ctx context.Context) ([]connectors.DeadLetter, error) {
			dead, err := confirmed(ctx)
			stats.DeadRows.Add(int64(len(dead)))
			return dead, err
		})
		return nil
	}
	return w.flush()
}

func (w *writer) flush() error {
	dead, err := w.w.Flush(w.task.Context)
	if err != nil {
		return err
	}
	return w.task.Dead("", dead...)
}

// Close releases the connector.
func (w *writer) Close() error { return w.w.Close() }

package engine

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// tailBytes is how much of a changelog is kept for subscribers that are slow. One that falls
// further behind is ended with an error.
const tailBytes = 256 << 20

// tailRegistry knows who follows which changelog: the log is kept for them, within bounds.
type tailRegistry struct {
	mu    sync.Mutex
	tails map[uint32]map[*tailRows]bool
}

func newTailRegistry() *tailRegistry { return &tailRegistry{tails: map[uint32]map[*tailRows]bool{}} }

func (r *tailRegistry) add(t *tailRows) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tails[t.id] == nil {
		r.tails[t.id] = map[*tailRows]bool{}
	}
	r.tails[t.id][t] = true
}

func (r *tailRegistry) remove(t *tailRows) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.tails[t.id], t)
}

// behind is the last epoch that every follower of id has read; ok is false when there is none.
func (r *tailRegistry) behind(id uint32) (epoch uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.tails[id] {
		if e := t.read.Load(); !ok || e < epoch {
			epoch, ok = e, true
		}
	}
	return epoch, ok
}

// end stops the followers of a dropped relation.
func (r *tailRegistry) end(id uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for t := range r.tails[id] {
		t.dropOnce.Do(func() { close(t.dropped) })
	}
}

// tailRows follows a changelog: wire.Rows of a SUBSCRIBE. It pulls, so a slow client costs nobody
// else anything but the log's disk space, and that is bounded.
type tailRows struct {
	e       *Engine
	id      uint32
	name    string
	types   []sql.Type
	key     []int
	visible int
	log     *state.Changelog

	first   *state.Scanner // the snapshot's rows, until they are sent
	snap    *state.Snapshot
	epoch   uint64        // all up to here is sent or in `first`
	read    atomic.Uint64 // the same, for trimming
	reader  *state.LogReader
	changed <-chan struct{}
	unwatch func()

	dropped  chan struct{}
	dropOnce sync.Once
	trim     bool          // nobody else reads the log: trim it behind us
	failed   func() error  // why there will be no more changes, nil = there may be
	poke     chan struct{} // wakes Next to ask failed
	onClose  func()
}

func (t *tailRows) wake() {
	select {
	case t.poke <- struct{}{}:
	default:
	}
}

// tail follows a table or a materialized view.
func (e *Engine) tail(o *catalog.Object, snapshot bool) (*tailRows, error) {
	t := e.newTail(o.ID, o.Name, o.Types(), o.Key, len(o.RowSchema()), changelogOf(o))
	t.snap = e.store.Snapshot()
	last, err := lastEpoch(t.snap, t.log)
	if err != nil {
		t.Close()
		return nil, err
	}
	t.advance(last)
	if snapshot {
		t.first = rowsOf(o).Scan(t.snap, allRows, nil, false)
	} else {
		t.closeSnap()
	}
	return t, nil
}

// newTail registers a follower. It watches before it looks, so that it misses nothing.
func (e *Engine) newTail(id uint32, name string, types []sql.Type, key []int, visible int, log *state.Changelog) *tailRows {
	t := &tailRows{e: e, id: id, name: name, types: types, key: key, visible: visible, log: log, dropped: make(chan struct{}), poke: make(chan struct{}, 1)}
	t.changed, t.unwatch = e.store.Watch(log.ID())
	e.tails.add(t)
	return t
}

func (t *tailRows) advance(epoch uint64) {
	t.epoch = epoch
	t.read.Store(epoch)
}

// midway tells whether Next is in the middle of what is there: there is likely more at once. It is no
// promise, so it is not Ready, and the protocol sends what it has before Next waits.
func (t *tailRows) midway() bool { return t.first != nil || t.reader != nil }

// Next implements wire.Rows.
func (t *tailRows) Next(ctx context.Context) (*stream.Batch, error) {
	if t.first != nil {
		b, err := t.first.Next()
		if err != nil || b != nil {
			return t.decorate(b, t.epoch), err
		}
		t.endSnapshot()
	}
	for {
		b, err := t.nextChange()
		if err != nil || b != nil {
			return b, err
		}
		if t.failed != nil {
			if err := t.failed(); err == errSubscriptionEnded {
				return nil, nil
			} else if err != nil {
				return nil, err
			}
		}
		select {
		case <-t.changed:
		case <-t.poke:
		case <-t.dropped:
			return nil, sql.Errorf(sql.CodeObjectNotInState, "relation %q was dropped", t.name)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-t.e.ctx.Done():
			return nil, sql.Errorf(sql.CodeAdminShutdown, "terminating connection due to administrator command")
		}
	}
}

// nextChange returns the next batch of the log as it is now, nil when all has been read.
func (t *tailRows) nextChange() (*stream.Batch, error) {
	if t.reader == nil {
		snap := t.e.store.Snapshot()
		r, err := t.log.Read(snap, t.epoch+1, nil)
		if err != nil {
			_ = snap.Close() // the read's error is the one to tell
			return nil, sql.Errorf(sql.CodeObjectNotInState, "the subscription to %q is too far behind: %w", t.name, err).
				WithHint("Read faster, or subscribe again for the rows as they are now.")
		}
		t.snap, t.reader = snap, r
	}
	epoch, b, err := t.reader.Next()
	if err != nil || b != nil {
		if b != nil && epoch > t.epoch+1 {
			t.advance(epoch - 1)
		}
		return t.decorate(b, epoch), err
	}
	last, err := t.log.Last(t.snap)
	if err != nil {
		return nil, err
	}
	t.endReader()
	if last > t.epoch {
		t.advance(last)
		if t.trim {
			return nil, t.trimBehind()
		}
	}
	return nil, nil
}

func (t *tailRows) trimBehind() error {
	b := t.e.store.NewBatch()
	if err := t.log.Trim(t.e.store, b, t.epoch); err != nil {
		return err
	}
	return b.CommitNoSync()
}

// decorate puts epoch and op before the visible columns.
func (t *tailRows) decorate(b *stream.Batch, epoch uint64) *stream.Batch {
	if b == nil {
		return nil
	}
	epochs := make([]int64, b.Rows)
	ops := stream.NewBuilder(sql.TypeText)
	for i := range b.Rows {
		epochs[i] = int64(epoch)
		ops.Append(t.op(b, i))
	}
	cols := append([]arrow.Array{stream.Int64s(epochs, nil), ops.Finish()}, b.Columns[:t.visible]...)
	return &stream.Batch{Columns: cols, Rows: b.Rows}
}

// op names a row's change. A delete and the insert of the same key right after it are an update.
func (t *tailRows) op(b *stream.Batch, i int) string {
	switch {
	case b.Op(i) == stream.Delete && i+1 < b.Rows && b.Op(i+1) == stream.Insert && t.sameKey(b, i, i+1):
		return "update_before"
	case b.Op(i) == stream.Delete:
		return "delete"
	case i > 0 && b.Op(i-1) == stream.Delete && t.sameKey(b, i-1, i):
		return "update_after"
	}
	return "insert"
}

func (t *tailRows) sameKey(b *stream.Batch, i, j int) bool {
	for _, k := range t.key {
		if stream.CompareRows(b.Columns[k], i, b.Columns[k], j, t.types[k]) != 0 {
			return false
		}
	}
	return true
}

func (t *tailRows) endSnapshot() {
	if t.first != nil {
		_ = t.first.Close() // its error came with Next
		t.first = nil
	}
	t.closeSnap()
}

func (t *tailRows) endReader() {
	if t.reader != nil {
		_ = t.reader.Close() // its error came with Next
		t.reader = nil
	}
	t.closeSnap()
}

func (t *tailRows) closeSnap() {
	if t.snap != nil {
		_ = t.snap.Close() // a snapshot's close has nothing to tell that matters here
		t.snap = nil
	}
}

// Close implements wire.Rows.
func (t *tailRows) Close() {
	t.endSnapshot()
	t.endReader()
	if t.unwatch != nil {
		t.unwatch()
		t.unwatch = nil
		t.e.tails.remove(t)
	}
	if t.onClose != nil {
		t.onClose()
		t.onClose = nil
	}
}

package engine

import (
	"context"
	"sync"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/state"
)

// txn is a transaction of a session: catalog edits and table writes that COMMIT applies in one
// synced batch, and what has to happen after it (jobs to start, state to drop).
//
// Isolation is PostgreSQL's read committed by default: every statement sees what was committed when
// it began, and its own transaction's writes. A writer locks the table, so nothing it has read can
// change before it commits. Under repeatable read the snapshot is taken once, and writing a row that
// somebody else has changed since is 40001.
type txn struct {
	e        *Engine
	explicit bool
	failed   bool
	readOnly bool
	node     ast.Stmt // the statement at work, for messages
	repeat   bool     // repeatable read or serializable
	started  sql.TimestampValue

	lockTimeout time.Duration // of the statement at work; 0 = none

	edit *catalog.Edit // nil until the first DDL
	base *catalog.Snapshot
	data *state.Tx // nil until the first statement that reads or writes tables
	held int64     // the bytes of data that are counted in the engine's txBytes
	lent bool      // data is being read by a query that may outlive its statement
	// changes are each written table's changes in order, for its changelog.
	changes map[uint32][]*stream.Batch
	owner   *owner
	onDone  []func(committed bool)
	saves   []savepoint
}

type savepoint struct {
	name    string
	edit    int // -1: no edit yet
	data    state.Savepoint
	hasData bool
	changes map[uint32]int
	onDone  int
	locks   int
}

func (e *Engine) begin(explicit bool) *txn {
	return &txn{e: e, explicit: explicit, started: nowMicros(), base: e.catalog.Load(), owner: &owner{}, changes: map[uint32][]*stream.Batch{}}
}

// catalog is what the transaction's next statement sees.
func (t *txn) catalog() *catalog.Snapshot {
	if t.edit != nil {
		return t.edit.View()
	}
	if !t.repeat {
		t.base = t.e.catalog.Load()
	}
	return t.base
}

// edits is the transaction's catalog edit, begun if there is none.
func (t *txn) edits() (*catalog.Edit, error) {
	if t.readOnly {
		return nil, t.refuseWrite()
	}
	if t.edit == nil {
		t.edit = t.catalog().Edit()
	}
	return t.edit, nil
}

func (t *txn) refuseWrite() error {
	return sql.Errorf("25006", "cannot execute %s in a read-only transaction", statementName(t.node))
}

// statement prepares the transaction's view of the data for the next statement.
func (t *txn) statement() error {
	if t.data == nil {
		t.data = t.e.store.NewTx()
		return nil
	}
	if t.repeat {
		return nil
	}
	keep := t.lent
	t.lent = false
	return t.data.Refresh(keep)
}

// lock takes a table for writing and lets the transaction see what was committed before that.
func (t *txn) lock(ctx context.Context, table uint32) error {
	if t.readOnly {
		return t.refuseWrite()
	}
	if t.lockTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t.lockTimeout, sql.Errorf("55P03", "canceling statement due to lock timeout"))
		defer cancel()
	}
	if err := t.e.locks.lock(ctx, t.owner, table); err != nil {
		return err
	}
	return t.statement()
}

// reader is the transaction's view for a query, whose scans may run in goroutines of their own. The
// caller calls done when the query has ended.
func (t *txn) reader() (r state.Reader, done func()) {
	if t.data.Empty() && !t.repeat {
		s := t.e.store.Snapshot()
		return s, func() { _ = s.Close() } // a snapshot's close has nothing to tell that matters here
	}
	t.lent = true
	return &lockedReader{r: t.data}, func() {}
}

// lockedReader lets several goroutines read a transaction, one at a time. Iterators keep the state
// of their creation and need no lock.
type lockedReader struct {
	mu sync.Mutex
	r  state.Reader
}

func (l *lockedReader) Get(key []byte) ([]byte, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Get(key)
}

func (l *lockedReader) AppendGet(dst, key []byte) ([]byte, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.AppendGet(dst, key)
}

func (l *lockedReader) Iter(lo, hi []byte) *state.Iter {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Iter(lo, hi)
}

// commit applies the transaction and ends it.
//
// The disk is waited for after the commit lock and the tables' locks are given up, so that one sync
// serves all the sessions that commit meanwhile. Who reads the changes waits for that too.
func (t *txn) commit() error {
	sync, err := t.apply()
	if err == nil && sync != nil {
		t.e.locks.release(t.owner, 0)
		err = sync()
	}
	t.end(err == nil)
	return err
}

// writes tells whether there is anything to commit.
func (t *txn) writes() bool { return t.edit != nil || t.data != nil && !t.data.Empty() }

// apply makes the transaction visible and returns what makes it durable, nil for one that wrote nothing.
func (t *txn) apply() (sync func() error, err error) {
	if !t.writes() {
		return nil, nil
	}
	e := t.e
	e.commit.Lock()
	defer e.commit.Unlock()
	b := e.store.NewBatch()
	if t.data != nil && !t.data.Empty() {
		if t.repeat {
			if err := t.data.Conflict(); err != nil {
				return nil, err
			}
		}
		t.data.ToBatch(b)
	}
	epoch := e.tableEpoch
	snap := e.catalog.Load()
	if t.edit != nil {
		edit, err := t.edit.Rebase(snap)
		if err != nil {
			return nil, err
		}
		if err := e.putCatalog(b, edit.Changes()); err != nil {
			return nil, err
		}
		snap = edit.View()
	}
	if len(t.changes) > 0 {
		epoch++
		if err := t.log(b, snap, epoch); err != nil {
			return nil, err
		}
	}
	if sync, err = b.CommitThenSync(); err != nil {
		return nil, err
	}
	e.tableEpoch = epoch
	if t.edit != nil {
		e.catalog.Store(snap)
	}
	return sync, nil
}

// log appends the changes of each table to its changelog.
func (t *txn) log(b *state.Batch, snap *catalog.Snapshot, epoch uint64) error {
	e := t.e
	for id, batches := range t.changes {
		o := snap.Get(id)
		if o == nil {
			continue // dropped in the same transaction
		}
		log := changelogOf(o).Appender(0)
		for _, changes := range batches {
			if err := log.Append(b, epoch, changes); err != nil {
				return err
			}
		}
	}
	return e.meta.Put(b, recordTableEpoch, epoch)
}

func (t *txn) rollback() { t.end(false) }

func (t *txn) end(committed bool) {
	if t.data != nil {
		_ = t.data.Close() // a snapshot's close has nothing to tell that matters here
		t.data = nil
	}
	t.hold(0)
	t.e.locks.release(t.owner, 0)
	for _, f := range t.onDone {
		f(committed)
	}
	t.onDone = nil
}

// fail marks the transaction as failed. What has been written since the last savepoint cannot be
// committed any more, so that nobody has to wait for its locks until the client says ROLLBACK.
func (t *txn) fail() {
	t.failed = true
	keep := 0
	if n := len(t.saves); n > 0 {
		keep = t.saves[n-1].locks
	}
	t.e.locks.release(t.owner, keep)
}

// after registers what happens once the transaction has ended.
func (t *txn) after(f func(committed bool)) { t.onDone = append(t.onDone, f) }

// record notes changes of a table for its changelog.
func (t *txn) record(table uint32, b *stream.Batch) {
	if b.Rows > 0 {
		t.changes[table] = append(t.changes[table], b)
	}
}

// hold counts the bytes of the transaction's writes, and tells how many all transactions hold.
func (t *txn) hold(bytes int64) (all int64) {
	all = t.e.txBytes.Add(bytes - t.held)
	t.held = bytes
	return all
}

// grown refuses writes that memory has no room for: they are kept there until the commit, in the
// transaction and once more for the changelog.
func (t *txn) grown() error {
	most := t.e.memory.Limit() / 4
	if t.hold(int64(t.data.Bytes())) > most {
		return sql.Errorf("53200", "out of memory").WithDetail("What transactions have written and not committed takes more than %d MB.", most>>20).
			WithHint("Write fewer rows in a transaction, or start the server with a larger --memory-budget.")
	}
	return nil
}

func (t *txn) savepoint(name string) {
	s := savepoint{name: name, edit: -1, changes: map[uint32]int{}, onDone: len(t.onDone), locks: len(t.owner.tables)}
	if t.edit != nil {
		s.edit = t.edit.Mark()
	}
	if t.data != nil {
		s.data, s.hasData = t.data.Mark(), true
	}
	for id, c := range t.changes {
		s.changes[id] = len(c)
	}
	t.saves = append(t.saves, s)
}

// find returns the index of the newest savepoint of that name.
func (t *txn) find(name string) (int, error) {
	for i := len(t.saves) - 1; i >= 0; i-- {
		if t.saves[i].name == name {
			return i, nil
		}
	}
	return 0, sql.Errorf("3B001", "savepoint %q does not exist", name)
}

func (t *txn) rollbackTo(name string) error {
	i, err := t.find(name)
	if err != nil {
		return err
	}
	s := t.saves[i]
	t.saves = t.saves[:i+1]
	if t.edit != nil {
		if s.edit < 0 {
			t.edit = nil
		} else {
			t.edit.RollbackTo(s.edit)
		}
	}
	if t.data != nil {
		if s.hasData {
			t.data.RollbackTo(s.data)
			t.hold(int64(t.data.Bytes()))
		} else {
			_ = t.data.Close() // a snapshot's close has nothing to tell that matters here
			t.data = nil
			t.hold(0)
		}
	}
	for id, c := range t.changes {
		t.changes[id] = c[:s.changes[id]]
	}
	for _, f := range t.onDone[s.onDone:] {
		f(false)
	}
	t.onDone = t.onDone[:s.onDone]
	t.e.locks.release(t.owner, s.locks)
	t.failed = false
	return nil
}

func (t *txn) releaseSavepoint(name string) error {
	i, err := t.find(name)
	if err != nil {
		return err
	}
	t.saves = t.saves[:i]
	return nil
}

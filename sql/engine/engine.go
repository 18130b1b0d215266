// Package engine is the server behind the protocol: it keeps the catalog, runs the jobs and
// executes statements. It satisfies wire.Backend; wire knows nothing of it.
//
//	wire ──Session──▶ statement dispatch ──┬─ DDL: catalog edit, jobs started at COMMIT
//	                                       ├─ DML: table rows and changelog in one batch
//	                                       ├─ queries: planner ▶ bounded exec graph over a snapshot
//	                                       └─ SUBSCRIBE: changelog tail, or a temporary job
//	jobs ──epochs──▶ state ──changelogs──▶ views, SUBSCRIBE, sink delivery
//
// Invariants:
//   - The catalog on disk changes in the same synced batch as the data that depends on it.
//   - Commits of table data are ordered by one counter, the table epoch; a reader that starts from
//     a snapshot at epoch P sees exactly the commits up to P, and the changelog has the rest.
//   - A job never holds a lock that a statement needs, nor the other way round.
package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// Config is what the binary gives the engine.
type Config struct {
	DataDir      string
	MemoryBudget int64 // bytes for operator state and Pebble together
	Connectors   []connectors.Connector
	Logger       *slog.Logger
	Parallelism  int    // tasks a fragment; 0 = one a core
	Version      string // of the binary
	// Producer writes records to a topic at least once, for dlq.topic and late.topic; nil = unsupported.
	Producer func(r connectors.Relation) (RecordProducer, error)
	// Secret is the value that WITH (option = SECRET name) stands for; nil = there are none.
	Secret func(name string) (string, error)
	// StateOptions overrides how the store is opened, in tests.
	StateOptions *state.Options
	// DeadLetterAge and DeadLetterBytes bound what streamsql.dead_letters and streamsql.late_rows keep.
	DeadLetterAge   time.Duration
	DeadLetterBytes int64
	// SinkBacklog is how many bytes a sink may be behind its job; then the job waits. 0 = 16 GiB.
	SinkBacklog int64

	tailBytes  int64         // how far a subscriber may be behind, in tests; 0 = tailBytes
	renewMarks time.Duration // how often marks are renewed, in tests; 0 = renewPeriod
	checkOnly  bool          // jobs are not started and targets not connected to: see Checker
}

// RecordProducer sends raw records somewhere, at least once.
type RecordProducer interface {
	SendDeadLetter(ctx context.Context, topic string, d *connectors.DeadLetter) error
	Send(ctx context.Context, topic string, key, value []byte, headers ...string) error
	Flush(ctx context.Context) error
	Close() error
}

// Engine is one node. It is safe for concurrent use.
type Engine struct {
	cfg        Config
	log        *slog.Logger
	store      *state.Store
	memory     *exec.Memory // of the operators of all jobs
	meta       state.Meta
	connectors map[string]connectors.Connector
	started    time.Time

	catalog atomic.Pointer[catalog.Snapshot]
	nextID  atomic.Uint32

	// commit serialises catalog and table commits: it orders table epochs.
	commit     commitLock
	tableEpoch uint64 // the last committed one; guarded by commit

	seqMu commitLock
	seq   sequences // guarded by seqMu

	locks    *lockTable
	txBytes  atomic.Int64 // of the writes of all transactions
	jobs     *jobManager
	events   *events
	tails    *tailRegistry
	sessions sessionRegistry
	counters counters

	ctx     context.Context // ends when the engine closes
	stop    context.CancelFunc
	trimmed chan struct{} // closed when trimLoop has ended
}

// stateDir is the store's directory in the data directory.
const stateDir = "state"

// The system's tables in the store.
const (
	metaTable        state.TableID = 1
	deadLettersTable state.TableID = 2
	lateRowsTable    state.TableID = 3
)

// Records of the meta table: what the engine keeps besides relations' rows.
const (
	recordObject     = "object/"     // + id: a catalog object
	recordNextID     = "next-id"     // the next id handed out
	recordTableEpoch = "table-epoch" // the last committed table epoch
	recordSequence   = "sequence/"   // + table id/column: the first value not handed out yet
	firstUserID      = uint32(16384) // as in PostgreSQL: OIDs below are the system's
)

// Open opens the data directory, restores the catalog and starts the jobs.
func Open(cfg Config) (*Engine, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := privateDir(cfg); err != nil {
		return nil, err
	}
	opts := state.Options{Dir: filepath.Join(cfg.DataDir, stateDir), Logger: cfg.Logger}
	ctx, stop := context.WithCancel(context.Background())
	memory := keepToBudget(ctx, cfg.MemoryBudget, &opts)
	if cfg.StateOptions != nil {
		opts = *cfg.StateOptions
	}
	store, err := state.Open(opts)
	if err != nil {
		stop()
		return nil, err
	}
	e := &Engine{cfg: cfg, log: cfg.Logger, store: store, memory: memory, ctx: ctx, stop: stop, meta: state.NewMeta(metaTable), connectors: map[string]connectors.Connector{}, started: time.Now(), locks: newLockTable(), commit: newCommitLock(), seqMu: newCommitLock(),
		counters: newCounters(), trimmed: make(chan struct{})}
	for _, c := range cfg.Connectors {
		e.connectors[c.Name()] = c
	}
	e.events = newEvents(e)
	if err := errors.Join(e.restore(), e.sweep()); err != nil {
		e.stop()
		return nil, closing(store.Close, err)
	}
	e.tails = newTailRegistry()
	go e.events.run()
	e.jobs = newJobManager(e)
	go e.trimLoop()
	e.jobs.startAll(e.catalog.Load())
	return e, nil
}

// privateDir makes the data directory one that nobody else may read: passwords that were given in
// WITH (…) are in it, as data is.
func privateDir(cfg Config) error {
	if cfg.DataDir == "" {
		return nil
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	if i, err := os.Stat(cfg.DataDir); err == nil && i.Mode().Perm()&0o077 != 0 {
		cfg.Logger.Warn("other users of this machine can read the data directory", "data_dir", cfg.DataDir, "mode", i.Mode().Perm().String())
	}
	return nil
}

func closing(close func() error, err error) error {
	_ = close() // the first error is the one to tell
	return err
}

// restore reads the catalog and the counters.
func (e *Engine) restore() error {
	var objects []*catalog.Object
	err := e.meta.Scan(e.store, recordObject, func(name string, record []byte) error {
		o := &catalog.Object{}
		if err := json.Unmarshal(record, o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		objects = append(objects, o)
		return nil
	})
	if err != nil {
		return fmt.Errorf("restore the catalog: %w", err)
	}
	e.catalog.Store(catalog.NewSnapshot(objects))
	next := firstUserID
	if _, err := e.meta.Get(e.store, recordNextID, &next); err != nil {
		return err
	}
	e.nextID.Store(next)
	_, err = e.meta.Get(e.store, recordTableEpoch, &e.tableEpoch)
	return err
}

// Close stops the jobs after a last epoch and closes the store. Jobs that do not stop in time are
// cut off: they go on from their last committed epoch at the next start. One that is in the middle
// of a long step is left to the end of the process, and then the store is too.
func (e *Engine) Close(ctx context.Context) error {
	stopped, _ := await(ctx, func() error { e.jobs.stopAll(ctx); return nil })
	e.stop()
	if !stopped {
		e.log.Info("jobs are cut off")
		return e.store.Sync()
	}
	<-e.trimmed
	e.events.close()
	e.awaitSessions(ctx)
	return e.closeStore(ctx)
}

// await runs f and waits for it until ctx ends, and at least for a moment; ok is false if it is still
// running then.
func await(ctx context.Context, f func() error) (ok bool, err error) {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return true, err
	case <-time.After(100 * time.Millisecond):
		return false, nil
	}
}

// awaitSessions waits, at most a second, until the clients' sessions are closed: what they read must
// be given up before the store is.
func (e *Engine) awaitSessions(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for len(e.sessions.list()) > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// closeStore waits for the store's compactions until ctx ends, and at least for a moment. A store
// that takes longer is left to the end of the process: all that is in it is synced before, and a
// compaction that is cut off is begun again after the next start.
func (e *Engine) closeStore(ctx context.Context) error {
	if err := e.store.Sync(); err != nil {
		return closing(e.store.Close, err)
	}
	closed, err := await(ctx, e.store.Close)
	if !closed {
		e.log.Info("the store's compactions are cut off")
	}
	return err
}

// Ready tells why the engine can't serve, or nil.
func (e *Engine) Ready() error { return e.ctx.Err() }

// JobInfo is a job as the console shows it.
type JobInfo struct {
	Name, Kind, State, LastError string
	Epoch                        uint64
	Restarts                     int64
}

// Jobs lists the jobs by name.
func (e *Engine) Jobs() []JobInfo {
	var out []JobInfo
	for _, j := range e.jobs.list() {
		o, st := j.obj, j.status()
		out = append(out, JobInfo{o.Name, string(o.Kind), st.state, st.lastError, st.epoch, st.restarts})
	}
	return out
}

// connector finds the connector of an option value.
func (e *Engine) connector(name string) (connectors.Connector, error) {
	if c := e.connectors[name]; c != nil {
		return c, nil
	}
	names := make([]string, 0, len(e.connectors))
	for n := range e.connectors {
		names = append(names, n)
	}
	err := sql.Errorf(sql.CodeInvalidParameter, "connector %q does not exist", name)
	if near := connectors.Nearest(name, names); near != "" {
		return nil, err.WithHint("Did you mean %q?", near)
	}
	return nil, err
}

// newID hands out an id for an object or a state table. Ids of transactions that roll back are lost.
func (e *Engine) newID() uint32 { return e.nextID.Add(1) - 1 }

// putCatalog writes an edit's changes into a batch, with the id counter.
func (e *Engine) putCatalog(b *state.Batch, changes []catalog.Change) error {
	for _, c := range changes {
		if c.Put == nil {
			e.meta.Delete(b, recordObject+itoa(c.Drop.ID))
			continue
		}
		if err := e.meta.Put(b, recordObject+itoa(c.Put.ID), c.Put); err != nil {
			return err
		}
	}
	return e.meta.Put(b, recordNextID, e.nextID.Load())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// world is one topology: a server with its directory, topics and jobs of its own, which live through
// several rounds.
type world struct {
	c   *cluster
	cfg *config
	n   int // its number

	dir        string
	disk       bool          // the data directory is a disk of its own, which can be filled
	interval   string        // of epochs
	txnTimeout time.Duration // of sinks' transactions

	srv         *server
	gen         *generator
	bank        *bank
	oracle      *oracle
	watchers    *watchers
	subscribers []*subscriber
	keeper      keeper
	outside     atomic.Int64 // processes that somebody else has killed

	partitionMu  sync.Mutex
	partitions   int32 // of the events' topic; the generator uses new ones from the round's end on
	groupDeleted atomic.Int64

	notesMu sync.Mutex
	began   time.Time // the round
	notes   []string
}

func (w *world) topic(name string) string { return fmt.Sprintf("%s-%d", name, w.n) }

func (w *world) group() string { return fmt.Sprintf("readers-%d", w.n) }

// note keeps what happened in a round, with its time, for the report of a failure.
func (w *world) note(format string, args ...any) {
	w.notesMu.Lock()
	defer w.notesMu.Unlock()
	w.notes = append(w.notes, fmt.Sprintf("%s +%6.2fs  %s", time.Now().Format("15:04:05.000"), time.Since(w.began).Seconds(), fmt.Sprintf(format, args...)))
}

const diskSize = "512m"

// newWorld starts a topology; its choices come from r.
func newWorld(ctx context.Context, c *cluster, cfg *config, n int, r *rand.Rand) (w *world, err error) {
	w = &world{c: c, cfg: cfg, n: n, dir: filepath.Join(cfg.dir, fmt.Sprintf("topology-%d", n)), subscribers: newSubscribers(), began: time.Now()}
	w.partitions = 2 + r.Int32N(3)
	w.interval = []string{"auto", "auto", "50ms", "400ms"}[r.IntN(4)]
	w.txnTimeout = []time.Duration{2 * time.Second, 10 * time.Second}[r.IntN(2)]
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close(), w.freeDisk(true))
		}
	}()
	data := filepath.Join(w.dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return w, err
	}
	if r.IntN(2) == 0 {
		w.disk = mountDisk(data, diskSize) == nil // not everybody may; then no disk is filled
	}
	if w.oracle, err = c.oracle(ctx); err != nil {
		return w, err
	}
	if err := w.oracle.reset(ctx, w.tables()); err != nil {
		return w, err
	}
	err = admin(ctx, w, func(cl *kadm.Client) error {
		_, err := cl.CreateTopic(ctx, w.partitions, 1, nil, w.topic(events))
		return err
	})
	if err != nil {
		return w, err
	}
	if w.srv, err = newServer(cfg.server, data, filepath.Join(w.dir, "server.log")); err != nil {
		return w, err
	}
	if err := w.srv.start(); err != nil {
		return w, err
	}
	w.keep(ctx)
	if w.gen, err = newGenerator(ctx, c.kafkaProxy.addr(), w.topic(events), w.partitions); err != nil {
		return w, err
	}
	w.bank = &bank{srv: w.srv}
	if err := w.create(ctx); err != nil {
		return w, err
	}
	w.watch(ctx)
	return w, nil
}

// create makes the relations and the jobs, those that read a topic of ours after those that write it.
func (w *world) create(ctx context.Context) error {
	parts := []string{w.schema()}
	for _, j := range jobs {
		parts = append(parts, j.statement(w)+";\n")
	}
	if err := os.WriteFile(filepath.Join(w.dir, "schema.sql"), []byte(strings.Join(parts, "")), 0o644); err != nil {
		return err
	}
	for _, p := range parts {
		if err := w.makeOnce(ctx, p); err != nil {
			return fmt.Errorf("create the jobs: %w", err)
		}
	}
	return nil
}

// makeOnce runs statements that create something, all of it or nothing; again if the server, Kafka or
// PostgreSQL was killed meanwhile, when it may turn out that they were done.
func (w *world) makeOnce(ctx context.Context, statements string) error {
	deadline := time.Now().Add(2 * startWait)
	for again := false; ; again = true {
		err := w.srv.exec(ctx, statements)
		code := sqlState(err)
		if err == nil || again && code == "42P07" {
			return nil
		}
		pause(ctx, 300*ms) // until the keeper has seen it
		away := excused(err) || strings.HasPrefix(code, "08")
		if ctx.Err() != nil || !away || w.outside.Load() == 0 || time.Now().After(deadline) {
			return err
		}
	}
}

// round sends a round's records while its faults happen, and verifies everything that came of all
// records so far.
func (w *world) round(ctx context.Context, round int, r *rand.Rand) (*result, error) {
	w.began, w.notes = time.Now(), nil
	w.outside.Store(0)
	batches := 60 + r.IntN(100)
	faults := planFaults(r, w.cfg, time.Duration(batches)*batchPause)
	res := &result{faults: faults}
	data, money := rand.New(rand.NewPCG(r.Uint64(), 0)), rand.New(rand.NewPCG(r.Uint64(), 0))

	errs := make(chan error)
	go func() { errs <- w.gen.round(ctx, data, round, batches) }()
	stop := make(chan struct{})
	banked := make(chan error, 1)
	go func() { banked <- w.bank.run(ctx, money, stop) }()
	for _, f := range faults {
		go func() {
			pause(ctx, f.at)
			w.note("begins: %s", f)
			err := f.kind.inflict(ctx, w, f)
			w.note("over:   %s", f)
			if err != nil {
				err = fmt.Errorf("%s: %w", f, err)
			}
			errs <- err
		}()
	}
	var err error
	for range 1 + len(faults) {
		err = errors.Join(err, <-errs)
	}
	close(stop)
	if err = errors.Join(err, <-banked); err != nil {
		return res, err
	}
	// A new partition is without a tick: it would hold event time back.
	if w.gen.partitions < w.partitions {
		if err := w.gen.grow(ctx, w.partitions); err != nil {
			return res, err
		}
		if err := w.gen.ticks(ctx, data, round); err != nil {
			return res, err
		}
	}
	w.note("everything is sent and every fault is over")
	quiet := time.Now()
	err = w.verify(ctx)
	res.outside = w.outside.Load()
	res.records, res.quiet, res.took = len(w.gen.ledger.records), time.Since(quiet), time.Since(w.began)
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	if w.srv.ended() && !w.srv.Killed() {
		err = errors.Join(err, fmt.Errorf("the server has ended by itself: %s", w.srv.cmd.ProcessState))
	}
	return res, err
}

// result is what a round was.
type result struct {
	faults      []fault
	outside     int64 // processes that somebody else has killed
	records     int   // in the ledger
	quiet, took time.Duration
}

// close ends the topology; its directory stays.
func (w *world) close() error {
	if w.watchers != nil {
		w.watchers.stop()
	}
	if w.gen != nil {
		w.gen.close()
	}
	if w.oracle != nil {
		w.oracle.close(context.Background())
	}
	if w.bank != nil && w.bank.conn != nil {
		_ = w.bank.conn.Close(context.Background()) // the server ends next
	}
	w.keeper.close()
	var err error
	if w.srv != nil && w.srv.cmd != nil && !w.srv.ended() {
		err = w.srv.end()
	}
	return err
}

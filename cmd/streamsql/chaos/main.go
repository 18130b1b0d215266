// Command chaos runs the server between a real Kafka and a real PostgreSQL, breaks things at random
// moments, and compares every output with what PostgreSQL answers over the records sent:
//
//	generator ──▶ proxy ─▶ Kafka ◀─ proxy ─▶ streamsql ──▶ views, SUBSCRIBE
//	    │                    ▲                  │
//	    │                    └── sinks ◀────────┤
//	    ▼                                       ▼
//	  ledger ─▶ PostgreSQL, the oracle    tables of a bank
//
//	scenario.go   the jobs: each one query, for the engine and for the oracle
//	ledger.go     records, and what has to become of each; generator.go sends them
//	faults.go     what is done to the system
//	watch.go      what must never be seen, looked for all the time; subscribe.go, bank.go: clients
//	oracle.go     the expected outputs; verify.go compares
//	world.go      a topology and its rounds
//
// A round sends some thousand records while one to three faults happen, waits until everything has
// come out, and compares all outputs over all records since the topology began. A topology (a data
// directory, topics, jobs) lives through several rounds.
//
//	make chaos ROUNDS=200 SEED=7
//	go run ./cmd/streamsql/chaos -seed 7 -first 24 -rounds 8        a part of it again
//
// The same seed makes the same choices: of records, faults, moments. What the machine makes of them
// differs from run to run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// config is what the flags say.
type config struct {
	rounds int
	first  int
	seed   uint64
	keep   int
	server string
	dir    string
	only   string
	long   bool
}

func main() {
	var c config
	flag.IntVar(&c.rounds, "rounds", 20, "how many rounds")
	flag.IntVar(&c.first, "first", 0, "the first round, a multiple of -keep: to repeat a part of a run")
	flag.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "of all choices; 0 = by the clock")
	flag.IntVar(&c.keep, "keep", 8, "rounds of a topology")
	flag.StringVar(&c.server, "server", "bin/streamsql", "the server's binary")
	flag.StringVar(&c.dir, "dir", "", "where data and logs go, which stay; empty = a temporary directory, which stays after a failure")
	flag.StringVar(&c.only, "only", "", "only faults with this in their name")
	flag.BoolVar(&c.long, "long", false, "stopped processes are stopped for 5 to 60 s")
	flag.Parse()
	if c.seed == 0 {
		c.seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, &c); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, cfg *config) (err error) {
	temporary := cfg.dir == ""
	if temporary {
		if cfg.dir, err = os.MkdirTemp("", "streamsql-chaos-"); err != nil {
			return err
		}
	}
	if cfg.dir, err = filepath.Abs(cfg.dir); err != nil {
		return err
	}
	fmt.Printf("seed %d, rounds %d to %d, a new topology every %d; %s\n", cfg.seed, cfg.first, cfg.first+cfg.rounds-1, cfg.keep, cfg.dir)
	c, err := startCluster(filepath.Join(cfg.dir, "kafka"))
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, c.close())
		if err == nil && temporary {
			err = os.RemoveAll(cfg.dir)
		}
	}()
	began, reads := time.Now(), 0
	var w *world
	for n := cfg.first; n < cfg.first+cfg.rounds; n++ {
		if w == nil || n%cfg.keep == 0 {
			if w != nil {
				reads += w.watchers.reads
				if err := w.discard(temporary); err != nil {
					return err
				}
			}
			if w, err = newWorld(ctx, c, cfg, n/cfg.keep, rand.New(rand.NewPCG(cfg.seed, 1<<32+uint64(n/cfg.keep)))); err != nil {
				return err
			}
		}
		res, err := w.round(ctx, n%cfg.keep, rand.New(rand.NewPCG(cfg.seed, uint64(n))))
		if err != nil {
			return errors.Join(w.failure(n, res, err), w.close(), w.freeDisk(true))
		}
		fmt.Printf("round %3d  %6d records, %4.1f s, quiet in %4.1f s: %s\n", n, res.records, res.took.Seconds(), res.quiet.Seconds(), res.happened())
	}
	reads += w.watchers.reads
	if err := w.discard(temporary); err != nil {
		return err
	}
	fmt.Printf("%d rounds, nothing lost, doubled or stale; %d snapshots, all whole; %.0f s\n", cfg.rounds, reads, time.Since(began).Seconds())
	return nil
}

// discard ends a topology without a failure.
func (w *world) discard(remove bool) error {
	if err := w.close(); err != nil {
		return err
	}
	if err := w.freeDisk(!remove); err != nil || !remove {
		return err
	}
	return os.RemoveAll(w.dir)
}

// freeDisk unmounts the disk of a server that has ended; its files may be kept in the directory.
func (w *world) freeDisk(keep bool) error {
	if !w.disk {
		return nil
	}
	w.disk = false
	if keep {
		kept := w.srv.dir + "-kept"
		if err := os.CopyFS(kept, os.DirFS(w.srv.dir)); err != nil {
			return err
		}
		return errors.Join(unmountDisk(w.srv.dir), os.Remove(w.srv.dir), os.Rename(kept, w.srv.dir))
	}
	return unmountDisk(w.srv.dir)
}

// failure says all that is needed to look into a round.
func (w *world) failure(n int, res *result, err error) error {
	first := n / w.cfg.keep * w.cfg.keep
	return fmt.Errorf(`round %d of seed %d: %w

what happened in the round:
  %s
faults planned: %s
epochs of %s, transaction timeout %s, %d partitions, a disk of its own: %t
schema, server's log and data: %s (Kafka's: %s)
again: go run ./cmd/streamsql/chaos -seed %d -first %d -rounds %d -keep %d`,
		n, w.cfg.seed, err, strings.Join(w.notes, "\n  "), res.happened(), w.interval, w.txnTimeout, w.partitions, w.disk,
		w.dir, filepath.Join(w.cfg.dir, "kafka"), w.cfg.seed, first, n-first+1, w.cfg.keep)
}

// happened is the faults of a round.
func (r *result) happened() string {
	if r.outside == 0 {
		return join(r.faults)
	}
	return fmt.Sprintf("%s; kill -9 by somebody else, %d times", join(r.faults), r.outside)
}

func join(faults []fault) string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.String()
	}
	return strings.Join(out, "; ")
}

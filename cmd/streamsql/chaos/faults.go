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
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fault is something that is done to the system at a moment of a round. All of its choices are made
// before the round begins.
type fault struct {
	kind *faultKind
	at   time.Duration // since the round began
	hold time.Duration // how long it lasts
	n    int           // a choice of the kind's own
}

func (f fault) String() string {
	if f.hold == 0 {
		return fmt.Sprintf("%s +%.2fs", f.kind.name, f.at.Seconds())
	}
	return fmt.Sprintf("%s +%.2fs for %.2fs", f.kind.name, f.at.Seconds(), f.hold.Seconds())
}

type faultKind struct {
	name     string
	weight   int
	min, max time.Duration // of hold
	inflict  func(ctx context.Context, w *world, f fault) error
}

var faultKinds = []*faultKind{
	{"kill the server", 6, 0, 500 * ms, restartServer(syscall.SIGKILL)},
	{"kill the server as it starts", 6, 0, 300 * ms, killStarting},
	{"kill the server in its first replay", 6, 0, 400 * ms, killReplaying},
	{"end the server in order", 2, 0, 300 * ms, restartServer(syscall.SIGTERM)},
	{"stop the server", 4, 300 * ms, 3000 * ms, stopServer},
	{"kill Kafka", 3, 0, 1000 * ms, killKafka},
	{"stop Kafka", 3, 300 * ms, 4000 * ms, stopKafka},
	{"cut the connections to Kafka", 4, 0, 0, func(_ context.Context, w *world, _ fault) error { w.c.kafkaProxy.cut(); return nil }},
	{"flaky connections to Kafka", 4, 500 * ms, 3000 * ms, func(ctx context.Context, w *world, f fault) error { return flaky(ctx, w.c.kafkaProxy, f) }},
	{"frozen connections to Kafka", 3, 500 * ms, 3000 * ms, func(ctx context.Context, w *world, f fault) error { return frozen(ctx, w.c.kafkaProxy, f) }},
	{"kill PostgreSQL", 3, 0, 1000 * ms, killPostgres},
	{"stop PostgreSQL", 2, 300 * ms, 4000 * ms, stopPostgres},
	{"cut the connections to PostgreSQL", 2, 0, 0, func(_ context.Context, w *world, _ fault) error { w.c.postgresProxy.cut(); return nil }},
	{"flaky connections to PostgreSQL", 3, 500 * ms, 3000 * ms, func(ctx context.Context, w *world, f fault) error { return flaky(ctx, w.c.postgresProxy, f) }},
	{"frozen connections to PostgreSQL", 2, 500 * ms, 3000 * ms, func(ctx context.Context, w *world, f fault) error { return frozen(ctx, w.c.postgresProxy, f) }},
	{"let a transaction expire", 2, 1000 * ms, 2500 * ms, expire},
	{"a new partition", 2, 0, 0, addPartition},
	{"delete the consumer group", 2, 0, 0, deleteGroup},
	{"rebalance the consumer group", 1, 500 * ms, 2000 * ms, rebalanceGroup},
	{"fill the disk", 3, 300 * ms, 2000 * ms, fillDisk},
}

const ms = time.Millisecond

// longStop is the hold of stopped processes in the long form.
const longStopMin, longStopMax = 5 * time.Second, 60 * time.Second

// planFaults chooses one to three faults within the time that a round's records take.
func planFaults(r *rand.Rand, c *config, span time.Duration) []fault {
	total := 0
	var kinds []*faultKind
	for _, k := range faultKinds {
		if c.only == "" || strings.Contains(k.name, c.only) {
			kinds = append(kinds, k)
			total += k.weight
		}
	}
	if total == 0 {
		return nil
	}
	var faults []fault
	for range 1 + r.IntN(3) {
		pick, i := r.IntN(total), 0
		for pick >= kinds[i].weight {
			pick -= kinds[i].weight
			i++
		}
		k := kinds[i]
		f := fault{kind: k, at: time.Duration(r.Int64N(int64(span))), n: r.IntN(1 << 20)}
		low, high := k.min, k.max
		if c.long && strings.HasPrefix(k.name, "stop ") {
			low, high = longStopMin, longStopMax
		}
		f.hold = low + time.Duration(r.Int64N(int64(high-low)+1))
		faults = append(faults, f)
	}
	return faults
}

// pause is the fault's hold; ended early only if everything ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// restartServer ends the server by a signal, and starts it after a while.
func restartServer(sig syscall.Signal) func(context.Context, *world, fault) error {
	return func(ctx context.Context, w *world, f fault) error {
		w.srv.mu.Lock()
		defer w.srv.mu.Unlock()
		if err := w.srv.signal(sig); err != nil {
			return err
		}
		pause(ctx, f.hold)
		return w.srv.start()
	}
}

// killStarting kills it, and once or twice more on its way up.
func killStarting(ctx context.Context, w *world, f fault) error {
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	for i := range 2 + f.n%2 {
		if err := w.srv.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if err := w.srv.start(); err != nil {
			return err
		}
		if i == 0 {
			pause(ctx, f.hold)
		} else {
			pause(ctx, f.hold/2)
		}
	}
	return nil
}

// killReplaying kills it again when its jobs have just begun to go on from their last epochs.
func killReplaying(ctx context.Context, w *world, f fault) error {
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	for range 2 {
		if err := w.srv.signal(syscall.SIGKILL); err != nil {
			return err
		}
		if err := w.srv.start(); err != nil {
			return err
		}
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && ctx.Err() == nil; {
			rows, err := w.srv.rows(ctx, "SELECT name FROM streamsql.jobs WHERE state = 'running'")
			if err == nil && len(rows) > f.n%len(jobs) {
				break
			}
			time.Sleep(5 * ms)
		}
		pause(ctx, f.hold)
	}
	return nil
}

func stopServer(ctx context.Context, w *world, f fault) error {
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	if err := w.srv.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	pause(ctx, f.hold)
	return w.srv.signal(syscall.SIGCONT)
}

// expire stops the server, or all that it says, until the broker has given up the transactions that
// were open.
func expire(ctx context.Context, w *world, f fault) error {
	f.hold += w.txnTimeout
	if f.n/2%2 == 0 {
		return stopServer(ctx, w, f)
	}
	return frozen(ctx, w.c.kafkaProxy, f)
}

func killKafka(ctx context.Context, w *world, f fault) error {
	return kill(ctx, &w.c.kafkaMu, w.c.kafka, f)
}

func killPostgres(ctx context.Context, w *world, f fault) error {
	return kill(ctx, &w.c.postgresMu, w.c.postgres, f)
}

// kill is kill -9 of a server beside ours, and a start after a while. One that somebody else kills as it
// starts is left to its keeper.
func kill(ctx context.Context, mu *sync.Mutex, s interface {
	kept
	Kill() error
}, f fault) error {
	mu.Lock()
	defer mu.Unlock()
	if err := s.Kill(); err != nil {
		return err
	}
	pause(ctx, f.hold)
	if err := s.Restart(); err != nil && !s.Killed() {
		return err
	}
	return nil
}

func stopKafka(ctx context.Context, w *world, f fault) error {
	return stop(ctx, &w.c.kafkaMu, func() []int { return []int{w.c.kafka.Pid()} }, f)
}

func stopPostgres(ctx context.Context, w *world, f fault) error {
	return stop(ctx, &w.c.postgresMu, w.c.postgres.Processes, f)
}

// stop makes the processes of a server beside ours stand still.
func stop(ctx context.Context, mu *sync.Mutex, processes func() []int, f fault) error {
	mu.Lock()
	defer mu.Unlock()
	pids := processes()
	signalAll(pids, syscall.SIGSTOP)
	defer signalAll(pids, syscall.SIGCONT)
	pause(ctx, f.hold)
	return nil
}

func flaky(ctx context.Context, p *proxy, f fault) error {
	p.flaky(rand.New(rand.NewPCG(uint64(f.n), 0)))
	pause(ctx, f.hold)
	p.steady()
	return nil
}

func frozen(ctx context.Context, p *proxy, f fault) error {
	p.freeze()
	pause(ctx, f.hold)
	if f.n%2 == 0 {
		p.cut() // what was on its way is lost
	}
	p.thaw()
	return nil
}

// admin does something to Kafka past the proxy, again and again until it is done: a fault of Kafka's
// may be on at the same time.
func admin(ctx context.Context, w *world, do func(*kadm.Client) error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.c.kafka.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for deadline := time.Now().Add(startWait); ; time.Sleep(100 * ms) {
		err := do(kadm.NewClient(cl))
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
	}
}

// maxPartitions keeps rounds comparable.
const maxPartitions = 6

func addPartition(ctx context.Context, w *world, _ fault) error {
	w.partitionMu.Lock()
	defer w.partitionMu.Unlock()
	if w.partitions >= maxPartitions {
		return nil
	}
	err := admin(ctx, w, func(c *kadm.Client) error {
		resp, err := c.UpdatePartitions(ctx, int(w.partitions+1), w.topic(events))
		if err == nil {
			err = resp.Error()
		}
		return err
	})
	if err == nil {
		w.partitions++
	}
	return err
}

// deleteGroup deletes the group that positions are shown in; it comes back with the next epoch.
func deleteGroup(ctx context.Context, w *world, _ fault) error {
	defer w.groupDeleted.Add(1)
	w.groupDeleted.Add(1)
	return admin(ctx, w, func(c *kadm.Client) error {
		if _, err := c.DeleteGroup(ctx, w.group()); !errors.Is(err, kerr.GroupIDNotFound) {
			return err
		}
		return nil
	})
}

// rebalanceGroup has a member join the group and leave.
func rebalanceGroup(ctx context.Context, w *world, f fault) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.c.kafka.Addr()), kgo.ConsumerGroup(w.group()), kgo.ConsumeTopics(w.topic(events)), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, f.hold)
	defer cancel()
	for ctx.Err() == nil {
		cl.PollFetches(ctx) // what it gets, or why it gets nothing, does not matter
	}
	return nil
}

// fillDisk leaves little room or none on the server's disk for a while. The server may end of it: it
// is started again when there is room.
func fillDisk(ctx context.Context, w *world, f fault) (err error) {
	if !w.disk {
		w.note("there is no disk to fill: see newWorld")
		return nil
	}
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	file := filepath.Join(w.srv.dir, "filler")
	leave := int64(0)
	if f.n%2 == 0 {
		leave = 32 << 20
	}
	if err := fill(file, leave); err != nil {
		return err
	}
	pause(ctx, f.hold)
	if err := os.Remove(file); err != nil {
		return err
	}
	pause(ctx, 200*ms)
	if w.srv.ended() {
		w.note("the server ended on the full disk")
		return w.srv.start()
	}
	return nil
}

// fill writes a file until no more than `leave` bytes are free.
func fill(name string, leave int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	chunk := make([]byte, 64<<10)
	for {
		free, err := freeBytes(filepath.Dir(name))
		if err != nil || free <= leave {
			return errors.Join(err, f.Close())
		}
		if _, err := f.Write(chunk[:min(int64(len(chunk)), free-leave)]); errors.Is(err, syscall.ENOSPC) {
			return f.Close()
		} else if err != nil {
			return errors.Join(err, f.Close())
		}
	}
}

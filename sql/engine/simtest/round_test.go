package simtest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/state/statetest"
)

// settle is how long a server may take, on the world's clock, until everything is as it must be: longer
// than a transaction takes to expire, and its coordinator to say so.
const settle = 3 * time.Minute

// round is one: things go wrong while records and transactions come, then all has to be right.
func (w *world) round(ctx context.Context, n int) bool {
	w.tell("round %d", n)
	if w.r.IntN(8) == 0 {
		w.addPartition(ctx)
	}
	w.bank.stop = make(chan struct{})
	w.bank.done.Add(1)
	go w.bank.run(ctx)
	onlooker := w.look(ctx)
	ended := make(chan error, 1)
	go func() {
		for range 1 + w.in.r.IntN(8) {
			time.Sleep(time.Duration(w.in.r.IntN(300)) * time.Millisecond)
			if err := w.in.send(ctx, 5+w.in.r.IntN(80)); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	var undo []func()
	for range 1 + w.r.IntN(3) {
		time.Sleep(time.Duration(w.r.IntN(600)) * time.Millisecond)
		if f := faults[w.r.IntN(len(faults))](ctx, w); f != nil {
			undo = append(undo, f)
		}
	}
	time.Sleep(time.Duration(w.r.IntN(2000)) * time.Millisecond)
	if err := <-ended; err != nil {
		w.t.Errorf("produce: %v", err)
	}
	close(w.bank.stop)
	w.bank.done.Wait()
	for _, f := range undo {
		f()
	}
	w.revive(ctx)
	if err := onlooker(); err != nil {
		w.t.Errorf("round %d: %v", n, err)
	}
	return w.settled(ctx, n)
}

// settled waits until all is right, and looks again whether it stays so.
func (w *world) settled(ctx context.Context, n int) bool {
	var err error
	for began := time.Now(); time.Since(began) < settle; time.Sleep(100*time.Millisecond + time.Since(began)/8) {
		if err = w.check(ctx); err == nil {
			break
		}
		w.revive(ctx)
	}
	if err == nil && w.r.IntN(4) == 0 {
		time.Sleep(2 * time.Second)
		err = w.check(ctx)
	}
	if err != nil {
		rows, qerr := w.running().query(ctx, "SELECT name, state, epoch, delivered_epoch, last_error FROM streamsql.jobs ORDER BY name")
		w.t.Errorf("round %d: %v\n%s %v", n, err, strings.Join(rows, "\n"), qerr)
	}
	return !w.t.Failed()
}

// fault is something that goes wrong; it may return what puts it right again.
type fault func(ctx context.Context, w *world) (undo func())

var faults = []fault{crashNow, crashAtOperation, crashAtOperation, crashWhileStarting, restart, cutConnections, flakyNetwork, freezeShort, freezeLong,
	brokerErrors, brokerErrors, brokerErrors, moveLeaders, tableErrors, diskFull}

func crashNow(ctx context.Context, w *world) func() {
	w.tell("crash")
	w.running().crash()
	w.revive(ctx)
	return nil
}

// crashAtOperation is a crash at a disk operation a while from now.
func crashAtOperation(ctx context.Context, w *world) func() {
	n := 1 + w.r.IntN(300)
	w.tell("crash at the disk's operation %d from now", n)
	s := w.running()
	s.arm(n)
	select {
	case <-s.crashed:
	case <-time.After(time.Duration(w.r.IntN(3000)) * time.Millisecond):
	}
	w.revive(ctx)
	return nil
}

// crashWhileStarting crashes, and again at a disk operation of the start, or of the replay after it.
func crashWhileStarting(ctx context.Context, w *world) func() {
	s := w.server.Swap(nil)
	s.crash()
	disk := w.bury(ctx, s)
	for range 1 + w.r.IntN(3) {
		n := 1 + w.r.IntN(120)
		w.tell("crash at operation %d of the start", n)
		next, err := w.boot(disk, n)
		select {
		case <-next.crashed:
		case <-time.After(time.Duration(w.r.IntN(300)) * time.Millisecond):
			if err != nil {
				w.t.Errorf("start: %v", err)
			}
		}
		next.crash()
		disk = w.bury(ctx, next)
	}
	w.start(disk)
	return nil
}

// restart is an orderly end, and another start.
func restart(ctx context.Context, w *world) func() {
	w.tell("restart")
	s := w.server.Swap(nil)
	w.start(w.bury(ctx, s))
	return nil
}

func cutConnections(ctx context.Context, w *world) func() {
	w.tell("connections cut")
	w.running().link.cut(false)
	return nil
}

func flakyNetwork(ctx context.Context, w *world) func() {
	p := w.r.Float64() * 0.1
	w.tell("a network that cuts one packet in %.0f", 1/p)
	l := w.running().link
	l.flaky(p)
	time.Sleep(time.Duration(w.r.IntN(3000)) * time.Millisecond)
	return func() { l.flaky(0) }
}

func freezeShort(ctx context.Context, w *world) func() { return freeze(w, 5*time.Second) }

// freezeLong outlasts transactions.
func freezeLong(ctx context.Context, w *world) func() { return freeze(w, 100*time.Second) }

func freeze(w *world, most time.Duration) func() {
	d := time.Duration(w.r.Int64N(int64(most)))
	w.tell("nothing moves between server and broker for %v", d)
	w.running().link.freeze(d)
	return func() { time.Sleep(d) }
}

// brokerErrors makes the broker answer some requests with errors.
func brokerErrors(ctx context.Context, w *world) func() {
	keys := []kmsg.Key{kmsg.Produce, kmsg.Fetch, kmsg.ListOffsets, kmsg.Metadata, kmsg.OffsetCommit, kmsg.OffsetFetch, kmsg.FindCoordinator,
		kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit}
	errs := []*kerr.Error{kerr.NotLeaderForPartition, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RequestTimedOut, kerr.CoordinatorLoadInProgress,
		kerr.ConcurrentTransactions, kerr.UnknownServerError, kerr.LeaderNotAvailable, kerr.NetworkException, kerr.InvalidProducerEpoch, kerr.KafkaStorageError}
	f := kfake.Fault{Keys: []kmsg.Key{keys[w.r.IntN(len(keys))]}, Err: errs[w.r.IntN(len(errs))], Count: 1 + w.r.IntN(6), TopLevel: w.r.IntN(2) == 0}
	// The input's own requests are left alone.
	f.When = func(req kmsg.Request) bool {
		p, ok := req.(*kmsg.ProduceRequest)
		return !ok || len(p.Topics) == 0 || p.TransactionID != nil
	}
	w.tell("broker: %d× %s answers %s", f.Count, f.Keys[0].Name(), f.Err.Message)
	return w.broker.Fault(f).Remove
}

func moveLeaders(ctx context.Context, w *world) func() {
	w.tell("leaders and coordinators move")
	w.broker.ShufflePartitionLeaders()
	w.broker.RehashCoordinators()
	return nil
}

// tableErrors lets writes and reads of tables fail, as a disk does that is full or breaking. Nothing
// of it may be lost.
func tableErrors(ctx context.Context, w *world) func() {
	p, n := w.r.Float64()*0.3, 1+w.r.IntN(20)
	w.tell("one operation in %.0f on tables fails, %d times at most", 1/p, n)
	s := w.running()
	s.fail(p, n)
	return func() { s.fail(0, 0) }
}

// diskFull leaves no room for commits for a while.
func diskFull(ctx context.Context, w *world) func() {
	w.tell("the disk is full")
	disk := w.running().disk
	disk.SetFree(1 << 20)
	time.Sleep(time.Duration(w.r.IntN(5000)) * time.Millisecond)
	disk.SetFree(1 << 40)
	return nil
}

// addPartition adds one to the input's topic, and waits until it is found.
func (w *world) addPartition(ctx context.Context) {
	cl, err := w.kafka()
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreatePartitions(ctx, 1, "in"); err != nil {
		w.t.Fatal(err)
	}
	w.in.partitions++
	w.tell("partition %d", w.in.partitions-1)
	time.Sleep(15 * time.Second)
}

// revive starts a server where the last one crashed.
func (w *world) revive(ctx context.Context) {
	s := w.running()
	select {
	case <-s.crashed:
	default:
		return
	}
	w.tell("crashed")
	w.server.Store(nil)
	w.start(w.bury(ctx, s))
}

func (w *world) start(disk *statetest.Disk) {
	s, err := w.boot(disk, 0)
	if err != nil {
		w.t.Fatalf("start: %v", err)
	}
	w.server.Store(s)
}

// patience is how long a server may take to end; what it leaves to the end of its process would go on
// in the world.
const patience = 10 * time.Minute

// bury ends a server. What is left of a crashed one may complain.
func (w *world) bury(ctx context.Context, s *server) *statetest.Disk {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	disk, err := s.bury(ctx)
	if err != nil {
		w.t.Errorf("stop the server: %v", err)
	}
	return disk
}

// look reads all through the round what must hold at every moment: a record is in both of its
// windows, a transfer at both its ends, epochs and positions never go back. It ends when the returned function is called.
func (w *world) look(ctx context.Context) func() error {
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		seen := map[string]int{}
		for {
			select {
			case <-stop:
				done <- nil
				return
			case <-time.After(20*time.Millisecond + time.Since(time.UnixMilli(w.news.Load()))/16): // often when something happens
			}
			s := w.running()
			if s == nil {
				continue
			}
			if err := w.glance(ctx, s, seen); err != nil {
				done <- err
				<-stop
				return
			}
		}
	}()
	return func() error { close(stop); return <-done }
}

func (w *world) glance(ctx context.Context, s *server, seen map[string]int) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for what, want := range map[string]string{halves: "0", balance: "0", "SELECT sum(n) FROM acct": fmt.Sprint(1000 * bankAccounts)} {
		if what == halves && w.in.late {
			continue // a row may be late for one of them
		}
		rows, err := s.query(ctx, what)
		if err != nil {
			return nil // the server is going down
		}
		if len(rows) != 1 || rows[0] != want && rows[0] != "NULL" {
			return fmt.Errorf("%s gave %s while it ran, not %s", what, rows, want)
		}
	}
	rows, err := s.query(ctx, "SELECT 'epoch of ' || name, epoch FROM streamsql.jobs UNION ALL SELECT job || ' ' || topic || ' ' || partition, position FROM streamsql.sources WHERE topic = 'in'")
	if err != nil {
		return nil
	}
	for _, r := range rows {
		name, at, _ := strings.Cut(r, "|")
		var n int
		if _, err := fmt.Sscan(at, &n); err != nil {
			continue // NULL
		}
		if n < seen[name] && strings.HasPrefix(name, "epoch") {
			return fmt.Errorf("%s went back from %d to %d", name, seen[name], n)
		}
		seen[name] = n
	}
	return nil
}

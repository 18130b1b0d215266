// Package simtest runs whole servers against an embedded broker in a simulated world: disks that lose
// what was not synced, a network that cuts and stalls, brokers that answer with errors, crashes at any
// disk operation, and a clock that jumps ahead while everybody waits. A minute of it takes a few
// milliseconds.
//
//	input, bank ─ records, transactions ─▶ broker, server ◀─ faults, crashes
//	                                              └─ outputs ─▶ compared with a naive computation
//
// A world lives for some rounds. In each, records and transactions come while one to three things go
// wrong; then everything has to hold exactly what it must: nothing lost, nothing twice, no position
// that went back, no view that showed half an epoch.
package simtest

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state/statetest"
)

var rounds = flag.Int("sim.rounds", worldRounds, "rounds of the simulation")

// worldRounds is how many rounds a world lives.
const worldRounds = 12

// TestSimulation runs worlds until the rounds are over. Each has a seed of its own, the next number.
func TestSimulation(t *testing.T) {
	seed := seedtest.Seed(t)
	for done := 0; done < *rounds; done += worldRounds {
		world := seed + uint64(done/worldRounds)
		t.Run(fmt.Sprint(world), func(t *testing.T) {
			t.Parallel()
			if failed.Load() {
				return // one story at a time
			}
			synctest.Test(t, func(t *testing.T) { simulate(t, world, min(worldRounds, *rounds-done)) })
			if t.Failed() {
				failed.Store(true)
				t.Logf("repeat with %s=%d -sim.rounds=%d", seedtest.Variable, world, worldRounds)
			}
		})
	}
}

// failed tells that a world did.
var failed atomic.Bool

// world is everything: a broker, a server that comes and goes, those who produce and look on.
type world struct {
	t      *testing.T
	r      *rand.Rand // the story's; each part has one of its own
	log    *slog.Logger
	net    network
	broker *kfake.Cluster
	port   int // of the last server
	server atomic.Pointer[server]
	in     *input
	bank   *bank
	end    time.Time    // the watermark
	news   atomic.Int64 // when something happened last, unix milliseconds
}

// rand is a new source that depends on the world's seed.
func (w *world) rand() *rand.Rand { return rand.New(rand.NewPCG(w.r.Uint64(), 0)) }

// tell notes what happens, for the log of a world that fails.
func (w *world) tell(format string, args ...any) {
	w.news.Store(time.Now().UnixMilli())
	w.t.Logf("%8.3fs %s", time.Since(bubbleStart).Seconds(), fmt.Sprintf(format, args...))
}

// bubbleStart is when time begins in a bubble of synctest.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// running is the server, or nil between two of them.
func (w *world) running() *server { return w.server.Load() }

// kafka makes a client of the broker that nothing happens to.
func (w *world) kafka(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(opts, kgo.SeedBrokers(kafkaAddr), kgo.Dialer(w.net.DialContext))...)
}

// lateLog writes to the test's log until that ends.
type lateLog struct {
	mu sync.Mutex
	t  *testing.T
}

func (l *lateLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		l.t.Logf("          %s", strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}

func (l *lateLog) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t = nil
}

func simulate(t *testing.T, seed uint64, rounds int) {
	ctx := context.Background()
	log := &lateLog{t: t}
	defer log.end()
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 0)),
		log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	w.openBroker()
	defer w.broker.Close()
	producer, err := w.kafka(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MetadataMaxAge(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	// Now, while the broker answers: it waits for its id under a lock, and whoever waits for that holds up the world's clock.
	if _, _, err := producer.ProducerID(ctx); err != nil {
		t.Fatal(err)
	}
	w.in = &input{client: producer, r: w.rand(), late: w.r.IntN(2) == 0, partitions: partitions}
	w.bank = &bank{w: w, r: w.rand(), stop: make(chan struct{}), tried: map[int]transfer{}, answered: map[int]bool{}}
	w.begin(ctx)
	defer w.close(ctx)
	for round := range rounds {
		if !w.round(ctx, round) {
			return
		}
	}
}

const partitions = 3

func (w *world) openBroker() {
	var err error
	w.broker, err = kfake.NewCluster(kfake.NumBrokers(2), kfake.Ports(9092, 9093), kfake.ListenFn(w.net.Listen), kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(2), kfake.SeedTopics(partitions, "in"))
	if err != nil {
		w.t.Fatal(err)
	}
}

// begin starts the first server, which nothing happens to until its jobs are made.
func (w *world) begin(ctx context.Context) {
	s, err := w.boot(statetest.NewDisk(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server.Store(s)
	interval := []string{"auto", "20ms", "300ms"}[w.r.IntN(3)]
	w.tell("epochs of %s, late rows: %v", interval, w.in.late)
	text := strings.NewReplacer("$INTERVAL", interval, "$SINK", sinkOptions).Replace(schema)
	if _, err := s.query(ctx, text); err != nil {
		w.t.Fatal(err)
	}
}

// close ends the world: nothing in it may go on.
func (w *world) close(ctx context.Context) {
	if s := w.server.Swap(nil); s != nil {
		w.bury(ctx, s)
	}
}

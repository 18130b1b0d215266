package engine

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/state"
)

// keepToBudget divides the memory budget and sets Go's limit by it. The budget is what is held on
// purpose; the limit leaves half as much again for what is in flight and for garbage, so that the
// process stays well below twice the budget.
func keepToBudget(ctx context.Context, budget int64, opts *state.Options) (operators *exec.Memory) {
	if budget <= 0 {
		return exec.NewMemory(defaultOperators)
	}
	var bytes int64
	opts.CacheBytes, opts.MemTableBytes, bytes = state.SplitBudget(budget)
	debug.SetMemoryLimit(budget*3/2 + ownMemory)
	if os.Getenv("GOGC") == "" { // else somebody knows better
		go tuneGC(ctx)
	}
	return exec.NewMemory(bytes)
}

// ownMemory is what a server without state holds.
const ownMemory = 32 << 20

// defaultOperators is what operators share when no budget is given.
const defaultOperators = 256 << 20

// tuneGC bounds the memory that waits for the collector, until ctx ends. Go lets a heap double between
// two collections: right for a small one, a waste for one that holds gigabytes of state, nearly all of
// it flat columns that cost nothing to mark. So garbage may be as much as a heap of smallHeap, or a
// quarter of the heap if that is more.
func tuneGC(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for percent := int64(100); ; {
		metrics.Read(sample)
		want := min(max(100*smallHeap/max(int64(sample[0].Value.Uint64()), 1), 25), 100)
		if want < percent-10 || want > percent+10 || want != percent && want == 100 {
			percent = want
			debug.SetGCPercent(int(percent))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// smallHeap is how much garbage there may be whatever the heap.
const smallHeap = 64 << 20

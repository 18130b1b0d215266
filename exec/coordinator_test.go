package exec

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/streamsql/streamsql/state"
)

// A job that has nothing to do keeps no memory for large epochs.
func TestIdleJobRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, err := state.Open(state.InMemory())
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		cfg := &JobConfig{Store: store}
		env := &environment{job: cfg, wake: make(chan struct{}, 1)}
		part := env.part(1)
		for range 100 {
			part.Put([]byte("a key of a table"), make([]byte, 100_000))
		}
		part.HandOver()
		if err := env.gathered(1).Commit(); err != nil {
			t.Fatal(err)
		}
		env.reuse(1)
		if env.gatherer.Kept() == 0 {
			t.Fatal("nothing is kept for the next epoch")
		}
		c := &coordinator{job: &Job{cfg: *cfg}, run: &run{sources: []*sourceGroup{{tasks: []*sourceTask{{}}}}}, env: env, timer: newEpochTimer(cfg)}
		ctx, cancel := context.WithTimeout(t.Context(), idleAfter+time.Second)
		defer cancel()
		if _, err := c.due(ctx); err != context.DeadlineExceeded {
			t.Fatal(err)
		}
		if n := env.gatherer.Kept(); n != 0 {
			t.Errorf("%d bytes are kept", n)
		}
	})
}

// interval is how long after the beginning of an epoch that cost so much the next one is due.
func interval(timer *epochTimer, cost time.Duration, behind bool) time.Duration {
	at := time.Now()
	timer.closed(at, cost, behind)
	return timer.until(at)
}

func TestEpochTimer(t *testing.T) {
	const cost = 300 * time.Millisecond
	t.Run("the first epoch does not hold the second back for long", func(t *testing.T) {
		for _, cost := range []time.Duration{cost, time.Hour} {
			if got := interval(newEpochTimer(&JobConfig{}), cost, true); got > maxEpoch/4 {
				t.Errorf("a first epoch that cost %s: the next is due after %s", cost, got)
			}
		}
	})
	t.Run("a job that is behind spends a tenth of the time", func(t *testing.T) {
		timer := newEpochTimer(&JobConfig{})
		for range 50 {
			interval(timer, cost, true)
		}
		if got := interval(timer, cost, true); got < 2990*time.Millisecond || got > 3*time.Second {
			t.Errorf("epochs that cost %s come every %s", cost, got)
		}
	})
	t.Run("a job that keeps up spends half of it", func(t *testing.T) {
		timer := newEpochTimer(&JobConfig{})
		for range 50 {
			interval(timer, cost, false)
		}
		if got := interval(timer, cost, false); got < 590*time.Millisecond || got > 600*time.Millisecond {
			t.Errorf("epochs that cost %s come every %s", cost, got)
		}
		if got := interval(timer, cost, true); got < 2900*time.Millisecond {
			t.Errorf("behind again, they come every %s", got)
		}
	})
	t.Run("neither too often nor too seldom", func(t *testing.T) {
		timer := newEpochTimer(&JobConfig{})
		if got := interval(timer, 0, false); got != minEpoch {
			t.Errorf("epochs that cost nothing come every %s", got)
		}
		for range 50 {
			interval(timer, time.Hour, true)
		}
		if got := interval(timer, time.Hour, true); got > maxEpoch {
			t.Errorf("the longest epoch takes %s", got)
		}
	})
	t.Run("as it was told", func(t *testing.T) {
		timer := newEpochTimer(&JobConfig{CheckpointInterval: time.Second})
		if got := interval(timer, cost, true); got != time.Second {
			t.Errorf("epochs come every %s", got)
		}
	})
}

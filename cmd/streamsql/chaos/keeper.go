package main

import (
	"context"
	"os"
	"sync"
	"syscall"
	"time"
)

// keeper starts again what somebody else kills while the rounds go on, the server, Kafka or PostgreSQL:
// kill -9 by hand is one more fault. What ends in any other way is a failure.
type keeper struct {
	end  context.CancelFunc
	done sync.WaitGroup
}

// kept is a process that a keeper looks after.
type kept interface {
	Killed() bool // it has ended by kill -9
	Restart() error
}

// keep begins to look after what w needs.
func (w *world) keep(ctx context.Context) {
	ctx, w.keeper.end = context.WithCancel(ctx)
	look := func(name string, mu *sync.Mutex, p kept) {
		w.keeper.done.Go(func() {
			for ctx.Err() == nil {
				w.revive(name, mu, p)
				pause(ctx, 100*ms)
			}
		})
	}
	look("the server", &w.srv.mu, w.srv)
	look("Kafka", &w.c.kafkaMu, w.c.kafka)
	look("PostgreSQL", &w.c.postgresMu, w.c.postgres)
}

// revive starts a process that was killed. A fault holds mu while it has killed one itself.
func (w *world) revive(name string, mu *sync.Mutex, p kept) {
	if !mu.TryLock() {
		return
	}
	defer mu.Unlock()
	if !p.Killed() {
		return
	}
	w.outside.Add(1)
	w.note("kill -9 of %s by somebody else", name)
	// The first tries may meet what is left of a PostgreSQL whose children are still there.
	for try := 0; ; try++ {
		err := p.Restart()
		if err == nil {
			return
		}
		if try == 20 {
			w.note("%s does not start again: %s", name, err)
			return
		}
		time.Sleep(500 * ms)
	}
}

func (k *keeper) close() {
	if k.end != nil {
		k.end()
		k.done.Wait()
	}
}

// killed tells whether a process that has ended was killed.
func killed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

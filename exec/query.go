package exec

import (
	"context"
	"errors"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
)

// QueryEnv is what a bounded query runs with.
type QueryEnv struct {
	Eval expr.Context // copied for each task
	// Dead takes records of a source that could not be decoded; several tasks may call it. nil
	// drops them.
	Dead func(source string, letters []connectors.DeadLetter)
	// Memory is shared with jobs; nil = a pool of its own.
	Memory *Memory
}

// RunQuery runs a graph over bounded sources to its end. out gets the result, batch by batch, from
// one goroutine; its error, or ctx's end, ends the query. The last fragment must have one task.
func RunQuery(ctx context.Context, g *Graph, q QueryEnv, out func(*stream.Batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if q.Memory == nil {
		q.Memory = NewMemory(defaultMemory)
	}
	env := &environment{query: &q, now: time.Now, wake: make(chan struct{}, 1)}
	defer env.releaseMemory()
	r, err := build(ctx, g, env, q.Eval, out)
	if err != nil {
		return err
	}
	defer r.close()
	for _, s := range r.sources {
		if err := s.open(ctx, nil); err != nil {
			return err
		}
	}
	if len(r.tasks) == 1 { // a point read, most likely: nobody to hand over to
		r.runTask(r.tasks[0], cancel)
	} else {
		r.start(cancel)()
	}
	if err := context.Cause(ctx); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}

package exec

import (
	"context"
	"fmt"
	"slices"

	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/state"
)

// run is a graph being run: its tasks, wired up.
type run struct {
	env     *environment
	tasks   []*runner
	sources []*sourceGroup
	acks    chan ack
}

// StateIDs lists the operators that keep state, in the order of the graph.
func (g *Graph) StateIDs() []string {
	var ids []string
	for _, f := range g.Fragments {
		for _, o := range f.Operators {
			if o.ID != "" {
				ids = append(ids, o.ID)
			}
		}
	}
	return ids
}

// check finds mistakes of whoever made the graph.
func (g *Graph) check() error {
	seen := map[string]bool{}
	for i, f := range g.Fragments {
		if f.Parallelism < 1 || f.Parallelism > state.Shards {
			return fmt.Errorf("exec: fragment %s has %d tasks", f.Name, f.Parallelism)
		}
		if (f.Source == nil) == (len(f.Inputs) == 0) {
			return fmt.Errorf("exec: fragment %s needs a source or inputs", f.Name)
		}
		for _, e := range f.Inputs {
			if !slices.Contains(g.Fragments[:i], e.From) {
				return fmt.Errorf("exec: fragment %s reads one that does not come before it", f.Name)
			}
			if e.Kind == Forward && e.From.Parallelism != f.Parallelism {
				return fmt.Errorf("exec: %d tasks forward to %d of fragment %s", e.From.Parallelism, f.Parallelism, f.Name)
			}
		}
		ids := []string{}
		if f.Source != nil {
			ids = append(ids, "source "+f.Source.ID)
		}
		for _, o := range f.Operators {
			if o.ID != "" {
				ids = append(ids, o.ID)
			}
		}
		for _, id := range ids {
			if seen[id] {
				return fmt.Errorf("exec: two operators have the id %q", id)
			}
			seen[id] = true
		}
	}
	return nil
}

// build makes the tasks and wires them. collect takes what the last fragment emits.
func build(ctx context.Context, g *Graph, env *environment, eval expr.Context, collect func(*stream.Batch) error) (*run, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	r := &run{env: env, acks: make(chan ack)}
	if err := r.wire(ctx, g, eval, collect); err != nil {
		r.close() // writers that were opened before one could not be
		return nil, err
	}
	return r, nil
}

func (r *run) wire(ctx context.Context, g *Graph, eval expr.Context, collect func(*stream.Batch) error) error {
	byFragment := map[*Fragment][]*runner{}
	for i, f := range g.Fragments {
		var group *sourceGroup
		if f.Source != nil {
			group = newSourceGroup(f.Source, f.Parallelism, f.Source.Bounded || r.env.job == nil)
			r.sources = append(r.sources, group)
		}
		for index := range f.Parallelism {
			t, err := r.newTask(ctx, f, index, eval)
			if err != nil {
				return err
			}
			if i == len(g.Fragments)-1 {
				t.collect = collect
			}
			if group != nil {
				group.tasks = append(group.tasks, newSourceTask(t, group))
			} else {
				t.inbox = newInbox()
			}
			byFragment[f] = append(byFragment[f], t)
		}
		for input := range f.Inputs {
			connect(ctx, &f.Inputs[input], input, byFragment[f.Inputs[input].From], byFragment[f])
		}
	}
	return nil
}

func (r *run) newTask(ctx context.Context, f *Fragment, index int, eval expr.Context) (*runner, error) {
	eval.Most = maxTextBytes
	task := &Task{Context: ctx, Fragment: f.Name, Index: index, Parallelism: f.Parallelism, Eval: &eval, env: r.env, Bounded: r.env.job == nil, epoch: r.env.restored + 1}
	t := &runner{task: task, fragment: f, ctx: ctx, env: r.env, stats: &TaskStats{}, watermark: stream.MinWatermark}
	t.stats.Watermark.Store(int64(stream.MinWatermark))
	r.tasks = append(r.tasks, t)
	if !task.Bounded {
		task.Store, task.batch = r.env.job.Store, r.env.part(task.epoch)
		t.acks = r.acks
	}
	next := &link{r: t, last: stream.MinWatermark}
	t.links = []*link{next}
	for i := len(f.Operators) - 1; i >= 0; i-- {
		spec := &f.Operators[i]
		stats := &OperatorStats{}
		task.stats, task.spec = stats, spec
		op, err := spec.New(task)
		if err != nil {
			return nil, err
		}
		next.from = stats
		next.check = newChecker(spec)
		next = &link{r: t, op: op, stats: stats, next: next, last: stream.MinWatermark, portion: firstPortion}
		t.links = slices.Insert(t.links, 0, next)
		task.ops = slices.Insert(task.ops, 0, stats)
	}
	if f.Source != nil && len(f.Source.Schema) > 0 { // asked for no columns, a source may bring any
		next.check = newChecker(&OperatorSpec{Name: "source " + f.Source.Name, Out: f.Source.Schema})
	}
	return t, nil
}

// connect makes the queues of an edge.
func connect(ctx context.Context, e *Edge, input int, from, to []*runner) {
	for i, f := range from {
		s := &sender{ctx: ctx, edge: e, stats: f.stats}
		for j, t := range to {
			if e.Kind != Forward || i == j {
				s.queues = append(s.queues, t.inbox.connect(input))
			}
		}
		f.senders = append(f.senders, s)
	}
}

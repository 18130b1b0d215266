// Package exec runs query graphs: the task loop, exchanges, sources with their event time, and the
// operators.
//
//	Graph (planner) ─▶ Job: one goroutine a task
//
//	  source task                    exchange                task
//	  reader ─▶ operator ─▶ operator ═══════▶ inbox ─▶ operator ─▶ operator ═══▶ …
//	     ▲ barrier N                                                │ ack N: state batch, positions
//	     └──────────────────────── coordinator ◀────────────────────┘
//	                                   └─ merge, one synced commit, publish
//
// A job cuts its input into epochs. The coordinator sends barrier N to the source tasks; it flows
// through all exchanges; each task, once it has it from every sender, lets its operators stage what
// has changed into a batch of writes and acknowledges. The coordinator takes them as one, adds
// positions and the epoch's number, commits them in one write, and publishes. Tasks go on with
// epoch N+1 meanwhile. A bounded query is the same graph without barriers.
//
// Invariants:
//   - State in the store is that of a committed epoch, always together with the positions of its
//     inputs: a job that starts again goes on there as if it had never stopped.
//   - At most one epoch is being committed. Barrier N+1 is sent after the commit of N.
//   - What a task writes goes into its own batch; reads see the store as of the last commit. So an
//     operator may drop from memory only what the last committed epoch holds.
//   - A task touches only the shards it owns, and the operators of a task run in one goroutine.
//   - Operators know nothing of barriers' alignment, minimum watermarks, idle inputs, parallelism.
//   - An error, or a panic, ends the run of its job and of nothing else.
//
// The files: graph.go is the contract with the planner. job.go, coordinator.go, build.go, loop.go,
// exchange.go and source.go run it, watermark.go is event time, record.go what a job remembers of
// itself. Each operator has a file of its own; keyed.go (state in memory over state in the store) and
// changes.go (one change for each group and epoch) are what those with groups are made of.
//
// Adding an operator: a type that implements stream.Operator, a New function that returns its
// Constructor, a line in scriptOperators (operators_test.go) and a script in testdata/operators. One
// with several inputs gets the index of the Edge (union.go). Joins, OVER, SESSION and CUMULATE windows
// and Top-N over a stream are not here yet; window.go and union.go say where the windows and the
// joins would begin.
package exec

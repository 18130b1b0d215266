package engine

import (
	"context"
	"sync"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
)

// groupCommitPeriod is how often positions are told to consumer groups.
const groupCommitPeriod = 5 * time.Second

// groupOffsets tells the positions of a running job to consumer groups, where lag tools look for
// them. Nothing depends on these: the job's own positions are in its epochs.
type groupOffsets struct {
	mu      sync.Mutex
	sources []groupSource
}

type groupSource struct {
	spec   *exec.SourceSpec // its ID names the positions
	source connectors.OffsetCommitter
	group  string
}

// add notes a source that was opened. One that was opened before under the same name is gone.
func (g *groupOffsets) add(spec *exec.SourceSpec, source connectors.Source, group string) {
	c, ok := source.(connectors.OffsetCommitter)
	if !ok || group == "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sources = append(g.sources, groupSource{spec, c, group})
}

// run commits until ctx ends, and tells what failed in the log only.
func (g *groupOffsets) run(ctx context.Context, j *job, b *jobBuild) {
	tick := time.NewTicker(groupCommitPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		g.mu.Lock()
		sources := g.sources
		g.mu.Unlock()
		for _, s := range sources {
			splits, err := exec.ReadSplits(j.e.store, b.meta, s.spec.ID)
			if err == nil && len(splits) > 0 {
				err = s.source.CommitOffsets(ctx, s.group, splits)
			}
			if err != nil && ctx.Err() == nil {
				j.e.log.Debug("offsets not committed to the group", "job", j.obj.Name, "group", s.group, "error", err)
			}
		}
	}
}

//go:build invariants

package exec

import (
	"strings"
	"testing"

	"github.com/streamsql/streamsql/exec/stream"
)

// An operator that writes to its input changes what the other branches of a shared source get: the
// next batch of the source finds it out.
func TestSharedBatchIsNotChanged(t *testing.T) {
	j := newTestJob(t, OperatorSpec{Name: "vandal", Out: intSchema, New: func(*Task) (stream.Operator, error) { return vandal{}, nil }})
	j.log.append(0, ints(1, 2, 3))
	j.log.append(0, ints(4))
	err := j.job().Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "a batch of source t was changed") {
		t.Fatalf("got %v", err)
	}
}

// vandal negates its input in place.
type vandal struct{}

func (vandal) Batch(_ int, b *stream.Batch, out stream.Output) error {
	vs := stream.Values[int64](b.Columns[0])
	for i := range vs {
		vs[i] = -vs[i]
	}
	return out.Batch(ints(vs...))
}

func (vandal) Watermark(stream.Watermark, stream.Output) error { return nil }
func (vandal) Barrier(stream.Barrier, stream.Output) error     { return nil }

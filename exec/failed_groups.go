package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
)

// deadGroups reports groups of which an aggregate has no result, a sum that its type can't hold for
// instance. cols are rows of the aggregation's output; of those that failed, only what names the group
// means something.
func (t *Task) deadGroups(s *AggregateSpec, cols []arrow.Array, failed []agg.Failed) error {
	schema := s.OutputSchema()
	schema = schema[:len(schema)-len(s.Calls)]
	b := &stream.Batch{Columns: cols}
	letters := make([]connectors.DeadLetter, len(failed))
	for i, f := range failed {
		letters[i] = connectors.DeadLetter{Time: t.Now(), Partition: -1, Offset: -1, Payload: rowJSON(b, schema, f.At),
			Field: s.Calls[f.Call].Func.Name, Code: f.Err.Code, Reason: f.Err.Message}
	}
	return t.Dead("", letters...)
}

// withoutFailed is rows less those that failed.
func withoutFailed(cols []arrow.Array, failed []agg.Failed) []arrow.Array {
	keep := make([]int32, 0, cols[0].Len()-len(failed))
	for i := range cols[0].Len() {
		if len(failed) > 0 && failed[0].At == i {
			failed = failed[1:]
			continue
		}
		keep = append(keep, int32(i))
	}
	out := make([]arrow.Array, len(cols))
	for i, c := range cols {
		out[i] = stream.Take(c, keep)
	}
	return out
}

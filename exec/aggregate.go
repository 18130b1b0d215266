package exec

import (
	"time"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/sql"
)

// AggregateSpec is a GROUP BY, with or without a window. It emits the key columns, then
// window_start and window_end if there is a window, then one column for each call. Its stream key
// is the key columns with window_end.
//
// It runs in one phase, NewAggregate(spec, false) behind an exchange by the key columns; or, if
// TwoPhase says so, as NewLocalAggregate, an exchange of PartialSchema by PartialKeys, and
// NewAggregate(spec, true). The keys and arguments are columns: a projection comes first.
type AggregateSpec struct {
	Input   sql.Schema
	Keys    []int       // nil: all rows are one group, which without a window always exists
	Window  *WindowSpec // nil: the groups live for ever
	Calls   []agg.Call
	Retract bool // the input may hold deletes

	// OnClose emits a window's rows once, as inserts, when the watermark has passed its end by
	// Lateness. Otherwise changes are emitted with every barrier.
	OnClose  bool
	Lateness time.Duration
	// Source names the relation whose rows may be late, for streamsql.late_rows.
	Source string
}

// TwoPhase tells whether the aggregation can be split around its exchange.
func (s *AggregateSpec) TwoPhase() bool {
	for _, c := range s.Calls {
		if !c.Mergeable(s.Retract) {
			return false
		}
	}
	return true
}

// PartialSchema is the schema between the two phases: the slice's end if there is a window, the
// keys, the aggregates' partial states, and if there is a window, the event time and the row itself,
// as JSON, of one that may be late.
func (s *AggregateSpec) PartialSchema() sql.Schema {
	var out sql.Schema
	if s.Window != nil {
		out = append(out, sql.Column{Name: "slice_end", Type: sql.TypeTimestamp, NotNull: true})
	}
	for _, k := range s.Keys {
		out = append(out, s.Input[k])
	}
	for i, t := range s.newSet().PartialTypes() {
		out = append(out, sql.Column{Name: "partial_" + itoa(i), Type: t})
	}
	if s.Window != nil {
		out = append(out, sql.Column{Name: "late_time", Type: sql.TypeTimestamp}, sql.Column{Name: "late_row", Type: sql.TypeText})
	}
	return out
}

// PartialKeys are the key columns of PartialSchema, for the exchange.
func (s *AggregateSpec) PartialKeys() []int {
	out, first := make([]int, len(s.Keys)), 0
	if s.Window != nil {
		first = 1
	}
	for i := range out {
		out[i] = first + i
	}
	return out
}

// OutputSchema is the schema of what NewAggregate emits.
func (s *AggregateSpec) OutputSchema() sql.Schema {
	var out sql.Schema
	for _, k := range s.Keys {
		out = append(out, s.Input[k])
	}
	if s.Window != nil {
		t := s.Input[s.Window.Time].Type
		out = append(out, sql.Column{Name: "window_start", Type: t, NotNull: true}, sql.Column{Name: "window_end", Type: t, NotNull: true})
	}
	for _, c := range s.Calls {
		out = append(out, sql.Column{Name: c.Func.Name, Type: c.Func.Result})
	}
	return out
}

// newSet makes the accumulators of the calls. The number of rows comes first: a group exists as long
// as it has rows.
func (s *AggregateSpec) newSet() *agg.Set {
	return agg.NewSet(s.Calls, s.Input.Types(), s.Retract)
}

func (s *AggregateSpec) keyTypes() []sql.Type {
	ts := make([]sql.Type, len(s.Keys))
	for i, k := range s.Keys {
		ts[i] = s.Input[k].Type
	}
	return ts
}

func (s *AggregateSpec) keyNotNull() []bool {
	ns := make([]bool, len(s.Keys))
	for i, k := range s.Keys {
		ns[i] = s.Input[k].NotNull
	}
	return ns
}

package engine

import (
	"slices"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/planner"
)

// sinkKey reads RisingWave's primary_key option.
func (s *session) sinkKey(o *catalog.Object) error {
	text := o.Options["primary_key"]
	if text == "" {
		return nil
	}
	key, err := columnIndexes(o, connectors.KeyNames(text))
	o.Key = key
	return err
}

// warnOfSharedKeys tells of a sink whose rows may have a primary key in common: the key, indexes into the
// plan's columns, lacks some by which the query tells its rows apart. It can't be an error, because the
// rows may be one a key for a reason that only the user knows.
func (s *session) warnOfSharedKeys(sink string, plan *planner.Plan, key []int) {
	if len(key) == 0 || plan.Mode() != planner.Retract {
		return // of a stream of inserts the last row of a key is what stands
	}
	schema := slices.Concat(plan.Columns, plan.Schema()[len(plan.Columns):]) // as they are called outside, and the hidden ones
	holds := func(name string) bool {
		return slices.ContainsFunc(key, func(k int) bool { return schema[k].Name == name })
	}
	var lacks []string
	for _, i := range plan.StreamKey() {
		name := schema[i].Name
		bound := (name == "window_start" || name == "window_end") && (holds("window_start") || holds("window_end")) // each says as much
		if !slices.Contains(key, i) && !bound {
			lacks = append(lacks, sql.QuoteIdent(name))
		}
	}
	if len(lacks) == 0 {
		return
	}
	s.client.Notice("WARNING", sql.Errorf("01000", "several rows of the query may have one primary key in sink %q", sink).
		WithDetail("The query tells its rows apart by columns that are not in the key: %s. The last change of a key is what the target holds, and a row that is deleted takes the key with it.",
			strings.Join(lacks, ", ")).
		WithHint("Group by the columns of the primary key, or make these a part of it."))
}

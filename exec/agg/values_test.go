package agg

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// TestResultsTooLarge: a group with more than a result can hold has none, whatever other groups have;
// what a column can't hold is an error.
func TestResultsTooLarge(t *testing.T) {
	types := []sql.Type{sql.TypeText, sql.TypeText}
	for _, tt := range []struct {
		name string
		args []int
		want string
	}{{"array_agg", []int{0}, "[a b]"}, {"string_agg", []int{0, 1}, "a,b"}} {
		for _, retract := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, retract %v", tt.name, retract), func(t *testing.T) {
				f, err := Lookup(tt.name, types[:len(tt.args)], false)
				if err != nil {
					t.Fatal(err)
				}
				s := NewSet([]Call{{Func: f, Args: tt.args, Filter: -1}}, types, retract)
				s.kept[0].maxResult = 100
				s.Grow(3)
				// Group 1 has one long value, group 2 many short ones, group 0 few.
				texts, ids := []string{"a", "b", strings.Repeat("x", 200)}, []uint32{0, 0, 1}
				for range 20 {
					texts, ids = append(texts, "c"), append(ids, 2)
				}
				delims := make([]string, len(texts))
				for i := range delims {
					delims[i] = ","
				}
				b := &stream.Batch{Rows: len(texts), Columns: []arrow.Array{stream.Strings(texts, nil), stream.Strings(delims, nil)}}
				s.Add(ids, b, nil)
				cols, failed, err := s.Results([]uint32{1, 0, 2})
				if err != nil || len(failed) != 2 || failed[0].At != 0 || failed[1].At != 2 || failed[0].Err.Code != "54000" {
					t.Fatal(failed, err)
				}
				if got := fmt.Sprint(stream.Value(cols[0], f.Result, 1)); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}

				s.kept[0].maxColumn = 110
				var e *sql.Error
				if _, _, err := s.Results([]uint32{0, 2}); !errors.As(err, &e) || e.Code != "54000" {
					t.Error(err)
				}
			})
		}
	}
}

package multiset

import (
	"fmt"
	"strings"
	"testing"
)

func TestDifference(t *testing.T) {
	for _, same := range [][2][]string{{nil, {}}, {{"a", "b", "a"}, {"a", "b", "a"}}, {{"a", "b", "a"}, {"b", "a", "a"}}} {
		if diff := Difference(same[0], same[1]); diff != "" {
			t.Errorf("%q and %q: %s", same[0], same[1], diff)
		}
	}
	const want = "4 rows, not 5; 2 too many, 2 missing\n    too many: 1× a\n    too many: 1× b\n    missing:  1× d\n    missing:  2× c"
	got := []string{"c", "a", "b", "a"}
	if diff := Difference(got, []string{"c", "a", "d", "c", "c"}); diff != want {
		t.Error(diff)
	}
	if diff := (Rows{"c": 3, "a": 1, "d": 1}).Difference(got); diff != want {
		t.Error(diff)
	}
}

func TestDifferenceIsShort(t *testing.T) {
	var rows []string
	for i := range 20 {
		rows = append(rows, fmt.Sprintf("row %02d", i))
	}
	diff := Difference(rows, nil)
	if strings.Count(diff, "\n") != fewRows+1 || !strings.HasSuffix(diff, "1× row 07\n    too many: … 12 more") {
		t.Error(diff)
	}
}

package connectors

import (
	"slices"
	"testing"
)

func TestKeyNames(t *testing.T) {
	for list, want := range map[string][]string{
		"a":                {"a"},
		" a , B c ":        {"a", "B c"},
		`"Venue Name",sym`: {"Venue Name", "sym"},
		`"a,b" , "c""d"`:   {"a,b", `c"d`},
		`sym"q,x`:          {`sym"q`, "x"},
		`"open,x`:          {`"open`, "x"},
		"a,":               {"a", ""},
		`""`:               {`""`},
	} {
		if got := KeyNames(list); !slices.Equal(got, want) {
			t.Errorf("%s: %q", list, got)
		}
	}
}

// Package multiset tells how the rows of a result differ from those that it has to have, in any order:
// what the tests and the chaos rounds compare a stream's outcome by.
package multiset

import (
	"fmt"
	"slices"
	"strings"
)

// Rows counts rows, each as text.
type Rows map[string]int

// Of counts rows.
func Of(rows []string) Rows {
	r := Rows{}
	for _, row := range rows {
		r[row]++
	}
	return r
}

// Difference says which rows of got are too many and which of want are missing, the first few of each;
// empty = they are the same.
func Difference(got, want []string) string {
	if slices.Equal(got, want) { // what is sorted need not be counted
		return ""
	}
	return Of(want).Difference(got)
}

// Difference compares got with the rows that there should be.
func (want Rows) Difference(got []string) string {
	diff, total := Of(got), 0
	for row, n := range want {
		diff[row] -= n
		total += n
	}
	var extra, missing []string
	for row, n := range diff {
		if n > 0 {
			extra = append(extra, fmt.Sprintf("%d× %s", n, row))
		} else if n < 0 {
			missing = append(missing, fmt.Sprintf("%d× %s", -n, row))
		}
	}
	if len(extra)+len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows, not %d; %d too many, %d missing%s%s", len(got), total, len(extra), len(missing),
		few("\n    too many: ", extra), few("\n    missing:  ", missing))
}

const fewRows = 8

func few(title string, rows []string) string {
	if len(rows) == 0 {
		return ""
	}
	slices.Sort(rows)
	more := ""
	if len(rows) > fewRows {
		more = fmt.Sprintf("%s… %d more", title, len(rows)-fewRows)
		rows = rows[:fewRows]
	}
	return title + strings.Join(rows, title) + more
}

package agg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRuns compares values under random inserts and deletes, over several blocks, with a plain list.
func TestRuns(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			v := &values{groups: make([]runs, 1)}
			var want []value // each with n = 1
			keys := []int{1, 30, 5000, 1 << 40}[seed]
			for step := range 20_000 {
				if grow := step < 12_000; len(want) > 0 && (random.IntN(10) < 3) == grow {
					at := random.IntN(len(want))
					x := want[at]
					// The last of its equals goes, as in add.
					for i := at + 1; i < len(want) && want[i].sort == x.sort; i++ {
						if want[i].row == x.row {
							at = i
						}
					}
					want = slices.Delete(want, at, at+1)
					v.add(0, value{x.sort, x.row, -1})
					continue
				}
				x := value{fmt.Sprintf("%012x", random.IntN(keys)), fmt.Sprint(random.IntN(3)), 1}
				at := len(want)
				for at > 0 && want[at-1].sort > x.sort {
					at--
				}
				want = slices.Insert(want, at, x)
				v.add(0, x)
			}
			var got []value
			v.groups[0].each(func(x *value) {
				for range x.n {
					got = append(got, value{x.sort, x.row, 1})
				}
			})
			if !slices.Equal(got, want) {
				t.Fatalf("%d values, want %d, or in another order", len(got), len(want))
			}
			for _, block := range v.groups[0] {
				if len(block) == 0 || len(block) > maxBlock {
					t.Fatalf("a block of %d", len(block))
				}
			}
		})
	}
}

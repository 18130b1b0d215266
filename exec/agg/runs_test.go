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
			v := &values{groups: make([]group, 1)}
			var want []value // each with n = 1
			keys := []int{1, 30, 5000, 1 << 40}[seed]
			for step := range 20_000 {
				if grow := step < 12_000; len(want) > 0 && (random.IntN(10) < 3) == grow {
					at := random.IntN(len(want))
					x := want[at]
					want = slices.Delete(want, at, at+1)
					v.add(0, []byte(x.key), []byte(x.row), -1)
					continue
				}
				k := random.IntN(keys)
				x := value{fmt.Sprintf("%012x", k), fmt.Sprint(k % 3), 1}
				at := len(want)
				for at > 0 && want[at-1].key > x.key {
					at--
				}
				want = slices.Insert(want, at, x)
				v.add(0, []byte(x.key), []byte(x.row), 1)
			}
			var got []value
			v.groups[0].vals.each(func(x *value) {
				for range x.n {
					got = append(got, value{x.key, x.row, 1})
				}
			})
			if !slices.Equal(got, want) {
				t.Fatalf("%d values, want %d, or in another order", len(got), len(want))
			}
			for _, block := range v.groups[0].vals {
				if len(block) == 0 || len(block) > maxBlock {
					t.Fatalf("a block of %d", len(block))
				}
			}
		})
	}
}

package main

import (
	"context"
	"testing"
	"time"
)

func testLoad(t *testing.T, c config) error {
	t.Helper()
	if testing.Short() {
		c.rows /= 4
		c.soak /= 4
	}
	c.dir, c.parallelism = t.TempDir(), 2
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	return run(ctx, &c)
}

// Each load gives the right result with less memory than its state takes.
func TestLoadsGiveRightResults(t *testing.T) {
	for _, c := range []config{
		{query: "keys", keys: 50_000, rows: 200_000, budget: 64 << 20},
		{query: "text", keys: 50_000, rows: 200_000, budget: 16 << 20},
		{query: "windows", keys: 20_000, rows: 100_000, budget: 16 << 20, step: time.Millisecond},
		{query: "unclosed", keys: 50_000, rows: 200_000, budget: 16 << 20, step: time.Millisecond},
		{query: "values", keys: 5_000, rows: 20_000, budget: 64 << 20},
		{query: "array", keys: 5_000, rows: 20_000, budget: 64 << 20},
	} {
		t.Run(c.query, func(t *testing.T) {
			if err := testLoad(t, c); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// The short form of make soak.
func TestSoak(t *testing.T) {
	if err := testLoad(t, config{soak: 20 * time.Second, keys: 5000, rate: 20_000, step: 50 * time.Millisecond, budget: 128 << 20}); err != nil {
		t.Fatal(err)
	}
}

// Package seedtest gives random tests their seeds, so that any failure can be repeated.
package seedtest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// Variable is the environment variable that replays a run. CI sets it, so that a change is judged by
// the same cases as the one before; runs by hand try new ones.
const Variable = "STREAMSQL_SEED"

// Seed is the seed of a random test: that of the environment, or a new one. It tells how to repeat
// the run.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(Variable); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", Variable, err)
		}
		seed = n
	}
	t.Logf("replay with %s=%d", Variable, seed)
	return seed
}

package engine

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestAwait: the end of the server waits for what takes a moment, and not for what takes longer.
func TestAwait(t *testing.T) {
	failed := errors.New("failed")
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if ok, err := await(context.Background(), func() error { time.Sleep(20 * time.Millisecond); return failed }); !ok || err != failed {
		t.Error(ok, err)
	}
	if ok, err := await(ended, func() error { time.Sleep(20 * time.Millisecond); return failed }); !ok || err != failed {
		t.Error("within the moment:", ok, err)
	}
	gate := make(chan struct{})
	defer close(gate)
	if ok, err := await(ended, func() error { <-gate; return failed }); ok || err != nil {
		t.Error("behind the moment:", ok, err)
	}
}

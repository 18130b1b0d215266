package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql"
)

func TestLockWaitsForRelease(t *testing.T) {
	l, a, b := newLockTable(), &owner{}, &owner{}
	ctx := context.Background()
	if err := l.lock(ctx, a, 1); err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() { got <- l.lock(ctx, b, 1) }()
	select {
	case <-got:
		t.Fatal("b got the lock that a holds")
	case <-time.After(20 * time.Millisecond):
	}
	l.release(a, 0)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestLockDeadlockIsRefused(t *testing.T) {
	l, a, b := newLockTable(), &owner{}, &owner{}
	ctx := context.Background()
	_ = l.lock(ctx, a, 1)
	_ = l.lock(ctx, b, 2)
	got := make(chan error)
	go func() { got <- l.lock(ctx, a, 2) }()
	for {
		l.mu.Lock()
		waiting := len(l.waiting) == 1
		l.mu.Unlock()
		if waiting {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var e *sql.Error
	if err := l.lock(ctx, b, 1); !errors.As(err, &e) || e.Code != "40P01" {
		t.Fatalf("want a deadlock, got %v", err)
	}
	l.release(b, 0)
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestLockWaitHonoursCancel(t *testing.T) {
	l, a, b := newLockTable(), &owner{}, &owner{}
	_ = l.lock(context.Background(), a, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.lock(ctx, b, 1); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(l.waiting) != 0 {
		t.Fatal("a cancelled waiter must not stay in the wait graph")
	}
}

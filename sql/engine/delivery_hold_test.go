package engine

import (
	"testing"

	"github.com/streamsql/streamsql/exec"
)

// A job waits for a sink that is far behind, and not for one whose target is away.
func TestDeliveryHolds(t *testing.T) {
	d := &delivery{}
	held := func(want bool) <-chan struct{} {
		t.Helper()
		c := d.hold()
		if (c != nil) != want {
			t.Fatalf("held: %v, want %v", c != nil, want)
		}
		return c
	}
	released := func(c <-chan struct{}, want bool) {
		t.Helper()
		select {
		case <-c:
			if !want {
				t.Fatal("released too early")
			}
		default:
			if want {
				t.Fatal("not released")
			}
		}
	}
	held(false)
	for n := range uint64(3) {
		d.committed(&exec.Epoch{Number: n + 1, Bytes: maxUndelivered / 2})
	}
	c := held(true)
	d.note(0)
	released(c, false)
	d.note(2) // two epochs in one transaction
	released(c, true)
	held(false)

	d.committed(&exec.Epoch{Number: 4, Bytes: 2 * maxUndelivered})
	c = held(true)
	d.setAway(true)
	released(c, true)
	held(false)
	d.setAway(false)
	c = held(true)
	d.note(4)
	released(c, true)
	if d.undone != 0 || len(d.backlog) != 0 {
		t.Fatalf("%d bytes in %d epochs are left", d.undone, len(d.backlog))
	}
	d.note(6) // delivered before it was noted as committed
	d.committed(&exec.Epoch{Number: 5, Bytes: 2 * maxUndelivered})
	held(false)
}

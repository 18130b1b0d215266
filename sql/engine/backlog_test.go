package engine

import "testing"

func TestBacklog(t *testing.T) {
	b := backlog{near: 100, far: 200}
	b.add(1, 60)
	b.add(2, 0)
	if b.hold() != nil {
		t.Error("held with 60 of 100")
	}
	b.add(3, 60)
	room := b.hold()
	if room == nil {
		t.Fatal("not held with 120 of 100")
	}
	b.setAway(true) // then more may wait
	select {
	case <-room:
	default:
		t.Error("still held")
	}
	b.add(4, 100)
	if room = b.hold(); room == nil {
		t.Fatal("not held with 220 of 200")
	}
	b.done(3)
	select {
	case <-room:
	default:
		t.Error("still held")
	}
	if b.size() != 100 {
		t.Errorf("%d bytes wait", b.size())
	}
}

// TestBacklogBehind: a target that is away holds the job's rows back from the first one on.
func TestBacklogBehind(t *testing.T) {
	b := backlog{near: 100, far: 200}
	b.setAway(true)
	if b.behind() {
		t.Error("behind with nothing to deliver")
	}
	b.setAway(false)
	b.add(1, 10)
	if b.behind() {
		t.Error("behind with one small epoch")
	}
	b.setAway(true)
	if !b.behind() {
		t.Error("not behind with a target that is away")
	}
}

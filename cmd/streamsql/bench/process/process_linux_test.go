package process

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestUsage(t *testing.T) {
	p, err := Start(exec.Command("sh", "-c", "while :; do :; done"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		u, err := p.Usage()
		if err != nil {
			t.Fatal(err)
		}
		if u.CPU >= 50*time.Millisecond && u.PeakBytes > 100<<10 && u.PeakBytes < 1<<30 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v of a busy process", u)
		}
	}
}

func TestOutput(t *testing.T) {
	out, err := Output(context.Background(), exec.Command("sh", "-c", "echo right"))
	if err != nil || string(out) != "right\n" {
		t.Errorf("%q, %v", out, err)
	}
	_, err = Output(context.Background(), exec.Command("sh", "-c", "echo what went wrong >&2; exit 3"))
	if err == nil || !strings.Contains(err.Error(), "what went wrong") {
		t.Errorf("the error does not hold standard error: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err = Output(ctx, exec.Command("sleep", "60")); err != context.DeadlineExceeded {
		t.Errorf("a command outlived its context: %v", err)
	}
}

func TestCrashed(t *testing.T) {
	start := func(args ...string) *Process {
		p, err := Start(exec.Command(args[0], args[1:]...))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	stopped := start("sleep", "60")
	if err := stopped.Crashed(); err != nil {
		t.Errorf("of a running process: %v", err)
	}
	stopped.Stop()
	if err := stopped.Crashed(); err != nil {
		t.Errorf("of a process that was stopped: %v", err)
	}
	crashed := start("sh", "-c", "kill -9 $$")
	<-crashed.Exited()
	crashed.Stop()
	if err := crashed.Crashed(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("of a process that was killed: %v", err)
	}
}

// Package process runs what is measured in processes of their own, and says what they cost.
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Usage is what a process has cost so far.
type Usage struct {
	CPU       time.Duration // user and system, all threads
	PeakBytes int64         // the most memory that was resident at a time
}

// Process is a running child. It dies with this process, where the system can do that.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
	err    error         // how it ended; read after exited
	asked  atomic.Int32  // the last signal that Stop or Kill sent
	stderr tail
}

// Start starts a command. What it writes to standard error is kept for errors, unless the command
// sends it elsewhere.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.stderr
	}
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// Output runs a command to its end and returns what it writes to standard output.
func Output(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	var out bytes.Buffer
	cmd.Stdout = &out
	p, err := Start(cmd)
	if err != nil {
		return nil, err
	}
	err = p.Wait(ctx)
	return out.Bytes(), err
}

// OutputJSON runs a command to its end and decodes the JSON value that it writes.
func OutputJSON[T any](ctx context.Context, cmd *exec.Cmd) (*T, error) {
	out, err := Output(ctx, cmd)
	if err != nil {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(out, v); err != nil {
		return nil, fmt.Errorf("%s: %w", out, err)
	}
	return v, nil
}

// Wait waits until the process has ended by itself; with ctx it is killed.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.end(syscall.SIGKILL)
		return context.Cause(ctx)
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.cmd.Path, p.err, p.stderr.String())
	}
	return nil
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Stderr is the end of what the process wrote there.
func (p *Process) Stderr() string { return p.stderr.String() }

// Stop asks the process to end, and kills it when it takes longer than ten seconds.
func (p *Process) Stop() {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(10 * time.Second):
		p.end(syscall.SIGKILL)
	}
}

// Kill ends the process as a crash would.
func (p *Process) Kill() { p.end(syscall.SIGKILL) }

func (p *Process) end(sig syscall.Signal) {
	p.signal(sig)
	<-p.exited
}

func (p *Process) signal(sig syscall.Signal) {
	p.asked.Store(int32(sig))
	p.cmd.Process.Signal(sig) // an error means that it has ended
}

// Crashed says how the process ended, if that was neither in order nor by a signal of Stop or Kill.
func (p *Process) Crashed() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	state := p.cmd.ProcessState
	status, _ := state.Sys().(syscall.WaitStatus)
	if state.Success() || status.Signaled() && int32(status.Signal()) == p.asked.Load() {
		return nil
	}
	return fmt.Errorf("%s has ended: %s", p.cmd.Path, state)
}

// Killed tells whether somebody else has ended the process by kill -9: whoever lost a connection to it
// may ask a moment before it has ended.
func (p *Process) Killed() bool {
	select {
	case <-p.exited:
	case <-time.After(time.Second):
		return false
	}
	status, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL && p.asked.Load() != int32(syscall.SIGKILL)
}

// Usage is what the process has cost up to now, while it runs.
func (p *Process) Usage() (Usage, error) { return usage(p.cmd.Process.Pid) }

// Own is what this process has cost.
func Own() (Usage, error) { return usage(os.Getpid()) }

// tail keeps the last lines of a text.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailBytes):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}

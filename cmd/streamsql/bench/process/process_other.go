//go:build !linux

package process

import (
	"errors"
	"os/exec"
)

// dieWithParent: only Linux can make a child die with its parent.
func dieWithParent(*exec.Cmd) {}

func usage(int) (Usage, error) {
	return Usage{}, errors.New("CPU time and memory of processes are read from /proc, which only Linux has")
}

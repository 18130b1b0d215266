//go:build !linux

package pgtest

import "syscall"

func dieWithParent(*syscall.SysProcAttr) {}

func children(int) []int { return nil }

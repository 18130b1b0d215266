//go:build !linux

package kafkatest

import "syscall"

// childAttr: only Linux can make a child die with its parent; elsewhere Stop has to be called.
func childAttr() *syscall.SysProcAttr { return nil }

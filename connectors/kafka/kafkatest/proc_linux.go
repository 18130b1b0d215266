package kafkatest

import "syscall"

// childAttr makes the broker die with this process.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

package main

import "syscall"

// dieWithParent makes a process die with this one.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// mountDisk makes dir a disk of a size, in memory: one that can be filled without harm. It needs root.
func mountDisk(dir, size string) error {
	return syscall.Mount("chaos", dir, "tmpfs", 0, "mode=0700,size="+size)
}

func unmountDisk(dir string) error { return syscall.Unmount(dir, 0) }

// freeBytes is the room on the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(dir, &s)
	return int64(s.Bavail) * s.Bsize, err
}

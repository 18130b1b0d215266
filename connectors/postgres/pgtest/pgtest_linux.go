package pgtest

import "syscall"

// dieWithParent ends the server when the test process dies without cleaning up. SIGQUIT is
// PostgreSQL's immediate shutdown, which also ends its children.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }

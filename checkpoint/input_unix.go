//go:build unix

package checkpoint

import "syscall"

// nonblocking is the flag with which opening a pipe does not wait for a writer.
func nonblocking(piped bool) int {
	if piped {
		return syscall.O_NONBLOCK
	}
	return 0
}

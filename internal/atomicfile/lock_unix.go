//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package atomicfile

import (
	"os"
	"syscall"
)

// lock marks a new file as in use until it is closed or the process ends. It waits
// for a Sweep that has the file just then and takes it away, see there. A file system
// without locks gives an error, which keeps Sweep away as well.
func lock(f *os.File) {
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX) == syscall.EINTR {
		continue
	}
}

// removeLeft removes a file that nobody has locked.
func removeLeft(name string) {
	f, err := os.Open(name)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		os.Remove(name)
	}
}

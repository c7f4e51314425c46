//go:build amd64 || arm64

package kernel

import (
	"runtime"
	"syscall"
	"unsafe"
)

// here returns the processor that the calling thread runs on, -1 if nobody knows.
func here() int {
	number := uintptr(309)
	if runtime.GOARCH == "arm64" {
		number = 168 // the syscall package has it there alone
	}
	var c uint32
	if _, _, e := syscall.RawSyscall(number, uintptr(unsafe.Pointer(&c)), 0, 0); e != 0 {
		return -1
	}
	return int(c)
}

// leave brings the calling thread from processor c to one that it may use and that is
// not taken, and returns where it came to: c where there is no such processor. Where
// the thread may run stays what it was.
func leave(c int, taken *processorSet) int {
	var may processorSet
	size, e := affinity(syscall.SYS_SCHED_GETAFFINITY, unsafe.Sizeof(may), &may)
	if e != 0 {
		return c
	}
	other := may.without(taken)
	if other == (processorSet{}) {
		return c
	}
	if _, e := affinity(syscall.SYS_SCHED_SETAFFINITY, size, &other); e != 0 {
		return c
	}
	c = here()
	_, _ = affinity(syscall.SYS_SCHED_SETAFFINITY, size, &may)
	return c
}

// affinity reads or sets where the calling thread may run.
func affinity(number, size uintptr, set *processorSet) (uintptr, syscall.Errno) {
	n, _, e := syscall.RawSyscall(number, 0, size, uintptr(unsafe.Pointer(set)))
	return n, e
}

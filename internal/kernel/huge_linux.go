package kernel

import (
	"syscall"
	"unsafe"
)

// collapse is MADV_COLLAPSE of Linux 6.1; others answer that they do not know it.
const collapse = 25

// askHuge asks for large pages around size bytes at p. It covers the whole pages that
// the memory touches: they lie in the same arena of the heap, whose borders are
// multiples of them, and asking changes nothing but how memory is mapped. What of
// them is there already in small pages is put together. A refusal changes nothing.
func askHuge(p unsafe.Pointer, size uintptr) {
	lo := uintptr(p) &^ (hugePage - 1)
	hi := (uintptr(p) + size + hugePage - 1) &^ (hugePage - 1)
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, lo, hi-lo, syscall.MADV_HUGEPAGE)
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, lo, hi-lo, collapse)
}

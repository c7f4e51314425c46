package kernel

import (
	"syscall"
	"unsafe"
)

// askHuge asks for large pages around size bytes of zeros at p. It covers the whole
// pages that the memory touches: they lie in the same arena of the heap, whose borders
// are multiples of them, and asking changes nothing but how memory is mapped. What the
// heap used before is there in small pages: those within are given back, and large ones
// of zeros come in their place. Putting them together instead would copy what nobody
// reads, after a wait for every processor. A refusal changes nothing.
func askHuge(p unsafe.Pointer, size uintptr) {
	lo, hi := uintptr(p), uintptr(p)+size
	outer, end := lo&^(hugePage-1), (hi+hugePage-1)&^(hugePage-1)
	_, _, e := syscall.Syscall(syscall.SYS_MADVISE, outer, end-outer, syscall.MADV_HUGEPAGE)
	inner, stop := (lo+hugePage-1)&^(hugePage-1), hi&^(hugePage-1)
	if e == 0 && inner < stop && touched(inner, stop) {
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, inner, stop-inner, syscall.MADV_DONTNEED)
	}
}

// touched reports whether a page from lo to hi, borders of pages, is in memory.
func touched(lo, hi uintptr) bool {
	page := uintptr(syscall.Getpagesize())
	var in [4096]byte
	for lo < hi {
		n := min((hi-lo)/page, uintptr(len(in)))
		if _, _, e := syscall.Syscall(syscall.SYS_MINCORE, lo, n*page, uintptr(unsafe.Pointer(&in))); e != 0 {
			return false
		}
		for _, b := range in[:n] {
			if b&1 != 0 {
				return true
			}
		}
		lo += n * page
	}
	return false
}

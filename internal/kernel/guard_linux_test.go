package kernel

import (
	"syscall"
	"testing"
	"unsafe"
)

// guarded returns n float32 whose end (or start, at random by flip) is the
// border of memory that may not be touched: reading or writing past it faults.
func guarded(t testing.TB, n int, atStart bool) []float32 {
	const page = 4096
	size := (n*4 + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(m) })
	for _, g := range [][]byte{m[:page], m[page+size:]} {
		if err := syscall.Mprotect(g, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	first := page
	if !atStart {
		first = page + size - n*4
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[first])), n)
}
